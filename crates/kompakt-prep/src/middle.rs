//! The usual steps before networks for photographs: a central crop, and a mean image subtracted.

use crate::{resize::resize, step::Filter};

/// The central `to` of one plane of `from` rows and columns. Rule P-21.
pub(crate) fn crop(x: &[f32], from: [usize; 2], to: [usize; 2], y: &mut [f32]) {
    let [top, left] = [(from[0] - to[0]) / 2, (from[1] - to[1]) / 2];
    let rows = x.chunks_exact(from[1]).skip(top);
    for (x, y) in rows.zip(y.chunks_exact_mut(to[1])) {
        y.copy_from_slice(&x[left..left + to[1]]);
    }
}

/// One plane minus a small image that is enlarged to its size. Rule P-22.
pub(crate) fn subtract(x: &[f32], size: [usize; 2], small: &[f32], of: [usize; 2], y: &mut [f32]) {
    resize(Filter::Bilinear, small, of, size, y);
    for (y, x) in y.iter_mut().zip(x) {
        *y = x - *y;
    }
}
