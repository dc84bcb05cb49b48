//! Average and maximum pools on framed images.

use crate::{
    lanes::{Cell, add, add_scaled, zero},
    plane::Plane,
};

/// A pool: for every output cell of one channel, where its window begins and where the result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) x: Plane,
    pub(crate) y: Plane,
    /// Where each window begins, and the cell that it gives.
    places: Vec<(u32, u32)>,
    /// Offsets of a window's cells.
    cells: Vec<u32>,
    pub(crate) is_mean: bool,
}

impl Windows {
    pub(crate) fn new(
        x: Plane,
        y: Plane,
        kernel: (usize, usize),
        stride: (usize, usize),
        is_mean: bool,
    ) -> Self {
        let outputs = (0..y.height).flat_map(|r| (0..y.width).map(move |c| (r, c)));
        let places =
            outputs.map(|(r, c)| (x.at(r * stride.0, c * stride.1) as u32, y.at(r, c) as u32)).collect();
        let cells =
            (0..kernel.0).flat_map(|r| (0..kernel.1).map(move |c| (r * x.pitch() + c) as u32)).collect();
        Self { x, y, places, cells, is_mean }
    }

    #[inline(always)]
    pub(crate) fn forward(&self, x: &[Cell], y: &mut [Cell]) {
        let share = 1.0 / self.cells.len() as f32;
        for (x, y) in x.chunks_exact(self.x.len()).zip(y.chunks_exact_mut(self.y.len())) {
            for &(from, to) in &self.places {
                let mut acc = if self.is_mean { zero() } else { [[f32::NEG_INFINITY; 8]] };
                for &cell in &self.cells {
                    let x = &x[(from + cell) as usize];
                    if self.is_mean {
                        add_scaled(&mut acc, x, share);
                    } else {
                        for (most, x) in acc.as_flattened_mut().iter_mut().zip(x.as_flattened()) {
                            *most = most.max(*x);
                        }
                    }
                }
                y[to as usize] = acc;
            }
        }
    }

    /// Adds to the gradient of the input; a maximum's goes to the first cell that has it.
    #[inline(always)]
    pub(crate) fn backward(&self, (x, y): (&[Cell], &[Cell]), dx: &mut [Cell], dy: &[Cell]) {
        let share = 1.0 / self.cells.len() as f32;
        let (n_x, n_y) = (self.x.len(), self.y.len());
        for (channel, dx) in dx.chunks_exact_mut(n_x).enumerate() {
            let (x, y) = (&x[channel * n_x..][..n_x], &y[channel * n_y..][..n_y]);
            let dy = &dy[channel * n_y..][..n_y];
            for &(from, to) in &self.places {
                let mut left = dy[to as usize];
                for &cell in &self.cells {
                    let at = (from + cell) as usize;
                    if self.is_mean {
                        add_scaled(&mut dx[at], &left, share);
                        continue;
                    }
                    let mut part = zero();
                    let lanes = part.as_flattened_mut().iter_mut().zip(left.as_flattened_mut());
                    let same = x[at].as_flattened().iter().zip(y[to as usize].as_flattened());
                    for ((part, left), (x, most)) in lanes.zip(same) {
                        if x == most {
                            *part = std::mem::take(left);
                        }
                    }
                    add(&mut dx[at], &part);
                }
            }
        }
    }
}
