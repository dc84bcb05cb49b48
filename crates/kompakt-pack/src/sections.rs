//! Sections on their way into a file: spooled until the directory before them is known.

use crate::error::PackError;
use kompakt_format::SectionKind;
use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use self::file::{SpoolFile, cut, empty};

/// What sections are spooled to.
#[cfg(not(target_family = "wasm"))]
mod file {
    use super::Place;

    /// Bytes that are kept in memory before they go to disk.
    const SPOOL_BYTES: usize = 32 << 20;

    pub(super) type SpoolFile = tempfile::SpooledTempFile;

    pub(super) fn empty(place: Place<'_>) -> SpoolFile {
        match place {
            Place::Folder(folder) => tempfile::spooled_tempfile_in(SPOOL_BYTES, folder),
            Place::Memory => tempfile::spooled_tempfile(usize::MAX),
        }
    }

    pub(super) fn cut(file: &mut SpoolFile, length: u64) -> std::io::Result<()> {
        file.set_len(length)
    }
}

/// What sections are spooled to where there are no files.
#[cfg(target_family = "wasm")]
mod file {
    use super::Place;

    pub(super) type SpoolFile = std::io::Cursor<Vec<u8>>;

    pub(super) fn empty(_: Place<'_>) -> SpoolFile {
        SpoolFile::default()
    }

    pub(super) fn cut(file: &mut SpoolFile, length: u64) -> std::io::Result<()> {
        file.get_mut().truncate(length as usize);
        Ok(())
    }
}

/// A section's entry in the table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: SectionKind,
    pub(crate) length: usize,
    /// Rows of a tile, and the bytes of each, where there is more than one.
    pub(crate) tiles: Option<(usize, Vec<usize>)>,
    /// Bytes before compression, if there was any.
    pub(crate) unpacked: Option<usize>,
    crc: u32,
}

/// A section being written, the last of its spool. Unless it is [ended](Self::end) it has to be [undone](Self::undo).
pub(crate) struct Writing<'s> {
    spool: &'s mut Spool,
    kind: SectionKind,
    start: u64,
    length: usize,
    crc: crc32fast::Hasher,
}

impl Writing<'_> {
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.crc.update(bytes);
        self.length += bytes.len();
        self.spool.file.write_all(bytes).map_err(PackError::io("writing a temporary file"))
    }

    /// The section is complete; `unpacked` if it is compressed.
    pub(crate) fn end(self, unpacked: Option<usize>) {
        let Self { spool, kind, length, crc, .. } = self;
        spool.entries.push(Entry { kind, length, tiles: None, unpacked, crc: crc.finalize() });
    }

    /// Takes back what was written.
    pub(crate) fn undo(self) -> Result<(), PackError> {
        let io = || PackError::io("writing a temporary file");
        cut(&mut self.spool.file, self.start).map_err(io())?;
        self.spool.file.seek(SeekFrom::Start(self.start)).map(|_| ()).map_err(io())
    }
}

/// A section with its bytes.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) kind: SectionKind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tiles: Option<(usize, Vec<usize>)>,
    pub(crate) unpacked: Option<usize>,
}

impl Section {
    pub(crate) fn new(kind: SectionKind, bytes: Vec<u8>) -> Self {
        Self { kind, bytes, tiles: None, unpacked: None }
    }
}

/// Where sections are spooled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'p> {
    /// In memory, and beyond a size in a temporary file of this folder.
    Folder(&'p Path),
    Memory,
}

/// Sections one after the other, in a temporary file if they are many.
pub(crate) struct Spool {
    file: SpoolFile,
    pub(crate) entries: Vec<Entry>,
}

impl Spool {
    /// An empty one.
    pub(crate) fn new(place: Place<'_>) -> Self {
        Self { file: empty(place), entries: Vec::new() }
    }

    pub(crate) fn push(&mut self, section: Section) -> Result<(), PackError> {
        let Section { kind, bytes, tiles, unpacked } = section;
        let crc = crc32fast::hash(&bytes);
        self.file.write_all(&bytes).map_err(PackError::io("writing a temporary file"))?;
        self.entries.push(Entry { kind, length: bytes.len(), tiles, unpacked, crc });
        Ok(())
    }

    /// Begins a section whose bytes are written piece by piece.
    pub(crate) fn begin(&mut self, kind: SectionKind) -> Result<Writing<'_>, PackError> {
        let start = self.file.stream_position().map_err(PackError::io("writing a temporary file"))?;
        Ok(Writing { spool: self, kind, start, length: 0, crc: crc32fast::Hasher::new() })
    }

    /// Copies the sections to `out`, which is at byte `at` of the file: with padding before and the checksum
    /// after each.
    pub(crate) fn copy_to(mut self, out: &mut dyn Write, mut at: usize) -> Result<usize, PackError> {
        let io = || PackError::io("writing the container");
        self.file.seek(SeekFrom::Start(0)).map_err(io())?;
        for entry in &self.entries {
            let start = kompakt_format::place(entry.kind, at, entry.length);
            out.write_all(&vec![0; start - at]).map_err(io())?;
            let mut bytes = (&mut self.file).take(entry.length as u64);
            std::io::copy(&mut bytes, out).map_err(io())?;
            out.write_all(&entry.crc.to_le_bytes()).map_err(io())?;
            at = start + entry.length + kompakt_format::CRC_BYTES;
        }
        Ok(at)
    }

    /// Where the file ends if its sections begin at `start`.
    pub(crate) fn end(entries: &[Entry], start: usize) -> usize {
        entries.iter().fold(start, |at, e| {
            kompakt_format::place(e.kind, at, e.length) + e.length + kompakt_format::CRC_BYTES
        })
    }
}
