//! A layer as a list of connections, row by row; linear layers and convolutions alike.
//!
//! ```text
//! y[row, position] = bias[row] + sum over the row's connections of value * x[base[position] + tap[column]]
//! ```
//!
//! A linear layer has one position and `tap[column] = column`; a convolution has one position per output
//! pixel, and a column is an input channel and a tap of the kernel. Only kept connections are stored.

use crate::lanes::{Lanes, add, add_product, add_scaled, sum, zero};
use serde::{Deserialize, Serialize};

/// Memory layout of a layer's inputs and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The node's name.
    pub(crate) name: String,
    /// The weight's shape.
    pub(crate) shape: Vec<usize>,
    /// Offset at which a column reads, from a position's base.
    pub(crate) tap: Vec<u32>,
    /// Base offset of each output position.
    pub(crate) base: Vec<u32>,
    /// Height and width of the image that a row's columns form, channel by channel: `(1, 1)` for none.
    pub(crate) grid: (usize, usize),
    /// Groups of rows, each of which reads channels of its own.
    pub(crate) groups: usize,
    /// Offset from what a group reads to what the next one reads.
    pub(crate) apart: u32,
}

impl Geometry {
    pub(crate) fn rows(&self) -> usize {
        self.shape[0]
    }
    pub(crate) fn cols(&self) -> usize {
        self.tap.len()
    }

    /// Offset at which a connection reads, from a position's base.
    pub(crate) fn read(&self, row: usize, column: usize) -> u32 {
        self.tap[column] + self.group(row) as u32 * self.apart
    }

    /// The input channel that a connection reads.
    pub(crate) fn channel(&self, row: usize, column: usize) -> usize {
        self.group(row) * self.channels() + column / (self.grid.0 * self.grid.1)
    }

    /// Input channels of a group.
    pub(crate) fn channels(&self) -> usize {
        self.cols() / (self.grid.0 * self.grid.1)
    }

    fn group(&self, row: usize) -> usize {
        row * self.groups / self.rows()
    }
}

/// A trained parameter: its value, and the optimiser's two moments of its gradient.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trained {
    pub(crate) latent: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    #[serde(skip)]
    pub(crate) gradient: Vec<f32>,
}

impl Trained {
    pub(crate) fn new(latent: Vec<f32>) -> Self {
        let n = latent.len();
        Self { latent, first: vec![0.0; n], second: vec![0.0; n], gradient: vec![0.0; n] }
    }

    /// One step of Adam; gradients are reset. `rate` includes the bias corrections.
    #[inline(always)]
    pub(crate) fn step(&mut self, rate: f32, correction: f32) {
        let moments = self.first.iter_mut().zip(self.second.iter_mut());
        for ((latent, gradient), (first, second)) in
            self.latent.iter_mut().zip(self.gradient.iter_mut()).zip(moments)
        {
            let g = *gradient;
            *first = 0.9f32.mul_add(*first, 0.1 * g);
            *second = 0.999f32.mul_add(*second, 0.001 * g * g);
            *latent -= rate * *first / ((*second * correction).sqrt() + 1e-8);
            *gradient = 0.0;
        }
    }
}

/// The state of one connection.
#[derive(Default)]
struct Connection {
    row: u32,
    column: u32,
    latent: f32,
    first: f32,
    second: f32,
    value: f32,
    code: u8,
    is_settled: bool,
}

/// A layer's connections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SparseLayer {
    /// Row `r` has connections `starts[r]..starts[r + 1]`.
    pub(crate) starts: Vec<u32>,
    /// Column of each connection, ascending within a row.
    pub(crate) column: Vec<u32>,
    /// Trained weights.
    pub(crate) weight: Trained,
    /// Effective weights.
    pub(crate) value: Vec<f32>,
    /// Trained biases.
    pub(crate) bias: Trained,
    /// Effective biases.
    pub(crate) bias_value: Vec<f32>,
    /// Shared values, ascending; empty before weights are shared.
    pub(crate) level: Trained,
    /// Effective shared values.
    pub(crate) level_value: Vec<f32>,
    /// The level of each connection.
    pub(crate) code: Vec<u8>,
    /// Connections whose level is fixed.
    pub(crate) is_settled: Vec<bool>,
    /// Rows that are computed.
    #[serde(skip)]
    pub(crate) live: Vec<u32>,
    /// Input offset of each connection.
    #[serde(skip)]
    pub(crate) reads: Vec<u32>,
}

