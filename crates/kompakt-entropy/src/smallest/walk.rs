//! Walks over a layer row by row: queries the models, codes, and keeps the statistics that the models use.

use super::{
    binary::Coder,
    cells::Cells,
    columns::Columns,
    edition::{Edition, First},
    kept::{self, KeptModel, Place},
    layer::LayerContext,
    level::{LevelModel, Spot},
    mixer::INPUT_MAX,
    neighbours::Neighbours,
    picture::near,
    priors, processor,
    quantiser::Quantiser,
    sign::Balance,
    stream::Hints,
    tables::{coarse, log},
    window::Window,
};
use crate::{EntropyError, Isa};
use alloc::{vec, vec::Vec};

/// The models of all layers of a stream.
#[derive(Debug, Clone)]
pub(crate) struct WeightModel {
    kept: KeptModel,
    level: LevelModel,
}

/// Statistics over the rows so far.
#[derive(Default)]
pub(crate) struct Tensor {
    n_kept: u64,
    pub(crate) balance: Balance,
    pub(crate) magnitude: u64,
    pub(crate) n_values: u64,
    /// Kept and expected (1/65536) in the last row, and in all rows with those long ago fading out (both 1/65536).
    last: (u64, u64),
    faded: (u64, u64),
    /// Where codes follow a trellis.
    quantisers: [Quantiser; 2],
}

/// Statistics over the row so far.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) index: usize,
    /// What the rows before say this one keeps for each one expected, in 1/65536.
    prior: u64,
    pub(crate) n_kept: u64,
    /// In 1/65536.
    expected: u64,
    /// The logarithm of what is kept and what the rows before say; what is kept as [`coarse`] has it.
    log_kept: i32,
    coarse_kept: usize,
    pub(crate) balance: Balance,
    pub(crate) magnitude: u64,
    pub(crate) agreed: u32,
    pub(crate) disagreed: u32,
}

/// What moves along with the coder.
pub(crate) struct Progress {
    pub(crate) tensor: Tensor,
    pub(crate) row: Row,
    pub(crate) columns: Columns,
    neighbours: Neighbours,
    pub(crate) window: Window,
}

impl WeightModel {
    pub(crate) fn new() -> Self {
        Self { kept: KeptModel::new(), level: LevelModel::new() }
    }

    /// Codes a layer; all instruction sets give the same bits.
    pub(crate) fn code<C: Coder, D: Cells>(
        &mut self,
        isa: Isa,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
    ) -> Result<(), EntropyError> {
        self.code_edition(isa, coder, cells, hints, &mut First)
    }

    /// The same, where an earlier edition of the layer may be known.
    pub(crate) fn code_edition<C: Coder, D: Cells, E: Edition>(
        &mut self,
        isa: Isa,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
        edition: &mut E,
    ) -> Result<(), EntropyError> {
        let layer = LayerContext::new(cells, hints);
        if layer.row_len == 0 {
            return Ok(());
        }
        processor::run(isa, Walk::new(self, coder, cells, layer, edition))
    }
}

/// One layer being coded.
pub(crate) struct Walk<'a, C, D, E> {
    models: &'a mut WeightModel,
    coder: &'a mut C,
    cells: &'a mut D,
    layer: LayerContext,
    edition: &'a mut E,
    /// Of the row, where there are blocks: the prediction of each flag.
    flags: Vec<i32>,
}

impl<'a, C, D: Cells, E> Walk<'a, C, D, E> {
    fn new(
        models: &'a mut WeightModel,
        coder: &'a mut C,
        cells: &'a mut D,
        layer: LayerContext,
        edition: &'a mut E,
    ) -> Self {
        let flags = if layer.has_blocks { vec![0; layer.row_len] } else { Vec::new() };
        Self { models, coder, cells, layer, edition, flags }
    }
}

