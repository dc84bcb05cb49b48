//! What a network says of labelled images, and how far that is from what another says.
//!
//! ```text
//! answers [n, classes] ──► top-1, top-5, confusion [label, answer]
//! the original's answers ──► agreement, its own top-1, difference of the two
//! ```

/// How many of the likeliest classes a hit may be among, for the second figure.
const TOP: usize = 5;

/// What is counted over images that come a batch at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Images.
    pub n: usize,
    /// Numbers in an answer; the first of the largest is the likeliest class.
    pub n_classes: usize,
    /// Images whose likeliest class is the label.
    pub n_top1: usize,
    /// Images whose label is among the five likeliest classes.
    pub n_top5: usize,
    /// `[label, answer]`, row-major: how often an image of the one got the other.
    pub confusion: Vec<usize>,
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
    /// The largest difference of two numbers.
    pub largest: f64,
    error: f64,
    /// Sums and sums of squares of the original's numbers, one a class.
    sums: Vec<[f64; 2]>,
    n: usize,
}

impl Against {
    /// Squared difference as a part of the energy of the original's answers around their mean.
    pub fn difference(&self) -> f64 {
        let n = self.n.max(1) as f64;
        let energy: f64 = self.sums.iter().map(|[sum, square]| square - sum * sum / n).sum();
        self.error / energy.max(1e-30)
    }

    fn add(&mut self, answers: &[f32], original: &[f32]) {
        self.sums.resize(original.len(), [0.0; 2]);
        for ((&a, &b), [sum, square]) in answers.iter().zip(original).zip(&mut self.sums) {
            let (a, b) = (f64::from(a), f64::from(b));
            *sum += b;
            *square += b * b;
            self.error += (a - b) * (a - b);
            self.largest = self.largest.max((a - b).abs());
        }
        self.n += 1;
    }
}

impl Evaluation {
    /// Nothing counted yet. `n_classes` at least 1.
    pub fn new(n_classes: usize) -> Self {
        let n_classes = n_classes.max(1);
        let confusion = vec![0; n_classes * n_classes];
        Self { n: 0, n_classes, n_top1: 0, n_top5: 0, confusion, against: None }
    }

    /// Counts some images.
    ///
    /// Shapes: `answers` and `original` `[labels.len(), n_classes]`; labels are below `n_classes`.
    /// Panics: if a label is not.
    pub fn add(&mut self, answers: &[f32], labels: &[usize], original: Option<&[f32]>) {
        for (i, (answer, &label)) in answers.chunks_exact(self.n_classes).zip(labels).enumerate() {
            let best = likeliest(answer);
            self.n += 1;
            self.n_top1 += usize::from(best == label);
            self.n_top5 += usize::from(rank(answer, label) < TOP);
            self.confusion[label * self.n_classes + best] += 1;
            if let Some(original) = original {
                let original = &original[i * self.n_classes..(i + 1) * self.n_classes];
                let against = self.against.get_or_insert_default();
                let theirs = likeliest(original);
                against.n_same += usize::from(theirs == best);
                against.n_top1 += usize::from(theirs == label);
                against.add(answer, original);
            }
        }
    }

    /// A count as a part of all images.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.n.max(1) as f64
    }

    /// Label, answer and count of the confusions, the most frequent first; of equals the first label first.
    pub fn confusions(&self) -> Vec<(usize, usize, usize)> {
        let entry = |(at, &count): (usize, &usize)| (at / self.n_classes, at % self.n_classes, count);
        let mut all: Vec<_> =
            self.confusion.iter().enumerate().map(entry).filter(|(l, a, c)| l != a && *c > 0).collect();
        all.sort_by_key(|&(label, answer, count)| (usize::MAX - count, label, answer));
        all
    }
}

/// The first of the largest.
fn likeliest(answer: &[f32]) -> usize {
    answer.iter().enumerate().fold(0, |best, (i, v)| if *v > answer[best] { i } else { best })
}

/// How many classes come before `class`: those of larger numbers, and of equal ones the earlier.
fn rank(answer: &[f32], class: usize) -> usize {
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
        evaluation.add(&answers[..2].concat(), &[1, 5], Some(&original[..2].concat()));
        evaluation.add(&answers[2], &[4], Some(&original[2]));
        assert_eq!((evaluation.n, evaluation.n_top1, evaluation.n_top5), (3, 1, 2));
        assert_eq!(evaluation.confusions(), [(4, 0, 1), (5, 0, 1)]);
        assert_eq!(evaluation.confusion.iter().sum::<usize>(), 3);
        assert_eq!(evaluation.confusion[7], 1);
        let against = evaluation.against.unwrap();
        assert_eq!((against.n_same, against.n_top1, against.largest), (1, 3, 8.0));
        let mean = |c: usize| original.iter().map(|o| f64::from(o[c])).sum::<f64>() / 3.0;
        let energy: f64 = original
            .iter()
            .flat_map(|o| o.iter().enumerate().map(|(c, v)| (f64::from(*v) - mean(c)).powi(2)))
            .sum();
        assert!((against.difference() - 64.25 / energy).abs() < 1e-12);
    }
}
