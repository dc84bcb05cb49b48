//! A network in training: a graph and, for each of its parameters, weights of some parameterisation.

use crate::{
    error::EngineError,
    random::Random,
    trainable::{CentroidGradient, Trainable},
};
use kompakt_graph::{Graph, Op, ParamRole};
use kompakt_model::{Model, Numbers, Parameter};

/// One parameter of a network.
#[derive(Debug, Clone)]
pub struct NetworkParameter {
    /// Its name in the graph (`conv1.weight`).
    pub name: String,
    /// Its shape, in PyTorch's layout.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: ParamRole,
    /// Whether training changes it. Running statistics are never trained, but follow the batches.
    pub trained: bool,
    /// Its weights.
    pub weights: Trainable,
}

impl NetworkParameter {
    /// How many weights it has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether it is a batch norm's running mean or variance.
    pub fn is_statistic(&self) -> bool {
        is_statistic(&self.name)
    }
}

fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// A graph with weights.
///
/// The parameters are in the order of [`Graph::params`]; [`Network::parameter_mut`] finds one by name, to prune it,
/// share it or freeze it:
///
/// ```
/// # use kompakt_engine::{Network, Trainable};
/// # use kompakt_graph::networks;
/// # let graph = networks::mlp(&[4], &[3], 2)?;
/// let mut network = Network::random(&graph, 1)?;
/// let weight = network.parameter_mut("fc1.weight").expect("the graph has it");
/// weight.weights = Trainable::Masked { values: vec![1.0; 12], mask: vec![true; 12] };
/// # Ok::<(), kompakt_engine::EngineError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    graph: Graph,
    parameters: Vec<NetworkParameter>,
}

impl Network {
    /// Fresh weights: uniform in `±sqrt(1 / fan_in)`, biases too (PyTorch's default), batch norms at 1 and 0.
    pub fn random(graph: &Graph, seed: u64) -> Result<Self, EngineError> {
        let mut fan_in = 1;
        let parameters = graph
            .params()
            .iter()
            .enumerate()
            .map(|(index, p)| {
                let mut random = Random::at(&[INITIAL, seed, index as u64]);
                let n = p.len();
                let values = match (&graph.nodes()[p.node].op, suffix(&p.name)) {
                    (Op::BatchNorm { .. } | Op::ScaleBias, "weight" | "running_var") => vec![1.0; n],
                    (Op::BatchNorm { .. } | Op::ScaleBias, _) => vec![0.0; n],
                    (_, kind) => {
                        if kind == "weight" {
                            fan_in = p.shape[1..].iter().product();
                        }
                        let bound = (1.0 / fan_in as f32).sqrt();
                        (0..n).map(|_| random.between(-bound, bound)).collect()
                    }
                };
                NetworkParameter {
                    name: p.name.clone(),
                    shape: p.shape.clone(),
                    role: p.role,
                    trained: !is_statistic(&p.name),
                    weights: Trainable::Dense(values),
                }
            })
            .collect();
        Ok(Self { graph: graph.clone(), parameters })
    }

    /// The network of a model from the interchange: dense parameters with their masks, shared ones with their
    /// codebooks.
    pub fn from_model(model: &Model) -> Result<Self, EngineError> {
        model.check()?;
        let parameters = model
            .graph
            .params()
            .iter()
            .zip(model.in_order())
            .map(|(p, (_, found))| NetworkParameter {
                name: p.name.clone(),
                shape: p.shape.clone(),
                role: p.role,
                trained: !is_statistic(&p.name),
                weights: weights_of(found),
            })
            .collect();
        Ok(Self { graph: model.graph.clone(), parameters })
    }

    /// Puts the weights back into a model of the same graph, as f32. All else in the model stays.
    ///
    /// Codebooks come out in the interchange's form: strictly ascending, without zeros; entries that no weight
    /// uses are dropped.
    ///
    /// Errors: a graph other than the model's, weights that are not finite.
    pub fn store(&self, model: &mut Model) -> Result<(), EngineError> {
        if model.graph != self.graph {
            return Err(EngineError::Data("the model is of another network".to_string()));
        }
        for parameter in &self.parameters {
            model.parameters.insert(parameter.name.clone(), stored(parameter));
        }
        model.check()?;
        Ok(())
    }

