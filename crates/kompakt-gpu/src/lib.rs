//! Runs a `.kompakt` network on a GPU, its weights compressed in video memory.
//!
//! ```text
//! Program ──► steps: shaders, parameters ────────► blocks: each layer's maps and codes ──► GpuExecutor::run
//!              (no GPU)                             uploaded one layer at a time            one submission a run
//! ```
//!
//! A layer is uploaded as the codes of its kept weights, a bitmap that marks them, and the codebook: shaders
//! multiply from these, and video memory never holds a dense copy of a pruned or clustered layer. Shaders are
//! WGSL, for Vulkan, Metal, DirectX 12 and, in browsers, WebGPU. Layers of the tier `stream` are uploaded as they are in the file, and decoded
//! on the GPU: once, or at every run ([`Decode`]).
//!
//! The loader's session does everything else: preprocessing, checks of inputs, classes. [`session`] makes one for a
//! [`Device`], the processor included; `GpuExecutor` is the part that runs the program.
//!
//! # Numbers
//! Sums are f32, on the exact weights of the file, in a different order than the processor's: results agree
//! to 1e-4 of the largest. [`GpuOptions::half`] keeps the values between steps in 16 bits instead.
//!
//! # In a browser
//! A page may not wait for a device: on `wasm32` everything that waits is `async` alone, and a `Network` takes the place of
//! a session. The same code runs natively, where the other forms wait for it. The package is `kompakt/webgpu`.
//!
//! # Features
//! Without the feature `wgpu` there is no GPU in this crate: [`session`] runs on the processor, and reports
//! an error where a GPU is asked for.
//!
//! ```no_run
//! use kompakt_gpu::{Device, GpuOptions};
//! use kompakt_runtime::{Model, SessionOptions};
//!
//! let model = Model::map("lenet5.kompakt")?;
//! let device: Device = "gpu".parse()?;
//! let opened = kompakt_gpu::session(&model, &SessionOptions::default(), &device, &GpuOptions::default())?;
//! let mut session = opened.session;
//! let best = session.classify(&[0.0; 784], 1)?[0];
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is not here: preprocessing, files, the processor's kernels.
#![forbid(unsafe_code)]

mod device;
mod error;
#[cfg(not(all(target_arch = "wasm32", feature = "wgpu")))]
mod open;
mod options;

#[cfg(feature = "wgpu")]
mod adapter;
#[cfg(feature = "wgpu")]
mod block;
#[cfg(feature = "wgpu")]
mod bound;
#[cfg(feature = "wgpu")]
mod budget;
#[cfg(feature = "wgpu")]
mod bytes;
#[cfg(feature = "wgpu")]
mod coded;
#[cfg(feature = "wgpu")]
mod executor;
#[cfg(feature = "wgpu")]
mod in_place;
#[cfg(feature = "wgpu")]
mod layer;
#[cfg(feature = "wgpu")]
mod memory;
#[cfg(feature = "wgpu")]
mod network;
#[cfg(feature = "wgpu")]
mod places;
#[cfg(feature = "wgpu")]
mod ports;
#[cfg(feature = "wgpu")]
mod prepare;
#[cfg(feature = "wgpu")]
mod prepared;
#[cfg(feature = "wgpu")]
mod resident;
#[cfg(feature = "wgpu")]
mod shader;
#[cfg(feature = "wgpu")]
mod steps;
#[cfg(feature = "wgpu")]
mod stream_block;
#[cfg(feature = "wgpu")]
mod streamed;
#[cfg(feature = "wgpu")]
mod timing;
#[cfg(feature = "wgpu")]
mod waiting;
#[cfg(feature = "wgpu")]
mod weights;

pub use device::{AdapterSummary, Device};
pub use error::GpuError;
#[cfg(not(all(target_arch = "wasm32", feature = "wgpu")))]
pub use open::{Opened, adapters, session};
pub use options::{Decode, GpuOptions};

#[cfg(feature = "wgpu")]
pub use {adapter::Gpu, executor::GpuExecutor, network::Network};
