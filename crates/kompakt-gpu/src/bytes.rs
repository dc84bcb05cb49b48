//! Layers over bytes: inputs and weights as integers of 8 bits, sums of 32.
//!
//! ```text
//! x ─► quantise.wgsl ─► signed bytes, four channels a word ─┐
//!                                                           ├─► int8_*.wgsl ─► y = s_x s_w (sum of w q - z sum of w)
//! W ─► bitmap, codes, a table of bytes for its codes ───────┘
//! ```
//!
//! The integers are those of the processor's int8 mode: `q` by rule F-27, weights as [`Int8Rows`]. A row's columns are put in an
//! order in which four channels of one kernel position are neighbours, an element; they stay a bitmap and codes. No wgpu.

use crate::{
    GpuError,
    block::{Block, Builder},
    layer::Layer,
    shader::Shader,
    steps::{Groups, Lowered, Step, Table, Work, word},
    weights::{DENSE_FROM, Take, push},
};
use kompakt_format::{Container, ranged_values};
use kompakt_graph::Op;
use kompakt_kernels::Int8Rows;
use kompakt_runtime::{CompressedRows, RowWeights, RuntimeError};

/// The bytes of an input: `q = round(x / scale) + zero`, within -128 and 127.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantiser {
    pub(crate) scale: f32,
    inverse: f32,
    /// From -128 to 127.
    pub(crate) zero: i32,
}

impl Quantiser {
    /// For values from `low`, at most 0, to `high`, at least 0.
    fn new(low: f32, high: f32) -> Self {
        let scale = high / 255.0 - low / 255.0;
        if !(scale.is_normal() && (1.0 / scale).is_finite()) {
            return Self { scale: 1.0, inverse: 1.0, zero: -128 };
        }
        let zero = (-low / scale).round_ties_even().clamp(0.0, 255.0);
        Self { scale, inverse: 1.0 / scale, zero: zero as i32 - 128 }
    }

    /// Four bytes of 0.
    pub(crate) fn zeros(&self) -> u32 {
        u32::from_le_bytes([self.zero as u8; 4])
    }
}

/// The quantisers of the layers of a file, by node.
///
/// Errors: [`RuntimeError::NoRanges`] if there are layers that may read bytes, and the file holds no ranges.
pub(crate) fn quantisers(container: &Container<'_>) -> Result<Vec<(String, Quantiser)>, GpuError> {
    let graph = container.graph();
    let ranges = container.ranges().map_err(RuntimeError::from)?;
    if ranges.is_empty() && !ranged_values(graph).is_empty() {
        return Err(RuntimeError::NoRanges.into());
    }
    let layers = graph.nodes().iter().filter(|node| matches!(node.op, Op::Linear { .. } | Op::Conv2d { .. }));
    let of = |node: &kompakt_graph::Node| {
        let range = ranges.iter().find(|range| range.value == node.inputs[0])?;
        Some((node.name.clone(), Quantiser::new(range.low, range.high)))
    };
    Ok(layers.filter_map(of).collect())
}

impl Lowered {
    /// Lets layers read bytes, which a step before each of them makes.
    pub(crate) fn quantise(&mut self, quantisers: &[(String, Quantiser)]) {
        for mut step in std::mem::take(&mut self.steps) {
            if let Work::Layer(layer) = &mut step.work
                && let Some((_, quantiser)) = quantisers.iter().find(|(name, _)| *name == step.name)
                && let Some([fours, plane]) = layer.read_bytes(*quantiser)
            {
                let bytes = self.lens.len();
                self.lens.push(fours * plane);
                let words = vec![
                    word(fours * plane),
                    word(plane),
                    word(self.lens[step.reads[0]] / plane.max(1)),
                    quantiser.zeros(),
                    quantiser.inverse.to_bits(),
                    (quantiser.zero as f32).to_bits(),
                    0,
                    0,
                ];
                let groups = Groups::Elements((fours * plane) as u64);
                let (shader, table) = (Shader::Quantise, Table::None);
                let work = Work::Plain { shader, words, activation_at: 0, table, groups };
                let (name, reads) = (step.name.clone(), std::mem::replace(&mut step.reads, vec![bytes]));
                self.steps.push(Step { name, work, activation: None, reads, writes: bytes });
            }
            self.steps.push(step);
        }
    }
}

