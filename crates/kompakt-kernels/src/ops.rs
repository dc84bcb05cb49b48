//! What stands between products: activations, pools, norms, elements in other places.

pub mod activations;
pub mod elementwise;
pub mod functions;
pub mod matmul;
pub mod normalise;
pub mod pairwise;
pub mod pool;
pub mod rearrange;
