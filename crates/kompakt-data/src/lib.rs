//! Data sets and image files.
//!
//! ```text
//! fetch ──► cache folder ──► load(name or path, split) ──► Dataset ──► apply(steps) ──► numbers
//! ```
//!
//! A [`Dataset`] holds labelled images of one shape, raw or prepared. What belongs to which [`Split`] depends on
//! the data alone.
#![forbid(unsafe_code)]

mod augment;
mod cache;
mod cifar;
mod classes;
mod dataset;
mod digits;
mod error;
mod feed;
mod fetch;
mod folder;
mod idx;
mod images;
mod known;
mod listing;
mod load;
mod mean_image;
mod npy;
mod picture;
mod pile;
mod prepared;
mod progress;
mod projection;
mod random;
mod reconcile;
mod report;
mod split;
mod steps;
mod words;

pub use augment::{Augmentation, Place};
pub use cache::cache_folder;
pub use dataset::{Dataset, Labelling, Values};
pub use error::DataError;
pub use feed::Feed;
pub use fetch::{Fetched, fetch};
pub use images::{Images, is_picture, read_images};
pub use known::NAMES;
pub use load::{find, load, load_as, load_in_parts, load_sample};
pub use npy::read_numbers;
pub use picture::{Picture, read_picture};
pub use prepared::{Precision, write_prepared};
pub use progress::{Progress, Silent};
pub use projection::{fit_pca, write_projection};
pub use reconcile::{Reconciled, prepare, reconcile};
pub use report::Figures;
pub use split::{Split, is_test, is_validation};
pub use steps::{parse_steps, parse_steps_for};
pub use words::{NAMED, Named};
