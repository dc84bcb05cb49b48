//! Image resizing.

use crate::step::Filter;

/// One plane of `[height, width]` as another. Pixel centres are at halves, so corners map to corners. Rule
/// P-16.
pub(crate) fn resize(filter: Filter, x: &[f32], from: [usize; 2], to: [usize; 2], y: &mut [f32]) {
    match filter {
        Filter::Bilinear => bilinear(x, from, to, y),
        Filter::Area => area(x, from, to, y),
    }
}

/// The two nearest positions of `n` and the weight of the second, for position `i` of `m`.
fn neighbours(i: usize, m: usize, n: usize) -> (usize, usize, f64) {
    let last = (n - 1) as f64;
    let at = ((i as f64 + 0.5) * (n as f64 / m as f64) - 0.5).clamp(0.0, last);
    let low = libm::floor(at);
    let first = low as usize;
    (first, (first + 1).min(n - 1), at - low)
}

fn bilinear(x: &[f32], from: [usize; 2], to: [usize; 2], y: &mut [f32]) {
    let [_, width] = from;
    for row in 0..to[0] {
        let (above, below, v) = neighbours(row, to[0], from[0]);
        for column in 0..to[1] {
            let (left, right, u) = neighbours(column, to[1], from[1]);
            let value = |r: usize, c: usize| f64::from(x[r * width + c]);
            let top = (1.0 - u) * value(above, left) + u * value(above, right);
            let bottom = (1.0 - u) * value(below, left) + u * value(below, right);
            y[row * to[1] + column] = ((1.0 - v) * top + v * bottom) as f32;
        }
    }
}

/// The positions that cell `i` of `m` covers, of `n`: first, one past the last, and both ends as real
/// numbers.
fn span(i: usize, m: usize, n: usize) -> (usize, usize, f64, f64) {
    let scale = n as f64 / m as f64;
    let (start, end) = (i as f64 * scale, ((i + 1) as f64 * scale).min(n as f64));
    (libm::floor(start) as usize, (libm::ceil(end) as usize).min(n), start, end)
}

/// The part of position `p` between `start` and `end`.
fn covered(p: usize, start: f64, end: f64) -> f64 {
    (end.min((p + 1) as f64) - start.max(p as f64)).max(0.0)
}

pub(crate) fn area(x: &[f32], from: [usize; 2], to: [usize; 2], y: &mut [f32]) {
    let [height, width] = from;
    for row in 0..to[0] {
        let (top, bottom, v0, v1) = span(row, to[0], height);
        for column in 0..to[1] {
            let (left, right, u0, u1) = span(column, to[1], width);
            let mut sum = 0.0;
            for r in top..bottom {
                let across: f64 =
                    (left..right).map(|c| covered(c, u0, u1) * f64::from(x[r * width + c])).sum();
                sum += covered(r, v0, v1) * across;
            }
            y[row * to[1] + column] = (sum / ((v1 - v0) * (u1 - u0))) as f32;
        }
    }
}
