//! The level of a kept weight: its sign, then its magnitude, from the weights around it.

use super::{
    binary::Coder,
    cells::Cells,
    edition::Edition,
    layer::{LayerContext, Part, relative},
    magnitude::{self, Cut, MagnitudeModel},
    picture::{Kind, near},
    sign::{self, Balance, SignModel},
    walk::Progress,
};
use crate::trellis;
use alloc::boxed::Box;

/// The models of signs and magnitudes.
#[derive(Debug, Clone)]
pub(crate) struct LevelModel {
    sign: SignModel,
    magnitude: MagnitudeModel,
    /// Of the levels of a trellis's quantiser 1, made when there are some.
    other: Option<Box<MagnitudeModel>>,
}

/// Where a weight is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) plane: usize,
    pub(crate) y: usize,
    pub(crate) x: usize,
    pub(crate) column: usize,
}

/// Where a kept weight is, which of its neighbours are kept, and the logit that it was kept with.
pub(crate) struct KeptSpot {
    pub(crate) column: usize,
    y: usize,
    x: usize,
    kept: u32,
    logit: i32,
}

impl Spot {
    #[inline(always)]
    pub(crate) fn keep(&self, kept: u32, logit: i32) -> KeptSpot {
        KeptSpot { column: self.column, y: self.y, x: self.x, kept, logit }
    }
}

/// The neighbours whose signs are inputs, in the order of the inputs.
const SIGNS: [u32; sign::N_NEAR] = [
    near::LEFT,
    near::LEFT_2,
    near::UP,
    near::UP_LEFT,
    near::UP_RIGHT,
    near::UP_2,
    near::ABOVE,
    near::ABOVE_2,
    near::ABOVE_RIGHT,
    near::ABOVE_DOWN,
    near::PLANE,
];

impl LevelModel {
    pub(crate) fn new() -> Self {
        Self { sign: SignModel::new(), magnitude: MagnitudeModel::new(), other: None }
    }

    /// Codes the code of a kept weight.
    #[inline(always)]
    pub(crate) fn code<C: Coder, D: Cells, E: Edition>(
        &mut self,
        coder: &mut C,
        cells: &D,
        layer: &LayerContext,
        progress: &mut Progress,
        spot: &KeptSpot,
        edition: &mut E,
    ) -> u8 {
        let (kind, n_negative) = (layer.picture.kind, layer.n_negative);
        let at = progress.row.index * layer.row_len + spot.column;
        let wanted = usize::from(cells.level(at));
        let around = Around::new(cells, layer, progress, spot);
        let mut is_positive = n_negative == 0;
        if n_negative > 0 && n_negative < layer.n_levels {
            let prediction = self.sign.predict(kind, &around.signs(progress, spot.column));
            is_positive = edition.sign(coder, layer, at, wanted >= n_negative, prediction.logit());
            self.sign.learn(kind, &prediction, is_positive);
            progress.note_sign(spot.column, is_positive, around.signs[6]);
        }
        let side = if is_positive { layer.n_levels - n_negative } else { n_negative };
        let wanted =
            if is_positive { wanted.wrapping_sub(n_negative) } else { n_negative.wrapping_sub(1 + wanted) };
        edition.start_magnitude(layer, at, is_positive);
        let known = magnitude::Known::new(&around.magnitudes(progress, spot));
        let (mut model, mut among) = (&mut self.magnitude, (side, is_positive, wanted));
        let quantiser = progress.columns.all[spot.column].state.quantiser();
        if layer.trellis {
            among = (trellis::n_levels(side, quantiser), is_positive, wanted / 2);
            if quantiser == 1 {
                model = self.other.get_or_insert_with(|| Box::new(MagnitudeModel::new()));
            }
        }
        let mut m = code_magnitude(model, coder, kind, &known, among, edition);
        if layer.trellis {
            m = trellis::magnitude(m, quantiser);
        }
        edition.end_magnitude(m);
        progress.note_magnitude(spot.column, relative(m, side));
        (if is_positive { n_negative + m } else { n_negative - 1 - m }) as u8
    }
}

