//! A layer's weights as tables: the positions of the kept ones, and their values.

use crate::{
    MAX_LEN, MicroError,
    constants::{Constants, Record},
    step::{Argument, numbers},
};
use kompakt_format::Decoded;

/// Packs bits, from the lowest of the first byte on.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    n_bits: usize,
}

impl Bits {
    fn push(&mut self, value: usize, n_bits: u32) {
        for bit in 0..n_bits {
            if self.n_bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (self.n_bits % 8);
            }
            self.n_bits += 1;
        }
    }
}

/// The positions of kept weights.
enum Places {
    All,
    /// A bit for each weight.
    Flags(Bits),
    /// Distances of this many bits; how many there are.
    Gaps(Bits, u32, usize),
}

impl Places {
    /// The smallest encoding of a mask.
    fn of(mask: Option<&[bool]>) -> Self {
        let Some(mask) = mask.filter(|mask| mask.contains(&false)) else { return Self::All };
        let gaps = gaps(mask);
        let n_entries = |bits: u32| gaps.iter().map(|gap| gap / ((1 << bits) - 1) + 1).sum::<usize>();
        let best = (1..=8).min_by_key(|&bits| n_entries(bits) * bits as usize);
        match best {
            Some(bits) if n_entries(bits) * (bits as usize) < mask.len() => {
                let (mut to, most) = (Bits::default(), (1 << bits) - 1);
                for mut gap in gaps {
                    while gap >= most {
                        to.push(most, bits);
                        gap -= most;
                    }
                    to.push(gap, bits);
                }
                let n = to.n_bits / bits as usize;
                Self::Gaps(to, bits, n)
            }
            _ => {
                let mut to = Bits::default();
                mask.iter().for_each(|&kept| to.push(usize::from(kept), 1));
                Self::Flags(to)
            }
        }
    }
}

/// How many pruned weights precede each kept one.
fn gaps(mask: &[bool]) -> Vec<usize> {
    let mut since = 0;
    let mut gaps = Vec::new();
    for &kept in mask {
        if kept {
            gaps.push(since);
            since = 0;
        } else {
            since += 1;
        }
    }
    gaps
}

/// Adds the weights of a layer as tables and a record; returns the record.
///
/// Errors: more than [`MAX_LEN`] weights, a value that is not finite.
pub(crate) fn write(
    constants: &mut Constants,
    name: &str,
    n: usize,
    decoded: &Decoded,
) -> Result<Argument, MicroError> {
    let levels = match decoded {
        Decoded::Dense { numbers, .. } => numbers.to_f32(),
        Decoded::Shared { codebook, .. } => codebook.to_f32(),
    };
    record(constants, name, n, decoded, &levels, true)
}

/// The same without levels, and without codes where `is_by_weight`: what stands for them is one for each kept weight.
///
/// Errors: as [`write`].
pub(crate) fn write_places(
    constants: &mut Constants,
    name: &str,
    n: usize,
    decoded: &Decoded,
    is_by_weight: bool,
) -> Result<Argument, MicroError> {
    record(constants, name, n, decoded, &[], !is_by_weight)
}

fn record(
    constants: &mut Constants,
    name: &str,
    n: usize,
    decoded: &Decoded,
    levels: &[f32],
    has_codes: bool,
) -> Result<Argument, MicroError> {
    if n > MAX_LEN {
        return Err(MicroError::TooLarge { what: name.into(), n, limit: MAX_LEN });
    }
    let places = Places::of(decoded.mask());
    let (codes, code_bits) = match decoded {
        Decoded::Shared { codebook, weights } if has_codes => {
            let code_bits = usize::BITS - codebook.len().saturating_sub(1).leading_zeros();
            let (mut codes, view) = (Bits::default(), weights.view());
            let kept = weights.codes.iter().enumerate().filter(|(i, _)| view.is_kept(*i));
            kept.for_each(|(_, &code)| codes.push(code.into(), code_bits));
            (Some(constants.bytes(&format!("{name}.codes"), codes.bytes)), code_bits)
        }
        _ => (None, 0),
    };
    let levels = constants.floats(&format!("{name}.levels"), levels)?;
    let (places, gap_bits, n_entries) = match places {
        Places::All => (None, 0, 0),
        Places::Flags(flags) => (Some(constants.bytes(&format!("{name}.kept"), flags.bytes)), 0, 0),
        Places::Gaps(gaps, bits, n) => (Some(constants.bytes(&format!("{name}.gaps"), gaps.bytes)), bits, n),
    };
    let mut members = vec![Argument::Optional(places), Argument::Optional(codes), Argument::Table(levels)];
    members.extend(numbers([n, n_entries, gap_bits as usize, code_bits as usize]));
    Ok(constants.record(Record::Weights, name, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_takes_the_smaller_form() {
        let sparse: Vec<bool> = (0..1000).map(|i| i % 50 == 7).collect();
        let Places::Gaps(bits, width, n) = Places::of(Some(&sparse)) else { panic!("flags") };
        assert_eq!((width, n, bits.bytes.len()), (6, 20, 15));
        let half: Vec<bool> = (0..1000).map(|i| i % 2 == 1).collect();
        assert!(matches!(Places::of(Some(&half)), Places::Flags(bits) if bits.bytes.len() == 125));
        assert!(matches!(Places::of(Some(&[true; 9])), Places::All));
        assert!(matches!(Places::of(None), Places::All));
        // No weight is kept: no distance is needed.
        assert!(matches!(Places::of(Some(&[false; 9])), Places::Gaps(_, _, 0)));
    }

    #[test]
    fn distances_pass_over_long_gaps() {
        let mask: Vec<bool> = (0..100).map(|i| i == 3 || i == 99).collect();
        let Places::Gaps(_, bits, n) = Places::of(Some(&mask)) else { panic!("flags") };
        // 3 and 95 with the number of bits that minimises the sum.
        let cost = |bits: u32| (3 / ((1 << bits) - 1) + 1 + 95 / ((1 << bits) - 1) + 1) * bits as usize;
        assert_eq!(n * bits as usize, (1..=8).map(cost).min().unwrap());
    }
}
