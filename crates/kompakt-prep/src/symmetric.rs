//! Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to tridiagonal form, then implicit
//! QL steps (Golub and Van Loan, "Matrix Computations", sections 8.3.1 and 8.3.3).

use alloc::{vec, vec::Vec};

/// The most QL steps for one eigenvalue; two are usual.
const MAX_STEPS: usize = 64;

/// Eigenvalues in no order, and the eigenvectors as rows. `a` is `[n, n]`, row-major, symmetric.
pub(crate) fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside, mut rows) = tridiagonal(&mut a, n);
    for low in 0..n {
        for _ in 0..MAX_STEPS {
            let high = block_end(&diagonal, &beside, low);
            if high == low {
                break;
            }
            ql_step(&mut diagonal, &mut beside, &mut rows, low, high);
        }
    }
    (diagonal, rows)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Diagonal, off-diagonal (`beside[i]` couples `i` and `i + 1`), and the rows of the orthogonal `Q^T` with
/// `A = Q T Q^T`.
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; n];
    let mut reflections: Vec<(Vec<f64>, f64)> = Vec::new();
    for k in 0..n.saturating_sub(1) {
        // What is below the diagonal in column k is, by symmetry, right of it in row k.
        let mut v = a[k * n + k + 1..(k + 1) * n].to_vec();
        let norm = libm::sqrt(dot(&v, &v));
        if k + 2 == n || norm == 0.0 || v[1..].iter().all(|x| *x == 0.0) {
            beside[k] = v[0];
            reflections.push((v, 0.0));
            continue;
        }
        let target = if v[0] > 0.0 { -norm } else { norm };
        v[0] -= target;
        let beta = 2.0 / dot(&v, &v);
        beside[k] = target;
        reflect_both_sides(a, n, k + 1, &v, beta);
        reflections.push((v, beta));
    }
    let diagonal = (0..n).map(|i| a[i * n + i]).collect();
    let mut rows = vec![0.0; n * n];
    (0..n).for_each(|i| rows[i * n + i] = 1.0);
    // Q^T = … H1 H0, built from the last reflection so that each touches only its own corner.
    for (k, (v, beta)) in reflections.iter().enumerate().rev() {
        for row in rows[(k + 1) * n..].chunks_exact_mut(n) {
            let part = &mut row[k + 1..];
            let scale = beta * dot(part, v);
            part.iter_mut().zip(v).for_each(|(x, v)| *x -= scale * v);
        }
    }
    (diagonal, beside, rows)
}

/// `A = H A H` with `H = I - beta v v^T`, on the corner that starts at `start`.
fn reflect_both_sides(a: &mut [f64], n: usize, start: usize, v: &[f64], beta: f64) {
    let mut w: Vec<f64> = (start..n).map(|i| beta * dot(&a[i * n + start..(i + 1) * n], v)).collect();
    let half = beta / 2.0 * dot(&w, v);
    w.iter_mut().zip(v).for_each(|(w, v)| *w -= half * v);
    for (i, row) in a[start * n..].chunks_exact_mut(n).enumerate() {
        for ((x, v_j), w_j) in row[start..].iter_mut().zip(v).zip(&w) {
            *x -= v[i] * w_j + w[i] * v_j;
        }
    }
}

/// The end of the block that starts at `low`: the first place after which the coupling is negligible.
fn block_end(diagonal: &[f64], beside: &[f64], low: usize) -> usize {
    let negligible = |i: usize| beside[i].abs() <= f64::EPSILON * (diagonal[i].abs() + diagonal[i + 1].abs());
    (low..diagonal.len() - 1).find(|i| negligible(*i)).unwrap_or(diagonal.len() - 1)
}

/// One QL step with Wilkinson's shift on the block from `low` to `high`, its rotations applied to `rows`.
fn ql_step(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [f64], low: usize, high: usize) {
    let n = diagonal.len();
    let ratio = (diagonal[low + 1] - diagonal[low]) / (2.0 * beside[low]);
    let root = libm::hypot(ratio, 1.0);
    let shift = ratio + if ratio >= 0.0 { root } else { -root };
    let mut g = diagonal[high] - diagonal[low] + beside[low] / shift;
    let (mut sine, mut cosine, mut moved) = (1.0, 1.0, 0.0);
    for i in (low..high).rev() {
        let (f, b) = (sine * beside[i], cosine * beside[i]);
        let r = libm::hypot(f, g);
        beside[i + 1] = r;
        if r == 0.0 {
            diagonal[i + 1] -= moved;
            beside[high] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        g = diagonal[i + 1] - moved;
        let t = (diagonal[i] - g) * sine + 2.0 * cosine * b;
        moved = sine * t;
        diagonal[i + 1] = g + moved;
        g = cosine * t - b;
        let (upper, lower) = rows[i * n..(i + 2) * n].split_at_mut(n);
        for (x, y) in upper.iter_mut().zip(lower) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    }
    diagonal[low] -= moved;
    beside[low] = g;
    beside[high] = 0.0;
}
