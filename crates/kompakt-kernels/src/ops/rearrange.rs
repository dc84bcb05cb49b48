//! Data movement: transpose, gather, spread, interpolation.

use crate::isa::per_isa;
use alloc::vec::Vec;

/// Permutes dimensions: dimension `i` of `y` is dimension `axes[i]` of `x`.
///
/// Panics: if `axes` is not a permutation of the dimensions of `from`, or a length is not that of `from`.
pub fn transpose(x: &[f32], from: &[usize], axes: &[usize], y: &mut [f32]) {
    let n: usize = from.iter().product();
    assert!(x.len() == n && y.len() == n && axes.len() == from.len(), "lengths and dimensions");
    let stride = |axis: usize| from[axis + 1..].iter().product::<usize>();
    // Size and stride in x of each dimension of y; the last one is innermost.
    let mut dims: Vec<(usize, usize)> = axes.iter().map(|&axis| (from[axis], stride(axis))).collect();
    let Some((len, step)) = dims.pop() else {
        y.copy_from_slice(x);
        return;
    };
    let mut index = alloc::vec![0; dims.len()];
    let mut start = 0;
    for y in y.chunks_exact_mut(len) {
        if step == 1 {
            y.copy_from_slice(&x[start..start + len]);
        } else {
            y.iter_mut().zip(x[start..].iter().step_by(step)).for_each(|(y, x)| *y = *x);
        }
        for d in (0..dims.len()).rev() {
            let (size, stride) = dims[d];
            index[d] += 1;
            start += stride;
            if index[d] < size {
                break;
            }
            start -= size * stride;
            index[d] = 0;
        }
    }
}

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
    use alloc::vec;

    #[test]
    fn transposes_as_numpy_does() {
        // numpy.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[1]
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let mut y = vec![0.0; 24];
        transpose(&x, &[2, 3, 4], &[2, 0, 1], &mut y);
        assert_eq!(y[6..12], [1.0, 5.0, 9.0, 13.0, 17.0, 21.0]);
        transpose(&x, &[2, 3, 4], &[1, 0, 2], &mut y);
        assert_eq!(y[..8], [0.0, 1.0, 2.0, 3.0, 12.0, 13.0, 14.0, 15.0]);
    }

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
