//! A compressed block (3.1.1.3): literals, then sequences of literal runs and matches.

use super::{bits::Backward, fse::Fse, huffman::Huffman};
use alloc::vec::Vec;

/// The kinds of numbers of a sequence: literal lengths, offsets, match lengths.
const KINDS: [Kind; 3] = [
    Kind { counts: &LENGTHS, log: 6, most_log: 9, n_symbols: 36 },
    Kind { counts: &OFFSETS, log: 5, most_log: 8, n_symbols: 32 },
    Kind { counts: &MATCHES, log: 6, most_log: 9, n_symbols: 53 },
];

/// Default distributions (3.1.1.3.2.2), and the limits of coded ones.
struct Kind {
    counts: &'static [i16],
    log: u32,
    most_log: u32,
    n_symbols: usize,
}

#[rustfmt::skip]
const LENGTHS: [i16; 36] = [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
];
#[rustfmt::skip]
const OFFSETS: [i16; 29] = [
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
];
#[rustfmt::skip]
const MATCHES: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

/// State carried from block to block.
pub(super) struct State {
    huffman: Option<Huffman>,
    tables: [Option<Fse>; 3],
    recent: [usize; 3],
    literals: Vec<u8>,
}

impl State {
    pub(super) fn new() -> Self {
        Self { huffman: None, tables: [None, None, None], recent: [1, 4, 8], literals: Vec::new() }
    }

    /// Appends the decompressed `block`; `out` may grow to at most `most` bytes.
    pub(super) fn unpack(&mut self, block: &[u8], out: &mut Vec<u8>, most: usize) -> Option<()> {
        let mut literals = core::mem::take(&mut self.literals);
        literals.clear();
        let n = self.literals(block, &mut literals)?;
        self.sequences(block.get(n..)?, &literals, out, most)?;
        self.literals = literals;
        Some(())
    }

    /// The literals (3.1.1.3.1), and their size in bytes.
    fn literals(&mut self, block: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let &first = block.first()?;
        let (kind, form) = (first & 3, first >> 2 & 3);
        let header = |width: usize, skip: u32| {
            let bytes = block.get(..width)?;
            Some(bytes.iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte)) >> skip)
        };
        if kind < 2 {
            let (width, skip) = match form {
                1 => (2, 4),
                3 => (3, 4),
                _ => (1, 3),
            };
            let size = header(width, skip)? as usize;
            let rest = &block[width..];
            if kind == 0 {
                out.extend_from_slice(rest.get(..size)?);
                return Some(width + size);
            }
            out.resize(size, *rest.first()?);
            return Some(width + 1);
        }
        let (width, n_bits) = match form {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let sizes = header(width, 4)?;
        let (size, packed) = ((sizes & ((1 << n_bits) - 1)) as usize, (sizes >> n_bits) as usize);
        let mut body = block.get(width..width + packed)?;
        if kind == 2 {
            let (huffman, used) = Huffman::read(body)?;
            (self.huffman, body) = (Some(huffman), body.get(used..)?);
        }
        let huffman = self.huffman.as_ref()?;
        if form == 0 {
            huffman.decode(body, size, out)?;
            return Some(width + packed);
        }
        // Four streams, the lengths of three before them.
        let (jumps, _) = body.get(..6)?.as_chunks::<2>();
        let part = size.div_ceil(4);
        let mut start = 6;
        for i in 0..4 {
            let end = jumps.get(i).map_or(body.len(), |&jump| start + usize::from(u16::from_le_bytes(jump)));
            let n = if i < 3 { part } else { size.checked_sub(3 * part)? };
            huffman.decode(body.get(start..end)?, n, out)?;
            start = end;
        }
        Some(width + packed)
    }

    /// 3.1.1.3.2 and 3.1.1.4
    fn sequences(&mut self, data: &[u8], literals: &[u8], out: &mut Vec<u8>, most: usize) -> Option<()> {
        let (n, mut at) = count(data)?;
        if n == 0 {
            if at != data.len() || literals.len() > most - out.len() {
                return None;
            }
            out.extend_from_slice(literals);
            return Some(());
        }
        let &modes = data.get(at)?;
        at += 1;
        if modes & 3 != 0 {
            return None;
        }
        for ((table, kind), shift) in self.tables.iter_mut().zip(&KINDS).zip([6, 4, 2]) {
            match modes >> shift & 3 {
                0 => *table = Fse::new(kind.counts, kind.log),
                1 => {
                    *table = Some(Fse::of_one(*data.get(at)?));
                    at += 1;
                }
                2 => {
                    let (read, used) = Fse::read(data.get(at..)?, kind.most_log, kind.n_symbols)?;
                    (*table, at) = (Some(read), at + used);
                }
                _ => {}
            }
        }
        let [Some(lengths), Some(offsets), Some(matches)] = &self.tables else { return None };
        let mut bits = Backward::new(data.get(at..)?)?;
        let (mut of_length, mut of_offset, mut of_match) =
            (lengths.begin(&mut bits), offsets.begin(&mut bits), matches.begin(&mut bits));
        let mut literals = literals;
        for i in 0..n {
            let code = u32::from(offsets.symbol(of_offset));
            if code > 31 {
                return None;
            }
            let value = (1usize << code) + bits.read(code) as usize;
            let (base, extra) = match_length(matches.symbol(of_match))?;
            let n_again = base + bits.read(extra) as usize;
            let (base, extra) = literal_length(lengths.symbol(of_length))?;
            let n_literals = base + bits.read(extra) as usize;
            let (these, rest) = literals.split_at_checked(n_literals)?;
            literals = rest;
            if n_literals + n_again > most - out.len() || bits.left() < 0 {
                return None;
            }
            out.extend_from_slice(these);
            let offset = real_offset(value, n_literals, &mut self.recent)?;
            again(out, offset, n_again)?;
            if i + 1 < n {
                of_length = lengths.next(of_length, &mut bits);
                of_match = matches.next(of_match, &mut bits);
                of_offset = offsets.next(of_offset, &mut bits);
            }
        }
        if bits.left() != 0 || literals.len() > most - out.len() {
            return None;
        }
        out.extend_from_slice(literals);
        Some(())
    }
}

