//! The forms of a matrix, and their sources of weights.

pub mod columns;
pub mod dense;
pub(crate) mod lanes;
pub(crate) mod layout;
pub(crate) mod paged;
pub mod panels;
#[cfg(target_arch = "x86_64")]
pub(crate) mod panels_in_runs;
pub(crate) mod rows;
pub mod sliced;
pub mod taps;
pub(crate) mod window;
pub(crate) mod windowed;
