//! Rearrangements of elements: slices, pads, transposes, and the like; elements at indices that are computed.

use super::{
    Groups, Table, Work,
    dimensions::{eight, of_image, signed, strides, without_batch, word},
};
use crate::shader::Shader;
use kompakt_graph::{Pair, Update};

/// A rearrangement of elements: see `rearrange.wgsl`.
#[derive(Debug, Clone)]
pub(super) struct Moves {
    /// Shape of the written elements, and for each dimension the one of the input that it reads.
    sizes: Vec<usize>,
    from: Vec<usize>,
    times: Vec<usize>,
    minus: Vec<i64>,
    by: Vec<usize>,
    /// A dimension whose indices are listed.
    table: Option<(usize, Vec<usize>)>,
    /// Offset and strides of the elements in an image of the result.
    first: usize,
    to: Vec<usize>,
}

impl Moves {
    /// The identity.
    fn of(sizes: &[usize]) -> Self {
        let n = sizes.len();
        Self {
            sizes: sizes.to_vec(),
            from: (0..n).collect(),
            times: vec![1; n],
            minus: vec![0; n],
            by: vec![1; n],
            table: None,
            first: 0,
            to: strides(sizes),
        }
    }

    fn work(self, x: &[usize], y: &[usize]) -> Result<Work, String> {
        let rank = self.sizes.len();
        if x.len() != rank
            || self.from.iter().any(|&d| d >= rank)
            || self.minus.len() != rank
            || self.by.len() != rank
        {
            return Err("ranks that do not agree".into());
        }
        let n: usize = self.sizes.iter().product();
        let from_strides = strides(x);
        let axis = self.table.as_ref().map_or(u32::MAX, |(axis, _)| word(*axis));
        let [x_len, y_len]: [usize; 2] = [x.iter().product(), y.iter().product()];
        let mut words = vec![word(n), word(x_len), word(y_len), word(self.first), word(rank), axis, 0, 0];
        words.extend(eight(&self.sizes)?);
        words.extend(eight(&self.from.iter().map(|&d| x[d]).collect::<Vec<_>>())?);
        words.extend(eight(&self.from.iter().map(|&d| from_strides[d]).collect::<Vec<_>>())?);
        words.extend(eight(&self.times)?);
        let mut minus = [0u32; 8];
        for (word, &m) in minus.iter_mut().zip(&self.minus) {
            *word = i32::try_from(m).map_err(|_| "offsets beyond 2^31")?.cast_unsigned();
        }
        words.extend(minus);
        words.extend(eight(&self.by)?);
        words.extend(eight(&self.to)?);
        let table = match self.table {
            None => Table::Empty,
            Some((axis, indices)) => {
                // No shader can read past a buffer; the list is checked nevertheless.
                if indices.len() != self.sizes[axis] || indices.iter().any(|&i| i >= x[self.from[axis]]) {
                    return Err("an index that is not there".into());
                }
                Table::Indices(indices.into_iter().map(word).collect())
            }
        };
        Ok(Work::plain_with(Shader::Rearrange, words, 0, table, Groups::Elements(n as u64)))
    }
}

/// The operand of a concatenation along `axis` whose first element has index `at` there.
pub(super) fn part(axis: usize, at: usize, x: &[usize], y: &[usize]) -> Result<Work, String> {
    let axis = without_batch(axis)?;
    let first = at * y[axis + 1..].iter().product::<usize>();
    Moves { first, to: strides(y), ..Moves::of(x) }.work(x, y)
}

pub(super) fn slice(start: &[usize], step: &[usize], x: &[usize], y: &[usize]) -> Result<Work, String> {
    let (start, step) = (of_image(start, 0)?, of_image(step, 1)?);
    let minus = start.iter().map(|&s| -signed(s)).collect();
    Moves { times: step.to_vec(), minus, ..Moves::of(y) }.work(x, y)
}

pub(super) fn pad(before: &[usize], x: &[usize], y: &[usize]) -> Result<Work, String> {
    let minus = of_image(before, 0)?.iter().map(|&b| signed(b)).collect();
    Moves { minus, ..Moves::of(y) }.work(x, y)
}

pub(super) fn transpose(axes: &[usize], x: &[usize], y: &[usize]) -> Result<Work, String> {
    let from = of_image(axes, 0)?.iter().map(|&axis| without_batch(axis)).collect::<Result<_, _>>()?;
    Moves { from, ..Moves::of(y) }.work(x, y)
}

/// Elements at indices that are known beforehand.
pub(super) fn gather(axis: usize, indices: &[usize], x: &[usize], y: &[usize]) -> Result<Work, String> {
    let table = Some((without_batch(axis)?, indices.to_vec()));
    Moves { table, ..Moves::of(y) }.work(x, y)
}

/// Zeros between the places of an image.
pub(super) fn spread(step: Pair, x: &[usize], y: &[usize]) -> Result<Work, String> {
    Moves { by: vec![1, step.h, step.w], ..Moves::of(y) }.work(x, y)
}

/// Elements at indices that are values.
pub(super) fn take(axis: usize, x: &[usize], indices: &[usize], y: &[usize]) -> Result<Work, String> {
    let axis = without_batch(axis)?;
    let (k, inner): (usize, usize) = (indices.iter().product(), x[axis + 1..].iter().product());
    let words = [x[axis], inner, k, x[..axis].iter().product()].map(word).to_vec();
    Ok(Work::plain(Shader::Take, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}

/// Rows of a matrix, changed at indices that are values.
pub(super) fn scatter(update: Update, x: &[usize], indices: &[usize], y: &[usize]) -> Result<Work, String> {
    let update = match update {
        Update::Set => 0,
        Update::Add => 1,
        Update::Multiply => 2,
        Update::Max => 3,
        Update::Min => 4,
    };
    let &[n, m, ..] = x else { return Err("rows of a matrix are written".into()) };
    let words = vec![word(n), word(m), word(indices.iter().product()), update];
    Ok(Work::plain(Shader::Scatter, words, Groups::Elements(y.iter().product::<usize>() as u64)))
}
