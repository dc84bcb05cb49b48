//! The graph itself: nodes in execution order, validated as a unit.

use crate::{error::GraphError, infer, limits::MAX_NODES, names::default_names, op::Op};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// The index of a value: the graph's inputs first, then one value per node, in order.
pub type ValueId = usize;

/// An input of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its shape, batch left out.
    pub shape: Vec<usize>,
}

/// One operator applied to earlier values.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph; also the prefix of its parameters' names.
    pub name: String,
    /// The operator and its attributes.
    pub op: Op,
    /// Its operands; each is below the node's own value.
    pub inputs: Vec<ValueId>,
}

/// The role of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamRole {
    /// A weight of a linear or convolution layer: what pruning and weight sharing work on. Output units first.
    Weight,
    /// Anything with one value per channel: biases, batch-norm vectors.
    PerChannel,
}

/// A parameter that a node needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// `NODE.weight`, `NODE.bias`, …
    pub name: String,
    /// Which node needs it (index into [`Graph::nodes`]).
    pub node: usize,
    /// Its shape, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Its role.
    pub role: ParamRole,
}

impl Param {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Whether it holds none (never, in a checked graph).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A checked network. See the [crate] page for its guarantees.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    inputs: Vec<Input>,
    nodes: Vec<Node>,
    outputs: Vec<ValueId>,
    /// Shape of every value, inputs first; same length as `inputs` and `nodes` together.
    shapes: Vec<Vec<usize>>,
    /// All parameters, in node order.
    params: Vec<Param>,
}

impl Graph {
    /// Checks the parts and infers all shapes.
    ///
    /// Errors: invalid names, values used before they are made, operators on shapes they do not support,
    /// bounds exceeded. The first problem in node order is reported.
    pub fn new(inputs: Vec<Input>, nodes: Vec<Node>, outputs: Vec<ValueId>) -> Result<Self, GraphError> {
        if inputs.is_empty() || nodes.is_empty() || outputs.is_empty() {
            return Err(GraphError::Structure(
                "needs at least one input, one node and one output".to_string(),
            ));
        }
        if nodes.len() > MAX_NODES {
            return Err(GraphError::Limit {
                what: "number of nodes".to_string(),
                found: nodes.len() as u64,
                limit: MAX_NODES as u64,
            });
        }
        check_names(inputs.iter().map(|i| &i.name).chain(nodes.iter().map(|n| &n.name)))?;
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(inputs.len() + nodes.len());
        for input in &inputs {
            infer::check_limits(&format!("input {:?}", input.name), &input.shape)?;
            shapes.push(input.shape.clone());
        }
        let mut params = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let mut operands: Vec<&[usize]> = Vec::with_capacity(node.inputs.len());
            for &value in &node.inputs {
                let shape =
                    shapes.get(value).ok_or_else(|| GraphError::Order { node: node.name.clone(), value })?;
                operands.push(shape);
            }
            let shape = infer::output_shape(node, &operands)?;
            params.extend(infer::params(index, node, &operands)?);
            shapes.push(shape);
        }
        if let Some(&value) = outputs.iter().find(|&&v| v >= shapes.len()) {
            return Err(GraphError::Structure(format!(
                "names value {value} as an output, which is not there"
            )));
        }
        Ok(Self { inputs, nodes, outputs, shapes, params })
    }

    /// A chain: one input, each operator working on the one before, default names, the last value as output.
    pub fn chain(input: &[usize], ops: Vec<Op>) -> Result<Self, GraphError> {
        let names = default_names(&ops);
        let nodes = names
            .into_iter()
            .zip(ops)
            .enumerate()
            .map(|(i, (name, op))| Node { name, op, inputs: vec![i] })
            .collect::<Vec<_>>();
        let last = nodes.len();
        Self::new(vec![Input { name: "input".to_string(), shape: input.to_vec() }], nodes, vec![last])
    }

    /// The inputs, values `0..inputs().len()`.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }
    /// The nodes in execution order; node `i` makes value `inputs().len() + i`.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// The outputs of the graph.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }
    /// The value that node `node` makes.
    pub fn value_of(&self, node: usize) -> ValueId {
        self.inputs.len() + node
    }
    /// The node that makes `value`, or `None` for an input.
    pub fn producer(&self, value: ValueId) -> Option<usize> {
        value.checked_sub(self.inputs.len())
    }
    /// The shape of a value, batch left out.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.shapes[value]
    }
    /// The name of a value: its input's or its node's.
    pub fn value_name(&self, value: ValueId) -> &str {
        match self.producer(value) {
            None => &self.inputs[value].name,
            Some(node) => &self.nodes[node].name,
        }
    }
    /// The nodes that read `value`, in order.
    pub fn consumers(&self, value: ValueId) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().enumerate().filter(move |(_, n)| n.inputs.contains(&value)).map(|(i, _)| i)
    }
    /// All parameters, in node order: a node's weight, then its bias, then any others.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }
    /// Number of elements of all parameters together. Batch-norm statistics count.
    pub fn n_parameters(&self) -> usize {
        self.params.iter().map(Param::len).sum()
    }
    /// The graph's parts, to be modified and checked again with [`Graph::new`].
    pub fn into_parts(self) -> (Vec<Input>, Vec<Node>, Vec<ValueId>) {
        (self.inputs, self.nodes, self.outputs)
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), GraphError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let problem = if name.is_empty() {
            "must not be empty"
        } else if name.len() > 255 {
            "is longer than 255 bytes"
        } else if name.chars().any(char::is_control) {
            "holds a control character"
        } else if !seen.insert(name.as_str()) {
            "is used twice"
        } else {
            continue;
        };
        return Err(GraphError::Name { name: name.clone(), problem });
    }
    Ok(())
}
