//! The network under construction: nodes with their shapes and parameters.

use crate::onnx::{error::OnnxError, tensor::Tensor};
use kompakt_graph::{Graph, Input, MAX_NODES, Node, Op, Param, default_names, output_shape};
use kompakt_model::{Model, Parameter};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    rc::Rc,
};

/// The index of a value: inputs first, then one per node.
pub(crate) type Value = usize;

/// The most nodes of a network before it is simplified.
const MOST_NODES: usize = 4 * MAX_NODES;

/// Names of parameters as suffixes, with their values.
pub(crate) type Params = Vec<(&'static str, Numbers)>;

/// The numbers of a parameter.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    Own(Vec<f32>),
    /// All of a constant of floats, which others may hold too.
    Shared(Rc<Tensor>),
}

impl Numbers {
    /// As numbers of its own: moved where nothing else holds them.
    fn into_vec(self) -> Vec<f32> {
        match self {
            Self::Own(numbers) => numbers,
            Self::Shared(tensor) => Rc::unwrap_or_clone(tensor).into_floats(),
        }
    }

    /// To be changed: shared ones are copied first.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<f32> {
        if let Self::Shared(tensor) = self {
            *self = Self::Own(tensor.to_floats());
        }
        match self {
            Self::Own(numbers) => numbers,
            Self::Shared(_) => unreachable!("made its own above"),
        }
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Own(numbers)
    }
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Own(numbers) => numbers,
            Self::Shared(tensor) => tensor.floats_of().unwrap_or_default(),
        }
    }
}

/// A node with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// What it is called in the source, if anything.
    pub(crate) name: Option<String>,
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Value>,
    pub(crate) params: Params,
}

/// See the [module page](self).
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) inputs: Vec<Input>,
    pub(crate) nodes: Vec<Built>,
    /// How many more numbers parameters and lists of indices may have.
    room: usize,
    /// One per value.
    shapes: Vec<Vec<usize>>,
}

impl Builder {
    /// An empty network, whose parameters and lists of indices may have `room` numbers together.
    pub(crate) fn new(room: usize) -> Self {
        Self { inputs: Vec::new(), nodes: Vec::new(), room, shapes: Vec::new() }
    }

    /// Whether there is room for so many more numbers. To be asked before many are computed.
    pub(crate) fn ask(&self, n: usize) -> Result<(), String> {
        match n <= self.room {
            true => Ok(()),
            false => Err(format!("it needs {n} numbers more than the limit for a file of this size allows")),
        }
    }

