// == from_bytes
/// Bytes stand for themselves divided by 255.
fn from_bytes(n: usize, x: &[u8], y: &[Cell<f32>]) {
    for i in 0..n {
        y[i].set(f32::from(x[i]) / 255.0);
    }
}
// == move_floats
fn move_floats(n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        y[i].set(x.at(i));
    }
}
// == unary
fn unary(f: fn(f32) -> f32, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        y[i].set(f(x.at(i)));
    }
}
// == offset_of
/// Where element number `flat` of a box is, each dimension with its own step.
fn offset_of(mut flat: usize, rank: usize, dims: &[usize], step: &[usize]) -> usize {
    let mut at = 0;
    for d in (0..rank).rev() {
        at += flat % dims[d] * step[d];
        flat /= dims[d];
    }
    at
}
// == select_values
/// `a` where `c` is not 0, else `b`.
fn select_values(
    n: usize,
    rank: usize,
    dims: &[usize],
    c_step: &[usize],
    a_step: &[usize],
    b_step: &[usize],
    c: impl Floats,
    a: impl Floats,
    b: impl Floats,
    y: &[Cell<f32>],
) {
    for i in 0..n {
        let chooses_b = c.at(offset_of(i, rank, dims, c_step)) == 0.0;
        y[i].set(if chooses_b {
            b.at(offset_of(i, rank, dims, b_step))
        } else {
            a.at(offset_of(i, rank, dims, a_step))
        });
    }
}
// == reduce
/// Sum, mean, maximum, minimum, product, index of the maximum, index of the minimum: of the n_each elements that belong to
/// each of the n results.
fn reduce(
    function: usize,
    n: usize,
    rank: usize,
    dims: &[usize],
    step: &[usize],
    n_each: usize,
    own_rank: usize,
    own_dims: &[usize],
    own_step: &[usize],
    x: impl Floats,
    y: &[Cell<f32>],
) {
    for i in 0..n {
        let from = x.part(offset_of(i, rank, dims, step));
        let (mut sum, mut best, mut at) = (if function == 4 { 1.0 } else { 0.0 }, 0.0f32, 0);
        for j in 0..n_each {
            let v = from.at(offset_of(j, own_rank, own_dims, own_step));
            if function == 4 {
                sum *= f64::from(v);
            } else if function < 2 {
                sum += f64::from(v);
            } else if j == 0
                || (v.is_nan() && !best.is_nan())
                || (if function % 3 == 2 { v > best } else { v < best })
            {
                (best, at) = (v, j);
            }
        }
        y[i].set(match function {
            0 | 4 => sum as f32,
            1 => (sum / n_each as f64) as f32,
            2 | 3 => best,
            _ => at as f32,
        });
    }
}
// == mat_mul
/// `y[m][n] = sum of a[m][k] b[k][n]`, for each pair of matrices.
fn mat_mul(
    matrices: usize,
    rank: usize,
    dims: &[usize],
    a_step: &[usize],
    b_step: &[usize],
    m: usize,
    k: usize,
    n: usize,
    a: impl Floats,
    b: impl Floats,
    y: &[Cell<f32>],
) {
    for at in 0..matrices {
        let (a, b) = (a.part(offset_of(at, rank, dims, a_step)), b.part(offset_of(at, rank, dims, b_step)));
        for i in 0..m {
            for j in 0..n {
                let mut sum = 0.0;
                for l in 0..k {
                    sum += a.at(i * k + l) * b.at(l * n + j);
                }
                y[(at * m + i) * n + j].set(sum);
            }
        }
    }
}
// == row_of
/// The row that an index names, of n: truncated; a negative one counts from the end; one out of range is clamped.
fn row_of(index: f32, n: usize) -> usize {
    let whole = f64::from(truncate_of(index));
    let whole = if whole < 0.0 { whole + n as f64 } else { whole };
    // NaN is cast to 0, and so is what is still negative.
    (whole as usize).min(n - 1)
}
// == embedding
/// A row of the weights for each index. Where all weights are kept a row is found at once, else by counting from the first.
fn embedding(of: &Weights, rows: usize, features: usize, n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..n {
        let first = row_of(x.at(i), rows) * features;
        let mut w = of.walk();
        if of.places.is_none() {
            (w.at, w.kept) = (first, first);
            if let Some(codes) = of.codes {
                let bit = first as u64 * u64::from(of.code_bits);
                w.codes.bytes = &codes[(bit / 8) as usize..];
                w.codes.take((bit % 8) as u8);
            }
        }
        while w.at < first {
            w.take();
        }
        for j in 0..features {
            let is_kept = w.at == first + j && w.at < of.n;
            y[i * features + j].set(if is_kept { w.take() } else { 0.0 });
        }
    }
}
// == take_at
/// Along one dimension of `from`, the elements at indices that are values.
fn take_at(
    outer: usize,
    from: usize,
    inner: usize,
    n: usize,
    x: impl Floats,
    indices: impl Floats,
    y: &[Cell<f32>],
) {
    for o in 0..outer {
        for i in 0..n {
            let x = x.part((o * from + row_of(indices.at(i), from)) * inner);
            for j in 0..inner {
                y[(o * n + i) * inner + j].set(x.at(j));
            }
        }
    }
}
// == scatter
/// Rows of `values` set, added to, multiplied with, or the greater or lesser of, the rows that the indices name.
fn scatter(
    update: usize,
    n: usize,
    m: usize,
    k: usize,
    x: impl Floats,
    indices: impl Floats,
    values: impl Floats,
    y: &[Cell<f32>],
) {
    for i in 0..n * m {
        y[i].set(x.at(i));
    }
    for i in 0..k {
        let row = row_of(indices.at(i), n) * m;
        for j in 0..m {
            let (v, old) = (values.at(i * m + j), y[row + j].get());
            y[row + j].set(match update {
                0 => v,
                1 => old + v,
                2 => old * v,
                3 => old.max(v),
                _ => old.min(v),
            });
        }
    }
}
// == top_k
/// An integer in the order of the floats.
fn rank_of(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    if bits < 0 { bits ^ 0x7fff_ffff } else { bits }
}

