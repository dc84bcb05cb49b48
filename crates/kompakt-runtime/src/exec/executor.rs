//! The interface for running a program.

use crate::{error::RuntimeError, program::Program, schedule::plan::Plan};
use alloc::{string::String, vec, vec::Vec};
use core::time::Duration;

/// Runs the [program](crate::program::Program) of one model: on this machine's processor, or on a device that
/// another crate supports.
///
/// An executor is made from [`Model::program`](crate::Model::program) and
/// [`Model::parameters`](crate::Model::parameters), and handed to
/// [`Session::with_executor`](crate::Session::with_executor); the session checks inputs, preprocesses raw
/// ones and finds classes, whatever runs the program.
///
/// ```
/// # use kompakt_runtime::{Executor, Model, Plan, RuntimeError, Session, program::{OperationKind, Program, Unary}};
/// /// Runs programs of ReLUs.
/// #[derive(Debug)]
/// struct Relus(Plan);
///
/// impl Executor for Relus {
///     fn plan(&self) -> &Plan {
///         &self.0
///     }
///     fn run(&mut self, inputs: &[&[f32]], _batch: usize, outputs: &mut [Vec<f32>]) -> Result<(), RuntimeError> {
///         for (y, x) in outputs[0].iter_mut().zip(inputs[0]) {
///             *y = x.max(0.0);
///         }
///         Ok(())
///     }
/// }
///
/// fn session<'m>(model: &'m Model<'m>) -> Result<Session<'m>, RuntimeError> {
///     let program = model.program()?;
///     let is_relu = |kind: &OperationKind| matches!(kind, OperationKind::Unary(Unary::Relu));
///     if !program.operations().iter().all(|operation| is_relu(&operation.kind)) {
///         return Err(RuntimeError::Executor("only ReLUs are run here".into()));
///     }
///     Session::with_executor(model, Box::new(Relus(Plan::default())))
/// }
/// ```
pub trait Executor: core::fmt::Debug + Send + Sync {
    /// How the program is run, and its memory use.
    fn plan(&self) -> &Plan;

    /// Runs the program.
    ///
    /// Shapes: an input, in the order of [`Program::inputs`](crate::program::Program::inputs), is its value's dimensions
    /// with `batch` for the batch, row-major; so is an output, whose vector has that length when this is called. Lengths
    /// have been checked; `batch` is any number, including 0, and may differ between calls.
    ///
    /// Errors: broken payloads, where they are read at every run; [`RuntimeError::Executor`] for errors of a
    /// device.
    fn run(&mut self, inputs: &[&[f32]], batch: usize, outputs: &mut [Vec<f32>]) -> Result<(), RuntimeError>;

    /// As [`run`](Self::run), into memory of the caller's. Default: into vectors, which are copied.
    ///
    /// Errors: as [`run`](Self::run).
    fn run_into(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        outputs: &mut [&mut [f32]],
    ) -> Result<(), RuntimeError> {
        let mut made: Vec<Vec<f32>> = outputs.iter().map(|output| vec![0.0; output.len()]).collect();
        self.run(inputs, batch, &mut made)?;
        outputs.iter_mut().zip(&made).for_each(|(output, made)| output.copy_from_slice(made));
        Ok(())
    }

    /// Runs the program `rounds` times and returns the median time of each step; empty where steps cannot be
    /// timed.
    ///
    /// Errors: as [`run`](Self::run).
    fn profile(
        &mut self,
        inputs: &[&[f32]],
        batch: usize,
        rounds: usize,
        outputs: &mut [Vec<f32>],
    ) -> Result<Vec<StepTime>, RuntimeError> {
        for _ in 0..rounds {
            self.run(inputs, batch, outputs)?;
        }
        Ok(Vec::new())
    }

    /// Whether it can be [prepared for other sizes](Self::resize). Default: no.
    fn is_resizable(&self) -> bool {
        false
    }

    /// Prepares for the program of the same model at other sizes.
    ///
    /// Errors: an executor of one size; sizes at which an operation cannot be run, after which it is as it was.
    fn resize(&mut self, _program: &Program) -> Result<(), RuntimeError> {
        let problem = "this executor runs at one size: open the model at another (Model::at)";
        Err(RuntimeError::Executor(problem.into()))
    }
}

/// The time of one step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The node, or the first of the nodes that the step computes.
    pub name: String,
    /// The kind of step: `linear`, `conv`, `max_pool`, …
    pub kind: &'static str,
    /// The median over the rounds.
    pub time: Duration,
    /// The minimum over the rounds: the time on an idle machine.
    pub least: Duration,
}
