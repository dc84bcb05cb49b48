//! A row of a dense tile: a field for each weight.

use super::layout::TileShape;
use super::row::Wrong;
use crate::bits;

/// A row with a field for each weight.
#[derive(Debug, Clone, Copy)]
pub struct DenseRow<'a> {
    pub(super) fields: &'a [u8],
    pub(super) shape: TileShape,
    pub(super) field_bits: u32,
    pub(super) has_zero: bool,
}

impl<'a> DenseRow<'a> {
    /// `cols` fields of [`field_bits`](Self::field_bits) bits, packed as in [`crate::bits`].
    pub fn fields(&self) -> &'a [u8] {
        self.fields
    }

    /// 1 to 8.
    pub fn field_bits(&self) -> u32 {
        self.field_bits
    }

    /// Whether field 0 is a pruned weight and field `c + 1` is code `c`; if not, fields are codes.
    pub fn has_zero(&self) -> bool {
        self.has_zero
    }

    /// Unpacks the fields, `fields.len()` of them from the first column on.
    pub fn unpack(&self, fields: &mut [u8]) {
        bits::unpack(self.fields, self.field_bits, fields);
    }

    #[inline]
    pub(super) fn field(&self, col: usize) -> u32 {
        bits::read(self.fields, col * self.field_bits as usize, self.field_bits)
    }

    pub(super) fn count_kept(&self) -> usize {
        if !self.has_zero {
            return self.shape.cols;
        }
        self.count(|field| field != 0)
    }

    /// The number of such fields.
    pub(super) fn count(&self, so: impl Fn(u8) -> bool) -> usize {
        let mut n = 0;
        blocks(self.fields, self.field_bits, self.shape.cols, |_, fields| {
            n += fields.iter().filter(|&&field| so(field)).count();
        });
        n
    }

    pub(super) fn decode_into(&self, cols: &mut [u32], codes: &mut [u8]) -> usize {
        if !self.has_zero {
            let n = self.shape.cols;
            cols[..n].iter_mut().zip(0..).for_each(|(to, col)| *to = col);
            self.unpack(&mut codes[..n]);
            return n;
        }
        let mut n = 0;
        blocks(self.fields, self.field_bits, self.shape.cols, |first, fields| {
            // Always written, but counted only if kept: a branch would be mispredicted too often.
            for (&field, col_here) in fields.iter().zip(first as u32..) {
                if let (Some(col), Some(code)) = (cols.get_mut(n), codes.get_mut(n)) {
                    (*col, *code) = (col_here, field.wrapping_sub(1));
                }
                n += usize::from(field != 0);
            }
        });
        assert!(n <= cols.len().min(codes.len()), "a row keeps {n} weights, the scratch holds fewer");
        n
    }

    pub(super) fn check(&self) -> Result<(), Wrong<'a>> {
        let n_values = self.shape.n_levels + usize::from(self.has_zero);
        if !bits::padding_is_zero(self.fields, self.shape.cols, self.field_bits) {
            return Err((self.fields, "D-5", "the bits after a row's last field are not zero"));
        }
        if n_values < 1 << self.field_bits && self.count(|field| usize::from(field) >= n_values) > 0 {
            return Err((self.fields, "D-4", "a code is outside the codebook"));
        }
        Ok(())
    }
}

/// Checks `n` codes: dense fields without a zero.
pub(super) fn check_codes<'a>(codes: &'a [u8], n: usize, shape: &TileShape) -> Result<(), Wrong<'a>> {
    let code_bits = shape.code_bits();
    if n == 0 {
        return Ok(());
    }
    let fields = DenseRow {
        fields: codes,
        shape: TileShape { cols: n, ..*shape },
        field_bits: code_bits,
        has_zero: false,
    };
    fields.check()
}

/// Unpacks `n` fields of at most 8 bits, 256 at a time, each time with the number of the first.
#[inline]
pub(super) fn blocks(packed: &[u8], width: u32, n: usize, mut visit: impl FnMut(usize, &[u8])) {
    let mut scratch = [0; 256];
    // 256 fields are a whole number of bytes, whatever their width.
    for (first, packed) in (0..n).step_by(256).zip(packed.chunks(32 * width as usize)) {
        let fields = &mut scratch[..(n - first).min(256)];
        bits::unpack(packed, width, fields);
        visit(first, fields);
    }
}
