//! Scratch memory of a thread that runs a convolution.

use super::{aligned::Aligned, grid::LANES};
use crate::PanelScratch;
use alloc::vec::Vec;

/// A tile's input and sums, or those of lines; kept from run to run.
#[derive(Debug, Default)]
pub struct ConvScratch {
    memory: Aligned,
    /// See [`Grid::pad`](crate::Grid::pad).
    line: Vec<f32>,
    /// The image, group and tile whose input it holds.
    laid_out: Option<[usize; 3]>,
    panels: PanelScratch,
}

/// Scratch of a tile.
pub(super) struct Tile<'a> {
    pub(super) input: &'a mut [f32],
    pub(super) sums: &'a mut [f32],
    pub(super) line: &'a mut Vec<f32>,
    /// Whether it already holds the tile's input.
    pub(super) is_laid_out: bool,
    pub(super) panels: &'a mut PanelScratch,
}

/// Scratch of lines.
pub(super) struct Lines<'a> {
    pub(super) x: &'a [f32],
    pub(super) sums: &'a mut [f32],
    pub(super) panels: &'a mut PanelScratch,
}

impl ConvScratch {
    /// Invalidates the stored input: called before each layer.
    pub fn forget(&mut self) {
        self.laid_out = None;
    }

    /// Scratch of a [`PanelMatrix`](crate::PanelMatrix).
    pub fn panels(&mut self) -> &mut PanelScratch {
        &mut self.panels
    }

    /// Floats of both.
    pub(super) fn len(input: usize, sums: usize) -> usize {
        input.next_multiple_of(LANES) + sums
    }

    /// The input and the sums, both aligned to cache lines.
    fn split(memory: &mut Aligned, input: usize, sums: usize) -> (&mut [f32], &mut [f32]) {
        let all = memory.room(Self::len(input, sums));
        let (input, sums) = all.split_at_mut(input.next_multiple_of(LANES));
        (input, sums)
    }

    /// Memory for a tile, which the caller lays out if needed.
    pub(super) fn tile(&mut self, of: [usize; 3], [input, sums]: [usize; 2]) -> Tile<'_> {
        let is_kept = self.memory.has_room(Self::len(input, sums));
        let is_laid_out = self.laid_out.replace(of) == Some(of) && is_kept;
        let (input, sums) = Self::split(&mut self.memory, input, sums);
        Tile { input, sums, line: &mut self.line, is_laid_out, panels: &mut self.panels }
    }

    /// Planes that begin `pitch` apart, `x` itself where it already has that pitch; and room for sums.
    pub(super) fn lines<'a>(
        &'a mut self,
        x: &'a [f32],
        of: [usize; 3],
        [plane, pitch]: [usize; 2],
        sums: usize,
    ) -> Lines<'a> {
        let panels = &mut self.panels;
        if plane == pitch {
            return Lines { x, sums: Self::split(&mut self.memory, 0, sums).1, panels };
        }
        let (input, sums) = Self::split(&mut self.memory, x.len() / plane * pitch, sums);
        if self.laid_out != Some(of) {
            for (x, to) in x.chunks_exact(plane).zip(input.chunks_exact_mut(pitch)) {
                to[..plane].copy_from_slice(x);
                to[plane..].fill(0.0);
            }
            self.laid_out = Some(of);
        }
        Lines { x: input, sums, panels }
    }
}
