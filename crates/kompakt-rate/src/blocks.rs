//! Blocks of connections, which live and die together: some input channels of one row at one place of the kernel.
//!
//! ```text
//! columns of a row, kernels of two places, blocks of two channels
//!   channel 0    channel 1    channel 2          block 0: columns 0 2      block 2: column 4
//!   0     1      2     3      4     5            block 1: columns 1 3      block 3: column 5
//! ```
//!
//! A row has all connections of a block or none, so that the first stands for it. A block of one weight is a connection.

use crate::layer::{Geometry, SparseLayer};
use kompakt_model::Block;

/// How the columns of a layer lie in blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocks {
    /// Channels of a block; the last of a row may have fewer.
    n_inputs: usize,
    channels: usize,
    /// Places of a kernel.
    taps: usize,
}

/// The blocks that a layer has, by row and block: the numbers of their connections.
pub(crate) struct Kept {
    connections: Vec<u32>,
    /// Where each starts, then the end of the last.
    starts: Vec<usize>,
}

impl Kept {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|ends| &self.connections[ends[0]..ends[1]])
    }
}

impl Blocks {
    pub(crate) fn of(block: Block, geometry: &Geometry) -> Self {
        let taps = geometry.shape.iter().skip(2).product::<usize>().max(1);
        let channels = geometry.cols() / taps;
        // A depthwise convolution has one channel: its blocks are single weights.
        Self { n_inputs: block.n_inputs().min(channels.max(1)), channels, taps }
    }

    pub(crate) fn are_single(self) -> bool {
        self.n_inputs == 1
    }

    /// Blocks of a row, connected or not.
    pub(crate) fn in_row(self) -> usize {
        self.channels.div_ceil(self.n_inputs) * self.taps
    }

    /// The block of a column among those of its row.
    pub(crate) fn of_column(self, column: usize) -> usize {
        column / self.taps / self.n_inputs * self.taps + column % self.taps
    }

    /// Whether a column is the first of its block.
    pub(crate) fn is_first(self, column: usize) -> bool {
        (column / self.taps).is_multiple_of(self.n_inputs)
    }

    /// The columns of a block.
    pub(crate) fn columns(self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let (first, tap) = (block / self.taps * self.n_inputs, block % self.taps);
        let (end, taps) = (self.channels.min(first + self.n_inputs), self.taps);
        (first..end).map(move |channel| channel * taps + tap)
    }

    /// The blocks that a layer has.
    pub(crate) fn kept(self, layer: &SparseLayer) -> Kept {
        let (rows, blocks) = (layer.row_of(), layer.column.iter().map(|&c| self.of_column(c as usize)));
        let mut places: Vec<(u32, usize, u32)> =
            rows.into_iter().zip(blocks).zip(0..).map(|((row, block), i)| (row, block, i)).collect();
        if !self.are_single() {
            places.sort_unstable();
        }
        let same = |a: &(u32, usize, u32), b: &(u32, usize, u32)| (a.0, a.1) == (b.0, b.1);
        let mut starts = vec![0];
        starts.extend(places.chunk_by(same).scan(0, |end, block| {
            *end += block.len();
            Some(*end)
        }));
        Kept { connections: places.into_iter().map(|(_, _, i)| i).collect(), starts }
    }

    /// Leaves a layer the blocks of the largest norms, about `n` connections, and completes them: what they lack begins at zero.
    pub(crate) fn keep_largest(self, layer: &mut SparseLayer, n: usize) {
        let rows = layer.row_of();
        let mut norms: Vec<(f32, u32, usize)> = Vec::new();
        let mut keep = vec![false; layer.len()];
        let mut new = Vec::new();
        let kept = self.kept(layer);
        for (number, block) in kept.iter().enumerate() {
            let squares: f32 = block.iter().map(|&i| layer.weight.latent[i as usize].powi(2)).sum();
            norms.push((squares, rows[block[0] as usize], number));
        }
        norms.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        norms.truncate(n.div_ceil(self.n_inputs));
        let blocks: Vec<&[u32]> = kept.iter().collect();
        for (_, row, number) in norms {
            let own: Vec<usize> = blocks[number].iter().map(|&i| layer.column[i as usize] as usize).collect();
            blocks[number].iter().for_each(|&i| keep[i as usize] = true);
            let missing = self.columns(self.of_column(own[0])).filter(|column| !own.contains(column));
            new.extend(missing.map(|column| (row, column as u32, 0.0)));
        }
        layer.rewire(&keep, &new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(shape: &[usize]) -> Geometry {
        let cols: usize = shape[1..].iter().product();
        let tap = (0..cols as u32).collect();
        let (name, shape) = ("layer".to_string(), shape.to_vec());
        Geometry { name, shape, tap, base: vec![0], grid: (1, 1), groups: 1, apart: 0 }
    }

    #[test]
    fn blocks_are_those_of_masks() {
        for (shape, n) in [
            (vec![3, 10], 4),
            (vec![2, 6, 3, 3], 4),
            (vec![2, 3, 1, 2], 2),
            (vec![4, 7], 1),
            (vec![12, 1, 3, 3], 4),
        ] {
            let (block, geometry) = (Block::of_inputs(n).unwrap(), geometry(&shape));
            let blocks = Blocks::of(block, &geometry);
            let cols = geometry.cols();
            for (i, members) in block.members(&shape).enumerate() {
                let (row, mine) = (i / blocks.in_row(), i % blocks.in_row());
                let columns: Vec<usize> = blocks.columns(mine).map(|column| row * cols + column).collect();
                assert_eq!(members.collect::<Vec<_>>(), columns, "{shape:?} {n}");
                assert!(columns.iter().all(|at| blocks.of_column(at % cols) == mine));
                let firsts: Vec<bool> = columns.iter().map(|at| blocks.is_first(at % cols)).collect();
                assert!(firsts[0] && !firsts[1..].contains(&true));
            }
        }
    }

    #[test]
    fn depthwise_layers_keep_as_many_weights() {
        let geometry = geometry(&[12, 1, 3, 3]);
        let weights: Vec<f32> = (1..=108).map(|i| i as f32).collect();
        let mut layer = SparseLayer::new(&geometry, &weights, vec![0.0; 12]);
        Blocks::of(Block::of_inputs(4).unwrap(), &geometry).keep_largest(&mut layer, 54);
        assert_eq!(layer.len(), 54);
    }

    #[test]
    fn the_largest_blocks_stay_and_are_whole() {
        let geometry = geometry(&[2, 5]);
        let weights = [0.0, 3.0, 0.1, 0.1, 0.2, 0.5, 0.5, 0.0, 2.0, 0.0];
        let mut layer = SparseLayer::new(&geometry, &weights, vec![0.0; 2]);
        let blocks = Blocks::of(Block::of_inputs(2).unwrap(), &geometry);
        blocks.keep_largest(&mut layer, 4);
        assert_eq!((layer.row_of(), &layer.column[..]), (vec![0, 0, 1, 1], &[0, 1, 2, 3][..]));
        assert_eq!(layer.weight.latent, [0.0, 3.0, 0.0, 2.0]);
        let kept: Vec<Vec<u32>> = blocks.kept(&layer).iter().map(<[u32]>::to_vec).collect();
        assert_eq!(kept, [[0, 1], [2, 3]]);
    }
}
