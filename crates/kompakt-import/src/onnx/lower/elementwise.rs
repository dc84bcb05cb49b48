//! Activations, and arithmetic on one or two values.

use super::{Act, Call, Lowering, Operand};
use crate::onnx::{rules, tensor::Tensor};
use kompakt_graph::Op;

/// The most elements that a constant is broadcast to.
const MAX_REPEATED: usize = 1 << 24;

impl Lowering<'_> {
    pub(super) fn identity(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let node = call.node;
        match node.op_type.as_str() {
            "Cast" if ![1, 10, 11, 16].contains(&node.int("to", 1)) => {
                return Err("activations become something other than floats".into());
            }
            "Dropout" if node.output.iter().skip(1).any(|o| !o.is_empty()) => {
                return Err("its mask is asked for".into());
            }
            "Dropout" if call.constant(2)?.is_some_and(|t| t.scalar() != Some(0.0)) => {
                return Err("it is in training mode".into());
            }
            _ => {}
        }
        Ok(call.act(0)?.clone())
    }

    pub(super) fn activation(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let node = call.node;
        let op = match node.op_type.as_str() {
            "Relu" => Op::Relu,
            "Sigmoid" => Op::Sigmoid,
            "Tanh" => Op::Tanh,
            "LeakyRelu" => Op::LeakyRelu { slope: node.float("alpha", 0.01) },
            "HardSigmoid" => {
                Op::HardSigmoid { slope: node.float("alpha", 0.2), offset: node.float("beta", 0.5) }
            }
            "HardSwish" => Op::HardSwish,
            "Neg" => Op::Scale { factor: -1.0, offset: 0.0 },
            "Clip" => match clip(call)? {
                Some(op) => op,
                None => return Ok(x),
            },
            _ => return self.prelu(call, &x),
        };
        let value = self.builder.op(call.name(), op, vec![x.value])?;
        Ok(Act { value, ..x })
    }

    fn prelu(&mut self, call: &Call<'_>, x: &Act) -> Result<Act, String> {
        let slope = call.needed(1)?;
        self.n_parameters += slope.len() as u64;
        let value = if let Some(slope) = slope.scalar() {
            self.builder.op(call.name(), Op::LeakyRelu { slope }, vec![x.value])?
        } else {
            let shape = self.builder.shape(x.value).to_vec();
            let aligned = aligned(slope, x)?;
            let wrong = || format!("slopes of shape {:?} for {:?}", slope.dims, x.dims);
            let from =
                aligned.get(1..).filter(|d| d.len() == shape.len() && aligned[0] == 1).ok_or_else(wrong)?;
            let n: usize = shape.iter().product();
            let is_per_channel = slope.len() == shape[0] && from[0] == shape[0];
            if !is_per_channel && (rules::broadcast(&shape, from)? != shape || n > MAX_REPEATED) {
                return Err(wrong());
            }
            // One per channel, or one per element.
            let (numbers, seen) = match is_per_channel {
                true => (slope.to_floats(), x.value),
                false => {
                    let each = slope.pick(shape.clone(), rules::repeated(from, &shape)).to_floats();
                    (each, self.builder.reshape(x.value, vec![n])?)
                }
            };
            let params = vec![("weight", numbers.into())];
            let y = self.builder.push(Some(call.layer_name(1)), Op::Prelu, vec![seen], params)?;
            self.builder.reshape(y, shape)?
        };
        Ok(Act { value, ..x.clone() })
    }

    /// Sums, products and similar operators of two or more inputs, from left to right.
    pub(super) fn arithmetic(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let op = match call.node.op_type.as_str() {
            "Sum" | "Mean" => "Add",
            other => other,
        };
        let mut operands = call.inputs.iter();
        let first = operands.next().and_then(Option::as_ref).ok_or("its first input is missing")?;
        let mut so_far = first.clone();
        for operand in operands {
            let operand = operand.as_ref().ok_or("an input is missing")?;
            so_far = Operand::Act(self.two(call, op, &so_far, operand)?);
        }
        let Operand::Act(mut y) = so_far else { return Err("nothing in it depends on the input".into()) };
        if call.node.op_type == "Mean" {
            let op = Op::Scale { factor: 1.0 / call.inputs.len() as f32, offset: 0.0 };
            y.value = self.builder.op(None, op, vec![y.value])?;
        }
        Ok(y)
    }

    fn two(&mut self, call: &Call<'_>, op: &str, a: &Operand, b: &Operand) -> Result<Act, String> {
        match (a, b) {
            (Operand::Act(a), Operand::Act(b)) => self.two_values(call, op, a, b),
            (Operand::Act(x), Operand::Const(c)) => self.with_constant(call, op, x, c),
            (Operand::Const(c), Operand::Act(x)) => match op {
                "Add" | "Mul" | "Max" | "Min" => self.with_constant(call, op, x, c),
                "Sub" => {
                    let value =
                        self.builder.op(None, Op::Scale { factor: -1.0, offset: 0.0 }, vec![x.value])?;
                    self.with_constant(call, "Add", &Act { value, ..x.clone() }, c)
                }
                "Div" => {
                    let value = self.reciprocal(x.value)?;
                    self.with_constant(call, "Mul", &Act { value, ..x.clone() }, c)
                }
                _ => Err("a constant to the power of a value".into()),
            },
            (Operand::Const(_), Operand::Const(_)) => Err("constants before a value; reorder them".into()),
        }
    }

    fn two_values(&mut self, call: &Call<'_>, op: &str, a: &Act, b: &Act) -> Result<Act, String> {
        let kind = match op {
            "Add" => Op::Add,
            "Mul" => Op::Mul,
            "Sub" => Op::Sub,
            "Div" => Op::Div,
            "Max" | "Min" => Op::Add,
            other => return Err(format!("{other} of two values")),
        };
        let rank = a.dims.len().max(b.dims.len());
        if a.dims.len() != b.dims.len() && self.batch != 1 {
            return Err(format!("{:?} and {:?} do not share their batch", a.dims, b.dims));
        }
        let mut sides = Vec::new();
        for x in [a, b] {
            let dims = rules::aligned(&x.dims, rank);
            let rest = if rank == 1 { vec![1] } else { dims[1..].to_vec() };
            sides.push(self.builder.reshape(x.value, rest)?);
        }
        let value = match op {
            "Max" | "Min" => self.greater(sides[0], sides[1], op == "Max")?,
            _ => self.builder.op(call.name(), kind, sides)?,
        };
        let mut y = self.with_batch(value);
        y.dims.truncate(rank.max(1));
        Ok(y)
    }

    /// A value and a constant: one number for all, one per channel, or one per element.
    pub(super) fn with_constant(
        &mut self,
        call: &Call<'_>,
        op: &str,
        x: &Act,
        c: &Tensor,
    ) -> Result<Act, String> {
        if let "Max" | "Min" = op
            && c.len() > 1
        {
            return self.bounded(call, op == "Max", x, c);
        }
        if let "Max" | "Min" | "Pow" = op {
            return self.with_number(call, op, x, c.scalar().ok_or("a constant of many numbers")?);
        }
        if c.dims.len() <= x.dims.len()
            && let Some(v) = c.scalar()
        {
            return self.with_number(call, op, x, v);
        }
        let aligned = aligned(c, x)?;
        if aligned.first().is_some_and(|&d| d != 1 && self.batch != 1) {
            return Err(format!("a constant of shape {:?} has a number for each image of a batch", c.dims));
        }
        let shape = self.builder.shape(x.value).to_vec();
        let from = if aligned.len() == 1 { vec![1] } else { aligned[1..].to_vec() };
        let to = rules::broadcast(&shape, &from)?;
        self.n_parameters += c.len() as u64;
        let is_per_channel =
            from.get(1..).is_some_and(|rest| rest.iter().all(|&d| d == 1)) && from[0] == to[0];
        if !is_per_channel {
            let op = match op {
                "Add" => Op::Add,
                "Sub" => Op::Sub,
                "Mul" => Op::Mul,
                _ => Op::Div,
            };
            let numbers = self.computed(c.to_floats(), from)?;
            let value = self.builder.op(call.name(), op, vec![x.value, numbers])?;
            let mut y = self.with_batch(value);
            y.dims.truncate(x.dims.len());
            return Ok(y);
        }
        let mut value = x.value;
        for (axis, (&old, &new)) in shape.iter().zip(&to).enumerate() {
            if old != new {
                if new > MAX_REPEATED {
                    return Err("a value is repeated too often".into());
                }
                value = self.builder.op(None, Op::Gather { axis, indices: vec![0; new] }, vec![value])?;
            }
        }
        let numbers = c.to_floats();
        let (ones, zeros) = (vec![1.0; numbers.len()], vec![0.0; numbers.len()]);
        let (weight, bias) = match op {
            "Add" => (ones, numbers),
            "Sub" => (ones, numbers.iter().map(|v| -v).collect()),
            "Mul" => (numbers, zeros),
            _ => (numbers.iter().map(|v| 1.0 / v).collect(), zeros),
        };
        if weight.iter().chain(&bias).any(|v| !v.is_finite()) {
            return Err("a constant that is not a number, or a division by 0".into());
        }
        let params = vec![("weight", weight.into()), ("bias", bias.into())];
        let value = self.builder.push(call.name(), Op::ScaleBias, vec![value], params)?;
        let value = self.builder.reshape(value, to.clone())?;
        let mut y = self.with_batch(value);
        y.dims.truncate(x.dims.len());
        Ok(y)
    }

    /// `max(x, c) = max(x - c, 0) + c`, and `min(x, c) = c - max(c - x, 0)`.
    fn bounded(&mut self, call: &Call<'_>, is_max: bool, x: &Act, c: &Tensor) -> Result<Act, String> {
        let turn = |lowering: &mut Self, mut x: Act| -> Result<Act, String> {
            if !is_max {
                let op = Op::Scale { factor: -1.0, offset: 0.0 };
                x.value = lowering.builder.op(None, op, vec![x.value])?;
            }
            Ok(x)
        };
        let above = self.with_constant(call, "Sub", x, c)?;
        let mut above = turn(self, above)?;
        above.value = self.builder.op(None, Op::Relu, vec![above.value])?;
        let above = turn(self, above)?;
        self.with_constant(call, "Add", &above, c)
    }

    /// A value and one number.
    fn with_number(&mut self, call: &Call<'_>, op: &str, x: &Act, v: f32) -> Result<Act, String> {
        let (factor, offset) = match op {
            "Add" => (1.0, v),
            "Sub" => (1.0, -v),
            "Mul" => (v, 0.0),
            "Div" => (1.0 / v, 0.0),
            "Max" if v == 0.0 => {
                let value = self.builder.op(call.name(), Op::Relu, vec![x.value])?;
                return Ok(Act { value, ..x.clone() });
            }
            "Max" | "Min" => {
                let (low, high) = if op == "Max" { (v, f32::MAX) } else { (f32::MIN, v) };
                let value = self.builder.op(call.name(), Op::Clip { low, high }, vec![x.value])?;
                return Ok(Act { value, ..x.clone() });
            }
            _ if v == 1.0 => return Ok(x.clone()),
            _ => {
                let value = self.power(x.value, v)?;
                return Ok(Act { value, ..x.clone() });
            }
        };
        if !(factor.is_finite() && offset.is_finite()) {
            return Err("a constant that is not a number, or a division by 0".into());
        }
        let value = self.builder.op(call.name(), Op::Scale { factor, offset }, vec![x.value])?;
        Ok(Act { value, ..x.clone() })
    }
}

