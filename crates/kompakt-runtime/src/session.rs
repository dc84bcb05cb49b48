//! A model made ready to run, with all the memory that a run needs.

use crate::{
    arena::{Arena, Places},
    error::RuntimeError,
    execute::{Run, turn},
    fuse::Affine,
    layer::{Layer, Scratch},
    model::Model,
    plan::{LayerPlan, Plan, Planner},
    program::{LayerSpec, Program, Step},
    threads::Threads,
    weights::{SharedTables, Weights},
};
use kompakt_format::{Container, Pool};
use kompakt_graph::Graph;
use kompakt_kernels::{Isa, elementwise};
use kompakt_prep::Pipeline;
use std::time::Duration;

/// How to run a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Threads; results do not depend on it. Default 1.
    pub threads: usize,
    /// The most memory in bytes that the session may hold (not the program, not what is mapped of the file). Layers
    /// that do not fit are unpacked from the file at every run. Default: no limit.
    pub ram_budget: Option<usize>,
    /// Run every layer from the file that can be, whatever the budget: the shortest start and nearly the least memory,
    /// for more time a run. Default: no.
    pub from_file: bool,
    /// Images that are run at once: more make better use of each weight that is loaded, and take more memory. Longer
    /// batches are run in parts, so any number works. Default 1.
    pub max_batch: usize,
    /// The instruction set. Default: the best of the machine.
    pub isa: Isa,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { threads: 1, ram_budget: None, from_file: false, max_batch: 1, isa: Isa::best() }
    }
}

/// One class and how likely the network finds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The class; [`Model::label`] names it.
    pub class: usize,
    /// 0 to 1.
    pub probability: f32,
}

/// What one step of a run took.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The node, or the first of those that the step does.
    pub name: String,
    /// What the step does: `linear`, `conv`, `max_pool`, …
    pub kind: &'static str,
    /// The median over the rounds.
    pub time: Duration,
    /// The least of the rounds: what it takes where nothing else runs.
    pub least: Duration,
}

/// A model made ready to run. See [`Model`] for an example.
///
/// Making one decodes what its [`plan`](Self::plan) keeps in memory and allocates all else; after a first run with as
/// many images, running allocates nothing. Results depend on the file, the instruction set and `max_batch` (which choose
/// the order of sums); never on the RAM budget, the tier or the number of threads.
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model<'m>,
    isa: Isa,
    max_batch: usize,
    threads: Threads,
    program: Program,
    layers: Vec<Layer<'m>>,
    affines: Vec<PerChannel>,
    arena: Arena,
    scratch: Vec<Scratch>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Results of the last run, one an output: `[batch, len]`.
    results: Vec<Vec<f32>>,
    pipeline: Option<Pipeline>,
    prepared: Vec<f32>,
    prep_scratch: kompakt_prep::Scratch,
    predictions: Vec<Prediction>,
    /// Whether the first output is probabilities already.
    ends_in_softmax: bool,
    plan: Plan,
}

/// An input or output of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// The name of the value in the network: an input's, or that of the node that makes it.
    pub name: String,
    /// Its shape, batch left out.
    pub shape: Vec<usize>,
    /// Numbers of one: the product of the shape.
    pub len: usize,
}

impl Port {
    fn new(graph: &Graph, value: usize) -> Self {
        let shape = graph.shape(value).to_vec();
        Self { name: graph.value_name(value).to_string(), len: shape.iter().product(), shape }
    }
}

