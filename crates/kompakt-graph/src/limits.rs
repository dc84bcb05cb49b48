//! Upper bounds that every graph keeps, so that a reader may add and multiply shapes without overflow.

/// The most nodes a graph may have.
pub const MAX_NODES: usize = 1 << 16;
/// The most dimensions a shape may have (the batch not counted).
pub const MAX_RANK: usize = 6;
/// The largest single dimension.
pub const MAX_DIM: usize = 1 << 28;
/// The most elements in one value or one parameter.
pub const MAX_ELEMENTS: usize = 1 << 34;
