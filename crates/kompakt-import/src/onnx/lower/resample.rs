//! Linear maps along one dimension, as products with a constant matrix: cubic and antialiased resizing, and
//! Fourier transforms.

use super::{Act, Call, Lowering, resize::Direction};
use crate::onnx::builder::Value;
use kompakt_graph::Op;

impl Lowering<'_> {
    /// Along dimension `axis` here: element `i` of the result is the sum of `matrix[i, k]` times element `k`; `rows` of them.
    pub(super) fn mapped(
        &mut self,
        x: Value,
        axis: usize,
        matrix: Vec<f32>,
        rows: usize,
    ) -> Result<Value, String> {
        let mut shape = self.builder.shape(x).to_vec();
        let columns = shape[axis];
        let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        let matrix = self.computed(matrix, vec![1, rows, columns])?;
        let wide = self.builder.reshape(x, vec![outer, columns, inner])?;
        let product = self.builder.op(None, Op::MatMul, vec![matrix, wide])?;
        shape[axis] = rows;
        self.builder.reshape(product, shape)
    }

    /// Resizes by the weights of neighbours, in any mode but the nearest.
    pub(super) fn resampled(
        &mut self,
        call: &Call<'_>,
        x: &Act,
        directions: &[Direction],
        coordinates: &str,
    ) -> Result<Act, String> {
        let node = call.node;
        let kernel = Kernel {
            cubic: (node.text("mode") == "cubic").then(|| f64::from(node.float("cubic_coeff_a", -0.75))),
            is_antialiased: node.int("antialias", 0) != 0,
            excludes_outside: node.int("exclude_outside", 0) != 0,
        };
        let mut value = x.value;
        for (axis, direction) in directions.iter().enumerate().skip(1).filter(|(_, d)| !d.is_same()) {
            let n = direction.from.checked_mul(direction.to).filter(|&n| n <= 1 << 24);
            let mut matrix = vec![0.0; n.ok_or("a matrix of more than 2^24 weights")?];
            for i in 0..direction.to {
                let at = direction.place(i, coordinates)?;
                let row = &mut matrix[i * direction.from..][..direction.from];
                kernel.weights(f64::from(at), direction.scale, row);
            }
            value = self.mapped(value, axis - 1, matrix, direction.to)?;
        }
        Ok(self.with_batch(value))
    }
}

/// How neighbours are weighted by their distance.
struct Kernel {
    /// The coefficient of a cubic one; `None` for linear interpolation.
    cubic: Option<f64>,
    /// Whether the kernel is widened where the image shrinks, so that it averages all pixels (`antialias`).
    is_antialiased: bool,
    excludes_outside: bool,
}

impl Kernel {
    fn weight(&self, distance: f64) -> f64 {
        let d = distance.abs();
        match self.cubic {
            None => (1.0 - d).max(0.0),
            Some(a) if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            Some(a) if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
            Some(_) => 0.0,
        }
    }

    /// Adds the weights of a row's elements for the position `at`; the first and last stand for those beyond.
    fn weights(&self, at: f64, scale: f64, row: &mut [f32]) {
        let narrow = if self.is_antialiased { scale.min(1.0) } else { 1.0 };
        let reach = if self.cubic.is_some() { 2.0 } else { 1.0 } / narrow;
        let last = row.len() as f64 - 1.0;
        let neighbours = || {
            let (first, end) = ((at - reach).ceil() as i64, (at + reach).floor() as i64);
            (first..=end).map(|k| k as f64).filter(|&k| !self.excludes_outside || (k >= 0.0 && k <= last))
        };
        let weight = |k: f64| self.weight((k - at) * narrow);
        let is_normalised = self.is_antialiased || self.excludes_outside;
        let total = if is_normalised { neighbours().map(weight).sum() } else { 1.0 };
        for k in neighbours() {
            row[k.clamp(0.0, last) as usize] += (weight(k) / total) as f32;
        }
    }
}