#[inline(always)]
fn code_magnitude<C: Coder>(
    model: &mut MagnitudeModel,
    coder: &mut C,
    kind: Kind,
    known: &magnitude::Known,
    (side, is_positive, wanted): (usize, bool, usize),
    edition: &mut impl Edition,
) -> usize {
    let (mut lo, mut hi, mut node) = (0, side, 1);
    while hi - lo > 1 {
        let middle = usize::midpoint(lo, hi);
        let cut = Cut::new(side, !is_positive, node, [lo, middle, hi]);
        let prediction = model.predict(kind, known, cut);
        let upper = edition.cut(coder, [lo, middle, hi], wanted >= middle, prediction.p());
        model.learn(kind, &prediction, upper);
        if upper {
            lo = middle
        } else {
            hi = middle
        }
        node = 2 * node + usize::from(upper);
    }
    lo
}

/// The weights around one.
struct Around {
    /// As in [`sign::Surroundings::signs`].
    signs: [i32; sign::N_NEAR],
    /// As in [`magnitude::Surroundings::near`].
    magnitudes: [Option<i32>; 4],
    /// Positive and negative signs in the window, by nearness; and magnitudes times nearness.
    window_signs: [u32; 2],
    window_magnitude: u32,
}

impl Around {
    #[inline(always)]
    fn new<D: Cells>(cells: &D, layer: &LayerContext, progress: &Progress, spot: &KeptSpot) -> Self {
        let start = progress.row.index * layer.row_len;
        let at = start + spot.column;
        let look = |neighbour: u32| -> Option<Part> {
            if spot.kept >> neighbour & 1 == 0 {
                return None;
            }
            let back = near::ROWS_BACK[neighbour as usize] * layer.row_len;
            let index = (at - back).wrapping_add_signed(layer.picture.offsets[neighbour as usize]);
            Some(layer.part(cells.level(index)))
        };
        let signs = SIGNS.map(|n| look(n).map_or(0, |part| if part.is_positive { 1 } else { -1 }));
        let magnitudes =
            [near::LEFT, near::UP, near::ABOVE, near::PLANE].map(|n| look(n).map(|part| part.magnitude));
        let mut around = Self { signs, magnitudes, window_signs: [0; 2], window_magnitude: 0 };
        progress.window.visit(&layer.picture, [spot.y, spot.x], spot.column, |column, nearness| {
            let part = layer.part(cells.level(start + column));
            around.window_signs[usize::from(!part.is_positive)] += nearness;
            around.window_magnitude += nearness * part.magnitude as u32;
        });
        around
    }

    #[inline(always)]
    fn signs(&self, progress: &Progress, column: usize) -> sign::Surroundings {
        let column = &progress.columns.all[column];
        sign::Surroundings {
            tensor: progress.tensor.balance,
            row: progress.row.balance,
            column: Balance { kept: column.kept, positive: column.positive },
            signs: self.signs,
            agreed: progress.row.agreed,
            disagreed: progress.row.disagreed,
            window: self.window_signs,
        }
    }

    #[inline(always)]
    fn magnitudes(&self, progress: &Progress, spot: &KeptSpot) -> magnitude::Surroundings {
        let (tensor, row) = (&progress.tensor, &progress.row);
        let column = &progress.columns.all[spot.column];
        let of_tensor = (tensor.magnitude + 128) / (tensor.n_values + 1);
        let mean = |sum: u64, count: u64, prior: u64| ((sum + prior * of_tensor) / (count + prior)) as i32;
        let nearness = u64::from(self.window_signs[0] + self.window_signs[1]);
        magnitude::Surroundings {
            kept_logit: spot.logit,
            tensor: of_tensor as i32,
            row: mean(row.magnitude, row.n_kept, 2),
            column: mean(column.magnitude, u64::from(column.kept), 1),
            window: mean(u64::from(self.window_magnitude), nearness, 32),
            near: self.magnitudes,
            in_column: column.kept,
        }
    }
}

impl Progress {
    /// `above` is the sign in the row before.
    #[inline(always)]
    fn note_sign(&mut self, column: usize, is_positive: bool, above: i32) {
        self.tensor.balance.add(is_positive);
        self.row.balance.add(is_positive);
        self.columns.all[column].positive += u32::from(is_positive);
        match above {
            0 => {}
            _ if (above > 0) == is_positive => self.row.agreed = (self.row.agreed + 1).min(1 << 20),
            _ => self.row.disagreed = (self.row.disagreed + 1).min(1 << 20),
        }
    }

    #[inline(always)]
    fn note_magnitude(&mut self, column: usize, magnitude: i32) {
        self.tensor.magnitude += magnitude as u64;
        self.tensor.n_values += 1;
        self.row.magnitude += magnitude as u64;
        self.columns.all[column].magnitude += magnitude as u64;
    }
}
