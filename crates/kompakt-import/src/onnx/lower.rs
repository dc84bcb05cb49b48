//! Lowers the nodes of a file, in order, to operators of the interchange.

mod control;
mod dilated;
mod elementwise;
mod functions;
mod general;
mod layers;
mod norms;
mod padded;
mod pools;
mod quantised;
mod resample;
mod resize;
mod shapes;
mod turned;
mod volumes;

use crate::onnx::{
    builder::{Builder, Value},
    error::{OnnxError, Problem},
    evaluate, fold, import, narrow,
    proto::{GraphProto, NodeProto, TensorProto, ValueInfo},
    tensor::{Initialisers, Tensor},
};
pub(crate) use general::{ALONG_BATCH, MICROSOFT, is_number, is_whole};
pub(crate) use padded::Padded;
use std::{collections::BTreeMap, path::Path, rc::Rc};
use turned::Turned;

/// Elements of constants that may be computed in addition to as many as the file has bytes.
const SPARE_ELEMENTS: usize = 1 << 26;

/// Elements of constants that nodes may read, and numbers that the network may have, in addition to so many for each byte of
/// the file.
const SPARE_READ: usize = 1 << 26;
const READ_PER_BYTE: usize = 16;

/// A value that depends on the input.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) value: Value,
    /// The shape in the file: the batch, then the rest. A value without a rest is a vector of one here.
    pub(crate) dims: Vec<usize>,
}

/// What a name in the file refers to.
#[derive(Debug, Clone)]
pub(crate) enum Slot<'a> {
    /// An initialiser, read when it is needed.
    Stored(&'a TensorProto),
    /// A constant that was computed.
    Const(Rc<Tensor>),
    Act(Act),
    /// A value whose batch is not the first dimension in the file.
    Turned(Turned),
    /// The result of a node that could not be lowered, or of one that depends on it.
    Unknown {
        is_constant: bool,
    },
}

/// See the [module page](self).
pub(crate) struct Lowering<'a> {
    pub(crate) builder: Builder,
    /// Leading dimensions of the file that a value does not have here: 1 if that is the batch, 0 if there is
    /// none.
    pub(crate) lead: usize,
    /// Whether forms that do not depend on sizes are preferred.
    pub(crate) sizes_are_open: bool,
    /// Element types by name, as far as they are known.
    pub(crate) kinds: BTreeMap<&'a str, i32>,
    pub(crate) batch: usize,
    /// Whether the file leaves the batch open; it counts as 1 then.
    pub(crate) batch_is_open: bool,
    /// Number of elements of all parameters in the file.
    pub(crate) n_parameters: u64,
    graph: &'a GraphProto,
    opset: i64,
    folder: Option<&'a Path>,
    initialisers: Option<&'a Initialisers>,
    slots: BTreeMap<&'a str, Slot<'a>>,
    /// Values with a dimension whose length the data decide.
    pub(crate) padded: BTreeMap<&'a str, Padded>,
    /// Elements of constants that may still be computed.
    budget: usize,
    /// Elements of constants that nodes may still read.
    readable: usize,
    /// Nodes inside others that were lowered.
    inner_nodes: usize,
}

/// The node being lowered.
pub(crate) struct Call<'n> {
    node: &'n NodeProto,
    /// One per input; `None` where it is left out.
    inputs: Vec<Option<Operand>>,
}

/// An input of a node.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Act(Act),
    Const(Rc<Tensor>),
}

