//! Walks over a layer row by row: asks the models, codes, and keeps the statistics that the models ask for.

use super::{
    binary::Coder,
    cells::Cells,
    columns::Columns,
    kept::{self, KeptModel, Place},
    magnitude::{self, Cut, MagnitudeModel},
    mixer::INPUT_MAX,
    picture::{Picture, near},
    priors,
    sign::{self, Balance, SignModel},
    stream::Hints,
    tables::{log, ratio},
    window::Window,
};
use crate::EntropyError;
use alloc::{vec, vec::Vec};

/// The models of all layers of a stream.
#[derive(Debug, Clone)]
pub(crate) struct WeightModel {
    kept: KeptModel,
    sign: SignModel,
    magnitude: MagnitudeModel,
}

/// What is fixed for a layer.
struct Layer<'a> {
    picture: Picture,
    row_len: usize,
    taps: usize,
    has_mask: bool,
    n_levels: usize,
    n_negative: usize,
    producer: Option<&'a [u32]>,
    /// Half the logarithm of each channel's producer count against the mean; empty without a producer.
    producer_logits: Vec<i32>,
}

/// Statistics over the rows so far.
#[derive(Default)]
struct Tensor {
    n_kept: u64,
    balance: Balance,
    magnitude: u64,
    n_values: u64,
    /// Kept and expected (1/65536) in the last row, and in all rows with those long ago fading out (both 1/65536).
    last: (u64, u64),
    faded: (u64, u64),
}

/// Statistics over the row so far.
#[derive(Default)]
struct Row {
    index: usize,
    /// What the rows before say this one keeps for each one expected, in 1/65536.
    prior: u64,
    n_kept: u64,
    expected: u64,
    balance: Balance,
    magnitude: u64,
    agreed: u32,
    disagreed: u32,
}

/// The flags of this row and the three before, each with a margin that reads as zero.
struct Flags {
    rows: [Vec<u8>; 4],
    margin: usize,
}

impl Flags {
    fn new(row_len: usize, margin: usize) -> Self {
        let row = || vec![0; row_len + 2 * margin];
        Self { rows: [row(), row(), row(), row()], margin }
    }

    /// Moves on to the next row.
    fn advance(&mut self) {
        self.rows.rotate_right(1);
        self.rows[0].fill(0);
    }

    /// This row's flags so far.
    fn current(&self) -> &[u8] {
        &self.rows[0][self.margin..]
    }

    fn keep(&mut self, column: usize) {
        self.rows[0][self.margin + column] = 1;
    }

    /// The kept ones of all neighbours of a column, as bits.
    #[inline]
    fn near(&self, picture: &Picture, column: usize) -> u32 {
        let at = self.margin + column;
        let mut bits = 0;
        for (i, &offset) in picture.offsets.iter().enumerate() {
            bits |= u32::from(self.rows[row_of(i)][at.wrapping_add_signed(offset)]) << i;
        }
        bits
    }
}

/// How many rows back a neighbour is.
#[inline]
fn row_of(neighbour: usize) -> usize {
    match neighbour as u32 {
        near::ABOVE_3 => 3,
        near::ABOVE_2 => 2,
        near::ABOVE.. => 1,
        _ => 0,
    }
}

impl WeightModel {
    pub(crate) fn new() -> Self {
        Self { kept: KeptModel::new(), sign: SignModel::new(), magnitude: MagnitudeModel::new() }
    }

