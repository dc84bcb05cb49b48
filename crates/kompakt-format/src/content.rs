//! The content hash, which is equal for files that hold the same network.

use crate::decoded::Decoded;
use alloc::vec::Vec;
use kompakt_numbers::Numbers;
use sha2::{Digest, Sha256};

/// Bytes that are buffered before they are hashed.
const BLOCK: usize = 1 << 16;

/// Feeds the content of a file to SHA-256 in the order that `spec/format.md` defines. Rule F-25.
#[derive(Clone, Default)]
pub struct ContentHash {
    sha: Sha256,
    gathered: Vec<u8>,
}

impl ContentHash {
    /// Adds one parameter, in the graph's order; `cols` is the product of all its dimensions but the first.
    pub fn parameter(&mut self, decoded: &Decoded, cols: usize) {
        let cols = cols.max(1);
        match decoded {
            Decoded::Shared { codebook, weights } => {
                self.numbers(codebook);
                match &weights.mask {
                    None => {
                        self.flush(0);
                        self.sha.update(&weights.codes);
                    }
                    Some(mask) => {
                        for (mask, codes) in mask.chunks_exact(cols).zip(weights.codes.chunks_exact(cols)) {
                            self.bits(mask);
                            let kept = mask.iter().zip(codes).filter(|(kept, _)| **kept);
                            self.gathered.extend(kept.map(|(_, &code)| code));
                            self.flush(BLOCK);
                        }
                    }
                }
            }
            Decoded::Dense { numbers, mask } => {
                for row in mask.iter().flat_map(|mask| mask.chunks_exact(cols)) {
                    self.bits(row);
                    self.flush(BLOCK);
                }
                self.numbers(numbers);
            }
        }
        self.flush(0);
    }

    /// Adds bytes of a dense parameter as its raw section stores them, unpacked; only for f32 and f16.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
    }

    /// Ends with the directory's bytes from key 2 to the end of key 6's value, and those of key 8 with its value if it is
    /// there; the first eight bytes of the hash.
    pub fn finish(mut self, directory: &[u8], sizes: &[u8]) -> [u8; 8] {
        self.sha.update(directory);
        self.sha.update(sizes);
        let digest: [u8; 32] = self.sha.finalize().into();
        let mut hash = [0; 8];
        hash.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        hash
    }

    /// Bits, least significant first, padded to full bytes.
    fn bits(&mut self, row: &[bool]) {
        let byte = |chunk: &[bool]| chunk.iter().rev().fold(0u8, |byte, &bit| byte << 1 | u8::from(bit));
        self.gathered.extend(row.chunks(8).map(byte));
    }

    fn numbers(&mut self, numbers: &Numbers) {
        match numbers {
            Numbers::F32(values) => self.each(values, |v| v.to_le_bytes()),
            Numbers::F16(bits) => self.each(bits, |b| b.to_le_bytes()),
            Numbers::Scaled { scale, integers } => {
                self.gathered.extend(scale.to_le_bytes());
                self.each(integers, |n| n.to_le_bytes());
            }
        }
    }

    fn each<T, const N: usize>(&mut self, values: &[T], bytes: impl Fn(&T) -> [u8; N]) {
        for chunk in values.chunks(BLOCK / 4) {
            self.gathered.extend(chunk.iter().flat_map(&bytes));
            self.flush(BLOCK);
        }
    }

    /// Hashes the buffer once it holds more than `least` bytes.
    fn flush(&mut self, least: usize) {
        if self.gathered.len() > least {
            self.sha.update(&self.gathered);
            self.gathered.clear();
        }
    }
}
