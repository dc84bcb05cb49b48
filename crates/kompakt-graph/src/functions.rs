//! What the operators that come in many kinds compute: functions of one value, of two, of all along some dimensions.
//!
//! Each has a number, by which a container knows it, and a name, by which JSON does. Numbers never change; new functions
//! are added at the end.

use serde::{Deserialize, Serialize};

/// Lists the functions of an operator: number by place, name by variant.
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
    /// A function of each element alone.
    UnaryFunction {
        /// The value without its sign.
        Abs,
        /// -1, 0 or 1.
        Sign,
        /// The largest whole number that is not above.
        Floor,
        /// The smallest whole number that is not below.
        Ceil,
        /// The nearest whole number; of two the even one.
        Round,
        /// The whole part, towards 0.
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
        /// 1 for what is not a number, else 0.
        IsNan,
        /// 1 for infinity of either sign, else 0.
        IsInfinite,
    }
}

functions! {
    /// A function of an element `a` of one value and an element `b` of another. Truths are 1 and 0; whatever is not 0
    /// counts as true.
    BinaryFunction {
        /// `a^b`.
        Pow,
        /// The greater; NaN where either is.
        Max,
        /// The lesser; NaN where either is.
        Min,
        /// What is left of `a` divided by `b`, with the sign of `b`.
        Modulo,
        /// What is left of `a` divided by `b`, with the sign of `a`.
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
        /// Both.
        And,
        /// At least one.
        Or,
        /// One of the two.
        Xor,
    }
}

functions! {
    /// What is made of all elements along some dimensions.
    Reduction {
        /// Their sum.
        Sum,
        /// Their mean.
        Mean,
        /// The greatest; NaN where one is.
        Max,
        /// The least; NaN where one is.
        Min,
        /// Their product.
        Product,
        /// Where the greatest is, counted in row-major order; the first of equals.
        ArgMax,
        /// Where the least is; the first of equals.
        ArgMin,
    }
}

functions! {
    /// What an update does to the element that it is written to.
    Update {
        /// Takes its place.
        Set,
        /// Is added to it.
        Add,
        /// Multiplies it.
        Multiply,
        /// Takes its place if it is greater.
        Max,
        /// Takes its place if it is less.
        Min,
    }
}

functions! {
    /// How a recurrent layer makes a state of the one before. `s` is the logistic function, `*` by element; `g` is the
    /// layer's input, and `R h + b` the recurrent part, both with one block of rows for each gate, in the order named.
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
    /// Numbers of a state: `h`, for an LSTM `c` too; in lengths of `h`.
    pub const fn n_states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru | Self::GruResetFirst | Self::Tanh | Self::Relu => 1,
        }
    }

    /// Blocks of rows of its matrix.
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
