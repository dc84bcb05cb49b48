//! The activation at the end of a step.

use kompakt_graph::UnaryFunction;
use kompakt_runtime::program::Unary;

/// The activation at the end of a step, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Activation {
    /// As in `activation.wgsl`; 0 does nothing.
    pub(crate) code: u32,
    pub(crate) a: f32,
    pub(crate) b: f32,
}

impl Activation {
    pub(super) fn relu(is_there: bool) -> Self {
        Self { code: u32::from(is_there), ..Self::default() }
    }

    /// As three words of a shader's parameters.
    pub(crate) fn words(self) -> [u32; 3] {
        [self.code, self.a.to_bits(), self.b.to_bits()]
    }
}

impl From<Unary> for Activation {
    fn from(unary: Unary) -> Self {
        let plain = |code| Self { code, a: 0.0, b: 0.0 };
        match unary {
            Unary::Relu => plain(1),
            Unary::Sigmoid => plain(2),
            Unary::Tanh => plain(3),
            Unary::Scale { factor, offset } => Self { code: 4, a: factor, b: offset },
            Unary::Clip { low, high } => Self { code: 5, a: low, b: high },
            Unary::LeakyRelu { slope } => Self { code: 6, a: slope, b: 0.0 },
            Unary::HardSigmoid { slope, offset } => Self { code: 7, a: slope, b: offset },
            Unary::HardSwish => plain(8),
            Unary::Silu => plain(9),
            Unary::Function(function) => plain(function_code(function)),
        }
    }
}

/// The case of `apply_function` in `functions.wgsl`.
fn function_code(function: UnaryFunction) -> u32 {
    match function {
        UnaryFunction::Abs => 10,
        UnaryFunction::Sign => 11,
        UnaryFunction::Floor => 12,
        UnaryFunction::Ceil => 13,
        UnaryFunction::Round => 14,
        UnaryFunction::Truncate => 15,
        UnaryFunction::Sqrt => 16,
        UnaryFunction::Reciprocal => 17,
        UnaryFunction::Exp => 18,
        UnaryFunction::Log => 19,
        UnaryFunction::Sin => 20,
        UnaryFunction::Cos => 21,
        UnaryFunction::Tan => 22,
        UnaryFunction::Asin => 23,
        UnaryFunction::Acos => 24,
        UnaryFunction::Atan => 25,
        UnaryFunction::Sinh => 26,
        UnaryFunction::Cosh => 27,
        UnaryFunction::Asinh => 28,
        UnaryFunction::Acosh => 29,
        UnaryFunction::Atanh => 30,
        UnaryFunction::Erf => 31,
        UnaryFunction::Gelu => 32,
        UnaryFunction::Softplus => 33,
        UnaryFunction::Not => 34,
        UnaryFunction::IsNan => 35,
        UnaryFunction::IsInfinite => 36,
    }
}
