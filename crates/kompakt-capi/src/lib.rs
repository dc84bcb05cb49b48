//! The loader for C, and for whatever calls C.
//!
//! ```text
//! kompakt_open ──► kompakt_predict(images, probabilities) ──► kompakt_close
//! ```
//!
//! Every function returns a [`KompaktStatus`]; [`kompakt_last_error`] says in words what went wrong in this thread. A
//! session is used by one thread at a time. `include/kompakt.h` is made from this file by cbindgen, and a test
//! compares them.
//!
//! For a browser (`wasm32`) it is built without the standard library: a panic is a trap without text, and texts of panics are not
//! downloaded.
#![no_std]

extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

#[macro_use]
mod per_thread;

#[cfg(target_arch = "wasm32")]
pub mod check;
#[cfg(not(target_arch = "wasm32"))]
mod device;
mod error;
#[cfg(target_arch = "wasm32")]
mod heap;
#[cfg(any(all(target_arch = "wasm32", not(target_feature = "simd128")), test))]
mod inspect;
#[cfg(target_arch = "wasm32")]
pub mod memory;
mod options;
mod session;
#[cfg(target_arch = "wasm32")]
mod trap;
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub mod workers;

#[cfg(not(target_arch = "wasm32"))]
pub use device::{KompaktDevice, kompakt_devices, kompakt_open_on};
pub use error::{KompaktStatus, kompakt_last_error};
pub use options::KompaktOptions;
#[cfg(not(target_arch = "wasm32"))]
pub use session::kompakt_open;
#[cfg(feature = "signatures")]
pub use session::kompakt_open_signed;
pub use session::{
    KompaktSession, kompakt_close, kompakt_input_len, kompakt_input_len_at, kompakt_input_name,
    kompakt_input_shape, kompakt_input_shape_at, kompakt_label, kompakt_n_inputs, kompakt_n_labels,
    kompakt_n_outputs, kompakt_open_bytes, kompakt_output_len, kompakt_output_len_at, kompakt_output_name,
    kompakt_output_shape, kompakt_output_shape_at, kompakt_predict, kompakt_run, kompakt_run_all,
};
#[cfg(not(target_arch = "wasm32"))]
pub use session::{
    KompaktSize, kompakt_n_sizes, kompakt_resize, kompakt_run_prepared, kompakt_size, kompakt_size_name,
};
