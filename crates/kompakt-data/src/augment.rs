//! Training images moved a little, so that a network sees more of them.
//!
//! An image is read through a map that shifts, rotates, scales and shears it about its middle and, if asked, bends
//! it: a coarse grid of random displacements, smoothed by cubic B-splines. Then it may be mirrored, and a square of it
//! blanked. Two images so made may be mixed.
//!
//! ```text
//! new pixel ──► about the middle ──► 2 x 2 matrix ──► + shift ──► + bend ──► between four old pixels
//! ```
//!
//! What an image becomes depends on the seed, the epoch and its index alone: never on the order in which images are
//! requested, nor on the number of threads.

use crate::random::Random;
use std::{fmt, str::FromStr};

/// Strength of the augmentation: each value is the maximum in either direction, zero for none.
///
/// As text: `shift=2,rotate=10,scale=0.1,shear=0.2,elastic=1,flip=0.5,cutout=8,mixup=0.2`, in any order, zeros left out; `none` for
/// no augmentation. [`fmt::Display`] writes the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augmentation {
    /// Pixels, along rows and along columns.
    pub shift: f32,
    /// Degrees.
    pub rotate: f32,
    /// Share of the size: 0.1 is from 10 % smaller to 10 % larger, independently along rows and along
    /// columns.
    pub scale: f32,
    /// Columns per row.
    pub shear: f32,
    /// Pixels: the standard deviation of the elastic displacement.
    pub elastic: f32,
    /// Probability of a mirror image, left and right exchanged.
    pub flip: f32,
    /// Side in pixels of a square that is set to 0, its middle anywhere in the image (DeVries and Taylor 2017).
    pub cutout: f32,
    /// Parameter of the beta distribution, 0 to 1, by which an image is mixed with another one and the targets with it
    /// (Zhang 2018): the higher, the more even are the parts. See [`Feed::mixture`](crate::Feed::mixture).
    pub mixup: f32,
}

const NAMES: [&str; 8] = ["shift", "rotate", "scale", "shear", "elastic", "flip", "cutout", "mixup"];

impl Augmentation {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        self.numbers().iter().all(|n| *n == 0.0)
    }

    fn numbers(&self) -> [f32; NAMES.len()] {
        [self.shift, self.rotate, self.scale, self.shear, self.elastic, self.flip, self.cutout, self.mixup]
    }

    /// Image `index` as epoch `epoch` sees it, before any mixture.
    ///
    /// Shapes: `dims` is `[channels, height, width]`; `from` and `to` hold one such image. Outside the image is 0.
    /// Panics: if the lengths disagree.
    pub fn apply(&self, from: &[f32], dims: [usize; 3], place: Place, to: &mut [f32]) {
        let [channels, height, width] = dims;
        assert_eq!(from.len(), channels * height * width, "length of the image");
        assert_eq!(to.len(), from.len(), "length of the augmented image");
        let mut random = Random::new(place.seed, place.epoch, place.index);
        let map = Map::draw(self, &mut random, [height, width]);
        let plane = height * width;
        let mut taps = vec![Tap::default(); plane];
        map.taps(height, width, &mut taps);
        for (from, to) in from.chunks_exact(plane).zip(to.chunks_exact_mut(plane)) {
            sample(from, height, width, &taps, to);
        }
        // Drawn last, so that the map does not depend on them.
        if self.flip > 0.0 && random.symmetric() < 2.0 * self.flip - 1.0 {
            to.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        if self.cutout > 0.0 {
            let mut span = |side: usize| {
                let middle = (random.symmetric() + 1.0) / 2.0 * side as f32;
                let end = |at: f32| (at.round().max(0.0) as usize).min(side);
                end(middle - self.cutout / 2.0)..end(middle + self.cutout / 2.0)
            };
            let (rows, columns) = (span(height), span(width));
            for plane in to.chunks_exact_mut(plane) {
                for row in plane.chunks_exact_mut(width).take(rows.end).skip(rows.start) {
                    row[columns.clone()].fill(0.0);
                }
            }
        }
    }
}

/// What an augmented image depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The run's seed.
    pub seed: u64,
    /// Which pass over the data set.
    pub epoch: u64,
    /// Which image of the data set.
    pub index: u64,
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let numbers = self.numbers();
        let parts = NAMES.iter().zip(&numbers).filter(|(_, number)| **number != 0.0);
        let parts: Vec<String> = parts.map(|(name, number)| format!("{name}={number}")).collect();
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Augmentation {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = [0.0f32; NAMES.len()];
        if !matches!(text, "" | "none") {
            for part in text.split(',') {
                let (name, number) = part.split_once('=').ok_or(format!("{part:?} is not NAME=NUMBER"))?;
                let at = NAMES.iter().position(|known| *known == name.trim());
                let at = at.ok_or(format!("no augmentation {name:?}; there are {}", NAMES.join(", ")))?;
                let number: f32 =
                    number.trim().parse().map_err(|_| format!("{part:?} is not NAME=NUMBER"))?;
                if !(0.0..=1e3).contains(&number) {
                    return Err(format!("{part:?}: 0 to 1000 is allowed"));
                }
                numbers[at] = number;
            }
        }
        let [shift, rotate, scale, shear, elastic, flip, cutout, mixup] = numbers;
        if scale >= 1.0 {
            return Err(format!("scale={scale}: below 1 is allowed"));
        }
        if flip > 1.0 {
            return Err(format!("flip={flip}: a probability is at most 1"));
        }
        if mixup > 1.0 {
            return Err(format!("mixup={mixup}: 0 to 1 is allowed"));
        }
        Ok(Self { shift, rotate, scale, shear, elastic, flip, cutout, mixup })
    }
}

