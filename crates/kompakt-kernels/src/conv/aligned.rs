//! Memory aligned to cache lines.

use alloc::{vec, vec::Vec};

/// Floats of a cache line.
const LINE: usize = 16;

/// Memory aligned to a cache line.
#[derive(Debug, Clone, Default)]
pub struct Aligned {
    memory: Vec<f32>,
}

impl Aligned {
    /// The first `n` floats, allocated if needed; their contents are left over from earlier use.
    pub fn room(&mut self, n: usize) -> &mut [f32] {
        if !self.has_room(n) {
            self.memory = vec![0.0; n + LINE];
        }
        let skip = self.memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        &mut self.memory[skip..skip + n]
    }

    /// Whether there is room for `n` floats without allocating.
    pub(super) fn has_room(&self, n: usize) -> bool {
        self.memory.len() >= n + LINE
    }

    /// The size in bytes for `n` floats.
    pub fn estimate_bytes(n: usize) -> usize {
        4 * (n + LINE)
    }
}
