//! Histograms of gradient directions on grids of cells.
//!
//! The gradient at a pixel is split between the two directions beside it, as the sides of a parallelogram whose
//! diagonal it is, so that no angle is ever computed:
//!
//! ```text
//!      u[k+1]
//!       ▲    ⟋ g          g = a u[k] + b u[k+1]      a, b >= 0
//!     b │  ⟋
//!       │⟋     a
//!       └───────► u[k]
//! ```
//!
//! and each part is split between the four cells whose centres surround the pixel.

use crate::resize;
use alloc::{vec, vec::Vec};

/// The settings of the step.
pub(crate) struct Settings<'a> {
    pub(crate) orientations: usize,
    pub(crate) cells: &'a [usize],
    pub(crate) pixels: usize,
    pub(crate) locality: f32,
    pub(crate) roots: bool,
}

/// Histograms grid by grid (direction, then row, then column), then the image by area on `pixels` by `pixels`.
/// Rule P-20.
pub(crate) fn gradients(x: &[f32], [height, width]: [usize; 2], settings: &Settings, y: &mut [f32]) {
    let circle = Circle::new(settings.orientations);
    let grid = |side: &usize| Grid::new(*side, settings.orientations, height, width);
    let mut grids: Vec<Grid> = settings.cells.iter().map(grid).collect();
    for row in 0..height {
        for column in 0..width {
            let at = |r: usize, c: usize| f64::from(x[r * width + c]);
            let left = if column > 0 { at(row, column - 1) } else { 0.0 };
            let right = if column + 1 < width { at(row, column + 1) } else { 0.0 };
            let above = if row > 0 { at(row - 1, column) } else { 0.0 };
            let below = if row + 1 < height { at(row + 1, column) } else { 0.0 };
            if let Some(parts) = circle.split(right - left, below - above) {
                grids.iter_mut().for_each(|grid| grid.add(row, column, parts));
            }
        }
    }
    let mut rest = y;
    for grid in &grids {
        let (to, after) = rest.split_at_mut(grid.sums.len());
        grid.finish(settings, to);
        rest = after;
    }
    if settings.pixels > 0 {
        resize::area(x, [height, width], [settings.pixels; 2], rest);
    }
}

/// Directions spread over the full circle.
struct Circle {
    /// Cosine and sine of each.
    units: Vec<(f64, f64)>,
    /// Sine of the angle between adjacent directions.
    sine: f64,
}

/// A direction and the component of a gradient along it.
type Part = (usize, f64);

impl Circle {
    fn new(directions: usize) -> Self {
        let turn = 2.0 * core::f64::consts::PI;
        let angle = |k: usize| turn * k as f64 / directions as f64;
        let units = (0..directions).map(|k| (libm::cos(angle(k)), libm::sin(angle(k)))).collect();
        Self { units, sine: libm::sin(turn / directions as f64) }
    }

    /// The direction below the gradient and the one above it, with the component of each; `None` for a zero
    /// gradient.
    fn split(&self, across: f64, down: f64) -> Option<[Part; 2]> {
        if across == 0.0 && down == 0.0 {
            return None;
        }
        let cross = |(cos, sin): (f64, f64)| cos * down - sin * across;
        let mut before = cross(self.units[0]);
        let first = before;
        for k in 0..self.units.len() {
            let next = if k + 1 < self.units.len() { cross(self.units[k + 1]) } else { first };
            if before >= 0.0 && next < 0.0 {
                return Some([(k, -next / self.sine), ((k + 1) % self.units.len(), before / self.sine)]);
            }
            before = next;
        }
        None
    }
}

/// Two cells along one side and the share of each; a cell outside the grid has share 0.
type Shares = [(usize, f64); 2];

/// A histogram for each cell of a square grid.
struct Grid {
    side: usize,
    rows: Vec<Shares>,
    columns: Vec<Shares>,
    /// `[directions, side, side]`.
    sums: Vec<f64>,
}

/// How position `i` of `n` is shared between the cells whose centres are beside it.
fn shares(i: usize, n: usize, side: usize) -> Shares {
    let at = (i as f64 + 0.5) * (side as f64 / n as f64) - 0.5;
    let low = libm::floor(at);
    let after = at - low;
    let cell = |cell: f64, share: f64| {
        if cell >= 0.0 && cell < side as f64 { (cell as usize, share) } else { (0, 0.0) }
    };
    [cell(low, 1.0 - after), cell(low + 1.0, after)]
}

impl Grid {
    fn new(side: usize, directions: usize, height: usize, width: usize) -> Self {
        let all = |n| (0..n).map(|i| shares(i, n, side)).collect();
        Self { side, rows: all(height), columns: all(width), sums: vec![0.0; directions * side * side] }
    }

    fn add(&mut self, row: usize, column: usize, parts: [Part; 2]) {
        for (r, down) in self.rows[row] {
            for (c, across) in self.columns[column] {
                for (direction, part) in parts {
                    self.sums[(direction * self.side + r) * self.side + c] += down * across * part;
                }
            }
        }
    }

    /// Sums over a root mean square, part of the cell's and part of the grid's, and optionally their square
    /// roots.
    fn finish(&self, settings: &Settings, to: &mut [f32]) {
        let cells = self.side * self.side;
        let square = |i: usize| self.sums[i] * self.sums[i];
        let whole = (0..self.sums.len()).map(square).sum::<f64>() / self.sums.len() as f64;
        let locality = f64::from(settings.locality);
        for cell in 0..cells {
            let of_cell = || (cell..self.sums.len()).step_by(cells);
            let own = of_cell().map(square).sum::<f64>() / settings.orientations as f64;
            let norm = libm::sqrt(locality * own + (1.0 - locality) * whole);
            for i in of_cell() {
                let value = if norm > 0.0 { self.sums[i] / norm } else { 0.0 };
                to[i] = if settings.roots { libm::sqrt(value) } else { value } as f32;
            }
        }
    }
}
