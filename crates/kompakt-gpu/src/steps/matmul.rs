//! Products of two values that are matrices.

use super::{
    Groups, Work,
    dimensions::{eight, repeated_strides, word},
};
use crate::shader::Shader;

pub(super) fn matmul(a: &[usize], b: &[usize], y: &[usize]) -> Result<Work, String> {
    let rank = y.len();
    if rank < 2 || a.len() != rank || b.len() != rank {
        return Err("matrices of different ranks".into());
    }
    let lead = rank - 2;
    let (m, n, k) = (y[lead], y[lead + 1], a[lead + 1]);
    let matrices: usize = y[..lead].iter().product();
    let lens = [m, n, k, matrices, a.iter().product(), b.iter().product(), lead, 0];
    let mut words = lens.map(word).to_vec();
    for list in [&y[..lead], &repeated_strides(a)[..lead], &repeated_strides(b)[..lead]] {
        words.extend(eight(list)?);
    }
    let tiles = m.div_ceil(16) * n.div_ceil(16);
    Ok(Work::plain(Shader::MatMul, words, Groups::Each((matrices * tiles) as u64)))
}
