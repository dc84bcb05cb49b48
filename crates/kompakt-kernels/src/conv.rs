//! How a convolution's input lies, and the convolutions that need no layout.

pub(crate) mod aligned;
pub mod depthwise;
pub(crate) mod fill;
pub mod grid;
pub mod planes;
pub(crate) mod shape;
mod strips;
