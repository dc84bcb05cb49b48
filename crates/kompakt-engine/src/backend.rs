//! The boundary to burn: graphs in, results out. No type of burn is visible outside of this module.
//!
//! A batch is divided into two halves, each run forward and backward on its own, and their gradients are added in
//! order. So two cores work without waiting for each other inside operators, and results do not depend on how many
//! there are. Networks with batch norm do not divide the batch: its statistics are over all of it.
//!
//! The device is burn's CPU backend. Another of its backends needs an implementation of [`kernels::Kernels`] and a
//! choice of device in [`Executor::new`].

mod convolution;
mod direct;
mod forward;
mod kernels;
mod matrix;
mod normalisation;
mod pooling;
mod record;

use crate::{
    error::EngineError,
    examples::Examples,
    loss::{Batch, Loss, count_errors},
};
use burn::backend::{
    Autodiff, AutodiffBackend, Flex, Shape, TensorData,
    flex::{FlexDevice, FlexTensor},
    ops::FloatTensorOps,
};
use forward::{BatchStatistics, Forward, Mode};
use kompakt_graph::{Graph, Op, ValueId};

/// Where a step of training is: which examples, and which random numbers belong to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    pub(crate) step: u64,
}

/// The result of one training step.
pub(crate) struct StepResult {
    /// Sum over the examples.
    pub(crate) loss: f64,
    pub(crate) errors: usize,
    /// Gradient of the mean loss by each weight, for the requested parameters; in the order of [`Graph::params`].
    pub(crate) gradients: Vec<Option<Vec<f32>>>,
    /// The batch statistics of batch norms.
    pub(crate) statistics: Vec<BatchStatistics>,
}

/// Loss and errors of a part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    pub(crate) loss: f64,
    pub(crate) errors: usize,
}

/// Runs one graph.
pub(crate) struct Executor {
    graph: Graph,
    /// One per half of a batch; a single one serves both when there is one thread.
    pools: Vec<rayon::ThreadPool>,
    whole_batches: bool,
    /// The value that losses see: the output, or the input of the softmax that produces it.
    logits: ValueId,
}

/// The weights of a network on the device.
pub(crate) struct Tensors(Vec<FlexTensor>);

type Train = Autodiff<Flex>;

