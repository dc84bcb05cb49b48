//! Elementwise functions of one, two or three values.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Value, rules};
use kompakt_graph::{BinaryFunction, Op, UnaryFunction};

impl Lowering<'_> {
    pub(super) fn unary_node(&mut self, call: &Call<'_>, function: UnaryFunction) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let value = self.builder.op(call.name(), Op::Unary { function }, vec![x.value])?;
        Ok(Act { value, ..x })
    }

    /// An elementwise function of a value here.
    pub(in super::super) fn of_one(&mut self, function: UnaryFunction, x: Value) -> Result<Value, String> {
        self.builder.op(None, Op::Unary { function }, vec![x])
    }

    /// A function of two values here.
    pub(in super::super) fn of_two(&mut self, op: Op, a: Value, b: Value) -> Result<Value, String> {
        self.builder.op(None, op, vec![a, b])
    }

    /// Operators of two or more inputs, from left to right.
    pub(super) fn variadic(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let name = call.node.op_type.as_str();
        let is_whole = self.is_whole(call, 0);
        let op = match name {
            "Add" | "Sum" | "Mean" => Op::Add,
            "Sub" => Op::Sub,
            "Mul" => Op::Mul,
            "Div" => Op::Div,
            _ => Op::Binary { function: binary_function(name, call.node.int("fmod", 0) != 0) },
        };
        let first = self.input(call, 0)?.clone();
        let mut so_far = first;
        for index in 1..call.inputs.len() {
            let other = self.input(call, index)?.clone();
            let dims = rules::broadcast(self.dims_of(&so_far), self.dims_of(&other))?;
            let number = match (&so_far, &other) {
                (Operand::Act(x), Operand::Const(c)) if c.dims.len() <= x.dims.len() => c.scalar(),
                _ => None,
            };
            if let (Operand::Act(x), Some(v)) = (&so_far, number)
                && matches!(name, "Add" | "Sub" | "Mul" | "Sum")
                && v.is_finite()
            {
                let (factor, offset) = match name {
                    "Mul" => (v, 0.0),
                    "Sub" => (1.0, -v),
                    _ => (1.0, v),
                };
                let value = self.builder.op(call.name(), Op::Scale { factor, offset }, vec![x.value])?;
                so_far = Operand::Act(Act { value, dims });
                continue;
            }
            if let (Operand::Act(x), Some(v), "Pow") = (&so_far, number, name)
                && v.fract() == 0.0
                && (1.0..=4.0).contains(&v)
            {
                let (x, mut value) = (x.value, x.value);
                for _ in 1..v as usize {
                    value = self.product(value, x)?;
                }
                so_far = Operand::Act(Act { value, dims });
                continue;
            }
            let a = self.aligned(&so_far, dims.len())?;
            let b = self.aligned(&other, dims.len())?;
            let mut y = self.make(call, op.clone(), vec![a, b], dims)?;
            if name == "Div" && is_whole {
                y.value = self.of_one(UnaryFunction::Truncate, y.value)?;
            }
            so_far = Operand::Act(y);
        }
        let Operand::Act(mut y) = so_far else { return Err("nothing in it depends on the input".into()) };
        if name == "Mean" {
            y.value = self.scaled(y.value, 1.0 / call.inputs.len() as f32, 0.0)?;
        }
        Ok(y)
    }

    pub(super) fn where_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let operands: Vec<Operand> =
            (0..3).map(|i| self.input(call, i).cloned()).collect::<Result<_, _>>()?;
        let mut dims = Vec::new();
        for operand in &operands {
            dims = rules::broadcast(&dims, self.dims_of(operand))?;
        }
        let mut values = Vec::new();
        for operand in &operands {
            values.push(self.aligned(operand, dims.len())?);
        }
        self.make(call, Op::Select, values, dims)
    }

    /// Bounds that are values, or that clip integers.
    pub(super) fn clip_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        if call.inputs.iter().skip(1).all(|i| !matches!(i, Some(Operand::Act(_)))) {
            return self.activation(call);
        }
        let mut x = call.act(0)?.clone();
        for (index, function) in [(1, BinaryFunction::Max), (2, BinaryFunction::Min)] {
            if let Some(Some(bound)) = call.inputs.get(index) {
                let bound = self.aligned(&bound.clone(), x.dims.len())?;
                x.value = self.of_two(Op::Binary { function }, x.value, bound)?;
            }
        }
        Ok(x)
    }

    /// `max(x, 0) + slope min(x, 0)`.
    pub(super) fn prelu_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let slope = self.input(call, 1)?.clone();
        let slope = self.aligned(&slope, x.dims.len())?;
        let above = self.builder.op(None, Op::Relu, vec![x.value])?;
        let below = self.of_two(Op::Sub, x.value, above)?;
        let below = self.of_two(Op::Mul, below, slope)?;
        self.make(call, Op::Add, vec![above, below], x.dims)
    }

    /// Piecewise functions.
    pub(super) fn piecewise(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let number = |name: &str, default: f32| call.node.float(name, default);
        let test = |lowering: &mut Self, function, bound: f32| -> Result<Value, String> {
            let bound = lowering.computed(vec![bound], vec![1; lowering.builder.shape(x.value).len()])?;
            lowering.of_two(Op::Binary { function }, x.value, bound)
        };
        let value = match call.node.op_type.as_str() {
            "ThresholdedRelu" => {
                let is_above = test(self, BinaryFunction::Greater, number("alpha", 1.0))?;
                self.product(x.value, is_above)?
            }
            "Shrink" => {
                let (bias, lambda) = (number("bias", 0.0), number("lambd", 0.5));
                let is_below = test(self, BinaryFunction::Less, -lambda)?;
                let is_above = test(self, BinaryFunction::Greater, lambda)?;
                let (up, down) = (self.scaled(x.value, 1.0, bias)?, self.scaled(x.value, 1.0, -bias)?);
                let (up, down) = (self.product(up, is_below)?, self.product(down, is_above)?);
                self.of_two(Op::Add, up, down)?
            }
            "IsInf" => {
                let infinite = self.of_one(UnaryFunction::IsInfinite, x.value)?;
                let wants = |name: &str| call.node.int(name, 1) != 0;
                match (wants("detect_positive"), wants("detect_negative")) {
                    (true, true) => infinite,
                    (true, false) => {
                        let side = test(self, BinaryFunction::Greater, 0.0)?;
                        self.product(infinite, side)?
                    }
                    (false, true) => {
                        let side = test(self, BinaryFunction::Less, 0.0)?;
                        self.product(infinite, side)?
                    }
                    (false, false) => return Err("it looks for nothing".into()),
                }
            }
            other => return Err(format!("{other} of a value")),
        };
        Ok(Act { value, ..x })
    }
}

fn binary_function(op: &str, keeps_sign: bool) -> BinaryFunction {
    match op {
        "Max" => BinaryFunction::Max,
        "Min" => BinaryFunction::Min,
        "Mod" if keeps_sign => BinaryFunction::Remainder,
        "Mod" => BinaryFunction::Modulo,
        "Equal" => BinaryFunction::Equal,
        "Less" => BinaryFunction::Less,
        "LessOrEqual" => BinaryFunction::LessOrEqual,
        "Greater" => BinaryFunction::Greater,
        "GreaterOrEqual" => BinaryFunction::GreaterOrEqual,
        "And" => BinaryFunction::And,
        "Or" => BinaryFunction::Or,
        "Xor" => BinaryFunction::Xor,
        _ => BinaryFunction::Pow,
    }
}
