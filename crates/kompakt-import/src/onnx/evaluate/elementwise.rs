//! Operators that work on each element, or on each pair of elements, alone.

use super::{call::Call, walk};
use crate::onnx::tensor::{Data, Tensor};

/// The function of a unary operator of floats, with its attributes.
fn function(call: &Call<'_>) -> Option<Box<dyn Fn(f64) -> f64>> {
    let number = |name: &str, default: f32| f64::from(call.node.float(name, default));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some(match call.node.op_type.as_str() {
        "Abs" => Box::new(f64::abs),
        "Neg" => Box::new(|x| -x),
        "Floor" => Box::new(f64::floor),
        "Ceil" => Box::new(f64::ceil),
        "Round" => Box::new(f64::round_ties_even),
        "Sqrt" => Box::new(f64::sqrt),
        "Exp" => Box::new(f64::exp),
        "Log" => Box::new(f64::ln),
        "Reciprocal" => Box::new(|x| 1.0 / x),
        "Sign" => Box::new(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        "Sin" => Box::new(f64::sin),
        "Cos" => Box::new(f64::cos),
        "Tan" => Box::new(f64::tan),
        "Atan" => Box::new(f64::atan),
        "Erf" => Box::new(libm::erf),
        "Relu" => Box::new(|x| x.max(0.0)),
        "Sigmoid" => Box::new(sigmoid),
        "Tanh" => Box::new(f64::tanh),
        "Softplus" => Box::new(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        "Softsign" => Box::new(|x| x / (1.0 + x.abs())),
        "Mish" => Box::new(|x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        "Gelu" if call.node.text("approximate") == "tanh" => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            Box::new(move |x| 0.5 * x * (1.0 + (root * (x + 0.044715 * x * x * x)).tanh()))
        }
        "Gelu" => Box::new(|x| 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2))),
        "HardSwish" => Box::new(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Swish" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |x| x * sigmoid(alpha * x))
        }
        "LeakyRelu" => {
            let alpha = number("alpha", 0.01);
            Box::new(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "ThresholdedRelu" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |x| if x > alpha { x } else { 0.0 })
        }
        "Elu" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
        }
        "Celu" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |x| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0))
        }
        "Selu" => {
            let (alpha, gamma) = (number("alpha", 1.673_263_2), number("gamma", 1.050_701));
            Box::new(move |x| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() })
        }
        "HardSigmoid" => {
            let (alpha, beta) = (number("alpha", 0.2), number("beta", 0.5));
            Box::new(move |x| (alpha * x + beta).clamp(0.0, 1.0))
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
        "Atan",
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
    // A minimum or maximum of f64 loses what is not a number.
    let g = |v: f32| if v.is_nan() { v } else { f(f64::from(v)) as f32 };
    Ok(Tensor::floats(dims, x.to_floats().into_iter().map(g).collect()))
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
    ];
    ALL.contains(&op)
}

/// Operators on two values, or on any number, from left to right.
pub(super) fn variadic(call: &Call<'_>) -> Result<Tensor, String> {
    let op = match call.node.op_type.as_str() {
        "Sum" | "Mean" => "Add",
        other => other,
    };
    let mut y = call.x(0)?.clone();
    for i in 1..call.inputs.len() {
        y = two(call, op, &y, call.x(i)?)?;
    }
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
    let (a, b) = (a.to_floats(), b.to_floats());
    let pairs = a.iter().zip(&b).map(|(&a, &b)| (a, b));
    let test: Option<fn((f32, f32)) -> bool> = match op {
        "Equal" => Some(|(a, b)| a == b),
        "Less" => Some(|(a, b)| a < b),
        "Greater" => Some(|(a, b)| a > b),
        "LessOrEqual" => Some(|(a, b)| a <= b),
        "GreaterOrEqual" => Some(|(a, b)| a >= b),
        _ => None,
    };
    if let Some(test) = test {
        return Ok(Tensor::ints(dims, pairs.map(|p| i64::from(test(p))).collect()));
    }
    let f: fn((f32, f32)) -> f32 = match op {
        "Add" => |(a, b)| a + b,
        "Sub" => |(a, b)| a - b,
        "Mul" => |(a, b)| a * b,
        "Div" => |(a, b)| a / b,
        "Pow" => |(a, b)| f64::from(a).powf(f64::from(b)) as f32,
        "Mod" => |(a, b)| a % b,
        "Min" => |(a, b)| if a.is_nan() || a < b { a } else { b },
        "Max" => |(a, b)| if a.is_nan() || a > b { a } else { b },
        _ => return Err("it works on booleans".into()),
    };
    Ok(Tensor::floats(dims, pairs.map(f).collect()))
}

/// The function of an operator on two whole numbers; it gives `None` for a division by 0.
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
    Ok(Tensor::floats(x.dims.clone(), x.to_floats().into_iter().map(f).collect()))
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

/// The slope is repeated to the shape of `x`.
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