/// The number of sequences, and the offset of their tables (3.1.1.3.2.1).
fn count(data: &[u8]) -> Option<(usize, usize)> {
    let byte = |i: usize| data.get(i).map(|&b| usize::from(b));
    match byte(0)? {
        n @ 0..128 => Some((n, 1)),
        n @ 128..255 => Some((((n - 128) << 8) + byte(1)?, 2)),
        _ => Some((byte(1)? + (byte(2)? << 8) + 0x7f00, 3)),
    }
}

/// The base length of a code, and its number of extra bits.
fn literal_length(code: u8) -> Option<(usize, u32)> {
    const TABLE: [(usize, u32); 9] =
        [(16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3), (48, 4)];
    match code {
        0..16 => Some((usize::from(code), 0)),
        16..25 => TABLE.get(usize::from(code) - 16).copied(),
        25..36 => Some((1 << (code - 19), u32::from(code) - 19)),
        _ => None,
    }
}

/// The same for matches.
fn match_length(code: u8) -> Option<(usize, u32)> {
    const TABLE: [(usize, u32); 11] =
        [(35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4), (83, 4), (99, 5)];
    match code {
        0..32 => Some((usize::from(code) + 3, 0)),
        32..43 => TABLE.get(usize::from(code) - 32).copied(),
        43..53 => Some(((1 << (code - 36)) + 3, u32::from(code) - 36)),
        _ => None,
    }
}

/// Values 1 to 3 stand for recent offsets (3.1.1.5).
fn real_offset(value: usize, n_literals: usize, recent: &mut [usize; 3]) -> Option<usize> {
    let [first, second, third] = *recent;
    if value > 3 {
        *recent = [value - 3, first, second];
        return Some(value - 3);
    }
    let index = value - 1 + usize::from(n_literals == 0);
    let offset = recent.get(index).copied().unwrap_or(first - 1);
    match index {
        0 => {}
        1 => *recent = [second, first, third],
        _ => *recent = [offset, first, second],
    }
    (offset > 0).then_some(offset)
}

/// Copies `n` bytes from `offset` back; the ranges may overlap.
fn again(out: &mut Vec<u8>, offset: usize, n: usize) -> Option<()> {
    let start = out.len().checked_sub(offset)?;
    let mut left = n;
    while left > 0 {
        let part = left.min(out.len() - start);
        out.extend_from_within(start..start + part);
        left -= part;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// The ranges of length codes are contiguous.
    #[test]
    fn lengths_are_without_a_gap() {
        let all = |of: &dyn Fn(u8) -> Option<(usize, u32)>, n: u8, mut next: usize| {
            for (base, extra) in (0..n).map(|code| of(code).unwrap()) {
                assert_eq!(base, next);
                next = base + (1 << extra);
            }
            assert_eq!((of(n), next), (None, next));
            next
        };
        assert_eq!(all(&literal_length, 36, 0), 131_072);
        assert_eq!(all(&match_length, 53, 3), 131_075);
    }

    #[test]
    fn recent_offsets() {
        let mut recent = [1, 4, 8];
        assert_eq!((real_offset(20, 1, &mut recent), recent), (Some(17), [17, 1, 4]));
        assert_eq!((real_offset(1, 1, &mut recent), recent), (Some(17), [17, 1, 4]));
        assert_eq!((real_offset(1, 0, &mut recent), recent), (Some(1), [1, 17, 4]));
        assert_eq!((real_offset(3, 1, &mut recent), recent), (Some(4), [4, 1, 17]));
        assert_eq!((real_offset(3, 0, &mut recent), recent), (Some(3), [3, 4, 1]));
        assert_eq!(real_offset(3, 0, &mut [1, 2, 3]), None);
    }

    #[test]
    fn what_overlaps_is_repeated() {
        let mut out = vec![1, 2, 3];
        again(&mut out, 2, 5).unwrap();
        assert_eq!(out, [1, 2, 3, 2, 3, 2, 3, 2]);
        assert_eq!(again(&mut out, 9, 1), None);
    }
}