    /// A model made of this network alone.
    pub fn to_model(&self) -> Result<Model, EngineError> {
        let parameters = self.parameters.iter().map(|p| (p.name.clone(), stored(p))).collect();
        Ok(Model::new(self.graph.clone(), parameters)?)
    }

    /// The network's graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// All parameters, in the order of [`Graph::params`].
    pub fn parameters(&self) -> &[NetworkParameter] {
        &self.parameters
    }
    /// All parameters, to be changed. Shapes and counts of weights must stay.
    pub fn parameters_mut(&mut self) -> &mut [NetworkParameter] {
        &mut self.parameters
    }
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&NetworkParameter> {
        self.parameters.iter().find(|p| p.name == name)
    }
    /// The parameter of that name, to be changed.
    pub fn parameter_mut(&mut self, name: &str) -> Option<&mut NetworkParameter> {
        self.parameters.iter_mut().find(|p| p.name == name)
    }
    /// The weights that the network computes with, parameter by parameter.
    pub fn effective(&self) -> Vec<Vec<f32>> {
        self.parameters.iter().map(|p| p.weights.effective(p.len())).collect()
    }

    /// Checks that every parameter holds as many values as its shape requires.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        for p in &self.parameters {
            let n = p.len();
            let fits = match &p.weights {
                Trainable::Dense(values) => values.len() == n,
                Trainable::Masked { values, mask } => values.len() == n && mask.len() == n,
                Trainable::Shared { codebook, codes, mask, .. } => {
                    codes.len() == n
                        && mask.as_ref().is_none_or(|m| m.len() == n)
                        && codes.iter().all(|&c| usize::from(c) < codebook.len())
                }
                Trainable::Custom(_) => true,
            };
            if !fits {
                let problem = format!("its numbers do not fit its shape {:?}", p.shape);
                return Err(EngineError::Parameter { name: p.name.clone(), problem });
            }
        }
        Ok(())
    }
}

/// Distinguishes the random streams of initial weights from others.
const INITIAL: u64 = 0x696e_6974;

fn suffix(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn weights_of(parameter: &Parameter) -> Trainable {
    match parameter {
        Parameter::Dense { values, mask, .. } => match mask {
            None => Trainable::Dense(values.to_f32()),
            Some(mask) => Trainable::Masked { values: values.to_f32(), mask: mask.clone() },
        },
        Parameter::Shared { codebook, codes, mask, .. } => Trainable::Shared {
            codebook: codebook.to_f32(),
            codes: codes.clone(),
            mask: mask.clone(),
            gradient: CentroidGradient::default(),
        },
    }
}

fn stored(parameter: &NetworkParameter) -> Parameter {
    let shape = parameter.shape.clone();
    match &parameter.weights {
        Trainable::Dense(values) => {
            Parameter::Dense { shape, values: Numbers::F32(values.clone()), mask: None }
        }
        Trainable::Masked { values, mask } => {
            Parameter::Dense { shape, values: Numbers::F32(values.clone()), mask: Some(mask.clone()) }
        }
        Trainable::Shared { codebook, codes, mask, .. } => {
            Parameter::shared(shape, &Numbers::F32(codebook.clone()), codes, mask.as_deref())
        }
        Trainable::Custom(custom) => {
            let mut values = vec![0.0; parameter.len()];
            custom.effective(&mut values);
            let mask: Vec<bool> = values.iter().map(|&v| v != 0.0).collect();
            let mask = mask.contains(&false).then_some(mask);
            Parameter::Dense { shape, values: Numbers::F32(values), mask }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let graph = kompakt_graph::networks::lenet5(&[1, 28, 28], 10).unwrap();
        let weights = |seed| Network::random(&graph, seed).unwrap().effective();
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
        let bound = (1.0f32 / 25.0).sqrt();
        assert!(weights(1)[0].iter().all(|w| w.abs() <= bound));
        assert!(weights(1)[0].iter().any(|w| w.abs() > 0.9 * bound));
    }
}
