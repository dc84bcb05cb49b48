//! Normalization: over neighbouring channels, and of rows by their mean and spread.

use super::lanes::joined;
use crate::isa::per_isa;

/// Elements of a row that are summed together.
const LANES: usize = 32;

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

/// A norm of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowNorm<'a> {
    /// Elements of a row; at least 1.
    pub len: usize,
    /// Whether the mean is subtracted first.
    pub is_centred: bool,
    /// The term added to the mean square.
    pub eps: f32,
    /// A factor for each element of a row; empty for none.
    pub scale: &'a [f32],
    /// A term added to each element of a row afterwards; empty for none.
    pub shift: &'a [f32],
    /// A factor and a term for each group of so many consecutive rows; empty for none.
    pub by_row: (&'a [f32], &'a [f32], usize),
}

per_isa! {
    /// `y = (x - mean) / sqrt(mean of (x - mean)^2 + eps) * scale + shift` for each row. Shapes: `x`, `y` `[rows, len]`. Panics: if
    /// they or the numbers of `norm` disagree.
    pub fn row_norm(norm: &RowNorm<'_>, x: &[f32], y: &mut [f32]) = row_norm_body;
}

#[inline(always)]
fn row_norm_body(norm: &RowNorm<'_>, x: &[f32], y: &mut [f32]) {
    let RowNorm { len, is_centred, eps, scale, shift, by_row: (factors, terms, group) } = *norm;
    assert!(len > 0 && x.len() == y.len() && x.len().is_multiple_of(len), "lengths and rows");
    assert!([0, len].contains(&scale.len()) && [0, len].contains(&shift.len()), "numbers of a row");
    for (row, (x, y)) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)).enumerate() {
        let mean = if is_centred { sum_of(x, |x| x) / len as f32 } else { 0.0 };
        let square = sum_of(x, |x| (x - mean) * (x - mean)) / len as f32;
        let (mut factor, mut term) = (1.0 / libm::sqrtf(square + eps), 0.0);
        if !factors.is_empty() {
            factor *= factors[row / group];
            term = terms[row / group];
        }
        match (scale.is_empty(), shift.is_empty()) {
            (true, true) => y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * factor + term),
            (false, false) => {
                let numbers = scale.iter().zip(shift);
                y.iter_mut()
                    .zip(x)
                    .zip(numbers)
                    .for_each(|((y, x), (scale, shift))| *y = (x - mean) * factor * scale + shift);
            }
            (false, true) => {
                y.iter_mut().zip(x).zip(scale).for_each(|((y, x), scale)| *y = (x - mean) * factor * scale);
            }
            (true, false) => {
                y.iter_mut().zip(x).zip(shift).for_each(|((y, x), shift)| *y = (x - mean) * factor + shift);
            }
        }
    }
}

/// The sum of a function of all elements.
#[inline(always)]
fn sum_of(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, &x)| *lane += f(x));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += f(x));
    joined(lanes, |a, b| a + b)
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
    use alloc::{vec, vec::Vec};

    #[test]
    fn rows_by_the_formula() {
        for (rows, len) in [(1, 1), (2, 7), (4, 32), (3, 100), (2, 1000)] {
            let x: Vec<f32> = (0..rows * len).map(|i| (i * 37 % 101) as f32 / 9.0 + 3.0).collect();
            let numbers =
                |seed: usize| -> Vec<f32> { (0..len).map(|i| ((i + seed) % 7) as f32 - 2.5).collect() };
            let (scale, shift) = (numbers(0), numbers(3));
            for (is_centred, has_scale, has_shift) in (0..8).map(|i| (i & 1 != 0, i & 2 != 0, i & 4 != 0)) {
                let pick = |has: bool, all: &'static [f32]| if has { all } else { &[][..] };
                let (factors, terms) = (pick(!has_scale, &[2.0; 4]), pick(!has_scale, &[0.5; 4]));
                let (scale, shift) =
                    (&scale[..if has_scale { len } else { 0 }], &shift[..if has_shift { len } else { 0 }]);
                let (factors, terms) = if has_shift { (&[][..], &[][..]) } else { (factors, terms) };
                let norm = RowNorm { len, is_centred, eps: 1e-5, scale, shift, by_row: (factors, terms, 1) };
                for isa in Isa::available() {
                    let mut y = vec![0.0; x.len()];
                    row_norm(isa, &norm, &x, &mut y);
                    for (i, &y) in y.iter().enumerate() {
                        let row = x[i / len * len..][..len].iter().map(|&x| f64::from(x));
                        let mean = if is_centred { row.clone().sum::<f64>() / len as f64 } else { 0.0 };
                        let square = row.map(|x| (x - mean) * (x - mean)).sum::<f64>() / len as f64;
                        let mut exact = (f64::from(x[i]) - mean) / libm::sqrt(square + f64::from(1e-5f32));
                        if has_scale {
                            exact *= f64::from(scale[i % len]);
                        }
                        if has_shift {
                            exact += f64::from(shift[i % len]);
                        } else if !has_scale {
                            exact = exact * 2.0 + 0.5;
                        }
                        assert!(
                            (f64::from(y) - exact).abs() < 2e-5,
                            "{rows} {len} {norm:?} {isa}: {y} {exact}"
                        );
                    }
                }
            }
        }
    }

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
