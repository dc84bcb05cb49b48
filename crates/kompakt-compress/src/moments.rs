//! Second moments of the inputs of every layer: the statistics of its activations on calibration images.

use crate::{
    Progress,
    error::CompressError,
    factor::Factor,
    images::Images,
    network,
    product::{Matrix, add_square},
};
use kompakt_graph::{Convolution, Graph, Op, Padding, Pair};
use kompakt_model::Model;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Columns that are factored together: those in different blocks are treated as uncorrelated.
const BLOCK: usize = 576;
/// Sampled inputs of a layer, over all images; those of a convolution are spread evenly over its positions.
const SAMPLES: usize = 4096;
/// Batch size, unless images are large.
const BATCH: usize = 8;
/// Columns of a group, as depthwise convolutions have them, for which packing matrices is not worth it.
const SMALL: usize = 32;
/// Buffered values of a layer's inputs before they are summed.
const WAITING: usize = 1 << 18;

/// The inputs of one group of a layer.
#[derive(Debug)]
pub(crate) struct GroupMoments {
    /// Mean of each column; empty where it is not reliable.
    pub(crate) mean: Vec<f32>,
    /// First column and factored `X Xᵀ` of each block.
    pub(crate) blocks: Vec<(usize, Factor)>,
}

impl GroupMoments {
    /// What an error in a column counts for, about 1.
    pub(crate) fn weight(&self, column: usize) -> f64 {
        let block = self.blocks.iter().rev().find(|(first, _)| *first <= column);
        block.and_then(|(first, factor)| factor.weights.get(column - first)).map_or(1.0, |w| w.max(1e-6))
    }
}

/// The inputs of one layer.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) groups: Vec<GroupMoments>,
}

/// Collects the inputs of every weight layer from the loader's own forward pass.
///
/// One entry per layer, in the order of [`Graph::weights`]; `damping` times the mean of a diagonal is added
/// to it.
pub(crate) fn moments(
    model: &Model,
    images: &Images,
    damping: f64,
    progress: &Progress<'_>,
) -> Result<Vec<Moments>, CompressError> {
    let graph = &model.graph;
    let layers: Vec<usize> = graph.weights().map(|p| p.node).collect();
    let mut values: Vec<usize> = layers.iter().map(|&node| graph.nodes()[node].inputs[0]).collect();
    values.sort_unstable();
    values.dedup();
    let (inputs, nodes, _) = graph.clone().into_parts();
    let mut probe = model.clone();
    probe.graph = Graph::new(inputs, nodes, values.clone()).map_err(kompakt_model::CheckpointError::from)?;
    // Nodes after the last observed value have no reader and are run all the same.
    let packed = network::pack(probe, kompakt_format::Tier::Direct)?;
    let batch = network::observed_at_once(
        BATCH,
        values.iter().map(|&v| graph.shape(v).iter().product::<usize>()).sum(),
    );
    let mut columns: BTreeMap<usize, Columns> = BTreeMap::new();
    for &node in &layers {
        columns.insert(node, Columns::new(graph, node, images.n));
    }
    network::each_batch(&packed, images, batch, |first, _, n, session| {
        progress("measuring layer inputs", first as f64 / images.n as f64);
        columns.par_iter_mut().for_each(|(&node, columns)| {
            let value = graph.nodes()[node].inputs[0];
            let index = values.partition_point(|&v| v < value);
            let x = session.output(index);
            let len = x.len() / n;
            x.chunks_exact(len).for_each(|x| columns.add(x));
        });
    })?;
    progress("factoring", 0.0);
    let mut done: BTreeMap<usize, Moments> =
        columns.into_par_iter().map(|(node, columns)| (node, columns.moments(damping))).collect();
    Ok(layers.iter().filter_map(|node| done.remove(node)).collect())
}

/// Columns of a layer's input matrix: one row per position of an image.
struct Columns {
    /// A linear layer: one position that sees every input.
    geometry: Convolution,
    /// Sampled positions of an image.
    positions: Vec<usize>,
    /// For each group: rows not summed yet.
    rows: Vec<Vec<f32>>,
    /// For each group: sums of its columns, and of their products by block.
    sums: Vec<(Vec<f64>, Vec<Vec<f32>>)>,
    /// For each group: rows summed.
    n_rows: usize,
    /// Images seen, so that each is sampled at other positions.
    n_seen: usize,
}

impl Moments {
    /// The part of a layer's error that reaches its output when each column compensates for the errors of
    /// those before it.
    pub(crate) fn gain(&self) -> f64 {
        let blocks = self.groups.iter().flat_map(|g| &g.blocks);
        let [left, whole] = blocks.fold([0.0; 2], |[a, b], (_, f)| [a + f.left[0], b + f.left[1]]);
        if whole > 0.0 { left / whole } else { 1.0 }
    }
}