    pub(crate) fn code<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &mut D,
        hints: Hints<'_>,
    ) -> Result<(), EntropyError> {
        let layer = Layer::new(cells, hints);
        let rows = cells.shape().rows;
        if layer.row_len == 0 {
            return Ok(());
        }
        let mut columns = Columns::new(layer.row_len);
        let mut flags = Flags::new(layer.row_len, layer.picture.margin());
        let mut window = Window::new(layer.row_len, &layer.picture);
        let mut tensor = Tensor::default();
        for index in 0..rows {
            columns.estimate(&layer.picture, index, tensor.n_kept);
            flags.advance();
            let row = Row { index, prior: tensor.row_prior(), ..Row::default() };
            self.code_row(coder, cells, &layer, &mut tensor, row, &mut columns, &mut flags, &mut window);
            coder.check()?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one state, borrowed apart")]
    fn code_row<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &mut D,
        layer: &Layer<'_>,
        tensor: &mut Tensor,
        mut row: Row,
        columns: &mut Columns,
        flags: &mut Flags,
        window: &mut Window,
    ) {
        let picture = &layer.picture;
        let mut column = 0;
        for plane in 0..layer.row_len / picture.area() {
            for y in 0..picture.height {
                window.start(picture, y, column, flags.current());
                for x in 0..picture.width {
                    let position = Position { plane, y, x, column };
                    let place = place(layer, &row, columns, flags, window, &position, cells);
                    row.expected += u64::from(columns.p[column]);
                    window.expect(column, place.p);
                    let at = row.index * layer.row_len + column;
                    let mut kept_logit = 0;
                    let mut is_kept = true;
                    if layer.has_mask {
                        let prediction = self.kept.predict(picture.kind, &place);
                        is_kept = coder.code(cells.kept(at), prediction.p());
                        self.kept.learn(picture.kind, &prediction, is_kept);
                        kept_logit = prediction.logit();
                    }
                    let mut level = 0;
                    if is_kept {
                        let mut value =
                            Value { layer, tensor, row: &mut row, columns, flags, position, place: &place };
                        level = self.code_level(coder, cells, &mut value, kept_logit);
                        flags.keep(column);
                    }
                    cells.set(at, is_kept, level);
                    column += 1;
                }
            }
        }
        tensor.end_row(&row);
    }

    /// Codes the level of a kept weight: its sign, then its magnitude.
    fn code_level<C: Coder, D: Cells>(
        &mut self,
        coder: &mut C,
        cells: &D,
        value: &mut Value<'_, '_>,
        kept_logit: i32,
    ) -> u8 {
        let (kind, n_negative) = (value.layer.picture.kind, value.layer.n_negative);
        let at = value.row.index * value.layer.row_len + value.position.column;
        let wanted = usize::from(cells.level(at));
        let around = value.around(cells);
        let mut positive = n_negative == 0;
        if n_negative > 0 && n_negative < value.layer.n_levels {
            let prediction = self.sign.predict(kind, &value.sign_surroundings(&around));
            positive = coder.code(wanted >= n_negative, prediction.p());
            self.sign.learn(kind, &prediction, positive);
            value.note_sign(positive, around.signs[6]);
        }
        let side = if positive { value.layer.n_levels - n_negative } else { n_negative };
        let wanted =
            if positive { wanted.wrapping_sub(n_negative) } else { n_negative.wrapping_sub(1 + wanted) };
        let surroundings = value.magnitude_surroundings(&around, kept_logit);
        let (mut lo, mut hi, mut node) = (0, side, 1);
        while hi - lo > 1 {
            let middle = usize::midpoint(lo, hi);
            let cut = Cut::new(side, !positive, node, [lo, middle, hi]);
            let prediction = self.magnitude.predict(kind, &surroundings, cut);
            let upper = coder.code(wanted >= middle, prediction.p());
            self.magnitude.learn(kind, &prediction, upper);
            if upper {
                lo = middle
            } else {
                hi = middle
            }
            node = 2 * node + usize::from(upper);
        }
        value.note_magnitude(relative(lo, side));
        (if positive { n_negative + lo } else { n_negative - 1 - lo }) as u8
    }
}

/// Where a weight is.
struct Position {
    plane: usize,
    y: usize,
    x: usize,
    column: usize,
}

/// The middle of magnitude `m` of a side of `side` levels, in 1/256 of the side.
fn relative(m: usize, side: usize) -> i32 {
    ((2 * m + 1) * 128 / side) as i32
}

