//! Gradients of operators that choose, reduce, look up and multiply values.

use super::{Step, each_index};
use kompakt_graph::{Reduction, Update};
use std::collections::BTreeMap;

/// The position in a value of shape `from` that corresponds to an index of a larger one; dimensions of 1 are
/// broadcast.
fn place(index: &[usize], from: &[usize]) -> usize {
    (0..from.len()).fold(0, |at, d| at * from[d] + index[d].min(from[d] - 1))
}

/// The row that an index names among `n`.
fn row(index: f32, n: usize) -> usize {
    let whole = f64::from(index.trunc());
    let from_front = if whole < 0.0 { whole + n as f64 } else { whole };
    from_front.clamp(0.0, (n - 1) as f64) as usize
}

impl Step<'_> {
    /// Zeros, one list per input.
    fn zeros(&self) -> Vec<Vec<f32>> {
        self.inputs.iter().map(|x| vec![0.0; x.len()]).collect()
    }

    pub(super) fn selected(&self, dy: &[f32]) -> Vec<Vec<f32>> {
        let mut all = self.zeros();
        each_index(self.shape, |at, index| {
            let is_second = self.inputs[0][place(index, self.shapes[0])] == 0.0;
            let input = if is_second { 2 } else { 1 };
            all[input][place(index, self.shapes[input])] += dy[at];
        });
        all
    }

    pub(super) fn reduced(&self, dy: &[f32], function: Reduction, axes: &[usize]) -> Vec<f32> {
        let (x, y, from) = (self.inputs[0], self.output, self.shapes[0]);
        let n: usize = axes.iter().map(|&axis| from[axis]).product();
        let mut dx = vec![0.0; x.len()];
        // On a tie the first counts.
        let mut is_found = vec![false; y.len()];
        each_index(from, |at, index| {
            let to = place(index, self.shape);
            dx[at] = match function {
                Reduction::Sum => dy[to],
                Reduction::Mean => dy[to] / n as f32,
                Reduction::Product if x[at] != 0.0 => dy[to] * y[to] / x[at],
                Reduction::Max | Reduction::Min if x[at] == y[to] && !is_found[to] => {
                    is_found[to] = true;
                    dy[to]
                }
                Reduction::Product
                | Reduction::Max
                | Reduction::Min
                | Reduction::ArgMax
                | Reduction::ArgMin => 0.0,
            };
        });
        dx
    }

    pub(super) fn multiplied(&self, dy: &[f32]) -> Vec<Vec<f32>> {
        let rank = self.shape.len();
        let (m, n, k) = (self.shape[rank - 2], self.shape[rank - 1], self.shapes[0][rank - 1]);
        let mut all = self.zeros();
        let lead = &self.shape[..rank - 2];
        let mut multiply = |number: usize, index: &[usize]| {
            let a0 = place(index, &self.shapes[0][..rank - 2]) * m * k;
            let b0 = place(index, &self.shapes[1][..rank - 2]) * k * n;
            let (a, b) = (&self.inputs[0][a0..a0 + m * k], &self.inputs[1][b0..b0 + k * n]);
            let dy = &dy[number * m * n..(number + 1) * m * n];
            for i in 0..m {
                let dy = &dy[i * n..(i + 1) * n];
                for l in 0..k {
                    let b = &b[l * n..(l + 1) * n];
                    all[0][a0 + i * k + l] += dy.iter().zip(b).map(|(d, b)| d * b).sum::<f32>();
                    let x = a[i * k + l];
                    let db = &mut all[1][b0 + l * n..b0 + (l + 1) * n];
                    db.iter_mut().zip(dy).for_each(|(to, d)| *to += d * x);
                }
            }
        };
        if lead.is_empty() {
            multiply(0, &[])
        } else {
            each_index(lead, multiply)
        }
        all
    }

    pub(super) fn taken(&self, dy: &[f32], axis: usize) -> Vec<Vec<f32>> {
        let mut all = self.zeros();
        let from = self.shapes[0];
        let (n, inner) = (from[axis], from[axis + 1..].iter().product::<usize>());
        let part = self.inputs[1].len() * inner;
        for (dx, dy) in all[0].chunks_exact_mut(n * inner).zip(dy.chunks_exact(part)) {
            for (&index, dy) in self.inputs[1].iter().zip(dy.chunks_exact(inner)) {
                let at = row(index, n) * inner;
                dx[at..at + inner].iter_mut().zip(dy).for_each(|(to, d)| *to += d);
            }
        }
        all
    }

    /// Of a scatter: to the old values and to the values written last, by sums and replacements; products and
    /// extremes are treated as replacements.
    pub(super) fn scattered(&self, dy: &[f32], update: Update) -> Vec<Vec<f32>> {
        let mut all = self.zeros();
        let m = self.shapes[0][1];
        let n = self.shapes[0][0];
        all[0].copy_from_slice(dy);
        let mut is_replaced = vec![false; n];
        for (i, &index) in self.inputs[1].iter().enumerate().rev() {
            let row = row(index, n);
            if update == Update::Add || !is_replaced[row] {
                all[2][i * m..(i + 1) * m].copy_from_slice(&dy[row * m..(row + 1) * m]);
            }
            if update != Update::Add {
                is_replaced[row] = true;
                all[0][row * m..(row + 1) * m].fill(0.0);
            }
        }
        all
    }

    pub(super) fn largest(
        &self,
        dy: &[f32],
        axis: usize,
        k: usize,
        largest: bool,
        indices: bool,
    ) -> Vec<f32> {
        let (x, from) = (self.inputs[0], self.shapes[0]);
        let (n, inner) = (from[axis], from[axis + 1..].iter().product::<usize>());
        let mut dx = vec![0.0; x.len()];
        if indices {
            return dx;
        }
        for outer in 0..x.len() / (n * inner) {
            for i in 0..inner {
                let at = |place: usize| (outer * n + place) * inner + i;
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|&a, &b| {
                    let (a, b) = (x[at(a)], x[at(b)]);
                    if largest { b.total_cmp(&a) } else { a.total_cmp(&b) }
                });
                order.iter().take(k).enumerate().for_each(|(to, &p)| {
                    dx[at(p)] = dy[(outer * k + to) * inner + i];
                });
            }
        }
        dx
    }

    /// The sum of squares of each row of [`rows_taken`](Self::rows_taken), without the rows that were not.
    pub(super) fn squares_of_rows_taken(&self, dy: &[f32], rows: usize, features: usize) -> Vec<f64> {
        let mut taken: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        for (&index, dy) in self.inputs[0].iter().zip(dy.chunks_exact(features)) {
            let sum = taken.entry(row(index, rows)).or_insert_with(|| vec![0.0; features]);
            sum.iter_mut().zip(dy).for_each(|(to, d)| *to += d);
        }
        let mut squares = vec![0.0; rows];
        for (row, sum) in taken {
            squares[row] = sum.iter().map(|x| f64::from(*x).powi(2)).sum();
        }
        squares
    }

    /// The gradient of a table whose rows were read.
    pub(super) fn rows_taken(&self, dy: &[f32], rows: usize, features: usize) -> Vec<f32> {
        let mut table = vec![0.0; rows * features];
        for (&index, dy) in self.inputs[0].iter().zip(dy.chunks_exact(features)) {
            let at = row(index, rows) * features;
            table[at..at + features].iter_mut().zip(dy).for_each(|(to, d)| *to += d);
        }
        table
    }
}
