//! Runs the steps of a schedule.

use super::{
    arena::Values, combine::put_side_by_side, general::Work, in_place::ChannelNumbers, recurrent::Recurrent,
    threads::Threads,
};
use crate::{
    layer::{Added, PreparedLayer, Scratch},
    schedule::{BufferId, Combine, Layout, Schedule, Segment, Step, StepKind},
    weights::Table,
};
use alloc::{sync::Arc, vec::Vec};
use core::{ops::Range, time::Duration};
use kompakt_kernels::{Convolution, HAS_INTEGERS, Isa};

/// The context of a run.
pub(super) struct Run<'r, 'm, 'o> {
    pub(super) isa: Isa,
    pub(super) threads: &'r Threads,
    pub(super) schedule: &'r Schedule,
    pub(super) layers: &'r [PreparedLayer<'m>],
    /// Per-channel numbers of the steps without weights.
    pub(super) per_channel: &'r [Arc<ChannelNumbers>],
    pub(super) tables: &'r [Arc<Table<'m>>],
    /// Scratch for sorting.
    pub(super) order: &'r mut Vec<u32>,
    /// Scratch for recurrent layers.
    pub(super) state: &'r mut Vec<f32>,
    pub(super) values: Values<'r, 'o>,
    pub(super) scratch: &'r mut [Scratch],
    /// Images.
    pub(super) n: usize,
}

