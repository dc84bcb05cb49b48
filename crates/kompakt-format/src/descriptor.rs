//! The directory's description of one parameter, packed into one integer.
//!
//! ```text
//! bits 0-1   number format: 0 f32, 1 f16, 2 integers times a scale
//! bit  2     some weights are pruned: there is a mask
//! bits 3-11  entries of the codebook, or 0: one value per weight
//! bits 12-13 with a codebook and a mask: the mask is of blocks of 2, 4 or 8 channels (1, 2, 3), or of single weights (0)
//! bit  14    with a codebook and without blocks: the codes of each column follow the trellis
//! ```

use crate::{
    error::{FormatError, broken},
    limits::MAX_LEVELS,
};
use kompakt_numbers::NumberFormat;

/// Where the size of blocks begins.
const BLOCK_SHIFT: u32 = 12;
/// Whether codes follow a trellis.
const TRELLIS_SHIFT: u32 = 14;

/// How the weights of a parameter are represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value per kept weight.
    Dense,
    /// One code per kept weight, an index into a codebook.
    Shared {
        /// Entries of the codebook, 1 to 256.
        n_levels: usize,
    },
}

/// The directory's description of one parameter. Its shape is the graph's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Codes or values.
    pub form: Form,
    /// How the values of the codebook (or of the weights themselves) are stored.
    pub format: NumberFormat,
    /// Whether some weights are pruned.
    pub is_masked: bool,
    /// How many channels the mask keeps or removes together: 1, 2, 4 or 8. More than 1 only with codes and a mask.
    pub block: usize,
    /// Whether the codes of each column follow the [trellis](kompakt_entropy::trellis) along the rows. Only with codes, and without
    /// blocks.
    pub trellis: bool,
}

impl Descriptor {
    /// Entries of the codebook, if any.
    pub fn n_levels(&self) -> Option<usize> {
        match self.form {
            Form::Dense => None,
            Form::Shared { n_levels } => Some(n_levels),
        }
    }

    /// As an integer. Rule F-14.
    pub fn code(&self) -> u64 {
        let levels = self.n_levels().unwrap_or(0).min(MAX_LEVELS) as u64;
        let block = u64::from(self.block.max(1).ilog2());
        u64::from(self.trellis) << TRELLIS_SHIFT
            | block << BLOCK_SHIFT
            | levels << 3
            | u64::from(self.is_masked) << 2
            | self.format.code()
    }

    pub(crate) fn from_code(code: u64, offset: usize) -> Result<Self, FormatError> {
        let Some(format) = NumberFormat::from_code(code & 3) else {
            return broken("F-14", offset, "a number format that is unknown");
        };
        if code >> TRELLIS_SHIFT > 1 {
            return broken("F-14", offset, "a descriptor of more than 15 bits");
        }
        let (block, trellis) = (1 << (code >> BLOCK_SHIFT & 3), code >> TRELLIS_SHIFT == 1);
        let form = match usize::try_from(code >> 3 & ((1 << (BLOCK_SHIFT - 3)) - 1)) {
            Ok(0) => Form::Dense,
            Ok(n_levels) if n_levels <= MAX_LEVELS => Form::Shared { n_levels },
            _ => return broken("F-14", offset, "a codebook of more than 256 entries"),
        };
        let is_masked = code & 4 != 0;
        if block > 1 && (form == Form::Dense || !is_masked) {
            return broken("F-14", offset, "blocks of a parameter without codes, or without a mask");
        }
        if trellis && (form == Form::Dense || block > 1) {
            return broken("F-14", offset, "a trellis of a parameter without codes, or with blocks");
        }
        Ok(Self { form, format, is_masked, block, trellis })
    }
}
