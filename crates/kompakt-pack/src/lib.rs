//! Writes containers (`.kompakt`), and unpacks them.
//!
//! ```text
//! model ──► simplify ──► order ──► sections ──► directory ──► file ──► read back ──► rename
//!           no dropout   of units  by tier      and header
//! ```
//!
//! Packing is lossless: shapes, masks, codes, codebooks and values come out as they went in; only nodes that
//! do nothing at run time are removed, and hidden units may be reordered. The bytes depend on the content and
//! the options alone. [`write()`] and [`write_to`] take the parameters one at a time from a [`Source`].
//!
//! Not here: anything that changes a weight; reading (`kompakt-format`).

pub mod account;
mod adaptive;
mod ancillary;
pub mod arrays;
mod cbor;
mod compact;
mod content;
mod convert;
mod directory;
mod error;
mod operators;
mod order;
mod parts;
mod planes;
mod raw;
mod rebuild;
mod sections;
mod self_test;
mod simplify;
pub mod synthetic;
mod table;
mod tiles;
mod unpack;
mod write;

pub use kompakt_reference as reference;

pub use content::{About, InMemory, Packed, Source, Streamed};
pub use error::PackError;
pub use order::{Orders, Units, follows_trellis, hidden_units, order_units};
pub use parts::Checking;
pub use rebuild::{head, rebuild};
pub use table::table;
pub use unpack::{Progress, unpack, unpack_file};
pub use write::{Layout, Options, Written, write, write_to};
