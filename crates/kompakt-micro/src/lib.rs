//! A packed network as C or Rust source: for machines without an operating system, and for use without a library.
//!
//! ```text
//! container ─► plan ──────────────────────────────────► text
//!              calls      prep, then each node          functions of src/c or src/rust that the calls need
//!              constants  places, codes, levels, biases tables
//!              arena      buffers share memory           NAME_run or run: the calls
//!                         when one is no longer read
//! ```
//!
//! C is C11 with no headers but `stdint.h` and `string.h`; Rust is a crate without `std`, `alloc` and unsafe code. Both have no
//! heap, no recursion, no state: all memory is an arena of known length that the caller provides. Weights stay
//! compressed: kept weights are codes into a codebook, pruned ones cost a flag or a part of a distance, whichever is
//! less for the layer, and both are read in place.
//!
//! Not here: files, the command line (`kompakt export --c`, `--rust`).

mod arena;
mod c;
mod constants;
mod functions;
mod int8;
mod nodes;
mod plan;
mod preparation;
mod rust;
mod step;
mod weights;

use kompakt_format::{Container, FormatError};
use plan::Plan;

/// The type of the elements of all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input {
    /// Numbers in single precision.
    #[default]
    Floats,
    /// Bytes; each stands for itself divided by 255, as those of a picture do.
    Bytes,
}

/// The arithmetic of linear layers and convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activations {
    /// Floats in single precision.
    #[default]
    F32,
    /// Integers of 8 bits with sums of 32, as with the loader's int8 activations; for processors without floating point. All
    /// other operators compute in floats.
    Int8,
}

/// How source is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The type of the elements of all inputs.
    pub input: Input,
    /// The arithmetic of layers.
    pub activations: Activations,
}

impl From<Input> for Options {
    fn from(input: Input) -> Self {
        Self { input, ..Self::default() }
    }
}

/// The memory of a network's source, known before it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Length in floats of the arena that the caller provides.
    pub arena_len: usize,
    /// Bytes of constants in C on 32 bits: weights, codebooks, biases, tables.
    pub constant_bytes: usize,
    /// Bytes of all inputs.
    pub input_bytes: usize,
    /// Bytes of all outputs.
    pub output_bytes: usize,
    /// About how many bytes of code the C is on a Cortex-M4F, by gcc with `-Os`: arithmetic in double precision included.
    pub code_bytes: usize,
    /// About how many bytes of stack it takes there.
    pub stack_bytes: usize,
}

/// C source of a network.
#[derive(Debug, Clone)]
pub struct Source {
    /// `NAME.c`.
    pub code: String,
    /// `NAME.h`.
    pub header: String,
    /// What it needs.
    pub memory: Memory,
}

/// A Rust crate of a network.
#[derive(Debug, Clone)]
pub struct Crate {
    /// `Cargo.toml`.
    pub manifest: String,
    /// `src/lib.rs`.
    pub code: String,
    /// What it needs.
    pub memory: Memory,
}

/// Why a network cannot become source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MicroError {
    /// The container is broken.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The name is not valid.
    #[error("{0:?} cannot name a function in C or a crate in Rust: letters, digits and _, a letter first")]
    Name(String),
    /// A value or a layer is too large.
    #[error("{what} has {n} elements; {limit} are the most that source is made for")]
    TooLarge {
        /// Which.
        what: String,
        /// How many.
        n: usize,
        /// The limit.
        limit: usize,
    },
    /// Layers cannot read bytes without the ranges of their inputs.
    #[error(
        "int8 activations need the ranges of values, which the file does not hold: add them by `kompakt calibrate FILE -o NEW \
         --data IMAGES`"
    )]
    NoRanges,
    /// A parameter holds a value that is not finite.
    #[error("{0} holds a number that is not finite")]
    NotFinite(String),
}

/// The most elements of a value, and the most weights of a layer.
pub const MAX_LEN: usize = 1 << 28;

/// The network of a container as C, with names that begin with `name`.
///
/// Errors: a broken payload, a name that is not valid in C, a value or layer of more than [`MAX_LEN`]
/// elements, int8 activations without ranges in the file.
pub fn c_source(
    container: &Container<'_>,
    name: &str,
    options: impl Into<Options>,
) -> Result<Source, MicroError> {
    checked(name)?;
    let plan = Plan::of(container, options.into())?;
    Ok(Source { code: c::code(&plan, name), header: c::header(&plan, name), memory: memory_of(&plan) })
}

/// The network of a container as a Rust crate of that name.
///
/// Errors: as [`c_source`].
pub fn rust_crate(
    container: &Container<'_>,
    name: &str,
    options: impl Into<Options>,
) -> Result<Crate, MicroError> {
    checked(name)?;
    let plan = Plan::of(container, options.into())?;
    Ok(Crate { manifest: rust::manifest(name), code: rust::code(&plan), memory: memory_of(&plan) })
}

/// The memory that the source of a network will need.
///
/// Errors: as [`c_source`].
pub fn memory(container: &Container<'_>, options: impl Into<Options>) -> Result<Memory, MicroError> {
    Ok(memory_of(&Plan::of(container, options.into())?))
}

/// Bytes of code of a call with its arguments.
const CALL_BYTES: usize = 40;
/// Bytes of stack of the function that makes the calls and of its caller, and of the arguments of calls.
const RUN_STACK_BYTES: usize = 220;

fn memory_of(plan: &Plan) -> Memory {
    let (code, stack) = functions::estimate(&plan.functions());
    let n_input: usize = plan.inputs.iter().map(plan::Port::n).sum();
    Memory {
        arena_len: plan.arena_len,
        constant_bytes: plan.constants.n_bytes,
        input_bytes: if plan.input == Input::Bytes { n_input } else { 4 * n_input },
        output_bytes: 4 * plan.outputs.iter().map(plan::Port::n).sum::<usize>(),
        code_bytes: code + CALL_BYTES * plan.steps.steps.len(),
        stack_bytes: stack + RUN_STACK_BYTES,
    }
}

fn checked(name: &str) -> Result<(), MicroError> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name { Ok(()) } else { Err(MicroError::Name(name.into())) }
}
