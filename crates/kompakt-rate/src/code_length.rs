//! The cost of each connection in the file, by a model of the coder: how full its row and its column are.
//!
//! ```text
//! p(row, column) = others in the row x others in the column / all
//! bits           = log2 (1 - p) / p  +  sign  +  level  +  its part of the row's bias
//! ```
//!
//! A connection does not count for itself: one alone in its column is expensive, one among many is cheap. So
//! rows and columns that are nearly empty die first, and with them complete units and inputs. The model
//! ignores most of what the real coder exploits; the caller measures real files now and then and rescales.

use crate::{
    blocks::Blocks,
    layer::{Geometry, SparseLayer},
    net::Net,
};

/// Bits per bias, about.
const BIAS_BITS: f32 = 6.0;

/// The bits of each connection, layer by layer.
#[derive(Debug, Clone)]
pub(crate) struct CodeLengths {
    pub(crate) of_connections: Vec<Vec<f32>>,
    /// All connections and biases.
    pub(crate) total: f64,
}

impl CodeLengths {
    /// `level_bits` is the estimated cost of the level of a weight that is not shared yet.
    pub(crate) fn of(net: &Net, level_bits: f32) -> Self {
        let layers = net.geometry.iter().zip(&net.layers);
        let of_connections: Vec<Vec<f32>> = layers
            .map(|(geometry, layer)| {
                let blocks = Blocks::of(net.block, geometry);
                let counts = Counts::of(geometry, layer, blocks);
                let levels = of_levels(layer);
                let rows = layer.row_of();
                (0..layer.len())
                    .map(|i| {
                        let level =
                            if levels.is_empty() { level_bits } else { levels[usize::from(layer.code[i])] };
                        let row = rows[i] as usize;
                        let bias = BIAS_BITS / layer.row(row).len() as f32;
                        let block = blocks.of_column(layer.column[i] as usize);
                        // A block has one flag.
                        let flag = counts.bits(row, block, true) / blocks.columns(block).count() as f32;
                        flag + level + bias
                    })
                    .collect()
            })
            .collect();
        let n = net.n_blocks() as f64;
        let connections: f64 = of_connections.iter().flatten().map(|&b| f64::from(b)).sum();
        // The empty positions cost 1 / ln 2 bits per block, where they are many.
        let total = connections + n * std::f64::consts::LOG2_E;
        Self { of_connections, total }
    }
}

/// Bits of each level, by its frequency; empty before weights are shared.
pub(crate) fn of_levels(layer: &SparseLayer) -> Vec<f32> {
    let mut counts = vec![1.0f32; layer.level_value.len()];
    layer.code.iter().for_each(|&code| counts[usize::from(code)] += 1.0);
    let total: f32 = counts.iter().sum();
    counts.iter().map(|c| (total / c).log2()).collect()
}

/// Counts of rows and columns, in blocks.
pub(crate) struct Counts {
    rows: Vec<f32>,
    columns: Vec<f32>,
    /// The mean count of a column's neighbours in the image; empty if there is none.
    around: Vec<f32>,
    all: f32,
}

impl Counts {
    pub(crate) fn of(geometry: &Geometry, layer: &SparseLayer, blocks: Blocks) -> Self {
        let is_first = |column: &&u32| blocks.is_first(**column as usize);
        let count = |row| layer.column[layer.row(row)].iter().filter(is_first).count() as f32;
        let rows: Vec<f32> = (0..layer.rows()).map(count).collect();
        let mut columns = vec![0.0; blocks.in_row()];
        let firsts = layer.column.iter().filter(is_first);
        firsts.for_each(|&c| columns[blocks.of_column(c as usize)] += 1.0);
        let around = if blocks.are_single() { around(&columns, geometry.grid) } else { Vec::new() };
        let all = rows.iter().sum::<f32>().max(1.0);
        Self { rows, columns, around, all }
    }

    /// Bits to signal that there is a block; `is_in`: it is one of those counted.
    pub(crate) fn bits(&self, row: usize, column: usize, is_in: bool) -> f32 {
        let own = f32::from(u8::from(is_in));
        let in_row = self.rows[row] - own + 0.4;
        let in_column = self.columns[column] - own;
        let in_column = if self.around.is_empty() {
            in_column + 0.15
        } else {
            0.6 * in_column + 0.4 * self.around[column] + 0.1
        };
        let p = (in_row * in_column / self.all).min(0.7);
        ((1.0 - p) / p).log2().max(0.3)
    }
}

/// The mean of the up to four neighbours of each value of each image.
fn around(columns: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let plane = height * width;
    if plane <= 1 || !columns.len().is_multiple_of(plane) {
        return Vec::new();
    }
    let mut means = Vec::with_capacity(columns.len());
    for picture in columns.chunks_exact(plane) {
        for r in 0..height {
            for c in 0..width {
                let mut found = (0.0, 0.0f32);
                let mut see = |at: usize| found = (found.0 + picture[at], found.1 + 1.0);
                if r > 0 {
                    see((r - 1) * width + c);
                }
                if r + 1 < height {
                    see((r + 1) * width + c);
                }
                if c > 0 {
                    see(r * width + c - 1);
                }
                if c + 1 < width {
                    see(r * width + c + 1);
                }
                means.push(found.0 / found.1.max(1.0));
            }
        }
    }
    means
}