impl SparseLayer {
    /// From a dense matrix; exact zeros are not connections.
    pub(crate) fn new(geometry: &Geometry, weights: &[f32], bias: Vec<f32>) -> Self {
        let mut layer = Self { starts: vec![0], ..Self::default() };
        let mut latent = Vec::new();
        for row in weights.chunks_exact(geometry.cols()) {
            for (column, &weight) in row.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                layer.column.push(column as u32);
                latent.push(weight);
            }
            layer.starts.push(latent.len() as u32);
        }
        layer.value = latent.clone();
        layer.is_settled = vec![false; latent.len()];
        layer.weight = Trained::new(latent);
        layer.bias_value = bias.clone();
        layer.bias = Trained::new(bias);
        layer
    }

    pub(crate) fn len(&self) -> usize {
        self.column.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn row(&self, row: usize) -> std::ops::Range<usize> {
        self.starts[row] as usize..self.starts[row + 1] as usize
    }

    /// The row of each connection.
    pub(crate) fn row_of(&self) -> Vec<u32> {
        (0..self.rows()).flat_map(|r| std::iter::repeat_n(r as u32, self.row(r).len())).collect()
    }

    /// Recomputes what derives from the connections. `is_last`: every row is an output.
    pub(crate) fn refresh(&mut self, geometry: &Geometry, is_last: bool) {
        self.live =
            (0..self.rows() as u32).filter(|&r| is_last || !self.row(r as usize).is_empty()).collect();
        let connections = self.row_of().into_iter().zip(&self.column);
        self.reads = connections.map(|(row, &c)| geometry.read(row as usize, c as usize)).collect();
        self.weight.gradient.resize(self.column.len(), 0.0);
        self.bias.gradient.resize(self.rows(), 0.0);
        self.level.gradient.resize(self.level.latent.len(), 0.0);
    }

    /// Keeps the `n` largest weights, of equal ones the first: a network that is shared already has thousands of a size.
    pub(crate) fn keep_largest(&mut self, n: usize) {
        if n >= self.len() {
            return;
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.weight.latent[b].abs().total_cmp(&self.weight.latent[a].abs()));
        let mut keep = vec![false; self.len()];
        order[..n].iter().for_each(|&i| keep[i] = true);
        self.rewire(&keep, &[]);
    }

    /// Keeps the connections selected by `keep` and adds `new` ones: row, column, and initial value.
    /// New ones get the layer's mean curvature.
    pub(crate) fn rewire(&mut self, keep: &[bool], new: &[(u32, u32, f32)]) {
        let rows = self.row_of();
        let curvature = self.weight.second.iter().sum::<f32>() / self.len().max(1) as f32;
        let mut all: Vec<Connection> = (0..self.len())
            .filter(|&i| keep[i])
            .map(|i| Connection {
                row: rows[i],
                column: self.column[i],
                latent: self.weight.latent[i],
                first: self.weight.first[i],
                second: self.weight.second[i],
                value: self.value[i],
                code: self.code.get(i).copied().unwrap_or(0),
                is_settled: self.is_settled[i],
            })
            .collect();
        all.extend(new.iter().map(|&(row, column, latent)| Connection {
            row,
            column,
            latent,
            second: curvature,
            ..Connection::default()
        }));
        all.sort_unstable_by_key(|c| (c.row, c.column));
        self.weight = Trained {
            latent: all.iter().map(|c| c.latent).collect(),
            first: all.iter().map(|c| c.first).collect(),
            second: all.iter().map(|c| c.second).collect(),
            gradient: vec![0.0; all.len()],
        };
        self.value = all.iter().map(|c| c.value).collect();
        self.is_settled = all.iter().map(|c| c.is_settled).collect();
        if !self.level.latent.is_empty() {
            self.code = all.iter().map(|c| c.code).collect();
        }
        self.column = all.iter().map(|c| c.column).collect();
        let mut starts = vec![0u32; self.starts.len()];
        all.iter().for_each(|c| starts[c.row as usize + 1] += 1);
        for row in 1..starts.len() {
            starts[row] += starts[row - 1];
        }
        self.starts = starts;
    }

    /// `y = W x + b` for the live rows.
    ///
    /// Shapes: `x` in the geometry's layout, `y` `[rows, positions]`.
    #[inline(always)]
    pub(crate) fn forward<const K: usize>(&self, base: &[u32], x: &[Lanes<K>], y: &mut [Lanes<K>]) {
        for &row in &self.live {
            let row = row as usize;
            let (reads, values) = (&self.reads[self.row(row)], &self.value[self.row(row)]);
            let bias = self.bias_value[row];
            for (y, &base) in y[row * base.len()..].iter_mut().zip(base) {
                let mut acc = [[bias; 8]; K];
                for (&read, &value) in reads.iter().zip(values) {
                    add_scaled(&mut acc, &x[(base + read) as usize], value);
                }
                *y = acc;
            }
        }
    }

    /// Accumulates the gradients of weights and biases, and optionally that of the inputs.
    ///
    /// Shapes: `x`, `dx` in the geometry's layout, `dy` `[rows, positions]`.
    #[inline(always)]
    pub(crate) fn backward<const K: usize>(
        &mut self,
        base: &[u32],
        x: &[Lanes<K>],
        dy: &[Lanes<K>],
        mut dx: Option<&mut [Lanes<K>]>,
    ) {
        for &row in &self.live {
            let row = row as usize;
            let dy = &dy[row * base.len()..][..base.len()];
            let mut acc = zero::<K>();
            for dy in dy {
                add(&mut acc, dy);
            }
            self.bias.gradient[row] += sum(&acc);
            let span = self.row(row);
            let connections = self.reads[span.clone()].iter().zip(&self.value[span.clone()]);
            for ((&read, &value), gradient) in connections.zip(&mut self.weight.gradient[span]) {
                let mut acc = zero::<K>();
                match &mut dx {
                    None => {
                        for (dy, &base) in dy.iter().zip(base) {
                            add_product(&mut acc, &x[(base + read) as usize], dy);
                        }
                    }
                    Some(dx) => {
                        for (dy, &base) in dy.iter().zip(base) {
                            let at = (base + read) as usize;
                            add_product(&mut acc, &x[at], dy);
                            add_scaled(&mut dx[at], dy, value);
                        }
                    }
                }
                *gradient += sum(&acc);
            }
        }
    }

    /// Accumulates the gradient of every possible weight, connected or not: `[rows, columns]`; rows that are
    /// not computed have none. Also the mean squares: of `x` by column, of `dy` by row.
    #[inline(always)]
    pub(crate) fn probe<const K: usize>(
        &self,
        geometry: &Geometry,
        x: &[Lanes<K>],
        dy: &[Lanes<K>],
        found: &mut Probe,
    ) {
        let base = &geometry.base;
        for (square, &tap) in found.of_column.iter_mut().zip(&geometry.tap) {
            let mut acc = zero::<K>();
            for &base in base {
                let x = &x[(base + tap) as usize];
                add_product(&mut acc, x, x);
            }
            *square += sum(&acc);
        }
        for &row in &self.live {
            let row = row as usize;
            let dy = &dy[row * base.len()..][..base.len()];
            let mut acc = zero::<K>();
            for dy in dy {
                add_product(&mut acc, dy, dy);
            }
            found.of_row[row] += sum(&acc);
            let line = &mut found.gradient[row * geometry.cols()..][..geometry.cols()];
            for (gradient, &tap) in line.iter_mut().zip(&geometry.tap) {
                let mut acc = zero::<K>();
                for (dy, &base) in dy.iter().zip(base) {
                    add_product(&mut acc, &x[(base + tap) as usize], dy);
                }
                *gradient += sum(&acc);
            }
        }
    }
}

