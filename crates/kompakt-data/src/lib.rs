//! Data sets and image files.
//!
//! ```text
//! fetch ──► cache folder ──► load(name or path, split) ──► Dataset ──► apply(steps) ──► numbers
//! ```
//!
//! A [`Dataset`] holds labelled images of one shape, raw or prepared. What belongs to which [`Split`] depends on
//! the data alone.
#![forbid(unsafe_code)]

mod cache;
mod dataset;
mod digits;
mod error;
mod fetch;
mod idx;
mod known;
mod load;
mod progress;
mod split;

pub use cache::cache_folder;
pub use dataset::{Dataset, Values};
pub use error::DataError;
pub use fetch::{Fetched, fetch};
pub use known::NAMES;
pub use load::load;
pub use progress::{Bar, Progress, Silent};
pub use split::{Split, is_test, is_validation};