impl Executor {
    /// Prepares a graph for `threads` threads (0: as many as the machine has).
    ///
    /// Errors: lists everything in the graph that cannot be run.
    pub(crate) fn new(graph: &Graph, threads: usize) -> Result<Self, EngineError> {
        let problems = forward::unsupported(graph);
        if !problems.is_empty() {
            return Err(EngineError::Unsupported(problems));
        }
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let whole_batches = graph.nodes().iter().any(|n| matches!(n.op, Op::BatchNorm { .. }));
        let sizes = if whole_batches || threads == 1 {
            vec![threads]
        } else {
            vec![threads.div_ceil(2), threads / 2]
        };
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build();
        let pools = sizes.into_iter().map(pool).collect::<Result<_, _>>();
        let pools = pools.map_err(|e| EngineError::Threads(e.to_string()))?;
        let output = graph.outputs()[0];
        let logits = match graph.producer(output).map(|i| &graph.nodes()[i]) {
            Some(node) if node.op == Op::Softmax => node.inputs[0],
            _ => output,
        };
        Ok(Self { graph: graph.clone(), pools, whole_batches, logits })
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Forward and backward over the examples `chosen`, with the given weights.
    pub(crate) fn step(
        &self,
        weights: Vec<Vec<f32>>,
        asked: &[bool],
        (examples, chosen): (&dyn Examples, &[usize]),
        loss: &dyn Loss,
        moment: Moment,
    ) -> StepResult {
        let weights = self.tensors(weights);
        let total = chosen.len();
        let run = |first: usize, part: &[usize]| {
            let inputs = self.read(examples, part, moment.epoch);
            let labels: Vec<usize> = part.iter().map(|&e| examples.label(e)).collect();
            let mixtures: Option<Vec<_>> = part.iter().map(|&e| examples.mixture(moment.epoch, e)).collect();
            let mixtures = mixtures.unwrap_or_default();
            let batch = Batch { inputs: &inputs, labels: &labels, examples: part, mixtures: &mixtures };
            self.part(&weights, asked, &batch, loss, moment, (first, total))
        };
        let half = if self.whole_batches { total } else { total.div_ceil(2) };
        let (left, right) = chosen.split_at(half);
        if right.is_empty() {
            return self.pools[0].install(|| run(0, left));
        }
        let (first, second) = self.both(|| run(0, left), || run(half, right));
        add(first, second)
    }

    /// Runs two jobs, in parallel if there are threads for both.
    fn both<R: Send>(&self, a: impl FnOnce() -> R + Send, b: impl FnOnce() -> R + Send) -> (R, R) {
        match &self.pools[..] {
            [one] => one.install(|| (a(), b())),
            [one, two, ..] => {
                let mut second = None;
                let first = two.in_place_scope(|scope| {
                    scope.spawn(|_| second = Some(b()));
                    one.install(a)
                });
                match second {
                    Some(second) => (first, second),
                    None => unreachable!("a scope ends after its jobs"),
                }
            }
            [] => unreachable!("an executor has a pool"),
        }
    }

    fn part(
        &self,
        weights: &Tensors,
        asked: &[bool],
        batch: &Batch<'_>,
        loss: &dyn Loss,
        moment: Moment,
        (first, total): (usize, usize),
    ) -> StepResult {
        let parameters: Vec<_> = weights
            .0
            .iter()
            .zip(asked)
            .map(|(w, &asked)| {
                let leaf = Train::from_inner(w.clone());
                if asked { leaf.require_grad() } else { leaf }
            })
            .collect();
        let place = [moment.seed, moment.epoch, moment.step];
        let mut forward = Forward::<Train> {
            graph: &self.graph,
            parameters: &parameters,
            mode: Mode::Train { place: &place, first },
            device: &FlexDevice,
            statistics: Vec::new(),
        };
        let n = batch.labels.len();
        let input = self.input(batch.inputs.to_vec(), n);
        let output = forward.run(Train::from_inner(input), n, self.logits);
        let statistics = forward.statistics;
        let outputs = into_numbers(output.primitive().clone());
        let mut by_output = vec![0.0; outputs.len()];
        let value = loss.evaluate(batch, &outputs, &mut by_output);
        by_output.iter_mut().for_each(|g| *g /= total as f32);
        let errors = count_errors(batch.labels, &outputs);
        let gradients = if output.is_tracked() {
            // The gradient of sum(outputs * c) by the outputs is c.
            let shape = Shape::new([n, outputs.len() / n]);
            let c = Train::from_inner(Flex::float_from_data(TensorData::new(by_output, shape), &FlexDevice));
            let mut found = Train::backward(Train::float_sum(Train::float_mul(output, c)));
            parameters.iter().map(|p| Train::grad_remove(p, &mut found).map(into_numbers)).collect()
        } else {
            vec![None; parameters.len()]
        };
        StepResult { loss: value, errors, gradients, statistics }
    }

    /// Outputs of the network for `n` inputs, `[n, classes]`, running on the calling thread's pool.
    pub(crate) fn outputs(&self, weights: &Tensors, inputs: Vec<f32>, n: usize) -> Vec<f32> {
        self.run(weights, inputs, n, self.graph.outputs()[0])
    }

    /// The value `until` for `n` inputs.
    fn run(&self, weights: &Tensors, inputs: Vec<f32>, n: usize, until: ValueId) -> Vec<f32> {
        let mut forward = Forward::<Flex> {
            graph: &self.graph,
            parameters: &weights.0,
            mode: Mode::Evaluate,
            device: &FlexDevice,
            statistics: Vec::new(),
        };
        into_numbers(forward.run(self.input(inputs, n), n, until))
    }

    /// Loss and errors over all examples.
    pub(crate) fn evaluate(&self, weights: &Tensors, examples: &dyn Examples, loss: &dyn Loss) -> Measured {
        const AT_ONCE: usize = 250;
        let run = |part: &[usize]| {
            let mut measured = Measured::default();
            for part in part.chunks(AT_ONCE) {
                let inputs = self.read(examples, part, 0);
                let labels: Vec<usize> = part.iter().map(|&e| examples.label(e)).collect();
                let outputs = self.run(weights, inputs.clone(), part.len(), self.logits);
                let mut gradient = vec![0.0; outputs.len()];
                let batch = Batch { inputs: &inputs, labels: &labels, examples: part, mixtures: &[] };
                measured.loss += loss.evaluate(&batch, &outputs, &mut gradient);
                measured.errors += count_errors(&labels, &outputs);
            }
            measured
        };
        let all: Vec<usize> = (0..examples.len()).collect();
        let half = all.len().div_ceil(2 * AT_ONCE) * AT_ONCE;
        let (left, right) = all.split_at(half.min(all.len()));
        let (a, b) = self.both(|| run(left), || run(right));
        Measured { loss: a.loss + b.loss, errors: a.errors + b.errors }
    }

    /// The weights as tensors, in the order of [`Graph::params`].
    pub(crate) fn tensors(&self, weights: Vec<Vec<f32>>) -> Tensors {
        let shapes = self.graph.params().iter().map(|p| p.shape.clone());
        let tensor = |(values, shape)| Flex::float_from_data(TensorData::new(values, shape), &FlexDevice);
        Tensors(weights.into_iter().zip(shapes).map(tensor).collect())
    }

    fn read(&self, examples: &dyn Examples, chosen: &[usize], epoch: u64) -> Vec<f32> {
        let len: usize = self.graph.shape(0).iter().product();
        let mut inputs = vec![0.0; chosen.len() * len];
        examples.fill(epoch, chosen, &mut inputs);
        inputs
    }

    fn input(&self, values: Vec<f32>, n: usize) -> FlexTensor {
        let mut shape = vec![n];
        shape.extend(self.graph.shape(0));
        Flex::float_from_data(TensorData::new(values, shape), &FlexDevice)
    }
}

/// Adds the results of two parts of a batch.
fn add(mut a: StepResult, b: StepResult) -> StepResult {
    a.loss += b.loss;
    a.errors += b.errors;
    for (a, b) in a.gradients.iter_mut().zip(b.gradients) {
        if let (Some(a), Some(b)) = (a.as_mut(), b) {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
    }
    a.statistics.extend(b.statistics);
    a
}

fn into_numbers(tensor: FlexTensor) -> Vec<f32> {
    match tensor.into_data().try_into_vec() {
        Ok(values) => values,
        Err(error) => unreachable!("all tensors here are f32: {error}"),
    }
}
