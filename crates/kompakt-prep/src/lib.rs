//! Preprocessing as a typed list of steps: one definition, shared by training and by the loader.
//!
//! A [`Pipeline`] turns a raw image into a network's input. It is validated when it is made, so that
//! the shape after each step is known, and it can be written three ways: as JSON, as numbers for the
//! container ([`Step::to_numbers`]), and as an eight-byte [`hash`](Pipeline::hash) that a prepared data set
//! carries.
//!
//! ```text
//! bytes ──/255──► [1,28,28] ──deskew──► [1,28,28] ──gradients──► [716] ──► network
//! ```
//!
//! Values are f32 between steps and f64 inside one, in an order that `spec/preprocessing.md` fixes: any
//! implementation that follows it gets the same bits. Nothing here depends on the machine, on threads or on
//! earlier data.
//!
//! What is not here: files, colour management, anything fitted to data at run time. A fitted projection
//! ([`pca`]) becomes a linear layer of the network.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod colour;
mod error;
mod filter;
mod geometry;
mod gradients;
mod hash;
mod image;
mod limits;
mod middle;
mod numbers;
pub mod pca;
mod pipeline;
mod presets;
mod resize;
mod shape;
mod step;
mod symmetric;
mod wire;

pub use error::PrepError;
pub use image::{Image, byte_value};
pub use limits::{MAX_CELLS, MAX_ELEMENTS, MAX_NUMBERS, MAX_ORIENTATIONS, MAX_SIDE, MAX_STEPS};
pub use numbers::Number;
pub use pipeline::{Pipeline, Scratch};
pub use presets::{PRESETS, preset};
pub use shape::Shape;
pub use step::{Filter, Step};
