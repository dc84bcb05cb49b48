//! Normalization over channels.

use crate::isa::per_isa;

/// The parameters of a local response normalization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResponseNorm {
    /// Channels in a sum.
    pub size: usize,
    /// The factor of the squares, times `size`; at least 0.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
    /// The term added to the sum; above 0.
    pub bias: f32,
}

per_isa! {
    /// `y = x / (bias + alpha / size * sum x^2)^beta`, the sum over the existing channels from `(size - 1) /
    /// 2` before to `size / 2` after. Shapes: `x`, `y` `[channels, plane]`. Panics: if they disagree.
    pub fn response_norm(norm: &ResponseNorm, plane: usize, x: &[f32], y: &mut [f32]) = response_norm_body;
}

#[inline(always)]
fn response_norm_body(norm: &ResponseNorm, plane: usize, x: &[f32], y: &mut [f32]) {
    assert!(plane > 0 && x.len() == y.len() && x.len().is_multiple_of(plane), "lengths and plane");
    let channels = x.len() / plane;
    let factor = norm.alpha / norm.size as f32;
    for (channel, y) in y.chunks_exact_mut(plane).enumerate() {
        let first = channel.saturating_sub((norm.size - 1) / 2);
        let last = (channel + norm.size / 2).min(channels - 1);
        y.fill(0.0);
        for x in x[first * plane..(last + 1) * plane].chunks_exact(plane) {
            y.iter_mut().zip(x).for_each(|(y, x)| *y += x * x);
        }
        for (y, x) in y.iter_mut().zip(&x[channel * plane..]) {
            *y = x / libm::powf(norm.bias + factor * *y, norm.beta);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn channels_beyond_the_ends_are_left_out() {
        let norm = ResponseNorm { size: 3, alpha: 3.0, beta: 0.5, bias: 1.0 };
        let x = [1.0, 2.0, 0.0, 1.0, 2.0, 2.0];
        for isa in Isa::available() {
            let mut y = [0.0; 6];
            response_norm(isa, &norm, 2, &x, &mut y);
            let exact = [
                1.0 / 2f32.sqrt(),
                2.0 / 6f32.sqrt(),
                0.0,
                1.0 / 10f32.sqrt(),
                2.0 / 5f32.sqrt(),
                2.0 / 6f32.sqrt(),
            ];
            for (y, exact) in y.iter().zip(exact) {
                assert!((y - exact).abs() < 1e-6, "{y} {exact}");
            }
        }
    }
}
