//! Operators on windows of an image: convolution and pools.

use crate::Value;
use kompakt_graph::{Padding, Pair};

/// Index of the input that window cell `k` of output `o` reads, along one dimension of `n`.
fn tap(o: usize, stride: usize, k: usize, dilation: usize, before: usize, n: usize) -> Option<usize> {
    (o * stride + k * dilation).checked_sub(before).filter(|&i| i < n)
}

pub(crate) fn convolution(
    x: &Value,
    params: &[&[f64]],
    shape: &[usize],
    [kernel, stride, dilation]: [Pair; 3],
    padding: Padding,
    groups: usize,
) -> Vec<f64> {
    let (&[channels, h, w], &[out, oh, ow]) = (&x.shape[..], shape) else { return Vec::new() };
    let per_group = channels / groups;
    let mut y = Vec::with_capacity(out * oh * ow);
    for o in 0..out {
        let first = o / (out / groups) * per_group;
        for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
            let mut sum = params.get(1).map_or(0.0, |bias| bias[o]);
            for c in 0..per_group {
                for ky in 0..kernel.h {
                    let Some(iy) = tap(oy, stride.h, ky, dilation.h, padding.top, h) else { continue };
                    for kx in 0..kernel.w {
                        let Some(ix) = tap(ox, stride.w, kx, dilation.w, padding.left, w) else { continue };
                        let weight = params[0][((o * per_group + c) * kernel.h + ky) * kernel.w + kx];
                        sum += weight * x.data[((first + c) * h + iy) * w + ix];
                    }
                }
            }
            y.push(sum);
        }
    }
    y
}

/// `f` receives the cells of a window inside the image, and how many are inside the padded image.
pub(crate) fn pool(
    x: &Value,
    shape: &[usize],
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    f: impl Fn(&[f64], usize) -> f64,
) -> Vec<f64> {
    let (&[channels, h, w], &[_, oh, ow]) = (&x.shape[..], shape) else { return Vec::new() };
    let mut y = Vec::with_capacity(channels * oh * ow);
    let mut window = Vec::new();
    for c in 0..channels {
        for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
            window.clear();
            let mut padded = 0;
            for (ky, kx) in (0..kernel.h).flat_map(|ky| (0..kernel.w).map(move |kx| (ky, kx))) {
                let inside = oy * stride.h + ky < h + padding.top + padding.bottom
                    && ox * stride.w + kx < w + padding.left + padding.right;
                padded += usize::from(inside);
                let iy = tap(oy, stride.h, ky, 1, padding.top, h);
                let ix = tap(ox, stride.w, kx, 1, padding.left, w);
                if let (Some(iy), Some(ix)) = (iy, ix) {
                    window.push(x.data[(c * h + iy) * w + ix]);
                }
            }
            y.push(f(&window, padded));
        }
    }
    y
}
