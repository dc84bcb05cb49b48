//! Evaluates ONNX graphs node by node as the ONNX specification defines each operator: the reference for
//! checking imports.
//!
//! Nothing here knows the network that import makes: no node is rewritten, removed or fused with another, the
//! batch is a dimension like any other, and shapes are computed by every operator for itself. Only the
//! reading of the file (messages, attributes, stored tensors) is shared. Plain loops throughout; only matrix
//! products are optimised for speed.
//!
//! Floats of any width are f32 here, integers and booleans i64. Sums are in f64, except those of matrices.
//!
//! What is not here: the comparison with the imported network ([`check`](crate::onnx::check)).

mod attention;
mod boxes;
mod call;
mod choices;
mod constants;
mod control;
mod conv;
mod elementwise;
mod layout;
mod matrix;
mod microsoft;
mod norms;
mod pads;
mod pools;
mod recurrent;
mod reduce;
mod resize;
mod sums;
mod walk;
mod window;

use crate::onnx::{
    error::Problem,
    lower::MICROSOFT,
    proto::{GraphProto, NodeProto, SparseTensorProto, TensorProto},
    tensor::Tensor,
};
use call::Call;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};

/// Why a graph was not evaluated.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It takes more work than allowed.
    Work,
    /// A node is not supported here, or does not fit its inputs.
    Node(Problem),
}

