//! The memory of all buffers, laid out by [`Places`].

use crate::schedule::placement::{ALIGN, Places};
use alloc::{vec, vec::Vec};

/// One piece of memory; a buffer of `n` images is a slice of it.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: Vec<f32>,
    /// Floats before the first cache line.
    skip: usize,
    places: Places,
    /// The first image of the current segment.
    pub(crate) first: usize,
}

impl Arena {
    pub(crate) fn new(places: Places) -> Self {
        let memory = vec![0.0; places.len + ALIGN];
        let skip = memory.as_ptr().align_offset(ALIGN * size_of::<f32>()).min(ALIGN);
        Self { memory, skip, places, first: 0 }
    }

    fn floats(&mut self) -> &mut [f32] {
        &mut self.memory[self.skip..]
    }

    /// A buffer of `n` images, to be read.
    pub(crate) fn get(&self, buffer: usize, n: usize) -> &[f32] {
        &self.memory[self.skip..][self.places.range(buffer, self.first, n)]
    }

    /// A buffer of `n` images, to be written.
    pub(crate) fn get_mut(&mut self, buffer: usize, n: usize) -> &mut [f32] {
        let range = self.places.range(buffer, self.first, n);
        &mut self.floats()[range]
    }

    /// One buffer to be read and one to be written; both are live, so they do not overlap.
    pub(crate) fn pair(&mut self, read: usize, write: usize, n: usize) -> (&[f32], &mut [f32]) {
        let (r, w) = (self.places.range(read, self.first, n), self.places.range(write, self.first, n));
        let floats = self.floats();
        if r.start < w.start {
            let (low, high) = floats.split_at_mut(w.start);
            (&low[r], &mut high[..w.len()])
        } else {
            let (low, high) = floats.split_at_mut(r.start);
            (&high[..r.len()], &mut low[w])
        }
    }

    /// Up to three buffers to be read and one to be written, which is none of them.
    pub(crate) fn many(&mut self, read: &[usize], write: usize, n: usize) -> ([&[f32]; 3], &mut [f32]) {
        let w = self.places.range(write, self.first, n);
        let mut ranges = [const { 0..0 }; 3];
        for (range, &buffer) in ranges.iter_mut().zip(read) {
            *range = self.places.range(buffer, self.first, n);
        }
        let (low, rest) = self.floats().split_at_mut(w.start);
        let (written, high) = rest.split_at_mut(w.len());
        let (low, high) = (&*low, &*high);
        let reads = ranges.map(|r| {
            if r.end <= w.start {
                &low[r]
            } else {
                &high[r.start.saturating_sub(w.end)..r.end.saturating_sub(w.end)]
            }
        });
        (reads, written)
    }
}
