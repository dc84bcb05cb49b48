//! Where the values of a run are: in memory laid out by [`Places`], or in that of the caller, who lends inputs and outputs.

use crate::schedule::{
    Home,
    placement::{ALIGN, Places},
};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// One piece of memory for all values that are not the caller's.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: Vec<f32>,
    /// Floats before the first cache line.
    skip: usize,
    places: Places,
}

impl Arena {
    pub(crate) fn new(places: Places) -> Self {
        let memory = vec![0.0; places.len + ALIGN];
        let skip = memory.as_ptr().align_offset(ALIGN * size_of::<f32>()).min(ALIGN);
        Self { memory, skip, places }
    }

    /// The values of a run over images from `given` on of what the caller lends.
    pub(crate) fn values<'r, 'o>(
        &'r mut self,
        inputs: &'r [&'r [f32]],
        outputs: &'r mut [&'o mut [f32]],
        given: usize,
    ) -> Values<'r, 'o> {
        Values {
            memory: &mut self.memory[self.skip..],
            places: &self.places,
            inputs,
            outputs,
            given,
            first: 0,
        }
    }
}

/// The values of a run; a buffer of `n` images is a slice of one of these.
pub(crate) struct Values<'r, 'o> {
    memory: &'r mut [f32],
    places: &'r Places,
    inputs: &'r [&'r [f32]],
    outputs: &'r mut [&'o mut [f32]],
    /// Images of the caller's before those of this run.
    given: usize,
    /// The first image of the current segment.
    pub(crate) first: usize,
}

impl<'o> Values<'_, 'o> {
    fn place(&self, buffer: usize, n: usize) -> (Home, Range<usize>) {
        self.places.place(buffer, self.given, self.first, n)
    }

    /// A buffer of `n` images, to be read.
    pub(crate) fn get(&self, buffer: usize, n: usize) -> &[f32] {
        match self.place(buffer, n) {
            (Home::Arena, range) => &self.memory[range],
            (Home::Input(index), range) => &self.inputs[index][range],
            (Home::Output(index), range) => &self.outputs[index][range],
        }
    }

    /// A buffer of `n` images, to be written.
    pub(crate) fn get_mut(&mut self, buffer: usize, n: usize) -> &mut [f32] {
        self.around(buffer, n).0
    }

    /// One buffer to be read and one to be written; both are live, so they do not overlap.
    pub(crate) fn pair(&mut self, read: usize, write: usize, n: usize) -> (&[f32], &mut [f32]) {
        let from = self.place(read, n);
        let (written, others) = self.around(write, n);
        (others.get(from), written)
    }

    /// Up to three buffers to be read and one to be written, which is none of them.
    pub(crate) fn many(&mut self, read: &[usize], write: usize, n: usize) -> ([&[f32]; 3], &mut [f32]) {
        let mut from = [const { (Home::Arena, 0..0) }; 3];
        for (from, &buffer) in from.iter_mut().zip(read) {
            *from = self.place(buffer, n);
        }
        let (written, others) = self.around(write, n);
        (from.map(|from| others.get(from)), written)
    }

    /// A buffer to be written, and all that is not part of it.
    fn around(&mut self, write: usize, n: usize) -> (&mut [f32], Others<'_, 'o>) {
        let (home, range) = self.place(write, n);
        let Self { memory, inputs, outputs, .. } = self;
        match home {
            Home::Arena => {
                let (low, rest) = memory.split_at_mut(range.start);
                let (written, high) = rest.split_at_mut(range.len());
                let others = Others { low, high, end: range.end, inputs, before: outputs, after: &[] };
                (written, others)
            }
            Home::Output(index) => {
                let (before, rest) = outputs.split_at_mut(index);
                let (written, after) = match rest {
                    [written, after @ ..] => (&mut written[range], &*after),
                    [] => (&mut [][..], &[][..]),
                };
                (written, Others { low: memory, high: &[], end: usize::MAX, inputs, before, after })
            }
            // The schedule lends no input that a step writes.
            Home::Input(_) => (
                &mut [],
                Others { low: memory, high: &[], end: usize::MAX, inputs, before: outputs, after: &[] },
            ),
        }
    }
}

/// All values but the one that is written.
struct Others<'v, 'o> {
    /// The session's memory before it and, from float `end` on, behind it.
    low: &'v [f32],
    high: &'v [f32],
    end: usize,
    inputs: &'v [&'v [f32]],
    /// Outputs before it, and behind it.
    before: &'v [&'o mut [f32]],
    after: &'v [&'o mut [f32]],
}

impl<'v> Others<'v, '_> {
    fn get(&self, (home, range): (Home, Range<usize>)) -> &'v [f32] {
        match home {
            Home::Arena if range.end <= self.low.len() => &self.low[range],
            Home::Arena => {
                &self.high[range.start.saturating_sub(self.end)..range.end.saturating_sub(self.end)]
            }
            Home::Input(index) => &self.inputs[index][range],
            Home::Output(index) if index < self.before.len() => &self.before[index][range],
            Home::Output(index) => &self.after[index - self.before.len() - 1][range],
        }
    }
}
