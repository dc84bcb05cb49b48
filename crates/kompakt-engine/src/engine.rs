//! Running a network without training it.

use crate::{
    backend::{Executor, Measured, Tensors},
    error::EngineError,
    examples::Examples,
    loss::CrossEntropy,
    network::Network,
};
use kompakt_graph::Graph;

/// Loss and errors over a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean loss, in nats.
    pub loss: f64,
    /// Examples that the network got wrong.
    pub n_errors: usize,
    /// Examples in all.
    pub n: usize,
}

impl Evaluation {
    pub(crate) fn new(found: Measured, n: usize) -> Self {
        Self { loss: found.loss / n as f64, n_errors: found.errors, n }
    }
    /// Share of the examples that the network got wrong, 0 to 1.
    pub fn error(&self) -> f64 {
        self.n_errors as f64 / self.n as f64
    }
}

/// A network for inference: run and not changed.
pub struct Engine {
    executor: Executor,
    weights: Tensors,
}

impl Engine {
    /// Takes the network's weights as they are now, to run on `threads` threads (0: as many as there are).
    ///
    /// Errors: operators that the engine does not run, all of them.
    pub fn new(network: &Network, threads: usize) -> Result<Self, EngineError> {
        network.check()?;
        let executor = Executor::new(network.graph(), threads)?;
        let weights = executor.tensors(network.effective());
        Ok(Self { executor, weights })
    }

    /// Outputs `[n, classes]` for inputs `[n, …]`, both row-major.
    ///
    /// Runs on the calling thread's pool, so that a [`Loss`](crate::Loss) may run a teacher.
    ///
    /// Errors: a length that is not a multiple of an input's.
    pub fn outputs(&self, inputs: &[f32]) -> Result<Vec<f32>, EngineError> {
        let shape = self.executor.graph().shape(0);
        let len: usize = shape.iter().product();
        if !inputs.len().is_multiple_of(len) {
            return Err(EngineError::Data(format!(
                "{} numbers are no inputs of shape {shape:?}",
                inputs.len()
            )));
        }
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.executor.outputs(&self.weights, inputs.to_vec(), inputs.len() / len))
    }

    /// Cross-entropy and error over a data set. A softmax at the network's end is left out: the loss includes it.
    pub fn evaluate(&self, examples: &dyn Examples) -> Result<Evaluation, EngineError> {
        check_examples(self.executor.graph(), examples)?;
        let found = self.executor.evaluate(&self.weights, examples, &CrossEntropy::default());
        Ok(Evaluation::new(found, examples.len()))
    }
}

/// Refuses examples that do not fit a network.
pub(crate) fn check_examples(graph: &Graph, examples: &dyn Examples) -> Result<(), EngineError> {
    let (shape, wanted) = (examples.shape(), graph.shape(0));
    if shape != wanted {
        return Err(EngineError::Data(format!("examples of shape {shape:?}, the network takes {wanted:?}")));
    }
    if examples.is_empty() {
        return Err(EngineError::Data("there are no examples".to_string()));
    }
    let classes: usize = graph.shape(graph.outputs()[0]).iter().product();
    match (0..examples.len()).find(|&e| examples.label(e) >= classes) {
        Some(e) => Err(EngineError::Data(format!(
            "example {e} is of class {}, the network has {classes} outputs",
            examples.label(e)
        ))),
        None => Ok(()),
    }
}
