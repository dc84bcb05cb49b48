//! The section table: where each part is stored.
//!
//! Sections follow the directory in the table's order. One that is read in place (tiles, raw values) and has
//! at least [`ALIGNED_FROM`] bytes begins at the next multiple of [`ALIGNMENT`], any other immediately. The
//! CRC-32 of a section follows its last byte.

use crate::{
    cbor::Cbor,
    error::{FormatError, broken},
    limits::{ALIGNED_FROM, ALIGNMENT, MAX_ANCILLARY_BYTES, MAX_SECTIONS, MAX_TILES},
};
use alloc::vec::Vec;
use kompakt_words::words;

/// Bytes of the checksum after each section.
pub const CRC_BYTES: usize = 4;

/// What a section holds. `parameter` is an index in the graph's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SectionKind {
    /// All parameters without a section of their own, in one adaptive stream (tier `smallest`). Code 0.
    Pool,
    /// Codebooks and dense values, stored directly (tiers `stream` and `direct`). Code 1.
    Numbers,
    /// One parameter in an adaptive stream of its own (tier `smallest`). Code 2.
    Adaptive {
        /// Its index.
        parameter: usize,
    },
    /// One dense parameter, stored directly (all tiers). Code 3.
    Raw {
        /// Its index.
        parameter: usize,
    },
    /// The weights of one parameter as bit-packed tiles (tier `direct`). Code 4.
    DirectTiles {
        /// Its index.
        parameter: usize,
    },
    /// The weights of one parameter as entropy-coded tiles (tier `stream`). Code 5.
    StreamTiles {
        /// Its index.
        parameter: usize,
    },
    /// The tables shared by all [`SectionKind::StreamTiles`]. Code 6.
    StreamTables,
    /// Names of the classes. Code -1.
    Labels,
    /// The history. Code -2.
    Provenance,
    /// Inputs and their expected outputs. Code -3.
    SelfTests,
    /// Between which numbers the inputs of layers lie. Code -4.
    Ranges,
    /// An ancillary section of a kind that this reader does not know.
    Unknown(i64),
}

impl SectionKind {
    /// The kind's code. Rule F-16.
    pub fn code(self) -> i64 {
        match self {
            Self::Pool => 0,
            Self::Numbers => 1,
            Self::Adaptive { .. } => 2,
            Self::Raw { .. } => 3,
            Self::DirectTiles { .. } => 4,
            Self::StreamTiles { .. } => 5,
            Self::StreamTables => 6,
            Self::Labels => -1,
            Self::Provenance => -2,
            Self::SelfTests => -3,
            Self::Ranges => -4,
            Self::Unknown(code) => code,
        }
    }

    /// Whether the network is the same without it.
    pub fn is_ancillary(self) -> bool {
        self.code() < 0
    }

    /// The parameter that it belongs to.
    pub fn parameter(self) -> Option<usize> {
        match self {
            Self::Adaptive { parameter }
            | Self::Raw { parameter }
            | Self::DirectTiles { parameter }
            | Self::StreamTiles { parameter } => Some(parameter),
            _ => None,
        }
    }

    fn read(code: i64, cbor: &mut Cbor<'_>) -> Result<Self, FormatError> {
        let offset = cbor.offset();
        Ok(match code {
            0 => Self::Pool,
            1 => Self::Numbers,
            2 => Self::Adaptive { parameter: cbor.size()? },
            3 => Self::Raw { parameter: cbor.size()? },
            4 => Self::DirectTiles { parameter: cbor.size()? },
            5 => Self::StreamTiles { parameter: cbor.size()? },
            6 => Self::StreamTables,
            -1 => Self::Labels,
            -2 => Self::Provenance,
            -3 => Self::SelfTests,
            -4 => Self::Ranges,
            code if code < 0 => Self::Unknown(code),
            code => {
                let problem = words!("section kind {code} is unknown; the file needs a newer reader");
                return broken("F-16", offset, problem);
            }
        })
    }
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// The offset of its first byte.
    pub offset: usize,
    /// Its length in bytes, the checksum excluded.
    pub length: usize,
    /// Rows per tile (the last may have fewer), if there is more than one.
    pub(crate) rows_per_tile: Option<usize>,
    /// Bytes of each tile; they add up to `length`.
    pub(crate) tile_lengths: Vec<usize>,
    /// Unpacked length of a raw or ancillary section, if it is packed.
    pub unpacked: Option<usize>,
}

