//! Reductions along some axes: sums, extremes and their indices, softmax, running sums.

use super::super::{Act, Call, Lowering};
use crate::onnx::{builder::Value, rules, tensor::Tensor};
use kompakt_graph::{BinaryFunction, Op, Reduction, UnaryFunction};

impl Lowering<'_> {
    /// Reduces axes here, which stay as 1.
    pub(super) fn reduced(&mut self, x: Value, function: Reduction, axes: &[usize]) -> Result<Value, String> {
        if axes.is_empty() {
            return Ok(x);
        }
        self.builder.op(None, Op::Reduce { function, axes: axes.to_vec() }, vec![x])
    }

    pub(in crate::onnx::lower) fn reduce_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let given = rules::axes(call.node, call.constant(1)?, rank)?.filter(|a| !a.is_empty());
        if given.is_none() && call.node.int("noop_with_empty_axes", 0) != 0 {
            let value = match call.node.op_type.as_str() {
                "ReduceSumSquare" => self.product(x.value, x.value)?,
                "ReduceL1" | "ReduceL2" => self.of_one(UnaryFunction::Abs, x.value)?,
                "ReduceLogSum" => self.of_one(UnaryFunction::Log, x.value)?,
                _ => x.value,
            };
            return Ok(Act { value, ..x });
        }
        let axes = given.unwrap_or_else(|| (0..rank).collect());
        let here = axes.iter().map(|&a| self.here(a)).collect::<Result<Vec<_>, _>>()?;
        let v = x.value;
        let value = match call.node.op_type.as_str() {
            "ReduceSum" => self.reduced(v, Reduction::Sum, &here)?,
            "ReduceMean" => self.reduced(v, Reduction::Mean, &here)?,
            "ReduceMax" => self.reduced(v, Reduction::Max, &here)?,
            "ReduceMin" => self.reduced(v, Reduction::Min, &here)?,
            "ReduceProd" => self.reduced(v, Reduction::Product, &here)?,
            "ReduceL1" => {
                let sizes = self.of_one(UnaryFunction::Abs, v)?;
                self.reduced(sizes, Reduction::Sum, &here)?
            }
            op @ ("ReduceL2" | "ReduceSumSquare") => {
                let squares = self.product(v, v)?;
                let sum = self.reduced(squares, Reduction::Sum, &here)?;
                if op == "ReduceL2" { self.of_one(UnaryFunction::Sqrt, sum)? } else { sum }
            }
            "ReduceLogSum" => {
                let sum = self.reduced(v, Reduction::Sum, &here)?;
                self.of_one(UnaryFunction::Log, sum)?
            }
            "ReduceLogSumExp" => {
                let largest = self.reduced(v, Reduction::Max, &here)?;
                let less = self.of_two(Op::Sub, v, largest)?;
                let powers = self.of_one(UnaryFunction::Exp, less)?;
                let sum = self.reduced(powers, Reduction::Sum, &here)?;
                let log = self.of_one(UnaryFunction::Log, sum)?;
                self.of_two(Op::Add, log, largest)?
            }
            other => return Err(format!("{other} of a value")),
        };
        self.without(&x, value, &axes, call.node.int("keepdims", 1) != 0)
    }

    /// A value whose axes `axes` of the file were reduced to 1, with or without them.
    fn without(&mut self, x: &Act, value: Value, axes: &[usize], keeps: bool) -> Result<Act, String> {
        let dims: Vec<usize> = (0..x.dims.len())
            .filter(|d| keeps || !axes.contains(d))
            .map(|d| if axes.contains(&d) { 1 } else { x.dims[d] })
            .collect();
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(Act { value, dims })
    }

    pub(super) fn place_of(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axis = rules::axis(call.node.int("axis", 0), x.dims.len())?;
        let here = self.here(axis)?;
        let is_max = call.node.op_type == "ArgMax";
        let function = if is_max { Reduction::ArgMax } else { Reduction::ArgMin };
        let (n, from_end) = (x.dims[axis], call.node.int("select_last_index", 0) != 0);
        let mut value = x.value;
        if from_end {
            let run = rules::Run { first: n - 1, n, step: -1 };
            value = self.cut(&x, axis, run)?.value;
        }
        value = self.reduced(value, function, &[here])?;
        if from_end {
            value = self.scaled(value, -1.0, (n - 1) as f32)?;
        }
        self.without(&x, value, &[axis], call.node.int("keepdims", 1) != 0)
    }

    pub(super) fn softmax_node(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let rank = x.dims.len();
        let is_old = self.opset < 13;
        let axis = rules::axis(call.node.int("axis", if is_old { 1 } else { -1 }), rank)?;
        let here = self.here(axis)?;
        let shape = self.builder.shape(x.value).to_vec();
        // Older sets treat all dimensions from the axis on as one.
        let (value, at) = if is_old {
            let (outer, inner) = (shape[..here].iter().product(), shape[here..].iter().product());
            (self.builder.reshape(x.value, vec![outer, inner])?, 1)
        } else {
            (x.value, here)
        };
        let value = match call.node.op_type.as_str() {
            "Hardmax" => {
                let n = self.builder.shape(value)[at];
                let place = self.reduced(value, Reduction::ArgMax, &[at])?;
                let mut dims = vec![1; self.builder.shape(value).len()];
                dims[at] = n;
                self.ask(n)?;
                let all = self.computed((0..n).map(|i| i as f32).collect(), dims)?;
                self.of_two(Op::Binary { function: BinaryFunction::Equal }, all, place)?
            }
            name => {
                let op = if name == "Softmax" { Op::Softmax } else { Op::LogSoftmax };
                let (front, back) = self.builder.front(value, at)?;
                let value = self.builder.op(call.name(), op, vec![front])?;
                self.builder.transpose(value, back)?
            }
        };
        let value = self.builder.reshape(value, shape)?;
        Ok(Act { value, ..x })
    }

    /// Running sums: a product with a triangular matrix of ones.
    pub(super) fn running_sum(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let axis = call.needed(1)?.scalar().ok_or("its axis is no number")?;
        let axis = rules::axis(axis as i64, x.dims.len())?;
        let here = self.here(axis)?;
        let n = x.dims[axis];
        if n > 4096 {
            return Err(format!("running sums of {n} elements"));
        }
        let (exclusive, reverse) = (call.node.int("exclusive", 0) != 0, call.node.int("reverse", 0) != 0);
        let counts = |from: usize, to: usize| {
            let (a, b) = if reverse { (to, from) } else { (from, to) };
            if exclusive { a < b } else { a <= b }
        };
        let ones = (0..n * n).map(|i| f32::from(u8::from(counts(i / n, i % n)))).collect();
        let shape = self.builder.shape(x.value).to_vec();
        let mut order: Vec<usize> = (0..shape.len()).filter(|&d| d != here).collect();
        order.push(here);
        let turned = self.builder.transpose(x.value, order.clone())?;
        let rows = self.shaped(turned, vec![shape.iter().product::<usize>() / n, n])?;
        let ones = self.computed(ones, vec![n, n])?;
        let sums = self.builder.op(call.name(), Op::MatMul, vec![rows, ones])?;
        let sums = self.shaped(sums, order.iter().map(|&d| shape[d]).collect())?;
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        let value = self.builder.transpose(sums, back)?;
        Ok(Act { value, ..x })
    }

    pub(super) fn top_k(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let x = call.act(0)?.clone();
        let axis = rules::axis(call.node.int("axis", -1), x.dims.len())?;
        let here = self.here(axis)?;
        let k = match call.constant(1)?.and_then(Tensor::scalar) {
            Some(k) => k as usize,
            None => usize::try_from(call.node.int("k", 0)).unwrap_or(0),
        };
        let largest = call.node.int("largest", 1) != 0;
        let mut dims = x.dims.clone();
        dims[axis] = k;
        let mut made = Vec::new();
        for indices in [false, true] {
            let op = Op::TopK { axis: here, k, largest, indices };
            let value = self.builder.op(if indices { None } else { call.name() }, op, vec![x.value])?;
            made.push(Act { value, dims: dims.clone() });
        }
        Ok(made)
    }
}
