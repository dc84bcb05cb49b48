//! Each operator of a graph as a call.

use crate::{
    MAX_LEN, MicroError,
    constants::{Constants, float},
    source::Functions,
    step::{Buffer, Place, Step, Steps},
    weights,
};
use kompakt_format::Decoded;
use kompakt_graph::{Convolution, Graph, Op, Padding, Pair};
use std::collections::BTreeMap;

/// The network's values as buffers, its nodes as steps.
pub(crate) struct Nodes<'a> {
    pub(crate) graph: &'a Graph,
    /// One per parameter of the graph.
    pub(crate) parameters: &'a [Decoded],
    pub(crate) steps: &'a mut Steps,
    pub(crate) constants: &'a mut Constants,
    pub(crate) functions: &'a mut Functions,
    /// The buffer of every value so far.
    pub(crate) buffers: BTreeMap<usize, Buffer>,
    /// Nodes without a function in C.
    pub(crate) refused: Vec<String>,
}

impl Nodes<'_> {
    /// Adds all nodes. Outputs of the graph go to `outputs`, which are parameters of the function.
    pub(crate) fn add(&mut self, outputs: &[Buffer]) -> Result<(), MicroError> {
        let source = |mut value: usize| {
            while let Some(node) = self.graph.producer(value).map(|node| &self.graph.nodes()[node]) {
                if !is_view(&node.op) {
                    break;
                }
                value = node.inputs[0];
            }
            value
        };
        // A value that is an output once is written directly to it.
        let mut claimed: BTreeMap<usize, Buffer> = BTreeMap::new();
        let mut copies = Vec::new();
        for (&value, &buffer) in self.graph.outputs().iter().zip(outputs) {
            let made = source(value);
            if self.graph.producer(made).is_none() || claimed.contains_key(&made) {
                copies.push((made, buffer));
            } else {
                claimed.insert(made, buffer);
            }
        }
        for (index, node) in self.graph.nodes().iter().enumerate() {
            let value = self.graph.value_of(index);
            let len = self.graph.shape(value).iter().product();
            if len > MAX_LEN {
                return Err(MicroError::TooLarge { what: node.name.clone(), n: len, limit: MAX_LEN });
            }
            let reads: Vec<Buffer> = node.inputs.iter().map(|value| self.buffers[value]).collect();
            if is_view(&node.op) {
                self.buffers.insert(value, reads[0]);
                continue;
            }
            let y = claimed.get(&value).copied().unwrap_or_else(|| self.steps.buffer(len, Place::Unknown));
            self.node(index, reads, y)?;
            self.buffers.insert(value, y);
        }
        if !self.refused.is_empty() {
            return Err(MicroError::Unsupported(core::mem::take(&mut self.refused)));
        }
        for (value, buffer) in copies {
            let n: usize = self.graph.shape(value).iter().product();
            let statement = format!("memcpy({{y}}, {{0}}, {n} * sizeof(float));");
            self.step("an output", statement, vec![self.buffers[&value]], buffer, None);
        }
        Ok(())
    }

    fn step(
        &mut self,
        what: &str,
        statement: String,
        reads: Vec<Buffer>,
        writes: Buffer,
        in_place: Option<usize>,
    ) {
        self.steps.steps.push(Step { statement, reads, writes, in_place, what: what.into() });
    }

    /// The parameters of a node, in the graph's order: their indices.
    fn parameters_of(&self, node: usize) -> Vec<usize> {
        let all = self.graph.params().iter().enumerate();
        all.filter(|(_, p)| p.node == node).map(|(i, _)| i).collect()
    }

    fn node(&mut self, index: usize, reads: Vec<Buffer>, y: Buffer) -> Result<(), MicroError> {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let what = node.name.as_str();
        let shape = graph.shape(graph.value_of(index));
        let x = graph.shape(node.inputs[0]);
        let (n, channels): (usize, usize) = (shape.iter().product(), x.first().copied().unwrap_or(1));
        let area = x.iter().product::<usize>() / channels.max(1);
        let elementwise = |this: &mut Self, name: &'static str, arguments: &[f32]| {
            let arguments: String = arguments.iter().map(|a| format!("{}, ", float(*a))).collect();
            this.functions.need(name);
            this.step(what, format!("{name}({arguments}{n}, {{0}}, {{y}});"), reads.clone(), y, Some(0));
        };
        let by_channel = |this: &mut Self, name: &'static str, tables: &str| {
            this.functions.need(name);
            let call = format!("{name}({tables}{channels}, {area}, {{0}}, {{y}});");
            this.step(what, call, reads.clone(), y, Some(0));
        };
        match &node.op {
            Op::Linear { out_features, .. } => {
                let (of, bias) = self.layer(index)?;
                let call = format!("linear(&{of}, {bias}, {channels}, {out_features}, {{0}}, {{y}});");
                self.functions.need("linear");
                self.step(what, call, reads, y, None);
            }
            Op::Conv2d { .. } => {
                let (of, bias) = self.layer(index)?;
                let Some(g) = Convolution::of(&node.op, x, shape) else { return Ok(()) };
                let numbers = [
                    &g.input[..],
                    &g.output,
                    &[g.kernel.h, g.kernel.w, g.stride.h, g.stride.w, g.dilation.h, g.dilation.w],
                    &[g.padding.top, g.padding.left, g.groups],
                ]
                .concat();
                let geometry =
                    self.constants.object("geometry", &format!("{what}.geometry"), &list(&numbers), 60);
                self.functions.need("convolution");
                let call = format!("convolution(&{geometry}, &{of}, {bias}, {{0}}, {{y}});");
                self.step(what, call, reads, y, None);
            }
            Op::BatchNorm { eps } => {
                let p: Vec<Vec<f32>> =
                    self.parameters_of(index).into_iter().map(|i| self.parameters[i].to_f32()).collect();
                let scale = |c: usize| f64::from(p[0][c]) / libm::sqrt(f64::from(p[3][c]) + f64::from(*eps));
                let bias = |c: usize| f64::from(p[1][c]) - f64::from(p[2][c]) * scale(c);
                let [scales, biases]: [Vec<f32>; 2] = [
                    (0..channels).map(|c| scale(c) as f32).collect(),
                    (0..channels).map(|c| bias(c) as f32).collect(),
                ];
                let scales = self.constants.floats(&format!("{what}.scale"), &scales)?;
                let biases = self.constants.floats(&format!("{what}.bias"), &biases)?;
                by_channel(self, "scale_bias", &format!("{scales}, {biases}, "));
            }
            Op::ScaleBias => {
                let tables = self.tables(index)?;
                by_channel(self, "scale_bias", &tables);
            }
            Op::Prelu => {
                let tables = self.tables(index)?;
                by_channel(self, "prelu", &tables);
            }
            Op::MaxPool { kernel, stride, padding, .. } => {
                let window = self.window(what, x, shape, *kernel, *stride, *padding);
                self.functions.need("max_pool");
                self.step(what, format!("max_pool(&{window}, {{0}}, {{y}});"), reads, y, None);
            }
            Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
                let window = self.window(what, x, shape, *kernel, *stride, *padding);
                self.functions.need("average_pool");
                let counts = u8::from(*count_include_pad);
                self.step(what, format!("average_pool(&{window}, {counts}, {{0}}, {{y}});"), reads, y, None);
            }
            Op::GlobalAvgPool => {
                self.functions.need("global_average_pool");
                let call = format!("global_average_pool({channels}, {area}, {{0}}, {{y}});");
                self.step(what, call, reads, y, None);
            }
            Op::Relu => elementwise(self, "relu", &[]),
            Op::Sigmoid => elementwise(self, "sigmoid", &[]),
            Op::Tanh => elementwise(self, "hyperbolic_tangent", &[]),
            Op::Silu => elementwise(self, "silu", &[]),
            Op::HardSwish => elementwise(self, "hard_swish", &[]),
            Op::HardSigmoid { slope, offset } => elementwise(self, "hard_sigmoid", &[*slope, *offset]),
            Op::LeakyRelu { slope } => elementwise(self, "leaky_relu", &[*slope]),
            Op::Scale { factor, offset } => elementwise(self, "scale", &[*factor, *offset]),
            Op::Clip { low, high } => elementwise(self, "clip", &[*low, *high]),
            Op::Softmax => by_channel(self, "softmax", ""),
            Op::LogSoftmax => by_channel(self, "log_softmax", ""),
            Op::LocalResponseNorm { size, alpha, beta, bias } => {
                self.functions.need("local_response_norm");
                let [alpha, beta, bias] = [*alpha, *beta, *bias].map(float);
                let call = format!(
                    "local_response_norm({size}, {alpha}, {beta}, {bias}, {channels}, {area}, {{0}}, {{y}});"
                );
                self.step(what, call, reads, y, None);
            }
            Op::Add => self.pairwise(index, '+', reads, y),
            Op::Sub => self.pairwise(index, '-', reads, y),
            Op::Mul => self.pairwise(index, '*', reads, y),
            Op::Div => self.pairwise(index, '/', reads, y),
            Op::Concat => {
                let mut at = 0;
                for (&value, buffer) in node.inputs.iter().zip(reads) {
                    let n: usize = graph.shape(value).iter().product();
                    let call = format!("memcpy({{y}} + {at}, {{0}}, {n} * sizeof(float));");
                    self.step(what, call, vec![buffer], y, None);
                    at += n;
                }
            }
            Op::Slice { start, step, .. } => {
                let steps = strides(x);
                let from: usize = start.iter().zip(&steps).map(|(s, stride)| s * stride).sum();
                let x_step: Vec<usize> = step.iter().zip(&steps).map(|(s, stride)| s * stride).collect();
                self.copy(what, shape, &x_step, &strides(shape), [from, 0], reads, y);
            }
            Op::Transpose { axes } => {
                let steps = strides(x);
                let x_step: Vec<usize> = axes.iter().map(|&axis| steps[axis]).collect();
                self.copy(what, shape, &x_step, &strides(shape), [0, 0], reads, y);
            }
            Op::Pad { before, .. } => {
                let steps = strides(shape);
                let to: usize = before.iter().zip(&steps).map(|(b, stride)| b * stride).sum();
                self.zero(what, n, y);
                self.copy(what, x, &strides(x), &steps, [0, to], reads, y);
            }
            Op::Spread { step } => {
                let steps = strides(shape);
                let y_step = [steps[0], steps[1] * step.h, steps[2] * step.w];
                self.zero(what, n, y);
                self.copy(what, x, &strides(x), &y_step, [0, 0], reads, y);
            }
            Op::Gather { axis, indices } => {
                let table = self.constants.indices(&format!("{what}.indices"), indices.iter().copied());
                let (outer, inner): (usize, usize) =
                    (x[..*axis].iter().product(), x[axis + 1..].iter().product());
                let (from, n) = (x[*axis], indices.len());
                self.functions.need("gather");
                let call = format!("gather({outer}, {from}, {inner}, {table}, {n}, {{0}}, {{y}});");
                self.step(what, call, reads, y, None);
            }
            Op::Resize { size, step, offset } => {
                let step = self.constants.floats(&format!("{what}.step"), step)?;
                let offset = self.constants.floats(&format!("{what}.offset"), offset)?;
                let (h, w) = (x[1], x[2]);
                let call = format!(
                    "resize({channels}, {h}, {w}, {}, {}, {step}, {offset}, {{0}}, {{y}});",
                    size.h, size.w
                );
                self.functions.need("resize");
                self.step(what, call, reads, y, None);
            }
            Op::Unary { .. }
            | Op::Binary { .. }
            | Op::Select
            | Op::Reduce { .. }
            | Op::MatMul
            | Op::Constant { .. }
            | Op::Embedding { .. }
            | Op::Take { .. }
            | Op::Scatter { .. }
            | Op::TopK { .. }
            | Op::Recurrent { .. } => self.refused.push(format!("{what} ({})", node.op.name())),
            // Views have no step.
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity => {}
        }
        Ok(())
    }

    /// The weights of a layer and its bias, as names in C.
    fn layer(&mut self, node: usize) -> Result<(String, String), MicroError> {
        let parameters = self.parameters_of(node);
        let weight = &self.graph.params()[parameters[0]];
        self.functions.need("weights");
        let of = weights::write(self.constants, &weight.name, weight.len(), &self.parameters[parameters[0]])?;
        let bias = match parameters.get(1) {
            Some(&bias) => {
                self.constants.floats(&self.graph.params()[bias].name, &self.parameters[bias].to_f32())?
            }
            None => "0".into(),
        };
        Ok((of, bias))
    }

    /// All parameters of a node as tables, as the first arguments of a call.
    fn tables(&mut self, node: usize) -> Result<String, MicroError> {
        let mut arguments = String::new();
        for i in self.parameters_of(node) {
            let name = self.constants.floats(&self.graph.params()[i].name, &self.parameters[i].to_f32())?;
            arguments += &format!("{name}, ");
        }
        Ok(arguments)
    }

    fn window(
        &mut self,
        what: &str,
        x: &[usize],
        shape: &[usize],
        kernel: Pair,
        stride: Pair,
        padding: Padding,
    ) -> String {
        let numbers = [
            x,
            &shape[1..],
            &[kernel.h, kernel.w, stride.h, stride.w],
            &[padding.top, padding.left, padding.bottom, padding.right],
        ]
        .concat();
        self.functions.need("pools");
        self.constants.object("window", &format!("{what}.window"), &list(&numbers), 52)
    }

    fn zero(&mut self, what: &str, n: usize, y: Buffer) {
        self.functions.need("zero");
        self.step(what, format!("zero({n}, {{y}});"), vec![], y, None);
    }

    /// A box of elements, copied from one offset of the operand to another of the result.
    #[expect(clippy::too_many_arguments, reason = "both sides of a copy")]
    fn copy(
        &mut self,
        what: &str,
        dims: &[usize],
        x_step: &[usize],
        y_step: &[usize],
        [from, to]: [usize; 2],
        reads: Vec<Buffer>,
        y: Buffer,
    ) {
        let mut table = |part: &str, numbers: &[usize]| {
            self.constants.indices(&format!("{what}.{part}"), numbers.iter().copied())
        };
        let [sizes, x_step, y_step] = [table("sizes", dims), table("from", x_step), table("to", y_step)];
        let rank = dims.len();
        self.functions.need("copy");
        let call = format!("copy({rank}, {sizes}, {x_step}, {y_step}, {{0}} + {from}, {{y}} + {to});");
        self.step(what, call, reads, y, None);
    }

    fn pairwise(&mut self, node: usize, operation: char, reads: Vec<Buffer>, y: Buffer) {
        let graph = self.graph;
        let (what, inputs) = (&graph.nodes()[node].name, &graph.nodes()[node].inputs);
        let shape = graph.shape(graph.value_of(node));
        let repeated = |x: &[usize]| -> Vec<usize> {
            let steps = strides(x);
            (0..x.len()).map(|d| if x[d] == shape[d] { steps[d] } else { 0 }).collect()
        };
        let mut table = |part: &str, numbers: &[usize]| {
            self.constants.indices(&format!("{what}.{part}"), numbers.iter().copied())
        };
        let sizes = table("sizes", shape);
        let [a, b] = [0, 1].map(|i| table(if i == 0 { "a" } else { "b" }, &repeated(graph.shape(inputs[i]))));
        let in_place = (0..2).find(|&i| graph.shape(inputs[i]) == shape && inputs[0] != inputs[1]);
        self.functions.need("pairwise");
        let rank = shape.len();
        let call = format!("pairwise('{operation}', {rank}, {sizes}, {a}, {b}, {{0}}, {{1}}, {{y}});");
        self.step(what, call, reads, y, in_place);
    }
}

/// Whether the value equals its operand, element by element, at the same offsets.
fn is_view(op: &Op) -> bool {
    matches!(op, Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity)
}

/// The stride of each dimension of a row-major value.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect()
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(|n| format!("{n}u")).collect::<Vec<_>>().join(", ")
}
