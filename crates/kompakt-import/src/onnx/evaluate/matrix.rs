//! Products of matrices.

use super::{call::Call, walk};
use crate::onnx::tensor::Tensor;
use pulp::NullaryFnOnce;

/// Columns that are summed at once.
const COLUMNS: usize = 16;

/// Adds `a b` to columns of `c`: `a` `[m, k]`, `b` `[k, n]`, `c` `[m, width]` of which columns `start..start + n`.
#[expect(clippy::too_many_arguments, reason = "three matrices and their sizes")]
pub(super) fn add_product(
    m: usize,
    k: usize,
    n: usize,
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    start: usize,
    width: usize,
) {
    let mut panel = Vec::new();
    for first in (0..n).step_by(COLUMNS) {
        let columns = COLUMNS.min(n - first);
        // The columns side by side, filled up with zeros.
        panel.clear();
        for p in 0..k {
            panel.extend_from_slice(&b[p * n + first..][..columns]);
            panel.extend((columns..COLUMNS).map(|_| 0.0));
        }
        for row in (0..m).step_by(4) {
            let rows = 4.min(m - row);
            let a = &a[row * k..][..rows * k];
            let at = |r: usize| (row + r) * width + start + first;
            if rows == 4 {
                let sums = vectorised(Sums::<4> { k, a, panel: &panel });
                sums.iter().enumerate().for_each(|(r, sums)| add(&mut c[at(r)..], sums, columns));
            } else {
                for r in 0..rows {
                    let [sums] = vectorised(Sums::<1> { k, a: &a[r * k..][..k], panel: &panel });
                    add(&mut c[at(r)..], &sums, columns);
                }
            }
        }
    }
}

fn add(c: &mut [f32], sums: &[f32; COLUMNS], columns: usize) {
    c.iter_mut().zip(sums).take(columns).for_each(|(c, s)| *c += s);
}

/// Sums for `ROWS` rows of `a` and [`COLUMNS`] columns.
struct Sums<'s, const ROWS: usize> {
    k: usize,
    a: &'s [f32],
    panel: &'s [f32],
}

impl<const ROWS: usize> NullaryFnOnce for Sums<'_, ROWS> {
    type Output = [[f32; COLUMNS]; ROWS];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut sums = [[0.0; COLUMNS]; ROWS];
        let (columns, _) = self.panel.as_chunks::<COLUMNS>();
        for (p, column) in columns.iter().enumerate().take(self.k) {
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = self.a[r * self.k + p];
                for (sum, b) in sums.iter_mut().zip(column) {
                    *sum += a * b;
                }
            }
        }
        sums
    }
}

/// Runs `work` compiled for the vectors of this machine.
fn vectorised<W: NullaryFnOnce>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V3::try_new() {
            return pulp::Simd::vectorize(simd, work);
        }
    }
    work.call()
}

/// As NumPy multiplies: vectors become matrices, leading dimensions are broadcast.
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
    let (a, b) = (a.to_floats(), b.to_floats());
    for (i, y) in y.chunks_mut((m * n).max(1)).enumerate() {
        add_product(m, k, n, &a[of_left[i] * m * k..][..m * k], &b[of_right[i] * k * n..][..k * n], y, 0, n);
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
    let (a, b) = (call.x(0)?, call.x(1)?);
    let turned = |x: &Tensor, name: &str| -> Result<(usize, usize, Vec<f32>), String> {
        let &[rows, columns] = &x.dims[..] else { return Err(format!("{:?} is not a matrix", x.dims)) };
        let values = x.to_floats();
        if call.node.int(name, 0) == 0 {
            return Ok((rows, columns, values));
        }
        let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
        Ok((columns, rows, turned.map(|p| values[p]).collect()))
    };
    let ((m, k, a), (k_too, n, b)) = (turned(a, "transA")?, turned(b, "transB")?);
    if k != k_too {
        return Err(format!("[{m}, {k}] times [{k_too}, {n}]"));
    }
    let mut y = vec![0.0; call.count(&[m, n])?];
    call.pay((m as u64).saturating_mul((k * n) as u64))?;
    add_product(m, k, n, &a, &b, &mut y, 0, n);
    let (alpha, beta) = (call.node.float("alpha", 1.0), call.node.float("beta", 1.0));
    y.iter_mut().for_each(|v| *v *= alpha);
    if let Some(c) = call.optional(2) {
        if walk::broadcast(&[&[m, n], &c.dims])? != [m, n] {
            return Err(format!("a bias of {:?}", c.dims));
        }
        let c = walk::spread(c, &[m, n]).to_floats();
        y.iter_mut().zip(c).for_each(|(y, c)| *y += beta * c);
    }
    Ok(Tensor::floats(vec![m, n], y))
}