impl Columns {
    fn new(graph: &Graph, node: usize, n_images: usize) -> Self {
        let from = graph.shape(graph.nodes()[node].inputs[0]);
        let to = graph.shape(graph.value_of(node));
        let convolution = graph.convolution(node);
        // Rows of a table are read, not multiplied: nothing compensates for their errors, and none is
        // sampled.
        let op = &graph.nodes()[node].op;
        let (is_table, n_cols) = if let Op::Embedding { features, .. } = op {
            (true, *features)
        } else if let Op::Recurrent { hidden, .. } = op {
            // Its states are not a value of the network.
            (true, *hidden)
        } else {
            (false, 0)
        };
        let from = if is_table { &[n_cols][..] } else { from };
        let to = if is_table { &[1][..] } else { to };
        let geometry = convolution.unwrap_or(Convolution {
            input: [from.iter().product(), 1, 1],
            output: [to.iter().product(), 1, 1],
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
        });
        let n_positions = geometry.n_positions();
        let each = if is_table { 0 } else { SAMPLES.div_ceil(n_images.max(1)).clamp(1, n_positions) };
        let columns = Self {
            geometry,
            positions: (0..each).map(|i| i * n_positions / each.max(1)).collect(),
            rows: Vec::new(),
            sums: Vec::new(),
            n_rows: 0,
            n_seen: 0,
        };
        columns.empty()
    }

    /// No sums yet.
    fn empty(mut self) -> Self {
        let n_cols = self.n_cols();
        let block = |first: usize| vec![0.0; BLOCK.min(n_cols - first).pow(2)];
        let blocks: Vec<Vec<f32>> = (0..n_cols).step_by(BLOCK).map(block).collect();
        self.rows = vec![Vec::new(); self.geometry.groups];
        self.sums = vec![(vec![0.0; n_cols], blocks); self.geometry.groups];
        self
    }

    /// Sums the buffered rows.
    fn sum(&mut self) {
        let n_cols = self.n_cols();
        let n = self.rows[0].len() / n_cols;
        for (rows, (sums, blocks)) in self.rows.iter_mut().zip(&mut self.sums) {
            for row in rows.chunks_exact(n_cols) {
                sums.iter_mut().zip(row).for_each(|(s, x)| *s += f64::from(*x));
            }
            for (i, block) in blocks.iter_mut().enumerate() {
                let x = Matrix::rows(&rows[(i * BLOCK).min(rows.len())..], n_cols);
                let width = BLOCK.min(n_cols - i * BLOCK);
                if n_cols <= SMALL {
                    add_squares(rows, n_cols, block);
                } else {
                    add_square(x, [n, width], block);
                }
            }
            rows.clear();
        }
        self.n_rows += n;
    }

    fn n_cols(&self) -> usize {
        self.geometry.n_weights()
    }

    /// Samples one image.
    fn add(&mut self, x: &[f32]) {
        let geometry = self.geometry;
        let [c, h, w] = geometry.input;
        let per_group = c / geometry.groups;
        let (n_positions, width) = (geometry.n_positions(), geometry.output[2]);
        for &position in &self.positions {
            let position = (position + self.n_seen * 7) % n_positions;
            let (oy, ox) = (position / width, position % width);
            for (group, rows) in self.rows.iter_mut().enumerate() {
                for channel in group * per_group..(group + 1) * per_group {
                    for ky in 0..geometry.kernel.h {
                        let y = geometry.row(oy, ky);
                        for kx in 0..geometry.kernel.w {
                            let seen = y.zip(geometry.column(ox, kx));
                            rows.push(seen.map_or(0.0, |(y, at)| x[(channel * h + y) * w + at]));
                        }
                    }
                }
            }
        }
        self.n_seen += 1;
        if self.rows.iter().map(Vec::len).sum::<usize>() >= WAITING {
            self.sum();
        }
    }

    fn moments(mut self, damping: f64) -> Moments {
        self.sum();
        let n_cols = self.n_cols();
        let n_rows = self.n_rows.max(1) as f64;
        let group = |(sums, blocks): (Vec<f64>, Vec<Vec<f32>>)| {
            let mean = sums.iter().map(|s| (s / n_rows) as f32).collect();
            let factor = |(i, block): (usize, Vec<f32>)| {
                let n = BLOCK.min(n_cols - i * BLOCK);
                (i * BLOCK, Factor::new(&block, n, damping))
            };
            GroupMoments { mean, blocks: blocks.into_iter().enumerate().map(factor).collect() }
        };
        Moments { groups: self.sums.into_iter().map(group).collect() }
    }
}

/// Adds `X Xᵀ` of rows of `n` values to `h` `[n, n]`.
fn add_squares(rows: &[f32], n: usize, h: &mut [f32]) {
    for row in rows.chunks_exact(n) {
        for (h, a) in h.chunks_exact_mut(n).zip(row) {
            h.iter_mut().zip(row).for_each(|(h, b)| *h += a * b);
        }
    }
}
