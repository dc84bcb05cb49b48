//! Elementwise functions without an operator in the graph, composed of existing ones.
//!
//! | function | composition |
//! |---|---|
//! | `1 / x` | a division of a constant |
//! | `sqrt x` | local response norm of one channel: `x / (x^2)^(1/4)` |
//! | `exp x` | `sigmoid(x) / sigmoid(-x)` |
//! | `\|x\|` | `max(x, 0) + max(-x, 0)` |
//! | `log(1 + exp x)` | minus log softmax of `[0, x]` at 0 |
//! | `erf x` | sigmoid of a polynomial, off by at most 2e-6 |

use super::{Act, Call, Lowering};
use crate::onnx::builder::Value;
use kompakt_graph::{Op, UnaryFunction};

impl Lowering<'_> {
    /// An elementwise operator of one value.
    pub(super) fn function(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let number = |name: &str, default: f32| call.node.float(name, default);
        let v = x.value;
        let value = match call.node.op_type.as_str() {
            "Sqrt" => self.root(v)?,
            "Reciprocal" => self.reciprocal(v)?,
            "Exp" => self.exponential(v)?,
            "Abs" => self.absolute(v)?,
            "Erf" => self.of_one(UnaryFunction::Erf, v)?,
            "Gelu" if call.node.text("approximate") == "tanh" => {
                // 0.5 (1 + tanh y) is sigmoid(2 y).
                let square = self.product(v, v)?;
                let root = (8.0 / std::f32::consts::PI).sqrt();
                let inner = self.scaled(square, 0.044715 * root, root)?;
                let inner = self.product(v, inner)?;
                let gate = self.unary(Op::Sigmoid, inner)?;
                self.product(v, gate)?
            }
            "Gelu" => self.of_one(UnaryFunction::Gelu, v)?,
            "Swish" => {
                let inner = self.scaled(v, number("alpha", 1.0), 0.0)?;
                let gate = self.unary(Op::Sigmoid, inner)?;
                self.product(v, gate)?
            }
            "Softplus" => self.softplus(v)?,
            "Mish" => {
                let inner = self.softplus(v)?;
                let gate = self.unary(Op::Tanh, inner)?;
                self.product(v, gate)?
            }
            "Softsign" => {
                let size = self.absolute(v)?;
                let size = self.scaled(size, 1.0, 1.0)?;
                self.builder.op(None, Op::Div, vec![v, size])?
            }
            "Elu" => self.elu(v, number("alpha", 1.0), 1.0, 1.0)?,
            "Celu" => {
                let alpha = number("alpha", 1.0);
                self.elu(v, alpha, 1.0 / alpha, 1.0)?
            }
            "Selu" => {
                let gamma = number("gamma", 1.050_701);
                self.elu(v, number("alpha", 1.673_263_2) * gamma, 1.0, gamma)?
            }
            other => return Err(format!("{other} of a value")),
        };
        Ok(Act { value, ..x })
    }

    fn unary(&mut self, op: Op, x: Value) -> Result<Value, String> {
        self.builder.op(None, op, vec![x])
    }

    /// `factor x + offset`.
    pub(super) fn scaled(&mut self, x: Value, factor: f32, offset: f32) -> Result<Value, String> {
        if !(factor.is_finite() && offset.is_finite()) {
            return Err(format!("{factor} and {offset} are not numbers"));
        }
        self.unary(Op::Scale { factor, offset }, x)
    }

    pub(super) fn product(&mut self, a: Value, b: Value) -> Result<Value, String> {
        self.builder.op(None, Op::Mul, vec![a, b])
    }

    pub(super) fn reciprocal(&mut self, x: Value) -> Result<Value, String> {
        self.of_one(UnaryFunction::Reciprocal, x)
    }

    /// For x of at least 0.
    pub(super) fn root(&mut self, x: Value) -> Result<Value, String> {
        self.of_one(UnaryFunction::Sqrt, x)
    }

    fn exponential(&mut self, x: Value) -> Result<Value, String> {
        self.of_one(UnaryFunction::Exp, x)
    }

    pub(super) fn absolute(&mut self, x: Value) -> Result<Value, String> {
        self.of_one(UnaryFunction::Abs, x)
    }

    fn softplus(&mut self, x: Value) -> Result<Value, String> {
        self.of_one(UnaryFunction::Softplus, x)
    }

    /// `above x` where x is above 0, else `alpha (exp(inner x) - 1)`.
    fn elu(&mut self, x: Value, alpha: f32, inner: f32, above: f32) -> Result<Value, String> {
        let positive = self.unary(Op::Relu, x)?;
        let positive = if above == 1.0 { positive } else { self.scaled(positive, above, 0.0)? };
        let negative = self.unary(Op::Clip { low: f32::MIN, high: 0.0 }, x)?;
        let negative = if inner == 1.0 { negative } else { self.scaled(negative, inner, 0.0)? };
        let power = self.exponential(negative)?;
        let power = self.scaled(power, alpha, -alpha)?;
        self.builder.op(None, Op::Add, vec![positive, power])
    }

    /// `x` to the power of a number.
    pub(super) fn power(&mut self, x: Value, exponent: f32) -> Result<Value, String> {
        let whole = exponent.abs();
        let value = if whole == 0.5 {
            self.root(x)?
        } else if whole.fract() == 0.0 && (1.0..=16.0).contains(&whole) {
            let mut value = x;
            for _ in 1..whole as usize {
                value = self.product(value, x)?;
            }
            value
        } else {
            return Err(format!("a power of {exponent}"));
        };
        if exponent < 0.0 { self.reciprocal(value) } else { Ok(value) }
    }

    /// The maximum, or the minimum, of two values of the same number of dimensions: `a + max(b - a, 0)`.
    pub(super) fn greater(&mut self, a: Value, b: Value, is_max: bool) -> Result<Value, String> {
        let (x, y) = if is_max { (b, a) } else { (a, b) };
        let above = self.builder.op(None, Op::Sub, vec![x, y])?;
        let above = self.unary(Op::Relu, above)?;
        self.builder.op(None, if is_max { Op::Add } else { Op::Sub }, vec![a, above])
    }

    /// A product of two values, each with one or many matrices per image.
    pub(super) fn product_of_values(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let (a, b) = (call.act(0)?.clone(), call.act(1)?.clone());
        let wrong = || format!("{:?} times {:?}", a.dims, b.dims);
        let rank = a.dims.len();
        if rank < 3 || rank != b.dims.len() || a.dims[1..rank - 2] != b.dims[1..rank - 2] {
            return Err(wrong());
        }
        let (m, k, n) = (a.dims[rank - 2], a.dims[rank - 1], b.dims[rank - 1]);
        let lead = &a.dims[1..rank - 2];
        let many: usize = lead.iter().product();
        if b.dims[rank - 2] != k {
            return Err(wrong());
        }
        let left = self.builder.reshape(a.value, vec![many, m, k])?;
        let right = self.builder.reshape(b.value, vec![many, k, n])?;
        let sum = self.builder.op(call.name(), Op::MatMul, vec![left, right])?;
        let mut rest = lead.to_vec();
        rest.extend([m, n]);
        let value = self.builder.reshape(sum, rest)?;
        Ok(self.with_batch(value))
    }
}
