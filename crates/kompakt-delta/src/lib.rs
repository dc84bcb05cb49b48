//! Patches: how one edition of a packed network follows from another, in a fraction of the bytes of the file.
//!
//! ```text
//! OLD.kompakt ─┬─► diff ─► PATCH      NEW coded with OLD's weights as context
//! NEW.kompakt ─┘
//! OLD.kompakt ─┬─► patch ─► NEW.kompakt, byte for byte
//! PATCH ───────┘
//! ```
//!
//! A patch holds what [`spec/format-patch.md`] says: the hashes of both files, and one adaptive stream with the new
//! directory beside the old one, the order of hidden units, and every parameter beside its old values. It makes files of tier
//! `smallest`, whose adaptive streams have one form for one content; the old file may be of any tier. It fits exactly one
//! old file.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (old, new) = (std::fs::read("v1.kompakt")?, std::fs::read("v2.kompakt")?);
//! let patch = kompakt_delta::diff(&old, &new)?;
//! assert_eq!(kompakt_delta::patch(&old, &patch)?, new);
//! # Ok(())
//! # }
//! ```
//!
//! No bytes of a patch make [`patch()`] panic, or take memory out of proportion to the two files that it is given.
//!
//! [`spec/format-patch.md`]: https://github.com/kompakt-nn/kompakt/blob/main/spec/format-patch.md
#![forbid(unsafe_code)]

mod apply;
mod body;
mod error;
mod expected;
mod header;
mod make;
mod matching;
mod moves;
mod parameter;

pub use apply::patch;
pub use error::DeltaError;
pub use header::{Header, MAGIC, VERSION, file_hash};
pub use make::diff;
