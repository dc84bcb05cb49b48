//! Pooling windows and their gradients on slices.

use kompakt_graph::{Padding, Pair};
use rayon::prelude::*;

/// What a window reduces to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// The largest value; the first of equal ones takes the gradient.
    Max,
    /// The mean; `count_include_pad` as in the graph's operator.
    Mean { count_include_pad: bool },
}

/// The geometry of a pooling operator, for any number of planes (image, channel).
#[derive(Debug, Clone)]
pub(crate) struct Pooling {
    /// `[height, width]` of a plane.
    pub(crate) input: [usize; 2],
    /// `[height, width]` of a result.
    pub(crate) output: [usize; 2],
    pub(crate) kernel: Pair,
    pub(crate) stride: Pair,
    pub(crate) padding: Padding,
    pub(crate) reduction: Reduction,
}

/// The cells of a plane that a window covers, and what its mean is divided by.
struct Window {
    rows: (usize, usize),
    columns: (usize, usize),
    count: usize,
}

impl Pooling {
    fn input_len(&self) -> usize {
        self.input[0] * self.input[1]
    }
    fn output_len(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// `[planes, h, w]` to `[planes, oh, ow]`.
    pub(crate) fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len() / self.input_len() * self.output_len()];
        let planes = self.planes_at_once();
        y.par_chunks_mut(planes * self.output_len()).zip(x.par_chunks(planes * self.input_len())).for_each(
            |(y, x)| {
                for (y, x) in y.chunks_exact_mut(self.output_len()).zip(x.chunks_exact(self.input_len())) {
                    self.forward_plane(x, y);
                }
            },
        );
        y
    }

    /// The gradient by `x`, from the gradient by the result.
    pub(crate) fn backward(&self, x: &[f32], dy: &[f32]) -> Vec<f32> {
        let mut dx = vec![0.0; x.len()];
        let planes = self.planes_at_once();
        dx.par_chunks_mut(planes * self.input_len())
            .zip(x.par_chunks(planes * self.input_len()))
            .zip(dy.par_chunks(planes * self.output_len()))
            .for_each(|((dx, x), dy)| {
                let planes = dx.chunks_exact_mut(self.input_len()).zip(x.chunks_exact(self.input_len()));
                for ((dx, x), dy) in planes.zip(dy.chunks_exact(self.output_len())) {
                    self.backward_plane(x, dy, dx);
                }
            });
        dx
    }

    /// Planes per task, so that a task is not tiny.
    fn planes_at_once(&self) -> usize {
        (16_384 / self.input_len()).max(1)
    }

    fn is_square_two(&self) -> bool {
        self.reduction == Reduction::Max
            && self.kernel == Pair::square(2)
            && self.stride == Pair::square(2)
            && self.padding == Padding::default()
            && self.output[0] * 2 <= self.input[0]
            && self.output[1] * 2 <= self.input[1]
    }

    fn forward_plane(&self, x: &[f32], y: &mut [f32]) {
        let [out_height, out_width] = self.output;
        let width = self.input[1];
        if self.is_square_two() {
            for (oy, y) in y.chunks_exact_mut(out_width).enumerate() {
                let (above, below) = x[2 * oy * width..][..2 * width].split_at(width);
                max_of_four(above, below, y);
            }
            return;
        }
        for oy in 0..out_height {
            for ox in 0..out_width {
                let window = self.window(oy, ox);
                y[oy * out_width + ox] = match self.reduction {
                    Reduction::Max => x[self.argmax(x, &window)],
                    Reduction::Mean { .. } => {
                        let mut sum = 0.0;
                        self.each_cell(&window, |at| sum += x[at]);
                        sum / window.count as f32
                    }
                };
            }
        }
    }

    fn backward_plane(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let [out_height, out_width] = self.output;
        let width = self.input[1];
        if self.is_square_two() {
            for (oy, dy) in dy.chunks_exact(out_width).enumerate() {
                let from = 2 * oy * width;
                let (above, below) = x[from..][..2 * width].split_at(width);
                let (dx_above, dx_below) = dx[from..][..2 * width].split_at_mut(width);
                give_to_largest([above, below], dy, [dx_above, dx_below]);
            }
            return;
        }
        for oy in 0..out_height {
            for ox in 0..out_width {
                let window = self.window(oy, ox);
                let d = dy[oy * out_width + ox];
                match self.reduction {
                    Reduction::Max => dx[self.argmax(x, &window)] += d,
                    Reduction::Mean { .. } => {
                        let share = d / window.count as f32;
                        self.each_cell(&window, |at| dx[at] += share);
                    }
                }
            }
        }
    }

    fn window(&self, oy: usize, ox: usize) -> Window {
        let [height, width] = self.input;
        // Along one dimension: the cells inside the plane, and how many cells count including padding.
        let span = |o: usize, stride: usize, kernel: usize, before: usize, after: usize, size: usize| {
            let start = o * stride; // counted from the first padded cell
            let end = (start + kernel).min(size + before + after);
            let inside = (start.saturating_sub(before).min(size), end.saturating_sub(before).min(size));
            (inside, end - start)
        };
        let (rows, padded_rows) =
            span(oy, self.stride.h, self.kernel.h, self.padding.top, self.padding.bottom, height);
        let (columns, padded_columns) =
            span(ox, self.stride.w, self.kernel.w, self.padding.left, self.padding.right, width);
        let count = match self.reduction {
            Reduction::Mean { count_include_pad: true } => padded_rows * padded_columns,
            _ => (rows.1 - rows.0) * (columns.1 - columns.0),
        };
        Window { rows, columns, count: count.max(1) }
    }

    fn each_cell(&self, window: &Window, mut visit: impl FnMut(usize)) {
        for row in window.rows.0..window.rows.1 {
            for column in window.columns.0..window.columns.1 {
                visit(row * self.input[1] + column);
            }
        }
    }

    fn argmax(&self, x: &[f32], window: &Window) -> usize {
        let mut best = window.rows.0 * self.input[1] + window.columns.0;
        self.each_cell(window, |at| {
            if x[at] > x[best] {
                best = at;
            }
        });
        best
    }
}

