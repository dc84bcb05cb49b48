//! Forward and backward over blocks of examples: one thread over a chain, many over a network of framed images.

use crate::{
    lanes::{Tiled, tiled, vectorized, zero},
    layer::Probe,
    loss::{self, Distillation},
    net::{Net, Work},
    residual::{Gradient, Room},
    supply::{BLOCK, Supply},
};
use rayon::prelude::*;

/// What is learnt from a block.
#[derive(Clone, Copy)]
pub(crate) struct Lesson<'a> {
    pub(crate) supply: &'a Supply,
    pub(crate) how: Distillation,
    /// The weight of an example.
    pub(crate) scale: f32,
}

/// Gradients of the loss over blocks of examples.
pub(crate) trait Passes {
    /// Adds to the gradients of the layers; returns the sum of the losses on labels.
    fn gradients(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> f32;
    /// The gradients of every weight, connected or not. May add to those of the layers.
    fn probes(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> Vec<Probe>;
    /// How many blocks tell enough about them.
    fn probe_blocks(&self) -> usize;
    /// The connections changed.
    fn rewired(&mut self, _net: &Net) {}
}

/// Those of a network. Convolutions have half as many examples side by side.
pub(crate) fn of(net: &Net) -> Box<dyn Passes> {
    match &net.stages {
        Some(stages) => {
            let n = rayon::current_num_threads().min(PARTS);
            Box::new(Framed { rooms: (0..n).map(|_| Room::new(stages)).collect() })
        }
        None if net.is_convolutional() => {
            Box::new(Chain::<4> { work: Work::new(net), inputs: net.inputs_read() })
        }
        None => Box::new(Chain::<8> { work: Work::new(net), inputs: net.inputs_read() }),
    }
}

/// Over a chain.
struct Chain<const K: usize> {
    work: Work<K>,
    /// Inputs that are used.
    inputs: Vec<u32>,
}

impl<const K: usize> Passes for Chain<K> {
    fn gradients(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> f32 {
        let Self { work, inputs } = self;
        let mut loss = 0.0;
        for &block in blocks {
            loss += vectorized(Pass { lesson: *lesson, net, work, inputs, block, probes: None });
        }
        loss
    }

    fn probes(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> Vec<Probe> {
        let mut probes: Vec<Probe> = net.geometry.iter().map(Probe::new).collect();
        let inputs: &[u32] = &(0..net.n_inputs as u32).collect::<Vec<_>>();
        for &block in blocks {
            let (work, probes) = (&mut self.work, Some(&mut probes[..]));
            vectorized(Pass { lesson: *lesson, net, work, inputs, block, probes });
        }
        probes
    }

    fn probe_blocks(&self) -> usize {
        8
    }

    fn rewired(&mut self, net: &Net) {
        self.inputs = net.inputs_read();
    }
}

/// Forward and backward over one block; returns the sum of the losses on labels.
struct Pass<'a, const K: usize> {
    lesson: Lesson<'a>,
    net: &'a mut Net,
    work: &'a mut Work<K>,
    inputs: &'a [u32],
    block: usize,
    probes: Option<&'a mut [Probe]>,
}

impl<const K: usize> pulp::NullaryFnOnce for Pass<'_, K> {
    type Output = f32;

    #[inline(always)]
    fn call(mut self) -> f32 {
        let Lesson { supply, how, scale } = self.lesson;
        let mut total = 0.0;
        for part in 0..BLOCK / (8 * K) {
            let lanes = part * 8 * K;
            for &input in self.inputs {
                let bytes = &supply.input(self.block, input as usize)[lanes..lanes + 8 * K];
                let x = &mut self.work.values[0][input as usize];
                for (x, bytes) in x.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    for (x, byte) in x.iter_mut().zip(bytes) {
                        *x = f32::from(*byte).mul_add(supply.step, supply.low);
                    }
                }
            }
            self.net.forward(self.work);
            let targets = supply.targets(self.block, lanes..lanes + 8 * K);
            let Work { values, slopes, soft, teacher } = &mut *self.work;
            let (Some(scores), Some(slopes)) = (values.last(), slopes.last_mut()) else { return total };
            if supply.has_teacher() {
                for (class, to) in teacher.iter_mut().enumerate() {
                    let from = &supply.score(self.block, class)[lanes..lanes + 8 * K];
                    to.copy_from_slice(from.as_chunks::<8>().0);
                }
            }
            let teacher = if supply.has_teacher() { Some(&teacher[..]) } else { None };
            let (loss, _) = loss::slopes(how, scale, scores, targets, teacher, (soft, slopes));
            total += loss;
            self.net.backward(self.work, self.probes.as_deref_mut());
        }
        total
    }
}

/// Examples side by side in a part of a block.
const PART: usize = 8;
const PARTS: usize = BLOCK / PART;

/// Over a network of framed images: eight examples at a time, parts of blocks on all threads.
struct Framed {
    rooms: Vec<Room>,
}

/// What a part of a block gave.
struct Found {
    loss: f32,
    gradients: Vec<Gradient>,
    probes: Vec<Probe>,
}

impl Framed {
    /// Runs all parts; the results are in their order, whichever thread made them.
    fn run(&mut self, net: &Net, lesson: &Lesson<'_>, blocks: &[usize], has_probes: bool) -> Vec<Found> {
        let (n, n_parts) = (self.rooms.len(), blocks.len() * PARTS);
        let mine = |(i, room): (usize, &mut Room)| -> Vec<Found> {
            let parts = (i..n_parts).step_by(n);
            parts
                .map(|part| {
                    let (block, first) = (blocks[part / PARTS], part % PARTS * PART);
                    tiled(Part { lesson: *lesson, net, room, block, first, has_probes })
                })
                .collect()
        };
        let mut found: Vec<_> = self.rooms.par_iter_mut().enumerate().map(mine).collect();
        let mut lines: Vec<_> = found.iter_mut().map(|f| f.drain(..)).collect();
        (0..n_parts).filter_map(|part| lines[part % n].next()).collect()
    }
}

impl Passes for Framed {
    fn gradients(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> f32 {
        let mut loss = 0.0;
        for found in self.run(net, lesson, blocks, false) {
            loss += found.loss;
            for (layer, gradient) in net.layers.iter_mut().zip(&found.gradients) {
                add(&mut layer.weight.gradient, &gradient.weight);
                add(&mut layer.bias.gradient, &gradient.bias);
            }
        }
        loss
    }

    fn probes(&mut self, net: &mut Net, lesson: &Lesson<'_>, blocks: &[usize]) -> Vec<Probe> {
        let mut probes: Vec<Probe> = net.geometry.iter().map(Probe::new).collect();
        for found in self.run(net, lesson, blocks, true) {
            for (to, from) in probes.iter_mut().zip(&found.probes) {
                add(&mut to.gradient, &from.gradient);
                add(&mut to.of_column, &from.of_column);
                add(&mut to.of_row, &from.of_row);
            }
        }
        probes
    }

    fn probe_blocks(&self) -> usize {
        2
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// Forward and backward over a part of a block.
struct Part<'a> {
    lesson: Lesson<'a>,
    net: &'a Net,
    room: &'a mut Room,
    block: usize,
    /// The first example.
    first: usize,
    has_probes: bool,
}

impl Tiled for Part<'_> {
    type Output = Found;

    #[inline(always)]
    fn call<const T: usize>(self) -> Found {
        let Self { net, room, block, first, .. } = self;
        let Lesson { supply, how, scale } = self.lesson;
        let mut found = Found { loss: 0.0, gradients: Vec::new(), probes: Vec::new() };
        let Some(stages) = &net.stages else { return found };
        for (input, &at) in stages.input_at.iter().enumerate() {
            let bytes = &supply.input(block, input)[first..first + PART];
            for (x, byte) in room.values[0][at as usize][0].iter_mut().zip(bytes) {
                *x = f32::from(*byte).mul_add(supply.step, supply.low);
            }
        }
        stages.forward::<T>(&net.layers, room);
        let targets = supply.targets(block, first..first + PART);
        let last = room.values.len() - 1;
        let teacher: Option<Vec<_>> = supply.has_teacher().then(|| {
            let of = |class| supply.score(block, class)[first..first + PART].as_chunks::<8>().0;
            (0..net.n_classes()).map(|class| std::array::from_fn(|k| of(class)[k])).collect()
        });
        let soft = &mut vec![zero::<1>(); net.n_classes()][..];
        let (scores, slopes) = (&room.values[last][..], &mut room.slopes[last][..]);
        (found.loss, _) = loss::slopes(how, scale, scores, targets, teacher.as_deref(), (soft, slopes));
        if self.has_probes {
            found.probes = net.geometry.iter().map(Probe::new).collect();
        }
        let probes = self.has_probes.then_some(&mut found.probes[..]);
        found.gradients = stages.backward::<T>(&net.geometry, &net.layers, room, probes);
        found
    }
}
