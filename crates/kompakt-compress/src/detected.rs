//! Boxes that two detectors find, compared.
//!
//! ```text
//! [4 + classes, places] ──► scores above a threshold ──► the best of those that overlap ──► boxes of a class
//! boxes of both networks ──► pairs of a class with enough overlap ──► 2 pairs / (ours + theirs)
//! ```
//!
//! The layout is that of YOLO from version 8 on: the middle, width and height of a box, then a score for each class.
//! Overlap is the area of the intersection over that of the union (IoU).

/// Scores from here on are boxes.
const LEAST_SCORE: f32 = 0.25;
/// Of two boxes of a class that overlap by this, the better is kept.
const SAME: f32 = 0.45;
/// Boxes of two networks that overlap by this are a pair.
const PAIR: f32 = 0.5;

/// How many boxes two networks have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    rows: usize,
    places: usize,
    /// Boxes of the network, and of the original.
    pub n_boxes: [usize; 2],
    /// Pairs.
    pub n_pairs: usize,
}

/// A box by its corners, its class and its score.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    low: [f32; 2],
    high: [f32; 2],
    class: usize,
    score: f32,
}

impl Detected {
    /// For answers of this shape without the batch, `[4 + classes, places]` with more places than rows; `None` for others.
    pub fn new(shape: &[usize]) -> Option<Self> {
        let large: Vec<usize> = shape.iter().copied().filter(|&d| d > 1).collect();
        match large[..] {
            [rows, places] if rows > 4 && places > rows => {
                Some(Self { rows, places, n_boxes: [0; 2], n_pairs: 0 })
            }
            _ => None,
        }
    }

    /// Counts some images; both `[n, 4 + classes, places]`.
    pub fn add(&mut self, answers: &[f32], original: &[f32]) {
        let each = self.rows * self.places;
        for (a, b) in answers.chunks_exact(each).zip(original.chunks_exact(each)) {
            let (ours, mut theirs) = (self.boxes(a), self.boxes(b));
            self.n_boxes = [self.n_boxes[0] + ours.len(), self.n_boxes[1] + theirs.len()];
            for own in &ours {
                let near = theirs.iter().enumerate().filter(|(_, b)| b.class == own.class);
                let best = near.map(|(i, b)| (i, own.overlap(b))).max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((i, overlap)) = best
                    && overlap >= PAIR
                {
                    theirs.swap_remove(i);
                    self.n_pairs += 1;
                }
            }
        }
    }

    /// Twice the pairs over all boxes of both; 1 where neither has any.
    pub fn share(&self) -> f64 {
        let all = self.n_boxes[0] + self.n_boxes[1];
        if all == 0 { 1.0 } else { 2.0 * self.n_pairs as f64 / all as f64 }
    }

    /// The boxes of one image, the best first.
    fn boxes(&self, answer: &[f32]) -> Vec<Found> {
        let at = |row: usize, place: usize| answer[row * self.places + place];
        let mut all: Vec<Found> = (0..self.places)
            .filter_map(|place| {
                let class =
                    (4..self.rows).fold(4, |best, c| if at(c, place) > at(best, place) { c } else { best });
                let score = at(class, place);
                let side = |d: usize, sign: f32| at(d, place) + sign * 0.5 * at(2 + d, place);
                let found = Found {
                    low: [side(0, -1.0), side(1, -1.0)],
                    high: [side(0, 1.0), side(1, 1.0)],
                    class,
                    score,
                };
                (score >= LEAST_SCORE).then_some(found)
            })
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Found> = Vec::new();
        for found in all {
            if kept.iter().all(|k| k.class != found.class || k.overlap(&found) < SAME) {
                kept.push(found);
            }
        }
        kept
    }
}

impl Found {
    fn overlap(&self, other: &Self) -> f32 {
        let side = |d: usize| (self.high[d].min(other.high[d]) - self.low[d].max(other.low[d])).max(0.0);
        let area = |b: &Self| (b.high[0] - b.low[0]).max(0.0) * (b.high[1] - b.low[1]).max(0.0);
        let both = side(0) * side(1);
        both / (area(self) + area(other) - both).max(f32::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with these boxes (middle, sides, class of two, score) at the first of eight places.
    fn answer(boxes: &[([f32; 4], usize, f32)]) -> Vec<f32> {
        let mut all = vec![0.0; 6 * 8];
        for (place, (sides, class, score)) in boxes.iter().enumerate() {
            (0..4).for_each(|d| all[d * 8 + place] = sides[d]);
            all[(4 + class) * 8 + place] = *score;
        }
        all
    }

    #[test]
    fn boxes_are_paired_by_class_and_overlap() {
        let found = Detected::new(&[1, 6, 8]).unwrap();
        let twice = answer(&[
            ([10.0, 10.0, 4.0, 4.0], 0, 0.9),
            ([10.5, 10.0, 4.0, 4.0], 0, 0.8),
            ([30.0; 4], 1, 0.2),
        ]);
        assert_eq!(found.boxes(&twice).len(), 1);
        let count = |a: &[f32], b: &[f32]| {
            let mut found = found.clone();
            found.add(a, b);
            (found.n_boxes, found.n_pairs, found.share())
        };
        // By half a pixel of four: 3.5 over 4.5.
        let near = answer(&[([10.5, 10.0, 4.0, 4.0], 0, 0.5), ([50.0, 50.0, 9.0, 9.0], 1, 0.5)]);
        assert_eq!(count(&near, &twice), ([2, 1], 1, 2.0 / 3.0));
        let far = answer(&[([12.0, 10.0, 4.0, 4.0], 0, 0.5)]);
        assert_eq!(count(&far, &twice), ([1, 1], 0, 0.0));
        let other = answer(&[([10.0, 10.0, 4.0, 4.0], 1, 0.5)]);
        assert_eq!(count(&other, &twice), ([1, 1], 0, 0.0));
        assert_eq!(count(&answer(&[]), &answer(&[])), ([0, 0], 0, 1.0));
        assert_eq!(Detected::new(&[10]), None);
    }
}
