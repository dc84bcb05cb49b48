//! Products of bytes: weights and inputs as integers of 8 bits, sums of 32.
//!
//! ```text
//! x ─► Quantiser ─► bytes, four channels side by side ─► the same forms and kernels, over integers ─► epilogue ─► floats
//! W ─► Int8Rows ──► bytes, four columns side by side  ─┘   (crate::isa::Dots)                          scale, bias, ReLU
//! ```
//!
//! `y = s_x s_w (sum of w q - z sum of w)`: the zero point `z` and the scales are parts of the epilogue's numbers. An element of
//! four zero weights is skipped like a pruned weight. Where an instruction set has no instruction that adds up four products,
//! some put elements in an order in which more is added up in 16 bits (`runs`).

pub(crate) mod planes;
pub(crate) mod quantiser;
pub(crate) mod rows;
#[cfg(target_arch = "x86_64")]
pub(crate) mod runs;