/// A constant's dimensions with ones in front, as many as the value has.
fn aligned(c: &Tensor, x: &Act) -> Result<Vec<usize>, String> {
    if c.dims.len() > x.dims.len() {
        return Err(format!("a constant of shape {:?} for a value of {:?}", c.dims, x.dims));
    }
    Ok(rules::aligned(&c.dims, x.dims.len()))
}

/// The bounds of a `Clip`, as attributes or inputs; `None` if there are none.
fn clip(call: &Call<'_>) -> Result<Option<Op>, String> {
    let bound = |name: &str, index: usize, default: f32| -> Result<f32, String> {
        let value = match call.constant(index)? {
            Some(tensor) => tensor.scalar().ok_or("bounds of many numbers")?,
            None => call.node.float(name, default),
        };
        Ok(value.clamp(f32::MIN, f32::MAX))
    };
    let (low, high) = (bound("min", 1, f32::MIN)?, bound("max", 2, f32::MAX)?);
    if low.is_nan() || high.is_nan() {
        return Err("bounds that are no numbers".into());
    }
    // Where they cross, the upper one takes precedence.
    let low = low.min(high);
    if (low, high) == (f32::MIN, f32::MAX) {
        return Ok(None);
    }
    if (low, high) == (0.0, f32::MAX) {
        return Ok(Some(Op::Relu));
    }
    Ok(Some(Op::Clip { low, high }))
}