impl Section {
    /// The only section of a file.
    pub(crate) fn only(kind: SectionKind, offset: usize, length: usize) -> Self {
        Self { kind, offset, length, rows_per_tile: None, tile_lengths: Vec::new(), unpacked: None }
    }

    /// One past its last byte, where its checksum begins.
    pub fn end(&self) -> usize {
        self.offset.saturating_add(self.length)
    }
}

/// Where a section of `length` bytes begins if its predecessor (checksum included) ends at `end`. Rule F-18.
pub fn place(kind: SectionKind, end: usize, length: usize) -> usize {
    let is_read_in_place = matches!(
        kind,
        SectionKind::Raw { .. } | SectionKind::DirectTiles { .. } | SectionKind::StreamTiles { .. }
    );
    if is_read_in_place && length >= ALIGNED_FROM {
        end.div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT)
    } else {
        end
    }
}

/// Reads the table; `start` is the end of the directory, `total` the length of the file.
pub(crate) fn table(cbor: &mut Cbor<'_>, start: usize, total: usize) -> Result<Vec<Section>, FormatError> {
    let offset = cbor.offset();
    let n = cbor.array(MAX_SECTIONS)?;
    let mut sections = Vec::new();
    let mut end = start;
    for _ in 0..n {
        let section = entry(cbor, end)?;
        end = section.end().saturating_add(CRC_BYTES);
        sections.push(section);
    }
    if end != total {
        return broken("F-18", offset, words!("the sections end at byte {end}, the file at {total}"));
    }
    if matches!(sections.as_slice(), [Section { kind: SectionKind::Pool, .. }]) {
        return broken("F-10", offset, "a section table that lists the pool alone is left out");
    }
    Ok(sections)
}

fn entry(cbor: &mut Cbor<'_>, end: usize) -> Result<Section, FormatError> {
    let offset = cbor.offset();
    let n = cbor.array(usize::MAX)?;
    let code = cbor.int()?;
    let length = cbor.size()?;
    let kind = SectionKind::read(code, cbor)?;
    let mut section = Section::only(kind, place(kind, end, length), length);
    let left = n.checked_sub(if kind.parameter().is_some() { 3 } else { 2 });
    match (kind, left) {
        (SectionKind::Unknown(_), Some(left)) => (0..left).try_for_each(|_| cbor.skip())?,
        (_, Some(0)) => {}
        (SectionKind::DirectTiles { .. } | SectionKind::StreamTiles { .. }, Some(2)) => {
            tiles(cbor, &mut section)?;
        }
        (SectionKind::Raw { .. }, Some(1)) => section.unpacked = Some(cbor.size()?),
        (kind, Some(1)) if kind.is_ancillary() => section.unpacked = Some(unpacked(cbor)?),
        _ => return broken("F-7", offset, "a section entry with more or fewer items than its kind has"),
    }
    Ok(section)
}

fn tiles(cbor: &mut Cbor<'_>, section: &mut Section) -> Result<(), FormatError> {
    let offset = cbor.offset();
    section.rows_per_tile = Some(cbor.size()?);
    let n = cbor.array(MAX_TILES)?;
    section.tile_lengths = (0..n).map(|_| cbor.size()).collect::<Result<_, _>>()?;
    let sum = section.tile_lengths.iter().fold(0usize, |sum, &n| sum.saturating_add(n));
    if sum != section.length {
        return broken("F-19", offset, "the tiles of a section do not add up to its length");
    }
    Ok(())
}

fn unpacked(cbor: &mut Cbor<'_>) -> Result<usize, FormatError> {
    let offset = cbor.offset();
    match cbor.size()? {
        n if n <= MAX_ANCILLARY_BYTES => Ok(n),
        _ => broken("F-15", offset, "an ancillary section of more than 16 MiB"),
    }
}
