//! Matrix products.

use super::{call::Call, walk};
use crate::onnx::tensor::Tensor;
use pulp::NullaryFnOnce;
use std::borrow::Cow;

/// Columns of a tile.
const COLUMNS: usize = 16;
/// Rows of a tile.
const ROWS: usize = 6;
/// Depth of a panel, chosen so that its rows stay in the nearest cache.
const DEPTH: usize = 256;
/// Up to this many rows, row by row is cheaper than tiles.
const FEW: usize = 2;

/// The left matrix of products, `[m, k]`, packed for them.
pub(super) struct Left {
    m: usize,
    k: usize,
    /// Tile by tile, `[k, ROWS]` each, the last padded with zeros; the matrix itself if it has few rows.
    tiles: Vec<f32>,
}

impl Left {
    pub(super) fn new(m: usize, k: usize, a: &[f32]) -> Self {
        if m <= FEW {
            return Self { m, k, tiles: a[..m * k].to_vec() };
        }
        let mut tiles = vec![0.0; m.div_ceil(ROWS) * ROWS * k];
        for (rows, tile) in a.chunks(ROWS * k.max(1)).zip(tiles.chunks_mut(ROWS * k.max(1))) {
            for (r, row) in rows.chunks(k.max(1)).enumerate() {
                tile[r..].iter_mut().step_by(ROWS).zip(row).for_each(|(to, from)| *to = *from);
            }
        }
        Self { m, k, tiles }
    }

    /// Adds the product with `b` `[k, n]` to columns of `c`, `[m, width]`, of which columns `start..start + n`.
    pub(super) fn add_product(&self, b: &[f32], n: usize, c: &mut [f32], start: usize, width: usize) {
        if self.m <= FEW {
            for (row, a) in self.tiles.chunks(self.k.max(1)).enumerate() {
                let c = &mut c[row * width + start..][..n];
                a.iter().zip(b.chunks(n.max(1))).for_each(|(&a, b)| add_scaled(c, a, b));
            }
            return;
        }
        let mut panel = Vec::new();
        for first in (0..n).step_by(COLUMNS) {
            let columns = COLUMNS.min(n - first);
            for above in (0..self.k).step_by(DEPTH) {
                let depth = DEPTH.min(self.k - above);
                // The columns side by side, padded with zeros.
                panel.clear();
                for p in above..above + depth {
                    panel.extend_from_slice(&b[p * n + first..][..columns]);
                    panel.resize((p + 1 - above) * COLUMNS, 0.0);
                }
                for (t, tile) in self.tiles.chunks(ROWS * self.k).enumerate() {
                    let sums = sums(&tile[above * ROWS..][..depth * ROWS], &panel);
                    for (row, sums) in (t * ROWS..self.m).zip(&sums) {
                        let c = &mut c[row * width + start + first..][..columns];
                        c.iter_mut().zip(sums).for_each(|(c, s)| *c += s);
                    }
                }
            }
        }
    }
}

/// Adds `a b` to `c`: `a` `[m, k]`, `b` `[k, n]`, `c` `[m, n]`.
fn add_product(m: usize, k: usize, n: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    Left::new(m, k, a).add_product(b, n, c, 0, n);
}

/// `y += a x`.
pub(super) fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    struct Scaled<'s>(&'s mut [f32], f32, &'s [f32]);
    impl NullaryFnOnce for Scaled<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.0.iter_mut().zip(self.2).for_each(|(y, x)| *y += self.1 * x);
        }
    }
    vectorised(Scaled(y, a, x));
}

/// Accumulators for [`ROWS`] rows and [`COLUMNS`] columns, each product and sum rounded once if `FUSED`.
struct Sums<'s, const FUSED: bool> {
    /// `[depth, ROWS]`
    tile: &'s [f32],
    /// `[depth, COLUMNS]`
    panel: &'s [f32],
}

impl<const FUSED: bool> NullaryFnOnce for Sums<'_, FUSED> {
    type Output = [[f32; COLUMNS]; ROWS];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut sums = [[0.0f32; COLUMNS]; ROWS];
        let (left, _) = self.tile.as_chunks::<ROWS>();
        let (right, _) = self.panel.as_chunks::<COLUMNS>();
        for (a, b) in left.iter().zip(right) {
            for r in 0..ROWS {
                for c in 0..COLUMNS {
                    let sum = &mut sums[r][c];
                    *sum = if FUSED { a[r].mul_add(b[c], *sum) } else { *sum + a[r] * b[c] };
                }
            }
        }
        sums
    }
}

fn sums(tile: &[f32], panel: &[f32]) -> [[f32; COLUMNS]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(Sums::<true> { tile, panel });
        }
    }
    Sums::<false> { tile, panel }.call()
}

/// Runs `work` compiled for the vector instructions of this machine.
fn vectorised<W: NullaryFnOnce>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return pulp::Simd::vectorize(simd, work);
        }
    }
    work.call()
}

