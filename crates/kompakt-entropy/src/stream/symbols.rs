//! Converts weights to runs of symbols, in decoding order.

use crate::MaskedCodes;
use crate::direct::layout::Kept;
use alloc::{vec, vec::Vec};

/// The class of each row by how many weights it keeps: 0 for none, 1 up to `bounds[0]`, and so on.
pub(super) fn row_classes(counts: &[usize], bounds: &[usize]) -> Vec<u8> {
    let class = |&n: &usize| if n == 0 { 0 } else { 1 + bounds.partition_point(|&bound| bound < n) as u8 };
    counts.iter().map(class).collect()
}

/// The gap before each kept weight of a class, its rows end to end.
pub(super) fn gaps(kept: &Kept, row_classes: &[u8], class: u8) -> Vec<u32> {
    let mut gaps = Vec::new();
    let (mut first, mut carried) = (0, 0);
    for (&n, &row_class) in kept.counts.iter().zip(row_classes) {
        let row = &kept.gaps[first..first + n];
        first += n;
        if row_class != class {
            continue;
        }
        let mut left = kept.shape.cols as u32;
        for &gap in row {
            gaps.push(carried + gap);
            carried = 0;
            left -= gap + 1;
        }
        carried += left;
    }
    gaps
}

/// The symbols of gaps when `cap` stands for that many pruned weights.
pub(super) fn gap_symbols(gaps: &[u32], cap: u8) -> Vec<u8> {
    let cap = u32::from(cap);
    let symbols =
        |&gap: &u32| core::iter::repeat_n(cap as u8, (gap / cap) as usize).chain([(gap % cap) as u8]);
    gaps.iter().flat_map(symbols).collect()
}

/// Whether each kept weight is linked to the one before it.
fn links(kept: &Kept, reach: u32) -> Vec<bool> {
    let mut is_linked: Vec<bool> = kept.gaps.iter().map(|&gap| gap < reach).collect();
    let mut first = 0;
    for &n in &kept.counts {
        if n > 0 {
            is_linked[first] = false;
        }
        first += n;
    }
    is_linked
}

/// The counts of each code as a start, after a negative and after another weight.
pub(super) fn code_counts(kept: &Kept, n_negative: usize, reach: u32) -> [Vec<u64>; 3] {
    let mut counts = [const { Vec::new() }; 3].map(|_: Vec<u64>| vec![0; kept.shape.n_levels]);
    let mut before = 0;
    for (is_linked, &code) in links(kept, reach).into_iter().zip(&kept.codes) {
        let context = if is_linked { 1 + usize::from(before >= n_negative) } else { 0 };
        before = usize::from(code);
        counts[context][before] += 1;
    }
    counts
}

/// The codes in the order of decoding, each run with the number of its table among the model's three.
pub(super) fn code_runs(kept: &Kept, n_negative: usize, reach: u32) -> Vec<(usize, Vec<u8>)> {
    if reach == 0 {
        return vec![(0, kept.codes.clone())];
    }
    let mut is_linked = links(kept, reach);
    is_linked.push(false);
    let symbols = |list: &[usize]| list.iter().map(|&i| kept.codes[i]).collect::<Vec<u8>>();
    let mut now: Vec<usize> = (0..kept.codes.len()).filter(|&i| !is_linked[i]).collect();
    let mut runs = vec![(0, symbols(&now))];
    loop {
        let next = now.iter().filter(|&&i| is_linked[i + 1]);
        let (negative, positive): (Vec<usize>, Vec<usize>) =
            next.map(|&i| i + 1).partition(|&i| usize::from(kept.codes[i - 1]) < n_negative);
        if negative.is_empty() && positive.is_empty() {
            return runs;
        }
        runs.push((1, symbols(&negative)));
        runs.push((2, symbols(&positive)));
        now = negative;
        now.extend(positive);
    }
}

/// Every weight as a symbol: codes, or where some are pruned, 0 and `c + 1`.
pub(super) fn dense(weights: &MaskedCodes<'_>, has_zero: bool) -> Vec<u8> {
    let symbol = |(i, &code): (usize, &u8)| match (has_zero, weights.is_kept(i)) {
        (false, _) => code,
        (true, false) => 0,
        (true, true) => code + 1,
    };
    weights.codes.iter().enumerate().map(symbol).collect()
}