/// Gradient statistics of every weight of a layer, connected or not.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) gradient: Vec<f32>,
    pub(crate) of_column: Vec<f32>,
    pub(crate) of_row: Vec<f32>,
}

impl Probe {
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let (rows, cols) = (geometry.rows(), geometry.cols());
        Self { gradient: vec![0.0; rows * cols], of_column: vec![0.0; cols], of_row: vec![0.0; rows] }
    }
}

/// Clears the computed rows of a layer's output.
#[inline(always)]
pub(crate) fn clear<const K: usize>(live: &[u32], positions: usize, y: &mut [Lanes<K>]) {
    for &row in live {
        y[row as usize * positions..][..positions].fill(zero());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_weights_as_many_as_are_wanted_are_kept() {
        let geometry = Geometry {
            name: "fc1".into(),
            shape: vec![2, 4],
            tap: (0..4).collect(),
            base: vec![0],
            grid: (1, 1),
            groups: 1,
            apart: 0,
        };
        let weights = [0.5, -0.5, 0.5, 0.0, 0.5, 1.0, -0.5, 0.25];
        let mut layer = SparseLayer::new(&geometry, &weights, vec![0.0; 2]);
        layer.keep_largest(4);
        assert_eq!(layer.weight.latent, [0.5, -0.5, 0.5, 1.0]);
        assert_eq!((layer.starts, layer.column), (vec![0, 3, 4], vec![0, 1, 2, 1]));
    }
}