/// With NumPy's rules: vectors become matrices, leading dimensions are broadcast.
pub(super) fn matmul(call: &Call<'_>) -> Result<Tensor, String> {
    let (a, b) = (call.x(0)?, call.x(1)?);
    if a.dims.is_empty() || b.dims.is_empty() {
        return Err("a product with a single number".into());
    }
    let (mut left, mut right) = (a.dims.clone(), b.dims.clone());
    let (is_row, is_column) = (left.len() == 1, right.len() == 1);
    if is_row {
        left.insert(0, 1);
    }
    if is_column {
        right.push(1);
    }
    let (l, r) = (left.len(), right.len());
    let (m, k, n) = (left[l - 2], left[l - 1], right[r - 1]);
    if right[r - 2] != k {
        return Err(format!("{:?} times {:?}", a.dims, b.dims));
    }
    let lead = walk::broadcast(&[&left[..l - 2], &right[..r - 2]])?;
    let mut dims = lead.clone();
    dims.extend([m, n]);
    let mut y = vec![0.0; call.count(&dims)?];
    let many: usize = lead.iter().product();
    call.pay(((many * m) as u64).saturating_mul((k * n) as u64))?;
    // Which matrix of each side goes into which product.
    let number = |dims: &[usize]| -> Vec<usize> {
        let count = dims.iter().product::<usize>();
        let numbers = Tensor::ints(dims.to_vec(), (0..count as i64).collect());
        let spread = walk::spread(&numbers, &lead);
        spread.as_ints().unwrap_or_default().iter().map(|&i| i as usize).collect()
    };
    let (of_left, of_right) = (number(&left[..l - 2]), number(&right[..r - 2]));
    let (a, b) = (a.as_floats(), b.as_floats());
    for (i, y) in y.chunks_mut((m * n).max(1)).enumerate() {
        add_product(m, k, n, &a[of_left[i] * m * k..][..m * k], &b[of_right[i] * k * n..][..k * n], y);
    }
    if is_column {
        dims.pop();
    }
    if is_row {
        dims.remove(lead.len());
    }
    Ok(Tensor::floats(dims, y))
}

/// `alpha A' B' + beta C`, where `'` transposes if the node says so.
pub(super) fn gemm(call: &Call<'_>) -> Result<Tensor, String> {
    let matrix = |x: &Tensor, name: &str| match x.dims[..] {
        [rows, columns] if call.node.int(name, 0) == 0 => Ok((rows, columns, false)),
        [columns, rows] => Ok((rows, columns, true)),
        _ => Err(format!("{:?} is not a matrix", x.dims)),
    };
    let (a, b) = (call.x(0)?, call.x(1)?);
    let ((m, k, is_a_turned), (k_too, n, is_b_turned)) = (matrix(a, "transA")?, matrix(b, "transB")?);
    if k != k_too {
        return Err(format!("[{m}, {k}] times [{k_too}, {n}]"));
    }
    let mut y = vec![0.0; call.count(&[m, n])?];
    call.pay((m as u64).saturating_mul((k * n) as u64))?;
    let (a, b) = (a.as_floats(), b.as_floats());
    let a = if is_a_turned { Cow::Owned(turned(&a, k, m)) } else { a };
    match is_b_turned {
        true if m <= FEW => {
            for (y, a) in y.chunks_mut(n.max(1)).zip(a.chunks(k.max(1))) {
                y.iter_mut().zip(b.chunks(k.max(1))).for_each(|(y, b)| *y = dot(a, b));
            }
        }
        true => add_product(m, k, n, &a, &turned(&b, n, k), &mut y),
        false => add_product(m, k, n, &a, &b, &mut y),
    }
    let (alpha, beta) = (call.node.float("alpha", 1.0), call.node.float("beta", 1.0));
    y.iter_mut().for_each(|v| *v *= alpha);
    if let Some(c) = call.optional(2) {
        if walk::broadcast(&[&[m, n], &c.dims])? != [m, n] {
            return Err(format!("a bias of {:?}", c.dims));
        }
        let c = walk::spread(c, &[m, n]);
        y.iter_mut().zip(c.as_floats().iter()).for_each(|(y, c)| *y += beta * c);
    }
    Ok(Tensor::floats(vec![m, n], y))
}

/// The transpose of `x` `[rows, columns]`, a block of rows at a time.
pub(super) fn turned(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    for (band, from) in x.chunks(COLUMNS * columns.max(1)).enumerate() {
        for column in 0..columns {
            let to = &mut y[column * rows + band * COLUMNS..];
            to.iter_mut().zip(from[column..].iter().step_by(columns)).for_each(|(y, x)| *y = *x);
        }
    }
    y
}

/// A dot product, in [`COLUMNS`] partial sums.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    struct Dot<'d>(&'d [f32], &'d [f32]);
    impl NullaryFnOnce for Dot<'_> {
        type Output = f32;

        #[inline(always)]
        fn call(self) -> f32 {
            let ((a, a_rest), (b, b_rest)) = (self.0.as_chunks::<COLUMNS>(), self.1.as_chunks::<COLUMNS>());
            let mut sums = [0.0; COLUMNS];
            for (a, b) in a.iter().zip(b) {
                for c in 0..COLUMNS {
                    sums[c] += a[c] * b[c];
                }
            }
            sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
        }
    }
    vectorised(Dot(a, b))
}
