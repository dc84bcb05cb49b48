//! Steps that process each pixel independently, across all its planes.

/// Rule P-10.
pub(crate) fn invert(x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = 1.0 - x;
    }
}

/// Brightness of red, green and blue as in ITU-R BT.601; one plane is copied. Rule P-11.
pub(crate) fn grayscale(x: &[f32], y: &mut [f32]) {
    let plane = y.len();
    if x.len() == plane {
        return y.copy_from_slice(x);
    }
    for (i, y) in y.iter_mut().enumerate() {
        let (r, g, b) = (f64::from(x[i]), f64::from(x[plane + i]), f64::from(x[2 * plane + i]));
        *y = (0.299 * r + 0.587 * g + 0.114 * b) as f32;
    }
}

/// Rule P-12.
pub(crate) fn channels(x: &[f32], order: &[usize], plane: usize, y: &mut [f32]) {
    for (y, from) in y.chunks_exact_mut(plane).zip(order) {
        y.copy_from_slice(&x[from * plane..][..plane]);
    }
}

/// One mean and deviation for all planes, or one per plane. Rule P-13.
pub(crate) fn normalize(x: &[f32], mean: &[f32], std: &[f32], plane: usize, y: &mut [f32]) {
    for (c, (x, y)) in x.chunks_exact(plane).zip(y.chunks_exact_mut(plane)).enumerate() {
        let at = if mean.len() == 1 { 0 } else { c };
        let (mean, std) = (f64::from(mean[at]), f64::from(std[at]));
        for (y, x) in y.iter_mut().zip(x) {
            *y = ((f64::from(*x) - mean) / std) as f32;
        }
    }
}
