//! One-dimensional weight sharing: every kept weight of a layer becomes a code into the layer's small codebook.
//!
//! ```text
//! kept weights ──► Distribution ──► centroids ──► rounded codebook ──► codes
//!  -0.9 0.31 0.29   sorted, equal    Method        NumberFormat          0 1 1
//!                   ones counted     -0.9 0.3      strictly ascending,
//!                                                  none zero
//! ```
//!
//! Zero is handled separately: what the mask removes is never clustered, and no codebook entry is zero. Three
//! methods find the centroids ([`Method`]): k-means from the paper's three starting points
//! ([`CentroidInit`]), the exact optimum of the same objective ([`k_means_exact`]), and a quantiser that
//! trades squared error against code length ([`entropy_constrained()`]).
//!
//! Levels may be given per layer, or be chosen for all layers jointly within a number of bytes
//! ([`levels_within`]). A layer has one codebook, or one for each group of its rows ([`in_groups`]).
//!
//! The result depends on the weights, the options and the seed alone. Layers are processed in parallel and
//! independently of each other.
//!
//! Not here: gradients. `kompakt-finetune` moves the centroids afterwards.
//!
//! Source: Han, Mao, Dally 2015, "Deep Compression", section 3.

mod budget;
mod cluster;
mod codebook;
mod distribution;
mod entropy_constrained;
mod error;
mod exact;
mod groups;
mod init;
mod kmeans;
mod layer;
mod number_format;
mod partition;
mod report;

pub use budget::levels_within;
pub use cluster::{Options, cluster};
pub use codebook::{Settled, settle, settle_in_order};
pub use distribution::Distribution;
pub use entropy_constrained::{Levels, entropy_constrained};
pub use error::ClusterError;
pub use exact::k_means_exact;
pub use groups::in_groups;
pub use init::CentroidInit;
pub use kmeans::k_means;
pub use layer::{Method, share};
pub use number_format::NumberFormat;
pub use report::{LayerReport, paper_ratio, table};

/// The most entries a codebook may have: codes are one byte.
pub const MAX_LEVELS: usize = 256;