/// A tensor in the file.
enum Stored<'a> {
    Dense(&'a TensorProto),
    Sparse(&'a SparseTensorProto),
}

/// The tensors that a graph of the file holds itself.
fn stored(graph: &GraphProto) -> impl Iterator<Item = (&str, Stored<'_>)> {
    let sparse = graph.sparse_initializer.iter();
    let sparse = sparse.filter_map(|t| Some((t.values.as_ref()?.name.as_str(), Stored::Sparse(t))));
    sparse.chain(graph.initializer.iter().map(|t| (t.name.as_str(), Stored::Dense(t))))
}

/// The values of a graph, and around it those of the graph that it is in.
struct Scope<'s, 'a> {
    around: Option<&'s Scope<'s, 'a>>,
    values: BTreeMap<&'a str, Rc<Tensor>>,
}

impl Scope<'_, '_> {
    fn get(&self, name: &str) -> Option<&Rc<Tensor>> {
        self.values.get(name).or_else(|| self.around.and_then(|around| around.get(name)))
    }
}

/// The most elements that values have together.
const MAX_HELD: usize = 1 << 28;

/// A graph that can be evaluated. See the [module page](self).
pub(crate) struct Evaluator<'a> {
    graph: &'a GraphProto,
    opset: i64,
    folder: Option<&'a Path>,
    stored: Rc<BTreeMap<&'a str, Stored<'a>>>,
    /// The nodes that the outputs depend on.
    needed: Vec<bool>,
    /// The relative size of the rounding errors that every float that a node makes gets in addition; 0 for none.
    rounding: f32,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(graph: &'a GraphProto, opset: i64, folder: Option<&'a Path>) -> Self {
        let mut read: BTreeSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
        let mut needed = vec![false; graph.node.len()];
        for (index, node) in graph.node.iter().enumerate().rev() {
            if node.output.iter().any(|o| read.contains(o.as_str())) {
                needed[index] = true;
                node.reads(&mut |name| {
                    read.insert(name);
                });
            }
        }
        let stored = Rc::new(stored(graph).collect());
        Self { graph, opset, folder, stored, needed, rounding: 0.0 }
    }

    /// The same graph, where each float that a node makes is off by up to `relative` of itself: tells how much the answers
    /// depend on rounding.
    pub(crate) fn rounding(&self, relative: f32) -> Self {
        Self { stored: self.stored.clone(), needed: self.needed.clone(), rounding: relative, ..*self }
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.graph.node.len()
    }

    /// Returns the outputs for the given inputs, in the order of the file. `work` is how many
    /// multiplications, or equivalent other work, may be done; `visit` sees each value that a node makes,
    /// with the index of its node, before others read it.
    pub(crate) fn run(
        &self,
        inputs: &[(&'a str, Tensor)],
        work: u64,
        visit: &mut dyn FnMut(usize, &str, &mut Tensor),
    ) -> Result<Vec<Rc<Tensor>>, Failure> {
        let budget = Cell::new(work);
        let mut scope = Scope { around: None, values: BTreeMap::new() };
        for (name, tensor) in inputs {
            scope.values.insert(name, Rc::new(tensor.clone()));
        }
        let last = self.last_readers();
        let mut held = 0usize;
        for (index, node) in self.graph.node.iter().enumerate().filter(|(i, _)| self.needed[*i]) {
            let problem = |problem: String| {
                let (node, operator) = (node.title().to_string(), node.op_type.clone());
                Failure::Node(Problem { node, operator, problem })
            };
            let made = match self.node(node, &scope, &budget) {
                Ok(made) => made,
                Err(_) if budget.get() == 0 => return Err(Failure::Work),
                Err(text) => return Err(problem(text)),
            };
            for (name, mut tensor) in node.output.iter().zip(made).filter(|(name, _)| !name.is_empty()) {
                if self.rounding > 0.0 {
                    tensor.round_off(self.rounding, index as u64);
                }
                visit(index, name, &mut tensor);
                held = held.saturating_add(tensor.len());
                scope.values.insert(name, Rc::new(tensor));
            }
            if held > MAX_HELD {
                return Err(Failure::Work);
            }
            node.reads(&mut |name| {
                if last.get(name) == Some(&index)
                    && let Some(gone) = scope.values.remove(name)
                {
                    held = held.saturating_sub(gone.len());
                }
            });
        }
        let output = |name: &str| {
            let missing = |problem: String| Problem { node: name.into(), operator: "output".into(), problem };
            match self.value(name, &scope) {
                Ok(tensor) => Ok(tensor),
                Err(_) => Err(Failure::Node(missing("no node makes it".into()))),
            }
        };
        self.graph.output.iter().map(|o| output(&o.name)).collect()
    }

    /// For each value the last node that reads it; outputs of the graph are kept.
    fn last_readers(&self) -> BTreeMap<&str, usize> {
        let mut last = BTreeMap::new();
        for (index, node) in self.graph.node.iter().enumerate().filter(|(i, _)| self.needed[*i]) {
            node.reads(&mut |name| {
                last.insert(name, index);
            });
        }
        self.graph.output.iter().for_each(|o| {
            last.remove(o.name.as_str());
        });
        last
    }

    /// The outputs of a node.
    fn node(
        &self,
        node: &'a NodeProto,
        scope: &Scope<'_, 'a>,
        budget: &Cell<u64>,
    ) -> Result<Vec<Tensor>, String> {
        let input = |name: &String| match name.is_empty() {
            true => Ok(None),
            false => self.value(name, scope).map(Some),
        };
        let inputs = node.input.iter().map(input).collect::<Result<_, String>>()?;
        let call = Call { node, inputs, opset: self.opset, folder: self.folder, budget };
        match node.op_type.as_str() {
            "If" => self.branch(node, &call, scope),
            "Loop" => self.repeated(node, &call, scope),
            "Scan" => self.scanned(node, &call, scope),
            _ => operator(&call),
        }
    }

    /// A value of a scope, or a tensor of the file.
    fn value(&self, name: &str, scope: &Scope<'_, 'a>) -> Result<Rc<Tensor>, String> {
        match (scope.get(name), self.stored.get(name)) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(stored)) => self.read(stored),
            (None, None) => Err(format!("nothing makes its input {name:?}")),
        }
    }

    fn read(&self, stored: &Stored<'_>) -> Result<Rc<Tensor>, String> {
        let read = match stored {
            Stored::Dense(proto) => Tensor::read(proto, self.folder),
            Stored::Sparse(proto) => {
                Tensor::read_sparse(proto, self.folder, call::MAX_ELEMENTS).map(|(_, tensor)| tensor)
            }
        };
        read.map(Rc::new).map_err(|e| e.to_string())
    }
}

/// The outputs of a node whose inputs are all constant.
pub(crate) fn constants_of(
    node: &NodeProto,
    inputs: &[Option<&Tensor>],
    opset: i64,
    folder: Option<&Path>,
) -> Result<Vec<Tensor>, String> {
    const WORK: u64 = 1 << 28;
    let inputs = inputs.iter().map(|t| t.map(|t| Rc::new(t.clone()))).collect();
    operator(&Call { node, inputs, opset, folder, budget: &Cell::new(WORK) })
}