impl<'a> Layer<'a> {
    fn new<D: Cells>(cells: &D, hints: Hints<'a>) -> Self {
        let shape = cells.shape();
        let producer_logits = hints.producer.map_or_else(Vec::new, |counts| {
            let sum: u64 = counts.iter().map(|&n| u64::from(n)).sum();
            let mean = (sum << 16) / counts.len().max(1) as u64;
            let of = |n: u32| log((u64::from(n) << 16) + priors::PRODUCER_PRIOR);
            counts.iter().map(|&n| (of(n) - log(mean + priors::PRODUCER_PRIOR)) >> 1).collect()
        });
        Self {
            picture: Picture::new(&shape, &hints),
            row_len: shape.row_len(),
            taps: shape.taps,
            has_mask: shape.mask.is_some(),
            n_levels: shape.n_levels,
            n_negative: shape.n_negative,
            producer: hints.producer,
            producer_logits,
        }
    }

    /// Whether a code is positive, and its magnitude.
    fn split(&self, code: u8) -> (bool, i32) {
        let (code, n) = (usize::from(code), self.n_negative);
        if code >= n {
            (true, relative(code - n, self.n_levels - n))
        } else {
            (false, relative(n - 1 - code, n))
        }
    }
}

impl Tensor {
    /// What the rows so far say the next one keeps for each one expected: the last row, and all of them, half each.
    fn row_prior(&self) -> u64 {
        let of = |(kept, expected): (u64, u64)| {
            ((kept + priors::RATIO_PRIOR) << 16) / (expected + priors::RATIO_PRIOR)
        };
        of(self.last).midpoint(of(self.faded))
    }

    fn end_row(&mut self, row: &Row) {
        let fade = |sum: u64| (sum * priors::ROW_MEMORY) >> 8;
        self.n_kept += row.n_kept;
        self.last = (row.n_kept << 16, row.expected);
        self.faded = (fade(self.faded.0) + self.last.0, fade(self.faded.1) + self.last.1);
    }
}

#[inline]
fn place<D: Cells>(
    layer: &Layer<'_>,
    row: &Row,
    columns: &Columns,
    flags: &Flags,
    window: &Window,
    position: &Position,
    cells: &D,
) -> Place {
    let picture = &layer.picture;
    let column = position.column;
    let in_picture = position.y * picture.width + position.x;
    let present = picture.present(row.index, position.plane, in_picture);
    let kept = flags.near(picture, column) & present;
    let more = (row.n_kept << 16) + ((priors::ROW_PRIOR * row.prior) >> 16);
    let row_logit = ratio(more, row.expected + priors::ROW_PRIOR).clamp(-INPUT_MAX, INPUT_MAX);
    let column_logit = columns.logit[column];
    let (n_near, expected) = window.sums(picture, position.x, column, flags.current());
    let prior = priors::WINDOW_PRIOR;
    let left_magnitude = if kept >> near::LEFT & 1 == 1 {
        layer.split(cells.level(row.index * layer.row_len + column - 1)).1
    } else {
        0
    };
    let channel = column / layer.taps;
    Place {
        row: row.index as u32,
        column: column as u32,
        place: in_picture as u32,
        present,
        kept,
        column_logit,
        row_logit,
        p: kept::base(column_logit, row_logit),
        window: ratio((u64::from(n_near) << 16) + prior, expected + prior),
        left_magnitude,
        producer_logit: layer.producer_logits.get(channel).copied().unwrap_or(0),
        producer: layer.producer.map_or(0, |counts| counts[channel]),
        in_column: columns.kept[column],
        in_row: row.n_kept as u32,
    }
}

/// A kept weight on its way through sign and magnitude.
struct Value<'a, 'b> {
    layer: &'a Layer<'b>,
    tensor: &'a mut Tensor,
    row: &'a mut Row,
    columns: &'a mut Columns,
    flags: &'a Flags,
    position: Position,
    place: &'a Place,
}

