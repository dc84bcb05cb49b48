//! Fine-tuning of shared weights: centroids move, codes and masks stay.
//!
//! ```text
//! dL/dW ──► summed by code ──► dL/d centroid        codebook[c] -= rate * sum over i with code c of dL/dW[i]
//! ```
//!
//! Biases (and whatever else is not shared) are trained along. Codebooks and biases are trained as f32 and rounded,
//! when measured and at the end, to the format that they came in; the resulting codebooks are strictly
//! ascending and free of zeros again, with equal centroids merged.
//!
//! Source: Han, Mao, Dally 2015, "Deep Compression", section 3.3.

mod centroids;
mod error;
mod settled;

pub use centroids::{Options, Select, finetune};
pub use error::FinetuneError;
pub use settled::settled;
