//! The quick models of weights, for tensors in sections of their own: those are large, and there simple models learn
//! about as much as rich ones, in a third of the time.
//!
//! ```text
//! kept        column + row ─┬─► mixed, five inputs, one set of weights
//!             neighbours  ──┘
//! positive    one counter, chosen by the signs of four neighbours
//! magnitude   one counter per cut, chosen by how large row and column are; below four cuts by the cut alone
//! ```
//!
//! What the rows tell of a column is worked out every eighth row, what the row tells of itself every sixteenth
//! column. Neighbours are found by their distance alone: on the left edge of a plane the one on the left is the last
//! of the line before.

mod columns;
mod flag;
mod sums;

use super::{
    binary::Coder, cells::Cells, counter::Counter, layer::LayerContext, picture::Kind, picture::Picture,
    processor, quantiser::Quantiser, stream::Hints,
};
use crate::{EntropyError, Isa, trellis};
use alloc::{boxed::Box, vec, vec::Vec};
use columns::Columns;
use flag::{Flag, KeptModel};
use sums::{RowSums, TensorSums};

/// From the row on that this is, columns are estimated only in every such row.
const ROWS_A_SPAN: usize = 8;
/// After so many columns the row is estimated again.
const COLUMNS_A_SPAN: usize = 16;
/// Counters count up to here.
const LIMIT: u32 = 1000;
/// Classes of how large row and column are.
const N_SCALES: usize = 16;
/// Cuts of a magnitude that are distinguished by class: nodes below this.
const N_SCALED: usize = 16;

/// A weight as its neighbours see it.
const PRUNED: u8 = 0;
const NEGATIVE: u8 = 1;
const POSITIVE: u8 = 2;

/// See the [module page](self).
#[derive(Debug, Clone)]
pub(crate) struct QuickModel {
    kept: KeptModel,
    /// By the signs on the left, above, in the row before and in the plane before.
    sign: Box<[Counter; 128]>,
    /// By quantiser of a trellis, sign, node and class.
    scaled: Box<[Counter; 4 * N_SCALED * N_SCALES]>,
    /// By quantiser, node and sign.
    deep: Box<[Counter; 1024]>,
}

impl QuickModel {
    pub(crate) fn new() -> Self {
        Self {
            kept: KeptModel::new(),
            sign: Box::new([Counter::NEW; 128]),
            scaled: Box::new([Counter::NEW; 4 * N_SCALED * N_SCALES]),
            deep: Box::new([Counter::NEW; 1024]),
        }
    }

    /// Codes a layer; all instruction sets give the same bits.
    pub(crate) fn code<C: Coder, D: Cells>(
        &mut self,
        isa: Isa,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
    ) -> Result<(), EntropyError> {
        let layer = LayerContext::new(cells, hints);
        if layer.row_len == 0 {
            return Ok(());
        }
        processor::run(isa, Walk { models: self, coder, cells, layer })
    }

    #[inline(always)]
    fn code_sign<C: Coder>(&mut self, coder: &mut C, near: &Near, positive: bool) -> bool {
        let of = usize::from;
        let context = of(near.left) + 3 * of(near.up) + 9 * of(near.above) + 27 * of(near.plane);
        code(coder, &mut self.sign[context % 128], positive)
    }

    /// The magnitude, of a side of `side` levels.
    #[inline(always)]
    fn code_magnitude<C: Coder>(
        &mut self,
        coder: &mut C,
        (side, is_positive, wanted): (usize, bool, usize),
        quantiser: usize,
        scale: usize,
    ) -> usize {
        let (mut lo, mut hi, mut node) = (0, side, 1);
        let mut cut = |lo: &mut usize, hi: &mut usize, node: &mut usize, counter: &mut Counter| {
            let middle = usize::midpoint(*lo, *hi);
            let upper = code(coder, counter, wanted >= middle);
            *lo = if upper { middle } else { *lo };
            *hi = if upper { *hi } else { middle };
            *node = 2 * *node + usize::from(upper);
        };
        let sign = 2 * quantiser + usize::from(is_positive);
        while hi - lo > 1 && node < N_SCALED {
            let context = (sign * N_SCALED + node) * N_SCALES + scale;
            cut(&mut lo, &mut hi, &mut node, &mut self.scaled[context % (4 * N_SCALED * N_SCALES)]);
        }
        while hi - lo > 1 {
            let context = 512 * quantiser + 2 * node + usize::from(is_positive);
            cut(&mut lo, &mut hi, &mut node, &mut self.deep[context % 1024]);
        }
        lo
    }
}

/// Codes a bit by a counter alone.
#[inline(always)]
fn code<C: Coder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let bit = coder.code(bit, (counter.p() >> 6).clamp(1, 65535));
    counter.learn(bit, LIMIT);
    bit
}

/// What there is around a weight.
#[derive(Debug, Clone, Copy)]
struct Near {
    left: u8,
    up: u8,
    plane: u8,
    above: u8,
    above_right: u8,
}

/// The row at hand and the one before, with what lies before the first column pruned.
struct Rows {
    here: Vec<u8>,
    above: Vec<u8>,
    margin: usize,
    up: usize,
    plane: usize,
}

impl Rows {
    fn new(row_len: usize, picture: &Picture) -> Self {
        let (up, plane) = if picture.kind == Kind::Line { (2, 3) } else { (picture.width, picture.area()) };
        let margin = up.max(plane);
        let row = vec![PRUNED; margin + row_len + 1];
        Self { here: row.clone(), above: row, margin, up, plane }
    }

