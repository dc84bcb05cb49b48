//! All command lines of kompakt: `kompakt` with its subcommands, and the stages as programs of their own.
//!
//! The libraries know nothing of command lines, standard streams and progress bars; those are here.

#[cfg(feature = "train")]
mod allocator;
mod byte_count;
mod calibrate;
mod calibration;
mod completions;
mod compress;
mod data;
mod devices;
mod diff;
#[cfg(feature = "train")]
mod epoch_progress;
mod eval;
mod export;
pub mod failure;
mod foreign;
mod front_door;
mod identity;
mod import;
mod input;
mod inspect;
mod job_progress;
mod keygen;
pub mod library;
mod man;
mod named_size;
mod network;
pub mod options;
mod output;
mod packed;
mod password;
mod patch;
mod prep;
mod preprocessing;
pub mod process;
mod progress;
mod public_key;
mod repack;
mod report;
mod runnable;
mod sense;
mod sign;
mod signals;
mod speed;
pub mod stages;
#[cfg(feature = "train")]
mod training;
#[cfg(feature = "train")]
mod tuning;
mod unpack;
mod verify;

#[cfg(feature = "train")]
pub use allocator::Allocator;
pub use byte_count::ByteCount;
pub use front_door::{front_door, front_door_of};
pub use input::{Input, read_graph};
pub use named_size::NamedSize;
pub use output::Output;