/// The outputs of a node.
fn operator(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let node = call.node;
    if node.domain == MICROSOFT {
        return microsoft::outputs(call);
    }
    if !(node.domain.is_empty() || node.domain == "ai.onnx") {
        return Err(format!("operators of domain {:?} are not known", node.domain));
    }
    let one = match node.op_type.as_str() {
        "Constant" => constants::constant(call)?,
        "ConstantOfShape" => constants::constant_of_shape(call)?,
        "Shape" => constants::shape(call)?,
        "GatherElements" => choices::gather_elements(call)?,
        "GatherND" => choices::gather_nd(call)?,
        "Scatter" | "ScatterElements" => choices::scatter_elements(call)?,
        "ScatterND" => choices::scatter_nd(call)?,
        "TopK" => return choices::top_k(call),
        "OneHot" => choices::one_hot(call)?,
        "Compress" => choices::compress(call)?,
        "CumSum" => sums::running(call)?,
        "Trilu" => sums::triangle(call)?,
        "Hardmax" => sums::hard_max(call)?,
        "Einsum" => sums::einsum(call)?,
        "MeanVarianceNormalization" => norms::mean_variance(call)?,
        "LpNormalization" => norms::lp(call)?,
        "LpPool" => pools::norm(call)?,
        "NonZero" => constants::non_zero(call)?,
        "NonMaxSuppression" => boxes::non_max_suppression(call)?,
        "Size" => Tensor::ints(vec![], vec![call.x(0)?.len() as i64]),
        "Range" => constants::range(call)?,
        "Cast" | "CastLike" => constants::cast(call)?,
        "DequantizeLinear" => constants::dequantise(call)?,
        "Identity" | "Dropout" => {
            if node.output.iter().skip(1).any(|o| !o.is_empty()) {
                return Err("its mask is asked for".into());
            }
            call.x(0)?.clone()
        }
        "Reshape" => layout::reshape(call)?,
        "Flatten" => layout::flatten(call)?,
        "Squeeze" => layout::squeeze(call)?,
        "Unsqueeze" => layout::unsqueeze(call)?,
        "Transpose" => layout::transpose(call)?,
        "Concat" => layout::concat(call)?,
        "LSTM" | "GRU" | "RNN" => return recurrent::recurrent(call),
        "Split" => return layout::split(call),
        "Slice" => layout::slice(call)?,
        "Gather" => layout::gather(call)?,
        "Expand" => layout::expand(call)?,
        "Tile" => layout::tile(call)?,
        "DepthToSpace" => layout::depth_to_space(call)?,
        "SpaceToDepth" => layout::space_to_depth(call)?,
        "Pad" => pads::pad(call)?,
        "Conv" => conv::convolution(call)?,
        "ConvTranspose" => conv::transposed(call)?,
        "MatMul" => matrix::matmul(call)?,
        "Gemm" => matrix::gemm(call)?,
        "MaxPool" | "AveragePool" => pools::pool(call)?,
        "GlobalAveragePool" | "GlobalMaxPool" => pools::global(call)?,
        "BatchNormalization" => norms::batch(call)?,
        "InstanceNormalization" => norms::instance(call)?,
        "GroupNormalization" => norms::group(call)?,
        "LayerNormalization" | "RMSNormalization" => return norms::layer(call),
        "LRN" => norms::response(call)?,
        "Softmax" | "LogSoftmax" => norms::softmax(call)?,
        "Resize" | "Upsample" => resize::resize(call)?,
        "Clip" => elementwise::clip(call)?,
        "Where" => elementwise::choose(call)?,
        "PRelu" => elementwise::prelu(call)?,
        op if op.starts_with("Reduce") => reduce::reduce(call)?,
        "ArgMax" | "ArgMin" => reduce::position(call)?,
        op if elementwise::is_unary(op) => elementwise::unary(call)?,
        op if elementwise::is_variadic(op) => elementwise::variadic(call)?,
        _ => return Err("the operator is not known".into()),
    };
    Ok(vec![one])
}
