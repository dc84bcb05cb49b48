//! Elementwise functions of one value and of two, and reductions.

use crate::Value;
use kompakt_graph::{BinaryFunction, Reduction, UnaryFunction};

/// A boolean as a number.
fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

pub(crate) fn unary(function: UnaryFunction, x: f64) -> f64 {
    match function {
        UnaryFunction::Abs => x.abs(),
        UnaryFunction::Sign if x == 0.0 || x.is_nan() => x,
        UnaryFunction::Sign => x.signum(),
        UnaryFunction::Floor => x.floor(),
        UnaryFunction::Ceil => x.ceil(),
        UnaryFunction::Round => x.round_ties_even(),
        UnaryFunction::Truncate => x.trunc(),
        UnaryFunction::Sqrt => x.sqrt(),
        UnaryFunction::Reciprocal => 1.0 / x,
        UnaryFunction::Exp => x.exp(),
        UnaryFunction::Log => x.ln(),
        UnaryFunction::Sin => x.sin(),
        UnaryFunction::Cos => x.cos(),
        UnaryFunction::Tan => x.tan(),
        UnaryFunction::Asin => x.asin(),
        UnaryFunction::Acos => x.acos(),
        UnaryFunction::Atan => x.atan(),
        UnaryFunction::Sinh => x.sinh(),
        UnaryFunction::Cosh => x.cosh(),
        UnaryFunction::Asinh => x.asinh(),
        UnaryFunction::Acosh => x.acosh(),
        UnaryFunction::Atanh => x.atanh(),
        UnaryFunction::Erf => libm::erf(x),
        UnaryFunction::Gelu => 0.5 * x * libm::erfc(-x / std::f64::consts::SQRT_2),
        UnaryFunction::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        UnaryFunction::Not => truth(x == 0.0),
        UnaryFunction::IsNan => truth(x.is_nan()),
        UnaryFunction::IsInfinite => truth(x.is_infinite()),
    }
}

pub(crate) fn binary(function: BinaryFunction, a: f64, b: f64) -> f64 {
    match function {
        BinaryFunction::Pow => a.powf(b),
        BinaryFunction::Max => greater(a, b),
        BinaryFunction::Min => -greater(-a, -b),
        BinaryFunction::Modulo => a - (a / b).floor() * b,
        BinaryFunction::Remainder => a % b,
        BinaryFunction::Equal => truth(a == b),
        BinaryFunction::Less => truth(a < b),
        BinaryFunction::LessOrEqual => truth(a <= b),
        BinaryFunction::Greater => truth(a > b),
        BinaryFunction::GreaterOrEqual => truth(a >= b),
        BinaryFunction::And => truth(a != 0.0 && b != 0.0),
        BinaryFunction::Or => truth(a != 0.0 || b != 0.0),
        BinaryFunction::Xor => truth((a != 0.0) != (b != 0.0)),
    }
}

/// The maximum of two; NaN if either is NaN.
pub(crate) fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Over the dimensions `axes` of `x`, which are 1 in the result.
pub(crate) fn reduce(function: Reduction, axes: &[usize], x: &Value) -> Vec<f64> {
    let n_out: usize = (0..x.shape.len()).filter(|d| !axes.contains(d)).map(|d| x.shape[d]).product();
    // The elements of each result, in row-major order.
    let mut groups: Vec<Vec<f64>> = vec![Vec::new(); n_out];
    for (flat, &v) in x.data.iter().enumerate() {
        let (mut rest, mut at, mut stride) = (flat, 0, 1);
        for d in (0..x.shape.len()).rev() {
            if !axes.contains(&d) {
                at += rest % x.shape[d] * stride;
                stride *= x.shape[d];
            }
            rest /= x.shape[d];
        }
        groups[at].push(v);
    }
    groups.iter().map(|group| reduced(function, group)).collect()
}

fn reduced(function: Reduction, x: &[f64]) -> f64 {
    let max = |x: &mut dyn Iterator<Item = f64>| x.fold(f64::NEG_INFINITY, greater);
    let place = |best: f64| x.iter().position(|&v| v == best).unwrap_or(0) as f64;
    match function {
        Reduction::Sum => x.iter().sum(),
        Reduction::Mean => x.iter().sum::<f64>() / x.len() as f64,
        Reduction::Max => max(&mut x.iter().copied()),
        Reduction::Min => -max(&mut x.iter().map(|v| -v)),
        Reduction::Product => x.iter().product(),
        Reduction::ArgMax => place(max(&mut x.iter().copied())),
        Reduction::ArgMin => place(-max(&mut x.iter().map(|v| -v))),
    }
}