impl<'m> Session<'m> {
    /// Plans the network, decodes what is to stay in memory, and allocates what a run needs.
    ///
    /// Errors: payloads that are broken, all nodes that cannot be run, a RAM budget that is too small (with the least
    /// possible), a thread that cannot be started.
    pub fn new(model: &'m Model<'m>, options: &SessionOptions) -> Result<Self, RuntimeError> {
        let (max_batch, n_threads) = (options.max_batch.max(1), options.threads.max(1));
        let container = model.container()?.on(options.isa);
        let graph = container.graph();
        let program = Program::compile(graph, max_batch).map_err(RuntimeError::Unsupported)?;
        let places = Places::plan(&program.buffers, max_batch);
        let activation_bytes = places.len * 4;
        let mut pool = container.pool()?;
        let affines = affines(&container, &program, &mut pool)?;
        let mut epilogues = Vec::new();
        for spec in &program.layers {
            epilogues.push(epilogue(&container, spec, &mut pool)?);
        }
        let (mut weights, mut tables) = (Vec::new(), SharedTables::default());
        for spec in &program.layers {
            let exact_from = |n_levels| crate::layer::exact_from(spec, options.isa, max_batch, n_levels);
            let mut opened = Weights::open(&container, spec.weight, &exact_from, &mut pool, &mut tables)?;
            opened.more_at_once = crate::layer::more_at_once(spec);
            weights.push(opened);
        }
        drop(pool);
        let file_in_memory = if model.is_mapped() { 0 } else { model.n_bytes() };
        let planner = Planner {
            program: &program,
            isa: options.isa,
            threads: n_threads,
            max_batch,
            ram_budget: options.ram_budget,
            prefer_file: options.from_file,
            fixed: Planner::fixed_bytes(activation_bytes, file_in_memory, &program),
            tables: tables.n_bytes(),
        };
        let forms = planner.choose(&weights)?;
        let mut plan = Plan {
            isa: options.isa.name(),
            threads: n_threads,
            max_batch,
            layers: Vec::new(),
            activation_bytes,
            activation_bytes_unshared: program.buffers.iter().map(|b| b.floats(max_batch) * 4).sum(),
            anonymous_bytes: planner.fixed,
            file_bytes: 0,
        };
        let mut layers = Vec::new();
        let mut scratch_bytes = 0;
        for (((spec, weights), form), (scale, bias)) in
            program.layers.iter().zip(weights).zip(forms).zip(epilogues)
        {
            let file_bytes = weights.file_bytes;
            scratch_bytes = scratch_bytes.max(crate::layer::scratch_bytes(
                spec,
                &weights,
                form.form,
                form.fastest,
                max_batch,
            ));
            let layer = Layer::build(
                spec.clone(),
                weights,
                form.form,
                form.fastest,
                options.isa,
                max_batch,
                scale,
                bias,
            )?;
            let is_from_file = layer.weights.is_some();
            plan.layers.push(LayerPlan {
                name: spec.name.clone(),
                form: layer.form.name(),
                n_kept: layer.n_kept,
                n_weights: layer.n_weights,
                anonymous_bytes: layer.n_bytes(),
                file_bytes: if is_from_file { file_bytes } else { 0 },
                costs: form.costs,
            });
            layers.push(layer);
        }
        if layers.iter().any(|l| l.weights.is_some()) {
            plan.anonymous_bytes += planner.tables;
        }
        plan.anonymous_bytes += scratch_bytes * n_threads;
        plan.anonymous_bytes += plan.layers.iter().map(|l| l.anonymous_bytes).sum::<usize>();
        plan.file_bytes = if model.is_mapped() { plan.layers.iter().map(|l| l.file_bytes).sum() } else { 0 };
        let inputs: Vec<Port> = (0..graph.inputs().len()).map(|v| Port::new(graph, v)).collect();
        let outputs: Vec<Port> = graph.outputs().iter().map(|&v| Port::new(graph, v)).collect();
        Ok(Self {
            model,
            isa: options.isa,
            max_batch,
            threads: Threads::new(n_threads)?,
            arena: Arena::new(places),
            scratch: (0..n_threads).map(|_| Scratch::default()).collect(),
            results: outputs.iter().map(|_| Vec::new()).collect(),
            pipeline: container.pipeline().filter(|p| !p.is_identity()).cloned(),
            prepared: Vec::new(),
            prep_scratch: kompakt_prep::Scratch::default(),
            predictions: Vec::new(),
            ends_in_softmax: ends_in_softmax(graph),
            program,
            layers,
            affines,
            inputs,
            outputs,
            plan,
        })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Forms and memory.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The network's inputs, in the order in which [`run_all`](Self::run_all) takes them.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The network's outputs, in the order of [`output`](Self::output).
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Whether the answer is a class: one output, a vector of at least two numbers. Then
    /// [`predict`](Self::predict) and [`classify`](Self::classify) have a meaning.
    pub fn is_classifier(&self) -> bool {
        let [output] = &self.outputs[..] else { return false };
        matches!(&output.shape[..], [n, rest @ ..] if *n > 1 && rest.iter().all(|d| *d == 1))
    }

    /// Shape of the network's first input, batch left out.
    pub fn input_shape(&self) -> &[usize] {
        &self.inputs[0].shape
    }

    /// Shape of the network's first output, batch left out.
    pub fn output_shape(&self) -> &[usize] {
        &self.outputs[0].shape
    }

    /// Shape of a raw input: what the file's preprocessing takes, or the network where it has none.
    pub fn raw_shape(&self) -> Vec<usize> {
        self.pipeline.as_ref().map_or_else(|| self.inputs[0].shape.clone(), |p| p.input_shape().dims())
    }

    /// What is done to a raw input first, if anything.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.pipeline.as_ref()
    }

