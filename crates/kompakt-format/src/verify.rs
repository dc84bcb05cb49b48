//! Reads everything: padding, checksums, payloads, content hash.

use crate::{
    compact,
    container::{Container, rows_and_cols},
    content::ContentHash,
    crc::Crc,
    decode::parse_tables,
    decoded::Decoded,
    dense::check_dense,
    directory::Directory,
    error::{FormatError, broken},
    planes::BLOCK_BYTES,
    pool::Pool,
    section::{CRC_BYTES, Section, SectionKind},
    source::Source,
};
use kompakt_entropy::Isa;

impl Container<'_> {
    /// Checks every byte of the file.
    ///
    /// Afterwards every payload can be decoded and equals what was written: a change of any single byte is an
    /// error here at the latest. Time: a full decoding. Memory: the pool, and one parameter at a time.
    ///
    /// Errors: the first rule that is broken.
    pub fn verify(&self) -> Result<(), FormatError> {
        self.directory().verify_from(&mut self.bytes())
    }

    /// Checks padding and the checksum of every section, without decoding anything.
    ///
    /// Afterwards the file is as it was written, but for changes that were made with the intent to deceive. Payloads that
    /// were never sound are found when they are decoded.
    ///
    /// Errors: the first rule that is broken.
    pub fn check_bytes(&self) -> Result<(), FormatError> {
        self.directory().check_bytes(&mut self.bytes())
    }

    /// Checks the checksum of one section; of a compact file, that of all.
    pub fn check_crc(&self, section: &Section) -> Result<(), FormatError> {
        if self.is_compact() {
            return compact::check(self.bytes(), self.directory().total);
        }
        checked(&mut self.bytes(), section)
    }
}

impl Directory {
    /// Checks header and directory of a file of `total` bytes, given only these first bytes.
    pub fn read<S: Source>(source: &mut S, total: usize) -> Result<Self, S::Error> {
        // Magic, version, two lengths of at most nine bytes, checksum.
        let start = source.part(0, total.min(31))?;
        if compact::is_compact(start.as_ref()) {
            compact::check_length(total)?;
            return Ok(Self::parse_prefix(source.part(0, total)?.as_ref(), total)?);
        }
        let end = crate::header::directory_end(start.as_ref(), total)?;
        let all = source.part(0, end)?;
        Ok(Self::parse_prefix(all.as_ref(), total)?)
    }

    /// [`Container::verify`] for the file of this directory, read section by section.
    pub fn verify_from<S: Source>(&self, source: &mut S) -> Result<(), S::Error> {
        let mut verifier = Verifier { directory: self, hash: ContentHash::default(), next: 0 };
        let (mut pool, mut tables) = (None, None);
        self.check_bytes(source)?;
        for section in &self.sections {
            if let (SectionKind::Raw { parameter }, Some(pool)) = (section.kind, &mut pool) {
                verifier.pooled_before(parameter, pool)?;
                if verifier.check_dense(source, section)? {
                    continue;
                }
            }
            let bytes = source.part(section.offset, section.length)?;
            let bytes = bytes.as_ref();
            match (section.kind, section.kind.parameter(), &mut pool) {
                (SectionKind::StreamTables, ..) => tables = Some(parse_tables(bytes, section, Isa::best())?),
                (_, Some(parameter), Some(pool)) => {
                    verifier.pooled_before(parameter, pool)?;
                    let decoded =
                        self.decode_section(parameter, bytes, pool, tables.as_ref(), Isa::best())?;
                    verifier.add(decoded);
                }
                (kind, ..) if kind.is_ancillary() => self.check_ancillary(section, bytes)?,
                _ => pool = Some(self.decode_pool(bytes, Isa::best())?),
            }
        }
        if let Some(pool) = &mut pool {
            verifier.pooled_before(self.descriptors.len(), pool)?;
        }
        let found = match &self.document {
            // A compact file has no open sizes.
            Some(document) => verifier.hash.finish(document.get(self.hashed.clone()).unwrap_or(&[]), &[]),
            None => {
                let hashed = source.part(self.hashed.start, self.hashed.len())?;
                let sizes = source.part(self.hashed_sizes.start, self.hashed_sizes.len())?;
                verifier.hash.finish(hashed.as_ref(), sizes.as_ref())
            }
        };
        if found != self.content_hash {
            broken("F-25", self.span.start, "the content hash does not fit what the file holds")?;
        }
        Ok(())
    }
}

impl Directory {
    /// Padding before, and the checksum after, each section; or the checksum of a compact file.
    fn check_bytes<S: Source>(&self, source: &mut S) -> Result<(), S::Error> {
        if self.document.is_some() {
            return Ok(compact::check(source.part(0, self.total)?.as_ref(), self.total)?);
        }
        let mut end = self.span.end;
        for section in &self.sections {
            let padding = source.part(end, section.offset.saturating_sub(end))?;
            if let Some(i) = padding.as_ref().iter().position(|&b| b != 0) {
                broken("F-20", end.saturating_add(i), "padding that is not zero")?;
            }
            checked(source, section)?;
            end = section.end().saturating_add(CRC_BYTES);
        }
        Ok(())
    }
}

/// Compares the checksum of a section with its bytes, piece by piece.
fn checked<S: Source>(source: &mut S, section: &Section) -> Result<(), S::Error> {
    let mut crc = Crc::new();
    for from in (0..section.length).step_by(BLOCK_BYTES) {
        let length = section.length.saturating_sub(from).min(BLOCK_BYTES);
        crc.update(source.part(section.offset.saturating_add(from), length)?.as_ref());
    }
    let stored = source.part(section.end(), CRC_BYTES)?;
    if stored.as_ref() != crc.finalize().to_le_bytes() {
        broken("F-21", section.offset, "the checksum of a section does not fit it")?;
    }
    Ok(())
}

/// Hashes parameters in the graph's order, whatever their source.
struct Verifier<'d> {
    directory: &'d Directory,
    hash: ContentHash,
    /// The next parameter.
    next: usize,
}

impl Verifier<'_> {
    /// Adds the next parameter from its raw section, piece by piece; false if it has to be decoded.
    fn check_dense<S: Source>(&mut self, source: &mut S, section: &Section) -> Result<bool, S::Error> {
        let Some((param, descriptor)) = self.directory.described(self.next) else { return Ok(false) };
        let shape = rows_and_cols(&param.shape);
        let found = check_dense(source, section, descriptor, shape, &mut self.hash)?.is_some();
        self.next = self.next.saturating_add(usize::from(found));
        Ok(found)
    }

    fn add(&mut self, decoded: Decoded) {
        if let Some((param, _)) = self.directory.described(self.next) {
            self.hash.parameter(&decoded, rows_and_cols(&param.shape).1);
        }
        self.next = self.next.saturating_add(1);
    }

    /// Adds the pool's parameters up to parameter `end`.
    fn pooled_before(&mut self, end: usize, pool: &mut Pool) -> Result<(), FormatError> {
        while self.next < end {
            match pool.take(self.next) {
                Some(decoded) => self.add(decoded),
                None => return broken("F-17", self.directory.span.start, "a parameter is nowhere"),
            }
        }
        Ok(())
    }
}
