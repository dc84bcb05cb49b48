//! A first layer that begins as a projection to principal components.
//!
//! ```text
//! training images ─► steps ─► covariance ─► components ─► linear layer `pca` ─► the network
//! ```
//!
//! It is a layer like any other: trained with the rest, pruned, shared, coded and counted.

use crate::train::error::TrainError;
use kompakt_data::{Dataset, fit_pca};
use kompakt_engine::{Network, Trainable};
use kompakt_graph::{Graph, Node, Op};
use kompakt_prep::{Pipeline, pca};

/// Name of the layer.
const NAME: &str = "pca";

/// The layer's weights as they begin.
#[derive(Debug, Clone)]
pub struct Projection {
    layer: pca::Linear,
    /// Share of the variance of the training images that the components hold, 0 to 1.
    pub explained: f64,
}

impl Projection {
    /// The `n_components` directions along which the images, after `steps`, differ most.
    ///
    /// Errors: more components than values in an image, or more values than a covariance is computed of.
    pub fn fit(images: &Dataset, steps: Option<&Pipeline>, n_components: usize) -> Result<Self, TrainError> {
        let images = match steps {
            Some(steps) if images.prepared().is_none() => images.clone().apply(steps)?,
            _ => images.clone(),
        };
        let fitted = fit_pca(&images, n_components).map_err(TrainError::Components)?;
        Ok(Self { explained: fitted.explained(), layer: fitted.linear(false) })
    }

    /// The number of the layer's outputs.
    pub fn n_components(&self) -> usize {
        self.layer.bias.len()
    }

    /// The network with the layer before it; it takes inputs of shape `input` then.
    ///
    /// Errors: a network with several inputs, or with a layer of that name.
    pub fn before(&self, graph: &Graph, input: &[usize]) -> Result<Graph, TrainError> {
        let [wanted] = graph.inputs() else { return Err(TrainError::SeveralInputs) };
        let mut wanted = wanted.clone();
        wanted.shape = input.to_vec();
        let mut nodes = Vec::new();
        let mut put = |name: &str, op: Op| {
            nodes.push(Node { name: name.to_string(), op, inputs: vec![nodes.len()] });
        };
        if input.len() > 1 {
            put("pca.flatten", Op::Flatten);
        }
        put(NAME, Op::Linear { out_features: self.n_components(), bias: true });
        let n_new = nodes.len();
        nodes.extend(graph.nodes().iter().cloned().map(|mut node| {
            node.inputs.iter_mut().for_each(|value| *value += n_new);
            node
        }));
        let outputs = graph.outputs().iter().map(|value| value + n_new).collect();
        Ok(Graph::new(vec![wanted], nodes, outputs)?)
    }

    /// Puts the components into a fresh network.
    pub fn begin(&self, network: &mut Network) {
        for (suffix, values) in [("weight", &self.layer.weight), ("bias", &self.layer.bias)] {
            if let Some(parameter) = network.parameter_mut(&format!("{NAME}.{suffix}")) {
                parameter.weights = Trainable::Dense(values.clone());
            }
        }
    }
}