    /// Runs a network of one input on `batch` prepared inputs; gives the first output.
    ///
    /// Shapes: `input` `[batch, input_shape...]`; result `[batch, output_shape...]`; row-major.
    /// Errors: an input of another length.
    pub fn run(&mut self, input: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_all(&[input], batch)?;
        Ok(self.output(0))
    }

    /// Runs a network of any number of inputs; [`output`](Self::output) gives the results.
    ///
    /// Errors: inputs of another number or length.
    pub fn run_all(&mut self, inputs: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        self.check(inputs, batch)?;
        self.run_checked(inputs, batch, None)
    }

    /// Output `index` of the last run, `[batch, shape...]`; empty before the first, or if there is no such output.
    pub fn output(&self, index: usize) -> &[f32] {
        self.results.get(index).map_or(&[], Vec::as_slice)
    }

    /// Runs the network on raw inputs: as [`run`](Self::run), after the file's preprocessing.
    ///
    /// Shapes: `raw` `[batch, raw_shape...]`. Units: bytes of pictures divided by 255.
    /// Errors: an input of another length.
    pub fn run_raw(&mut self, raw: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_all_raw(&[raw], batch)?;
        Ok(self.output(0))
    }

    /// As [`run_all`](Self::run_all), after the file's preprocessing, which only networks of one input have.
    ///
    /// Errors: inputs of another number or length.
    pub fn run_all_raw(&mut self, raw: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        let pipeline = self.pipeline.take();
        let result = match (&pipeline, raw) {
            (Some(pipeline), [raw]) => self.prepare_and_run(pipeline, raw, batch),
            _ => self.run_all(raw, batch),
        };
        self.pipeline = pipeline;
        result
    }

    fn prepare_and_run(
        &mut self,
        pipeline: &Pipeline,
        raw: &[f32],
        batch: usize,
    ) -> Result<(), RuntimeError> {
        let (from, to) = (pipeline.input_shape(), pipeline.output_shape().len());
        if from.len().checked_mul(batch) != Some(raw.len()) {
            return Err(RuntimeError::Input {
                name: "raw".into(),
                shape: from.dims(),
                batch,
                expected: from.len().saturating_mul(batch),
                found: raw.len(),
            });
        }
        let mut prepared = std::mem::take(&mut self.prepared);
        prepared.resize(to * batch, 0.0);
        for (raw, out) in raw.chunks_exact(from.len()).zip(prepared.chunks_exact_mut(to)) {
            pipeline.apply(raw, out, &mut self.prep_scratch);
        }
        let result = self.run_all(&[&prepared], batch);
        self.prepared = prepared;
        result
    }

