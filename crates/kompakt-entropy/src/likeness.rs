//! The similarity of two units, as the gain of coding one after the other.
//!
//! If the kept weights of two units had nothing to do with each other, `e` of them would fall together; `s` do.
//! The gain is `s ln (s / e) - (s - e)`, the logarithm of a likelihood ratio, plus terms for signs that
//! agree (or disagree throughout), and for equal density.

use crate::{MaskedCodes, smallest::log};
use alloc::{vec, vec::Vec};

/// The kept weights of every unit as bits, and how often each bit is set.
struct Sets {
    words: Vec<u64>,
    n_words: usize,
    /// Kept weights of each unit.
    sizes: Vec<u64>,
    /// Over the kept weights of a unit, how many units keep each, summed.
    reach: Vec<u64>,
    total: u64,
}

impl Sets {
    /// `of(unit, index)` is whether a bit is set.
    fn new(n_units: usize, n_bits: usize, of: impl Fn(usize, usize) -> bool) -> Self {
        let n_words = n_bits.div_ceil(64);
        let mut sets = Self {
            words: vec![0; n_units * n_words],
            n_words,
            sizes: vec![0; n_units],
            reach: vec![0; n_units],
            total: 0,
        };
        let mut counts = vec![0_u64; n_bits];
        for unit in 0..n_units {
            for (index, count) in counts.iter_mut().enumerate() {
                let bit = u64::from(of(unit, index));
                sets.words[unit * n_words + index / 64] |= bit << (index % 64);
                sets.sizes[unit] += bit;
                *count += bit;
            }
        }
        for unit in 0..n_units {
            let kept = (0..n_bits).filter(|&index| of(unit, index));
            sets.reach[unit] = kept.map(|index| counts[index]).sum();
        }
        sets.total = sets.sizes.iter().sum();
        sets
    }

    fn row(&self, unit: usize) -> &[u64] {
        &self.words[unit * self.n_words..(unit + 1) * self.n_words]
    }

    /// How many bits two units share.
    fn shared(&self, a: usize, b: usize) -> u64 {
        self.row(a).iter().zip(self.row(b)).map(|(x, y)| u64::from((x & y).count_ones())).sum()
    }

    /// What the shared bits are worth, in 1/256: negative, and half, if there are fewer than expected.
    fn worth(&self, a: usize, b: usize) -> i64 {
        let shared = self.shared(a, b);
        let expected = ((self.reach[a] * self.sizes[b]) << 16) / self.total.max(1);
        // At least a twentieth.
        let expected = expected.max(3277);
        let surprise = i64::from(log((shared << 16).max(1)) - log(expected));
        let worth = shared as i64 * surprise - (shared as i64 * 256 - (expected >> 8) as i64);
        if shared << 16 > expected { worth } else { -worth / 2 }
    }

    /// The absolute logarithm of the ratio of two sizes, in 1/256.
    fn imbalance(&self, a: usize, b: usize) -> i64 {
        i64::from((log(self.sizes[a] + 1) - log(self.sizes[b] + 1)).abs())
    }
}

pub(crate) struct Likeness {
    incoming: Sets,
    /// The positive ones among the incoming.
    positive: Sets,
    outgoing: Option<Sets>,
}

impl Likeness {
    pub(crate) fn new(weights: &MaskedCodes<'_>, consumer: Option<&MaskedCodes<'_>>) -> Self {
        let (n_units, row_len) = (weights.rows, weights.row_len());
        let is_kept = |unit: usize, index: usize| weights.is_kept(unit * row_len + index);
        let is_positive = |unit: usize, index: usize| {
            is_kept(unit, index) && usize::from(weights.codes[unit * row_len + index]) >= weights.n_negative
        };
        let outgoing = consumer.map(|consumer| {
            // Every unit feeds the same number of weights in a row of the consumer.
            let span = consumer.row_len() / n_units.max(1);
            Sets::new(n_units, consumer.rows * span, |unit, index| {
                consumer.is_kept(index / span * consumer.row_len() + unit * span + index % span)
            })
        });
        Self {
            incoming: Sets::new(n_units, row_len, is_kept),
            positive: Sets::new(n_units, row_len, is_positive),
            outgoing,
        }
    }

    /// How many incoming weights a unit has kept.
    pub(crate) fn n_kept(&self, unit: usize) -> u64 {
        self.incoming.sizes[unit]
    }

    /// The gain of coding `b` right after `a`, in 1/256 of a nat.
    pub(crate) fn between(&self, a: usize, b: usize) -> i64 {
        let sizes = self.n_kept(a) + self.n_kept(b);
        let steepness = (256 * sizes).isqrt().min(128) as i64;
        let density = (self.incoming.imbalance(a, b) * steepness * 77) >> 13;
        let outgoing = self
            .outgoing
            .as_ref()
            .map_or(0, |sets| sets.worth(a, b).max(0) - ((sets.imbalance(a, b) * 77) >> 8));
        self.incoming.worth(a, b) + self.signs(a, b) - density + outgoing
    }

    /// Half for each shared weight by which agreeing signs outnumber disagreeing ones, or the reverse.
    fn signs(&self, a: usize, b: usize) -> i64 {
        let rows = [self.incoming.row(a), self.incoming.row(b), self.positive.row(a), self.positive.row(b)];
        let balance: i64 = (0..self.incoming.n_words)
            .map(|i| {
                let (shared, differ) = (rows[0][i] & rows[1][i], rows[2][i] ^ rows[3][i]);
                i64::from((shared & !differ).count_ones()) - i64::from((shared & differ).count_ones())
            })
            .sum();
        128 * balance.abs()
    }
}
