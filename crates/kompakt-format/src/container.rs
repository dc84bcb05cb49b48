//! A container over its bytes.

use crate::{
    descriptor::Descriptor,
    directory::{Directory, Tier},
    error::{FormatError, broken},
    section::Section,
    tiles::Tiles,
};
use alloc::{string::String, sync::Arc};
use kompakt_entropy::Isa;
use kompakt_graph::Graph;
use kompakt_prep::Pipeline;

/// A `.kompakt` file whose header and directory have been checked. See the [crate] page for the guarantees.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// Exactly `directory.total` bytes.
    bytes: &'a [u8],
    directory: Arc<Directory>,
    /// The instruction set that payloads are decoded on.
    isa: Isa,
}

impl<'a> Container<'a> {
    /// Checks header and directory; payloads are not read.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        Ok(Self { bytes, directory: Arc::new(Directory::parse(bytes)?), isa: Isa::best() })
    }

    /// The same file again, for a caller that stores the directory beside its bytes (a memory map, say).
    ///
    /// Errors: F-3 if the bytes have another length. The caller ensures that they are the same bytes; if they
    /// are not, payloads are errors or other weights, nothing worse.
    pub fn with_directory(directory: Arc<Directory>, bytes: &'a [u8]) -> Result<Self, FormatError> {
        if bytes.len() != directory.total {
            return broken("F-3", 9, "the file has changed its length");
        }
        Ok(Self { bytes, directory, isa: Isa::best() })
    }

    /// The same, with payloads decoded on that instruction set instead of the best; all give the same result.
    pub fn on(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The instruction set that payloads are decoded on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The directory, to be stored by the caller.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }
    /// All bytes of the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// How the weights are coded.
    pub fn tier(&self) -> Tier {
        self.directory.tier
    }
    /// First eight bytes of SHA-256 over the content, the same in every tier. [`Container::verify`] checks it.
    pub fn content_hash(&self) -> [u8; 8] {
        self.directory.content_hash
    }
    /// The network. Parameters everywhere are numbered as in [`Graph::params`].
    pub fn graph(&self) -> &Graph {
        &self.directory.graph
    }
    /// The preprocessing of a raw input; its result is the network's only input.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.directory.pipeline.as_ref()
    }
    /// The directory's description of each parameter.
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.directory.descriptors
    }
    /// All sections in the file's order, separated only by padding and checksums.
    pub fn sections(&self) -> &[Section] {
        &self.directory.sections
    }
    /// How many bytes each key of the directory takes with its value. The map's own head is not counted.
    pub fn directory_bytes(&self) -> &[(i64, usize)] {
        &self.directory.key_bytes
    }
    /// Whether the file is of version 2: its directory is in the stream that is its only section, and has no place and no bytes of
    /// its own.
    pub fn is_compact(&self) -> bool {
        self.directory.document.is_some()
    }
    /// Bytes of the checksum after each section: none in a compact file, which has one before all.
    pub fn crc_bytes(&self) -> usize {
        if self.is_compact() { 0 } else { crate::CRC_BYTES }
    }
    /// The directory as version 1 stores it, also of a compact file.
    pub fn document(&self) -> &[u8] {
        let stored = || self.bytes.get(self.directory.span.clone()).unwrap_or(&[]);
        self.directory.document.as_deref().unwrap_or_else(stored)
    }
    /// Where the directory is stored; the header precedes it.
    pub fn directory_span(&self) -> core::ops::Range<usize> {
        self.directory.span.clone()
    }
    /// Number of parameters of the network as it entered the pipeline; times 4 bytes, this is the numerator
    /// of the compression ratio.
    pub fn dense_parameters(&self) -> Option<u64> {
        self.directory.dense_parameters
    }
    /// Recorded figures: `test_error` (0..1), …
    pub fn measured(&self) -> &[(String, f64)] {
        &self.directory.measured
    }

    /// The section that holds parameter `parameter` alone; `None` if it is in the pool (or is not there).
    pub fn section_of(&self, parameter: usize) -> Option<&Section> {
        self.directory.section_of(parameter)
    }

    /// The bytes of a section of this container.
    pub fn section_bytes(&self, section: &Section) -> &'a [u8] {
        self.bytes.get(section.offset..section.end()).unwrap_or(&[])
    }

    /// The tiles of a parameter with codes in tier `stream` or `direct`; `None` for any other.
    pub fn tiles(&self, parameter: usize) -> Option<Tiles<'_>> {
        self.directory.tiles(parameter, self.section_bytes(self.section_of(parameter)?))
    }
}

/// The shape of a parameter as a matrix: output units, and the elements of each.
pub fn rows_and_cols(shape: &[usize]) -> (usize, usize) {
    let (rows, rest) = shape.split_first().map_or((1, &[][..]), |(&rows, rest)| (rows, rest));
    // A graph's parameters have at most 2^34 elements.
    (rows, rest.iter().fold(1usize, |n, &d| n.saturating_mul(d)))
}
