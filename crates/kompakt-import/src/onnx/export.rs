//! Exports a model as dense ONNX, with all weights as floats.

mod general;
mod recurrent;

use crate::onnx::{
    error::{OnnxError, Problem},
    import::{LABELS, PREPROCESSING},
    proto::{
        AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetId, StringEntry,
        TensorProto, TensorShape, TensorType, TypeProto, ValueInfo, attribute_type, data_type,
    },
};
use kompakt_graph::{Graph, Node, Op, Padding, Pair};
use kompakt_model::Model;
use prost::Message;

/// The operator set that is written, and the matching version of the file format.
const OPSET: i64 = 19;
const IR_VERSION: i64 = 9;
/// The boolean type.
const BOOL: i64 = 9;
/// Beyond this size no other program opens the file.
const MAX_BYTES: usize = 2_000_000_000;

/// Writes a model as an ONNX file of operator set 19, in bytes.
///
/// Shapes are `[n, ...]`, `n` any number of images. Preprocessing is not part of the network: it is stored as
/// JSON in the file's metadata, as are names of classes; import reads both back.
/// Errors: an operator that ONNX cannot express; a model beyond 2 GB.
pub fn export(model: &Model) -> Result<Vec<u8>, OnnxError> {
    let graph = &model.graph;
    let mut writer = Writer { model, nodes: Vec::new(), initial: Vec::new(), n_made: 0 };
    let mut problems = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        if let Err(problem) = writer.node(index, node) {
            let (node, operator) = (node.name.clone(), node.op.name().to_string());
            problems.push(Problem { node, operator, problem });
        }
    }
    if !problems.is_empty() {
        return Err(OnnxError::Unsupported(problems));
    }
    let mut metadata = Vec::new();
    if let Some(preprocessing) = &model.preprocessing {
        metadata.push(StringEntry { key: PREPROCESSING.into(), value: preprocessing.to_string() });
    }
    if !model.labels.is_empty() {
        metadata.push(StringEntry { key: LABELS.into(), value: model.labels.join("\n") });
    }
    let port =
        |value: usize, name: String| ValueInfo { name, r#type: Some(float_tensor(graph.shape(value))) };
    let inputs = (0..graph.inputs().len()).map(|v| port(v, graph.value_name(v).to_string())).collect();
    // An output that is named twice, or is an input, gets a node of its own.
    let mut outputs: Vec<ValueInfo> = Vec::new();
    for (i, &value) in graph.outputs().iter().enumerate() {
        let mut name = graph.value_name(value).to_string();
        if graph.producer(value).is_none() || outputs.iter().any(|o| o.name == name) {
            let copy = format!("{name}:output{i}");
            writer.push("Identity", copy.clone(), vec![name], copy.clone(), vec![]);
            name = copy;
        }
        outputs.push(port(value, name));
    }
    let proto = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "kompakt".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(GraphProto {
            node: writer.nodes,
            name: "network".into(),
            initializer: writer.initial,
            input: inputs,
            output: outputs,
            value_info: Vec::new(),
            sparse_initializer: Vec::new(),
        }),
        opset_import: vec![OperatorSetId { domain: String::new(), version: OPSET }],
        metadata_props: metadata,
    };
    if proto.encoded_len() > MAX_BYTES {
        return Err(OnnxError::NotOnnx("the file would be larger than 2 GB, which no reader opens".into()));
    }
    Ok(proto.encode_to_vec())
}

