//! A model prepared to run, on this machine's processor or by another executor.

mod options;
mod owned;
mod planned;
mod port;
mod prediction;
mod resize;
mod self_test;

pub use options::{Activations, SessionOptions};
pub use owned::OwnedSession;
pub use port::Port;
pub use prediction::Prediction;

use crate::{
    RUNS_FROM_FILE,
    error::RuntimeError,
    exec::{Executor, StepTime},
    model::Model,
    program::Sizes,
    schedule::plan::Plan,
    weights::Kept,
};
use alloc::{boxed::Box, format, vec::Vec};
use kompakt_kernels::Isa;
use kompakt_prep::Pipeline;
use planned::Planned;
use prediction::likeliest;

/// A model prepared to run. See [`Model`] for an example.
///
/// Construction decodes what its [`plan`](Self::plan) keeps in memory and allocates the rest; after a first
/// run with as many images, running allocates nothing. Results depend on the file, the instruction set and
/// `max_batch` (which choose the order of sums); never on the RAM budget, the tier or the number of threads.
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model<'m>,
    now: Planned<'m>,
    /// Plans for other sizes, the last used first.
    idle: Vec<Planned<'m>>,
    /// What plans share.
    kept: Kept<'m>,
    /// How the plan was made, where it can be made again for other sizes.
    options: Option<SessionOptions>,
    prepared: Vec<f32>,
    prep_scratch: kompakt_prep::Scratch,
    predictions: Vec<Prediction>,
    isa: Isa,
}

impl<'m> Session<'m> {
    /// Plans the network for this machine's processor, decodes what stays in memory, and allocates what a run
    /// needs.
    ///
    /// Errors: payloads that are broken, all nodes that cannot be run, sizes that the network does not have, a RAM budget
    /// that is too small (with the least possible), a thread that cannot be started.
    pub fn new(model: &'m Model<'m>, options: &SessionOptions) -> Result<Self, RuntimeError> {
        let sizes = resize::named(model, &options.sizes)?;
        let program = resize::program(model, &sizes)?;
        let mut kept = Kept::default();
        let now = Planned::new(model, &program, options, sizes, &mut kept)?;
        Ok(Self { kept, options: Some(options.clone()), ..Self::of(model, now, options.isa) })
    }

    /// A session with another executor; see [`Executor`].
    ///
    /// Errors: only if the bytes of the model have changed their length since they were opened.
    pub fn with_executor(
        model: &'m Model<'m>,
        executor: Box<dyn Executor + 'm>,
    ) -> Result<Self, RuntimeError> {
        let program = model.program()?;
        let now = Planned::of(model, &program, &Sizes::default(), executor, model.sizes())?;
        Ok(Self::of(model, now, Isa::best()))
    }

    fn of(model: &'m Model<'m>, now: Planned<'m>, isa: Isa) -> Self {
        Self {
            model,
            now,
            idle: Vec::new(),
            kept: Kept::default(),
            options: None,
            prepared: Vec::new(),
            prep_scratch: kompakt_prep::Scratch::default(),
            predictions: Vec::new(),
            isa,
        }
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// The plan: forms and memory.
    pub fn plan(&self) -> &Plan {
        self.now.executor.plan()
    }

    /// The network's inputs, in the order in which [`run_all`](Self::run_all) takes them.
    pub fn inputs(&self) -> &[Port] {
        &self.now.inputs
    }

    /// The network's outputs, in the order of [`output`](Self::output).
    pub fn outputs(&self) -> &[Port] {
        &self.now.outputs
    }

    /// Whether the network is a classifier: one output, a vector of at least two numbers. Only then
    /// [`predict`](Self::predict) and [`classify`](Self::classify) are meaningful.
    pub fn is_classifier(&self) -> bool {
        let [output] = &self.now.outputs[..] else { return false };
        matches!(&output.shape[..], [n, rest @ ..] if *n > 1 && rest.iter().all(|d| *d == 1))
    }

    /// Shape of the network's first input, without the batch.
    pub fn input_shape(&self) -> &[usize] {
        &self.now.inputs[0].shape
    }

    /// Shape of the network's first output, without the batch.
    pub fn output_shape(&self) -> &[usize] {
        &self.now.outputs[0].shape
    }

    /// Shape of a raw input: that of the file's preprocessing, or the network's where there is none.
    pub fn raw_shape(&self) -> Vec<usize> {
        self.now
            .pipeline
            .as_ref()
            .map_or_else(|| self.now.inputs[0].shape.clone(), |p| p.input_shape().dims())
    }

    /// The preprocessing of raw inputs, if any.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.now.pipeline.as_ref()
    }

