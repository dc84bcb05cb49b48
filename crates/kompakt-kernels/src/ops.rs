//! Operations between products: activations, pooling, normalization, data movement.

pub mod activations;
pub mod elementwise;
pub mod functions;
mod lanes;
pub mod matmul;
pub mod normalise;
pub mod pairwise;
pub mod pool;
pub mod rearrange;
pub mod recurrent;
pub mod reduce;
pub(crate) mod softmax;
pub mod transpose;
