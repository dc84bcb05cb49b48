//! A dense parameter with a section of its own, checked and hashed piece by piece: a large one is never in
//! memory as a unit.
//!
//! For f32 and f16 values the content hash takes exactly the section's unpacked bytes.

use crate::{
    content::ContentHash,
    descriptor::Descriptor,
    error::{FormatError, broken},
    planes::{BLOCK_BYTES, Blocks},
    section::Section,
    source::Source,
};
use alloc::vec::Vec;
use kompakt_numbers::NumberFormat;

/// Checks one, feeding it to `hash`. `None` if its values are `scaled`: those have to be decoded.
///
/// Memory: a few blocks. Errors: as for decoding it.
pub(crate) fn check_dense<S: Source>(
    source: &mut S,
    section: &Section,
    descriptor: &Descriptor,
    shape: (usize, usize),
    hash: &mut ContentHash,
) -> Result<Option<()>, S::Error> {
    let width = match descriptor.format {
        NumberFormat::F32 => 4,
        NumberFormat::F16 => 2,
        NumberFormat::Scaled => return Ok(None),
    };
    let mut dense = Dense::new(width, descriptor.is_masked, shape, section.offset);
    match section.unpacked {
        Some(length) => {
            let span = (section.offset, section.end());
            let mut blocks = Blocks::new(span, section.offset, length, descriptor.format, shape)?;
            while let Some(block) = blocks.next(source)? {
                dense.feed(&block)?;
                hash.raw(&block);
            }
        }
        None => {
            for from in (0..section.length).step_by(BLOCK_BYTES) {
                let length = section.length.saturating_sub(from).min(BLOCK_BYTES);
                let bytes = source.part(section.offset.saturating_add(from), length)?;
                dense.feed(bytes.as_ref())?;
                hash.raw(bytes.as_ref());
            }
        }
    }
    dense.finish()?;
    Ok(Some(()))
}

/// Progress through one parameter.
struct Dense {
    /// Bytes of a value.
    width: usize,
    rows: usize,
    cols: usize,
    /// Bytes of a row of the mask, and of the entire mask; 0 without one.
    stride: usize,
    mask_bytes: usize,
    /// Bytes so far, and number of mask bits that are set.
    seen: usize,
    n_kept: usize,
    /// The first bytes of a value that continues in the next piece.
    begun: Vec<u8>,
    at: usize,
}

impl Dense {
    fn new(width: usize, is_masked: bool, (rows, cols): (usize, usize), at: usize) -> Self {
        let stride = if is_masked { cols.div_ceil(8) } else { 0 };
        let mask_bytes = rows.saturating_mul(stride);
        Self { width, rows, cols, stride, mask_bytes, seen: 0, n_kept: 0, begun: Vec::new(), at }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        let n_mask = self.mask_bytes.saturating_sub(self.seen).min(bytes.len());
        let (mask, numbers) = bytes.split_at_checked(n_mask).unwrap_or((bytes, &[]));
        for &byte in mask {
            self.mask_byte(byte)?;
        }
        self.seen = self.seen.saturating_add(numbers.len());
        let missing = self.width.saturating_sub(self.begun.len());
        let (first, rest) = match self.begun.len() {
            0 => (&[][..], numbers),
            _ => numbers.split_at_checked(missing).unwrap_or((numbers, &[])),
        };
        self.begun.extend(first);
        if self.begun.len() == self.width {
            self.finite(&self.begun)?;
            self.begun.clear();
        }
        let whole = rest.len().saturating_sub(rest.len().checked_rem(self.width).unwrap_or(0));
        let (whole, begun) = rest.split_at_checked(whole).unwrap_or((rest, &[]));
        self.finite(whole)?;
        self.begun.extend(begun);
        Ok(())
    }

    fn mask_byte(&mut self, byte: u8) -> Result<(), FormatError> {
        self.seen = self.seen.saturating_add(1);
        let is_last = self.seen.checked_rem(self.stride) == Some(0);
        let filled = self.cols.checked_rem(8).unwrap_or(0);
        if is_last && filled > 0 && byte >> filled != 0 {
            return broken("F-22", self.at, "the bits after a row of a mask are not zero");
        }
        self.n_kept = self.n_kept.saturating_add(byte.count_ones() as usize);
        Ok(())
    }

    /// `bytes` holds complete values.
    fn finite(&self, bytes: &[u8]) -> Result<(), FormatError> {
        let all = match self.width {
            4 => bytes.as_chunks().0.iter().all(|&b| f32::from_le_bytes(b).is_finite()),
            _ => bytes.as_chunks().0.iter().all(|&b| u16::from_le_bytes(b) & 0x7c00 != 0x7c00),
        };
        if all { Ok(()) } else { broken("F-23", self.at, "a number that is not finite") }
    }

    fn finish(self) -> Result<(), FormatError> {
        let len = self.rows.saturating_mul(self.cols);
        let n_kept = if self.stride > 0 { self.n_kept } else { len };
        let expected = self.mask_bytes.saturating_add(n_kept.saturating_mul(self.width));
        if self.seen != expected {
            return broken("F-22", self.at, "a section of more or fewer bytes than its parameter has");
        }
        if self.stride > 0 && n_kept == len {
            return broken("F-24", self.at, "a mask that keeps everything is not stored");
        }
        Ok(())
    }
}
