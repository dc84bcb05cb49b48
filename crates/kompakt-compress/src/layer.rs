//! The weight layers of a model, extracted and put back compressed.

use crate::{
    error::CompressError,
    quantise::{Quantised, WeightMatrix},
    rows,
};
use kompakt_graph::{Op, ParamRole};
use kompakt_model::{Model, Numbers, Parameter};

/// Constants on a grid of so many steps to 1 are kept as they are.
const GRID: f32 = 256.0;
/// Bits of the integers in which biases and scales are stored.
const VECTOR_BITS: u32 = 12;

/// A weight layer of a model.
pub(crate) struct DenseLayer {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) weights: Vec<f32>,
    groups: usize,
    /// The bias's name, if the layer has one, its own or in a scale after it.
    bias: Option<String>,
    /// That scale and its name.
    scale: Option<(String, Vec<f32>)>,
}

impl DenseLayer {
    pub(crate) fn view(&self) -> WeightMatrix<'_> {
        let has_scale = self.scale.is_some();
        WeightMatrix { weights: &self.weights, shape: &self.shape, groups: self.groups, has_scale }
    }
}

/// All weight layers.
///
/// Errors: there are none, or their weights are shared already.
pub(crate) fn layers(model: &Model) -> Result<Vec<DenseLayer>, CompressError> {
    let graph = &model.graph;
    let mut all = Vec::new();
    for param in graph.weights() {
        let Some(Parameter::Dense { values, .. }) = model.parameters.get(&param.name) else {
            return Err(CompressError::WrongKind(format!(
                "the weights of {:?} are shared already; compress the network that it came from",
                param.name
            )));
        };
        let node = &graph.nodes()[param.node];
        let (groups, has_bias) = (node.op.groups(), node.op.has_bias());
        let after = if has_bias { None } else { rows::scale_after(graph, param.node) };
        let scale = after.map(|name| format!("{name}.weight"));
        let scale = scale.and_then(|name| model.parameters.get(&name).map(|p| (name, p.to_f32())));
        let own = has_bias.then_some(node.name.as_str());
        all.push(DenseLayer {
            name: param.name.clone(),
            shape: param.shape.clone(),
            weights: values.to_f32(),
            groups,
            bias: own.or(after).map(|name| format!("{name}.bias")),
            scale,
        });
    }
    if all.is_empty() {
        return Err(CompressError::WrongKind("the network has no layer with weights".into()));
    }
    Ok(all)
}

/// Puts a layer's compressed form into a model, and corrects its scale and its bias.
pub(crate) fn replace(model: &mut Model, layer: &DenseLayer, made: Quantised) {
    model.parameters.insert(layer.name.clone(), made.weight);
    if let Some(bias) = &layer.bias
        && let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(bias)
        && !made.shift.is_empty()
    {
        let scale = |row: usize| layer.scale.as_ref().map_or(1.0, |(_, s)| s[row]);
        let sums =
            values.to_f32().iter().zip(&made.shift).enumerate().map(|(i, (b, s))| b + s * scale(i)).collect();
        *values = Numbers::F32(sums);
    }
    if let Some((name, scales)) = &layer.scale
        && let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(name)
        && !made.gains.is_empty()
    {
        *values = Numbers::F32(scales.iter().zip(&made.gains).map(|(s, g)| s * g).collect());
    }
}

/// The model without its weights: the template they are put into.
pub(crate) fn without_weights(model: &Model) -> Model {
    let weights: Vec<&str> = model.graph.weights().map(|p| p.name.as_str()).collect();
    let others = model.parameters.iter().filter(|(name, _)| !weights.contains(&name.as_str()));
    Model {
        graph: model.graph.clone(),
        parameters: others.map(|(name, p)| (name.clone(), p.clone())).collect(),
        dense_parameters: model.dense_parameters,
        preprocessing: model.preprocessing.clone(),
        labels: model.labels.clone(),
        provenance: model.provenance.clone(),
    }
}

/// Stores biases, scales and slopes as integers times a scale; and constants, but for those that are whole numbers or lie on a
/// fine grid, which may number, place or compare something.
pub(crate) fn round_vectors(model: &mut Model) {
    let nodes = model.graph.nodes();
    let vectors: Vec<(String, bool)> = model
        .graph
        .params()
        .iter()
        .filter(|p| p.role == ParamRole::PerChannel && !p.name.ends_with(".running_var"))
        .map(|p| (p.name.clone(), matches!(nodes[p.node].op, Op::Constant { .. })))
        .collect();
    for (name, is_constant) in vectors {
        if let Some(Parameter::Dense { values, .. }) = model.parameters.get_mut(&name)
            && !(is_constant && is_on_a_grid(&values.to_f32()))
        {
            *values = kompakt_cluster::NumberFormat::Int(VECTOR_BITS).round(values);
        }
    }
}

fn is_on_a_grid(values: &[f32]) -> bool {
    values.iter().all(|v| (v * GRID).fract() == 0.0)
}
