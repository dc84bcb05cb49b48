//! A row of a bitmap tile: a bit for each weight, then the codes of the kept ones.

use super::dense_row::check_codes;
use super::layout::TileShape;
use super::row::Wrong;
use crate::{Isa, bits};

/// A row with a bit for each weight.
#[derive(Debug, Clone, Copy)]
pub struct BitmapRow<'a> {
    pub(super) map: &'a [u8],
    pub(super) codes: &'a [u8],
    pub(super) shape: TileShape,
    pub(super) n_kept: usize,
}

impl<'a> BitmapRow<'a> {
    /// A bit for every column, column 0 the lowest bit of the first byte; 1 = kept. Bits past the last are 0.
    pub fn map(&self) -> &'a [u8] {
        self.map
    }

    /// The codes of the kept weights, packed as in [`crate::bits`].
    pub fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// 1 to 8.
    pub fn code_bits(&self) -> u32 {
        self.shape.code_bits()
    }

    /// The number of kept weights: the ones in the map.
    pub fn n_kept(&self) -> usize {
        self.n_kept
    }

    pub(super) fn check(&self) -> Result<(), Wrong<'a>> {
        if !bits::padding_is_zero(self.map, self.shape.cols, 1) {
            return Err((self.map, "D-5", "the bits after a row's map are not zero"));
        }
        let n_ones: usize = words(self.map).map(|(_, word)| word.count_ones() as usize).sum();
        if n_ones != self.n_kept {
            return Err((self.map, "D-6", "a row's count is not the number of ones in its map"));
        }
        check_codes(self.codes, self.n_kept, &self.shape)
    }

    pub(super) fn columns_into(&self, isa: Isa, cols: &mut [u32]) {
        let (mut n, n_read) = first_columns(isa, self.map, cols);
        let first = 8 * n_read as u32;
        for (base, mut word) in words(&self.map[n_read..]) {
            let base = first + base;
            // How many ones a word has cannot be predicted: all of some are written, and those past the last overwritten.
            while let Some(some) = cols.get_mut(n..).and_then(|cols| cols.first_chunk_mut::<AT_ONCE>()) {
                let n_left = word.count_ones() as usize;
                for col in some {
                    *col = base + word.trailing_zeros();
                    word &= word.wrapping_sub(1);
                }
                if n_left <= AT_ONCE {
                    n += n_left;
                    break;
                }
                n += AT_ONCE;
            }
            while word != 0 {
                cols[n] = base + word.trailing_zeros();
                n += 1;
                word &= word - 1;
            }
        }
    }
}

/// As many columns as vectors find at once: how many, and the bytes of the map that they are from.
fn first_columns(isa: Isa, map: &[u8], cols: &mut [u32]) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::rans::{avx2::Avx2, avx512::Avx512};
        match (Avx512::of(isa), Avx2::of(isa)) {
            (Some(avx512), _) => return super::avx512::columns(avx512, map, cols),
            (None, Some(avx2)) => return super::avx2::columns(avx2, map, cols),
            (None, None) => {}
        }
    }
    let _ = (isa, map, cols);
    (0, 0)
}

/// Columns that are written together.
const AT_ONCE: usize = 8;

/// The map, 64 columns at a time, each with its first column.
fn words(map: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    let (whole, rest) = map.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then_some(last);
    (0..).step_by(64).zip(whole.iter().copied().chain(last).map(u64::from_le_bytes))
}
