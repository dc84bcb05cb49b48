//! How well a network answers on images that it does not learn from.

use crate::{
    lanes::zero,
    loss,
    net::Net,
    supply::{BLOCK, Desk, EIGHTS},
};
use kompakt_data::Feed;
use rayon::prelude::*;

/// The share of the examples that a network misclassifies, and the mean loss.
pub(crate) fn error(net: &Net, feed: &Feed) -> (f64, f64) {
    let indices: Vec<usize> = (0..feed.len()).collect();
    let found: Vec<(f32, usize)> = indices
        .par_chunks(BLOCK)
        .map_init(
            || {
                let classes = || vec![zero::<EIGHTS>(); net.n_classes()];
                (Desk::new(net), vec![0.0f32; BLOCK * net.n_inputs], classes(), classes())
            },
            |(desk, images, scores, soft), indices| {
                let images = &mut images[..indices.len() * net.n_inputs];
                feed.fill(0, indices, images);
                desk.answer(net, images, |first, found| {
                    for (to, found) in scores.iter_mut().zip(found) {
                        to.as_flattened_mut()[first..first + found.len()].copy_from_slice(found);
                    }
                });
                let labels: Vec<u8> = indices.iter().map(|&i| feed.labels()[i] as u8).collect();
                loss::softmax(scores, &labels, 1.0, soft)
            },
        )
        .collect();
    let n = feed.len().max(1) as f64;
    let wrong: usize = found.iter().map(|f| f.1).sum();
    (wrong as f64 / n, found.iter().map(|f| f64::from(f.0)).sum::<f64>() / n)
}
