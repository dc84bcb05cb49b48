//! Steps over places of an image and their neighbours.

use super::{
    Groups, Work,
    dimensions::{check_extent, first, image, word},
};
use crate::shader::Shader;
use kompakt_graph::Pair;
use kompakt_runtime::program::PoolingWindow;

/// `mode` as in `pool.wgsl`.
pub(super) fn pool(window: &PoolingWindow, mode: u32, x: &[usize], y: &[usize]) -> Result<Work, String> {
    let ([c, h, w], [_, out_h, out_w]) = (image(x)?, image(y)?);
    let PoolingWindow { kernel, stride, padding } = *window;
    check_extent([h, padding.top, padding.bottom, kernel.h, stride.h])?;
    check_extent([w, padding.left, padding.right, kernel.w, stride.w])?;
    let mut words = [
        c,
        h,
        w,
        out_h,
        out_w,
        kernel.h,
        kernel.w,
        stride.h,
        stride.w,
        padding.top,
        padding.left,
        padding.bottom,
        padding.right,
    ]
    .map(word)
    .to_vec();
    words.extend([mode, 0, 0]);
    Ok(Work::plain(Shader::Pool, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}

/// The mean of each channel.
pub(super) fn global_average(x: &[usize], y: &[usize]) -> Result<Work, String> {
    let [_, h, w] = image(x)?;
    let kernel = Pair { h, w };
    let window = PoolingWindow { kernel, stride: kernel, padding: Default::default() };
    pool(&window, 1, x, y)
}

/// Bilinear, `step` and `offset` as in `resize.wgsl`.
pub(super) fn resize(step: [f32; 2], offset: [f32; 2], x: &[usize], y: &[usize]) -> Result<Work, String> {
    let ([c, h, w], [_, out_h, out_w]) = (image(x)?, image(y)?);
    let mut words = [c, h, w, out_h, out_w].map(word).to_vec();
    words.extend([step[0], step[1], offset[0], offset[1]].map(f32::to_bits));
    words.extend([0; 3]);
    Ok(Work::plain(Shader::Resize, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}

/// Over `size` neighbouring channels.
pub(super) fn local_response_norm(size: usize, numbers: [f32; 3], y: &[usize]) -> Result<Work, String> {
    let (channels, n) = (first(y)?, y.iter().product::<usize>());
    let mut words = [channels, n / channels, size].map(word).to_vec();
    words.extend(numbers.map(f32::to_bits));
    words.extend([0; 2]);
    Ok(Work::plain(Shader::LocalResponseNorm, words, Groups::Elements(n as u64)))
}
