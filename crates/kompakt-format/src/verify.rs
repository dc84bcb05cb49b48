//! Reads everything: padding, checksums, payloads, content hash.

use crate::{
    container::{Container, rows_and_cols},
    content::ContentHash,
    error::{FormatError, broken},
    section::Section,
};

impl Container<'_> {
    /// Checks every byte of the file.
    ///
    /// Afterwards every payload can be decoded and is what was written: a change of any single byte is an error
    /// here at the latest. Time: a decoding of everything. Memory: the pool, and one parameter at a time.
    ///
    /// Errors: the first rule that is broken, in the file's order.
    pub fn verify(&self) -> Result<(), FormatError> {
        self.check_sections()?;
        let mut pool = self.pool()?;
        let mut hash = ContentHash::default();
        for i in 0..self.descriptors().len() {
            let Some((param, _)) = self.described(i) else { continue };
            let decoded = match pool.take(i) {
                Some(decoded) => decoded,
                None => self.decode_own(i, &pool)?,
            };
            hash.parameter(&decoded, rows_and_cols(&param.shape).1);
        }
        let directory = self.bytes().get(self.directory().hashed.clone()).unwrap_or(&[]);
        if hash.finish(directory) != self.content_hash() {
            let at = self.directory().span.start;
            return broken("F-25", at, "the content hash does not fit what the file holds");
        }
        self.check_ancillary()
    }

    /// Padding before, and the checksum behind, every section.
    fn check_sections(&self) -> Result<(), FormatError> {
        let mut end = self.directory().span.end;
        for section in self.sections() {
            let padding = self.bytes().get(end..section.offset).unwrap_or(&[]);
            if let Some(i) = padding.iter().position(|&b| b != 0) {
                return broken("F-20", end.saturating_add(i), "padding that is not zero");
            }
            self.check_crc(section)?;
            end = section.end().saturating_add(crate::CRC_BYTES);
        }
        Ok(())
    }

    /// Checks the checksum of one section.
    pub fn check_crc(&self, section: &Section) -> Result<(), FormatError> {
        let stored = self.bytes().get(section.end()..).and_then(|rest| rest.first_chunk::<4>());
        if stored.map(|b| u32::from_le_bytes(*b)) == Some(crc32fast::hash(self.section_bytes(section))) {
            return Ok(());
        }
        broken("F-21", section.offset, "the checksum of a section does not fit it")
    }
}