    /// As [`run_raw`](Self::run_raw), as probabilities: softmax over the first dimension of the output, unless the
    /// network ends in one.
    pub fn predict(&mut self, raw: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_raw(raw, batch)?;
        if !self.ends_in_softmax && batch > 0 {
            let Port { shape, len, .. } = &self.outputs[0];
            let inner = shape[1..].iter().product();
            for logits in self.results[0].chunks_exact_mut(*len) {
                elementwise::softmax(self.isa, inner, logits);
            }
        }
        Ok(self.output(0))
    }

    /// The likeliest classes of one raw input, likeliest first, at most `top` of them. Of equals the first class
    /// comes first.
    ///
    /// Errors: an input of another length, a network that is not a [classifier](Self::is_classifier).
    pub fn classify(&mut self, raw: &[f32], top: usize) -> Result<&[Prediction], RuntimeError> {
        if !self.is_classifier() {
            let all = self.outputs.iter().map(|o| format!("{:?} {:?}", o.name, o.shape));
            return Err(RuntimeError::NotAClassifier(all.collect()));
        }
        self.predict(raw, 1)?;
        let mut predictions = std::mem::take(&mut self.predictions);
        best(self.output(0), top, &mut predictions);
        self.predictions = predictions;
        Ok(&self.predictions)
    }

    /// Runs a network of one input `rounds` times and gives the median time of each step.
    ///
    /// Errors: an input of another length.
    pub fn profile(
        &mut self,
        input: &[f32],
        batch: usize,
        rounds: usize,
    ) -> Result<Vec<StepTime>, RuntimeError> {
        self.check(&[input], batch)?;
        let n_steps = self.program.steps.len();
        let mut rounds: Vec<Vec<Duration>> = vec![vec![Duration::ZERO; n_steps]; rounds.max(1)];
        for times in &mut rounds {
            self.run_checked(&[input], batch, Some(times))?;
        }
        let median = |step: usize| {
            let mut all: Vec<Duration> = rounds.iter().map(|times| times[step]).collect();
            all.sort_unstable();
            (all[all.len() / 2], all[0])
        };
        let step = |(i, step): (usize, &Step)| {
            let (time, least) = median(i);
            StepTime { name: step.name.clone(), kind: step.kind.name(), time, least }
        };
        Ok(self.program.steps.iter().enumerate().map(step).collect())
    }

    fn check(&self, inputs: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        if inputs.len() != self.inputs.len() {
            return Err(RuntimeError::InputCount { expected: self.inputs.len(), found: inputs.len() });
        }
        for (input, port) in inputs.iter().zip(&self.inputs) {
            if port.len.checked_mul(batch) != Some(input.len()) {
                return Err(RuntimeError::Input {
                    name: port.name.clone(),
                    shape: port.shape.clone(),
                    batch,
                    expected: port.len.saturating_mul(batch),
                    found: input.len(),
                });
            }
        }
        Ok(())
    }

