//! Products of bytes: weights and inputs as integers of 8 bits, sums of 32.
//!
//! ```text
//! x ─► Quantiser ─► bytes, four channels side by side ─► the same forms and kernels, over integers ─► epilogue ─► floats
//! W ─► Int8Rows ──► bytes, four columns side by side  ─┘   (crate::isa::Dots)                          scale, bias, ReLU
//! ```
//!
//! `y = s_x s_w (sum of w q - z sum of w)`: the zero point `z` and the scales are parts of the epilogue's numbers. An element of
//! four zero weights is skipped like a pruned weight.

pub(crate) mod planes;
pub(crate) mod quantiser;
pub(crate) mod rows;
