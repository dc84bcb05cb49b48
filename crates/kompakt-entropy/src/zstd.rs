//! Zstandard (RFC 8878), decoding only: blocks to bytes, strictly by the text. The compressor is elsewhere.
//!
//! ```text
//! block:  literals (raw, one byte repeated, or Huffman codes)  +  sequences (FSE codes)
//! a sequence: a number of literals, then a match: length and offset
//! ```
//!
//! The decoder is strict: each bit stream is read to exactly its first bit, and each table fills its cells.
//! Two strict readers accept the same bytes, which is why there is one here: a decoder that passes what the
//! text calls corrupt makes a file good for one reader and bad for another.
//!
//! What is not here: frame headers (each container has its own rule for them), dictionaries, checksums. Section numbers in
//! comments are those of the RFC.

mod bits;
mod block;
mod fse;
mod huffman;

use alloc::vec::Vec;

/// The most bytes of a block (3.1.1.2.4).
const BLOCK_MAX: usize = 1 << 17;

/// The blocks of a frame, which follow its header and unpack to `length` bytes; `None` for anything else,
/// bytes after the last block included. Sections 3.1.1.2 and 3.1.1.3.
///
/// Memory: `length`, and the literals of one block. Time: proportional to both lengths.
pub fn unpack(mut data: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length);
    let mut state = block::State::new();
    loop {
        let (header, rest) = data.split_first_chunk::<3>()?;
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let size = (header >> 3) as usize;
        let room = length - out.len();
        if size > BLOCK_MAX {
            return None;
        }
        data = match header >> 1 & 3 {
            0 if size <= room => {
                let (bytes, rest) = rest.split_at_checked(size)?;
                out.extend_from_slice(bytes);
                rest
            }
            1 if size <= room => {
                let (&byte, rest) = rest.split_first()?;
                out.resize(out.len() + size, byte);
                rest
            }
            2 => {
                let (bytes, rest) = rest.split_at_checked(size)?;
                state.unpack(bytes, &mut out, length)?;
                rest
            }
            _ => return None,
        };
        if header & 1 == 1 {
            return (data.is_empty() && out.len() == length).then_some(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_repeated_blocks() {
        // Three bytes as they are, then four times the same, the last block.
        let blocks = [3 << 3, 0, 0, 1, 2, 3, 4 << 3 | 2 | 1, 0, 0, 9];
        assert_eq!(unpack(&blocks, 7).unwrap(), [1, 2, 3, 9, 9, 9, 9]);
        assert_eq!(unpack(&blocks, 6), None, "longer than said");
        assert_eq!(unpack(&blocks, 8), None, "shorter than said");
        assert_eq!(unpack(&blocks[..9], 7), None, "cut off");
        assert_eq!(unpack(&[&blocks[..], &[0]].concat(), 7), None, "more behind");
        assert_eq!(unpack(&[4 << 3 | 6 | 1, 0, 0, 9], 4), None, "a reserved kind");
    }

    #[test]
    fn any_bytes_are_no_panic() {
        arbtest::arbtest(|u| {
            let length = u.int_in_range(0..=1 << 12)?;
            let mut block: Vec<u8> = u.arbitrary()?;
            let size = block.len().min(BLOCK_MAX) as u32;
            block.splice(0..0, (size << 3 | 5).to_le_bytes()[..3].iter().copied());
            unpack(&block, length).inspect(|out| assert_eq!(out.len(), length));
            Ok(())
        });
    }
}
