//! The graph itself: nodes in execution order, validated as a unit.

use crate::{
    error::GraphError,
    infer,
    limits::{MAX_NAME_BYTES, MAX_NODES},
    names::default_names,
    op::Op,
    sizes::{Place, Size, Sizes},
};
use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use kompakt_words::words;

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
    /// Its open sizes; at those that are stored it is as it is.
    sizes: Option<Sizes>,
}

impl Graph {
    /// Checks the parts and infers all shapes.
    ///
    /// Errors: invalid names, values used before they are made, operators on shapes they do not support,
    /// bounds exceeded. The first problem in node order is reported.
    pub fn new(inputs: Vec<Input>, nodes: Vec<Node>, outputs: Vec<ValueId>) -> Result<Self, GraphError> {
        Self::build(inputs, nodes, outputs, |_, _| Ok(None))
    }

    /// As [`Graph::new`]; `resolve` may give a node another operator, by the shapes of the values before it.
    fn build(
        inputs: Vec<Input>,
        mut nodes: Vec<Node>,
        outputs: Vec<ValueId>,
        resolve: impl Fn(&Node, &[Vec<usize>]) -> Result<Option<Op>, GraphError>,
    ) -> Result<Self, GraphError> {
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
            infer::check_limits(&words!("input {:?}", input.name), &input.shape)?;
            shapes.push(input.shape.clone());
        }
        let mut params = Vec::new();
        for (index, node) in nodes.iter_mut().enumerate() {
            if let Some(op) = resolve(node, &shapes)? {
                node.op = op;
            }
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
            return Err(GraphError::Structure(words!(
                "names value {value} as an output, which is not there"
            )));
        }
        Ok(Self { inputs, nodes, outputs, shapes, params, sizes: None })
    }

    /// The graph with open sizes, or with none.
    ///
    /// Errors: sizes that are not sound, or that at their stored values make another graph.
    pub fn with_sizes(mut self, sizes: Option<Sizes>) -> Result<Self, GraphError> {
        let Some(sizes) = sizes else { return Ok(Self { sizes: None, ..self }) };
        sizes.check(self.inputs.len(), self.shapes.len())?;
        self.sizes = None;
        let stored = sizes.stored();
        let again = self.resolved(&sizes, &stored)?;
        if again != self {
            let is_other = |(a, b): (&Node, &Node)| a != b;
            let node = self.nodes.iter().zip(&again.nodes).position(is_other);
            let what = node.map_or("an input".into(), |node| words!("node {:?}", self.nodes[node].name));
            return Err(GraphError::Structure(words!(
                "has open sizes that do not give {what} as it is stored"
            )));
        }
        self.sizes = Some(sizes);
        Ok(self)
    }

    /// Its open sizes, if any.
    pub fn sizes(&self) -> Option<&Sizes> {
        self.sizes.as_ref()
    }

    /// The graph at these sizes of its symbols, by name; symbols that are not named keep their stored size. The result has no
    /// open sizes; its parameters have the shapes that they have here.
    ///
    /// Errors: an unknown name, a size outside of its symbol's range (checked before anything else), a node that cannot work at
    /// these sizes.
    pub fn at(&self, given: &[(String, usize)]) -> Result<Self, GraphError> {
        match (&self.sizes, given) {
            (Some(sizes), _) => self.at_sizes(&sizes.named(given)?),
            (None, []) => Ok(self.clone()),
            (None, [(name, _), ..]) => Err(GraphError::Size {
                name: name.clone(),
                problem: "is given, but all sizes of the network are fixed".to_string(),
            }),
        }
    }

    /// As [`Graph::at`], with one size for each symbol.
    pub fn at_sizes(&self, given: &[usize]) -> Result<Self, GraphError> {
        let Some(sizes) = &self.sizes else { return Ok(self.clone()) };
        for (symbol, size) in sizes.symbols.iter().zip(given) {
            symbol.check(*size)?;
        }
        self.resolved(sizes, given)
    }

    fn resolved(&self, sizes: &Sizes, given: &[usize]) -> Result<Self, GraphError> {
        let mut inputs = self.inputs.clone();
        let n_inputs = inputs.len();
        let (of_inputs, of_nodes) =
            sizes.places.split_at(sizes.places.partition_point(|p| p.value < n_inputs));
        for place in of_inputs {
            let Input { name, shape } = &mut inputs[place.value];
            match (shape.get_mut(place.number), sizes.evaluate(&place.size, given, &[])) {
                (Some(dim), Some(n)) => *dim = n,
                _ => {
                    let problem = words!("has no dimension {} of sizes {given:?}", place.number);
                    return Err(GraphError::Structure(words!("has an input {name:?} that {problem}")));
                }
            }
        }
        let resolve = |node: &Node, shapes: &[Vec<usize>]| -> Result<Option<Op>, GraphError> {
            let value = shapes.len();
            let first = of_nodes.partition_point(|place| place.value < value);
            let own = of_nodes[first..].iter().take_while(|place| place.value == value);
            let mut numbers = node.op.numbers();
            let (mut rest, mut last) = (None, None);
            for place in own {
                let n = match place.size {
                    Size::Rest => {
                        rest = Some(place.number);
                        Some(1)
                    }
                    Size::Sum { .. } => sizes.evaluate(&place.size, given, shapes),
                };
                let slot = numbers.get_mut(place.number);
                match (slot, n) {
                    (Some(slot), Some(n)) => *slot = n,
                    _ => return Err(number(node, place, "cannot be computed", given)),
                }
                last = Some(place);
            }
            let Some(last) = last else { return Ok(None) };
            if let Some(rest) = rest {
                numbers[rest] = left(node, &numbers, shapes)
                    .ok_or_else(|| number(node, last, "is no whole number of elements", given))?;
            }
            let op = node.op.with_numbers(&numbers);
            op.map(Some).ok_or_else(|| number(node, last, "is not possible", given))
        };
        let graph = Self::build(inputs, self.nodes.clone(), self.outputs.clone(), resolve)?;
        match graph.params == self.params {
            true => Ok(graph),
            false => {
                Err(GraphError::Structure("has a parameter whose shape depends on open sizes".to_string()))
            }
        }
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
    /// The graph's parts, to be modified and checked again with [`Graph::new`]. Its open sizes are not among them; who keeps them
    /// adds them again, [renumbered](Sizes::renumbered), with [`Graph::with_sizes`].
    pub fn into_parts(self) -> (Vec<Input>, Vec<Node>, Vec<ValueId>) {
        (self.inputs, self.nodes, self.outputs)
    }
}

/// The dimension of a reshape that the others, multiplied, leave; it counts as 1 among them.
fn left(node: &Node, numbers: &[usize], shapes: &[Vec<usize>]) -> Option<usize> {
    if !matches!(node.op, Op::Reshape { .. }) {
        return None;
    }
    let product = |dims: &[usize]| dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    let all = product(shapes.get(*node.inputs.first()?)?)?;
    let others = product(numbers).filter(|others| *others > 0)?;
    all.is_multiple_of(others).then_some(all / others)
}

fn number(node: &Node, place: &Place, problem: &str, given: &[usize]) -> GraphError {
    GraphError::Number {
        node: node.name.clone(),
        op: node.op.name(),
        number: place.number,
        problem: words!("{problem} at sizes {given:?}"),
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), GraphError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let problem = if name.is_empty() {
            "must not be empty"
        } else if name.len() > MAX_NAME_BYTES {
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