impl<'n> Call<'n> {
    /// Input `index`, which must depend on the network's input.
    fn act(&self, index: usize) -> Result<&Act, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Act(act))) => Ok(act),
            Some(Some(Operand::Const(_))) => Err(format!("input {index} is constant")),
            _ => Err(format!("input {index} is missing")),
        }
    }

    /// Input `index`, if it is there; it must be constant then.
    fn constant(&self, index: usize) -> Result<Option<&Tensor>, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Const(tensor))) => Ok(Some(tensor)),
            Some(Some(Operand::Act(_))) => {
                Err(format!("input {index} ({:?}) is not constant", self.node.input[index]))
            }
            _ => Ok(None),
        }
    }

    /// Input `index`, which must be constant.
    fn needed(&self, index: usize) -> Result<&Tensor, String> {
        self.constant(index)?.ok_or_else(|| format!("input {index} is missing"))
    }

    /// The same, to be held on to.
    fn shared(&self, index: usize) -> Result<&Rc<Tensor>, String> {
        match self.inputs.get(index) {
            Some(Some(Operand::Const(tensor))) => Ok(tensor),
            _ => Err(format!("input {index} is missing, or not constant")),
        }
    }

    /// All inputs that are constant, the others left out.
    fn constants(&self) -> Vec<Option<&Tensor>> {
        let get = |operand: &'_ Option<Operand>| matches!(operand, Some(Operand::Const(_)));
        (0..self.inputs.len())
            .map(|i| if get(&self.inputs[i]) { self.constant(i).ok().flatten() } else { None })
            .collect()
    }

    /// The name of the layer whose weight is input `index`.
    fn layer_name(&self, index: usize) -> &str {
        match self.node.input.get(index).and_then(|n| n.strip_suffix(".weight")) {
            Some(name) if !name.is_empty() => name,
            _ => &self.node.name,
        }
    }

    fn name(&self) -> Option<&str> {
        Some(&self.node.name)
    }
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        graph: &'a GraphProto,
        opset: i64,
        folder: Option<&'a Path>,
        n_bytes: usize,
    ) -> Result<Self, OnnxError> {
        let mut budget = SPARE_ELEMENTS.saturating_add(n_bytes);
        let readable = SPARE_READ.saturating_add(n_bytes.saturating_mul(READ_PER_BYTE));
        let mut slots = BTreeMap::new();
        let sparse = import::sparse(graph, folder, &mut budget)?;
        for (proto, (_, tensor)) in graph.sparse_initializer.iter().zip(sparse) {
            if let Some(values) = &proto.values {
                slots.insert(values.name.as_str(), Slot::Const(tensor.into()));
            }
        }
        for tensor in &graph.initializer {
            slots.insert(tensor.name.as_str(), Slot::Stored(tensor));
        }
        let kinds = graph.initializer.iter().map(|t| (t.name.as_str(), t.data_type)).collect();
        Ok(Self {
            builder: Builder::new(readable),
            lead: 1,
            sizes_are_open: false,
            kinds,
            batch: 1,
            batch_is_open: true,
            n_parameters: 0,
            graph,
            opset,
            folder,
            initialisers: None,
            slots,
            padded: BTreeMap::new(),
            budget,
            readable,
            inner_nodes: 0,
        })
    }

    /// Takes initialisers from here, where those that are read are kept.
    pub(crate) fn share(&mut self, initialisers: &'a Initialisers) {
        self.initialisers = Some(initialisers);
    }

    /// Makes an input of the file a constant.
    pub(crate) fn fix(&mut self, input: &'a ValueInfo, tensor: Tensor) {
        let tensor_type = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        self.kinds.insert(&input.name, tensor_type.map_or(1, |t| t.elem_type));
        self.set(&input.name, Slot::Const(tensor.into()));
    }

    /// Whether the network may have so many more numbers. To be asked before many are computed.
    pub(super) fn ask(&self, n: usize) -> Result<(), String> {
        self.builder.ask(n)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot<'a>> {
        self.slots.get(name)
    }

    pub(crate) fn set(&mut self, name: &'a str, slot: Slot<'a>) {
        if !name.is_empty() {
            self.slots.insert(name, slot);
        }
    }

    /// Lowers one node; returns its problems. Nodes after it are checked all the same, as far as the shapes of
    /// their operands are known.
    pub(crate) fn node(&mut self, node: &'a NodeProto) -> Vec<Problem> {
        let result = match control::is_control(node) {
            true if self.reads_padded(node) => Err(vec![Problem {
                node: node.title().to_string(),
                operator: node.op_type.clone(),
                problem: "a graph inside it works on a value whose length the data decide".into(),
            }]),
            true => self.control(node),
            false => self.try_node(node).map_err(|problem| {
                let of_node = |problem| Problem {
                    node: node.title().to_string(),
                    operator: node.op_type.clone(),
                    problem,
                };
                problem.map(of_node).into_iter().collect()
            }),
        };
        let made = match &result {
            Ok(outputs) => outputs.clone(),
            Err(_) => node.output.iter().map(|name| self.unknown(node, name)).collect(),
        };
        let rest = || Slot::Unknown { is_constant: false };
        for (i, name) in node.output.iter().enumerate() {
            if !control::is_control(node) {
                let kind = self.kind_of_output(node, i);
                self.kinds.insert(name, kind);
            }
            self.set(name, made.get(i).cloned().unwrap_or_else(rest));
        }
        result.err().unwrap_or_default()
    }

    /// Whether a node reads a value of the file, or the file gives it out.
    fn is_read(&self, value: &str) -> bool {
        let mut found = self.graph.output.iter().any(|output| output.name == value);
        self.graph.node.iter().for_each(|node| node.reads(&mut |name| found |= name == value));
        found && !value.is_empty()
    }

    /// Whether a node, or a graph inside it, reads a value whose length the data decide.
    fn reads_padded(&self, node: &NodeProto) -> bool {
        let mut found = false;
        node.reads(&mut |name| found |= self.padded.contains_key(name));
        found
    }

    /// The entry for output `name` of a node that could not be lowered.
    fn unknown(&mut self, node: &NodeProto, name: &str) -> Slot<'a> {
        let is_constant = |name: &String| match self.slots.get(name.as_str()) {
            Some(Slot::Act(_) | Slot::Turned(_) | Slot::Unknown { is_constant: false }) => false,
            Some(_) | None => true,
        };
        if matches!(node.op_type.as_str(), "Shape" | "Size") || node.input.iter().all(is_constant) {
            return Slot::Unknown { is_constant: true };
        }
        match self.declared(name).or_else(|| self.shape_of_elementwise(node)) {
            Some(dims) if dims.first() == Some(&self.batch) && !dims.contains(&0) => {
                let rest = if dims.len() == 1 { vec![1] } else { dims[1..].to_vec() };
                Slot::Act(Act { value: self.builder.placeholder(rest), dims })
            }
            _ => Slot::Unknown { is_constant: false },
        }
    }

    /// The shape that the file states for a float value.
    fn declared(&self, name: &str) -> Option<Vec<usize>> {
        let info = self.graph.value_info.iter().find(|v| v.name == name)?;
        let tensor = info.r#type.as_ref()?.tensor_type.as_ref().filter(|t| t.elem_type == 1)?;
        let dims = &tensor.shape.as_ref()?.dim;
        let size = |(d, dim): (usize, &crate::onnx::proto::Dimension)| match dim.size() {
            None if d == 0 => Some(self.batch),
            size => size,
        };
        let dims: Vec<usize> = dims.iter().enumerate().map(size).collect::<Option<_>>()?;
        crate::onnx::tensor::is_sane(&dims).then_some(dims)
    }

    /// The output shape of an elementwise operator on known shapes.
    fn shape_of_elementwise(&self, node: &NodeProto) -> Option<Vec<usize>> {
        const ELEMENTWISE: &[&str] = &[
            "And",
            "Atan",
            "Ceil",
            "Cos",
            "CumSum",
            "Equal",
            "Floor",
            "Greater",
            "Less",
            "Log",
            "Mod",
            "Not",
            "Or",
            "Pow",
            "Round",
            "Sign",
            "Sin",
            "Tan",
            "ThresholdedRelu",
            "Where",
            "Xor",
        ];
        if !ELEMENTWISE.contains(&node.op_type.as_str()) {
            return None;
        }
        let mut dims = Vec::new();
        for name in node.input.iter().filter(|n| !n.is_empty()) {
            let other: Vec<usize> = match self.slots.get(name.as_str())? {
                Slot::Act(act) => act.dims.clone(),
                Slot::Const(tensor) => tensor.dims.clone(),
                Slot::Stored(proto) => {
                    proto.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?
                }
                Slot::Turned(_) | Slot::Unknown { .. } => return None,
            };
            dims = crate::onnx::rules::broadcast(&dims, &other).ok()?;
        }
        crate::onnx::tensor::is_sane(&dims).then_some(dims)
    }

    /// The slots of the node's outputs; an error without a text where an earlier node has failed already.
    fn try_node(&mut self, node: &'a NodeProto) -> Result<Vec<Slot<'a>>, Option<String>> {
        let is_known = match node.domain.as_str() {
            "" | "ai.onnx" => is_known(&node.op_type) || general::is_known(&node.op_type),
            MICROSOFT => general::is_known_of_microsoft(&node.op_type),
            other => return Err(Some(format!("operators of domain {other:?} are not supported"))),
        };
        if !is_known {
            return Err(Some("the operator is not supported".into()));
        }
        if node.op_type == "Constant" {
            let tensor = self.constant_node(node)?;
            return Ok(vec![Slot::Const(tensor.into())]);
        }
        let mut inputs = Vec::with_capacity(node.input.len());
        let (mut is_behind, mut is_constant, mut turned) = (false, true, None);
        for name in &node.input {
            inputs.push(match self.slots.get(name.as_str()) {
                _ if name.is_empty() => None,
                None => {
                    return Err(Some(format!(
                        "nothing before it makes its input {name:?}; nodes must be in order, without cycles"
                    )));
                }
                Some(Slot::Unknown { is_constant: constant }) => {
                    is_behind = true;
                    is_constant &= constant;
                    None
                }
                Some(Slot::Act(act)) => {
                    is_constant = false;
                    Some(Operand::Act(act.clone()))
                }
                Some(Slot::Turned(value)) => {
                    is_constant = false;
                    turned = Some(value.clone());
                    Some(Operand::Act(value.act.clone()))
                }
                Some(Slot::Const(tensor)) => Some(Operand::Const(tensor.clone())),
                Some(Slot::Stored(proto)) => {
                    let tensor = match self.initialisers {
                        Some(read) => read.get(proto, self.folder),
                        None => Tensor::read(proto, self.folder).map(Rc::new),
                    };
                    Some(Operand::Const(tensor.map_err(|e| Some(e.to_string()))?))
                }
            });
            if let Some(Some(Operand::Const(tensor))) = inputs.last() {
                let left = self.readable.checked_sub(tensor.len());
                self.readable = left.ok_or_else(|| {
                    Some(
                        "nodes read more constants than the limit for a file of this size allows".to_string(),
                    )
                })?;
            }
        }
        if is_behind {
            let is_computed = is_constant || matches!(node.op_type.as_str(), "Shape" | "Size");
            return Err((!is_computed).then(|| constants_only(&node.op_type)).flatten());
        }
        if turned.is_none()
            && self.lead == 1
            && let ("Transpose", Some(Some(Operand::Act(act)))) = (node.op_type.as_str(), inputs.first())
            && fold::permutation(node, act.dims.len())?.first() != Some(&0)
        {
            turned = Some(Turned { act: act.clone(), at: 0 });
        }
        if let Some(turned) = turned.filter(|_| self.lead == 1) {
            if node.op_type == "Shape" {
                return Ok(vec![Slot::Const(fold::shape_of(node, &turned.file_dims()).into())]);
            }
            let made = self.turned(node, &turned, &inputs)?;
            let slot = |made: Turned| if made.at == 0 { Slot::Act(made.act) } else { Slot::Turned(made) };
            return Ok(made.into_iter().map(slot).collect());
        }
        if let ("Cast" | "CastLike", Some(Some(Operand::Const(_)))) = (node.op_type.as_str(), inputs.first())
            && narrow::Format::of(self.kind_of_output(node, 0)).is_some()
        {
            return Err(Some("a constant is cast to a type of few bits".into()));
        }
        if let ("CastLike", Some(Some(Operand::Const(tensor)))) = (node.op_type.as_str(), inputs.first()) {
            return Ok(vec![Slot::Const(fold::cast(tensor, self.kind_of_output(node, 0)).into())]);
        }
        let call = Call { node, inputs };
        let carried = self.carried(&call)?;
        if carried.is_none()
            && let Some(made) = self.folded(&call)?
        {
            return Ok(made.into_iter().map(|t| Slot::Const(t.into())).collect());
        }
        if is_selection(node) {
            if carried.is_some() {
                return Err(Some("its input has a length that the data decide".into()));
            }
            let (made, padded) = self.selection(&call)?;
            if let Some(name) = node.output.first() {
                self.padded.insert(name, padded);
            }
            return Ok(vec![Slot::Act(made)]);
        }
        let acts = self.lower(&call)?;
        if let Some(padded) = carried {
            node.output.iter().for_each(|name| {
                self.padded.insert(name, padded);
            });
        }
        Ok(acts.into_iter().map(Slot::Act).collect())
    }

    /// The results of a node that does not depend on the network's input.
    fn folded(&mut self, call: &Call<'_>) -> Result<Option<Vec<Tensor>>, String> {
        if let Some(Some(Operand::Act(x))) = call.inputs.first() {
            match call.node.op_type.as_str() {
                "Shape" => return Ok(Some(vec![fold::shape_of(call.node, &x.dims)])),
                "Size" => {
                    let n = x.dims.iter().product::<usize>() as i64;
                    return Ok(Some(vec![Tensor::ints(vec![], vec![n])]));
                }
                "EyeLike" => {
                    let shape = if self.lead == 0 { &x.dims[..] } else { &[] };
                    let &[h, w] = shape else { return Err(format!("a matrix like {:?}", x.dims)) };
                    fold::take(h.checked_mul(w), &mut self.budget)?;
                    let k = call.node.int("k", 0);
                    let one = |i: usize| i64::from((i % w) as i64 - (i / w) as i64 == k);
                    return Ok(Some(vec![Tensor::ints(vec![h, w], (0..h * w).map(one).collect())]));
                }
                _ => {}
            }
        }
        if call.inputs.iter().any(|i| matches!(i, Some(Operand::Act(_)))) {
            return Ok(None);
        }
        let inputs = call.constants();
        let made = match fold::fold(call.node, &inputs, self.opset, &mut self.budget)? {
            Some(made) => made,
            None => {
                let made =
                    evaluate::constants_of(call.node, &inputs, self.opset, self.folder).map_err(|_| {
                        "it works on constants alone, which is not supported for this operator".to_string()
                    })?;
                fold::take(Some(made.iter().map(Tensor::len).sum()), &mut self.budget)?;
                made
            }
        };
        match made.iter().find(|tensor| !crate::onnx::tensor::is_sane(&tensor.dims)) {
            Some(tensor) => Err(format!("a constant of {} dimensions", tensor.dims.len())),
            None => Ok(Some(made)),
        }
    }

    fn constant_node(&self, node: &NodeProto) -> Result<Tensor, String> {
        let Some(attribute) = node.attribute.first() else { return Err("it has no value".into()) };
        let read = |e: OnnxError| e.to_string();
        match attribute.name.as_str() {
            "value" => match &attribute.t {
                Some(tensor) => Tensor::read(tensor, self.folder).map_err(read),
                None => Err("it has no value".into()),
            },
            "sparse_value" => match &attribute.sparse_tensor {
                Some(sparse) => {
                    Ok(Tensor::read_sparse(sparse, self.folder, SPARE_ELEMENTS >> 4).map_err(read)?.1)
                }
                None => Err("it has no value".into()),
            },
            "value_float" => Ok(Tensor::floats(vec![], vec![attribute.f])),
            "value_floats" => Ok(Tensor::floats(vec![attribute.floats.len()], attribute.floats.clone())),
            "value_int" => Ok(Tensor::ints(vec![], vec![attribute.i])),
            "value_ints" => Ok(Tensor::list(attribute.ints.clone())),
            other => Err(format!("a constant of kind {other:?}")),
        }
    }

    /// Lowers a node that depends on the network's input; returns its outputs.
    fn lower(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if call.node.domain == MICROSOFT {
            return self.of_microsoft(call);
        }
        let n_parameters = self.n_parameters;
        if self.lead == 0 {
            let is_image = matches!(call.inputs.first(), Some(Some(Operand::Act(x))) if x.dims.len() > 2 && x.dims[0] == 1);
            if is_image && general::goes_with_a_layer(call) {
                if let Ok(made) = self.one_by_one(call) {
                    return Ok(made);
                }
                self.n_parameters = n_parameters;
            }
            return match self.general(call)? {
                Some(made) => Ok(made),
                None => self.one_by_one(call),
            };
        }
        // Integer division truncates.
        if call.node.op_type == "Div"
            && self.is_whole_number(call)
            && let Some(made) = self.general(call)?
        {
            return Ok(made);
        }
        let problem = match self.lower_with_batch(call) {
            Ok(made) => return Ok(made),
            Err(problem) => problem,
        };
        self.n_parameters = n_parameters;
        match self.general(call) {
            Ok(Some(made)) => Ok(made),
            Ok(None) => {
                self.n_parameters = n_parameters;
                Err(problem)
            }
            Err(other) => {
                self.n_parameters = n_parameters;
                // Where only the general form exists, its problem is the reason.
                let is_general = problem == format!("{} of a value", call.node.op_type);
                Err(if is_general { other } else { problem })
            }
        }
    }

    /// Lowers a node whose values have a leading batch.
    fn lower_with_batch(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let one = match call.node.op_type.as_str() {
            "Conv" => self.convolution(call)?,
            "ConvTranspose" => self.transposed_convolution(call)?,
            "ConvInteger" | "QLinearConv" => self.quantised_convolution(call)?,
            "LpPool" => self.norm_pool(call)?,
            "Gemm" => self.gemm(call)?,
            "MatMul" => self.matmul(call)?,
            "MaxPool" => self.pool(call, true)?,
            "AveragePool" => self.pool(call, false)?,
            "GlobalAveragePool" => self.global_pool(call, false)?,
            "GlobalMaxPool" => self.global_pool(call, true)?,
            op if op.starts_with("Reduce") => self.reduce(call)?,
            "Abs" | "Celu" | "Elu" | "Erf" | "Exp" | "Gelu" | "Mish" | "Reciprocal" | "Selu" | "Softplus"
            | "Softsign" | "Sqrt" | "Swish" => self.function(call)?,
            "LayerNormalization" | "RMSNormalization" => self.layer_norm(call)?,
            "InstanceNormalization" => self.instance_norm(call)?,
            "GroupNormalization" => self.group_norm(call)?,
            "BatchNormalization" => self.batch_norm(call)?,
            "LRN" => self.response_norm(call)?,
            "Softmax" | "LogSoftmax" => self.softmax(call)?,
            "Relu" | "Sigmoid" | "Tanh" | "LeakyRelu" | "HardSigmoid" | "HardSwish" | "Clip" | "Neg"
            | "PRelu" => self.activation(call)?,
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Mean" | "Max" | "Min" | "Pow" => {
                self.arithmetic(call)?
            }
            "Identity" | "Cast" | "Dropout" => self.identity(call)?,
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape_node(call)?,
            "Transpose" => self.transpose_node(call)?,
            "Concat" => self.concat(call)?,
            "Split" => return self.split(call),
            "Slice" => self.slice(call)?,
            "Gather" => self.gather(call)?,
            "Expand" | "Tile" => self.repeat(call)?,
            "Pad" => self.pad(call)?,
            "DepthToSpace" | "SpaceToDepth" => self.depth_and_space(call)?,
            "Resize" | "Upsample" => self.resize(call)?,
            other => {
                return Err(constants_only(other).unwrap_or_else(|| format!("{other} of a value")));
            }
        };
        Ok(vec![one])
    }

    /// The dimensions of a value of this project with the batch before them.
    fn with_batch(&self, value: Value) -> Act {
        let mut dims = vec![self.batch];
        dims.extend_from_slice(self.builder.shape(value));
        Act { value, dims }
    }

    /// The same elements under another shape; the first dimension stays the batch.
    fn reshaped(&mut self, x: &Act, dims: Vec<usize>) -> Result<Act, String> {
        if dims.first() != Some(&self.batch) {
            return Err(format!("from {:?} to {dims:?} images of a batch are mixed", x.dims));
        }
        let rest = dims[1..].to_vec();
        if rest.iter().product::<usize>() != x.dims[1..].iter().product::<usize>() {
            return Err(format!("from {:?} to {dims:?} images of a batch are mixed", x.dims));
        }
        let value = self.builder.reshape(x.value, if rest.is_empty() { vec![1] } else { rest })?;
        Ok(Act { value, dims })
    }
}

