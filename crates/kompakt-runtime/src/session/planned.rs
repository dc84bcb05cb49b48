//! A plan for one size of each open size, with what a run needs; a session keeps a few that it does not use.

use super::{Port, SessionOptions, prediction::ends_in_softmax, resize};
use crate::{
    error::RuntimeError,
    exec::{Cpu, Executor},
    model::Model,
    program::{Program, Sizes},
    weights::Kept,
};
use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};
use kompakt_prep::Pipeline;

/// The most plans that are kept besides the one in use.
const MOST_IDLE: usize = 3;

/// See the [module page](self).
#[derive(Debug)]
pub(super) struct Planned<'m> {
    pub(super) executor: Box<dyn Executor + 'm>,
    /// One size for each open size of the model.
    pub(super) sizes: Vec<usize>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    /// Results of the last run, one per output: `[batch, len]`.
    pub(super) results: Vec<Vec<f32>>,
    pub(super) pipeline: Option<Pipeline>,
    /// Whether the first output already holds probabilities.
    pub(super) ends_in_softmax: bool,
    /// The weights that it holds and other plans may share: where each is, and its bytes.
    held: Vec<(usize, usize)>,
}

impl<'m> Planned<'m> {
    /// Plans a program of a model for this machine's processor.
    ///
    /// Errors: as [`Session::new`](super::Session::new).
    pub(super) fn new(
        model: &'m Model<'m>,
        program: &Program,
        options: &SessionOptions,
        sizes: Vec<usize>,
        kept: &mut Kept<'m>,
    ) -> Result<Self, RuntimeError> {
        let most = options.sizes(program)?;
        let cpu = Cpu::new(model, program, &most, options, kept)?;
        let held = cpu.held();
        Ok(Self { held, ..Self::of(model, program, &most, Box::new(cpu), sizes)? })
    }

    /// A program that another executor runs.
    pub(super) fn of(
        model: &'m Model<'m>,
        program: &Program,
        most: &Sizes,
        executor: Box<dyn Executor + 'm>,
        sizes: Vec<usize>,
    ) -> Result<Self, RuntimeError> {
        let input = |&value: &usize| Port::new(program, value, &program.values()[value].name, most);
        let inputs: Vec<Port> = program.inputs().iter().map(input).collect();
        let named = program.outputs().iter().zip(program.output_names());
        let outputs: Vec<Port> = named.map(|(&value, name)| Port::new(program, value, name, most)).collect();
        let pipeline = resize::pipeline(model, &inputs)?;
        Ok(Self {
            executor,
            sizes,
            results: outputs.iter().map(|_| Vec::new()).collect(),
            inputs,
            outputs,
            pipeline,
            ends_in_softmax: ends_in_softmax(program),
            held: Vec::new(),
        })
    }

    /// Bytes of its own: values and results.
    fn own_bytes(&self) -> usize {
        let results: usize = self.results.iter().map(|result| 4 * result.capacity()).sum();
        self.executor.plan().activation_bytes + results
    }
}

/// Drops the plans that were used the longest ago, until few are left and they hold at most so many bytes besides the weights that
/// the plan in use holds too.
pub(super) fn trim(idle: &mut Vec<Planned<'_>>, used: &Planned<'_>, most_bytes: usize) {
    let mut seen: BTreeSet<usize> = used.held.iter().map(|(at, _)| *at).collect();
    let (mut bytes, mut n) = (0usize, 0);
    for plan in idle.iter() {
        let shared = plan.held.iter().filter(|(at, _)| seen.insert(*at)).map(|(_, bytes)| bytes);
        bytes = bytes.saturating_add(plan.own_bytes() + shared.sum::<usize>());
        if n == MOST_IDLE || bytes > most_bytes {
            break;
        }
        n += 1;
    }
    idle.truncate(n);
}
