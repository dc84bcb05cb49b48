//! Recognised text of two networks, compared.
//!
//! ```text
//! scores [time, classes] ──► likeliest class at each time ──► repetitions and blanks left out ──► text
//! ```
//!
//! Source: Graves et al. 2006, "Connectionist temporal classification" (best path decoding).

/// The class that stands for no character: the first, as in the recognisers of PaddleOCR and ddddocr.
const BLANK: usize = 0;

/// Characters that two networks see in the same images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Characters {
    /// Places where one of them sees a character.
    pub n: usize,
    /// Those where the other sees another, or none.
    pub n_changed: usize,
}

/// How many images are read alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    time: usize,
    classes: usize,
    /// Images compared.
    pub n: usize,
    /// Those with equal texts.
    pub n_equal: usize,
}

impl Recognised {
    /// For answers of this shape without the batch, whose last two dimensions above 1 are time and classes; `None` for others.
    pub fn new(shape: &[usize]) -> Option<Self> {
        let large: Vec<usize> = shape.iter().copied().filter(|&d| d > 1).collect();
        match large[..] {
            [time, classes] => Some(Self { time, classes, n: 0, n_equal: 0 }),
            _ => None,
        }
    }

    /// Counts some images; both `[n, time, classes]`.
    pub fn add(&mut self, answers: &[f32], original: &[f32]) {
        for (a, b) in self.texts(answers).into_iter().zip(self.texts(original)) {
            self.n += 1;
            self.n_equal += usize::from(a == b);
        }
    }

    /// Places that either reads as a character, and those of them that it reads otherwise; both `[n, time, classes]`.
    pub(crate) fn changed(&self, answers: &[f32], original: &[f32]) -> Characters {
        let rows = answers.chunks_exact(self.classes).zip(original.chunks_exact(self.classes));
        let both = rows.map(|(a, b)| (likeliest(a), likeliest(b))).filter(|pair| *pair != (BLANK, BLANK));
        both.fold(Characters::default(), |found, (a, b)| Characters {
            n: found.n + 1,
            n_changed: found.n_changed + usize::from(a != b),
        })
    }

    /// What each image is read as; `scores` `[n, time, classes]`.
    pub(crate) fn texts(&self, scores: &[f32]) -> Vec<Vec<usize>> {
        scores.chunks_exact(self.time * self.classes).map(|scores| text(scores, self.classes)).collect()
    }

    /// The share of equal texts.
    pub fn share(&self) -> f64 {
        self.n_equal as f64 / self.n.max(1) as f64
    }
}

/// The classes of the text, of scores `[time, classes]`.
fn text(scores: &[f32], classes: usize) -> Vec<usize> {
    let mut path: Vec<usize> = scores.chunks_exact(classes).map(likeliest).collect();
    path.dedup();
    path.retain(|&class| class != BLANK);
    path
}

/// The class of the largest score; the first of equal ones.
fn likeliest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, v)| if *v > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(path: &[usize]) -> Vec<f32> {
        path.iter().flat_map(|&class| (0..5).map(move |i| if i == class { 0.9 } else { 0.1 })).collect()
    }

    #[test]
    fn blanks_are_no_characters_that_change() {
        let found = Recognised::new(&[8, 5]).unwrap();
        let (a, b) = ([0, 3, 3, 1, 0, 2, 2, 2], [0, 3, 1, 1, 0, 2, 2, 0]);
        assert_eq!(found.changed(&scores(&a), &scores(&b)), Characters { n: 6, n_changed: 2 });
    }

    #[test]
    fn repetitions_count_once_unless_a_blank_is_between() {
        assert_eq!(text(&scores(&[0, 3, 3, 0, 3, 1, 1, 0]), 5), [3, 3, 1]);
        let mut found = Recognised::new(&[8, 1, 5]).unwrap();
        found.add(&scores(&[3, 0, 3, 1, 0, 0, 0, 0]), &scores(&[0, 3, 3, 0, 3, 1, 1, 0]));
        found.add(&scores(&[3, 3, 3, 1, 0, 0, 0, 0]), &scores(&[0, 3, 3, 0, 3, 1, 1, 0]));
        assert_eq!((found.n, found.n_equal, found.share()), (2, 1, 0.5));
        assert_eq!((Recognised::new(&[10]), Recognised::new(&[3, 8, 8])), (None, None));
    }
}
