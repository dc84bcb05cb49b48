//! The functions of the operators that come in many kinds: of one value, of two, and reductions.
//!
//! Each has a number, which identifies it in a container, and a name, used in JSON. Numbers never change; new
//! functions are added at the end.

use serde::{Deserialize, Serialize};

/// Lists the functions of an operator: number by position, name by variant.
macro_rules! functions {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, by ascending number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }

        impl TryFrom<usize> for $name {
            type Error = ();

            fn try_from(number: usize) -> Result<Self, ()> {
                Self::ALL.get(number).copied().ok_or(())
            }
        }

        impl From<$name> for usize {
            fn from(function: $name) -> usize {
                function as usize
            }
        }
    };
}

functions! {
    /// An elementwise function.
    UnaryFunction {
        /// The absolute value.
        Abs,
        /// The sign: -1, 0 or 1.
        Sign,
        /// The largest integer not above `x`.
        Floor,
        /// The smallest integer not below `x`.
        Ceil,
        /// The nearest integer; ties go to the even one.
        Round,
        /// The integer part: rounding towards 0.
        Truncate,
        /// The square root; NaN below 0.
        Sqrt,
        /// `1 / x`.
        Reciprocal,
        /// `e^x`.
        Exp,
        /// The natural logarithm; NaN below 0.
        Log,
        /// The sine.
        Sin,
        /// The cosine.
        Cos,
        /// The tangent.
        Tan,
        /// The inverse of the sine.
        Asin,
        /// The inverse of the cosine.
        Acos,
        /// The inverse of the tangent.
        Atan,
        /// The hyperbolic sine.
        Sinh,
        /// The hyperbolic cosine.
        Cosh,
        /// The inverse of the hyperbolic sine.
        Asinh,
        /// The inverse of the hyperbolic cosine.
        Acosh,
        /// The inverse of the hyperbolic tangent.
        Atanh,
        /// The error function.
        Erf,
        /// `x (1 + erf(x / sqrt 2)) / 2`.
        Gelu,
        /// `log(1 + e^x)`.
        Softplus,
        /// 1 for 0, else 0.
        Not,
        /// 1 for NaN, else 0.
        IsNan,
        /// 1 for infinity of either sign, else 0.
        IsInfinite,
    }
}

functions! {
    /// A function of an element `a` of one value and an element `b` of another. Booleans are 1 and 0; any
    /// nonzero value counts as true.
    BinaryFunction {
        /// `a^b`.
        Pow,
        /// The maximum; NaN if either is NaN.
        Max,
        /// The minimum; NaN if either is NaN.
        Min,
        /// The remainder of `a` divided by `b`, with the sign of `b`.
        Modulo,
        /// The remainder of `a` divided by `b`, with the sign of `a`.
        Remainder,
        /// `a = b`.
        Equal,
        /// `a < b`.
        Less,
        /// `a <= b`.
        LessOrEqual,
        /// `a > b`.
        Greater,
        /// `a >= b`.
        GreaterOrEqual,
        /// Logical and.
        And,
        /// Logical or.
        Or,
        /// Logical exclusive or.
        Xor,
    }
}

functions! {
    /// A reduction of all elements along some dimensions.
    Reduction {
        /// Their sum.
        Sum,
        /// Their mean.
        Mean,
        /// The maximum; NaN if any is NaN.
        Max,
        /// The minimum; NaN if any is NaN.
        Min,
        /// Their product.
        Product,
        /// The index of the maximum in row-major order; the first of equals.
        ArgMax,
        /// The index of the minimum; the first of equals.
        ArgMin,
    }
}

functions! {
    /// How an update combines with the element that it is written to.
    Update {
        /// Replaces it.
        Set,
        /// Is added to it.
        Add,
        /// Multiplies it.
        Multiply,
        /// Replaces it if greater.
        Max,
        /// Replaces it if less.
        Min,
    }
}

functions! {
    /// How a recurrent layer computes a state from the previous one. `s` is the logistic function, `*` is
    /// elementwise; `g` is the layer's input, and `R h + b` the recurrent part, both with one block of rows
    /// for each gate, in the order named.
    Cell {
        /// Gates i, o, f, c: `c = s(f) * c + s(i) * tanh(c~)`, `h = s(o) * tanh(c)`.
        Lstm,
        /// Gates z, r, h: `n = tanh(g_n + s(r) * (R_n h + b_n))`, `h = (1 - s(z)) * n + s(z) * h`.
        Gru,
        /// As [`Cell::Gru`], with `n = tanh(g_n + R_n (s(r) * h) + b_n)`.
        GruResetFirst,
        /// `h = tanh(g + R h + b)`.
        Tanh,
        /// `h = max(g + R h + b, 0)`.
        Relu,
    }
}

impl Cell {
    /// Elements of a state, in lengths of `h`: `h`, and for an LSTM `c` too.
    pub const fn n_states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru | Self::GruResetFirst | Self::Tanh | Self::Relu => 1,
        }
    }

    /// Number of row blocks of its matrix.
    pub const fn n_gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru | Self::GruResetFirst => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places() {
        for (i, &function) in UnaryFunction::ALL.iter().enumerate() {
            assert_eq!((usize::from(function), UnaryFunction::try_from(i)), (i, Ok(function)));
        }
        assert!(UnaryFunction::try_from(UnaryFunction::ALL.len()).is_err());
    }
}
