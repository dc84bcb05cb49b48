//! Upper bounds on every pipeline, so that a hostile file cannot cost much memory or time.

/// The most steps in a pipeline.
pub const MAX_STEPS: usize = 16;
/// The most numbers one step may have in the container.
pub const MAX_NUMBERS: usize = 512;
/// The longest side of an image, and the most channels.
pub const MAX_SIDE: usize = 4096;
/// The most elements between two steps (64 MiB of f32).
pub const MAX_ELEMENTS: usize = 1 << 24;
/// The most gradient directions.
pub const MAX_ORIENTATIONS: usize = 64;
/// The most cell grids in one step.
pub const MAX_CELLS: usize = 8;
