//! The first bytes of a patch.
//!
//! ```text
//! 89 4B 50 44 0D 0A 1A 0A    magic
//! 01                         version
//! 8 bytes each               content hash and file hash of the old file, then of the new one
//! LEB128                     length of the new file
//! ```

use crate::error::DeltaError;
use sha2::{Digest, Sha256};

/// The first eight bytes of every patch.
pub const MAGIC: [u8; 8] = *b"\x89KPD\r\n\x1a\n";
/// The version that this crate reads and writes.
pub const VERSION: u8 = 1;

/// What a patch is for, and what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Content hash of the old file, as in its directory.
    pub old_content: [u8; 8],
    /// [`file_hash`] of the old file.
    pub old_file: [u8; 8],
    /// Content hash of the new file.
    pub new_content: [u8; 8],
    /// [`file_hash`] of the new file.
    pub new_file: [u8; 8],
    /// Length of the new file in bytes.
    pub new_length: u64,
}

/// The first eight bytes of the SHA-256 of a whole file.
pub fn file_hash(bytes: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest[..8]);
    hash
}

impl Header {
    /// Reads a header; returns it, and the bytes after it.
    ///
    /// Errors: other bytes, a later version, or a patch that ends within its header.
    pub fn parse(patch: &[u8]) -> Result<(Self, &[u8]), DeltaError> {
        let Some(rest) = patch.strip_prefix(&MAGIC) else {
            return Err(DeltaError::NotAPatch(if MAGIC.starts_with(patch) {
                "it ends within its first eight bytes (rule E-1)"
            } else if patch.starts_with(b"\x89KPT") {
                "it is a .kompakt file; name the old file first, then the patch (rule E-1)"
            } else {
                "the magic number is missing (rule E-1)"
            }));
        };
        let ends = || DeltaError::damaged("E-1", "it ends within its header");
        let (&version, mut rest) = rest.split_first().ok_or_else(ends)?;
        if version != VERSION {
            return Err(DeltaError::Version(version));
        }
        let mut hashes = [[0; 8]; 4];
        for hash in &mut hashes {
            let (first, after) = rest.split_first_chunk().ok_or_else(ends)?;
            (*hash, rest) = (*first, after);
        }
        let [old_content, old_file, new_content, new_file] = hashes;
        let mut new_length = 0;
        for shift in (0..63).step_by(7) {
            let (&byte, after) = rest.split_first().ok_or_else(ends)?;
            rest = after;
            new_length |= u64::from(byte & 127) << shift;
            if byte < 128 {
                if byte == 0 && shift > 0 {
                    break;
                }
                return Ok((Self { old_content, old_file, new_content, new_file, new_length }, rest));
            }
        }
        Err(DeltaError::damaged("E-1", "a length is not in its shortest form, or above 2^63"))
    }

    /// The bytes of the header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hashes = [self.old_content, self.old_file, self.new_content, self.new_file].concat();
        let mut bytes = [&MAGIC[..], &[VERSION], &hashes].concat();
        let mut length = self.new_length;
        while length >= 128 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_no_part_of_it_is_one() {
        let [old_content, old_file, new_content, new_file] = [[1; 8], [2; 8], [3; 8], [4; 8]];
        let header = Header { old_content, old_file, new_content, new_file, new_length: 70_000 };
        let bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes).unwrap(), (header, &[][..]));
        (0..bytes.len()).for_each(|n| assert!(Header::parse(&bytes[..n]).is_err()));
    }
}
