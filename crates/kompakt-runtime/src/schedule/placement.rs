//! Assigns all buffers offsets in one allocation.
//!
//! ```text
//! step      0 1 2 3 4            offset
//! buffer A  # #                  0
//! buffer B    # # #              len(A)
//! buffer C        # #            0        (A is dead by then)
//! ```
//!
//! Buffers are placed largest first, each at the lowest offset that is free for its lifetime.

use super::{Buffer, Home};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Floats per cache line: the alignment of buffers.
pub(crate) const ALIGN: usize = 16;

/// The offset of each buffer of the session's own memory, for up to `max_batch` images.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// In floats.
    offsets: Vec<usize>,
    /// Elements per image.
    lens: Vec<usize>,
    /// Whether all images have a place.
    has_all_images: Vec<bool>,
    homes: Vec<Home>,
    /// Floats in all.
    pub(crate) len: usize,
}

impl Places {
    pub(crate) fn plan(buffers: &[Buffer], max_batch: usize) -> Self {
        let size = |b: &Buffer| b.floats(max_batch).next_multiple_of(ALIGN);
        // The largest first.
        let mut order: Vec<(usize, usize)> =
            buffers.iter().enumerate().map(|(i, buffer)| (!size(buffer), i)).collect();
        order.sort_unstable();
        let mut offsets = vec![0; buffers.len()];
        // Buffers already placed, by offset.
        let mut placed: Vec<usize> = Vec::new();
        let mut len = 0;
        for (_, i) in order {
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
        let (lens, has_all_images) = buffers.iter().map(|b| (b.len, b.n_images == usize::MAX)).unzip();
        let homes = buffers.iter().map(|b| b.home).collect();
        Self { offsets, lens, has_all_images, homes, len }
    }

    /// Whose memory a buffer is in, and the range there that holds `n` images, from image `first` on; `given` images of the
    /// caller's come before those of this run.
    pub(crate) fn place(&self, buffer: usize, given: usize, first: usize, n: usize) -> (Home, Range<usize>) {
        let home = self.homes[buffer];
        let range = match home {
            Home::Arena => self.range(buffer, first, n),
            Home::Input(_) | Home::Output(_) => {
                let (len, first) = (self.lens[buffer], given + first);
                first * len..(first + n) * len
            }
        };
        (home, range)
    }

    /// The range of a buffer in the session's memory that holds `n` images, from image `first` on.
    fn range(&self, buffer: usize, first: usize, n: usize) -> Range<usize> {
        let len = self.lens[buffer];
        let start = self.offsets[buffer] + if self.has_all_images[buffer] { first * len } else { 0 };
        start..start + len * n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Home, Layout};

    #[test]
    fn buffers_alive_together_lie_apart() {
        arbtest::arbtest(|u| {
            let n = u.int_in_range(1..=12)?;
            let mut buffers = Vec::new();
            for _ in 0..n {
                let first = u.int_in_range(0..=10)?;
                let last = first + u.int_in_range(0..=5)?;
                let (len, n_images) = (u.int_in_range(1..=100)?, *u.choose(&[1, 2, usize::MAX])?);
                let home = *u.choose(&[Home::Arena, Home::Arena, Home::Input(0), Home::Output(0)])?;
                buffers.push(Buffer { len, first, last, layout: Layout::ImageMajor, n_images, home });
            }
            let batch = u.int_in_range(1..=3)?;
            let places = Places::plan(&buffers, batch);
            for (i, a) in buffers.iter().enumerate().filter(|(_, a)| a.home == Home::Arena) {
                let n = |b: &Buffer| b.n_images.min(batch);
                let ra = places.range(i, 0, n(a));
                assert!(ra.start.is_multiple_of(ALIGN) && ra.end <= places.len);
                for (j, b) in buffers.iter().enumerate().skip(i + 1).filter(|(_, b)| b.home == Home::Arena) {
                    let rb = places.range(j, 0, n(b));
                    let apart = ra.end <= rb.start || rb.end <= ra.start;
                    assert!(apart || a.first > b.last || b.first > a.last);
                }
            }
            Ok(())
        });
    }
}
