//! Sessions at other sizes: of a longer text, a wider picture.
//!
//! A session is planned for one size of each open size of its model. Another size makes another plan, which shares the weights in
//! memory that have the same form at both sizes; the others are decoded again. The last plans are kept (see
//! [`SessionOptions::idle_bytes`]). Under a RAM budget there is one plan at a time, and nothing is shared.

use super::{
    Port, Session, SessionOptions,
    planned::{self, Planned},
};
use crate::{
    error::RuntimeError,
    exec::Executor,
    model::Model,
    program::{Program, Sizes},
    schedule::plan::Plan,
};
use alloc::{boxed::Box, string::String, vec, vec::Vec};
use kompakt_graph::{Count, Size};
use kompakt_prep::Pipeline;
use kompakt_words::words;

/// The sizes of a model's symbols, those that are given by name replaced.
pub(super) fn named(model: &Model<'_>, given: &[(String, usize)]) -> Result<Vec<usize>, RuntimeError> {
    let mut sizes = model.sizes();
    if given.is_empty() {
        return Ok(sizes);
    }
    let graph = model.graph();
    let Some(open) = graph.sizes() else {
        graph.at(given)?;
        return Ok(sizes);
    };
    let found = open.named(given)?;
    for (index, symbol) in open.symbols.iter().enumerate() {
        if given.iter().any(|(name, _)| *name == symbol.name) {
            sizes[index] = found[index];
        }
    }
    Ok(sizes)
}

/// The program of a model at these sizes.
pub(super) fn program(model: &Model<'_>, sizes: &[usize]) -> Result<Program, RuntimeError> {
    Program::new(&model.graph().at_sizes(sizes)?)
}

/// The preprocessing that makes these inputs. Where it keeps the shape of a raw input, that is open with it.
///
/// Errors: preprocessing that makes one shape only, which is not the input's.
pub(super) fn pipeline(model: &Model<'_>, inputs: &[Port]) -> Result<Option<Pipeline>, RuntimeError> {
    let container = model.container()?;
    let Some(pipeline) = container.pipeline().filter(|pipeline| !pipeline.is_identity()) else {
        return Ok(None);
    };
    let (made, wanted) = (pipeline.output_shape().dims(), &inputs[0].shape);
    if made == *wanted {
        return Ok(Some(pipeline.clone()));
    }
    if pipeline.input_shape().dims() == made
        && let Ok(again) = Pipeline::new(wanted, pipeline.steps().to_vec())
        && again.output_shape().dims() == *wanted
    {
        return Ok(Some(again));
    }
    let problem = words!("the file's preprocessing makes inputs of {made:?} only, not of {wanted:?}");
    Err(RuntimeError::Executor(problem))
}

/// Between two plans.
struct Nothing(Plan);

impl core::fmt::Debug for Nothing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Nothing")
    }
}

impl Executor for Nothing {
    fn plan(&self) -> &Plan {
        &self.0
    }

    fn run(&mut self, _: &[&[f32]], _: usize, _: &mut [Vec<f32>]) -> Result<(), RuntimeError> {
        Err(RuntimeError::Executor("the session could not be planned again; make a new one".into()))
    }
}

impl<'m> Session<'m> {
    /// The size of each of the model's [open sizes](Model::open_sizes) at which the session runs.
    pub fn sizes(&self) -> &[usize] {
        &self.now.sizes
    }

    /// Plans the session again for other sizes, by name; sizes that are not named stay. The plan before is kept, within
    /// [`idle_bytes`](SessionOptions::idle_bytes): coming back to its sizes takes microseconds.
    ///
    /// Errors: a name that the network does not have, a size outside of its range, sizes at which a node cannot work; the
    /// session stays as it is. A session of another executor is resized if that [can be](Executor::is_resizable).
    pub fn resize(&mut self, sizes: &[(String, usize)]) -> Result<(), RuntimeError> {
        let found = named(self.model, sizes)?;
        let mut all = self.now.sizes.clone();
        for (index, symbol) in self.model.open_sizes().iter().enumerate() {
            if sizes.iter().any(|(name, _)| *name == symbol.name) {
                all[index] = found[index];
            }
        }
        self.set_sizes(all)
    }

    /// Plans the session again for inputs of these shapes, without the batch.
    ///
    /// Errors: as [`resize`](Self::resize); shapes that the network's inputs cannot have.
    pub fn resize_to(&mut self, shapes: &[&[usize]]) -> Result<(), RuntimeError> {
        if shapes.len() != self.now.inputs.len() {
            return Err(RuntimeError::InputCount { expected: self.now.inputs.len(), found: shapes.len() });
        }
        let Some(open) = self.model.graph().sizes() else { return Ok(()) };
        let known: Vec<Option<&[usize]>> = shapes.iter().map(|shape| Some(*shape)).collect();
        self.set_sizes(open.fitting(&known, &self.now.sizes)?)
    }

