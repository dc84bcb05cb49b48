//! Lloyd's k-means on a line.

use crate::{distribution::Distribution, init::CentroidInit, partition::Partition};

/// The most rounds of a start that does not converge.
const MAX_ROUNDS: usize = 1000;

/// Centroids by Lloyd's algorithm from one of the paper's starts: ascending, no cluster empty.
///
/// At most `k`, fewer where there are fewer distinct values. A centroid that loses all its values is moved to
/// the cluster of largest squared error. O(k log n) per round. `seed` only affects [`CentroidInit::Forgy`].
///
/// This finds a local optimum; [`k_means_exact`](crate::k_means_exact) finds the best one.
pub fn k_means(d: &Distribution, k: usize, init: CentroidInit, seed: u64) -> Vec<f64> {
    let k = k.min(d.len());
    if k == 0 {
        return Vec::new();
    }
    let mut centroids = init.place(d, k, seed);
    let none = vec![0.0; k];
    let mut partition = Partition { cuts: Vec::new() };
    for _ in 0..MAX_ROUNDS {
        let mut next = Partition::nearest(d, &centroids, &none);
        next.fill_empty(d);
        if next == partition {
            break;
        }
        partition = next;
        centroids = partition.means(d);
    }
    centroids
}
