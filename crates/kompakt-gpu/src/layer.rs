//! Layers with weights: the shader for a block of rows, and its parameters.

use crate::{
    block::{Layout, code_bits, zero_bits},
    shader::{LANES, Shader},
    steps::{Activation, Groups, check_extent, image, word},
};
use kompakt_graph::{Padding, Pair};
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
    /// For an embedding: indices per image. Rows are looked up, not multiplied.
    n_indices: Option<usize>,
}

/// Largest batch for which a linear layer runs row by row for each image.
const MAX_VECTORS: usize = 4;

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
            n_indices: None,
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
        Ok(Self { n_indices: Some(n_indices), ..linear })
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
            n_indices: None,
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

    /// Whether its rows are looked up.
    pub(crate) fn is_embedding(&self) -> bool {
        self.n_indices.is_some()
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
        self.n_indices.is_none() && self.window.groups == 1 && self.area() * max_batch >= 16
    }

    /// The shader for a block of its rows, and how many workgroups it takes.
    pub(crate) fn shader(&self, layout: &Layout, max_batch: usize) -> (Shader, Groups) {
        let (rows, positions) = (layout.n_rows as u64, self.area() as u64);
        if let Some(n_indices) = self.n_indices {
            return (Shader::Embedding, Groups::Each(n_indices as u64));
        }
        if self.is_vectors(max_batch) {
            return (Shader::MatrixVector, Groups::Each(rows));
        }
        if layout.is_fields && self.suits_tile(max_batch) {
            return (Shader::Tile, Groups::Tiles { rows, tile_rows: 32, positions, tile_positions: 32 });
        }
        let each = if self.area() * max_batch > 2 * LANES as usize { 4 } else { 1 };
        let tile_positions = u64::from(each * LANES);
        (
            Shader::Convolution { positions: each },
            Groups::Tiles { rows, tile_rows: 1, positions, tile_positions },
        )
    }

    /// The shader's parameters for a block: the fields of `Layer` in `layer.wgsl`.
    pub(crate) fn words(&self, layout: &Layout, activation: Option<Activation>) -> Vec<u32> {
        let ([c, h, w], [_, out_h, out_w]) = (self.input, self.output);
        let ConvolutionWindow { kernel, stride, padding, dilation, groups } = self.window;
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
                self.n_indices.unwrap_or(c * h * w),
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
        words.extend(Self::activation_words(activation));
        words.resize(words.len().next_multiple_of(4), 0);
        words
    }
}
