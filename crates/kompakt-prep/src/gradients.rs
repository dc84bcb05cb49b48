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

/// Histograms grid by grid (direction, then row, then column), then the image by area on `pixels` by `pixels`.
/// Rule P-20.
pub(crate) fn gradients(
    x: &[f32],
    [height, width]: [usize; 2],
    directions: usize,
    cells: &[usize],
    pixels: usize,
    y: &mut [f32],
) {
    let edges = edges(x, height, width, directions);
    let mut rest = y;
    for side in cells {
        let (grid, after) = rest.split_at_mut(directions * side * side);
        histograms(&edges, [height, width], *side, grid);
        rest = after;
    }
    if pixels > 0 {
        resize::area(x, [height, width], [pixels, pixels], rest);
    }
}

/// A pixel with a gradient: where, the direction below it, and the parts along that direction and the next.
struct Edge {
    row: usize,
    column: usize,
    parts: [(usize, f64); 2],
}

/// The gradients of a plane by Sobel's operator, 0 outside the plane; pixels without one are left out.
fn edges(x: &[f32], height: usize, width: usize, directions: usize) -> Vec<Edge> {
    let units: Vec<(f64, f64)> = (0..directions)
        .map(|k| 2.0 * core::f64::consts::PI * k as f64 / directions as f64)
        .map(|angle| (libm::cos(angle), libm::sin(angle)))
        .collect();
    let sine = libm::sin(2.0 * core::f64::consts::PI / directions as f64);
    // A frame of zeros makes the loop the same for all pixels.
    let stride = width + 2;
    let mut framed = vec![0.0f64; stride * (height + 2)];
    for (row, values) in x.chunks_exact(width).enumerate() {
        for (to, from) in framed[(row + 1) * stride + 1..].iter_mut().zip(values) {
            *to = f64::from(*from);
        }
    }
    let mut edges = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let at = |r: usize, c: usize| framed[(row + r) * stride + column + c];
            let across = (at(0, 2) + 2.0 * at(1, 2) + at(2, 2)) - (at(0, 0) + 2.0 * at(1, 0) + at(2, 0));
            let down = (at(2, 0) + 2.0 * at(2, 1) + at(2, 2)) - (at(0, 0) + 2.0 * at(0, 1) + at(0, 2));
            if let Some(parts) = split(across, down, &units, sine) {
                edges.push(Edge { row, column, parts });
            }
        }
    }
    edges
}

/// The direction below the gradient and the one above it, each with its part.
fn split(across: f64, down: f64, units: &[(f64, f64)], sine: f64) -> Option<[(usize, f64); 2]> {
    if across == 0.0 && down == 0.0 {
        return None;
    }
    let cross = |(cos, sin): (f64, f64)| cos * down - sin * across;
    let n = units.len();
    let k = (0..n).find(|k| cross(units[*k]) >= 0.0 && cross(units[(k + 1) % n]) < 0.0)?;
    let next = (k + 1) % n;
    Some([(k, -cross(units[next]) / sine), (next, cross(units[k]) / sine)])
}

/// The cell before position `i` of `n` (or -1), and the share of the cell after it.
fn cell(i: usize, n: usize, side: usize) -> (isize, f64) {
    let at = (i as f64 + 0.5) * (side as f64 / n as f64) - 0.5;
    let low = libm::floor(at);
    (low as isize, at - low)
}

/// One grid: sums, divided by their root mean square, then square roots.
fn histograms(edges: &[Edge], [height, width]: [usize; 2], side: usize, grid: &mut [f32]) {
    let mut sums = vec![0.0f64; grid.len()];
    for edge in edges {
        let (top, v) = cell(edge.row, height, side);
        let (left, u) = cell(edge.column, width, side);
        for (r, share_down) in [(top, 1.0 - v), (top + 1, v)] {
            for (c, share_across) in [(left, 1.0 - u), (left + 1, u)] {
                let (Ok(r), Ok(c)) = (usize::try_from(r), usize::try_from(c)) else { continue };
                if r >= side || c >= side {
                    continue;
                }
                for (direction, part) in edge.parts {
                    sums[(direction * side + r) * side + c] += share_down * share_across * part;
                }
            }
        }
    }
    let squares: f64 = sums.iter().map(|s| s * s).sum();
    let scale = if squares > 0.0 { 1.0 / libm::sqrt(squares / sums.len() as f64) } else { 0.0 };
    for (y, sum) in grid.iter_mut().zip(&sums) {
        *y = libm::sqrt(sum * scale) as f32;
    }
}
