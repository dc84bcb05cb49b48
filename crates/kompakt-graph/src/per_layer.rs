//! One value per weight layer, as users write it: `5`, `8,8,5,5`, `conv=8,fc=5`, `5,fc2=6`.
//!
//! ```text
//! 5            all layers
//! 8,8,5,5      the layers in execution order
//! conv=8,fc=5  by kind: the stem of default names, whatever the nodes are called
//! 5,fc2=6      all layers, with an exception by name (of the node, or of its weight: fc2.weight)
//! ```
//!
//! A name takes precedence over a kind, and a kind over a value with neither.

use crate::{
    error::GraphError,
    graph::{Graph, Param, ParamRole},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt::Display, str::FromStr};

/// The kinds of layer that have weights, by the stem of their default names.
const KINDS: [&str; 2] = ["conv", "fc"];

/// Values for the weight layers of a graph that is not known yet: one for all (`5`), one per layer in
/// execution order (`8,8,5,5`), or by kind and name with exceptions (`conv=8,fc=5`; `5,fc2=6`).
#[derive(Debug, Clone, PartialEq)]
pub struct PerLayer<T> {
    /// Without a name: none, one for all, or one per layer.
    plain: Vec<T>,
    /// By name or kind, in the order given.
    named: Vec<(String, T)>,
}

impl<T: Clone> PerLayer<T> {
    /// The same value for all layers.
    pub fn all(value: T) -> Self {
        Self { plain: Vec::from([value]), named: Vec::new() }
    }

    /// The value if there is one for all layers and no exception.
    pub fn single(&self) -> Option<&T> {
        match (self.plain.as_slice(), self.named.is_empty()) {
            ([value], true) => Some(value),
            _ => None,
        }
    }

    /// The value of every weight layer of `graph`, in the order of [`Graph::weights`].
    ///
    /// Errors: [`GraphError::PerLayer`] for a name that no layer has, a list of another length, or a layer left
    /// without a value.
    pub fn resolve(&self, graph: &Graph) -> Result<Vec<T>, GraphError> {
        let layers: Vec<&str> = graph.weights().map(|p| graph.nodes()[p.node].name.as_str()).collect();
        if self.plain.len() > 1 && self.plain.len() != layers.len() {
            return Err(GraphError::PerLayer(format!(
                "{} values for {} weight layers ({})",
                self.plain.len(),
                layers.len(),
                layers.join(", ")
            )));
        }
        let unknown = |name: &&String| {
            !KINDS.contains(&name.as_str()) && !graph.weights().any(|p| is_name_of(name, graph, p))
        };
        if let Some(name) = self.named.iter().map(|(name, _)| name).find(unknown) {
            return Err(GraphError::PerLayer(format!(
                "{name:?} is neither a weight layer ({}) nor a kind (conv, fc)",
                layers.join(", ")
            )));
        }
        graph.weights().enumerate().map(|(index, param)| self.value(graph, index, param)).collect()
    }

    fn value(&self, graph: &Graph, index: usize, param: &Param) -> Result<T, GraphError> {
        let node = &graph.nodes()[param.node];
        let by_name = self.named.iter().find(|(name, _)| is_name_of(name, graph, param));
        let by_kind = || self.named.iter().find(|(name, _)| name == node.op.stem());
        let plain = || if self.plain.len() == 1 { self.plain.first() } else { self.plain.get(index) };
        by_name.or_else(by_kind).map(|(_, value)| value).or_else(plain).cloned().ok_or_else(|| {
            GraphError::PerLayer(format!("no value for layer {:?}; put one for all layers first", node.name))
        })
    }
}

fn is_name_of(name: &str, graph: &Graph, param: &Param) -> bool {
    name == param.name || name == graph.nodes()[param.node].name
}

impl<T: FromStr> FromStr for PerLayer<T>
where
    T::Err: Display,
{
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        let mut values = Self { plain: Vec::new(), named: Vec::new() };
        for part in text.split(',').map(str::trim) {
            let (name, value) = match part.rsplit_once('=') {
                Some((name, value)) => (Some(name.trim()), value.trim()),
                None => (None, part),
            };
            let value =
                value.parse().map_err(|problem| GraphError::PerLayer(format!("{part:?}: {problem}")))?;
            match name {
                None => values.plain.push(value),
                Some(name) if values.named.iter().any(|(n, _)| n == name) => {
                    return Err(GraphError::PerLayer(format!("{name:?} is given twice")));
                }
                Some(name) => values.named.push((name.to_string(), value)),
            }
        }
        Ok(values)
    }
}

impl Graph {
    /// The weights of linear and convolution layers, in node order: what pruning and weight sharing work on.
    pub fn weights(&self) -> impl Iterator<Item = &Param> {
        self.params().iter().filter(|p| p.role == ParamRole::Weight)
    }

    /// One value per weight layer in canonical form: `conv1=8,conv2=8,fc1=5,fc2=5`.
    pub fn describe_layers<T: Display>(&self, values: &[T]) -> String {
        let parts: Vec<String> = self
            .weights()
            .zip(values)
            .map(|(p, value)| format!("{}={value}", self.nodes()[p.node].name))
            .collect();
        parts.join(",")
    }
}
