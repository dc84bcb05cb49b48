//! From gaps to columns: running sums, and rows cut from them.

/// Checks the running sum so often that it cannot pass 2^32.
const BLOCK: usize = 1 << 16;

/// Sums up gap `symbols`: the place of each kept weight, rows end to end, goes to the front of `places`.
///
/// Returns how many there are; `None` where they lead past `limit` (at most 2^24). `places` is at least as long
/// as `symbols`.
pub(super) fn places(symbols: &[u8], cap: u8, limit: usize, places: &mut [u32]) -> Option<usize> {
    let (mut past, mut n) = (0u32, 0);
    for block in symbols.chunks(BLOCK) {
        for &symbol in block {
            let is_kept = symbol != cap;
            places[n] = past + u32::from(symbol);
            past += u32::from(symbol) + u32::from(is_kept);
            n += usize::from(is_kept);
        }
        if past as usize > limit {
            return None;
        }
    }
    Some(n)
}

/// Moves the places of one row, those below `end`, to `cols`, counted from `start`. Returns how many.
///
/// `cols` is at least as long as `places`.
#[inline]
pub(super) fn columns(places: &[u32], start: u32, end: u32, cols: &mut [u32]) -> usize {
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
        // 2 pruned, kept; kept; 3 pruned (cap), 1 pruned, kept. Rows of 5: columns 2 3 | 3.
        let mut found = [0; 4];
        assert_eq!(places(&[2, 0, 3, 1], 3, 10, &mut found), Some(3));
        assert_eq!(found[..3], [2, 3, 8]);
        let mut cols = [9; 3];
        assert_eq!(columns(&found[..3], 0, 5, &mut cols), 2);
        assert_eq!(columns(&found[2..3], 5, 10, &mut cols[2..]), 1);
        assert_eq!(cols, [2, 3, 3]);
        assert_eq!(places(&[2, 0, 3, 1], 3, 8, &mut found), None);
    }
}