fn float_tensor(shape: &[usize]) -> TypeProto {
    let batch = Dimension { dim_value: None, dim_param: "n".into() };
    let rest = shape.iter().map(|&d| Dimension { dim_value: Some(d as i64), dim_param: String::new() });
    let dim = std::iter::once(batch).chain(rest).collect();
    TypeProto {
        tensor_type: Some(TensorType { elem_type: data_type::FLOAT, shape: Some(TensorShape { dim }) }),
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: attribute_type::INT, ..Default::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.into(), ints, r#type: attribute_type::INTS, ..Default::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f, r#type: attribute_type::FLOAT, ..Default::default() }
}

fn text(name: &str, s: &str) -> AttributeProto {
    let s = s.as_bytes().to_vec().into();
    AttributeProto { name: name.into(), s, r#type: attribute_type::STRING, ..Default::default() }
}

fn pair(name: &str, pair: Pair) -> AttributeProto {
    ints(name, vec![pair.h as i64, pair.w as i64])
}

fn pads(p: &Padding) -> AttributeProto {
    ints("pads", [p.top, p.left, p.bottom, p.right].map(|v| v as i64).to_vec())
}

fn sizes(v: &[usize]) -> Vec<i64> {
    v.iter().map(|&v| v as i64).collect()
}

struct Writer<'m> {
    model: &'m Model,
    nodes: Vec<NodeProto>,
    initial: Vec<TensorProto>,
    /// Number of names made by `fresh`.
    n_made: usize,
}

impl Writer<'_> {
    fn graph(&self) -> &Graph {
        &self.model.graph
    }

    fn push(
        &mut self,
        op: &str,
        name: String,
        input: Vec<String>,
        output: String,
        attribute: Vec<AttributeProto>,
    ) {
        let (op_type, output) = (op.to_string(), vec![output]);
        self.nodes.push(NodeProto { input, output, name, op_type, attribute, domain: String::new() });
    }

    /// A name for an intermediate value, which no node has.
    fn fresh(&mut self, node: &Node) -> String {
        self.n_made += 1;
        format!("{}:{}", node.name, self.n_made)
    }

    /// An intermediate node; returns the name of its result.
    fn between(
        &mut self,
        node: &Node,
        op: &str,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let name = self.fresh(node);
        self.push(op, name.clone(), input, name.clone(), attribute);
        name
    }

    fn floats(&mut self, node: &Node, dims: &[usize], values: &[f32]) -> String {
        let name = self.fresh(node);
        self.float_tensor(name.clone(), dims, values);
        name
    }

    fn float_tensor(&mut self, name: String, dims: &[usize], values: &[f32]) {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initial.push(TensorProto {
            dims: sizes(dims),
            data_type: data_type::FLOAT,
            name,
            raw_data: Some(raw.into()),
            ..Default::default()
        });
    }

    fn int_list(&mut self, node: &Node, values: Vec<i64>) -> String {
        let name = self.fresh(node);
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initial.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: data_type::INT64,
            name: name.clone(),
            raw_data: Some(raw.into()),
            ..Default::default()
        });
        name
    }

    /// A parameter of a node under its own name, shaped `[c, 1, 1, …]` if it goes with channels of `rank` dimensions.
    fn parameter(&mut self, node: &Node, suffix: &str, rank: Option<usize>) -> Result<String, String> {
        let name = format!("{}.{suffix}", node.name);
        let parameter = self.model.parameters.get(&name).ok_or("a parameter is missing")?;
        let mut dims = parameter.shape().to_vec();
        dims.extend(vec![1; rank.unwrap_or(1).saturating_sub(1)]);
        self.float_tensor(name.clone(), &dims, &parameter.to_f32());
        Ok(name)
    }

    fn node(&mut self, index: usize, node: &Node) -> Result<(), String> {
        let graph = self.graph();
        let inputs: Vec<String> = node.inputs.iter().map(|&v| graph.value_name(v).to_string()).collect();
        let from = graph.shape(node.inputs[0]).to_vec();
        let to = graph.shape(graph.value_of(index)).to_vec();
        let rank = Some(from.len());
        let mut input = inputs.clone();
        let simple = |op: &'static str, attributes: Vec<AttributeProto>| Ok::<_, String>((op, attributes));
        let (op, attributes) = match &node.op {
            Op::Linear { bias, .. } => {
                input.push(self.parameter(node, "weight", None)?);
                if *bias {
                    input.push(self.parameter(node, "bias", None)?);
                }
                simple("Gemm", vec![int("transB", 1)])
            }
            Op::Conv2d { kernel, stride, padding, dilation, groups, bias, .. } => {
                input.push(self.parameter(node, "weight", None)?);
                if *bias {
                    input.push(self.parameter(node, "bias", None)?);
                }
                let attributes = vec![
                    pair("kernel_shape", *kernel),
                    pair("strides", *stride),
                    pads(padding),
                    pair("dilations", *dilation),
                    int("group", *groups as i64),
                ];
                simple("Conv", attributes)
            }
            Op::BatchNorm { eps } => {
                for suffix in ["weight", "bias", "running_mean", "running_var"] {
                    input.push(self.parameter(node, suffix, None)?);
                }
                simple("BatchNormalization", vec![float("epsilon", *eps)])
            }
            Op::ScaleBias => {
                input.push(self.parameter(node, "weight", rank)?);
                let scaled = self.between(node, "Mul", input, vec![]);
                input = vec![scaled, self.parameter(node, "bias", rank)?];
                simple("Add", vec![])
            }
            Op::Scale { factor, offset } => {
                input.push(self.floats(node, &[], &[*factor]));
                let scaled = self.between(node, "Mul", input, vec![]);
                input = vec![scaled, self.floats(node, &[], &[*offset])];
                simple("Add", vec![])
            }
            Op::MaxPool { kernel, stride, padding, ceil_mode } => {
                let ceil = int("ceil_mode", i64::from(*ceil_mode));
                simple(
                    "MaxPool",
                    vec![pair("kernel_shape", *kernel), pair("strides", *stride), pads(padding), ceil],
                )
            }
            Op::AvgPool { kernel, stride, padding, ceil_mode, count_include_pad } => {
                let attributes = vec![
                    pair("kernel_shape", *kernel),
                    pair("strides", *stride),
                    pads(padding),
                    int("ceil_mode", i64::from(*ceil_mode)),
                    int("count_include_pad", i64::from(*count_include_pad)),
                ];
                simple("AveragePool", attributes)
            }
            Op::GlobalAvgPool => simple("GlobalAveragePool", vec![]),
            Op::Relu => simple("Relu", vec![]),
            Op::Sigmoid => simple("Sigmoid", vec![]),
            Op::Tanh => simple("Tanh", vec![]),
            Op::HardSwish => simple("HardSwish", vec![]),
            Op::Silu => {
                input.push(self.between(node, "Sigmoid", inputs, vec![]));
                simple("Mul", vec![])
            }
            Op::LeakyRelu { slope } => simple("LeakyRelu", vec![float("alpha", *slope)]),
            Op::HardSigmoid { slope, offset } => {
                simple("HardSigmoid", vec![float("alpha", *slope), float("beta", *offset)])
            }
            Op::Prelu => {
                input.push(self.parameter(node, "weight", rank)?);
                simple("PRelu", vec![])
            }
            Op::Clip { low, high } => {
                input.push(self.floats(node, &[], &[*low]));
                input.push(self.floats(node, &[], &[*high]));
                simple("Clip", vec![])
            }
            Op::Softmax => simple("Softmax", vec![int("axis", 1)]),
            Op::LogSoftmax => simple("LogSoftmax", vec![int("axis", 1)]),
            Op::Add => simple("Add", vec![]),
            Op::Mul => simple("Mul", vec![]),
            Op::Sub => simple("Sub", vec![]),
            Op::Div => simple("Div", vec![]),
            Op::Concat => simple("Concat", vec![int("axis", 1)]),
            Op::Flatten => simple("Flatten", vec![int("axis", 1)]),
            Op::Dropout { .. } | Op::Identity => simple("Identity", vec![]),
            Op::Reshape { shape } => {
                // 0 copies the batch dimension.
                let target = std::iter::once(0).chain(sizes(shape)).collect();
                input.push(self.int_list(node, target));
                simple("Reshape", vec![])
            }
            Op::Slice { start, end, step } => {
                for list in [sizes(start), sizes(end), (1..=start.len() as i64).collect(), sizes(step)] {
                    input.push(self.int_list(node, list));
                }
                simple("Slice", vec![])
            }
            Op::Pad { before, after } => {
                let list = [&[0], &sizes(before)[..], &[0], &sizes(after)[..]].concat();
                input.push(self.int_list(node, list));
                simple("Pad", vec![])
            }
            Op::Transpose { axes } => {
                let order = std::iter::once(0).chain(axes.iter().map(|&a| a as i64 + 1)).collect();
                simple("Transpose", vec![ints("perm", order)])
            }
            Op::Gather { axis, indices } => {
                input.push(self.int_list(node, sizes(indices)));
                simple("Gather", vec![int("axis", *axis as i64 + 1)])
            }
            Op::LocalResponseNorm { size, alpha, beta, bias } => simple(
                "LRN",
                vec![
                    int("size", *size as i64),
                    float("alpha", *alpha),
                    float("beta", *beta),
                    float("bias", *bias),
                ],
            ),
            Op::Spread { step } => {
                // A transposed convolution of each channel with a single 1.
                input.push(self.floats(node, &[from[0], 1, 1, 1], &vec![1.0; from[0]]));
                simple("ConvTranspose", vec![pair("strides", *step), int("group", from[0] as i64)])
            }
            Op::Unary { function } => return self.unary(node, input, *function),
            Op::Binary { function } => return self.binary(node, input, *function),
            Op::Select => {
                input[0] = self.between(node, "Cast", vec![inputs[0].clone()], vec![int("to", BOOL)]);
                simple("Where", vec![])
            }
            Op::Reduce { function, axes } => return self.reduce(node, input, *function, axes, &from),
            Op::MatMul => simple("MatMul", vec![]),
            Op::Constant { shape } => {
                // Repeated for each image.
                let value = self.parameter(node, "value", None)?;
                let dims = self.between(node, "Shape", inputs.clone(), vec![int("end", 1)]);
                let rest = self.int_list(node, sizes(shape));
                let dims = self.between(node, "Concat", vec![dims, rest], vec![int("axis", 0)]);
                input = vec![value, dims];
                simple("Expand", vec![])
            }
            Op::Embedding { .. } => {
                let table = self.parameter(node, "weight", None)?;
                input = vec![table, self.whole(node, &inputs[0])];
                simple("Gather", vec![])
            }
            Op::Take { axis } => return self.take(node, &inputs, *axis, &from, &to),
            Op::Scatter { update } => return self.scatter(node, &inputs, *update, &from),
            Op::TopK { axis, k, largest, indices } => {
                input.push(self.int_list(node, vec![*k as i64]));
                let attributes = vec![int("axis", *axis as i64 + 1), int("largest", i64::from(*largest))];
                return self.top_k(node, input, attributes, *indices);
            }
            Op::Recurrent { cell, hidden, reverse } => {
                return self.recurrent((index, node), &inputs, *cell, *hidden, *reverse, &from);
            }
            Op::Resize { step, offset, .. } => {
                return self.resize(node, &inputs[0], &from, &to, *step, *offset);
            }
        }?;
        self.push(op, node.name.clone(), input, node.name.clone(), attributes);
        Ok(())
    }

    /// A resize if its coordinates are among those that ONNX defines, else weighted sums of neighbours.
    fn resize(
        &mut self,
        node: &Node,
        x: &str,
        from: &[usize],
        to: &[usize],
        step: [f32; 2],
        offset: [f32; 2],
    ) -> Result<(), String> {
        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-6 * b.abs().max(1.0);
        let every =
            |f: &dyn Fn(usize, f64, f64) -> bool| (0..2).all(|d| f(d, from[d + 1] as f64, to[d + 1] as f64));
        let mode = if every(&|d, n, m| near(step[d], n / m) && near(offset[d], 0.5 * n / m - 0.5)) {
            Some("half_pixel")
        } else if every(&|d, n, m| m > 1.0 && near(step[d], (n - 1.0) / (m - 1.0)) && offset[d] == 0.0) {
            Some("align_corners")
        } else if every(&|d, n, m| near(step[d], n / m) && offset[d] == 0.0) {
            Some("asymmetric")
        } else {
            None
        };
        if let Some(mode) = mode {
            // Only a scale of 1 keeps the open batch size, so scales are used.
            let scales: Vec<f32> = (0..2).map(|d| to[d + 1] as f32 / from[d + 1] as f32).collect();
            let fits = (0..2).all(|d| (from[d + 1] as f32 * scales[d]).floor() as usize == to[d + 1]);
            if fits {
                let scales = self.floats(node, &[4], &[1.0, 1.0, scales[0], scales[1]]);
                let input = vec![x.to_string(), String::new(), scales];
                let attributes = vec![text("mode", "linear"), text("coordinate_transformation_mode", mode)];
                self.push("Resize", node.name.clone(), input, node.name.clone(), attributes);
                return Ok(());
            }
        }
        let mut x = x.to_string();
        for d in 0..2 {
            let last = (from[d + 1] - 1) as f64;
            let place = |i: usize| (i as f64 * f64::from(step[d]) + f64::from(offset[d])).clamp(0.0, last);
            let places: Vec<f64> = (0..to[d + 1]).map(place).collect();
            let low = self.int_list(node, places.iter().map(|p| p.floor() as i64).collect());
            let high =
                self.int_list(node, places.iter().map(|p| (p.floor() + 1.0).min(last) as i64).collect());
            let share: Vec<f32> = places.iter().map(|p| (p - p.floor()) as f32).collect();
            let dims = if d == 0 { vec![share.len(), 1] } else { vec![share.len()] };
            let share = self.floats(node, &dims, &share);
            let axis = || vec![int("axis", d as i64 + 2)];
            let low = self.between(node, "Gather", vec![x.clone(), low], axis());
            let high = self.between(node, "Gather", vec![x, high], axis());
            let difference = self.between(node, "Sub", vec![high, low.clone()], vec![]);
            let part = self.between(node, "Mul", vec![difference, share], vec![]);
            if d == 1 {
                self.push("Add", node.name.clone(), vec![low, part], node.name.clone(), vec![]);
                return Ok(());
            }
            x = self.between(node, "Add", vec![low, part], vec![]);
        }
        Ok(())
    }
}