    fn run_checked(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        mut times: Option<&mut [Duration]>,
    ) -> Result<(), RuntimeError> {
        for (result, port) in self.results.iter_mut().zip(&self.outputs) {
            result.resize(port.len * batch, 0.0);
        }
        for first in (0..batch).step_by(self.max_batch) {
            let n = self.max_batch.min(batch - first);
            for ((input, port), &buffer) in inputs.iter().zip(&self.inputs).zip(&self.program.inputs) {
                let x = &input[first * port.len..(first + n) * port.len];
                let to = self.arena.get_mut(buffer, n);
                if port.shape.len() == 1 { turn(x, n, port.len, to) } else { to.copy_from_slice(x) }
            }
            Run {
                isa: self.isa,
                threads: &self.threads,
                program: &self.program,
                layers: &self.layers,
                affines: &self.affines,
                arena: &mut self.arena,
                scratch: &mut self.scratch,
                n,
            }
            .run(times.as_deref_mut());
            for ((result, port), &buffer) in
                self.results.iter_mut().zip(&self.outputs).zip(&self.program.outputs)
            {
                let y = self.arena.get(buffer, n);
                let to = &mut result[first * port.len..(first + n) * port.len];
                if port.shape.len() == 1 { turn(y, port.len, n, to) } else { to.copy_from_slice(y) }
            }
            if let Some(error) = self.scratch.iter_mut().find_map(|s| s.row.error.take()) {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// The likeliest classes, likeliest first.
pub(crate) fn best(probabilities: &[f32], top: usize, predictions: &mut Vec<Prediction>) {
    predictions.clear();
    predictions.extend(
        probabilities.iter().enumerate().map(|(class, &probability)| Prediction { class, probability }),
    );
    predictions.sort_unstable_by(|a, b| b.probability.total_cmp(&a.probability).then(a.class.cmp(&b.class)));
    predictions.truncate(top);
}

/// Whether the first output comes from a softmax, shapes aside.
fn ends_in_softmax(graph: &Graph) -> bool {
    use kompakt_graph::Op;
    let mut value = graph.outputs().first().copied();
    while let Some(node) = value.and_then(|v| graph.producer(v)) {
        let node = &graph.nodes()[node];
        match node.op {
            Op::Softmax => return true,
            Op::Flatten | Op::Reshape { .. } | Op::Identity | Op::Dropout { .. } => {
                value = node.inputs.first().copied();
            }
            _ => return false,
        }
    }
    false
}

/// A scale and a bias for each channel.
type PerChannel = (Vec<f32>, Vec<f32>);

/// The numbers of a parameter that is not a layer's weight.
fn numbers(container: &Container<'_>, index: usize, pool: &mut Pool) -> Result<Vec<f32>, RuntimeError> {
    match pool.get(index) {
        Some(decoded) => Ok(decoded.to_f32()),
        None => Ok(container.decode_parameter(index, pool)?.to_f32()),
    }
}

/// Scale and bias of a node that has them, one a channel.
fn affine(container: &Container<'_>, affine: Affine, pool: &mut Pool) -> Result<PerChannel, RuntimeError> {
    match affine {
        Affine::ScaleBias { weight, bias } => {
            Ok((numbers(container, weight, pool)?, numbers(container, bias, pool)?))
        }
        Affine::Slopes { weight } => Ok((numbers(container, weight, pool)?, Vec::new())),
        Affine::BatchNorm { weight, eps } => {
            let mut get = |i| numbers(container, weight + i, pool);
            let (gamma, beta, mean, var) = (get(0)?, get(1)?, get(2)?, get(3)?);
            let scale = |i: usize| f64::from(gamma[i]) / (f64::from(var[i]) + f64::from(eps)).sqrt();
            let bias = |i: usize| (f64::from(beta[i]) - f64::from(mean[i]) * scale(i)) as f32;
            Ok(((0..gamma.len()).map(|i| scale(i) as f32).collect(), (0..gamma.len()).map(bias).collect()))
        }
    }
}

fn affines(
    container: &Container<'_>,
    program: &Program,
    pool: &mut Pool,
) -> Result<Vec<PerChannel>, RuntimeError> {
    program.affines.iter().map(|&a| affine(container, a, pool)).collect()
}

/// Scale and bias of a layer's epilogue: `(sum + b) * s + c = sum * s + (b * s + c)`.
type ScaleAndBias = (Option<Vec<f32>>, Option<Vec<f32>>);

fn epilogue(
    container: &Container<'_>,
    spec: &LayerSpec,
    pool: &mut Pool,
) -> Result<ScaleAndBias, RuntimeError> {
    let bias = spec.bias.map(|b| numbers(container, b, pool)).transpose()?;
    let Some(fused) = spec.affine else { return Ok((None, bias)) };
    let (scale, mut shift) = affine(container, fused, pool)?;
    if let Some(bias) = bias {
        for ((shift, s), b) in shift.iter_mut().zip(&scale).zip(bias) {
            *shift = (f64::from(b) * f64::from(*s) + f64::from(*shift)) as f32;
        }
    }
    Ok((Some(scale), Some(shift)))
}
