//! Symbol frequencies, normalized to a sum of 4096.
//!
//! All arithmetic is on integers, so that the same counts give the same frequencies on all machines.

use super::{SLOT_BITS, SLOTS};
use alloc::{vec, vec::Vec};

/// The frequencies of an alphabet: each is the number of slots, out of 4096, that its symbol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// 1 to 256 of them, the last not 0; together exactly 4096.
    freqs: Vec<u16>,
}

impl Histogram {
    /// Frequencies as they are. `None` unless there are at most 256, the last is not 0 and they add up to 4096.
    pub fn from_freqs(freqs: Vec<u16>) -> Option<Self> {
        let sum: u64 = freqs.iter().map(|&f| u64::from(f)).sum();
        let fits = sum == SLOTS as u64 && freqs.len() <= 256 && freqs.last() != Some(&0);
        fits.then_some(Self { freqs })
    }

    /// The frequencies that code symbols of these `counts` best, with at least 1 for each that occurs.
    ///
    /// `None` if nothing occurs or symbols above 255 do. Counts must stay below 2^48.
    pub fn of_counts(counts: &[u64]) -> Option<Self> {
        let total: u64 = counts.iter().sum();
        let len = counts.iter().rposition(|&n| n > 0)? + 1;
        if len > 256 || total >> 48 != 0 {
            return None;
        }
        let counts = &counts[..len];
        let share = |&n: &u64| if n == 0 { 0 } else { (n * SLOTS as u64 / total).max(1) };
        let mut freqs: Vec<u64> = counts.iter().map(share).collect();
        let mut sum: u64 = freqs.iter().sum();
        while sum != SLOTS as u64 {
            let grow = sum < SLOTS as u64;
            let best = best_step(counts, &freqs, grow)?;
            if grow {
                freqs[best] += 1;
                sum += 1;
            } else {
                freqs[best] -= 1;
                sum -= 1;
            }
        }
        Self::from_freqs(freqs.into_iter().map(|f| f as u16).collect())
    }

    /// The frequencies, symbol 0 first.
    pub fn freqs(&self) -> &[u16] {
        &self.freqs
    }

    /// The only symbol with slots, if there is only one.
    pub fn one_symbol(&self) -> Option<u8> {
        let last = self.freqs.len() - 1;
        (usize::from(self.freqs[last]) == SLOTS).then_some(last as u8)
    }

    /// The cost of symbols of these `counts`, in units of 2^-16 bit. `None` if one that occurs has no slot.
    pub fn cost(&self, counts: &[u64]) -> Option<u64> {
        let mut cost = 0;
        for (symbol, &n) in counts.iter().enumerate().filter(|&(_, &n)| n > 0) {
            let freq = self.freqs.get(symbol).copied().filter(|&f| f > 0)?;
            cost += n * u64::from((SLOT_BITS << 16) - log2(freq.into()));
        }
        Some(cost)
    }

    /// The first slot of each symbol when symbols lie one after the other.
    pub(super) fn starts(&self) -> Vec<u16> {
        let mut starts = vec![0; self.freqs.len()];
        let mut sum = 0;
        for (start, &freq) in starts.iter_mut().zip(&self.freqs) {
            *start = sum;
            sum += freq;
        }
        starts
    }
}

/// The symbol whose frequency should change by one: where `ln((f + 1) / f)`, here `1 / (f + 1/2)`, times its
/// count gains most, or, going down, costs least. The first of equals.
fn best_step(counts: &[u64], freqs: &[u64], grow: bool) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, (&n, &f)) in counts.iter().zip(freqs).enumerate() {
        if n == 0 || (!grow && f <= 1) {
            continue;
        }
        let Some(b) = best else {
            best = Some(i);
            continue;
        };
        // n / (2 f + 1) growing, n / (2 f - 1) shrinking; compared crosswise, 48 + 14 bits.
        let half = |f: u64| if grow { 2 * f + 1 } else { 2 * f - 1 };
        let (this, that) = (n * half(freqs[b]), counts[b] * half(f));
        if if grow { this > that } else { this < that } {
            best = Some(i);
        }
    }
    best
}

/// `log2(n)` in units of 2^-16, rounded down, of an `n` above 0; 0 of 0.
pub fn log2(n: u64) -> u32 {
    let Some(whole) = n.checked_ilog2() else {
        return 0;
    };
    // One bit per squaring: 1 <= m < 2, in units of 2^-31.
    let mut m = (n << (63 - whole)) >> 32;
    let mut log = whole;
    for _ in 0..16 {
        m = (m * m) >> 31;
        let bit = (m >> 32) as u32;
        m >>= bit;
        log = log << 1 | bit;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_nobody_is_forgotten() {
        arbtest::arbtest(|u| {
            let n = u.int_in_range(1..=256)?;
            let max = 1u64 << u.int_in_range(0..=30)?;
            let counts = (0..n).map(|_| u.int_in_range(0..=max)).collect::<Result<Vec<_>, _>>()?;
            let Some(histogram) = Histogram::of_counts(&counts) else {
                assert!(counts.iter().all(|&n| n == 0));
                return Ok(());
            };
            for (symbol, &n) in counts.iter().enumerate() {
                let freq = histogram.freqs().get(symbol).copied().unwrap_or(0);
                assert_eq!(n > 0, freq > 0);
            }
            Ok(())
        });
    }

    /// Small alphabets: no other split of the 4096 costs less, but for what the `1 / (f + 1/2)` leaves.
    #[test]
    fn parts_are_the_cheapest() {
        let cost = |counts: &[u64], freqs: &[f64]| -> f64 {
            counts.iter().zip(freqs).map(|(&n, f)| -(n as f64) * (f / 4096.0).log2()).sum()
        };
        for counts in [[1u64, 1, 1], [1, 10, 100_000], [5, 3, 9000], [1, 1, 100]] {
            let ours = Histogram::of_counts(&counts).unwrap();
            let ours = cost(&counts, &[0, 1, 2].map(|i| f64::from(ours.freqs()[i])));
            let mut best = f64::INFINITY;
            for a in 1..4095u32 {
                for b in 1..4096 - a {
                    best = best.min(cost(&counts, &[a, b, 4096 - a - b].map(f64::from)));
                }
            }
            assert!(ours <= best * 1.000_001 + 1e-9, "{counts:?}: {ours} above {best}");
        }
    }

    #[test]
    fn logarithms() {
        for n in (1..5000u64).chain([u64::MAX, 1 << 31, 123_456_789, 1 << 40]) {
            let exact = (n as f64).log2() * 65536.0;
            assert!((f64::from(log2(n)) - exact).abs() <= 1.5, "{n}");
        }
    }

    #[test]
    fn one_symbol_alone() {
        assert_eq!(Histogram::of_counts(&[0, 0, 7]).unwrap().one_symbol(), Some(2));
        assert_eq!(Histogram::of_counts(&[1, 0, 7]).unwrap().one_symbol(), None);
        assert!(Histogram::from_freqs(vec![4096, 0]).is_none());
        assert!(Histogram::from_freqs(vec![4000, 95]).is_none());
        assert!(Histogram::of_counts(&[0, 0]).is_none());
    }
}
