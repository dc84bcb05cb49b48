//! Imports networks made elsewhere as models of the interchange.
//!
//! ```text
//! model.onnx ──► onnx ──┐
//!                       ├──► Model ──► onnx::export ──► model.onnx
//! model.net ───► han ───┘
//! ```
//!
//! [`onnx`] reads and writes ONNX; [`han`] reads the files that the authors of Deep Compression published. Both work on
//! untrusted bytes: an error, never a panic.
//!
//! What is not here: running networks, command lines.
#![forbid(unsafe_code)]

pub mod han;
pub mod onnx;
