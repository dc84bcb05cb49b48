//! What a network answers on images, and how far that is from another network's answers.
//!
//! ```text
//! answers [n, classes], labels ──► top-k, confusion (label, answer)
//! the original's answers ──► agreement, its own top-1, cosine, squared error, signal to noise
//! ```

use crate::paired::is_chance;
use std::collections::BTreeMap;

/// Counts over images that come a batch at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Images.
    pub n: usize,
    /// Scores in an answer; the first of the largest is the likeliest class.
    pub n_classes: usize,
    /// How often the label was the likeliest class, the second, and so on: `[n_classes]`; all 0 without labels.
    pub ranks: Vec<usize>,
    /// How often an image of one class was classified as another: `(label, answer)`.
    pub confusion: BTreeMap<(usize, usize), usize>,
    /// The comparison with the original, if there is one.
    pub against: Option<Against>,
}

/// Two networks side by side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Against {
    /// Images with the same likeliest class.
    pub n_same: usize,
    /// Images whose likeliest class by the original is the label.
    pub n_top1: usize,
    /// The largest difference of two scores.
    pub largest: f64,
    error: f64,
    /// Sum over images of the cosine of the angle between the two answers.
    cosines: f64,
    /// Sums and sums of squares of the original's scores, one per class.
    sums: Vec<[f64; 2]>,
    n: usize,
}

impl Against {
    /// Squared difference relative to the energy of the original's answers around their mean.
    pub fn difference(&self) -> f64 {
        let n = self.n.max(1) as f64;
        let energy: f64 = self.sums.iter().map(|[sum, square]| square - sum * sum / n).sum();
        self.error / energy.max(1e-30)
    }

    /// Mean squared difference of two scores.
    pub fn mse(&self) -> f64 {
        self.error / (self.n * self.sums.len()).max(1) as f64
    }

    /// Energy of the original's answers over that of the difference, in decibels; infinite where there is none.
    pub fn snr(&self) -> f64 {
        let energy: f64 = self.sums.iter().map(|[_, square]| square).sum();
        10.0 * (energy / self.error).log10()
    }

    /// Mean cosine of the angle between the two answers; of two answers that are 0 it is 1, of one 0.
    pub fn cosine(&self) -> f64 {
        self.cosines / self.n.max(1) as f64
    }

    fn add(&mut self, answers: &[f32], original: &[f32]) {
        self.sums.resize(original.len(), [0.0; 2]);
        let (mut product, mut own, mut theirs) = (0.0, 0.0, 0.0);
        for ((&a, &b), [sum, square]) in answers.iter().zip(original).zip(&mut self.sums) {
            let (a, b) = (f64::from(a), f64::from(b));
            *sum += b;
            *square += b * b;
            self.error += (a - b) * (a - b);
            self.largest = self.largest.max((a - b).abs());
            (product, own, theirs) = (product + a * b, own + a * a, theirs + b * b);
        }
        self.cosines += match own * theirs > 0.0 {
            true => product / (own * theirs).sqrt(),
            false => f64::from(u8::from(own == theirs)),
        };
        self.n += 1;
    }
}

impl Evaluation {
    /// Nothing counted yet. `n_classes` at least 1.
    pub fn new(n_classes: usize) -> Self {
        let n_classes = n_classes.max(1);
        Self { n: 0, n_classes, ranks: vec![0; n_classes], confusion: BTreeMap::new(), against: None }
    }

    /// Counts some images.
    ///
    /// Shapes: `answers` and `original` `[n, n_classes]`; `labels` `[n]`, each below `n_classes`, or none.
    /// Panics: if a label is not.
    pub fn add(&mut self, answers: &[f32], labels: Option<&[usize]>, original: Option<&[f32]>) {
        for (i, answer) in answers.chunks_exact(self.n_classes).enumerate() {
            let best = likeliest(answer);
            let label = labels.map(|labels| labels[i]);
            self.n += 1;
            if let Some(label) = label {
                self.ranks[rank(answer, label)] += 1;
                *self.confusion.entry((label, best)).or_default() += 1;
            }
            if let Some(original) = original {
                let original = &original[i * self.n_classes..(i + 1) * self.n_classes];
                let against = self.against.get_or_insert_default();
                let theirs = likeliest(original);
                against.n_same += usize::from(theirs == best);
                against.n_top1 += usize::from(Some(theirs) == label);
                against.add(answer, original);
            }
        }
    }

    /// Images whose label is among the `k` likeliest classes.
    pub fn n_top(&self, k: usize) -> usize {
        self.ranks.iter().take(k).sum()
    }

