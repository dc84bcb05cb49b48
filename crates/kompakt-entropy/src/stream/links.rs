//! Codes, generation by generation.
//!
//! A start and what is linked to it, directly or through others, are neighbours in row order: the next start
//! ends the chain. So a weight still to be decoded is two numbers, itself and the end of its chain.
//!
//! ```text
//! kept weights   0 1 2 3 4 5 6        generation 0    0, 3, 4
//! starts         s     s s            generation 1    1 (ends at 3), 5 (ends at 7)
//! chains         [0 1 2]              generation 2    2, 6
//! ```

use crate::EntropyError;
use crate::{
    Isa,
    rans::{Decoder, Table},
};
use alloc::vec::Vec;

/// The number of elements that vector code may write past the end of a list.
const SLACK: usize = 16;

/// Weights due in one run. Made once, kept for the next tile.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    /// The weights; what is in use is `len` long.
    pub(super) at: Vec<u32>,
    /// For each, where its chain ends.
    pub(super) end: Vec<u32>,
    pub(super) len: usize,
}

/// Where the kept weights of a tile are: as in a [`SparseTile`](super::SparseTile).
pub(super) struct Places<'a> {
    pub(super) starts: &'a [u32],
    pub(super) firsts: &'a [u32],
    pub(super) cols: &'a [u32],
    /// A weight is linked to the one before it in its row if the distance is at most this many columns.
    pub(super) reach: u32,
}

/// The lists of a generation and of the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    starts: List,
    /// Linked to a negative weight; linked to another.
    now: [List; 2],
    next: [List; 2],
}

impl List {
    /// Room for `n` weights in all, and the slack.
    fn reserve(&mut self, n: usize) {
        for vec in [&mut self.at, &mut self.end] {
            if vec.len() < n + SLACK {
                vec.reserve_exact(n + SLACK - vec.len());
                vec.resize(n + SLACK, 0);
            }
        }
        self.len = 0;
    }
}

impl Links {
    /// The bytes of memory that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        let lists = [&self.starts].into_iter().chain(&self.now).chain(&self.next);
        4 * lists.map(|list| list.at.capacity() + list.end.capacity()).sum::<usize>()
    }

    /// Decodes the codes of a tile's kept weights: `symbols` and `codes`
    /// `[n_kept]`; `tables` are those of starts, after a negative weight, after another.
    #[expect(clippy::too_many_arguments, reason = "it is the whole tile")]
    pub(super) fn decode(
        &mut self,
        decoder: &mut Decoder<'_>,
        isa: Isa,
        tables: [&Table; 3],
        places: &Places<'_>,
        n_negative: usize,
        symbols: &mut [u8],
        codes: &mut [u8],
    ) -> Result<(), EntropyError> {
        let lists = [&mut self.starts].into_iter().chain(&mut self.now).chain(&mut self.next);
        lists.for_each(|list| list.reserve(codes.len()));
        find_starts(isa, places, &mut self.starts);
        let mut run = |list: &List, table: &Table, next: &mut [List; 2]| {
            let symbols = &mut symbols[..list.len];
            decoder.decode(table, symbols)?;
            for (&weight, &symbol) in list.at.iter().zip(&*symbols) {
                codes[weight as usize] = symbol;
            }
            follow(isa, list, symbols, n_negative, next);
            Ok::<(), EntropyError>(())
        };
        run(&self.starts, tables[0], &mut self.now)?;
        while self.now.iter().any(|list| list.len > 0) {
            self.next.iter_mut().for_each(|list| list.len = 0);
            run(&self.now[0], tables[1], &mut self.next)?;
            run(&self.now[1], tables[2], &mut self.next)?;
            core::mem::swap(&mut self.now, &mut self.next);
        }
        Ok(())
    }
}

fn find_starts(isa: Isa, places: &Places<'_>, starts: &mut List) {
    let Places { starts: row_starts, firsts, cols, reach } = *places;
    let at = &mut starts.at[..];
    let mut n = 0;
    for (row, &first) in row_starts.windows(2).zip(firsts).filter(|(row, _)| row[0] < row[1]) {
        at[n] = row[0];
        n += 1;
        let row_cols = &cols[first as usize..][..(row[1] - row[0]) as usize];
        let (n_so_far, n_done) = starts_of_row(isa, row_cols, row[0], reach, at, n);
        n = n_so_far;
        // Written in any case, counted only if it is one: a branch here is a toss of a coin.
        for (weight, pair) in (row[0] + n_done as u32..).zip(row_cols[n_done - 1..].windows(2)) {
            at[n] = weight;
            n += usize::from(pair[1] - pair[0] > reach);
        }
    }
    at[n] = row_starts.last().copied().unwrap_or(0);
    starts.end[..n].copy_from_slice(&at[1..=n]);
    starts.len = n;
}

/// Appends the starts among the first weights of a row, after its first; `first` is its number. Returns how many starts
/// there are, and how many weights were looked at.
fn starts_of_row(isa: Isa, cols: &[u32], first: u32, reach: u32, at: &mut [u32], n: usize) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::rans::{avx2::Avx2, avx512::Avx512};
        match (Avx512::of(isa), Avx2::of(isa)) {
            (Some(avx512), _) => return super::avx512::starts(avx512, cols, first, reach, at, n),
            (None, Some(avx2)) => return super::avx2::starts(avx2, cols, first, reach, at, n),
            (None, None) => {}
        }
    }
    let _ = (isa, cols, first, reach, at);
    (n, 1)
}

/// Appends to `next` what is linked to the weights of `list`, whose codes are `symbols`.
fn follow(isa: Isa, list: &List, symbols: &[u8], n_negative: usize, next: &mut [List; 2]) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::rans::{avx2::Avx2, avx512::Avx512};
        match (Avx512::of(isa), Avx2::of(isa)) {
            (Some(avx512), _) => return super::avx512::follow(avx512, list, symbols, n_negative, next),
            (None, Some(avx2)) => return super::avx2::follow(avx2, list, symbols, n_negative, next),
            (None, None) => {}
        }
    }
    let _ = isa;
    follow_from(0, list, symbols, n_negative, next);
}

/// The same, from the weight at `first` on.
pub(super) fn follow_from(
    first: usize,
    list: &List,
    symbols: &[u8],
    n_negative: usize,
    next: &mut [List; 2],
) {
    let chains = list.at[first..list.len].iter().zip(&list.end[first..list.len]);
    for ((&at, &end), &symbol) in chains.zip(&symbols[first..]) {
        let target = &mut next[usize::from(usize::from(symbol) >= n_negative)];
        target.at[target.len] = at + 1;
        target.end[target.len] = end;
        target.len += usize::from(at + 1 < end);
    }
}
