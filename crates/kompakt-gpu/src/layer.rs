//! Layers with weights: the shader for a block of rows, and its parameters.

use crate::{
    block::{Layout, code_bits, zero_bits},
    bytes::Quantiser,
    shader::{LANES, MAX_RESET, Shader},
    steps::{Activation, Groups, check_extent, image, word},
};
use kompakt_graph::{Cell, Padding, Pair};
use kompakt_runtime::program::{ConvolutionWindow, Epilogue, ParameterId};

/// A layer with weights; a linear layer is a convolution with a single position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) weight: ParameterId,
    pub(crate) epilogue: Epilogue,
    /// Channels, height and width of an image.
    input: [usize; 3],
    output: [usize; 3],
    window: ConvolutionWindow,
    purpose: Purpose,
    /// How its input becomes bytes, where it reads bytes.
    pub(crate) quantiser: Option<Quantiser>,
}

/// What the rows of a layer are for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Purpose {
    /// They are multiplied.
    Multiply,
    /// They are looked up.
    LookUp {
        /// Indices per image.
        n_indices: usize,
    },
    /// They are multiplied by a state, time step after time step.
    Recur(Recurrence),
}

/// What a recurrent layer does with its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recurrence {
    pub(crate) cell: Cell,
    /// Whether time runs backwards.
    pub(crate) reverse: bool,
    /// Time steps.
    pub(crate) time: usize,
    /// Sequences per image.
    pub(crate) n_sequences: usize,
}

impl Recurrence {
    /// The cell's number in `recurrent.wgsl`.
    fn code(&self) -> u32 {
        match self.cell {
            Cell::Lstm => 0,
            Cell::Gru => 1,
            Cell::GruResetFirst => 2,
            Cell::Tanh => 3,
            Cell::Relu => 4,
        }
    }
}

/// Words of the struct `Layer` of `layer.wgsl`.
pub(crate) const LAYER_WORDS: usize = 32;

/// Largest batch for which a linear layer runs row by row for each image.
const MAX_VECTORS: usize = 4;

/// Largest number of columns for which sums of products of bytes fit 32 bits.
const MAX_BYTE_COLS: usize = 1 << 17;

/// Channels of a group from which on a grouped convolution may read bytes.
const MIN_BYTE_CHANNELS: usize = 8;

/// Largest number of columns for which shaders count bits of a row.
const MAX_COLS: usize = 1 << 26;

impl Layer {
    pub(crate) fn linear(
        weight: ParameterId,
        epilogue: &Epilogue,
        x: &[usize],
        y: &[usize],
    ) -> Result<Self, String> {
        let (&[n_in], &[n_out]) = (x, y) else { return Err("linear layers take vectors".into()) };
        let one = Pair::square(1);
        let window = ConvolutionWindow {
            kernel: one,
            stride: one,
            padding: Padding::default(),
            dilation: one,
            groups: 1,
        };
        Self {
            weight,
            epilogue: *epilogue,
            input: [n_in, 1, 1],
            output: [n_out, 1, 1],
            window,
            purpose: Purpose::Multiply,
            quantiser: None,
        }
        .checked()
    }

    /// The number of rows of a matrix of that shape.
    pub(crate) fn embedding(
        weight: ParameterId,
        (n_rows, n_cols): (usize, usize),
        n_indices: usize,
    ) -> Result<Self, String> {
        let linear = Self::linear(weight, &Epilogue::default(), &[n_cols], &[n_rows])?;
        Ok(Self { purpose: Purpose::LookUp { n_indices }, ..linear })
    }

    /// A recurrent layer with `n_hidden` units, whose rows are those of all gates.
    pub(crate) fn recurrent(
        weight: ParameterId,
        bias: ParameterId,
        n_hidden: usize,
        recurrence: Recurrence,
    ) -> Result<Self, String> {
        if recurrence.cell == Cell::GruResetFirst && n_hidden > MAX_RESET {
            return Err(format!("more than {MAX_RESET} units, reset before the product"));
        }
        let epilogue = Epilogue { bias: Some(bias), ..Epilogue::default() };
        let n_rows = recurrence.cell.n_gates().saturating_mul(n_hidden);
        let linear = Self::linear(weight, &epilogue, &[n_hidden], &[n_rows])?;
        let input = [n_hidden, recurrence.time, recurrence.n_sequences];
        Self { input, purpose: Purpose::Recur(recurrence), ..linear }.checked()
    }

