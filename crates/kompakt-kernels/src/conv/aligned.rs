//! Memory whose first element is at the start of a cache line.

use alloc::{vec, vec::Vec};

/// Floats of a cache line.
const LINE: usize = 16;

/// Memory whose first element is at the start of a cache line.
#[derive(Debug, Clone, Default)]
pub struct Aligned {
    memory: Vec<f32>,
}

impl Aligned {
    /// The first `n` floats, made if they are not there; what is in them is left from before.
    pub fn room(&mut self, n: usize) -> &mut [f32] {
        if !self.has_room(n) {
            self.memory = vec![0.0; n + LINE];
        }
        let skip = self.memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        &mut self.memory[skip..skip + n]
    }

    /// Whether there is room for `n` floats without making it.
    pub(super) fn has_room(&self, n: usize) -> bool {
        self.memory.len() >= n + LINE
    }

    /// The bytes that room for `n` floats takes.
    pub fn estimate_bytes(n: usize) -> usize {
        4 * (n + LINE)
    }
}