    /// A count as a share of all images.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.n.max(1) as f64
    }

    /// Whether the answers are right no more often than if they were given to the labelled images at random.
    pub fn is_chance(&self) -> bool {
        let (mut labels, mut answers) = (BTreeMap::new(), BTreeMap::new());
        for (&(label, answer), count) in &self.confusion {
            *labels.entry(label).or_insert(0usize) += count;
            *answers.entry(answer).or_insert(0usize) += count;
        }
        let pairs: usize = labels.iter().map(|(class, n)| n * answers.get(class).copied().unwrap_or(0)).sum();
        let expected = match labels.len() {
            0 => return false,
            1 => self.n as f64 / self.n_classes as f64,
            _ => pairs as f64 / self.n.max(1) as f64,
        };
        is_chance(self.n_top(1), expected, self.n)
    }

    /// Label, answer and count of the confusions, the most frequent first; on a tie the lower label first.
    pub fn confusions(&self) -> Vec<(usize, usize, usize)> {
        let mut all: Vec<_> = self
            .confusion
            .iter()
            .filter(|((l, a), _)| l != a)
            .map(|(&(l, a), &count)| (l, a, count))
            .collect();
        all.sort_by_key(|&(label, answer, count)| (usize::MAX - count, label, answer));
        all
    }
}

/// The first of the largest.
fn likeliest(answer: &[f32]) -> usize {
    answer.iter().enumerate().fold(0, |best, (i, v)| if *v > answer[best] { i } else { best })
}

/// How many classes rank before `class`: those with larger scores, and on a tie the earlier ones.
pub(crate) fn rank(answer: &[f32], class: usize) -> usize {
    let own = answer[class];
    answer.iter().enumerate().filter(|&(i, &v)| v > own || (v == own && i < class)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_what_counting_by_hand_gives() {
        let mut evaluation = Evaluation::new(6);
        let answers = [
            [0.1, 0.9, 0.0, 0.0, 0.0, 0.0], // 1
            [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], // 0; 5 is sixth
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], // 0, the first of equals; 4 is fifth
        ];
        let original = [
            [0.1, 0.9, 0.0, 0.0, 0.0, 0.0], // the same
            [6.0, 5.0, 4.0, 3.0, 2.0, 9.0], // 5, differs by 8
            [1.0, 1.0, 1.0, 1.0, 1.5, 1.0], // 4, differs by 0.5
        ];
        evaluation.add(&answers[..2].concat(), Some(&[1, 5]), Some(&original[..2].concat()));
        evaluation.add(&answers[2], Some(&[4]), Some(&original[2]));
        assert_eq!((evaluation.n, evaluation.n_top(1), evaluation.n_top(5)), (3, 1, 2));
        assert_eq!(evaluation.confusions(), [(4, 0, 1), (5, 0, 1)]);
        assert_eq!(evaluation.confusion.values().sum::<usize>(), 3);
        assert_eq!(evaluation.confusion[&(1, 1)], 1);
        let against = evaluation.against.unwrap();
        assert_eq!((against.n_same, against.n_top1, against.largest), (1, 3, 8.0));
        let mean = |c: usize| original.iter().map(|o| f64::from(o[c])).sum::<f64>() / 3.0;
        let energy: f64 = original
            .iter()
            .flat_map(|o| o.iter().enumerate().map(|(c, v)| (f64::from(*v) - mean(c)).powi(2)))
            .sum();
        assert!((against.difference() - 64.25 / energy).abs() < 1e-12);
        assert!((against.mse() - 64.25 / 18.0).abs() < 1e-12);
        // Of the first image the cosine is 1, of the others by hand.
        let second = (36.0 + 25.0 + 16.0 + 9.0 + 4.0 + 9.0) / (91.0f64 * 171.0).sqrt();
        let third = 6.5 / (6.0f64 * 7.25).sqrt();
        assert!((against.cosine() - (1.0 + second + third) / 3.0).abs() < 1e-12);
        let energy = f64::from(0.1f32).powi(2) + f64::from(0.9f32).powi(2) + 171.0 + 7.25;
        assert!((against.snr() - 10.0 * (energy / 64.25).log10()).abs() < 1e-9);
    }

    #[test]
    fn without_labels_there_is_the_original() {
        let mut evaluation = Evaluation::new(2);
        evaluation.add(&[0.0, 1.0, 3.0, 0.0], None, Some(&[0.0, 1.0, 0.0, 3.0]));
        assert_eq!((evaluation.n, evaluation.n_top(2), evaluation.is_chance()), (2, 0, false));
        let against = evaluation.against.unwrap();
        assert_eq!((against.n_same, against.cosine()), (1, 0.5));
    }
}
