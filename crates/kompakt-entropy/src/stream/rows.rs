//! From gaps to columns: running sums, cut into rows as they grow.

use crate::Isa;

/// Where summing stands.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Weights of the row under way that are spoken for, kept or not.
    pub(super) past: u32,
    /// Kept weights so far, of all rows.
    pub(super) n: usize,
    /// Rows that have ended.
    pub(super) n_ended: usize,
}

impl Sum {
    /// Ends the row under way. `None` where there are no more rows.
    #[inline]
    pub(super) fn end_row(&mut self, n: usize, ends: &mut [u32]) -> Option<()> {
        *ends.get_mut(self.n_ended)? = n as u32;
        self.n_ended += 1;
        Some(())
    }
}

/// Sums up gap `symbols` over the rows of a class, of `n_cols` columns each: the column of each kept weight goes to the
/// front of `cols`, and for each row how many there are up to its end to `ends`, which has a place for every row.
///
/// Returns how many there are; `None` where they lead past the last row. `cols` is at least [`SLACK`] longer than
/// `symbols`.
pub(super) fn columns(
    isa: Isa,
    symbols: &[u8],
    cap: u8,
    n_cols: u32,
    cols: &mut [u32],
    ends: &mut [u32],
) -> Option<usize> {
    let mut sum = Sum::default();
    #[cfg(target_arch = "x86_64")]
    let symbols = {
        use crate::rans::{avx2::Avx2, avx512::Avx512};
        let words = Avx512::of(isa).and_then(|avx512| avx512.words());
        match (words, Avx2::of(isa)) {
            _ if n_cols > MAX_COLS => symbols,
            (Some(words), _) => super::avx512::columns(words, symbols, cap, n_cols, &mut sum, cols, ends)?,
            (None, Some(avx2)) => super::avx2::columns(avx2, symbols, cap, n_cols, &mut sum, cols, ends)?,
            (None, None) => symbols,
        }
    };
    let _ = isa;
    for &symbol in symbols {
        sum.past += u32::from(symbol);
        while sum.past >= n_cols {
            sum.end_row(sum.n, ends)?;
            sum.past -= n_cols;
        }
        // Written in any case, counted only if it is kept.
        cols[sum.n] = sum.past;
        let is_kept = symbol != cap;
        sum.n += usize::from(is_kept);
        sum.past += u32::from(is_kept);
    }
    if sum.past == n_cols {
        sum.end_row(sum.n, ends)?;
        sum.past = 0;
    }
    if sum.n_ended == ends.len() && sum.past > 0 {
        return None;
    }
    ends[sum.n_ended..].fill(sum.n as u32);
    Some(sum.n)
}

/// The most columns of a row whose sums fit 16 bits, whatever the next 32 gaps: for vectors.
#[cfg(target_arch = "x86_64")]
pub(super) const MAX_COLS: u32 = (1 << 16) - 32 * 256;

/// What vector code may write past the end of the columns.
pub(super) const SLACK: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn gaps_become_rows() {
        for isa in Isa::available() {
            // 2 pruned, kept; kept; 3 pruned (cap), 1 pruned, kept. Rows of 5: columns 2 3 | 3.
            let (mut cols, mut ends) = ([0; 4 + SLACK], [0; 2]);
            assert_eq!(columns(isa, &[2, 0, 3, 1], 3, 5, &mut cols, &mut ends), Some(3));
            assert_eq!((cols[..3].to_vec(), ends), (vec![2, 3, 3], [2, 3]));
            assert_eq!(columns(isa, &[2, 0, 3, 1], 3, 8, &mut cols, &mut ends[..1]), None);
        }
    }

    /// Any symbols, any rows: as counting weight by weight has it, on every instruction set.
    #[test]
    fn any_gaps_become_rows() {
        arbtest::arbtest(|u| {
            let cap: u8 = u.int_in_range(1..=255)?;
            let n_cols: u32 = *u.choose(&[1, 2, 31, 100, 4096, 57_344, 57_345, 1 << 20])?;
            let n = u.int_in_range(0..=300)?;
            let most = u.int_in_range(0..=cap)?;
            let symbols = (0..n).map(|_| u.int_in_range(0..=most)).collect::<Result<Vec<u8>, _>>()?;
            let (mut places, mut past) = (Vec::new(), 0u32);
            for &symbol in &symbols {
                past += u32::from(symbol);
                if symbol != cap {
                    places.push(past);
                    past += 1;
                }
            }
            let least = past.div_ceil(n_cols);
            let n_rows = least.saturating_sub(u.int_in_range(0..=1)?) + u.int_in_range(0..=2)?;
            for isa in Isa::available() {
                let (mut cols, mut ends) = (vec![0; n + SLACK], vec![0; n_rows as usize]);
                let found = columns(isa, &symbols, cap, n_cols, &mut cols, &mut ends);
                assert_eq!(found, (n_rows >= least).then_some(places.len()), "{}", isa.name());
                if found.is_some() {
                    let expected: Vec<u32> = places.iter().map(|place| place % n_cols).collect();
                    assert_eq!(cols[..places.len()], expected);
                    for (row, &end) in (1..).zip(&ends) {
                        assert_eq!(end as usize, places.partition_point(|&place| place < row * n_cols));
                    }
                }
            }
            Ok(())
        });
    }
}
