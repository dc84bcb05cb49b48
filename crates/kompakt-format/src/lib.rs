//! The container (`.kompakt`), from bytes to checked parts. Never writes, never touches a file, never panics.
//!
//! ```text
//! ┌────────┬───────────┬──────────────────────────────┬────────────┬───────────┬─ ─ ─ ─┬───────────┐
//! │ header │ directory │ pool: what is small, in one  │ a tensor   │ a tensor  │        │ ancillary │
//! │        │ (CBOR)    │ adaptive stream, or as it is │            │           │        │           │
//! └────────┴───────────┴──────────────────────────────┴────────────┴───────────┴─ ─ ─ ─┴───────────┘
//!   16 B     graph, tables   each section ends in its own CRC-32
//! ```
//!
//! Reading has two steps with different guarantees:
//!
//! - [`Container::parse`] checks header and directory (they have a checksum of their own) and where each
//!   section is stored. It reads nothing else, so it costs microseconds whatever the size of the file.
//!   Afterwards the graph, all shapes and all tables can be relied on. The payloads cannot: a flipped bit
//!   there gives an error or other weights.
//! - [`Container::verify`] reads everything: each section's checksum, every payload, and the content hash.
//!
//! ```no_run
//! # fn main() -> Result<(), kompakt_format::FormatError> {
//! # let bytes = [0u8; 0];
//! let container = kompakt_format::Container::parse(&bytes)?;
//! container.verify()?;
//! for (param, weights) in container.graph().params().iter().zip(container.decode()?) {
//!     println!("{} {:?}: {} kept", param.name, param.shape, weights.n_kept());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Small networks may come in the compact form, version 2: header, content hash and one adaptive stream, in which the directory
//! comes first. Its one checksum is over the whole file, and is checked by `parse`.
//!
//! Memory is allocated only in proportion to what has been validated, and never more than the limits of
//! `spec/format.md` allow: see [`limits`]. Every error names the rule of that text and the byte where it is broken.
//!
//! What is not here: mapping files, running networks, writing (`kompakt-pack`).
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;

mod adaptive;
mod ancillary;
mod cbor;
mod check;
mod compact;
mod container;
mod content;
mod crc;
mod decode;
mod decoded;
mod dense;
mod descriptor;
mod directory;
mod error;
mod fill;
mod header;
mod hints;
pub mod limits;
mod operators;
mod partial;
mod planes;
mod pool;
mod raw;
mod section;
mod sizes;
mod source;
mod tiles;
mod verify;
mod zstd;

pub use ancillary::{SelfTest, ValueRange, ranged_values, self_test_input};
pub use container::{Container, rows_and_cols};
pub use content::ContentHash;
pub use decoded::{Decoded, coder_shape, unit_counts};
pub use descriptor::{Descriptor, Form};
pub use directory::{Directory, Tier, input_names, key};
pub use error::FormatError;
pub use header::{COMPACT_VERSION, MAGIC, VERSION};
pub use hints::{Producer, WeightHints};
pub use kompakt_numbers::{NumberFormat, Numbers};
pub use planes::{BLOCK_BYTES, n_planes};
pub use pool::Pool;
pub use section::{CRC_BYTES, Section, SectionKind, place};
pub use source::Source;
pub use tiles::{Tile, Tiles};
