//! Huffman codes of literals (4.2).

use super::{bits::Backward, fse::Fse};
use alloc::{vec, vec::Vec};

/// The longest code.
const MOST_BITS: u32 = 11;
/// The number of codes that always fit a window of bits.
const AT_ONCE: usize = 5;

/// For each of the next `log` bits a symbol, and the bits that it takes.
#[derive(Debug, Clone)]
pub(super) struct Huffman {
    log: u32,
    rows: Vec<(u8, u8)>,
}

impl Huffman {
    /// From the weights of all symbols but the last (4.2.1): 0 is no code, else the code is shorter by one for every one more.
    fn new(mut weights: Vec<u8>) -> Option<Self> {
        if weights.len() > 255 || weights.iter().any(|&w| u32::from(w) > MOST_BITS) {
            return None;
        }
        let total: u32 = weights.iter().filter(|&&w| w > 0).map(|&w| 1 << (w - 1)).sum();
        let log = total.checked_ilog2()? + 1;
        let rest = (1u32 << log) - total;
        if log > MOST_BITS || !rest.is_power_of_two() {
            return None;
        }
        weights.push(rest.ilog2() as u8 + 1);
        let mut rows = Vec::with_capacity(1 << log);
        for weight in 1..=log as u8 {
            for (symbol, _) in weights.iter().enumerate().filter(|(_, w)| **w == weight) {
                rows.extend(vec![(symbol as u8, log as u8 + 1 - weight); 1 << (weight - 1)]);
            }
        }
        (rows.len() == 1 << log).then_some(Self { log, rows })
    }

    /// Reads a table (4.2.1.1); returns it and its size in bytes.
    pub(super) fn read(data: &[u8]) -> Option<(Self, usize)> {
        let (&header, rest) = data.split_first()?;
        let header = usize::from(header);
        if header >= 128 {
            let n = header - 127;
            let packed = rest.get(..n.div_ceil(2))?;
            let weights = (0..n).map(|i| packed[i / 2] >> (if i % 2 == 0 { 4 } else { 0 }) & 15).collect();
            return Some((Self::new(weights)?, 1 + packed.len()));
        }
        let coded = rest.get(..header)?;
        let (fse, used) = Fse::read(coded, 6, 256)?;
        let mut bits = Backward::new(coded.get(used..)?)?;
        let mut states = [fse.begin(&mut bits), fse.begin(&mut bits)];
        if bits.left() < 0 {
            return None;
        }
        let (mut weights, mut turn) = (Vec::new(), 0);
        // Two states alternate, until one has no bits left for its next state: then the other has the last
        // symbol.
        loop {
            weights.push(fse.symbol(states[turn]));
            states[turn] = fse.next(states[turn], &mut bits);
            turn = 1 - turn;
            if bits.left() < 0 {
                weights.push(fse.symbol(states[turn]));
                return Some((Self::new(weights)?, 1 + header));
            }
            if weights.len() > 255 {
                return None;
            }
        }
    }

    /// Appends the `n` symbols of a stream, which are all that is in it.
    pub(super) fn decode(&self, data: &[u8], n: usize, out: &mut Vec<u8>) -> Option<()> {
        let mut bits = Backward::new(data)?;
        let mut left = n;
        while left >= AT_ONCE {
            let mut window = bits.peek();
            let mut used = 0;
            let mut symbols = [0; AT_ONCE];
            for to in &mut symbols {
                let (symbol, n_bits) = self.rows[(window >> (64 - self.log)) as usize];
                *to = symbol;
                used += u32::from(n_bits);
                window <<= n_bits;
            }
            out.extend_from_slice(&symbols);
            bits.skip(used);
            left -= AT_ONCE;
        }
        for _ in 0..left {
            let (symbol, n_bits) = self.rows[(bits.peek() >> (64 - self.log)) as usize];
            out.push(symbol);
            bits.skip(u32::from(n_bits));
        }
        // Exactly all bits were used: none are left, and none were read past the first.
        (bits.left() == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of 4.2.1: weights 4 3 2 0 1 and a last of 1.
    #[test]
    fn the_example_of_the_text() {
        let huffman = Huffman::new(vec![4, 3, 2, 0, 1]).unwrap();
        assert_eq!(huffman.log, 4);
        let code = |symbol| huffman.rows.iter().position(|row| row.0 == symbol).unwrap();
        assert_eq!([code(4), code(5), code(2), code(1), code(0)], [0, 1, 2, 4, 8]);
        // 0 1 2 4 5 from the highest bit on: 1 01 001 0000 0001 behind the bit that opens the stream.
        let mut out = Vec::new();
        assert!(huffman.decode(&[0b0000_0001, 0b0100_1000 | 1, 0b0000_0110], 5, &mut out).is_none());
        let stream = 0b110_1001_0000_0001_u32.to_le_bytes();
        huffman.decode(&stream[..2], 5, &mut out).unwrap();
        assert_eq!(out[5..], [0, 1, 2, 4, 5]);
        // One symbol fewer leaves bits, one more reads past the first.
        assert!(huffman.decode(&stream[..2], 4, &mut out).is_none());
        assert!(huffman.decode(&stream[..2], 6, &mut out).is_none());
    }

    #[test]
    fn weights_that_make_no_tree() {
        assert!(Huffman::new(vec![0; 4]).is_none());
        assert!(Huffman::new(vec![1, 3]).is_none());
        assert!(Huffman::new(vec![12]).is_none());
        assert!(Huffman::new(vec![1; 256]).is_none());
    }
}
