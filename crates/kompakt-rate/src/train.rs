//! The training: from a dense network to one with few connections of few values, within a budget of bytes.
//!
//! ```text
//! steps   0 ──────── share_from ───────── settle_from ─── settle_to ──── end
//! bytes   fall to the target until target_at, held there by pruning and regrowth
//! weights   free        │ one of a few levels, straight │ fixed bit  │ levels and
//!                       │ through                       │ by bit     │ biases only
//! ```

use crate::{
    blocks::Blocks,
    code_length::CodeLengths,
    error::RateError,
    export::{export, packed_bytes},
    lanes::vectorized,
    layer::{Probe, SparseLayer},
    levels,
    net::Net,
    options::Options,
    passes::{self, Lesson, Passes},
    random::Random,
    settle::{begin_levels, curvature, settle},
    snapshot::Snapshot,
    supply::{BLOCK, Supply},
    update::{Update, cosine},
    validate::error,
    wiring::{self, Budget},
};
use kompakt_data::Feed;
use kompakt_model::Model;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A progress report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Steps done.
    pub step: usize,
    /// Mean loss on labels since the previous report.
    pub loss: f64,
    /// Validation errors of the network at that point; none without such data.
    pub validation_error: Option<f64>,
    /// Loss on the same.
    pub validation_loss: Option<f64>,
    /// Connections.
    pub n_connections: usize,
    /// Size of the file if training ended here.
    pub bytes: u64,
    /// The price of a bit, in units of the loss.
    pub price: f64,
}

/// The state that a run carries from step to step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) step: usize,
    pub(crate) layers: Vec<SparseLayer>,
    /// Ratio of real to estimated bits.
    scale: f64,
    /// Estimated bits at the start.
    first_bits: f64,
    price: f32,
    /// Grids of levels and biases; empty before weights are shared.
    level_steps: Vec<f32>,
    bias_steps: Vec<f32>,
    loss: (f64, usize),
}

/// A run.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    pub(crate) template: &'a Model,
    pub(crate) supply: &'a Supply,
    pub(crate) validation: Option<&'a Feed>,
    pub(crate) checkpoint: Option<PathBuf>,
    pub(crate) key: String,
}

/// Reports per run.
const N_REPORTS: usize = 20;

