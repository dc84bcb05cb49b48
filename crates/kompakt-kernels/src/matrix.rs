//! The forms of a matrix, and their sources of weights.

pub mod columns;
pub mod dense;
pub(crate) mod lanes;
pub(crate) mod layout;
pub mod panels;
pub(crate) mod rows;
pub mod sliced;
pub mod taps;
pub(crate) mod window;
pub(crate) mod windowed;