    /// Adds an input; all of them come before the first node.
    pub(crate) fn input(&mut self, name: &str, shape: Vec<usize>) -> Value {
        self.inputs.push(Input { name: name.to_string(), shape: shape.clone() });
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// The shape of a value, batch left out.
    pub(crate) fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value]
    }

    /// Stands for a value that could not be made, so that its readers can be checked; a network with one is
    /// never finished.
    pub(crate) fn placeholder(&mut self, shape: Vec<usize>) -> Value {
        self.shapes.push(shape);
        self.nodes.push(Built { name: None, op: Op::Identity, inputs: vec![], params: vec![] });
        self.shapes.len() - 1
    }

    /// Adds an operator without parameters.
    pub(crate) fn op(&mut self, name: Option<&str>, op: Op, inputs: Vec<Value>) -> Result<Value, String> {
        self.push(name, op, inputs, Vec::new())
    }

    /// Adds an operator. Errors: it cannot work on these shapes.
    pub(crate) fn push(
        &mut self,
        name: Option<&str>,
        op: Op,
        inputs: Vec<Value>,
        params: Params,
    ) -> Result<Value, String> {
        // An index is as long as two numbers.
        let indices = if let Op::Gather { indices, .. } = &op { 2 * indices.len() } else { 0 };
        let needed = params.iter().map(|(_, values)| values.len()).sum::<usize>() + indices;
        self.ask(needed)?;
        if self.nodes.len() >= MOST_NODES {
            return Err(format!("the network becomes larger than {MOST_NODES} operators"));
        }
        let node = Node { name: name.unwrap_or("").to_string(), op, inputs };
        let operands: Vec<&[usize]> = node.inputs.iter().map(|&v| self.shapes[v].as_slice()).collect();
        let shape = output_shape(&node, &operands).map_err(|e| e.to_string())?;
        self.room -= needed;
        self.shapes.push(shape);
        let name = name.filter(|n| !n.is_empty()).map(clean);
        self.nodes.push(Built { name, op: node.op, inputs: node.inputs, params });
        Ok(self.shapes.len() - 1)
    }

    /// The same elements under another shape; a no-op if it has that shape already.
    pub(crate) fn reshape(&mut self, x: Value, shape: Vec<usize>) -> Result<Value, String> {
        // Of several consecutive reshapes only the last matters.
        let mut x = x;
        while self.shapes[x] != shape
            && let Some(node) = x.checked_sub(self.inputs.len()).and_then(|i| self.nodes.get(i))
            && matches!(node.op, Op::Reshape { .. } | Op::Flatten)
        {
            x = node.inputs[0];
        }
        if self.shapes[x] == shape {
            return Ok(x);
        }
        let op = if shape.len() == 1 { Op::Flatten } else { Op::Reshape { shape } };
        self.op(None, op, vec![x])
    }

    /// Permutes dimensions; a no-op if they are in that order already.
    pub(crate) fn transpose(&mut self, x: Value, axes: Vec<usize>) -> Result<Value, String> {
        if axes.iter().copied().eq(0..axes.len()) {
            return Ok(x);
        }
        // Where only dimensions of 1 move, elements stay where they are.
        let shape = self.shapes[x].clone();
        let moved = |axes: &[usize]| axes.iter().copied().filter(|&a| shape[a] > 1).collect::<Vec<_>>();
        if axes.iter().all(|&a| a < shape.len()) && moved(&axes).is_sorted() {
            return self.reshape(x, axes.iter().map(|&a| shape[a]).collect());
        }
        self.op(None, Op::Transpose { axes }, vec![x])
    }

    /// Brings dimension `axis` to the front; also returns the order that undoes it.
    pub(crate) fn front(&mut self, x: Value, axis: usize) -> Result<(Value, Vec<usize>), String> {
        let n = self.shapes[x].len();
        let mut axes: Vec<usize> = (0..n).collect();
        axes.remove(axis);
        axes.insert(0, axis);
        let mut back = vec![0; n];
        axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        Ok((self.transpose(x, axes)?, back))
    }

    /// Gives the nodes that make the outputs the names of these outputs, which users know. In a network of
    /// one output a layer keeps its own name: its parameters are named after it.
    pub(crate) fn name_outputs<'n>(&mut self, outputs: &[Value], names: impl Iterator<Item = &'n str>) {
        let mut named = Vec::new();
        for (&value, name) in outputs.iter().zip(names) {
            let Some(node) = value.checked_sub(self.inputs.len()).filter(|node| !named.contains(node)) else {
                continue;
            };
            let name = clean(name);
            let is_input = self.inputs.iter().any(|input| input.name == name);
            if name.is_empty() || is_input || (outputs.len() == 1 && !self.nodes[node].params.is_empty()) {
                continue;
            }
            for other in self.nodes.iter_mut().filter(|other| other.name.as_ref() == Some(&name)) {
                other.name = None;
            }
            self.nodes[node].name = Some(name);
            named.push(node);
        }
    }

    /// The finished model. `outputs` are the values that leave it.
    pub(crate) fn finish(self, outputs: Vec<Value>) -> Result<Model, OnnxError> {
        let mut parts = self.parts(outputs)?;
        let mut parameters = BTreeMap::new();
        for param in parts.graph.params() {
            let numbers =
                parts.params[param.node].iter_mut().find(|(suffix, _)| is_of(&parts.graph, param, suffix));
            let numbers = numbers.map(|(_, numbers)| std::mem::take(numbers)).unwrap_or_default();
            let parameter = Parameter::dense(param.shape.clone(), numbers.into_vec());
            parameters.insert(param.name.clone(), parameter);
        }
        Ok(Model::new(parts.graph, parameters)?)
    }

    /// The graph and its numbers. `outputs` are the values that leave it.
    pub(crate) fn parts(self, outputs: Vec<Value>) -> Result<Parts, OnnxError> {
        let names = names(&self.inputs, &self.nodes);
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut params = Vec::with_capacity(self.nodes.len());
        for (built, name) in self.nodes.into_iter().zip(names) {
            nodes.push(Node { name, op: built.op, inputs: built.inputs });
            params.push(built.params);
        }
        let graph = Graph::new(self.inputs, nodes, outputs).map_err(kompakt_model::CheckpointError::from)?;
        Ok(Parts { graph, params })
    }
}

/// A finished graph and the numbers of its nodes, unchecked.
pub(crate) struct Parts {
    pub(crate) graph: Graph,
    /// One list per node.
    params: Vec<Params>,
}

impl Parts {
    /// The numbers of a parameter of the graph; none if the node has been given none.
    pub(crate) fn numbers(&self, param: &Param) -> &[f32] {
        let found = self.params[param.node].iter().find(|(suffix, _)| is_of(&self.graph, param, suffix));
        found.map(|(_, numbers)| &**numbers).unwrap_or_default()
    }
}

/// Whether a suffix is that of a parameter's name.
fn is_of(graph: &Graph, param: &Param, suffix: &str) -> bool {
    let name = &graph.nodes()[param.node].name;
    param.name.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.')) == Some(suffix)
}

/// A valid name for a graph: no control characters, not too long.
fn clean(name: &str) -> String {
    let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
    while name.len() > 200 {
        name.pop();
    }
    name
}

/// A name for each node: its own if nobody before has it, else one by kind and count.
fn names(inputs: &[Input], nodes: &[Built]) -> Vec<String> {
    let mut taken: BTreeSet<String> = inputs.iter().map(|i| i.name.clone()).collect();
    let mut own = Vec::with_capacity(nodes.len());
    for node in nodes {
        let name = node.name.clone().filter(|n| !n.is_empty() && taken.insert(n.clone()));
        own.push(name);
    }
    let defaults = default_names(nodes.iter().map(|n| &n.op));
    own.into_iter()
        .zip(defaults)
        .map(|(own, default)| {
            own.unwrap_or_else(|| {
                let more = (2..).map(|i| format!("{default}_{i}"));
                let free = std::iter::once(default.clone()).chain(more).find(|n| !taken.contains(n));
                let name = free.unwrap_or_default();
                taken.insert(name.clone());
                name
            })
        })
        .collect()
}