impl Run<'_> {
    /// Trains `net` and returns the shared model with the last report.
    pub(crate) fn run(
        &self,
        mut net: Net,
        tell: &mut dyn FnMut(&Report),
    ) -> Result<(Model, Report), RateError> {
        let net = &mut net;
        let snapshot = Snapshot::new(self.checkpoint.clone(), &self.key);
        let mut state = match snapshot.read()? {
            Some(state) => state,
            None => self.begin(net)?,
        };
        net.layers = std::mem::take(&mut state.layers);
        net.refresh();
        let mut passes = passes::of(net);
        let a_report = (self.options.steps / N_REPORTS).max(1);
        let mut saved = std::time::Instant::now();
        let mut last = None;
        while state.step < self.options.steps {
            let loss = self.step(net, &mut *passes, &state);
            if !loss.is_finite() {
                return Err(RateError::Diverged { step: state.step });
            }
            state.loss = (state.loss.0 + f64::from(loss), state.loss.1 + 1);
            state.step += 1;
            let is_whole = state.step.is_multiple_of(a_report) || state.step == self.options.steps;
            if state.step.is_multiple_of(self.options.every) {
                self.change(net, &mut *passes, &mut state);
                passes.rewired(net);
            }
            self.share(net, &mut state)?;
            let report = if is_whole { Some(self.report(net, &mut state)?) } else { None };
            if is_whole || (state.step.is_multiple_of(100) && saved.elapsed().as_secs() >= 20) {
                state.layers.clone_from(&net.layers);
                snapshot.write(&state)?;
                saved = std::time::Instant::now();
            }
            if let Some(report) = report {
                tell(&report);
                last = Some(report);
            }
        }
        snapshot.remove();
        let (model, _) = export(net, self.template, &state.bias_steps)?;
        let report = match last {
            Some(report) => report,
            None => self.report(net, &mut state)?,
        };
        Ok((model, report))
    }

    /// Keeps the strongest units, and the largest weights of each layer.
    fn begin(&self, net: &mut Net) -> Result<State, RateError> {
        wiring::narrow(net, &self.options.first_units);
        for (i, layer) in net.layers.iter_mut().enumerate() {
            let share = self.options.first_density_of(i);
            let n = ((layer.len() as f64 * share).ceil() as usize).max(64).min(layer.len());
            if !net.block.is_single() {
                Blocks::of(net.block, &net.geometry[i]).keep_largest(layer, n);
                continue;
            }
            layer.keep_largest(n);
        }
        net.refresh();
        let first_bits = CodeLengths::of(net, self.free_level_bits()).total;
        Ok(State {
            step: 0,
            layers: std::mem::take(&mut net.layers),
            scale: 1.0,
            first_bits,
            price: 0.0,
            level_steps: Vec::new(),
            bias_steps: Vec::new(),
            loss: (0.0, 0),
        })
    }

    /// The estimated cost of the level of a weight that is not shared yet, sign included.
    fn free_level_bits(&self) -> f32 {
        let levels = self.options.levels.iter().sum::<usize>() as f32 / self.options.levels.len() as f32;
        levels.log2().max(0.0) * 0.85
    }

    /// One step of the training; returns the loss.
    fn step(&self, net: &mut Net, passes: &mut dyn Passes, state: &State) -> f32 {
        let o = self.options;
        let n_blocks = o.batch / BLOCK;
        let progress = state.step as f32 / o.steps as f32;
        let rate = o.learning_rate * cosine(progress);
        let t = (state.step + 1) as i32;
        let rate = rate / (1.0 - 0.9f32.powi(t));
        let correction = 1.0 / (1.0 - 0.999f32.powi(t));
        let blocks: Vec<usize> = (0..n_blocks).map(|i| self.block(state.step * n_blocks + i)).collect();
        let lesson = Lesson { supply: self.supply, how: o.distillation, scale: 1.0 / o.batch as f32 };
        let loss = passes.gradients(net, &lesson, &blocks);
        vectorized(Update {
            net,
            rate,
            correction,
            level_steps: &state.level_steps,
            bias_steps: &state.bias_steps,
        });
        loss / o.batch as f32
    }

    /// The `count`-th block to be visited.
    fn block(&self, count: usize) -> usize {
        let n = self.supply.n_blocks();
        let (round, at) = (count / n, count % n);
        // A walk over all blocks with a stride coprime to their number.
        let mut random = Random::at(&[self.options.seed, 0x626c_6f63, round as u64]);
        let (start, mut stride) = (random.below(n), 1 + random.below(n));
        while gcd(stride, n) != 1 {
            stride += 1;
        }
        (start + at * stride) % n
    }

    /// Connections die and grow.
    fn change(&self, net: &mut Net, passes: &mut dyn Passes, state: &mut State) {
        let o = self.options;
        let part = state.step as f64 / o.steps as f64;
        if part >= o.settle.0 {
            return;
        }
        let left = (1.0 - part / o.target_at.max(1e-9)).max(0.0);
        let target = self.options.target_bytes as f64 * 8.0 / state.scale;
        let bits = target + (state.first_bits - target).max(0.0) * left.powi(3);
        let share = o.regrow * 0.5 * (1.0 + (std::f64::consts::PI * (part / o.settle.0).min(1.0)).cos());
        let n_grow = (share * net.n_connections() as f64) as usize;
        let probes = (n_grow > 0).then(|| self.probe(net, passes, state.step));
        let level_bits = self.free_level_bits();
        let growth = probes.as_deref().map(|p| (p, n_grow));
        let budget = Budget { bits, level_bits, unit_bits: o.unit_bits * left as f32 };
        let change = wiring::rewire(net, budget, o.batch, growth);
        state.price = change.price;
    }

    /// Gradient statistics of every weight, over some blocks.
    fn probe(&self, net: &mut Net, passes: &mut dyn Passes, step: usize) -> Vec<Probe> {
        let n_blocks = passes.probe_blocks();
        let first = step * (self.options.batch / BLOCK);
        let blocks: Vec<usize> = (0..n_blocks).map(|i| self.block(first + i)).collect();
        let scale = 1.0 / (n_blocks * BLOCK) as f32;
        let lesson = Lesson { supply: self.supply, how: self.options.distillation, scale };
        let probes = passes.probes(net, &lesson, &blocks);
        for layer in &mut net.layers {
            layer.weight.gradient.fill(0.0);
            layer.bias.gradient.fill(0.0);
        }
        probes
    }

    /// Updates of levels after this step.
    fn share(&self, net: &mut Net, state: &mut State) -> Result<(), RateError> {
        let o = self.options;
        if state.step == o.at(o.share_from).max(1) {
            for (i, layer) in net.layers.iter_mut().enumerate() {
                let (level_step, bias_step) = begin_levels(layer, o.levels_of(i), o);
                state.level_steps.push(level_step);
                state.bias_steps.push(bias_step);
            }
        }
        let (from, to) = (o.at(o.settle.0), o.at(o.settle.1).max(o.at(o.settle.0) + 1));
        let rounds = 20;
        let every = ((to - from) / rounds).max(1);
        if state.step >= from && state.step <= to && (state.step - from).is_multiple_of(every) {
            if state.step == from {
                state.price = self.price_of_target(net, state)?;
            }
            let part = ((state.step - from) as f64 / (to - from) as f64 * 1.05).min(1.0);
            for layer in &mut net.layers {
                settle(layer, part, o.batch as f32, state.price);
            }
        }
        Ok(())
    }

    /// The least price, up to the present one, at which the file keeps to its target once every weight has its level:
    /// bytes that are left are spent on nearer levels.
    fn price_of_target(&self, net: &Net, state: &State) -> Result<f32, RateError> {
        let o = self.options;
        // Levels still move afterwards: a part in two hundred is left for that.
        let target = o.target_bytes - o.target_bytes / 200;
        let fits = |price: f32| -> Result<bool, RateError> {
            let mut net = net.clone();
            for layer in &mut net.layers {
                let curvature = curvature(layer, o.batch as f32);
                levels::assign(layer, &curvature, price);
            }
            Ok(packed_bytes(&export(&net, self.template, &state.bias_steps)?.0)? <= target)
        };
        let (mut low, mut high) = (0.0, state.price);
        if !fits(high)? {
            return Ok(high);
        }
        if fits(low)? {
            return Ok(low);
        }
        for _ in 0..6 {
            let middle = 0.5 * (low + high);
            if fits(middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(high)
    }

    /// Measures the network in its current state.
    fn report(&self, net: &Net, state: &mut State) -> Result<Report, RateError> {
        let mut shared = net.clone();
        let mut bias_steps = state.bias_steps.clone();
        if state.level_steps.is_empty() {
            bias_steps.clear();
            for (i, layer) in shared.layers.iter_mut().enumerate() {
                bias_steps.push(begin_levels(layer, self.options.levels_of(i), self.options).1);
            }
        }
        let bytes = packed_bytes(&export(&shared, self.template, &bias_steps)?.0)?;
        let estimate = CodeLengths::of(&shared, 0.0).total;
        state.scale = bytes as f64 * 8.0 / estimate;
        let (sum, n) = std::mem::take(&mut state.loss);
        let found = self.validation.map(|feed| error(net, feed));
        Ok(Report {
            step: state.step,
            loss: sum / n.max(1) as f64,
            validation_error: found.map(|f| f.0),
            validation_loss: found.map(|f| f.1),
            n_connections: net.n_connections(),
            bytes,
            price: f64::from(state.price),
        })
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
