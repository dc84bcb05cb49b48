//! The training loss: cross-entropy with the labels, and with a teacher's softened answers.
//!
//! ```text
//! loss = (1 - share) CE(label, p) + share T^2 KL(teacher at T, p at T)
//! ```
//!
//! Source: Hinton 2015, "Distilling the knowledge in a neural network".

use crate::lanes::{Lanes, exp, zero};

/// The parts of the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distillation {
    /// The teacher's share of the loss, 0 to 1.
    pub share: f32,
    /// The divisor of scores before the softmax of teacher and student.
    pub temperature: f32,
}

/// What the answers of some examples should be.
#[derive(Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// The class of each.
    pub(crate) labels: &'a [u8],
    /// The class of what was mixed into each, and the part that is left to the label; empty where nothing was.
    pub(crate) others: &'a [u8],
    pub(crate) own: &'a [f32],
}

/// Gradients of the mean loss with respect to the scores, into `slopes` (`soft` is scratch space of the same
/// size); returns the sum of the losses on labels, and the wrong answers.
///
/// Shapes: `scores`, `teacher` (softened probabilities) and `slopes` `[classes]`; targets one per lane.
/// `scale` is one over the number of examples in the batch.
#[inline(always)]
pub(crate) fn slopes<const K: usize>(
    how: Distillation,
    scale: f32,
    scores: &[Lanes<K>],
    targets: Targets<'_>,
    teacher: Option<&[Lanes<K>]>,
    (soft, slopes): (&mut [Lanes<K>], &mut [Lanes<K>]),
) -> (f32, usize) {
    let Targets { labels, others, own } = targets;
    let (loss, n_wrong) = softmax(scores, labels, 1.0, slopes);
    let share = if teacher.is_some() { how.share } else { 0.0 };
    for slopes in slopes.iter_mut() {
        for slopes in slopes.iter_mut() {
            for slope in slopes.iter_mut() {
                *slope *= (1.0 - share) * scale;
            }
        }
    }
    for (lane, &label) in labels.iter().enumerate().take(8 * K) {
        let part = (1.0 - share) * scale;
        let at = |class: u8| (usize::from(class), lane / 8, lane % 8);
        let mut lower = |(class, k, l): (usize, usize, usize), by: f32| slopes[class][k][l] -= by;
        match (others.get(lane), own.get(lane)) {
            (Some(&other), Some(own)) => {
                lower(at(label), part * own);
                lower(at(other), part * (1.0 - own));
            }
            _ => lower(at(label), part),
        }
    }
    if let Some(teacher) = teacher {
        // The gradient of T^2 KL is T (p - q).
        let factor = share * scale * how.temperature;
        softmax(scores, labels, 1.0 / how.temperature, soft);
        for (slopes, (soft, teacher)) in slopes.iter_mut().zip(soft.iter().zip(teacher)) {
            for k in 0..K {
                for l in 0..8 {
                    slopes[k][l] += factor * (soft[k][l] - teacher[k][l]);
                }
            }
        }
    }
    (loss, n_wrong)
}

/// Probabilities of scores times `sharpness`; the sum of `-log p` of the labels, and how often another class
/// has a larger one.
#[inline(always)]
pub(crate) fn softmax<const K: usize>(
    scores: &[Lanes<K>],
    labels: &[u8],
    sharpness: f32,
    p: &mut [Lanes<K>],
) -> (f32, usize) {
    let mut most = scores[0];
    for scores in scores {
        for (most, x) in most.iter_mut().zip(scores) {
            for (most, x) in most.iter_mut().zip(x) {
                *most = most.max(*x);
            }
        }
    }
    let mut total = zero::<K>();
    for (p, scores) in p.iter_mut().zip(scores) {
        for k in 0..K {
            for l in 0..8 {
                p[k][l] = exp((scores[k][l] - most[k][l]) * sharpness);
                total[k][l] += p[k][l];
            }
        }
    }
    for p in p.iter_mut() {
        for (p, t) in p.iter_mut().zip(&total) {
            for (p, t) in p.iter_mut().zip(t) {
                *p /= t;
            }
        }
    }
    let (mut loss, mut n_wrong) = (0.0, 0);
    for (lane, &label) in labels.iter().enumerate().take(8 * K) {
        let (k, l, label) = (lane / 8, lane % 8, usize::from(label));
        loss -= p[label][k][l].max(1e-30).ln();
        n_wrong += usize::from(scores[label][k][l] < most[k][l]);
    }
    (loss, n_wrong)
}
