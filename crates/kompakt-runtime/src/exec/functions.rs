//! Unary and binary functions in single precision. Those without a processor instruction come from `libm`,
//! with the same bits on every machine.

use kompakt_graph::{BinaryFunction, UnaryFunction};
use kompakt_kernels::{Isa, functions};

/// Applies a function to each element.
pub(super) fn unary(isa: Isa, function: UnaryFunction, x: &mut [f32]) {
    let mut each = |f: fn(f32) -> f32| x.iter_mut().for_each(|x| *x = f(*x));
    match function {
        UnaryFunction::Exp => functions::exponential(isa, x),
        UnaryFunction::Sqrt => functions::square_root(isa, x),
        UnaryFunction::Reciprocal => functions::reciprocal(isa, x),
        UnaryFunction::Erf => functions::erf(isa, x),
        UnaryFunction::Gelu => functions::gelu(isa, x),
        UnaryFunction::Abs => each(f32::abs),
        UnaryFunction::Sign => each(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
        UnaryFunction::Floor => each(libm::floorf),
        UnaryFunction::Ceil => each(libm::ceilf),
        UnaryFunction::Round => each(libm::roundevenf),
        UnaryFunction::Truncate => each(libm::truncf),
        UnaryFunction::Log => each(|x| wide(x, libm::log)),
        UnaryFunction::Sin => each(|x| wide(x, libm::sin)),
        UnaryFunction::Cos => each(|x| wide(x, libm::cos)),
        UnaryFunction::Tan => each(|x| wide(x, libm::tan)),
        UnaryFunction::Asin => each(|x| wide(x, libm::asin)),
        UnaryFunction::Acos => each(|x| wide(x, libm::acos)),
        UnaryFunction::Atan => each(|x| wide(x, libm::atan)),
        UnaryFunction::Sinh => each(|x| wide(x, libm::sinh)),
        UnaryFunction::Cosh => each(|x| wide(x, libm::cosh)),
        UnaryFunction::Asinh => each(|x| wide(x, libm::asinh)),
        UnaryFunction::Acosh => each(|x| wide(x, libm::acosh)),
        UnaryFunction::Atanh => each(|x| wide(x, libm::atanh)),
        UnaryFunction::Softplus => each(|x| wide(x, |x| x.max(0.0) + libm::log1p(libm::exp(-x.abs())))),
        UnaryFunction::Not => each(|x| truth(x == 0.0)),
        UnaryFunction::IsNan => each(|x| truth(x.is_nan())),
        UnaryFunction::IsInfinite => each(|x| truth(x.is_infinite())),
    }
}

/// A function that is computed in double precision.
fn wide(x: f32, f: impl Fn(f64) -> f64) -> f32 {
    f(f64::from(x)) as f32
}

fn truth(is_true: bool) -> f32 {
    f32::from(u8::from(is_true))
}

/// Whether they are equal.
pub(super) fn equal(a: f32, b: f32) -> f32 {
    truth(a == b)
}

/// A binary function.
pub(super) fn binary(function: BinaryFunction) -> fn(f32, f32) -> f32 {
    match function {
        BinaryFunction::Pow => |a, b| wide(a, |a| libm::pow(a, f64::from(b))),
        BinaryFunction::Max => |a, b| if a.is_nan() || a > b { a } else { b },
        BinaryFunction::Min => |a, b| if a.is_nan() || a < b { a } else { b },
        BinaryFunction::Modulo => |a, b| wide(a, |a| a - libm::floor(a / f64::from(b)) * f64::from(b)),
        BinaryFunction::Remainder => |a, b| a % b,
        BinaryFunction::Equal => equal,
        BinaryFunction::Less => |a, b| truth(a < b),
        BinaryFunction::LessOrEqual => |a, b| truth(a <= b),
        BinaryFunction::Greater => |a, b| truth(a > b),
        BinaryFunction::GreaterOrEqual => |a, b| truth(a >= b),
        BinaryFunction::And => |a, b| truth(a != 0.0 && b != 0.0),
        BinaryFunction::Or => |a, b| truth(a != 0.0 || b != 0.0),
        BinaryFunction::Xor => |a, b| truth((a != 0.0) != (b != 0.0)),
    }
}