    pub(crate) fn convolution(
        weight: ParameterId,
        epilogue: &Epilogue,
        window: &ConvolutionWindow,
        x: &[usize],
        y: &[usize],
    ) -> Result<Self, String> {
        Self {
            weight,
            epilogue: *epilogue,
            input: image(x)?,
            output: image(y)?,
            window: *window,
            purpose: Purpose::Multiply,
            quantiser: None,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, String> {
        let ConvolutionWindow { kernel, stride, padding, dilation, groups } = self.window;
        let reach = |kernel: usize, dilation: usize| (kernel - 1).saturating_mul(dilation);
        let [dy, dx] = [reach(kernel.h, dilation.h), reach(kernel.w, dilation.w)];
        check_extent([self.input[1], padding.top, padding.bottom, dy, stride.h])?;
        check_extent([self.input[2], padding.left, padding.right, dx, stride.w])?;
        if dy >= 1 << 16 || dx >= 1 << 16 {
            return Err("a kernel that reaches further than 65535 places".into());
        }
        if self.n_cols() > MAX_COLS || groups == 0 || !self.input[0].is_multiple_of(groups) {
            return Err(format!("more than {MAX_COLS} weights in a row"));
        }
        Ok(self)
    }

    /// Lets it read bytes, if it can: words of four channels of its input, and positions of a channel.
    pub(crate) fn read_bytes(&mut self, quantiser: Quantiser) -> Option<[usize; 2]> {
        let ([channels, h, w], groups) = (self.input, self.window.groups);
        let per_group = channels / groups;
        let is_whole = groups == 1 || (per_group >= MIN_BYTE_CHANNELS && per_group.is_multiple_of(4));
        if self.purpose != Purpose::Multiply || !is_whole || self.n_elements() * 4 > MAX_BYTE_COLS {
            return None;
        }
        self.quantiser = Some(quantiser);
        Some([channels.div_ceil(4), h * w])
    }

    /// Elements of a row: four channels of a kernel position.
    pub(crate) fn n_elements(&self) -> usize {
        (self.input[0] / self.window.groups.max(1)).div_ceil(4) * self.n_taps()
    }

    /// Positions of the kernel.
    pub(crate) fn n_taps(&self) -> usize {
        self.window.kernel.h * self.window.kernel.w
    }

    /// Whether its rows are looked up.
    pub(crate) fn is_embedding(&self) -> bool {
        matches!(self.purpose, Purpose::LookUp { .. })
    }

    /// Whether its shader needs all rows at once.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.purpose, Purpose::Recur(_))
    }

    /// Output units.
    pub(crate) fn n_rows(&self) -> usize {
        self.output[0]
    }

    pub(crate) fn n_cols(&self) -> usize {
        self.input[0] / self.window.groups.max(1) * self.window.kernel.h * self.window.kernel.w
    }

    /// Output positions per image.
    fn area(&self) -> usize {
        self.output[1] * self.output[2]
    }

    fn is_vectors(&self, max_batch: usize) -> bool {
        let is_linear = self.input[1] * self.input[2] * self.area() == 1 && self.window.groups == 1;
        is_linear && max_batch <= MAX_VECTORS
    }

    /// Whether the shader for rows in fields suits it: many positions share each weight, and all input channels.
    pub(crate) fn suits_tile(&self, max_batch: usize) -> bool {
        self.purpose == Purpose::Multiply && self.window.groups == 1 && self.area() * max_batch >= 16
    }

    /// The shader for a block of its rows, and how many workgroups it takes.
    pub(crate) fn shader(&self, layout: &Layout, max_batch: usize) -> (Shader, Groups) {
        let (rows, positions) = (layout.n_rows as u64, self.area() as u64);
        match &self.purpose {
            Purpose::Multiply => {}
            Purpose::LookUp { n_indices } => return (Shader::Embedding, Groups::Each(*n_indices as u64)),
            Purpose::Recur(recurrence) => {
                return (Shader::Recurrent, Groups::Each(recurrence.n_sequences as u64));
            }
        }
        let is_bytes = self.quantiser.is_some();
        if self.is_vectors(max_batch) {
            let shader = if is_bytes { Shader::Int8Vector } else { Shader::MatrixVector };
            return (shader, Groups::Each(rows));
        }
        if layout.is_fields && self.suits_tile(max_batch) {
            let shader = if is_bytes { Shader::Int8Tile } else { Shader::Tile };
            return (shader, Groups::Tiles { rows, tile_rows: 32, positions, tile_positions: 32 });
        }
        let each = if self.area() * max_batch > 2 * LANES as usize { 4 } else { 1 };
        let tile_positions = u64::from(each * LANES);
        let shader = match is_bytes {
            true => Shader::Int8Convolution { positions: each },
            false => Shader::Convolution { positions: each },
        };
        (shader, Groups::Tiles { rows, tile_rows: 1, positions, tile_positions })
    }

    /// The shader's parameters for a block: the fields of `Layer` in `layer.wgsl`.
    pub(crate) fn words(
        &self,
        layout: &Layout,
        activation: Option<Activation>,
        table_words: usize,
    ) -> Vec<u32> {
        let ([c, h, w], [_, out_h, out_w]) = (self.input, self.output);
        let ConvolutionWindow { kernel, stride, padding, dilation, groups } = self.window;
        // Of bytes, four channels are one word.
        let c = if self.quantiser.is_some() { c.div_ceil(4) } else { c };
        let in_image = match self.purpose {
            Purpose::LookUp { n_indices } => n_indices,
            Purpose::Multiply | Purpose::Recur(_) => c * h * w,
        };
        let mut words = vec![
            word(layout.n_rows),
            word(layout.n_cols),
            code_bits(layout.n_levels),
            zero_bits(layout.n_levels),
            word(layout.n_levels),
        ];
        words.extend(
            [
                layout.first_row,
                self.n_rows(),
                self.n_rows() / groups,
                in_image,
                c / groups,
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
                dilation.h,
                dilation.w,
            ]
            .map(word),
        );
        words.extend(activation.unwrap_or_default().words());
        words.extend(match &self.purpose {
            Purpose::Recur(recurrence) => [recurrence.code(), u32::from(recurrence.reverse)],
            Purpose::Multiply | Purpose::LookUp { .. } => [0; 2],
        });
        words.extend([word(table_words), self.quantiser.map_or(0, |quantiser| quantiser.zeros())]);
        words.resize(LAYER_WORDS, 0);
        words
    }
}
