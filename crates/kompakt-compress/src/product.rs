//! Matrix products, bit-identical on every machine: no product is fused with its sum, and sums run in one
//! order.
//!
//! ```text
//! C [m, n] += A [m, k] B [k, n]
//! ```

use pulp::{NullaryFnOnce, Simd};
use std::ops::Range;

/// Depth of a packed panel.
const DEPTH: usize = 256;
/// Columns of `A` that are packed together.
const PACKED: usize = 16;
/// Columns of a square that are worked out together, from the diagonal downwards.
const STRIPE: usize = 96;

/// A matrix in memory, with any strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'m> {
    pub(crate) data: &'m [f32],
    /// Strides of rows and of columns.
    pub(crate) strides: [usize; 2],
}

impl<'m> Matrix<'m> {
    /// Row-major, `n_cols` wide.
    pub(crate) fn rows(data: &'m [f32], n_cols: usize) -> Self {
        Self { data, strides: [n_cols, 1] }
    }

    /// The transpose.
    pub(crate) fn transposed(self) -> Self {
        Self { data: self.data, strides: [self.strides[1], self.strides[0]] }
    }

    /// The first of some rows of a column; 0 where there are fewer than are asked for.
    #[inline(always)]
    fn column(&self, rows: Range<usize>, col: usize, to: &mut [f32]) {
        let start = rows.start * self.strides[0] + col * self.strides[1];
        if rows.len() >= to.len() && self.strides[0] == 1 {
            to.copy_from_slice(&self.data[start..start + to.len()]);
        } else {
            for (r, to) in to.iter_mut().enumerate() {
                *to = if r < rows.len() { self.data[start + r * self.strides[0]] } else { 0.0 };
            }
        }
    }

    #[cfg(test)]
    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.strides[0] + col * self.strides[1]]
    }
}

/// `C += A B`; `size` is `[m, k, n]`, `c` `[m, n]` row-major.
pub(crate) fn add_product(a: Matrix<'_>, b: Matrix<'_>, size: [usize; 3], c: &mut [f32]) {
    run(a, b, size, c, size[2]);
}

/// `C += X^T X` on the diagonal and below it, and in places above; `x` has `size[0]` rows of `size[1]` columns, `c` is
/// `[columns, columns]`.
pub(crate) fn add_square(x: Matrix<'_>, size: [usize; 2], c: &mut [f32]) {
    let [n_rows, n_cols] = size;
    for first in (0..n_cols).step_by(STRIPE) {
        let from = |first: usize| {
            let start = (first * x.strides[1]).min(x.data.len());
            Matrix { data: &x.data[start..], strides: x.strides }
        };
        let size = [n_cols - first, n_rows, STRIPE.min(n_cols - first)];
        let c = &mut c[first * n_cols + first..];
        run(from(first).transposed(), from(first), size, c, n_cols);
    }
}

/// With a tile that fits the machine's registers: each number of `C` is the same sum with any.
fn run(a: Matrix<'_>, b: Matrix<'_>, size: [usize; 3], c: &mut [f32], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return simd.vectorize(Product::<_, 8> { simd, a, b, size, c, stride });
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(Product::<_, 4> { simd, a, b, size, c, stride });
        }
    }
    pulp::Scalar128b.vectorize(Product::<_, 4> { simd: pulp::Scalar128b, a, b, size, c, stride });
}

/// `C += A B` by tiles of `ROWS` rows and two vectors of columns, which are accumulated in registers.
struct Product<'p, S, const ROWS: usize> {
    simd: S,
    a: Matrix<'p>,
    b: Matrix<'p>,
    size: [usize; 3],
    c: &'p mut [f32],
    /// From one row of `c` to the next.
    stride: usize,
}

impl<S: Simd, const ROWS: usize> NullaryFnOnce for Product<'_, S, ROWS> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, a, b, size: [m, k, n], c, stride } = self;
        let lanes = S::F32_LANES;
        let mut packed = vec![[0f32; ROWS]; m.div_ceil(ROWS) * DEPTH.min(k)];
        let mut panel = vec![[simd.splat_f32s(0.0); 2]; DEPTH.min(k)];
        for first in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - first);
            for start in (0..depth).step_by(PACKED) {
                for (block, to) in packed.chunks_exact_mut(depth).enumerate().take(m.div_ceil(ROWS)) {
                    for (p, to) in to.iter_mut().enumerate().skip(start).take(PACKED) {
                        a.column(block * ROWS..m, first + p, to);
                    }
                }
            }
            for col in (0..n).step_by(2 * lanes) {
                for (p, to) in panel[..depth].iter_mut().enumerate() {
                    b.transposed().column(col..n, first + p, pulp::bytemuck::cast_slice_mut(to));
                }
                for (block, rows) in packed.chunks_exact(depth).enumerate().take(m.div_ceil(ROWS)) {
                    let sums = block_product(simd, rows, &panel[..depth]);
                    for (r, sums) in sums.iter().enumerate().take(m - block * ROWS) {
                        let to = &mut c[(block * ROWS + r) * stride + col..];
                        let to = &mut to[..(n - col).min(2 * lanes)];
                        to.iter_mut()
                            .zip(pulp::bytemuck::cast_slice::<_, f32>(sums))
                            .for_each(|(c, s)| *c += s);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn block_product<S: Simd, const ROWS: usize>(
    simd: S,
    rows: &[[f32; ROWS]],
    panel: &[[S::f32s; 2]],
) -> [[S::f32s; 2]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
    for (a, b) in rows.iter().zip(panel) {
        for (sums, &a) in sums.iter_mut().zip(a) {
            let a = simd.splat_f32s(a);
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum = simd.add_f32s(*sum, simd.mul_f32s(a, b));
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_below_its_diagonal_is_the_product() {
        for [rows, cols] in [[0, 3], [5, 1], [300, 40], [9, 200]] {
            let x: Vec<f32> = (0..rows * cols).map(|i| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
            let x = Matrix::rows(&x, cols);
            let (mut square, mut product) = (vec![1f32; cols * cols], vec![1f32; cols * cols]);
            add_square(x, [rows, cols], &mut square);
            add_product(x.transposed(), x, [cols, rows, cols], &mut product);
            for i in 0..cols {
                assert_eq!(
                    square[i * cols..=i * cols + i],
                    product[i * cols..=i * cols + i],
                    "{rows} {cols} {i}"
                );
            }
        }
    }

    #[test]
    fn as_the_plain_sum() {
        arbtest::arbtest(|u| {
            let [m, k, n] = [u.int_in_range(1..=9)?, u.int_in_range(1..=300)?, u.int_in_range(1..=35)?];
            let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
            let (a, b): (Vec<f32>, Vec<f32>) =
                ((0..m * k).map(number).collect(), (0..k * n).map(|i| number(i + 5)).collect());
            let flip = u.arbitrary::<bool>()?;
            let (left, right) = if flip {
                (Matrix::rows(&a, m).transposed(), Matrix::rows(&b, k).transposed())
            } else {
                (Matrix::rows(&a, k), Matrix::rows(&b, n))
            };
            let mut c = vec![1f32; m * n];
            add_product(left, right, [m, k, n], &mut c);
            for (at, c) in c.iter().enumerate() {
                let sum: f64 =
                    (0..k).map(|p| f64::from(left.at(at / n, p)) * f64::from(right.at(p, at % n))).sum();
                assert!((f64::from(*c) - 1.0 - sum).abs() < 1e-3, "{m} {k} {n} {at}: {c} {sum}");
            }
            Ok(())
        });
    }
}
