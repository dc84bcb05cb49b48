//! Steps along axes: sums and their like, softmax, the largest elements.

use super::{
    Groups, Work,
    dimensions::{eight, strides, without_batch, word},
};
use crate::shader::Shader;
use kompakt_graph::Reduction;

pub(super) fn softmax(axis: usize, is_log: bool, y: &[usize]) -> Result<Work, String> {
    let axis = without_batch(axis)?;
    let (outer, inner): (usize, usize) = (y[..axis].iter().product(), y[axis + 1..].iter().product());
    let words = vec![word(y[axis]), word(inner), u32::from(is_log), word(outer)];
    Ok(Work::plain(Shader::Softmax, words, Groups::Each((outer * inner) as u64)))
}

pub(super) fn reduce(function: Reduction, axes: &[usize], x: &[usize], n: usize) -> Result<Work, String> {
    let kind = match function {
        Reduction::Sum => 0,
        Reduction::Mean => 1,
        Reduction::Product => 2,
        Reduction::Max => 3,
        Reduction::Min => 4,
        Reduction::ArgMax => 5,
        Reduction::ArgMin => 6,
    };
    let axes: Vec<usize> = axes.iter().map(|&axis| without_batch(axis)).collect::<Result<_, _>>()?;
    let strides = strides(x);
    let part = |is_gone: bool| -> (Vec<usize>, Vec<usize>) {
        let those = (0..x.len()).filter(|d| axes.contains(d) == is_gone);
        those.map(|d| (x[d], strides[d])).unzip()
    };
    let (kept, gone) = (part(false), part(true));
    let lens = [n, x.iter().product(), gone.0.iter().product()].map(word);
    let mut words = lens.to_vec();
    words.extend([kind, word(kept.0.len()), word(gone.0.len()), 0, 0]);
    for list in [&kept.0, &kept.1, &gone.0, &gone.1] {
        words.extend(eight(list)?);
    }
    Ok(Work::plain(Shader::Reduce, words, Groups::Each(n as u64)))
}

/// The `y[axis]` largest or least elements along an axis, or their indices.
pub(super) fn top_k(
    axis: usize,
    largest: bool,
    indices: bool,
    x: &[usize],
    y: &[usize],
) -> Result<Work, String> {
    let axis = without_batch(axis)?;
    let (outer, inner): (usize, usize) = (x[..axis].iter().product(), x[axis + 1..].iter().product());
    let mut words = [x[axis], y[axis], inner, outer].map(word).to_vec();
    words.extend([u32::from(largest), u32::from(indices), 0, 0]);
    Ok(Work::plain(Shader::TopK, words, Groups::Elements((outer * inner) as u64)))
}
