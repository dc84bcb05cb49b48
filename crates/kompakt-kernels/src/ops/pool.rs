//! Pooling over planes.

use crate::{Isa, isa::per_isa};

/// A pooling window. Lengths in elements, `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolWindow {
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The window.
    pub kernel: [usize; 2],
    /// Its stride.
    pub stride: [usize; 2],
    /// Padding above and to the left.
    pub before: [usize; 2],
    /// Padding below and to the right.
    pub after: [usize; 2],
}

impl PoolWindow {
    /// First and one past the last input index of output `i` along `axis`, without padding; and how many
    /// indices the window has with padding (but not past it).
    #[inline(always)]
    fn span(&self, axis: usize, i: usize) -> (usize, usize, usize) {
        let start = i * self.stride[axis];
        let end = (start + self.kernel[axis]).min(self.size[axis] + self.before[axis] + self.after[axis]);
        let clip = |at: usize| at.saturating_sub(self.before[axis]).min(self.size[axis]);
        (clip(start), clip(end), end.saturating_sub(start))
    }

    fn check(&self, x: &[f32], y: &[f32]) -> usize {
        let (from, to) = (self.size[0] * self.size[1], self.output[0] * self.output[1]);
        assert!(from > 0 && to > 0, "an empty plane");
        let planes = y.len() / to;
        assert!(y.len() == planes * to && x.len() == planes * from, "x and y are not as many planes");
        planes
    }
}

/// The maximum over each window. Padding is never the maximum; windows with NaN may yield NaN or the largest
/// number.
///
/// Shapes: `x` `[planes, h, w]`, `y` `[planes, oh, ow]`. Panics: if they disagree.
pub fn max_pool(isa: Isa, window: &PoolWindow, x: &[f32], y: &mut [f32]) {
    window.check(x, y);
    if window.kernel == [2, 2] && window.stride == [2, 2] && window.before == [0; 2] && fits(window) {
        max_2x2(isa, window, x, y);
    } else {
        max_any(isa, window, x, y);
    }
}

/// The mean over each window; the divisor includes padding if `count_pad`.
///
/// Shapes: as [`max_pool`]. Panics: if they disagree.
pub fn avg_pool(isa: Isa, window: &PoolWindow, count_pad: bool, x: &[f32], y: &mut [f32]) {
    window.check(x, y);
    avg_any(isa, window, count_pad, x, y);
}

/// The mean of each plane. Shapes: `x` `[planes, n]`, `y` `[planes]`. Panics: if they disagree.
pub fn global_avg_pool(isa: Isa, x: &[f32], y: &mut [f32]) {
    assert!(!y.is_empty() && x.len().is_multiple_of(y.len()), "x is not one plane for each y");
    global_avg(isa, x, y);
}

/// Whether every window lies inside the input.
fn fits(w: &PoolWindow) -> bool {
    (0..2).all(|i| (w.output[i] - 1) * w.stride[i] + w.kernel[i] <= w.size[i])
}

per_isa! { fn max_2x2(window: &PoolWindow, x: &[f32], y: &mut [f32]) = max_2x2_body; }
per_isa! { fn max_any(window: &PoolWindow, x: &[f32], y: &mut [f32]) = max_any_body; }
per_isa! { fn avg_any(window: &PoolWindow, count_pad: bool, x: &[f32], y: &mut [f32]) = avg_any_body; }
per_isa! { fn global_avg(x: &[f32], y: &mut [f32]) = global_avg_body; }

/// The larger of the maximum so far and the next: one instruction. NaN is never larger.
#[inline(always)]
fn larger(best: f32, next: f32) -> f32 {
    if next > best { next } else { best }
}

#[inline(always)]
fn max_2x2_body(window: &PoolWindow, x: &[f32], y: &mut [f32]) {
    let ([h, w], [oh, ow]) = (window.size, window.output);
    for (x, y) in x.chunks_exact(h * w).zip(y.chunks_exact_mut(oh * ow)) {
        for (rows, y) in x.chunks_exact(2 * w).zip(y.chunks_exact_mut(ow)) {
            let (top, bottom) = rows.split_at(w);
            let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
            for ((y, t), b) in y.iter_mut().zip(top).zip(bottom) {
                *y = larger(larger(t[0], t[1]), larger(b[0], b[1]));
            }
        }
    }
}

/// Columns that are pooled down before they are pooled across.
const PART: usize = 256;