/// The weights around one.
struct Around {
    /// As in [`sign::Surroundings::signs`].
    signs: [i32; 11],
    /// As in [`magnitude::Surroundings::near`].
    magnitudes: [Option<i32>; 4],
    /// Positive and negative signs in the window, by nearness; and magnitudes times nearness.
    window_signs: [u32; 2],
    window_magnitude: u32,
}

impl Value<'_, '_> {
    fn around<D: Cells>(&self, cells: &D) -> Around {
        const SIGNS: [u32; 11] = [
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
        let (layer, column) = (self.layer, self.position.column);
        let start = self.row.index * layer.row_len;
        let look = |neighbour: u32| {
            (self.place.kept >> neighbour & 1 == 1).then(|| {
                let back = row_of(neighbour as usize) * layer.row_len;
                let index = start + column - back;
                layer.split(cells.level(index.wrapping_add_signed(layer.picture.offsets[neighbour as usize])))
            })
        };
        let signs = SIGNS.map(|n| look(n).map_or(0, |(positive, _)| if positive { 1 } else { -1 }));
        let magnitudes = [near::LEFT, near::UP, near::ABOVE, near::PLANE].map(|n| look(n).map(|(_, m)| m));
        let mut around = Around { signs, magnitudes, window_signs: [0; 2], window_magnitude: 0 };
        let place = [self.position.y, self.position.x];
        Window::visit(&layer.picture, place, column, self.flags.current(), |index, nearness| {
            let (positive, magnitude) = layer.split(cells.level(start + index));
            around.window_signs[usize::from(!positive)] += nearness;
            around.window_magnitude += nearness * magnitude as u32;
        });
        around
    }

    fn sign_surroundings(&self, around: &Around) -> sign::Surroundings {
        let column = self.position.column;
        sign::Surroundings {
            tensor: self.tensor.balance,
            row: self.row.balance,
            column: Balance { kept: self.columns.kept[column], positive: self.columns.positive[column] },
            signs: around.signs,
            agreed: self.row.agreed,
            disagreed: self.row.disagreed,
            window: around.window_signs,
        }
    }

    fn magnitude_surroundings(&self, around: &Around, kept_logit: i32) -> magnitude::Surroundings {
        let column = self.position.column;
        let tensor = (self.tensor.magnitude + 128) / (self.tensor.n_values + 1);
        let mean = |sum: u64, count: u64, prior: u64| ((sum + prior * tensor) / (count + prior)) as i32;
        let in_column = self.columns.kept[column];
        let nearness = u64::from(around.window_signs[0] + around.window_signs[1]);
        magnitude::Surroundings {
            kept_logit,
            tensor: tensor as i32,
            row: mean(self.row.magnitude, self.row.n_kept, 3),
            column: mean(self.columns.magnitude[column], u64::from(in_column), 2),
            window: mean(u64::from(around.window_magnitude), nearness, 64),
            near: around.magnitudes,
            in_column,
        }
    }

    /// `above` is the sign in the row before.
    fn note_sign(&mut self, positive: bool, above: i32) {
        self.tensor.balance.add(positive);
        self.row.balance.add(positive);
        self.columns.positive[self.position.column] += u32::from(positive);
        match above {
            0 => {}
            _ if (above > 0) == positive => self.row.agreed = (self.row.agreed + 1).min(1 << 20),
            _ => self.row.disagreed = (self.row.disagreed + 1).min(1 << 20),
        }
    }

    fn note_magnitude(&mut self, magnitude: i32) {
        let (column, magnitude) = (self.position.column, magnitude as u64);
        self.tensor.magnitude += magnitude;
        self.tensor.n_values += 1;
        self.row.magnitude += magnitude;
        self.row.n_kept += 1;
        self.columns.magnitude[column] += magnitude;
        self.columns.kept[column] += 1;
    }
}
