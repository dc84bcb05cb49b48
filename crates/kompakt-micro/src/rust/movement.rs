// == zero
fn zero(n: usize, y: &[Cell<f32>]) {
    y[..n].iter().for_each(|y| y.set(0.0));
}
// == copy
/// A box of elements from x to y, each with its own strides.
fn copy(rank: usize, dims: &[usize], x_step: &[usize], y_step: &[usize], x: impl Floats, y: &[Cell<f32>]) {
    let mut index = [0; 8];
    let (mut from, mut to) = (0, 0);
    loop {
        y[to].set(x.at(from));
        let mut d = rank;
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            if index[d] < dims[d] {
                from += x_step[d];
                to += y_step[d];
                break;
            }
            from -= x_step[d] * (dims[d] - 1);
            to -= y_step[d] * (dims[d] - 1);
            index[d] = 0;
        }
    }
}
// == gather
/// Along one dimension of `from`, the elements of the indices; `outer` before it, `inner` after it.
fn gather(outer: usize, from: usize, inner: usize, indices: &[usize], n: usize, x: impl Floats, y: &[Cell<f32>]) {
    for o in 0..outer {
        for i in 0..n {
            let (x, y) = (x.part((o * from + indices[i]) * inner), &y[(o * n + i) * inner..]);
            for j in 0..inner {
                y[j].set(x.at(j));
            }
        }
    }
}
// == pairwise
/// Element by element; a step of 0 repeats an operand along a dimension.
fn pairwise(
    f: fn(f32, f32) -> f32,
    rank: usize,
    dims: &[usize],
    a_step: &[usize],
    b_step: &[usize],
    a: impl Floats,
    b: impl Floats,
    y: &[Cell<f32>],
) {
    let mut index = [0; 8];
    let (mut at_a, mut at_b) = (0, 0);
    for y in y {
        y.set(f(a.at(at_a), b.at(at_b)));
        let mut d = rank;
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            if index[d] < dims[d] {
                at_a += a_step[d];
                at_b += b_step[d];
                break;
            }
            at_a -= a_step[d] * (dims[d] - 1);
            at_b -= b_step[d] * (dims[d] - 1);
            index[d] = 0;
        }
    }
}
// == resize
/// Bilinear: pixel i is taken at i step + offset, between its two neighbours in each direction.
fn neighbours(i: usize, step: f32, offset: f32, n: usize) -> (usize, usize, f32) {
    let at = (i as f32 * step + offset).clamp(0.0, (n - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(n - 1), at - first as f32)
}

fn resize(
    channels: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    step: &[f32],
    offset: &[f32],
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let mut y = y.iter();
    for c in 0..channels {
        let x = x.part(c * height * width);
        for r in 0..rows {
            let (top, bottom, v) = neighbours(r, step[0], offset[0], height);
            for s in 0..columns {
                let (left, right, u) = neighbours(s, step[1], offset[1], width);
                let row = |r: usize| x.at(r * width + left) * (1.0 - u) + x.at(r * width + right) * u;
                if let Some(y) = y.next() {
                    y.set(row(top) * (1.0 - v) + row(bottom) * v);
                }
            }
        }
    }
}
