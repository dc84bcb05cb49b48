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
    let (merged, x, y) = checked(x, y);
    merged.lines(x, y, |_, x, y| run(isa, op, x, y));
}

/// `y = a op x`. Shapes, panics: as [`pairwise`]; `a` as `y`.
pub fn pairwise_to(isa: Isa, op: Pairwise, a: &[f32], x: (&[f32], &[usize]), y: (&mut [f32], &[usize])) {
    let (merged, x, y) = checked(x, y);
    assert_eq!(a.len(), y.len(), "lengths of a and y");
    merged.lines(x, y, |at, x, y| run_to(isa, op, &a[at..at + y.len()], x, y));
}

fn checked<'a>(x: (&'a [f32], &[usize]), y: (&'a mut [f32], &[usize])) -> (Merged, &'a [f32], &'a mut [f32]) {
    assert_eq!(x.0.len(), x.1.iter().product::<usize>(), "length of x");
    assert_eq!(y.0.len(), y.1.iter().product::<usize>(), "length of y");
    (Merged::new(x.1, y.1), x.0, y.0)
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
    /// Calls `visit` for each line of `y`, with its start and the line of `x`, which may be one number.
    #[inline(always)]
    fn lines(&self, x: &[f32], y: &mut [f32], mut visit: impl FnMut(usize, &[f32], &mut [f32])) {
        let Some(last) = self.n.checked_sub(1) else { return visit(0, x, y) };
        let len = self.size[last];
        let x_len = if self.step[last] == 0 { 1 } else { len };
        let (mut index, mut at) = ([0; MAX_DIMS], 0);
        for (line, y) in y.chunks_exact_mut(len).enumerate() {
            visit(line * len, &x[at..at + x_len], y);
            for d in (0..last).rev() {
                index[d] += 1;
                at += self.step[d];
                if index[d] < self.size[d] {
                    break;
                }
                at -= self.size[d] * self.step[d];
                index[d] = 0;
            }
        }
    }
}

/// Numbers divided by one number, from which on they are multiplied by its reciprocal.
const DIVIDENDS: usize = 16;

per_isa! {
    /// `y = y op x`, where `x` may be one number.
    fn run(op: Pairwise, x: &[f32], y: &mut [f32]) = run_body;
}
per_isa! {
    /// `y = a op x`, where `x` may be one number.
    fn run_to(op: Pairwise, a: &[f32], x: &[f32], y: &mut [f32]) = run_to_body;
}

/// Calls a function over lines with the function of an operation.
macro_rules! with_function {
    ($op:expr, $each:ident, $($operand:expr),*) => {
        match $op {
            Pairwise::Add => $each($($operand),*, |y, x| y + x),
            Pairwise::Mul => $each($($operand),*, |y, x| y * x),
            Pairwise::Sub => $each($($operand),*, |y, x| y - x),
            Pairwise::Div => $each($($operand),*, |y, x| y / x),
            Pairwise::Max => $each($($operand),*, |y, x| if y > x || y.is_nan() { y } else { x }),
            Pairwise::Min => $each($($operand),*, |y, x| if y < x || y.is_nan() { y } else { x }),
            Pairwise::Set => $each($($operand),*, |_, x| x),
        }
    };
}

#[inline(always)]
fn run_body(op: Pairwise, x: &[f32], y: &mut [f32]) {
    match (op, x) {
        (Pairwise::Div, &[x]) if y.len() >= DIVIDENDS => each(&[1.0 / x], y, |y, x| y * x),
        _ => with_function!(op, each, x, y),
    }
}

#[inline(always)]
fn run_to_body(op: Pairwise, a: &[f32], x: &[f32], y: &mut [f32]) {
    match (op, x) {
        (Pairwise::Div, &[x]) if y.len() >= DIVIDENDS => each_to(a, &[1.0 / x], y, |y, x| y * x),
        _ => with_function!(op, each_to, a, x, y),
    }
}

#[inline(always)]
fn each(x: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match x {
        &[x] => y.iter_mut().for_each(|y| *y = f(*y, x)),
        x => y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(*y, x)),
    }
}

#[inline(always)]
fn each_to(a: &[f32], x: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match x {
        &[x] => y.iter_mut().zip(a).for_each(|(y, &a)| *y = f(a, x)),
        x => y.iter_mut().zip(a).zip(x).for_each(|((y, &a), &x)| *y = f(a, x)),
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
                    let a: Vec<f32> = (0..y.len()).map(|i| i as f32 * 3.0).collect();
                    let mut z: Vec<f32> = alloc::vec![9.0; y.len()];
                    pairwise_to(isa, Pairwise::Sub, &a, (&x, from), (&mut z, to));
                    assert_eq!(y, z, "{from:?} {to:?}");
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