/// Outputs per block in a row of 2x2 windows. Which pixel is largest is unpredictable, so it is found
/// without branches.
const LANES: usize = 4;

/// `y[i] = max(above[2i], above[2i + 1], below[2i], below[2i + 1])`.
fn max_of_four(above: &[f32], below: &[f32], y: &mut [f32]) {
    let larger = |a: f32, b: f32| if a >= b { a } else { b };
    let windows = above.chunks(2 * LANES).zip(below.chunks(2 * LANES));
    for (y, (above, below)) in y.chunks_mut(LANES).zip(windows) {
        let ([a, b], [c, d]) = (pairs(above), pairs(below));
        let max: [f32; LANES] = std::array::from_fn(|i| larger(larger(a[i], b[i]), larger(c[i], d[i])));
        y.copy_from_slice(&max[..y.len()]);
    }
}

/// Writes the gradient of [`max_of_four`]: `dy` goes to the first of the largest, left to right, above then below.
fn give_to_largest([above, below]: [&[f32]; 2], dy: &[f32], [dx_above, dx_below]: [&mut [f32]; 2]) {
    let windows = above.chunks(2 * LANES).zip(below.chunks(2 * LANES));
    let to = dx_above.chunks_mut(2 * LANES).zip(dx_below.chunks_mut(2 * LANES));
    for ((dy, (above, below)), (dx_above, dx_below)) in dy.chunks(LANES).zip(windows).zip(to) {
        let ([a, b], [c, d]) = (pairs(above), pairs(below));
        let mut from = [0.0; LANES];
        from[..dy.len()].copy_from_slice(dy);
        let left_above: [bool; LANES] = std::array::from_fn(|i| a[i] >= b[i]);
        let left_below: [bool; LANES] = std::array::from_fn(|i| c[i] >= d[i]);
        let is_above: [bool; LANES] = std::array::from_fn(|i| {
            let top = if left_above[i] { a[i] } else { b[i] };
            let bottom = if left_below[i] { c[i] } else { d[i] };
            top >= bottom
        });
        let share = |wins: bool, dy: f32| f32::from_bits(dy.to_bits() & u32::from(wins).wrapping_neg());
        let out: [f32; 2 * LANES] = std::array::from_fn(|i| {
            share(is_above[i / 2] & (left_above[i / 2] == (i % 2 == 0)), from[i / 2])
        });
        let n = 2 * dy.len();
        dx_above[..n].copy_from_slice(&out[..n]);
        let out: [f32; 2 * LANES] = std::array::from_fn(|i| {
            share(!is_above[i / 2] & (left_below[i / 2] == (i % 2 == 0)), from[i / 2])
        });
        dx_below[..n].copy_from_slice(&out[..n]);
    }
}

/// The left and the right elements of adjacent pairs; missing ones are 0.
fn pairs(row: &[f32]) -> [[f32; LANES]; 2] {
    let whole = <[f32; 2 * LANES]>::try_from(row).unwrap_or_else(|_| {
        let mut whole = [0.0; 2 * LANES];
        let n = row.len().min(2 * LANES);
        whole[..n].copy_from_slice(&row[..n]);
        whole
    });
    [std::array::from_fn(|i| whole[2 * i]), std::array::from_fn(|i| whole[2 * i + 1])]
}
