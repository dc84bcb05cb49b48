//! Version 2, the compact form: a small network of tier `smallest` without anything ancillary.
//!
//! ```text
//! 89 4B 50 54 0D 0A 1A 0A   magic
//! 02                        version
//! 4 bytes                   CRC-32 of the nine bytes before this field, then of all after it
//! 8 bytes                   content hash
//! the rest                  one compact stream: the directory, then every parameter
//! ```
//!
//! The directory is that of version 1, its content hash taken out. It is put together again here, so that all else reads it as it
//! reads version 1.

use crate::{
    cbor::Cbor,
    crc::Crc,
    directory::{Directory, Raw},
    error::{FormatError, broken},
    header::{COMPACT_VERSION, MAGIC},
    limits::{MAX_COMPACT_BYTES, MAX_HEAD_BYTES},
};
use alloc::vec::Vec;
use kompakt_entropy::smallest::StreamDecoder;
use kompakt_words::words;

const CRC_AT: usize = 9;
const HASH_AT: usize = 13;
/// Where the stream begins.
pub(crate) const STREAM_AT: usize = 21;

/// Whether a file that begins with these bytes (nine at least) is of version 2.
pub(crate) fn is_compact(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(MAGIC.len()) == Some(&COMPACT_VERSION)
}

/// Rule F-28: how long such a file may be. So it can be read as a whole before anything in it is checked.
pub(crate) fn check_length(total: usize) -> Result<(), FormatError> {
    if (STREAM_AT..=MAX_COMPACT_BYTES).contains(&total) {
        return Ok(());
    }
    broken("F-28", MAGIC.len(), words!("a file of version 2 has 21 bytes to 1 MiB, this one has {total}"))
}

/// Rules F-28 and F-29 of a whole file: length and checksum.
pub(crate) fn check(bytes: &[u8], total: usize) -> Result<(), FormatError> {
    check_length(total)?;
    if bytes.len() != total {
        return broken("F-28", MAGIC.len(), "the file has changed its length");
    }
    let mut crc = Crc::new();
    crc.update(bytes.get(..CRC_AT).unwrap_or(&[]));
    crc.update(bytes.get(HASH_AT..).unwrap_or(&[]));
    if bytes.get(CRC_AT..HASH_AT) != Some(&crc.finalize().to_le_bytes()) {
        return broken("F-29", CRC_AT, "the checksum of the file does not fit it");
    }
    Ok(())
}

/// Checks everything but the parameters.
pub(crate) fn parse(bytes: &[u8], total: usize) -> Result<Directory, FormatError> {
    check(bytes, total)?;
    let (_, head) = payload(bytes.get(STREAM_AT..).unwrap_or(&[]))?;
    if !matches!(head.first(), Some(0xa4..=0xa6)) {
        return broken("F-30", STREAM_AT, "the directory of a compact file is no map of four to six pairs");
    }
    let mut document: Vec<u8> = head.iter().copied().take(1).collect();
    document.extend([0x01, 0x48]);
    document.extend(bytes.get(HASH_AT..STREAM_AT).unwrap_or(&[]));
    document.extend(head.iter().skip(1));
    let read = || {
        let mut cbor = Cbor::new(&document, 0);
        let raw = Raw::read(&mut cbor, 0, total)?;
        cbor.finish()?;
        Ok(raw)
    };
    // Offsets within the directory are none of the file.
    let in_stream = |e: FormatError| FormatError { offset: STREAM_AT, ..e };
    let raw = read().map_err(in_stream)?;
    if !raw.has_only_content() {
        return broken("F-30", STREAM_AT, "the directory of a compact file has other keys than 1 to 6");
    }
    raw.compact(document, total).map_err(in_stream)
}

/// Begins to read a stream: what comes after its directory, and the directory without the content hash.
pub(crate) fn payload(stream: &[u8]) -> Result<(StreamDecoder<'_>, Vec<u8>), FormatError> {
    let mut item = Item::default();
    StreamDecoder::compact(stream, MAX_HEAD_BYTES, |byte| item.ends_with(byte))
        .map_err(|e| FormatError::coded(e, STREAM_AT))
}

/// How much of the directory is still to come, byte by byte.
#[derive(Default)]
struct Item {
    /// Items that are to begin; `None` before the first byte.
    items: Option<u64>,
    /// Bytes of the argument at hand, of which kind of item, and its value so far.
    argument_bytes: u32,
    major: u8,
    argument: u64,
    /// Bytes of the text at hand.
    text_bytes: u64,
}

impl Item {
    /// Whether the directory ends with this byte, or is none that there can be.
    fn ends_with(&mut self, byte: u8) -> bool {
        let Some(items) = self.items else {
            // A map of four to six pairs; that of the hash is elsewhere.
            self.items =
                matches!(byte, 0xa4..=0xa6).then(|| u64::from(byte & 7).saturating_sub(1).saturating_mul(2));
            return self.items.is_none();
        };
        if self.text_bytes > 0 {
            self.text_bytes = self.text_bytes.saturating_sub(1);
            return self.text_bytes == 0 && items == 0;
        }
        if self.argument_bytes > 0 {
            self.argument_bytes = self.argument_bytes.saturating_sub(1);
            self.argument = self.argument << 8 | u64::from(byte);
        } else {
            let info = byte & 31;
            self.items = Some(items.saturating_sub(1));
            self.major = byte >> 5;
            self.argument = if info < 24 { u64::from(info) } else { 0 };
            self.argument_bytes = match info {
                0..=23 => 0,
                24..=27 => 1 << (info & 3),
                _ => return true,
            };
        }
        if self.argument_bytes > 0 {
            return false;
        }
        let more = match self.major {
            2 | 3 => {
                self.text_bytes = self.argument;
                0
            }
            4 => self.argument,
            5 => self.argument.saturating_mul(2),
            6 => return true,
            _ => 0,
        };
        let items = self.items.unwrap_or(0).saturating_add(more);
        self.items = Some(items);
        items == 0 && self.text_bytes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(bytes: &[u8]) -> Option<usize> {
        let mut item = Item::default();
        bytes.iter().position(|&byte| item.ends_with(byte)).map(|at| at + 1)
    }

    #[test]
    fn a_directory_ends_where_its_last_item_does() {
        assert_eq!(end(b"\xa4\x02\x81\x04\x03\x82\x82\x00\x03\x07\x06\x82\x16\x02\xff"), Some(14));
        assert_eq!(end(b"\xa4\x02\x81\x19\x01\x00\x03\x81\x07\x06\x81\xf9\x3c\x00"), Some(14));
        assert_eq!(end(b"\xa4\x02\x62ab\x03\x07\x06\xa1\x01\x40"), Some(11));
        assert_eq!(end(b"\xa4\x02\x81\x04\x03"), None);
        for none in [&b"\x80"[..], b"\xa7", b"\xa4\x9f", b"\xa4\xc0"] {
            assert_eq!(end(none), Some(none.len()));
        }
    }
}
