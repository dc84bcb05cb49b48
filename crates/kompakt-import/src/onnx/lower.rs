//! Lowers the nodes of a file, in order, to operators of the interchange.

mod constants;
mod control;
mod dilated;
mod dispatch;
mod elementwise;
mod functions;
mod general;
mod layers;
mod norms;
mod operands;
mod padded;
mod pools;
mod quantised;
mod resample;
mod resize;
mod shapes;
mod turned;
mod unknown;
mod volumes;

use crate::onnx::{
    builder::{Builder, Value},
    error::{OnnxError, Problem},
    fold, import, narrow,
    proto::{GraphProto, NodeProto, TensorProto, ValueInfo},
    tensor::{Initialisers, Tensor},
};
use dispatch::{is_known, is_selection};
pub(crate) use general::{ALONG_BATCH, MICROSOFT, is_number, is_whole};
pub(crate) use operands::{Call, Operand};
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

    /// The slots of the node's outputs; an error without a text where an earlier node has failed already.
    fn try_node(&mut self, node: &'a NodeProto) -> Result<Vec<Slot<'a>>, Option<String>> {
        if !is_known(node)? {
            return Err(Some("the operator is not supported".into()));
        }
        if node.op_type == "Constant" {
            let tensor = self.constant_node(node)?;
            return Ok(vec![Slot::Const(tensor.into())]);
        }
        let (inputs, mut turned) = self.operands(node)?;
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
