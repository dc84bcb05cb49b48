//! The loss of a network that learns from others: their mean answers on the very inputs that it sees.

use kompakt_engine::{Batch, CrossEntropy, Distillation, Engine, EngineError, Loss, Network};
use kompakt_graph::Op;
use kompakt_model::{Model, fold_batch_norm};

/// By whom a network is taught, for its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Teaching {
    /// The first 16 digits of the teachers' content hashes.
    pub teachers: Vec<String>,
    /// The teachers' part of the loss, 0 to 1.
    pub share: f32,
    /// What scores are divided by before they are compared, above 0.
    pub temperature: f32,
}

/// Cross-entropy with the labels, and with the answers of teachers. Source: Hinton 2015.
pub struct Taught {
    labels: CrossEntropy,
    engines: Vec<Engine>,
    share: f32,
    temperature: f32,
}

impl Taught {
    /// The loss for a network with inputs of shape `input`, `classes` classes, and the preprocessing `steps` (as the
    /// interchange writes it), together with what goes into its record. A teacher that another
    /// framework trained, and that records no preprocessing, takes the learner's.
    ///
    /// Errors: a teacher with other inputs, classes or preprocessing, or one whose output is no scores; a share or a
    /// temperature out of range.
    pub fn new(
        labels: CrossEntropy,
        teachers: &[Model],
        (share, temperature): (f32, f32),
        (input, classes): (&[usize], usize),
        steps: Option<&serde_json::Value>,
    ) -> Result<(Self, Teaching), EngineError> {
        let option = |name, problem: &str| EngineError::Option { name, problem: problem.to_string() };
        if !(0.0..=1.0).contains(&share) {
            return Err(option("distill", "must be 0 to 1"));
        }
        if !(0.1..=100.0).contains(&temperature) {
            return Err(option("temperature", "must be 0.1 to 100"));
        }
        let engine = |model: &Model| {
            let graph = &model.graph;
            let n: usize = graph.shape(graph.outputs()[0]).iter().product();
            if graph.inputs().len() != 1 || graph.shape(0) != input || n != classes {
                let theirs = format!("{:?} to {n} classes", graph.shape(0));
                return Err(option(
                    "teacher",
                    &format!("{theirs}; the network is {input:?} to {classes} classes"),
                ));
            }
            // What another framework trained does not record any; these see images.
            let is_told = model.provenance.iter().any(|record| {
                matches!(&record.program[..], "kompakt-train" | "kompakt-rate" | "kompakt-finetune")
            });
            if (is_told || model.preprocessing.is_some()) && model.preprocessing.as_ref() != steps {
                return Err(option("teacher", "its preprocessing is another than the network's"));
            }
            if graph.nodes().last().is_some_and(|node| matches!(node.op, Op::Softmax | Op::LogSoftmax)) {
                return Err(option("teacher", "it ends in a softmax; scores before it are wanted"));
            }
            let model = fold_batch_norm(model).map_err(|e| option("teacher", &e.to_string()))?;
            Engine::new(&Network::from_model(&model)?, 0)
        };
        let engines = teachers.iter().map(engine).collect::<Result<_, _>>()?;
        let teachers = teachers.iter().map(|t| t.content_hash()[..16].to_string()).collect();
        Ok((Self { labels, engines, share, temperature }, Teaching { teachers, share, temperature }))
    }

    /// The mean of the teachers' scores.
    fn answers(&self, batch: &Batch<'_>) -> Vec<f32> {
        let mut mean: Vec<f32> = Vec::new();
        for engine in &self.engines {
            // The shapes were compared when the loss was made.
            let scores = engine.outputs(batch.inputs).unwrap_or_default();
            mean.resize(scores.len(), 0.0);
            mean.iter_mut().zip(scores).for_each(|(mean, score)| *mean += score / self.engines.len() as f32);
        }
        mean
    }
}

impl Loss for Taught {
    fn evaluate(&self, batch: &Batch<'_>, outputs: &[f32], gradient: &mut [f32]) -> f64 {
        let teacher = |batch: &Batch<'_>| self.answers(batch);
        let Self { labels, share, temperature, .. } = *self;
        Distillation { labels, teacher: &teacher, temperature, share }.evaluate(batch, outputs, gradient)
    }
}