/// Control points of the bend along each side; the spline reads one more on both ends.
const KNOTS: usize = 5;
const GRID: usize = KNOTS + 2;

/// Where pixels are read: a matrix, a shift, and a bend.
struct Map {
    /// `[row by row, row by column, column by row, column by column]`.
    matrix: [f32; 4],
    shift: [f32; 2],
    /// Displacements of rows, then of columns; `None` for no bend.
    bend: Option<[[f32; GRID * GRID]; 2]>,
}

/// A sampling position in the old image: its upper left neighbour, and the weights of those below and to the
/// right.
#[derive(Clone, Copy, Default)]
struct Tap {
    row: i32,
    column: i32,
    down: f32,
    right: f32,
}

impl Map {
    fn draw(how: &Augmentation, random: &mut Random, sides: [usize; 2]) -> Self {
        let shift = [random.symmetric() * how.shift, random.symmetric() * how.shift];
        let angle = (random.symmetric() * how.rotate).to_radians();
        let scale = [1.0 + random.symmetric() * how.scale, 1.0 + random.symmetric() * how.scale];
        let shear = random.symmetric() * how.shear;
        let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
        // Rotation after shear after scale, from new to old.
        let (down, across) = (1.0 / scale[0], 1.0 / scale[1]);
        let matrix = [
            cosine * down - sine * shear * down,
            -sine * across,
            sine * down + cosine * shear * down,
            cosine * across,
        ];
        // A cubic B-spline roughly halves the deviation of independent values.
        let strength = how.elastic * 2.0;
        let room = sides[0].min(sides[1]) as f32 / 4.0;
        let mut field = || {
            let mut field = [0.0; GRID * GRID];
            field.fill_with(|| (random.normal() * strength).clamp(-room, room));
            field
        };
        let bend = (how.elastic > 0.0).then(|| [field(), field()]);
        Self { matrix, shift, bend }
    }

    fn taps(&self, height: usize, width: usize, taps: &mut [Tap]) {
        let middle = [(height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0];
        let columns: Vec<(usize, [f32; 4])> = (0..width).map(|c| spline(c, width)).collect();
        let [rr, rc, cr, cc] = self.matrix;
        for (row, taps) in taps.chunks_exact_mut(width).enumerate() {
            let y = row as f32 - middle[0];
            let lines =
                self.bend.as_ref().map(|fields| fields.each_ref().map(|f| along(f, spline(row, height))));
            for (column, tap) in taps.iter_mut().enumerate() {
                let x = column as f32 - middle[1];
                let mut at = [
                    rr * y + rc * x + middle[0] + self.shift[0],
                    cr * y + cc * x + middle[1] + self.shift[1],
                ];
                if let Some(lines) = &lines {
                    let (first, weights) = &columns[column];
                    for (at, line) in at.iter_mut().zip(lines) {
                        *at += weights.iter().zip(&line[*first..]).map(|(w, v)| w * v).sum::<f32>();
                    }
                }
                // Far outside is as good as just outside, and small numbers convert exactly.
                let at = [at[0].clamp(-2.0, height as f32 + 1.0), at[1].clamp(-2.0, width as f32 + 1.0)];
                let (row, column) = ((at[0] + 2.0) as i32 - 2, (at[1] + 2.0) as i32 - 2);
                *tap = Tap { row, column, down: at[0] - row as f32, right: at[1] - column as f32 };
            }
        }
    }
}

/// The first of four control points for position `i` of `n`, and their weights.
fn spline(i: usize, n: usize) -> (usize, [f32; 4]) {
    let at = (i as f32 + 0.5) * (KNOTS - 1) as f32 / n as f32;
    let first = (at as usize).min(KNOTS - 2);
    let t = at - first as f32;
    let (t2, t3) = (t * t, t * t * t);
    let weights = [
        (1.0 - t) * (1.0 - t) * (1.0 - t),
        3.0 * t3 - 6.0 * t2 + 4.0,
        -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0,
        t3,
    ];
    (first, weights.map(|w| w / 6.0))
}

/// One line of a bend: the field's columns at one row.
fn along(field: &[f32; GRID * GRID], (first, weights): (usize, [f32; 4])) -> [f32; GRID] {
    let mut line = [0.0; GRID];
    for (weight, row) in weights.iter().zip(field[first * GRID..].chunks_exact(GRID)) {
        for (to, from) in line.iter_mut().zip(row) {
            *to += weight * from;
        }
    }
    line
}

/// Reads one plane at its taps, 0 outside.
fn sample(from: &[f32], height: usize, width: usize, taps: &[Tap], to: &mut [f32]) {
    // A frame of three zeros on every side holds all that a tap can reach.
    const FRAME: usize = 3;
    let stride = width + 2 * FRAME;
    let mut framed = vec![0.0f32; stride * (height + 2 * FRAME)];
    for (row, values) in from.chunks_exact(width).enumerate() {
        framed[(row + FRAME) * stride + FRAME..][..width].copy_from_slice(values);
    }
    for (to, tap) in to.iter_mut().zip(taps) {
        let at = (tap.row + FRAME as i32) as usize * stride + (tap.column + FRAME as i32) as usize;
        let (top, bottom) = (&framed[at..at + 2], &framed[at + stride..at + stride + 2]);
        let above = top[0] + tap.right * (top[1] - top[0]);
        let below = bottom[0] + tap.right * (bottom[1] - bottom[0]);
        *to = above + tap.down * (below - above);
    }
}
