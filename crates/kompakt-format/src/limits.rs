//! Upper bounds of version 1. A file that exceeds one is refused, and no writer produces one.
//! `spec/format.md` lists them; so do `kompakt_graph` and `kompakt_prep` for the graph and the preprocessing.

/// Bytes of the directory.
pub const MAX_DIRECTORY_BYTES: usize = 1 << 24;
/// How deep arrays and maps may nest in the directory.
pub const MAX_NESTING: usize = 8;
/// Elements of all parameters together, for an empty file; see [`ELEMENTS_PER_BYTE`].
pub const BASE_ELEMENTS: u64 = 1 << 24;
/// How many more elements each byte of the file allows, so that a small file cannot ask for much memory.
pub const ELEMENTS_PER_BYTE: u64 = 1 << 12;
/// Inputs of the network.
pub const MAX_INPUTS: usize = 64;
/// Parameters of the network: its nodes have at most four each.
pub const MAX_PARAMETERS: usize = 1 << 18;
/// Sections of a file.
pub const MAX_SECTIONS: usize = 1 << 18;
/// Tiles of one parameter.
pub const MAX_TILES: usize = 1 << 20;
/// Recorded figures.
pub const MAX_FIGURES: usize = 256;
/// Keys of the directory.
pub const MAX_KEYS: usize = 256;
/// Entries of a codebook.
pub const MAX_LEVELS: usize = 256;
/// Number of entries from which a codebook in an adaptive stream is coded by its gaps.
pub const GAPS_FROM: usize = 32;
/// The same in a compact stream.
pub const COMPACT_GAPS_FROM: usize = 2;
/// Bytes of a file of version 2.
pub const MAX_COMPACT_BYTES: usize = 1 << 20;
/// Bytes of its directory.
pub const MAX_HEAD_BYTES: usize = 1 << 16;
/// Number of bytes from which a section begins at a multiple of [`ALIGNMENT`].
pub const ALIGNED_FROM: usize = 4096;
/// Alignment of large sections.
pub const ALIGNMENT: usize = 64;
/// Unpacked bytes of an ancillary section.
pub const MAX_ANCILLARY_BYTES: usize = 1 << 24;
/// Names of classes.
pub const MAX_LABELS: usize = 1 << 20;
/// Maximum number of nodes traversed from a weight back to the layer that produces its inputs.
pub const MAX_HINT_STEPS: usize = 64;
