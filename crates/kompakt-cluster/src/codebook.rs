//! From centroids to a codebook: rounded, strictly ascending and without a zero.

use crate::number_format::NumberFormat;
use kompakt_model::{Numbers, ascending, move_off_zero};

/// A codebook derived from centroids.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Strictly ascending, none zero; no longer than the centroids.
    pub codebook: Numbers,
    /// The entry for each centroid, in the centroids' order.
    pub entry_of: Vec<u8>,
}

/// Makes a codebook of 1 to 256 finite centroids in any order.
///
/// Centroids are sorted and rounded to `format`; those that become equal share one entry; one that becomes zero is
/// moved to the format's value next to zero, on its own side (above, if it is exactly zero).
pub fn settle(centroids: &[f32], format: NumberFormat) -> Settled {
    let mut codebook = format.round(&Numbers::F32(centroids.to_vec()));
    move_off_zero(&mut codebook, centroids);
    let sorted = ascending(&codebook);
    Settled { codebook: sorted.entries, entry_of: sorted.place_of }
}
