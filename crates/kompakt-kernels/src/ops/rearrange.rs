//! Data movement: gather, spread, interpolation.

use crate::isa::per_isa;
use alloc::vec::Vec;

/// `y[o, i, :] = x[o, indices[i], :]`. Shapes: `x` `[outer, n, inner]`, `y` `[outer, indices, inner]`.
///
/// Panics: if they disagree or an index is not below `n`.
pub fn gather(x: &[f32], n: usize, inner: usize, indices: &[usize], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(indices.len() * inner)) {
        if inner == 1 {
            y.iter_mut().zip(indices).for_each(|(y, &i)| *y = x[i]);
        } else {
            for (y, &i) in y.chunks_exact_mut(inner).zip(indices) {
                y.copy_from_slice(&x[i * inner..(i + 1) * inner]);
            }
        }
    }
}

/// Pixels `step` apart with zeros between. Shapes: `x` `[planes, h, w]`, `y` `[planes, (h - 1) step + 1, ...]`.
///
/// Panics: if they disagree.
pub fn spread(x: &[f32], size: [usize; 2], step: [usize; 2], y: &mut [f32]) {
    let [h, w] = size;
    let [oh, ow] = [(h - 1) * step[0] + 1, (w - 1) * step[1] + 1];
    assert!(x.len() / (h * w) == y.len() / (oh * ow), "x and y are not as many planes");
    y.fill(0.0);
    for (x, y) in x.chunks_exact(h * w).zip(y.chunks_exact_mut(oh * ow)) {
        for (x, y) in x.chunks_exact(w).zip(y.chunks_mut(step[0] * ow)) {
            y.iter_mut().take(ow).step_by(step[1]).zip(x).for_each(|(y, x)| *y = *x);
        }
    }
}

/// The sources of a bilinear interpolation along one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// First neighbour, second neighbour, weight of the second; one per pixel of the output.
    taps: Vec<(usize, usize, f32)>,
}

impl Places {
    /// Pixel `i` of `n_out` samples `n_in` pixels at `i step + offset`, clamped to the first and last of
    /// them.
    pub fn new(n_in: usize, n_out: usize, step: f32, offset: f32) -> Self {
        let tap = |i: usize| {
            let p = (i as f64 * f64::from(step) + f64::from(offset)).clamp(0.0, (n_in - 1) as f64);
            let low = p as usize;
            (low, (low + 1).min(n_in - 1), (p - low as f64) as f32)
        };
        Self { taps: (0..n_out).map(tap).collect() }
    }
}

per_isa! {
    /// Bilinear interpolation. Shapes: `x` `[planes, h, w]`, `y` `[planes, rows, columns]`.
    /// Panics: if they disagree.
    pub fn resize(x: &[f32], size: &[usize; 2], rows: &Places, columns: &Places, y: &mut [f32]) = resize_body;
}

#[inline(always)]
fn resize_body(x: &[f32], size: &[usize; 2], rows: &Places, columns: &Places, y: &mut [f32]) {
    let [h, w] = *size;
    let (oh, ow) = (rows.taps.len(), columns.taps.len());
    assert!(x.len() / (h * w) == y.len() / (oh * ow), "x and y are not as many planes");
    for (x, y) in x.chunks_exact(h * w).zip(y.chunks_exact_mut(oh * ow)) {
        for (&(top, bottom, fy), y) in rows.taps.iter().zip(y.chunks_exact_mut(ow)) {
            let (top, bottom) = (&x[top * w..(top + 1) * w], &x[bottom * w..(bottom + 1) * w]);
            for (&(left, right, fx), y) in columns.taps.iter().zip(y) {
                let upper = top[left] + (top[right] - top[left]) * fx;
                let lower = bottom[left] + (bottom[right] - bottom[left]) * fx;
                *y = upper + (lower - upper) * fy;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn picks_spreads_and_interpolates() {
        let x = [0.0, 1.0, 2.0, 3.0];
        let mut y = [0.0; 6];
        gather(&x, 2, 1, &[1, 1, 0], &mut y);
        assert_eq!(y, [1.0, 1.0, 0.0, 3.0, 3.0, 2.0]);
        gather(&x, 2, 2, &[1, 0, 1], &mut y);
        assert_eq!(y, [2.0, 3.0, 0.0, 1.0, 2.0, 3.0]);
        let mut y = [9.0; 9];
        spread(&x, [2, 2], [2, 2], &mut y);
        assert_eq!(y, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 3.0]);
        // Twice the size, half pixels: the corners keep their values.
        let places = Places::new(2, 4, 0.5, -0.25);
        let mut y = [0.0; 16];
        for isa in Isa::available() {
            resize(isa, &x, &[2, 2], &places, &places, &mut y);
            assert_eq!(y[..5], [0.0, 0.25, 0.75, 1.0, 0.5]);
        }
    }
}
