//! Functions of each element that the graph has no operator of, made of those that it has.
//!
//! | function | made of |
//! |---|---|
//! | `1 / x` | a division of a constant |
//! | `sqrt x` | local response norm of one channel: `x / (x^2)^(1/4)` |
//! | `exp x` | `sigmoid(x) / sigmoid(-x)` |
//! | `\|x\|` | `max(x, 0) + max(-x, 0)` |
//! | `log(1 + exp x)` | minus log softmax of `[0, x]` at 0 |
//! | `erf x` | sigmoid of a polynomial, off by at most 2e-6 |

use super::{Act, Call, Lowering};
use crate::onnx::builder::Value;
use kompakt_graph::Op;

/// The normal distribution's share below x is about `sigmoid(x (c0 + c1 x^2 + c2 x^4 + ...))` for x from
/// -[`NORMAL_END`] to [`NORMAL_END`]: off by at most 7e-7, and 7e-7 / x beyond 1. Beyond the end it is 0 or 1 to 2e-8.
const NORMAL: [f32; 6] =
    [1.595_756_4, 0.072_714_64, -1.079_338_7e-4, -9.601_637e-5, 5.716_048e-6, -1.165_072_1e-7];
const NORMAL_END: f32 = 5.5;

/// Elements that a product of two values may multiply.
const MAX_PRODUCTS: usize = 1 << 24;

impl Lowering<'_> {
    /// An operator on each element of one value.
    pub(super) fn function(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let number = |name: &str, default: f32| call.node.float(name, default);
        let v = x.value;
        let value = match call.node.op_type.as_str() {
            "Sqrt" => self.root(v)?,
            "Reciprocal" => self.reciprocal(v)?,
            "Exp" => self.exponential(v)?,
            "Abs" => self.absolute(v)?,
            "Erf" => {
                let normal = self.scaled(v, std::f32::consts::SQRT_2, 0.0)?;
                let normal = self.normal(normal)?;
                self.scaled(normal, 2.0, -1.0)?
            }
            "Gelu" if call.node.text("approximate") == "tanh" => {
                // 0.5 (1 + tanh y) is sigmoid(2 y).
                let square = self.product(v, v)?;
                let root = (8.0 / std::f32::consts::PI).sqrt();
                let inner = self.scaled(square, 0.044715 * root, root)?;
                let inner = self.product(v, inner)?;
                let gate = self.unary(Op::Sigmoid, inner)?;
                self.product(v, gate)?
            }
            "Gelu" => {
                let gate = self.normal(v)?;
                self.product(v, gate)?
            }
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
        let one = self.scaled(x, 0.0, 1.0)?;
        self.builder.op(None, Op::Div, vec![one, x])
    }

    /// For x of at least 0.
    pub(super) fn root(&mut self, x: Value) -> Result<Value, String> {
        let shape = self.builder.shape(x).to_vec();
        let plane = self.builder.reshape(x, vec![1, 1, shape.iter().product()])?;
        // What is added must be above 0: the least normal number.
        let op = Op::LocalResponseNorm { size: 1, alpha: 1.0, beta: 0.25, bias: f32::MIN_POSITIVE };
        let root = self.unary(op, plane)?;
        self.builder.reshape(root, shape)
    }

    fn exponential(&mut self, x: Value) -> Result<Value, String> {
        let minus = self.scaled(x, -1.0, 0.0)?;
        let (above, below) = (self.unary(Op::Sigmoid, x)?, self.unary(Op::Sigmoid, minus)?);
        self.builder.op(None, Op::Div, vec![above, below])
    }

    pub(super) fn absolute(&mut self, x: Value) -> Result<Value, String> {
        let minus = self.scaled(x, -1.0, 0.0)?;
        let (above, below) = (self.unary(Op::Relu, x)?, self.unary(Op::Relu, minus)?);
        self.builder.op(None, Op::Add, vec![above, below])
    }

    fn softplus(&mut self, x: Value) -> Result<Value, String> {
        let shape = self.builder.shape(x).to_vec();
        let n = shape.iter().product();
        let row = self.builder.reshape(x, vec![1, n])?;
        let zeros = self.scaled(row, 0.0, 0.0)?;
        let both = self.builder.op(None, Op::Concat, vec![zeros, row])?;
        let both = self.unary(Op::LogSoftmax, both)?;
        let op = Op::Slice { start: vec![0, 0], end: vec![1, n], step: vec![1, 1] };
        let first = self.unary(op, both)?;
        let first = self.scaled(first, -1.0, 0.0)?;
        self.builder.reshape(first, shape)
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

    /// The normal distribution's share below x.
    fn normal(&mut self, x: Value) -> Result<Value, String> {
        let x = self.unary(Op::Clip { low: -NORMAL_END, high: NORMAL_END }, x)?;
        let square = self.product(x, x)?;
        let [.., before, last] = NORMAL;
        let mut sum = self.scaled(square, last, before)?;
        for c in NORMAL.iter().rev().skip(2) {
            sum = self.product(square, sum)?;
            sum = self.scaled(sum, 1.0, *c)?;
        }
        let inner = self.product(x, sum)?;
        self.unary(Op::Sigmoid, inner)
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

    /// The greater, or the lesser, of two values of the same number of dimensions: `a + max(b - a, 0)`.
    pub(super) fn greater(&mut self, a: Value, b: Value, is_max: bool) -> Result<Value, String> {
        let (x, y) = if is_max { (b, a) } else { (a, b) };
        let above = self.builder.op(None, Op::Sub, vec![x, y])?;
        let above = self.unary(Op::Relu, above)?;
        self.builder.op(None, if is_max { Op::Add } else { Op::Sub }, vec![a, above])
    }

    /// A product of two values, each a matrix an image, or many: every product of two numbers, and the sums of them.
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
        let products = [m, k, n].iter().try_fold(many, |p, &d| p.checked_mul(d));
        if products.is_none_or(|p| p > MAX_PRODUCTS) {
            return Err(format!("a product of two values, {} is too large", wrong()));
        }
        let left = self.builder.reshape(a.value, vec![many, m, 1, k])?;
        let right = self.builder.reshape(b.value, vec![many, k, n])?;
        let right = self.builder.transpose(right, vec![0, 2, 1])?;
        let right = self.builder.reshape(right, vec![many, 1, n, k])?;
        let all = self.product(left, right)?;
        let all = self.builder.reshape(all, vec![many * m * n, 1, k])?;
        let mean = self.builder.op(call.name(), Op::GlobalAvgPool, vec![all])?;
        let sum = self.scaled(mean, k as f32, 0.0)?;
        let mut rest = lead.to_vec();
        rest.extend([m, n]);
        let value = self.builder.reshape(sum, rest)?;
        Ok(self.with_batch(value))
    }
}