    #[inline(always)]
    fn near(&self, column: usize) -> Near {
        let i = self.margin + column;
        let (here, above) = (&self.here, &self.above);
        Near {
            left: here[i - 1],
            up: here[i - self.up],
            plane: here[i - self.plane],
            above: above[i],
            above_right: above[i + 1],
        }
    }
}

/// One layer being coded.
struct Walk<'a, C, D> {
    models: &'a mut QuickModel,
    coder: &'a mut C,
    cells: &'a mut D,
    layer: LayerContext,
}

impl<C: Coder, D: Cells> processor::Job for Walk<'_, C, D> {
    #[inline(always)]
    fn run(mut self) -> Result<(), EntropyError> {
        let (n_rows, row_len) = (self.cells.shape().rows, self.layer.row_len);
        let mut columns = Columns::new(row_len);
        let mut rows = Rows::new(row_len, &self.layer.picture);
        let mut tensor = TensorSums::default();
        // As a local copy, the coder's state can stay in registers.
        let mut coder = core::mem::take(self.coder);
        let mut so_far = Ok(());
        for row in 0..n_rows {
            if self.layer.trellis {
                tensor.quantisers.iter_mut().for_each(Quantiser::estimate);
            }
            if row < ROWS_A_SPAN || row % ROWS_A_SPAN == 0 {
                columns.estimate(row, &tensor);
            }
            core::mem::swap(&mut rows.here, &mut rows.above);
            let mut sums = RowSums::new(&tensor);
            for from in (0..row_len).step_by(COLUMNS_A_SPAN) {
                self.code_span(&mut coder, row, from, &mut columns, &mut rows, (&mut sums, &mut tensor));
            }
            tensor.add(&sums);
            so_far = coder.check();
            if so_far.is_err() {
                break;
            }
        }
        *self.coder = coder;
        so_far
    }
}

impl<C: Coder, D: Cells> Walk<'_, C, D> {
    /// Codes the columns for which the row's own estimate holds.
    #[inline(always)]
    fn code_span(
        &mut self,
        coder: &mut C,
        row: usize,
        from: usize,
        columns: &mut Columns,
        rows: &mut Rows,
        (sums, tensor): (&mut RowSums, &mut TensorSums),
    ) {
        let row_len = self.layer.row_len;
        let (row_logit, row_scale) = sums.estimate();
        let Columns { counts, estimates, states } = columns;
        let to = (from + COLUMNS_A_SPAN).min(row_len);
        for (column, estimate) in (from..).zip(&estimates[from..to]) {
            let (at, near) = (row * row_len + column, rows.near(column));
            let (mut logit, mut p, mut quantiser) = (i32::from(estimate.logit), u32::from(estimate.p), 0);
            if self.layer.trellis {
                quantiser = states[column].quantiser();
                (logit, p) = tensor.quantisers[quantiser].shifted(logit);
            }
            sums.expect(p);
            let back = self.layer.column(column).back as usize;
            let is_kept = if back > 0 {
                self.cells.kept(at - back)
            } else if !self.layer.has_mask {
                true
            } else {
                let flag = Flag { column_logit: logit, row_logit, near, quantiser };
                self.models.kept.code(coder, &mut sums.recent, &flag, self.cells.kept(at))
            };
            let mut seen = PRUNED;
            if is_kept {
                let code =
                    self.code_level(coder, at, &near, (i32::from(estimate.scale) + row_scale, quantiser));
                let part = self.layer.part(code);
                self.cells.keep(at, code);
                sums.keep(part.magnitude);
                counts[column].keep(part.magnitude);
                seen = if part.is_positive { POSITIVE } else { NEGATIVE };
            }
            rows.here[rows.margin + column] = seen;
            if self.layer.trellis {
                tensor.quantisers[quantiser].count(is_kept, u32::from(estimate.p));
                let state = &mut states[column];
                *state = self.layer.next_state(*state, is_kept, self.cells.level(at));
            }
        }
    }

    #[inline(always)]
    fn code_level(&mut self, coder: &mut C, at: usize, near: &Near, (scale, quantiser): (i32, usize)) -> u8 {
        let (n_levels, n_negative) = (self.layer.n_levels, self.layer.n_negative);
        let wanted = usize::from(self.cells.level(at));
        let mut is_positive = n_negative == 0;
        if n_negative > 0 && n_negative < n_levels {
            is_positive = self.models.code_sign(coder, near, wanted >= n_negative);
        }
        let scale = ((scale + 272) >> 5).clamp(0, N_SCALES as i32 - 1) as usize;
        // A reader's `wanted` means nothing.
        let (side, wanted) = if is_positive {
            (n_levels - n_negative, wanted.wrapping_sub(n_negative))
        } else {
            (n_negative, n_negative.wrapping_sub(1 + wanted))
        };
        let mut among = (side, is_positive, wanted);
        if self.layer.trellis {
            among = (trellis::n_levels(side, quantiser), is_positive, wanted / 2);
        }
        let mut m = self.models.code_magnitude(coder, among, quantiser, scale);
        if self.layer.trellis {
            m = trellis::magnitude(m, quantiser);
        }
        (if is_positive { n_negative + m } else { n_negative - 1 - m }) as u8
    }
}