    /// Runs a network with one input on `batch` preprocessed inputs; returns the first output.
    ///
    /// Shapes: `input` `[batch, input_shape...]`; result `[batch, output_shape...]`; row-major.
    /// Errors: an input of the wrong length.
    pub fn run(&mut self, input: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_all(&[input], batch)?;
        Ok(self.output(0))
    }

    /// Runs a network with any number of inputs; [`output`](Self::output) returns the results. Inputs of other lengths that
    /// say which sizes are meant make the session [resize](Self::resize) itself; where they do not (a picture of open height and
    /// width), [`resize_to`](Self::resize_to) takes their shapes.
    ///
    /// Errors: the wrong number of inputs, or an input of the wrong length.
    pub fn run_all(&mut self, inputs: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        self.fit(inputs, batch)?;
        self.make_room(batch);
        self.now.executor.run(inputs, batch, &mut self.now.results)
    }

    /// As [`run_all`](Self::run_all), with the results written to memory of the caller's, `[batch, shape...]` for each output:
    /// nothing is copied out. [`output`](Self::output) is empty afterwards.
    ///
    /// Errors: as [`run_all`](Self::run_all), and outputs of another number or length.
    pub fn run_all_into(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [&mut [f32]],
    ) -> Result<(), RuntimeError> {
        self.fit(inputs, batch)?;
        let n_outputs = self.now.outputs.len();
        for index in 0..n_outputs.max(outputs.len()) {
            let expected = self.now.outputs.get(index).map_or(0, |port| port.len * batch);
            let found = outputs.get(index).map_or(0, |output| output.len());
            if found != expected {
                return Err(RuntimeError::Output { index, expected, found });
            }
        }
        self.now.results.iter_mut().for_each(Vec::clear);
        self.now.executor.run_into(inputs, batch, &mut outputs[..n_outputs])
    }

    /// Output `index` of the last run, `[batch, shape...]`; empty before the first, or if there is no such output.
    pub fn output(&self, index: usize) -> &[f32] {
        self.now.results.get(index).map_or(&[], Vec::as_slice)
    }

    /// Runs the network on raw inputs: as [`run`](Self::run), after the file's preprocessing.
    ///
    /// Shapes: `raw` `[batch, raw_shape...]`. Units: bytes of images divided by 255.
    /// Errors: an input of the wrong length.
    pub fn run_raw(&mut self, raw: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_all_raw(&[raw], batch)?;
        Ok(self.output(0))
    }

    /// As [`run_all`](Self::run_all), after the file's preprocessing, which only networks of one input have.
    ///
    /// Errors: the wrong number of inputs, or an input of the wrong length.
    pub fn run_all_raw(&mut self, raw: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        self.prepared(raw, batch, |session, inputs| session.run_all(inputs, batch))
    }

    /// As [`run_all_into`](Self::run_all_into), after the file's preprocessing, which only networks of one input have.
    ///
    /// Errors: as [`run_all_into`](Self::run_all_into).
    pub fn run_all_raw_into(
        &mut self,
        raw: &[&[f32]],
        batch: usize,
        outputs: &mut [&mut [f32]],
    ) -> Result<(), RuntimeError> {
        self.prepared(raw, batch, |session, inputs| session.run_all_into(inputs, batch, outputs))
    }

