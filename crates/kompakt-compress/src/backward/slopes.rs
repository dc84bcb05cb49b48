//! Derivatives of functions of one element and of two.

use kompakt_graph::{BinaryFunction, UnaryFunction};

/// The derivative at `x`, where the function is `y`. Steps have none.
pub(super) fn unary(function: UnaryFunction, x: f32, y: f32) -> f32 {
    match function {
        UnaryFunction::Abs => x.signum(),
        UnaryFunction::Sqrt => 0.5 / y.max(f32::MIN_POSITIVE),
        UnaryFunction::Reciprocal => -y * y,
        UnaryFunction::Exp => y,
        UnaryFunction::Log => 1.0 / x,
        UnaryFunction::Sin => x.cos(),
        UnaryFunction::Cos => -x.sin(),
        UnaryFunction::Tan => 1.0 + y * y,
        UnaryFunction::Asin => 1.0 / (1.0 - x * x).sqrt(),
        UnaryFunction::Acos => -1.0 / (1.0 - x * x).sqrt(),
        UnaryFunction::Atan => 1.0 / (1.0 + x * x),
        UnaryFunction::Sinh => x.cosh(),
        UnaryFunction::Cosh => x.sinh(),
        UnaryFunction::Asinh => 1.0 / (x * x + 1.0).sqrt(),
        UnaryFunction::Acosh => 1.0 / (x * x - 1.0).sqrt(),
        UnaryFunction::Atanh => 1.0 / (1.0 - x * x),
        UnaryFunction::Erf => std::f32::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
        UnaryFunction::Gelu => {
            let density = (-0.5 * x * x).exp() / (2.0 * std::f32::consts::PI).sqrt();
            let share = if x == 0.0 { 0.5 } else { y / x };
            share + x * density
        }
        UnaryFunction::Softplus => 1.0 / (1.0 + (-x).exp()),
        UnaryFunction::Sign
        | UnaryFunction::Floor
        | UnaryFunction::Ceil
        | UnaryFunction::Round
        | UnaryFunction::Truncate
        | UnaryFunction::Not
        | UnaryFunction::IsNan
        | UnaryFunction::IsInfinite => 0.0,
    }
}

/// The derivatives with respect to both.
pub(super) fn binary(function: BinaryFunction, a: f32, b: f32) -> [f32; 2] {
    let if_first = |is_first: bool| if is_first { [1.0, 0.0] } else { [0.0, 1.0] };
    match function {
        BinaryFunction::Pow => {
            let by_exponent = if a > 0.0 { a.powf(b) * a.ln() } else { 0.0 };
            [b * a.powf(b - 1.0), by_exponent]
        }
        BinaryFunction::Max => if_first(a > b),
        BinaryFunction::Min => if_first(a < b),
        BinaryFunction::Modulo => [1.0, -(a / b).floor()],
        BinaryFunction::Remainder => [1.0, -(a / b).trunc()],
        BinaryFunction::Equal
        | BinaryFunction::Less
        | BinaryFunction::LessOrEqual
        | BinaryFunction::Greater
        | BinaryFunction::GreaterOrEqual
        | BinaryFunction::And
        | BinaryFunction::Or
        | BinaryFunction::Xor => [0.0; 2],
    }
}