impl<C: Coder, D: Cells, E: Edition> processor::Job for Walk<'_, C, D, E> {
    #[inline(always)]
    fn run(mut self) -> Result<(), EntropyError> {
        let (layer, rows) = (&self.layer, self.cells.shape().rows);
        let mut progress = Progress {
            tensor: Tensor::default(),
            row: Row::default(),
            columns: Columns::new(layer.row_len, &layer.picture),
            neighbours: Neighbours::new(layer.row_len, &layer.picture),
            window: Window::new(layer.row_len, &layer.picture),
        };
        for index in 0..rows {
            progress.start_row(index, &self.layer);
            self.code_row(&mut progress);
            progress.tensor.end_row(&progress.row);
            self.coder.check()?;
        }
        Ok(())
    }
}

impl<C: Coder, D: Cells, E: Edition> Walk<'_, C, D, E> {
    #[inline(always)]
    fn code_row(&mut self, progress: &mut Progress) {
        let (width, height) = (self.layer.picture.width, self.layer.picture.height);
        let mut column = 0;
        for plane in 0..self.layer.row_len / (width * height) {
            for y in 0..height {
                progress.window.start(&self.layer.picture, y, column);
                for x in 0..width {
                    self.code_weight(progress, &Spot { plane, y, x, column });
                    column += 1;
                }
            }
        }
    }

    #[inline(always)]
    fn code_weight(&mut self, progress: &mut Progress, spot: &Spot) {
        let (models, kind) = (&mut *self.models, self.layer.picture.kind);
        let at = progress.row.index * self.layer.row_len + spot.column;
        let place = progress.place(&self.layer, spot, self.cells);
        progress.row.expected += u64::from(place.column_p);
        let (mut is_kept, mut kept_logit) = (true, 0);
        let back = self.layer.column(spot.column).back as usize;
        if back > 0 {
            (is_kept, kept_logit) = (self.cells.kept(at - back), self.flags[spot.column - back]);
        } else if self.layer.has_mask {
            let prediction = models.kept.predict(kind, &place);
            is_kept = self.edition.kept(self.coder, self.cells, &self.layer, at, prediction.logit());
            models.kept.learn(kind, &prediction, is_kept);
            kept_logit = prediction.logit();
            if let Some(flag) = self.flags.get_mut(spot.column) {
                *flag = kept_logit;
            }
        }
        if is_kept {
            let spot = spot.keep(place.kept, kept_logit);
            let level = models.level.code(self.coder, self.cells, &self.layer, progress, &spot, self.edition);
            self.cells.keep(at, level);
            progress.row.count();
            progress.columns.all[spot.column].count();
            progress.neighbours.keep(spot.column);
        }
        if self.layer.trellis {
            progress.note_state(&self.layer, spot.column, is_kept, self.cells.level(at));
        }
        progress.window.push(spot.column, is_kept, place.p);
    }
}

impl Progress {
    #[inline(always)]
    fn start_row(&mut self, index: usize, layer: &LayerContext) {
        self.row = Row { index, prior: self.tensor.row_prior(), ..Row::default() };
        self.row.note();
        self.columns.estimate(&layer.picture, index, self.tensor.n_kept);
        if index > 0 {
            self.neighbours.advance();
        }
        if layer.trellis {
            self.tensor.quantisers.iter_mut().for_each(Quantiser::estimate);
        }
    }

    /// Moves the column's state on.
    #[inline(always)]
    fn note_state(&mut self, layer: &LayerContext, column: usize, is_kept: bool, code: u8) {
        let column = &mut self.columns.all[column];
        self.tensor.quantisers[column.state.quantiser()].count(is_kept, column.p);
        column.state = layer.next_state(column.state, is_kept, code);
    }

    /// What is known before the weight at `spot` is coded.
    #[inline(always)]
    fn place<D: Cells>(&self, layer: &LayerContext, spot: &Spot, cells: &D) -> Place {
        let picture = &layer.picture;
        let column = spot.column;
        let fixed = layer.column(column);
        let present = picture.present(self.row.index, spot.plane, spot.y * picture.width + spot.x);
        let kept = self.neighbours.of(column) & present;
        let row_logit = self.row.logit();
        let so_far = &self.columns.all[column];
        let (mut column_logit, mut column_p, mut quantiser) = (so_far.logit, so_far.p, None);
        if layer.trellis {
            let index = so_far.state.quantiser();
            quantiser = Some(index);
            (column_logit, column_p) = self.tensor.quantisers[index].shifted(column_logit);
        }
        let left_magnitude = if kept >> near::LEFT & 1 == 1 {
            layer.part(cells.level(self.row.index * layer.row_len + column - 1)).magnitude
        } else {
            0
        };
        Place {
            row: coarse(self.row.index as u32),
            column: usize::from(fixed.index),
            producer: usize::from(fixed.producer),
            in_column: usize::from(so_far.coarse_kept),
            in_row: self.row.coarse_kept,
            place: usize::from(fixed.place),
            present,
            kept,
            column_logit,
            column_p,
            quantiser,
            row_logit,
            p: kept::base(column_logit, row_logit),
            window: self.window.surprise(spot.x),
            left_magnitude,
            producer_logit: fixed.producer_logit,
        }
    }
}

