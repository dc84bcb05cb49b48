//! An import at certain sizes, reduced to what is compared with imports at others.

use crate::onnx::import::Imported;
use kompakt_graph::{Graph, Op};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

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
        let mut hashers = vec![DefaultHasher::new(); model.graph.nodes().len()];
        let mut constants = BTreeMap::new();
        for param in model.graph.params() {
            let Some(parameter) = model.parameters.get(&param.name) else { continue };
            let values = parameter.to_f32();
            if let Op::Constant { .. } = model.graph.nodes()[param.node].op {
                constants.insert(param.node, values);
                continue;
            }
            param.shape.hash(&mut hashers[param.node]);
            values.iter().for_each(|value| value.to_bits().hash(&mut hashers[param.node]));
        }
        let parameters = hashers.into_iter().map(|hasher| hasher.finish()).collect();
        Self { sizes, graph: model.graph.clone(), parameters, constants }
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
