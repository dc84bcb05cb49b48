//! The model of a layer: which weights are kept, and their levels, row by row.

use super::{binary::Coder, cells::Cells, counter::Counter, mixer::Mixer, stream::Hints, tables};
use crate::EntropyError;
use alloc::{vec, vec::Vec};

const N_FLAG: usize = 8;
const N_VALUE: usize = 4;
const LIMIT: u32 = 255;

#[derive(Debug, Clone)]
pub(crate) struct WeightModel {
    flags: [Vec<Counter>; N_FLAG - 3],
    flag_mixer: Mixer<N_FLAG>,
    values: [Vec<Counter>; N_VALUE],
    value_mixer: Mixer<N_VALUE>,
}

/// A coarse logarithm: 0, 1, 2, 3, 4, then two steps an octave.
fn coarse(n: u32) -> usize {
    if n < 4 {
        return n as usize;
    }
    let octave = n.ilog2();
    ((octave * 2 + (n >> (octave - 1) & 1)) as usize).min(23)
}

impl WeightModel {
    pub(crate) fn new() -> Self {
        let counters = |n: usize| vec![Counter::NEW; n];
        Self {
            flags: core::array::from_fn(|_| counters(4096)),
            flag_mixer: Mixer::new(
                24,
                [1 << 15, 1 << 15, -(1 << 14), 13000, 13000, 13000, 13000, 13000],
                250,
            ),
            values: core::array::from_fn(|_| counters(1024 * 16)),
            value_mixer: Mixer::new(16, [20000; N_VALUE], 250),
        }
    }

    pub(crate) fn code<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
    ) -> Result<(), EntropyError> {
        let shape = cells.shape();
        let (rows, channels, taps) = (shape.rows, shape.channels, shape.taps);
        let (n_levels, n_negative, has_mask) =
            (shape.n_levels as u32, shape.n_negative as u32, shape.mask.is_some());
        let row_len = shape.row_len();
        let width = hints.grid.map_or(1, |g| g.1);
        let mut columns = vec![0_u32; row_len];
        let mut signs = vec![0_i32; row_len];
        let mut producers: Vec<u32> = vec![0; channels];
        if let Some(p) = hints.producer {
            producers.copy_from_slice(p);
        }
        let mut total = 0_u32;
        let mut previous_row = 0_u32;
        for row in 0..rows {
            let mut in_row = 0;
            let mut row_sign = 0_i32;
            let mut last = 0_u8;
            for col in 0..row_len {
                let at = row * row_len + col;
                let near = |back: usize| if col >= back { u32::from(cells.kept(at - back)) } else { 0 };
                let (left, left2, up) = (near(1), near(2), if width > 1 { near(width) } else { 0 });
                let up_right = if width > 1 { near(width - 1) } else { 0 };
                let above = if row > 0 { u32::from(cells.kept(at - row_len)) } else { 0 };
                let kept = if has_mask {
                    let seen = (row * row_len + col) as u32;
                    let column = columns[col];
                    let prior = tables::logit(2 * total + 1, 2 * (seen - total) + 20);
                    let by_row = if row == 0 {
                        tables::logit(2 * in_row + 1, 2 * (col as u32 - in_row) + 12)
                    } else {
                        let scale = row_len as u32 / 8 + 1;
                        tables::logit(
                            8 * in_row + previous_row / scale * 8 + 4,
                            8 * (col as u32 - in_row) + 64,
                        )
                    };
                    let by_column = tables::logit(4 * column + 1, 4 * (row as u32 - column) + 8);
                    let beside = if col > 0 { columns[col - 1] } else { 0 };
                    let beyond = if col + 1 < row_len { columns[col + 1] } else { 0 };
                    let contexts = [
                        (left | left2 << 1 | up << 2 | up_right << 3 | above << 4) as usize,
                        coarse(column) * 24 + coarse(in_row),
                        coarse(beside + beyond) * 24 + coarse(column),
                        coarse(producers[col / taps]) * 24 + coarse(column),
                        if taps > 1 { col % taps } else { col } % 4096,
                    ];
                    let mut inputs = [0; N_FLAG];
                    inputs[0] = by_row;
                    inputs[1] = by_column;
                    inputs[2] = prior;
                    for (i, &context) in contexts.iter().enumerate() {
                        inputs[3 + i] = self.flags[i][context].logit();
                    }
                    let set = coarse(row as u32);
                    let logit = self.flag_mixer.mix(set, &inputs);
                    let kept = coder.code(cells.kept(at), tables::squash(logit));
                    self.flag_mixer.learn(set, &inputs, logit, kept);
                    for (i, &context) in contexts.iter().enumerate() {
                        self.flags[i][context].learn(kept, LIMIT);
                    }
                    kept
                } else {
                    true
                };
                let mut level = 0;
                if kept {
                    in_row += 1;
                    let (mut lo, mut hi) = (0_u32, n_levels);
                    let want = u32::from(cells.level(at));
                    let mut node = 1_usize;
                    while hi - lo > 1 {
                        let cut =
                            if lo < n_negative && n_negative < hi { n_negative } else { lo.midpoint(hi) };
                        let tone = |x: i32| (x.clamp(-3, 3) + 3) as usize;
                        let contexts = [
                            node,
                            node + 1024 * tone(signs[col]),
                            node + 1024 * tone(row_sign),
                            node + 1024 * (last as usize % 16),
                        ];
                        let inputs: [i32; N_VALUE] =
                            core::array::from_fn(|i| self.values[i][contexts[i] % 16384].logit());
                        let set = node.min(15);
                        let logit = self.value_mixer.mix(set, &inputs);
                        let upper = coder.code(want >= cut, tables::squash(logit));
                        self.value_mixer.learn(set, &inputs, logit, upper);
                        for (i, &context) in contexts.iter().enumerate() {
                            self.values[i][context % 16384].learn(upper, LIMIT);
                        }
                        if upper {
                            lo = cut
                        } else {
                            hi = cut
                        }
                        node = node * 2 + usize::from(upper);
                    }
                    level = lo as u8;
                    last = level;
                    let sign = if lo < n_negative { -1 } else { 1 };
                    row_sign += sign;
                    signs[col] += sign;
                    columns[col] += 1;
                }
                cells.set(at, kept, level);
            }
            total += in_row;
            previous_row = in_row;
            coder.check()?;
        }
        Ok(())
    }
}
