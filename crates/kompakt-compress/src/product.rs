//! Matrix products, bit-identical on every machine: no product is fused with its sum, and sums run in one
//! order.
//!
//! ```text
//! C [m, n] += A [m, k] B [k, n]
//! ```

use pulp::NullaryFnOnce;

/// Rows and columns of the tile of `C` that is accumulated in registers.
const ROWS: usize = 4;
const COLS: usize = 16;
/// Depth of a packed panel.
const DEPTH: usize = 256;
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

    #[inline(always)]
    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.strides[0] + col * self.strides[1]]
    }
}

/// `C += A B`; `size` is `[m, k, n]`, `c` `[m, n]` row-major.
pub(crate) fn add_product(a: Matrix<'_>, b: Matrix<'_>, size: [usize; 3], c: &mut [f32]) {
    run(Product { a, b, size, c, stride: size[2] });
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
        run(Product { a: from(first).transposed(), b: from(first), size, c, stride: n_cols });
    }
}

fn run(work: Product<'_>) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return pulp::Simd::vectorize(simd, work);
        }
    }
    work.call();
}

struct Product<'p> {
    a: Matrix<'p>,
    b: Matrix<'p>,
    size: [usize; 3],
    c: &'p mut [f32],
    /// From one row of `c` to the next.
    stride: usize,
}

impl NullaryFnOnce for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { a, b, size: [m, k, n], c, stride } = self;
        let mut packed = vec![[0f32; ROWS]; m.div_ceil(ROWS) * DEPTH.min(k)];
        let mut panel = vec![[0f32; COLS]; DEPTH.min(k)];
        for first in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - first);
            for (block, to) in packed.chunks_exact_mut(depth).enumerate().take(m.div_ceil(ROWS)) {
                for (p, to) in to.iter_mut().enumerate() {
                    for (r, to) in to.iter_mut().enumerate() {
                        let row = block * ROWS + r;
                        *to = if row < m { a.at(row, first + p) } else { 0.0 };
                    }
                }
            }
            for col in (0..n).step_by(COLS) {
                let width = COLS.min(n - col);
                for (p, to) in panel[..depth].iter_mut().enumerate() {
                    let start = (first + p) * b.strides[0] + col * b.strides[1];
                    if width == COLS && b.strides[1] == 1 {
                        to.copy_from_slice(&b.data[start..start + COLS]);
                    } else {
                        for (j, to) in to.iter_mut().enumerate() {
                            *to = if j < width { b.data[start + j * b.strides[1]] } else { 0.0 };
                        }
                    }
                }
                for (block, rows) in packed.chunks_exact(depth).enumerate().take(m.div_ceil(ROWS)) {
                    let sums = block_product(rows, &panel[..depth]);
                    for (r, sums) in sums.iter().enumerate().take(m - block * ROWS) {
                        let start = (block * ROWS + r) * stride + col;
                        c[start..start + width].iter_mut().zip(sums).for_each(|(c, s)| *c += s);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn block_product(rows: &[[f32; ROWS]], panel: &[[f32; COLS]]) -> [[f32; COLS]; ROWS] {
    let mut sums = [[0f32; COLS]; ROWS];
    for (a, b) in rows.iter().zip(panel) {
        for r in 0..ROWS {
            for j in 0..COLS {
                sums[r][j] += a[r] * b[j];
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
