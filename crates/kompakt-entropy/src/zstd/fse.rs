//! Finite state entropy (4.1): a table of states, each with its symbol and its transition to the next state.

use super::bits::{Backward, Forward};
use alloc::{vec, vec::Vec};

/// A state: its symbol, and the number of bits that are added to a base for the next state.
#[derive(Debug, Clone, Copy)]
struct Row {
    symbol: u8,
    n_bits: u8,
    base: u16,
}

/// See the [module page](self).
#[derive(Debug, Clone)]
pub(super) struct Fse {
    log: u32,
    rows: Vec<Row>,
}

impl Fse {
    /// From the normalized counts; -1 is "less than 1". The counts, with -1 taken as 1, sum to `1 << log`.
    pub(super) fn new(counts: &[i16], log: u32) -> Option<Self> {
        let size = 1usize << log;
        let mut symbols = vec![0u8; size];
        let mut end = size;
        for (symbol, _) in counts.iter().enumerate().filter(|(_, count)| **count == -1) {
            end = end.checked_sub(1)?;
            symbols[end] = symbol as u8;
        }
        let (step, mut place) = ((size >> 1) + (size >> 3) + 3, 0);
        for (symbol, &count) in counts.iter().enumerate() {
            for _ in 0..count.max(0) {
                symbols[place] = symbol as u8;
                place = (place + step) & (size - 1);
                while place >= end && end > 0 {
                    place = (place + step) & (size - 1);
                }
            }
        }
        let mut seen: Vec<u32> = counts.iter().map(|c| u32::from(c.unsigned_abs())).collect();
        let row = |&symbol: &u8| {
            let value = seen.get_mut(usize::from(symbol))?;
            let n_bits = log.checked_sub(value.checked_ilog2()?)?;
            let base = (*value << n_bits).checked_sub(1 << log)?;
            *value += 1;
            Some(Row { symbol, n_bits: n_bits as u8, base: base as u16 })
        };
        let rows = symbols.iter().map(row).collect::<Option<_>>()?;
        Some(Self { log, rows })
    }

    /// A single symbol, coded in zero bits.
    pub(super) fn of_one(symbol: u8) -> Self {
        Self { log: 0, rows: vec![Row { symbol, n_bits: 0, base: 0 }] }
    }

    /// Reads a table (4.1.1); returns it and its size in bytes.
    pub(super) fn read(data: &[u8], most_log: u32, n_symbols: usize) -> Option<(Self, usize)> {
        let mut bits = Forward::new(data);
        let log = bits.read(4)? + 5;
        if log > most_log {
            return None;
        }
        // One more than the count still to be distributed.
        let mut left = (1 << log) + 1;
        let mut counts = Vec::new();
        while left > 1 {
            if counts.len() >= n_symbols {
                return None;
            }
            let n = 32 - u32::leading_zeros(left);
            let most = (1 << n) - 1 - left;
            let mut value = bits.read(n - 1)?;
            if value >= most && bits.read(1)? == 1 {
                value += (1 << (n - 1)) - most;
            }
            let count = value as i16 - 1;
            counts.push(count);
            left = left.checked_sub(u32::from(count.unsigned_abs()))?;
            // After a symbol of count zero, the number of further ones.
            let mut repeat = if count == 0 { 3 } else { 0 };
            while repeat == 3 {
                repeat = bits.read(2)?;
                counts.extend((0..repeat).map(|_| 0));
            }
        }
        if left != 1 || counts.len() > n_symbols {
            return None;
        }
        Some((Self::new(&counts, log)?, bits.n_bytes()))
    }

    /// The first state.
    pub(super) fn begin(&self, bits: &mut Backward<'_>) -> usize {
        bits.read(self.log) as usize
    }

    #[inline]
    pub(super) fn symbol(&self, state: usize) -> u8 {
        self.rows[state].symbol
    }

    #[inline]
    pub(super) fn next(&self, state: usize, bits: &mut Backward<'_>) -> usize {
        let row = self.rows[state];
        usize::from(row.base) + bits.read(u32::from(row.n_bits)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reached_from_every_symbol() {
        let fse = Fse::new(&[5, -1, 1, 9, 0, 16], 5).unwrap();
        for symbol in [0, 1, 2, 3, 5] {
            let rows = fse.rows.iter().filter(|row| row.symbol == symbol);
            let mut next: Vec<u16> = rows.flat_map(|r| r.base..r.base + (1 << r.n_bits)).collect();
            next.sort_unstable();
            assert!(next.iter().copied().eq(0..32), "{symbol}: {next:?}");
        }
        assert_eq!(fse.rows[31].symbol, 1, "what is rare comes last");
    }
}
