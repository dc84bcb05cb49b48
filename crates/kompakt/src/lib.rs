//! All command lines of kompakt: `kompakt` with its subcommands, and the stages as programs of their own.
//!
//! The libraries know no command line, no standard streams and no progress bars; those are here.

mod byte_count;
mod completions;
mod compress;
mod data;
mod diff;
mod eval;
mod export;
mod front_door;
mod import;
mod inspect;
mod man;
mod network;
mod packed;
mod repack;
mod report;
mod runnable;
mod sense;
pub mod stages;
#[cfg(feature = "train")]
mod training;
#[cfg(feature = "train")]
mod tuning;
mod unpack;
mod verify;

pub use byte_count::ByteCount;
pub use front_door::front_door;