impl Tensor {
    /// What the rows so far say the next one keeps for each one expected: a quarter of the last row, the rest of all.
    fn row_prior(&self) -> u64 {
        let of = |(kept, expected): (u64, u64)| {
            ((kept + priors::RATIO_PRIOR) << 16) / (expected + priors::RATIO_PRIOR)
        };
        (of(self.last) + 3 * of(self.faded)) / 4
    }

    fn end_row(&mut self, row: &Row) {
        let fade = |sum: u64| (sum * priors::ROW_MEMORY) >> 8;
        self.n_kept += row.n_kept;
        self.last = (row.n_kept << 16, row.expected);
        self.faded = (fade(self.faded.0) + self.last.0, fade(self.faded.1) + self.last.1);
    }
}

impl Row {
    /// Counts a kept weight.
    #[inline(always)]
    fn count(&mut self) {
        self.n_kept += 1;
        self.note();
    }

    #[inline(always)]
    fn note(&mut self) {
        self.log_kept = log((self.n_kept << 16) + ((priors::ROW_PRIOR * self.prior) >> 16));
        self.coarse_kept = coarse(self.n_kept as u32);
    }

    /// The logarithm of kept against expected.
    #[inline(always)]
    fn logit(&self) -> i32 {
        (self.log_kept - log(self.expected + priors::ROW_PRIOR)).clamp(-INPUT_MAX, INPUT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            binary::{Decoder, Encoder},
            cells::{Source, Target},
        },
        *,
    };
    use crate::MaskedCodesBuf;
    use processor::Job as _;

    /// What the plain code writes, the code for this processor reads, and the other way round.
    #[test]
    fn every_processor_has_the_same_bits() {
        arbtest::arbtest(|u| {
            let (rows, channels) = (u.int_in_range(1..=12)?, u.int_in_range(1..=40)?);
            let mut weights = MaskedCodesBuf::new([rows, channels, 1], true, 9, 4).unwrap();
            for i in 0..weights.codes.len() {
                if u.ratio(1, 4)? {
                    weights.codes[i] = u.int_in_range(0..=8)?;
                    weights.mask.as_mut().unwrap()[i] = true;
                }
            }
            let hints = Hints { producer: None, grid: (channels % 5 == 0).then_some((5, channels / 5)) };
            let write = |plain: bool| {
                let (mut models, mut coder) = (WeightModel::new(), Encoder::new());
                let view = weights.view();
                let mut cells = Source(&view);
                let layer = LayerContext::new(&cells, hints);
                let mut first = First;
                let walk = Walk::new(&mut models, &mut coder, &mut cells, layer, &mut first);
                if plain { walk.run() } else { processor::run(Isa::best(), walk) }.unwrap();
                coder.finish()
            };
            let bytes = write(true);
            assert_eq!(bytes, write(false));
            for plain in [true, false] {
                let (mut models, mut coder) = (WeightModel::new(), Decoder::new(&bytes));
                let mut read = MaskedCodesBuf::new([rows, channels, 1], true, 9, 4).unwrap();
                let mut cells = Target(&mut read);
                let layer = LayerContext::new(&cells, hints);
                let mut first = First;
                let walk = Walk::new(&mut models, &mut coder, &mut cells, layer, &mut first);
                if plain { walk.run() } else { processor::run(Isa::best(), walk) }.unwrap();
                coder.finish().unwrap();
                assert_eq!(read, weights);
            }
            Ok(())
        });
    }
}
