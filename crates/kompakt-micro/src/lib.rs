//! A packed network as C source: for machines without an operating system, and for use without a library.
//!
//! ```text
//! container ─► steps ─────► arena ─────────────► text ─► NAME.c, NAME.h
//!              prep, then   first fit: buffers     constants: places, codes, levels, biases
//!              each node    share memory when      functions of src/c that the steps call
//!              a call       one is no longer read  NAME_run: the calls
//! ```
//!
//! The output is C11 with no headers but `stdint.h` and `string.h`, no heap, no recursion, no state: all
//! memory is an arena of known length that the caller provides. Weights stay compressed: kept weights are
//! codes into a codebook, pruned ones cost a flag or a part of a distance, whichever is less for the layer,
//! and both are read in place.
//!
//! Not here: files, the command line (`kompakt export --c`).

mod arena;
mod constants;
mod nodes;
mod preparation;
mod source;
mod step;
mod weights;

use kompakt_format::{Container, FormatError};

/// C source of a network.
#[derive(Debug, Clone)]
pub struct Source {
    /// `NAME.c`.
    pub code: String,
    /// `NAME.h`.
    pub header: String,
    /// Length in floats of the arena that the caller provides.
    pub arena_len: usize,
    /// Bytes of constants: weights, codebooks, biases, tables.
    pub constant_bytes: usize,
}

/// Why a network cannot become C.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MicroError {
    /// The container is broken.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The name is not valid in C.
    #[error("{0:?} cannot name a function in C: letters, digits and _, a letter first")]
    Name(String),
    /// All nodes whose operators have no function in C.
    #[error("C source is not made of: {}", .0.join(", "))]
    Unsupported(Vec<String>),
    /// A value or a layer is too large.
    #[error("{what} has {n} elements; {limit} are the most that C source is made for")]
    TooLarge {
        /// Which.
        what: String,
        /// How many.
        n: usize,
        /// The limit.
        limit: usize,
    },
    /// A parameter holds a value that is not finite.
    #[error("{0} holds a number that is not finite")]
    NotFinite(String),
}

/// The most elements of a value, and the most weights of a layer.
pub const MAX_LEN: usize = 1 << 28;

/// The network of a container as C, with names that begin with `name`.
///
/// Errors: a broken payload, a name that is not valid in C, a value or layer of more than [`MAX_LEN`]
/// elements.
pub fn c_source(container: &Container<'_>, name: &str) -> Result<Source, MicroError> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(MicroError::Name(name.into()));
    }
    source::write(container, name)
}
