//! An import at certain sizes, reduced to what is compared with imports at others.

use crate::onnx::{builder::Parts, import::Imported};
use kompakt_graph::{Graph, Op, Param};
use kompakt_model::Parameter;
use kompakt_numbers::Numbers;
use std::{borrow::Cow, collections::BTreeMap};

/// See the [module page](self).
pub(crate) struct Sample {
    /// One size per symbol.
    pub(crate) sizes: Vec<usize>,
    pub(crate) graph: Graph,
    /// By node: shapes and numbers of its parameters, hashed.
    parameters: Vec<u64>,
    /// The elements of constants, by node.
    pub(crate) constants: BTreeMap<usize, Vec<f32>>,
}

impl Sample {
    pub(crate) fn new(sizes: Vec<usize>, imported: &Imported) -> Self {
        let model = &imported.model;
        let numbers = |param: &Param| match model.parameters.get(&param.name) {
            Some(Parameter::Dense { values: Numbers::F32(values), mask: None, .. }) => {
                Cow::Borrowed(&values[..])
            }
            Some(other) => Cow::Owned(other.to_f32()),
            None => Cow::default(),
        };
        Self::of(sizes, model.graph.clone(), numbers)
    }

    /// Of a network whose numbers are not put together.
    pub(crate) fn of_parts(sizes: Vec<usize>, parts: Parts) -> Self {
        Self::of(sizes, parts.graph.clone(), |param| Cow::Borrowed(parts.numbers(param)))
    }

    fn of<'n>(sizes: Vec<usize>, graph: Graph, numbers: impl Fn(&Param) -> Cow<'n, [f32]>) -> Self {
        let mut parameters = vec![0; graph.nodes().len()];
        let mut constants = BTreeMap::new();
        for param in graph.params() {
            let values = numbers(param);
            if let Op::Constant { .. } = graph.nodes()[param.node].op {
                constants.insert(param.node, values.into_owned());
                continue;
            }
            let hash = param.shape.iter().fold(parameters[param.node], |hash, &d| mixed(hash, d as u64));
            parameters[param.node] = hash_of(hash, &values);
        }
        Self { sizes, graph, parameters, constants }
    }

    /// A copy.
    pub(crate) fn again(&self) -> Self {
        let Self { sizes, graph, parameters, constants } = self;
        let (sizes, graph) = (sizes.clone(), graph.clone());
        Self { sizes, graph, parameters: parameters.clone(), constants: constants.clone() }
    }

    /// Whether a node has the same parameters in another sample; those of constants are compared elsewhere.
    pub(crate) fn has_parameters_of(&self, other: &Self, node: usize) -> bool {
        self.parameters.get(node) == other.parameters.get(node)
    }
}

/// A hash and a number, mixed by the halves of a long product.
fn mixed(hash: u64, number: u64) -> u64 {
    let product = u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(number ^ 0xd1b5_4a32_d192_ed03);
    (product as u64) ^ (product >> 64) as u64
}

/// The hash of numbers: of four sequences of them by turns, so that products do not wait for each other.
fn hash_of(hash: u64, values: &[f32]) -> u64 {
    let mut all = [1, 2, 3, 4].map(|lane| mixed(hash, lane));
    let (parts, rest) = values.as_chunks::<8>();
    for part in parts {
        for (lane, hash) in all.iter_mut().enumerate() {
            let [low, high] = [part[2 * lane], part[2 * lane + 1]].map(|v| u64::from(v.to_bits()));
            *hash = mixed(*hash, high << 32 | low);
        }
    }
    let rest = rest.iter().map(|v| u64::from(v.to_bits()));
    all.into_iter().chain(rest).fold(values.len() as u64, mixed)
}
