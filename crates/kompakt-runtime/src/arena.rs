//! One piece of memory for all values that are alive at some time.
//!
//! ```text
//! step      0 1 2 3 4            offset
//! buffer A  # #                  0
//! buffer B    # # #              len(A)
//! buffer C        # #            0        (A is gone by then)
//! ```
//!
//! Buffers are placed largest first, each at the lowest place that is free for as long as it lives.

use crate::program::Buffer;
use std::ops::Range;

/// Floats of a cache line: where buffers begin.
const ALIGN: usize = 16;

/// Where each buffer lies, for up to `max_batch` images.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// In floats.
    offsets: Vec<usize>,
    /// Elements an image.
    lens: Vec<usize>,
    /// Whether all images have a place.
    is_whole: Vec<bool>,
    /// Floats in all.
    pub(crate) len: usize,
}

impl Places {
    pub(crate) fn plan(buffers: &[Buffer], max_batch: usize) -> Self {
        let size = |b: &Buffer| b.floats(max_batch).next_multiple_of(ALIGN);
        let mut order: Vec<usize> = (0..buffers.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(size(&buffers[i])), i));
        let mut offsets = vec![0; buffers.len()];
        // Those placed already, by offset.
        let mut placed: Vec<usize> = Vec::new();
        let mut len = 0;
        for i in order {
            let buffer = &buffers[i];
            let mut at = 0;
            for &other in &placed {
                let o = &buffers[other];
                if o.first > buffer.last || buffer.first > o.last {
                    continue;
                }
                if offsets[other] >= at + size(buffer) {
                    break;
                }
                at = at.max(offsets[other] + size(o));
            }
            offsets[i] = at;
            len = len.max(at + size(buffer));
            let place = placed.partition_point(|&o| offsets[o] <= at);
            placed.insert(place, i);
        }
        let (lens, is_whole) = buffers.iter().map(|b| (b.len, b.n_images == usize::MAX)).unzip();
        Self { offsets, lens, is_whole, len }
    }

    /// Where a buffer lies when it holds `n` images, from image `first` on.
    pub(crate) fn range(&self, buffer: usize, first: usize, n: usize) -> Range<usize> {
        let len = self.lens[buffer];
        let start = self.offsets[buffer] + if self.is_whole[buffer] { first * len } else { 0 };
        start..start + len * n
    }
}

/// The memory itself.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: Vec<f32>,
    /// Floats before the first cache line.
    skip: usize,
    places: Places,
    /// The first of the images that are run now.
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

    /// One buffer to be read and one to be written, both alive and so apart.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_alive_together_lie_apart() {
        arbtest::arbtest(|u| {
            let n = u.int_in_range(1..=12)?;
            let mut buffers = Vec::new();
            for _ in 0..n {
                let first = u.int_in_range(0..=10)?;
                let last = first + u.int_in_range(0..=5)?;
                let (len, n_images) = (u.int_in_range(1..=100)?, *u.choose(&[1, 2, usize::MAX])?);
                buffers.push(Buffer { len, first, last, is_vector: false, n_images });
            }
            let batch = u.int_in_range(1..=3)?;
            let places = Places::plan(&buffers, batch);
            for (i, a) in buffers.iter().enumerate() {
                let n = |b: &Buffer| b.n_images.min(batch);
                let ra = places.range(i, 0, n(a));
                assert!(ra.start.is_multiple_of(ALIGN) && ra.end <= places.len);
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let rb = places.range(j, 0, n(b));
                    let apart = ra.end <= rb.start || rb.end <= ra.start;
                    assert!(apart || a.first > b.last || b.first > a.last);
                }
            }
            Ok(())
        });
    }
}
