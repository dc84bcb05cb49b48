//! Steps whose elements are computed one by one.

use super::{
    Groups, Table, Work,
    dimensions::{eight, repeated_strides, word},
};
use crate::shader::Shader;
use kompakt_graph::BinaryFunction;
use kompakt_runtime::program::Binary;

/// Each of `n` elements on its own; `mode` as in `pointwise.wgsl`.
pub(super) fn pointwise(n: usize, channels: usize, area: usize, mode: u32, table: Table) -> Work {
    let words = vec![word(n), word(channels), word(area), mode, 0, 0, 0, 0];
    Work::plain_with(Shader::Pointwise, words, 4, table, Groups::Elements(n as u64))
}

/// Two operands, repeated along dimensions where they have one element.
pub(super) fn pairwise(operator: Binary, a: &[usize], b: &[usize], y: &[usize]) -> Result<Work, String> {
    if a.len() != y.len() || b.len() != y.len() {
        return Err("operands of different ranks".into());
    }
    let (n, code) = (y.iter().product(), binary_code(operator));
    let lens = [n, a.iter().product(), b.iter().product()].map(word);
    let mut words = lens.to_vec();
    words.extend([code, 0, 0, 0, word(y.len())]);
    for list in [y, &repeated_strides(a), &repeated_strides(b)] {
        words.extend(eight(list)?);
    }
    Ok(Work::plain_with(Shader::Pairwise, words, 4, Table::None, Groups::Elements(n as u64)))
}

/// One of two operands for each element.
pub(super) fn select(x: &[usize], a: &[usize], b: &[usize], y: &[usize]) -> Result<Work, String> {
    if [x, a, b].iter().any(|shape| shape.len() != y.len()) {
        return Err("operands of different ranks".into());
    }
    let len = |shape: &[usize]| word(shape.iter().product());
    let mut words = vec![len(y), len(x), len(a), len(b), word(y.len()), 0, 0, 0];
    for list in [y, &repeated_strides(x), &repeated_strides(a), &repeated_strides(b)] {
        words.extend(eight(list)?);
    }
    Ok(Work::plain(Shader::Select, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}

/// The case of `combine` in `pairwise.wgsl`.
fn binary_code(operator: Binary) -> u32 {
    match operator {
        Binary::Add => 0,
        Binary::Mul => 1,
        Binary::Sub => 2,
        Binary::Div => 3,
        Binary::Function(function) => match function {
            BinaryFunction::Pow => 4,
            BinaryFunction::Max => 5,
            BinaryFunction::Min => 6,
            BinaryFunction::Modulo => 7,
            BinaryFunction::Remainder => 8,
            BinaryFunction::Equal => 9,
            BinaryFunction::Less => 10,
            BinaryFunction::LessOrEqual => 11,
            BinaryFunction::Greater => 12,
            BinaryFunction::GreaterOrEqual => 13,
            BinaryFunction::And => 14,
            BinaryFunction::Or => 15,
            BinaryFunction::Xor => 16,
        },
    }
}