/// Whether the data decide how many results a node has.
fn is_selection(node: &NodeProto) -> bool {
    node.domain != MICROSOFT && matches!(node.op_type.as_str(), "NonZero" | "NonMaxSuppression")
}

/// The error for an operator on a value, if it is supported on constants only.
fn constants_only(op: &str) -> Option<String> {
    match op {
        "ConstantOfShape" | "Range" => Some("it is supported on constants only".to_string()),
        "Unique" => Some("how many results it has depends on the input; shapes must be known".to_string()),
        _ => None,
    }
}

/// Whether an operator is supported, on constants at least.
fn is_known(op: &str) -> bool {
    const KNOWN: &[&str] = &[
        "Abs",
        "Add",
        "And",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DepthToSpace",
        "DequantizeLinear",
        "Div",
        "Dropout",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Expand",
        "EyeLike",
        "Flatten",
        "Floor",
        "Gather",
        "Gelu",
        "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Greater",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "LRN",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "Log",
        "LogSoftmax",
        "LpPool",
        "MatMul",
        "Max",
        "MaxPool",
        "Mean",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
        "NonMaxSuppression",
        "NonZero",
        "Not",
        "Or",
        "PRelu",
        "Pad",
        "Pow",
        "QLinearConv",
        "RMSNormalization",
        "Range",
        "Reciprocal",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "ReduceSumSquare",
        "Relu",
        "Reshape",
        "Resize",
        "Selu",
        "Shape",
        "Sigmoid",
        "Size",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Swish",
        "Tanh",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Upsample",
        "Where",
    ];
    KNOWN.contains(&op)
}