/// The k greatest or least along one dimension, or their indices, each the next after the one before.
fn top_k(
    outer: usize,
    n: usize,
    inner: usize,
    k: usize,
    largest: usize,
    indices: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    for o in 0..outer {
        let (x, y) = (x.part(o * n * inner), &y[o * k * inner..]);
        for i in 0..inner {
            let (mut last, mut last_at) = (0, 0);
            for p in 0..k {
                let (mut best, mut at) = (0, n);
                for j in 0..n {
                    let key = rank_of(x.at(j * inner + i));
                    let key = if largest != 0 { !key } else { key };
                    let is_after = p == 0 || key > last || (key == last && j > last_at);
                    if is_after && (at == n || key < best) {
                        (best, at) = (key, j);
                    }
                }
                (last, last_at) = (best, at);
                y[p * inner + i].set(if indices != 0 { at as f32 } else { x.at(at * inner + i) });
            }
        }
    }
}
// == recurrent
fn logistic_of(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

/// All states of a recurrent layer: LSTM, GRU, GRU that resets first, tanh, ReLU. Its scratch memory holds a number for each
/// row of the weights; for a GRU that resets first, that twice and a state.
fn recurrent(
    cell: usize,
    reverse: usize,
    time: usize,
    batch: usize,
    hidden: usize,
    of: &Weights,
    bias: Option<&[f32]>,
    x: impl Floats,
    h0: impl Floats,
    c0: impl Floats,
    scratch: &[Cell<f32>],
    y: &[Cell<f32>],
) {
    let width = [4, 3, 3, 1, 1][cell] * hidden;
    let n_states = if cell == 0 { 2 * hidden } else { hidden };
    let (r, rest) = scratch.split_at(width);
    for b in 0..batch {
        let mut before: Option<&[Cell<f32>]> = None;
        for step in 0..time {
            let at = (if reverse != 0 { time - 1 - step } else { step }) * batch + b;
            let (g, to) = (x.part(at * width), &y[at * n_states..][..n_states]);
            let h = |i: usize| before.map_or_else(|| h0.at(b * hidden + i), |state| state[i].get());
            let c = |i: usize| before.map_or_else(|| c0.at(b * hidden + i), |state| state[hidden + i].get());
            let gate = |i: usize| g.at(i) + r[i].get();
            match before {
                Some(state) => linear(of, bias, hidden, width, state, r),
                None => linear(of, bias, hidden, width, h0.part(b * hidden), r),
            }
            if cell == 2 {
                let (late, first) = rest.split_at(width);
                for i in 0..hidden {
                    first[i].set(h(i) * logistic_of(gate(hidden + i)));
                }
                linear(of, bias, hidden, width, first, late);
            }
            for i in 0..hidden {
                let (j, k, l) = (hidden + i, 2 * hidden + i, 3 * hidden + i);
                match cell {
                    0 => {
                        let n = logistic_of(gate(k)) * c(i)
                            + logistic_of(gate(i)) * hyperbolic_tangent_of(gate(l));
                        to[j].set(n);
                        to[i].set(logistic_of(gate(j)) * hyperbolic_tangent_of(n));
                    }
                    1 | 2 => {
                        let z = logistic_of(gate(i));
                        let n = if cell == 1 { logistic_of(gate(j)) * r[k].get() } else { rest[k].get() };
                        to[i].set((1.0 - z) * hyperbolic_tangent_of(g.at(k) + n) + z * h(i));
                    }
                    3 => to[i].set(hyperbolic_tangent_of(gate(i))),
                    _ => to[i].set(if gate(i) > 0.0 { gate(i) } else { 0.0 }),
                }
            }
            before = Some(to);
        }
    }
}
