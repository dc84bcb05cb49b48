//! Binary operations, element by element.
//!
//! ```text
//! y [2, 3]   x [2, 1]      y[i, j] = y[i, j] * x[i, 0]       x is broadcast where it has size 1
//! ```

use crate::{Isa, isa::per_isa};

/// The operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairwise {
    /// `y + x`
    Add,
    /// `y x`
    Mul,
    /// `y - x`
    Sub,
    /// `y / x`
    Div,
    /// The maximum; NaN where either is.
    Max,
    /// The minimum; NaN where either is.
    Min,
    /// `x`
    Set,
}

/// The maximum rank for [`pairwise`].
pub const MAX_DIMS: usize = 8;

/// `y = y op x`. Shapes: equally many dimensions, at most [`MAX_DIMS`]; those of `x` are those of `y` or 1.
///
/// Panics: if lengths and shapes disagree.
pub fn pairwise(isa: Isa, op: Pairwise, x: (&[f32], &[usize]), y: (&mut [f32], &[usize])) {
    let merged = Merged::new(x.1, y.1);
    assert_eq!(x.0.len(), x.1.iter().product::<usize>(), "length of x");
    assert_eq!(y.0.len(), y.1.iter().product::<usize>(), "length of y");
    let (x, y) = (x.0, y.0);
    let Some(last) = merged.n.checked_sub(1) else { return run(isa, op, x, y) };
    let len = merged.size[last];
    let x_len = if merged.step[last] == 0 { 1 } else { len };
    let (mut index, mut at) = ([0; MAX_DIMS], 0);
    for y in y.chunks_exact_mut(len) {
        run(isa, op, &x[at..at + x_len], y);
        for d in (0..last).rev() {
            index[d] += 1;
            at += merged.step[d];
            if index[d] < merged.size[d] {
                break;
            }
            at -= merged.size[d] * merged.step[d];
            index[d] = 0;
        }
    }
}

/// Merges adjacent dimensions of the same kind (`x` is broadcast, or not).
struct Merged {
    n: usize,
    size: [usize; MAX_DIMS],
    /// Stride in `x`; 0 where it is broadcast.
    step: [usize; MAX_DIMS],
}

impl Merged {
    fn new(x: &[usize], y: &[usize]) -> Self {
        assert!(x.len() == y.len() && x.len() <= MAX_DIMS, "shapes {x:?} and {y:?}");
        let mut merged = Self { n: 0, size: [1; MAX_DIMS], step: [0; MAX_DIMS] };
        let mut step = 1;
        // From the last dimension to the first, then reversed.
        for (&x, &y) in x.iter().zip(y).rev() {
            assert!(x == y || x == 1, "a dimension of {x} cannot be repeated to {y}");
            if y == 1 {
                continue;
            }
            let last = merged.n.wrapping_sub(1);
            if merged.n > 0 && (merged.step[last] == 0) == (x == 1) {
                merged.size[last] *= y;
            } else {
                merged.size[merged.n] = y;
                merged.step[merged.n] = if x == 1 { 0 } else { step };
                merged.n += 1;
            }
            step *= x;
        }
        let n = merged.n;
        merged.size[..n].reverse();
        merged.step[..n].reverse();
        merged
    }
}

per_isa! {
    /// `y = y op x`, where `x` may be one number.
    fn run(op: Pairwise, x: &[f32], y: &mut [f32]) = run_body;
}

#[inline(always)]
fn run_body(op: Pairwise, x: &[f32], y: &mut [f32]) {
    match op {
        Pairwise::Add => each(x, y, |y, x| y + x),
        Pairwise::Mul => each(x, y, |y, x| y * x),
        Pairwise::Sub => each(x, y, |y, x| y - x),
        Pairwise::Div => each(x, y, |y, x| y / x),
        Pairwise::Max => each(x, y, |y, x| if y > x || y.is_nan() { y } else { x }),
        Pairwise::Min => each(x, y, |y, x| if y < x || y.is_nan() { y } else { x }),
        Pairwise::Set => each(x, y, |_, x| x),
    }
}

#[inline(always)]
fn each(x: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match x {
        &[x] => y.iter_mut().for_each(|y| *y = f(*y, x)),
        x => y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(*y, x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// All shapes of three dimensions of 1 to 3 against the definition.
    #[test]
    fn small_shapes_by_brute_force() {
        let shapes: Vec<[usize; 3]> = (0..27).map(|i| [i % 3 + 1, i / 3 % 3 + 1, i / 9 + 1]).collect();
        for to in &shapes {
            for from in shapes.iter().filter(|x| x.iter().zip(to).all(|(x, y)| x == y || *x == 1)) {
                let x: Vec<f32> = (0..from.iter().product()).map(|i| i as f32 + 0.5).collect();
                for isa in Isa::available() {
                    let mut y: Vec<f32> = (0..to.iter().product()).map(|i| i as f32 * 3.0).collect();
                    pairwise(isa, Pairwise::Sub, (&x, from), (&mut y, to));
                    for (i, y) in y.iter().enumerate() {
                        let index = [i / to[2] / to[1], i / to[2] % to[1], i % to[2]];
                        let k = |d: usize| index[d].min(from[d] - 1);
                        let at = (k(0) * from[1] + k(1)) * from[2] + k(2);
                        assert_eq!(*y, i as f32 * 3.0 - x[at], "{from:?} {to:?} {index:?}");
                    }
                }
            }
        }
    }
}