/// The numbers of a layer over bytes beside its rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bytes {
    /// For each row, or once for all, the byte of each code; padded to words.
    pub(crate) tables: Vec<u32>,
    /// Words of one of them.
    pub(crate) n_table_words: usize,
    /// The scale of each row, and the sum of its bytes.
    pub(crate) scales: Vec<f32>,
    pub(crate) sums: Vec<i32>,
    /// The root of the squared error of all weights, relative to the weights.
    pub(crate) error: f64,
}

/// Packs the rows of a layer, `[rows, channels, taps]`, and hands them to `take`, block by block.
///
/// Host memory holds the layer's bytes and one block.
pub(crate) fn blocks(
    rows: &CompressedRows,
    layer: &Layer,
    by_tile: bool,
    max_words: usize,
    take: Take<'_>,
) -> Result<Bytes, GpuError> {
    let taps = layer.n_taps();
    let bytes = Int8Rows::new(rows, taps);
    let levels: Vec<f32> = match rows.is_coded() {
        true => rows.codebook().table()[..rows.codebook().n_levels()].to_vec(),
        // Values become the nearest of 256 bytes, which are their codes.
        false => (-128i16..128).map(f32::from).collect(),
    };
    let scales = bytes.scales().to_vec();
    let byte = |weight: f32, scale: f32| (weight / scale).round_ties_even().clamp(-127.0, 127.0) as i8;
    let is_alike = !rows.is_coded() || scales.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
    let n_tables = if is_alike { scales.len().min(1) } else { scales.len() };
    let n_table_words = levels.len().div_ceil(4);
    let mut tables = Vec::with_capacity(n_tables * n_table_words);
    for &scale in &scales[..n_tables] {
        let scale = if rows.is_coded() { scale } else { 1.0 };
        let of = |level: &f32| if rows.is_coded() { byte(*level, scale) } else { *level as i8 };
        let all: Vec<u8> = levels.iter().map(|level| of(level).cast_unsigned()).collect();
        tables.extend(all.chunks(4).map(|four| {
            let mut word = [0; 4];
            word[..four.len()].copy_from_slice(four);
            u32::from_le_bytes(word)
        }));
    }
    let n_cols = layer.n_elements() * 4;
    let as_fields =
        by_tile && rows.n_kept() as f64 >= DENSE_FROM * (rows.n_rows() * rows.n_cols()).max(1) as f64;
    let mut builder = Builder::new(&levels, n_cols, max_words);
    let (mut kept, mut columns, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    let mut result = Ok(());
    rows.for_each(&mut |row, cols, weights| {
        if result.is_err() {
            return;
        }
        kept.clear();
        for (i, &col) in cols.iter().enumerate() {
            let (channel, tap) = (col as usize / taps, col as usize % taps);
            let code = match weights {
                RowWeights::Codes(codes) => codes[i],
                RowWeights::Values(values) => byte(values[i], scales[row]).cast_unsigned() ^ 0x80,
            };
            kept.push((word((channel / 4 * taps + tap) * 4 + channel % 4), code));
        }
        kept.sort_unstable();
        columns.clear();
        columns.extend(kept.iter().map(|(col, _)| *col));
        codes.clear();
        codes.extend(kept.iter().map(|(_, code)| *code));
        result = push(&mut builder, &columns, RowWeights::Codes(&codes), as_fields, take);
    });
    result?;
    builder.finish().map_or(Ok(()), |block: Block| take(block))?;
    let (sums, error) = (bytes.sums().to_vec(), bytes.error());
    Ok(Bytes { tables, n_table_words, scales, sums, error })
}