impl Run<'_, '_, '_> {
    /// Runs all steps; with `times`, adds the time of each.
    pub(super) fn run(mut self, mut times: Option<&mut [Duration]>) {
        let n_images = self.n;
        for segment in &self.schedule.segments {
            for first in (0..n_images).step_by(segment.n_images) {
                self.n = segment.n_images.min(n_images - first);
                self.values.first = first;
                self.steps(segment, times.as_deref_mut());
            }
        }
        self.values.first = 0;
    }

    fn steps(&mut self, segment: &Segment, times: Option<&mut [Duration]>) {
        let steps = &self.schedule.steps[segment.steps.clone()];
        match times {
            None if self.threads.len() > 1 => {
                let mut left = steps.iter().peekable();
                while let Some(step) = left.next() {
                    match (&step.kind, left.peek().and_then(|next| added_to(step, next))) {
                        (StepKind::Convolution { layer, conv }, Some(added)) => {
                            left.next();
                            self.convolution(step, *layer, conv, Some(added));
                        }
                        _ => self.step(step),
                    }
                }
            }
            None => steps.iter().for_each(|step| self.step(step)),
            Some(times) => {
                for (step, time) in steps.iter().zip(&mut times[segment.steps.clone()]) {
                    *time += timed(|| self.step(step));
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let (isa, n) = (self.isa, self.n);
        match &step.kind {
            StepKind::Linear { layer } => {
                let from = self.input(step, *layer);
                let (x, y) = self.values.pair(from, step.writes, n);
                self.layers[*layer].linear(isa, self.threads, self.scratch, x, y, n);
            }
            &StepKind::Vectors { layer, n: vectors } => {
                let (x, y) = self.values.pair(step.reads[0], step.writes, n);
                self.layers[layer].vectors(isa, self.threads, self.scratch, x, y, n * vectors);
            }
            StepKind::Convolution { layer, conv } => self.convolution(step, *layer, conv, None),
            StepKind::ExpandedDepthwise { expand, layer, convs } => {
                let (x, y) = self.values.pair(step.reads[0], step.writes, n);
                let (expand, layer) = (&self.layers[*expand], &self.layers[*layer]);
                layer.expanded(expand, convs, isa, self.threads, self.scratch, x, y, n);
            }
            StepKind::InPlace(kind) => {
                kind.run(isa, self.per_channel, self.values.get_mut(step.writes, n), n);
            }
            StepKind::Combine(kind) => {
                let (x, y) = self.values.pair(step.reads[0], step.writes, n);
                kind.run(isa, x, y, n);
            }
            StepKind::CombineTo(kind) => {
                let ([a, x, _], y) = self.values.many(&step.reads, step.writes, n);
                kind.run_to(isa, a, x, y, n);
            }
            StepKind::OutOfPlace(kind) => {
                let (x, y) = self.values.pair(step.reads[0], step.writes, n);
                kind.run(isa, x, y, n);
            }
            StepKind::General(kind) => {
                let (x, y) = self.values.many(&step.reads, step.writes, n);
                let work = Work {
                    isa,
                    numbers: self.per_channel,
                    tables: self.tables,
                    row: &mut self.scratch[0].row,
                    order: self.order,
                };
                kind.run(work, x, y, n);
            }
            &StepKind::Recurrent { layer, cell, reverse, sizes } => {
                let ([x, h, c], y) = self.values.many(&step.reads, step.writes, n);
                let Self { threads, scratch, state, .. } = self;
                let layer = &self.layers[layer];
                let recurrent = Recurrent { isa, cell, reverse, sizes };
                let mut multiply = |rows: Range<usize>, h: &[f32], r: &mut [f32], n: usize| {
                    layer.vectors_for(rows, isa, threads, scratch, h, r, n);
                };
                recurrent.run([x, h, c], y, n, state, &mut multiply);
            }
            StepKind::Concat { lengths, n_blocks, layout } => self.concat(step, lengths, *n_blocks, *layout),
        }
    }

    /// The buffer that a layer reads: its input, or the bytes that are made of it here.
    fn input(&mut self, step: &Step, layer: usize) -> BufferId {
        let (Some(bytes), Some(int8), true) = (step.bytes, &self.layers[layer].int8, HAS_INTEGERS) else {
            return step.reads[0];
        };
        let (x, out) = self.values.pair(step.reads[0], bytes, self.n);
        int8.0.fill(self.isa, x, out, self.n);
        bytes
    }

    /// A convolution, and the sum of its output and another buffer, perhaps with a ReLU, where that comes next.
    fn convolution(
        &mut self,
        step: &Step,
        layer: usize,
        conv: &Convolution,
        added: Option<(BufferId, bool)>,
    ) {
        let n = self.n;
        let mut from = self.input(step, layer);
        if let (Some(scratch), Some(len)) = (step.scratch, conv.laid_out_len()) {
            let (x, laid_out) = self.values.pair(from, scratch, n);
            for (x, out) in x.chunks_exact(conv.input_len()).zip(laid_out.chunks_exact_mut(len)) {
                conv.lay_out(x, out);
            }
            from = scratch;
        }
        let reads = [from, added.map_or(from, |(buffer, _)| buffer)];
        let ([x, term, _], y) = self.values.many(&reads, step.writes, n);
        let added = added.map(|(_, relu)| Added { term, relu });
        self.layers[layer].conv(self.isa, self.threads, self.scratch, conv, x, added, y, n);
    }

    fn concat(&mut self, step: &Step, lengths: &[usize], n_blocks: usize, layout: Layout) {
        let total: usize = lengths.iter().sum();
        let mut before = 0;
        for (&from, &len) in step.reads.iter().zip(lengths) {
            let (x, y) = self.values.pair(from, step.writes, self.n);
            put_side_by_side(x, len, before, total, y, layout, self.n * n_blocks);
            before += len;
        }
    }
}

/// The buffer that the next step adds to what a step writes, and whether with a ReLU.
fn added_to(step: &Step, next: &Step) -> Option<(BufferId, bool)> {
    match next.kind {
        StepKind::Combine(Combine::Add { relu })
            if next.writes == step.writes && next.reads[0] != step.writes =>
        {
            Some((next.reads[0], relu))
        }
        _ => None,
    }
}

/// Measures a duration; `None` where there is no clock.
fn timed(run: impl FnOnce()) -> Duration {
    #[cfg(feature = "std")]
    let start = std::time::Instant::now();
    run();
    #[cfg(feature = "std")]
    return start.elapsed();
    #[cfg(not(feature = "std"))]
    Duration::ZERO
}
