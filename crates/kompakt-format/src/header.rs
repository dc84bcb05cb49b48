//! The first bytes of a file.
//!
//! ```text
//! 89 4B 50 54 0D 0A 1A 0A   magic: catches text-mode transfer, as PNG's does
//! 01                        version
//! LEB128                    length of the file in bytes
//! LEB128                    length of the directory in bytes
//! 4 bytes                   CRC-32 of all header bytes before this field, then of the directory
//! ```

use crate::{
    crc::Crc,
    error::{FormatError, broken},
    limits::MAX_DIRECTORY_BYTES,
};
use kompakt_words::words;

/// The first eight bytes of every container.
pub const MAGIC: [u8; 8] = *b"\x89KPT\r\n\x1a\n";
/// The version of files with a header as above.
pub const VERSION: u8 = 1;
/// The version of the compact form, which has another.
pub const COMPACT_VERSION: u8 = 2;

/// Where the directory is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) directory_at: usize,
    /// One past the directory's last byte; at most the file's length.
    pub(crate) directory_end: usize,
}

impl Header {
    /// Checks the header and the checksum of the directory. `bytes` are the first of a file of `total`, at
    /// least up to the end of the directory.
    pub(crate) fn parse(bytes: &[u8], total: usize) -> Result<Self, FormatError> {
        let (header, crc_at) = Self::lengths(bytes, total)?;
        let stored = bytes.get(crc_at..).and_then(|rest| rest.first_chunk::<4>());
        if stored.map(|b| u32::from_le_bytes(*b)) != Some(header.crc(bytes, crc_at)) {
            return broken("F-5", crc_at, "the checksum of header and directory does not fit them");
        }
        Ok(header)
    }

    /// Everything but the checksum, and where that is stored.
    fn lengths(bytes: &[u8], found: usize) -> Result<(Self, usize), FormatError> {
        check_magic(bytes)?;
        match bytes.get(8) {
            Some(&VERSION) => {}
            Some(&other) => {
                return broken(
                    "F-2",
                    8,
                    words!("version {other}; this reader reads versions {VERSION} and {COMPACT_VERSION}"),
                );
            }
            None => return broken("F-3", 8, "the file ends within its header"),
        }
        let (total, at) = leb128(bytes, 9)?;
        if u64::try_from(found) != Ok(total) {
            let problem = words!("the header says {total} bytes, the file has {found}");
            return broken("F-3", 9, problem);
        }
        let (length, crc_at) = leb128(bytes, at)?;
        let directory_at = crc_at.saturating_add(4);
        let length = usize::try_from(length).ok().filter(|&n| n <= MAX_DIRECTORY_BYTES);
        let end = length.and_then(|n| directory_at.checked_add(n)).filter(|&end| end <= found);
        let Some(directory_end) = end else {
            return broken("F-4", at, "the directory is longer than the file or than 16 MiB");
        };
        Ok((Self { directory_at, directory_end }, crc_at))
    }

    fn crc(&self, bytes: &[u8], crc_at: usize) -> u32 {
        let mut crc = Crc::new();
        crc.update(bytes.get(..crc_at).unwrap_or(&[]));
        crc.update(bytes.get(self.directory_at..self.directory_end).unwrap_or(&[]));
        crc.finalize()
    }
}

/// Where the directory ends in a file of `total` bytes that begins with these (31 at least, or all).
pub(crate) fn directory_end(bytes: &[u8], total: usize) -> Result<usize, FormatError> {
    Ok(Header::lengths(bytes, total)?.0.directory_end)
}

fn check_magic(bytes: &[u8]) -> Result<(), FormatError> {
    if bytes.starts_with(&MAGIC) {
        return Ok(());
    }
    let problem = if MAGIC.starts_with(bytes) {
        return broken("F-3", bytes.len(), "the file ends within its first eight bytes");
    } else if bytes.starts_with(&MAGIC[..4]) {
        "the line ends in the magic number were changed: the file was transferred as text"
    } else {
        "not a .kompakt file: the magic number is missing"
    };
    broken("F-1", 0, problem)
}

/// An unsigned integer, seven bits per byte, least significant first, in as few bytes as possible.
fn leb128(bytes: &[u8], at: usize) -> Result<(u64, usize), FormatError> {
    let mut value = 0u64;
    let mut shift = 0u32;
    let mut next = at;
    loop {
        let Some(&byte) = bytes.get(next) else {
            return broken("F-3", next, "the file ends within its header");
        };
        let part = u64::from(byte & 0x7f);
        if shift > 56 || (byte == 0 && shift > 0) {
            return broken("F-3", at, "a length is not in its shortest form, or above 2^63");
        }
        value |= part << shift;
        shift = shift.saturating_add(7);
        next = next.saturating_add(1);
        if byte & 0x80 == 0 {
            return Ok((value, next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128_has_one_form() {
        assert_eq!(leb128(&[0x7f], 0), Ok((127, 1)));
        assert_eq!(leb128(&[0x80, 0x01], 0), Ok((128, 2)));
        assert_eq!(leb128(&[9, 0xe5, 0x8e, 0x26], 1), Ok((624_485, 4)));
        assert_eq!(leb128(&[0x80, 0x00], 0).unwrap_err().rule, "F-3");
        assert_eq!(leb128(&[0x80], 0).unwrap_err().offset, 1);
        assert!(leb128(&[0xff; 12], 0).is_err());
    }

    #[test]
    fn says_what_is_not_a_container() {
        let rule = |bytes: &[u8]| Header::parse(bytes, bytes.len()).unwrap_err().rule;
        assert_eq!(rule(b""), "F-3");
        assert_eq!(rule(b"\x89KPT"), "F-3");
        assert_eq!(rule(b"\x89KPT\n\x1a\n"), "F-1");
        assert_eq!(rule(b"GIF89a"), "F-1");
        assert_eq!(rule(b"\x89KPT\r\n\x1a\n\x03"), "F-2");
        assert_eq!(rule(b"\x89KPT\r\n\x1a\n\x01\x0a"), "F-3");
        assert_eq!(rule(b"\x89KPT\r\n\x1a\n\x01\x0b\x05"), "F-4");
    }
}