    /// Calls a function with inputs after the file's preprocessing.
    fn prepared(
        &mut self,
        raw: &[&[f32]],
        batch: usize,
        run: impl FnOnce(&mut Self, &[&[f32]]) -> Result<(), RuntimeError>,
    ) -> Result<(), RuntimeError> {
        let pipeline = self.now.pipeline.take();
        let result = match (&pipeline, raw) {
            (Some(pipeline), [raw]) => self.prepare_and_run(pipeline, raw, batch, run),
            _ => run(self, raw),
        };
        self.now.pipeline = pipeline;
        result
    }

    fn prepare_and_run(
        &mut self,
        pipeline: &Pipeline,
        raw: &[f32],
        batch: usize,
        run: impl FnOnce(&mut Self, &[&[f32]]) -> Result<(), RuntimeError>,
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
        let mut prepared = core::mem::take(&mut self.prepared);
        prepared.resize(to * batch, 0.0);
        for (raw, out) in raw.chunks_exact(from.len()).zip(prepared.chunks_exact_mut(to)) {
            pipeline.apply(raw, out, &mut self.prep_scratch);
        }
        let result = run(self, &[&prepared]);
        self.prepared = prepared;
        result
    }

    /// As [`run_raw`](Self::run_raw), as probabilities: softmax over the first dimension of the output, unless the
    /// network ends in one.
    pub fn predict(&mut self, raw: &[f32], batch: usize) -> Result<&[f32], RuntimeError> {
        self.run_raw(raw, batch)?;
        if !self.now.ends_in_softmax && batch > 0 {
            let shape = &self.now.outputs[0].shape;
            let inner = shape[1..].iter().product();
            kompakt_kernels::softmax(self.isa, shape[0], inner, &mut self.now.results[0]);
        }
        Ok(self.output(0))
    }

    /// The most likely classes of one raw input, most likely first, at most `top` of them. Ties go to the
    /// lower class number.
    ///
    /// Errors: an input of another length, a network that is not a [classifier](Self::is_classifier).
    pub fn classify(&mut self, raw: &[f32], top: usize) -> Result<&[Prediction], RuntimeError> {
        if !self.is_classifier() {
            let all = self.now.outputs.iter().map(|o| format!("{:?} {:?}", o.name, o.shape));
            return Err(RuntimeError::NotAClassifier(all.collect()));
        }
        self.predict(raw, 1)?;
        let mut predictions = core::mem::take(&mut self.predictions);
        likeliest(self.output(0), top, &mut predictions);
        self.predictions = predictions;
        Ok(&self.predictions)
    }

    /// Runs a network `rounds` times on inputs as [`run_all`](Self::run_all) takes them and returns the median time of each
    /// step.
    ///
    /// Errors: the wrong number of inputs, or an input of the wrong length.
    pub fn profile(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
    ) -> Result<Vec<StepTime>, RuntimeError> {
        self.check(inputs, batch)?;
        self.make_room(batch);
        self.now.executor.profile(inputs, batch, rounds, &mut self.now.results)
    }

    /// Checks the inputs; where they are of other lengths, the session follows them.
    fn fit(&mut self, inputs: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        if let Err(error) = self.check(inputs, batch) {
            if !RUNS_FROM_FILE {
                return Err(error);
            }
            self.follow(inputs, batch, error)?;
            self.check(inputs, batch)?;
        }
        Ok(())
    }

    fn check(&self, inputs: &[&[f32]], batch: usize) -> Result<(), RuntimeError> {
        if inputs.len() != self.now.inputs.len() {
            return Err(RuntimeError::InputCount { expected: self.now.inputs.len(), found: inputs.len() });
        }
        for (input, port) in inputs.iter().zip(&self.now.inputs) {
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

    fn make_room(&mut self, batch: usize) {
        for (result, port) in self.now.results.iter_mut().zip(&self.now.outputs) {
            result.resize(port.len * batch, 0.0);
        }
    }
}
