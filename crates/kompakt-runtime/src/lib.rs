//! The loader: opens a `.kompakt` file and runs the network straight from it.
//!
//! ```text
//! Model::map ──► Session::new ──► run(input, batch)          numbers in, numbers out
//!   directory      plan, forms,     classify(image)          raw image in, class and probability out
//!   checked        arena
//! ```
//!
//! ```text
//! graph ─► program          operations on tensors; knows no machine
//!            │
//!            ├─► schedule   what this machine does with it: layouts, forms of layers, places in memory, segments
//!            │      └─► layer (weights in a form) ─► exec (steps on the arena)
//!            └─► another executor, from another crate, by the same program and parameters
//! ```
//!
//! Opening reads only the directory. [`Session::new`] schedules the program, chooses a form for each layer,
//! and plans one arena for all values that are not the caller's: inputs are read and outputs written where the caller has them. Weights never become a dense matrix of f32: kept weights stay codes into a
//! codebook (or are expanded to one value each where that is faster), and zeros are neither stored nor multiplied.
//!
//! # Memory
//! [`SessionOptions::ram_budget`] is a limit: what fits is kept in the fastest form, the rest is unpacked
//! from the mapped file at every run. [`Session::plan`] lists the memory use before running.
//!
//! | tier of the file | fastest form | with a budget |
//! |---|---|---|
//! | `direct` | unpacked once | unpacked from the map row by row |
//! | `stream` | decoded once | decoded from the map tile by tile |
//! | `smallest` | decoded once | decoded once |
//!
//! # Numbers
//! All arithmetic is f32, on the exact weights of the file. Logits differ from a dense evaluation in f64 by at most
//! 1e-5 of the largest (of the largest sum of absolute products, where terms cancel), on every tier and instruction
//! set; they do not depend on the number of threads.
//!
//! With [`SessionOptions::activations`] other than the default, layers may multiply integers of 8 bits: faster, and approximate.
//!
//! What is not here: training, writing, and any knowledge of instruction sets (`kompakt-kernels`).

#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod error;
mod exec;
#[cfg(any(test, feature = "heap"))]
mod heap;
mod layer;
mod model;
pub mod program;
mod schedule;
mod session;
#[cfg(feature = "signatures")]
pub mod signature;
mod weights;

pub use error::RuntimeError;

/// Whether layers can be run from the file, under a RAM budget or by request, and sessions follow inputs of other sizes: not where
/// code is downloaded, whose interface has none of these.
pub(crate) const RUNS_FROM_FILE: bool = !cfg!(all(feature = "single", target_arch = "wasm32"));
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub use exec::WORKERS;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "atomics")))]
pub use exec::Workers;
pub use exec::{Executor, StepTime};
#[cfg(any(test, feature = "heap"))]
pub use heap::Heap;
pub use kompakt_format::SelfTest;
pub use kompakt_kernels::{Codebook, Isa, RowWeights};
pub use model::Model;
pub use schedule::plan::{DevicePlan, LayerPlan, Plan};
pub use session::{Activations, OwnedSession, Port, Prediction, Session, SessionOptions};
#[cfg(feature = "signatures")]
pub use signature::PublicKey;
pub use weights::{CompressedRows, Parameters};
