//! From gaps to columns: running sums, and rows cut from them.

use crate::rans::Engine;

/// Checks the running sum so often that it cannot pass 2^32.
const BLOCK: usize = 1 << 16;

/// Sums up gap `symbols`: the place of each kept weight, rows end to end, goes to the front of `places`.
///
/// Returns how many there are; `None` where they lead past `limit` (at most 2^24). `places` is at least as long
/// as `symbols`.
pub(super) fn places(
    engine: Engine,
    symbols: &[u8],
    cap: u8,
    limit: usize,
    places: &mut [u32],
) -> Option<usize> {
    let mut sum = Sum { past: 0, n: 0 };
    for block in symbols.chunks(BLOCK) {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        let block = match engine.avx512() {
            Some(avx512) => super::avx512::places(avx512, block, cap, &mut sum, places),
            None => block,
        };
        let _ = engine;
        for &symbol in block {
            let is_kept = symbol != cap;
            places[sum.n] = sum.past + u32::from(symbol);
            sum.past += u32::from(symbol) + u32::from(is_kept);
            sum.n += usize::from(is_kept);
        }
        if sum.past as usize > limit {
            return None;
        }
    }
    Some(sum.n)
}

/// Where summing stands.
pub(super) struct Sum {
    /// Weights spoken for, kept or not.
    pub(super) past: u32,
    /// Kept ones.
    pub(super) n: usize,
}

/// Moves the places of one row, those below `end`, to `cols`, counted from `start`. Returns how many.
///
/// `cols` is at least as long as `places`. What follows the row there is overwritten.
#[inline]
pub(super) fn columns(engine: Engine, places: &[u32], start: u32, end: u32, cols: &mut [u32]) -> usize {
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    if let Some(avx512) = engine.avx512() {
        return super::avx512::columns(avx512, places, start, end, cols);
    }
    let _ = engine;
    let mut n = 0;
    for (&place, col) in places.iter().zip(cols) {
        if place >= end {
            break;
        }
        *col = place - start;
        n += 1;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_become_rows() {
        for engine in Engine::all() {
            // 2 pruned, kept; kept; 3 pruned (cap), 1 pruned, kept. Rows of 5: columns 2 3 | 3.
            let mut found = [0; 4];
            assert_eq!(places(engine, &[2, 0, 3, 1], 3, 10, &mut found), Some(3));
            assert_eq!(found[..3], [2, 3, 8]);
            let mut cols = [9; 3];
            assert_eq!(columns(engine, &found[..3], 0, 5, &mut cols), 2);
            assert_eq!(columns(engine, &found[2..3], 5, 10, &mut cols[2..]), 1);
            assert_eq!(cols, [2, 3, 3]);
            assert_eq!(places(engine, &[2, 0, 3, 1], 3, 8, &mut found), None);
        }
    }
}
