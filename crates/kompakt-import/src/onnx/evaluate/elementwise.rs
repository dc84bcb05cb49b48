//! Elementwise operators of one value or of several.

use super::{call::Call, walk};
use crate::onnx::tensor::{Data, Tensor};
use std::borrow::Cow;

/// Maps all elements.
type Function = Box<dyn Fn(&mut [f32])>;

/// A function of each element, in f64; NaN stays NaN, unlike in a minimum or maximum.
fn each(f: impl Fn(f64) -> f64 + 'static) -> Function {
    Box::new(move |values| {
        for v in values.iter_mut() {
            *v = if v.is_nan() { *v } else { f(f64::from(*v)) as f32 };
        }
    })
}

/// The function of a unary float operator, with its attributes.
fn function(call: &Call<'_>) -> Option<Function> {
    let number = |name: &str, default: f32| f64::from(call.node.float(name, default));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some(match call.node.op_type.as_str() {
        "Abs" => each(f64::abs),
        "Neg" => each(|x| -x),
        "Floor" => each(f64::floor),
        "Ceil" => each(f64::ceil),
        "Round" => each(f64::round_ties_even),
        "Sqrt" => each(f64::sqrt),
        "Exp" => each(f64::exp),
        "Log" => each(f64::ln),
        "Reciprocal" => each(|x| 1.0 / x),
        "Sign" => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        "Sin" => each(f64::sin),
        "Cos" => each(f64::cos),
        "Tan" => each(f64::tan),
        "Asin" => each(f64::asin),
        "Acos" => each(f64::acos),
        "Atan" => each(f64::atan),
        "Sinh" => each(f64::sinh),
        "Cosh" => each(f64::cosh),
        "Asinh" => each(f64::asinh),
        "Acosh" => each(f64::acosh),
        "Atanh" => each(f64::atanh),
        "Shrink" => {
            let (lambda, bias) = (number("lambd", 0.5), number("bias", 0.0));
            each(move |x| {
                if x < -lambda {
                    x + bias
                } else if x > lambda {
                    x - bias
                } else {
                    0.0
                }
            })
        }
        "Erf" => each(libm::erf),
        "Relu" => each(|x| x.max(0.0)),
        "Sigmoid" => each(sigmoid),
        "Tanh" => each(f64::tanh),
        "Softplus" => each(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        "Softsign" => each(|x| x / (1.0 + x.abs())),
        "Mish" => each(|x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        "Gelu" if call.node.text("approximate") == "tanh" => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            each(move |x| 0.5 * x * (1.0 + (root * (x + 0.044715 * x * x * x)).tanh()))
        }
        "Gelu" => each(|x| 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2))),
        "HardSwish" => each(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Swish" => {
            let alpha = number("alpha", 1.0);
            each(move |x| x * sigmoid(alpha * x))
        }
        "LeakyRelu" => {
            let alpha = number("alpha", 0.01);
            each(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "ThresholdedRelu" => {
            let alpha = number("alpha", 1.0);
            each(move |x| if x > alpha { x } else { 0.0 })
        }
        "Elu" => {
            let alpha = number("alpha", 1.0);
            each(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
        }
        "Celu" => {
            let alpha = number("alpha", 1.0);
            each(move |x| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0))
        }
        "Selu" => {
            let (alpha, gamma) = (number("alpha", 1.673_263_2), number("gamma", 1.050_701));
            each(move |x| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() })
        }
        "HardSigmoid" => {
            let (alpha, beta) = (number("alpha", 0.2), number("beta", 0.5));
            each(move |x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        _ => return None,
    })
}

pub(super) fn is_unary(op: &str) -> bool {
    const ALL: &[&str] = &[
        "Abs",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sqrt",
        "Exp",
        "Log",
        "Reciprocal",
        "Sign",
        "Sin",
        "Cos",
        "Tan",
        "Asin",
        "Acos",
        "Atan",
        "Sinh",
        "Cosh",
        "Asinh",
        "Acosh",
        "Atanh",
        "Shrink",
        "Erf",
        "Relu",
        "Sigmoid",
        "Tanh",
        "Softplus",
        "Softsign",
        "Mish",
        "Gelu",
        "HardSwish",
        "Swish",
        "LeakyRelu",
        "ThresholdedRelu",
        "Elu",
        "Celu",
        "Selu",
        "HardSigmoid",
        "Not",
    ];
    ALL.contains(&op)
}

pub(super) fn unary(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let dims = x.dims.clone();
    if let Data::Ints(v) = &x.data {
        let f: fn(i64) -> i64 = match call.node.op_type.as_str() {
            "Abs" => i64::wrapping_abs,
            "Neg" => i64::wrapping_neg,
            "Sign" => i64::signum,
            "Not" => |v| i64::from(v == 0),
            "Relu" => |v| v.max(0),
            _ => return Err("it works on floats".into()),
        };
        return Ok(Tensor::ints(dims, v.iter().map(|&v| f(v)).collect()));
    }
    let f = function(call).ok_or("it works on booleans")?;
    let mut y = x.to_floats();
    f(&mut y);
    Ok(Tensor::floats(dims, y))
}

pub(super) fn is_variadic(op: &str) -> bool {
    const ALL: &[&str] = &[
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Mod",
        "Min",
        "Max",
        "Sum",
        "Mean",
        "Equal",
        "Less",
        "Greater",
        "LessOrEqual",
        "GreaterOrEqual",
        "And",
        "Or",
        "Xor",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
    ];
    ALL.contains(&op)
}

/// Operators on two or more values, from left to right.
pub(super) fn variadic(call: &Call<'_>) -> Result<Tensor, String> {
    let op = match call.node.op_type.as_str() {
        "Sum" | "Mean" => "Add",
        other => other,
    };
    let mut y = Cow::Borrowed(call.x(0)?);
    for i in 1..call.inputs.len() {
        y = Cow::Owned(two(call, op, &y, call.x(i)?)?);
    }
    let mut y = y.into_owned();
    if let ("Mean", Data::Floats(v)) = (call.node.op_type.as_str(), &mut y.data) {
        let n = call.inputs.len() as f32;
        v.iter_mut().for_each(|v| *v /= n);
    }
    Ok(y)
}

fn two(call: &Call<'_>, op: &str, a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let dims = walk::broadcast(&[&a.dims, &b.dims])?;
    call.count(&dims)?;
    let (a, b) = (walk::spread(a, &dims), walk::spread(b, &dims));
    if let (Data::Ints(a), Data::Ints(b)) = (&a.data, &b.data) {
        let f = whole(op, call.node.int("fmod", 0) != 0).ok_or("it works on floats")?;
        let made: Option<Vec<i64>> = a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect();
        return Ok(Tensor::ints(dims, made.ok_or("a division by 0")?));
    }
    let (a, b) = (a.as_floats(), b.as_floats());
    let test: Option<fn((f32, f32)) -> bool> = match op {
        "Equal" => Some(|(a, b)| a == b),
        "Less" => Some(|(a, b)| a < b),
        "Greater" => Some(|(a, b)| a > b),
        "LessOrEqual" => Some(|(a, b)| a <= b),
        "GreaterOrEqual" => Some(|(a, b)| a >= b),
        _ => None,
    };
    if let Some(test) = test {
        let pairs = a.iter().zip(b.iter()).map(|(&a, &b)| (a, b));
        return Ok(Tensor::ints(dims, pairs.map(|p| i64::from(test(p))).collect()));
    }
    let y = match op {
        "Add" => paired(&a, &b, |a, b| a + b),
        "Sub" => paired(&a, &b, |a, b| a - b),
        "Mul" => paired(&a, &b, |a, b| a * b),
        "Div" => paired(&a, &b, |a, b| a / b),
        "Pow" => paired(&a, &b, |a, b| f64::from(a).powf(f64::from(b)) as f32),
        "Mod" => paired(&a, &b, |a, b| a % b),
        "Min" => paired(&a, &b, |a, b| if a.is_nan() || a < b { a } else { b }),
        "Max" => paired(&a, &b, |a, b| if a.is_nan() || a > b { a } else { b }),
        _ => return Err("it works on booleans".into()),
    };
    Ok(Tensor::floats(dims, y))
}

fn paired(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// The function of an operator on two integers; it returns `None` for a division by 0.
fn whole(op: &str, keeps_sign: bool) -> Option<fn(i64, i64) -> Option<i64>> {
    Some(match op {
        "Add" => |a, b| Some(a.wrapping_add(b)),
        "Sub" => |a, b| Some(a.wrapping_sub(b)),
        "Mul" => |a, b| Some(a.wrapping_mul(b)),
        "Div" => |a, b| (b != 0).then(|| a.wrapping_div(b)),
        "Mod" if keeps_sign => |a, b| (b != 0).then(|| a.wrapping_rem(b)),
        // The sign of the divisor.
        "Mod" => |a, b| (b != 0).then(|| (a.wrapping_rem(b).wrapping_add(b)).wrapping_rem(b)),
        "Pow" => |a, b| u32::try_from(b).ok().map(|b| a.wrapping_pow(b)),
        "Min" => |a, b| Some(a.min(b)),
        "Max" => |a, b| Some(a.max(b)),
        "Equal" => |a, b| Some(i64::from(a == b)),
        "Less" => |a, b| Some(i64::from(a < b)),
        "Greater" => |a, b| Some(i64::from(a > b)),
        "LessOrEqual" => |a, b| Some(i64::from(a <= b)),
        "GreaterOrEqual" => |a, b| Some(i64::from(a >= b)),
        "And" => |a, b| Some(i64::from(a != 0 && b != 0)),
        "Or" => |a, b| Some(i64::from(a != 0 || b != 0)),
        "Xor" => |a, b| Some(i64::from((a != 0) != (b != 0))),
        "BitwiseAnd" => |a, b| Some(a & b),
        "BitwiseOr" => |a, b| Some(a | b),
        "BitwiseXor" => |a, b| Some(a ^ b),
        _ => return None,
    })
}

/// `min(max(x, low), high)`; the bounds are attributes before operator set 11.
pub(super) fn clip(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let bound = |index: usize, name: &str, default: f32| match call.optional(index) {
        Some(t) => t.scalar().ok_or("a bound that is not one number"),
        None => Ok(call.node.float(name, default)),
    };
    let (low, high) = (bound(1, "min", f32::NEG_INFINITY)?, bound(2, "max", f32::INFINITY)?);
    if let Data::Ints(v) = &x.data {
        return Ok(Tensor::ints(
            x.dims.clone(),
            v.iter().map(|&v| v.max(low as i64).min(high as i64)).collect(),
        ));
    }
    let f = |v: f32| {
        let v = if v < low { low } else { v };
        if v > high { high } else { v }
    };
    Ok(Tensor::floats(x.dims.clone(), x.as_floats().iter().map(|&v| f(v)).collect()))
}

/// `Where`.
pub(super) fn choose(call: &Call<'_>) -> Result<Tensor, String> {
    let (condition, a, b) = (call.x(0)?, call.x(1)?, call.x(2)?);
    let dims = walk::broadcast(&[&condition.dims, &a.dims, &b.dims])?;
    call.count(&dims)?;
    let condition = walk::spread(condition, &dims).to_floats();
    let (a, b) = (walk::spread(a, &dims), walk::spread(b, &dims));
    let pick = |i: usize| condition[i] != 0.0;
    let data = match (&a.data, &b.data) {
        (Data::Ints(a), Data::Ints(b)) => {
            Data::Ints((0..a.len()).map(|i| if pick(i) { a[i] } else { b[i] }).collect())
        }
        _ => {
            let (a, b) = (a.to_floats(), b.to_floats());
            Data::Floats((0..a.len()).map(|i| if pick(i) { a[i] } else { b[i] }).collect())
        }
    };
    Ok(Tensor { dims, data })
}

/// The slope is broadcast to the shape of `x`.
pub(super) fn prelu(call: &Call<'_>) -> Result<Tensor, String> {
    let (x, slope) = (call.x(0)?, call.x(1)?);
    call.count(&x.dims)?;
    if walk::broadcast(&[&x.dims, &slope.dims])? != x.dims {
        return Err(format!("slopes of shape {:?} for {:?}", slope.dims, x.dims));
    }
    let slope = walk::spread(slope, &x.dims).to_floats();
    let values = x.to_floats().iter().zip(slope).map(|(&x, s)| if x < 0.0 { s * x } else { x }).collect();
    Ok(Tensor::floats(x.dims.clone(), values))
}
