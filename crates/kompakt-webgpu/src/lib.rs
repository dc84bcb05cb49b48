//! Networks on a browser's GPU: the module behind `kompakt/webgpu`.
//!
//! ```text
//! web/webgpu.js ─► Device.open() ─► Device.load(file) ─► Network.run(inputs)      promises, all of them
//! ```
//!
//! Empty on any machine that is not a browser: there is `kompakt-gpu` itself. What is here translates between JavaScript's
//! values and [`Network`](https://docs.rs/kompakt-gpu) of that crate; `cargo xtask webgpu` builds it.

#[cfg(target_arch = "wasm32")]
mod error;
#[cfg(target_arch = "wasm32")]
mod network;