#[inline(always)]
fn max_any_body(window: &PoolWindow, x: &[f32], y: &mut [f32]) {
    let ([h, w], [oh, ow], [_, step]) = (window.size, window.output, window.stride);
    // Outputs of one part, so that it contains their windows.
    let part = PART.saturating_sub(window.kernel[1]) / step;
    for (x, y) in x.chunks_exact(h * w).zip(y.chunks_exact_mut(oh * ow)) {
        for (oy, y) in y.chunks_exact_mut(ow).enumerate() {
            let (y0, y1, _) = window.span(0, oy);
            if part == 0 {
                max_row(window, &x[y0 * w..y1 * w], w, 0..ow, y);
                continue;
            }
            for first in (0..ow).step_by(part) {
                let last = (first + part).min(ow);
                let (left, right) = (window.span(1, first).0, window.span(1, last - 1).1);
                let mut down = [f32::NEG_INFINITY; PART];
                let down = &mut down[..right.saturating_sub(left)];
                for row in x[y0 * w..y1 * w].chunks_exact(w) {
                    for (best, &v) in down.iter_mut().zip(&row[left..]) {
                        *best = larger(*best, v);
                    }
                }
                across(window, first, left, down, &mut y[first..last]);
            }
        }
    }
}

/// Outputs from `first` on of one row, of `down`, the largest of each column from `left` on.
#[inline(always)]
fn across(window: &PoolWindow, first: usize, left: usize, down: &[f32], y: &mut [f32]) {
    let (kernel, step) = (window.kernel[1], window.stride[1]);
    // Windows that overlap the padding, at either end, one by one.
    let whole = |i: usize| {
        let start = (first + i) * step;
        start >= window.before[1] && start - window.before[1] + kernel <= left + down.len()
    };
    let begin = (0..y.len()).find(|&i| whole(i)).unwrap_or(y.len());
    let end = (begin..y.len()).rev().find(|&i| whole(i)).map_or(begin, |i| i + 1);
    for i in (0..begin).chain(end..y.len()) {
        let (x0, x1, _) = window.span(1, first + i);
        y[i] = down[x0 - left..x1 - left].iter().fold(f32::NEG_INFINITY, |b, &v| larger(b, v));
    }
    if begin == end {
        return;
    }
    let x = &down[(first + begin) * step - window.before[1] - left..];
    let y = &mut y[begin..end];
    y.fill(f32::NEG_INFINITY);
    for shift in 0..kernel {
        let x = &x[shift..];
        match step {
            1 => y.iter_mut().zip(x).for_each(|(y, &v)| *y = larger(*y, v)),
            2 => every::<2>(x, y),
            3 => every::<3>(x, y),
            _ => y.iter_mut().zip(x.iter().step_by(step)).for_each(|(y, &v)| *y = larger(*y, v)),
        }
    }
}

/// `y` becomes the maximum of itself and each `S`th element.
#[inline(always)]
fn every<const S: usize>(x: &[f32], y: &mut [f32]) {
    let (groups, rest) = x.as_chunks::<S>();
    for (y, group) in y.iter_mut().zip(groups) {
        *y = larger(*y, group[0]);
    }
    if let (Some(&last), Some(y)) = (rest.first(), y.get_mut(groups.len())) {
        *y = larger(*y, last);
    }
}

/// Outputs of one row, window by window; `x` holds the rows under it.
#[inline(always)]
fn max_row(window: &PoolWindow, x: &[f32], w: usize, outputs: core::ops::Range<usize>, y: &mut [f32]) {
    for ox in outputs {
        let (x0, x1, _) = window.span(1, ox);
        let rows = x.chunks_exact(w).flat_map(|row| &row[x0..x1]);
        y[ox] = rows.fold(f32::NEG_INFINITY, |b, &v| larger(b, v));
    }
}

#[inline(always)]
fn avg_any_body(window: &PoolWindow, count_pad: bool, x: &[f32], y: &mut [f32]) {
    let ([h, w], [oh, ow]) = (window.size, window.output);
    for (x, y) in x.chunks_exact(h * w).zip(y.chunks_exact_mut(oh * ow)) {
        for (oy, y) in y.chunks_exact_mut(ow).enumerate() {
            let (y0, y1, n_rows) = window.span(0, oy);
            for (ox, y) in y.iter_mut().enumerate() {
                let (x0, x1, n_cols) = window.span(1, ox);
                let mut sum = 0.0;
                for row in y0..y1 {
                    sum += x[row * w + x0..row * w + x1].iter().sum::<f32>();
                }
                let n = if count_pad { n_rows * n_cols } else { (y1 - y0) * (x1 - x0) };
                *y = sum / n as f32;
            }
        }
    }
}

#[inline(always)]
fn global_avg_body(x: &[f32], y: &mut [f32]) {
    let n = x.len() / y.len();
    for (x, y) in x.chunks_exact(n).zip(y) {
        let (blocks, rest) = x.as_chunks::<16>();
        let mut sums = [0f32; 16];
        for block in blocks {
            for (sum, v) in sums.iter_mut().zip(block) {
                *sum += v;
            }
        }
        *y = (sums.iter().sum::<f32>() + rest.iter().sum::<f32>()) / n as f32;
    }
}