    fn set_sizes(&mut self, sizes: Vec<usize>) -> Result<(), RuntimeError> {
        if sizes == self.now.sizes {
            return Ok(());
        }
        let Some(options) = self.options.clone() else { return self.resize_executor(sizes) };
        if let Some(at) = self.idle.iter().position(|plan| plan.sizes == sizes) {
            let plan = self.idle.remove(at);
            self.exchange(plan, &options);
            return Ok(());
        }
        let program = program(self.model, &sizes)?;
        if options.ram_budget.is_some() {
            return self.plan_again(&program, &options, sizes);
        }
        let plan = Planned::new(self.model, &program, &options, sizes, &mut self.kept)?;
        self.exchange(plan, &options);
        Ok(())
    }

    /// Prepares another executor for other sizes.
    fn resize_executor(&mut self, sizes: Vec<usize>) -> Result<(), RuntimeError> {
        let program = program(self.model, &sizes)?;
        // What can fail besides the executor comes first.
        let nothing = Box::new(Nothing(Plan::default()));
        let mut resized = Planned::of(self.model, &program, &Sizes::default(), nothing, sizes)?;
        self.now.executor.resize(&program)?;
        core::mem::swap(&mut self.now.executor, &mut resized.executor);
        self.now = resized;
        Ok(())
    }

    /// Uses another plan; the one before is kept as long as memory allows.
    fn exchange(&mut self, plan: Planned<'m>, options: &SessionOptions) {
        let mut before = core::mem::replace(&mut self.now, plan);
        before.results.iter_mut().for_each(Vec::clear);
        self.idle.insert(0, before);
        planned::trim(&mut self.idle, &self.now, options.idle_bytes);
    }

    /// Plans within a RAM budget: the plan before is dropped first. Where there is none for these sizes, the one before is made
    /// again.
    fn plan_again(
        &mut self,
        program: &Program,
        options: &SessionOptions,
        sizes: Vec<usize>,
    ) -> Result<(), RuntimeError> {
        let before = self.now.sizes.clone();
        options.sizes(program)?;
        self.now.executor = Box::new(Nothing(Plan::default()));
        let mut plan =
            |program: &Program, sizes| Planned::new(self.model, program, options, sizes, &mut self.kept);
        match plan(program, sizes) {
            Ok(plan) => self.now = plan,
            Err(error) => {
                if let Ok(now) = self::program(self.model, &before).and_then(|program| plan(&program, before))
                {
                    self.now = now;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Resizes the session to inputs of these lengths, if they say which sizes are meant: if each has at most one open dimension
    /// that no other tells. Else `error`.
    pub(super) fn follow(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        error: RuntimeError,
    ) -> Result<(), RuntimeError> {
        let graph = self.model.graph();
        let is_resizable = self.options.is_some() || self.now.executor.is_resizable();
        let (Some(open), true) = (graph.sizes(), is_resizable) else { return Err(error) };
        if inputs.len() != self.now.inputs.len() || batch == 0 {
            return Err(error);
        }
        let mut sizes: Vec<Option<usize>> = vec![None; open.symbols.len()];
        // One pass for each symbol is enough to pass on what is known.
        for _ in 0..open.symbols.len() {
            for (index, input) in inputs.iter().enumerate() {
                let mut shape = graph.inputs()[index].shape.clone();
                let mut unknown = Vec::new();
                for place in open.places.iter().filter(|place| place.value == index) {
                    let Size::Sum { offset, terms } = &place.size else { continue };
                    let known = terms.iter().try_fold(*offset, |sum, (factor, count)| match count {
                        Count::Symbol(symbol) => {
                            let size = i64::try_from(sizes[*symbol]?).ok()?;
                            sum.checked_add(factor.checked_mul(size)?)
                        }
                        Count::Dimension { .. } => None,
                    });
                    match known.and_then(|dim| usize::try_from(dim).ok()) {
                        Some(dim) => shape[place.number] = dim,
                        None => unknown.push((place.number, *offset, terms)),
                    }
                }
                let [(axis, offset, terms)] = &unknown[..] else { continue };
                let [(factor, Count::Symbol(symbol))] = terms[..] else { continue };
                shape[*axis] = 1;
                let others = shape.iter().try_fold(batch, |all, dim| all.checked_mul(*dim)).unwrap_or(0);
                if others == 0 || !input.len().is_multiple_of(others) {
                    return Err(error);
                }
                let rest = i64::try_from(input.len() / others).unwrap_or(0) - offset;
                if rest % factor != 0 || rest / factor < 1 {
                    return Err(error);
                }
                sizes[symbol] = usize::try_from(rest / factor).ok();
            }
        }
        match sizes.into_iter().collect::<Option<Vec<usize>>>() {
            Some(sizes) => {
                for (symbol, size) in open.symbols.iter().zip(&sizes) {
                    symbol.check(*size)?;
                }
                self.set_sizes(sizes)
            }
            None => Err(error),
        }
    }
}
