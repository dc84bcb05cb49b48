//! Convolutions: [`Convolution`](convolution::Convolution) plans one, computes its memory and runs it; the
//! rest are input layouts.

pub(crate) mod aligned;
pub(crate) mod convolution;
mod cost;
pub mod depthwise;
pub(crate) mod expanded;
pub(crate) mod fill;
pub mod grid;
mod int8;
pub mod planes;
pub(crate) mod rows;
pub(crate) mod scratch;
pub(crate) mod shape;
mod strips;
mod winograd;
