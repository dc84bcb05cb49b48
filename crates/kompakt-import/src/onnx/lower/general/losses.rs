//! Classification losses: the negative log-probability of the correct class.

use super::super::{Act, Call, Lowering};
use kompakt_graph::{BinaryFunction, Op, Reduction, UnaryFunction};

impl Lowering<'_> {
    /// `[n, classes, …]` and the classes `[n, …]`.
    pub(super) fn loss(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if self.lead == 1 {
            return Err("it works along the batch".into());
        }
        let (mut x, target) = (self.value_of(call, 0)?, self.value_of(call, 1)?);
        let &[n, classes, ref rest @ ..] = &x.dims[..] else { return Err(format!("{:?}", x.dims)) };
        if call.node.op_type == "SoftmaxCrossEntropyLoss" {
            let (front, back) = self.builder.front(x.value, 1)?;
            let logs = self.builder.op(None, Op::LogSoftmax, vec![front])?;
            x.value = self.builder.transpose(logs, back)?;
        }
        let mut wide = vec![1; x.dims.len()];
        let across = |c: usize| [&[n, c], rest].concat();
        let target = self.shaped(target.value, across(1))?;
        let equal = Op::Binary { function: BinaryFunction::Equal };
        wide[1] = classes;
        self.ask(classes)?;
        let all = self.computed((0..classes).map(|c| c as f32).collect(), wide.clone())?;
        let mut hot = self.of_two(equal.clone(), target, all)?;
        if call.node.attribute("ignore_index").is_some() {
            let ignored = call.node.int("ignore_index", -1) as f32;
            let ignored = self.computed(vec![ignored], vec![1; x.dims.len()])?;
            let is_ignored = self.of_two(equal, target, ignored)?;
            let counts = self.of_one(UnaryFunction::Not, is_ignored)?;
            hot = self.of_two(Op::Mul, hot, counts)?;
        }
        if matches!(call.inputs.get(2), Some(Some(_))) {
            let weights = self.value_of(call, 2)?;
            let weights = self.shaped(weights.value, wide)?;
            hot = self.of_two(Op::Mul, hot, weights)?;
        }
        let products = self.of_two(Op::Mul, x.value, hot)?;
        let products = self.scaled(products, -1.0, 0.0)?;
        let axes: Vec<usize> = (0..x.dims.len()).collect();
        let (value, dims) = match call.node.text("reduction") {
            "none" => (self.reduced(products, Reduction::Sum, &[1])?, [&[n], rest].concat()),
            "sum" => (self.reduced(products, Reduction::Sum, &axes)?, vec![]),
            _ => {
                let sum = self.reduced(products, Reduction::Sum, &axes)?;
                let weight = self.reduced(hot, Reduction::Sum, &axes)?;
                (self.of_two(Op::Div, sum, weight)?, vec![])
            }
        };
        let value = self.builder.reshape(value, self.shape_of(&dims))?;
        Ok(vec![Act { value, dims }, x])
    }
}
