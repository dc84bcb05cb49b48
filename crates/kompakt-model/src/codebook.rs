//! Codebooks in the interchange's form: the one place that makes them (rules I-5 and I-17 of spec/interchange.md).
//!
//! ```text
//! entries [2, -1, 3, 2, 0]   codes [0, 1, 3, 4]        any order, some equal, zero, or taken by no weight
//! codebook [-1, 2]           codes [1, 0, 1, 0]        mask [1, 1, 1, 0]: a weight whose entry is zero is pruned
//! ```

use crate::parameter::Parameter;
use kompakt_numbers::Numbers;

/// Entries in ascending order, equal ones merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Ascending {
    /// Strictly ascending; no longer than what it was made of.
    pub entries: Numbers,
    /// The new index of each original entry.
    pub place_of: Vec<u8>,
}

/// Sorts at most 256 finite numbers and merges equal ones. Zeros are numbers like any other, -0 equals 0.
pub fn ascending(numbers: &Numbers) -> Ascending {
    let values = numbers.to_f32();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut place_of = vec![0; values.len()];
    let mut chosen: Vec<usize> = Vec::new();
    for &entry in &order {
        if chosen.last().is_none_or(|&last| values[last] != values[entry]) {
            chosen.push(entry);
        }
        place_of[entry] = (chosen.len() - 1) as u8;
    }
    let entries = match numbers {
        Numbers::F32(v) => Numbers::F32(chosen.iter().map(|&i| v[i]).collect()),
        Numbers::F16(v) => Numbers::F16(chosen.iter().map(|&i| v[i]).collect()),
        Numbers::Scaled { scale, integers } => {
            Numbers::Scaled { scale: *scale, integers: chosen.iter().map(|&i| integers[i]).collect() }
        }
    };
    Ascending { entries, place_of }
}

/// Moves centroids that are zero, or became zero when they were rounded, to the format's number next to zero on their own
/// side (above, where the original is exactly zero). `rounded` has one entry for each original.
pub fn move_off_zero(rounded: &mut Numbers, originals: &[f32]) {
    for (i, &original) in originals.iter().enumerate() {
        let below = original < 0.0;
        match rounded {
            Numbers::F32(v) if v[i] == 0.0 => v[i] = if below { -1.0 } else { 1.0 } * f32::from_bits(1),
            Numbers::F16(v) if v[i] & 0x7fff == 0 => v[i] = u16::from(below) << 15 | 1,
            Numbers::Scaled { integers, .. } if integers[i] == 0 => integers[i] = if below { -1 } else { 1 },
            _ => {}
        }
    }
}

impl Parameter {
    /// A shared parameter from entries in any order.
    ///
    /// Weights whose entry is zero join those that the mask removes; entries that no kept weight takes are left out; equal
    /// ones become one. Where nothing is kept, the smallest entry that is not zero stays, or 1 where there is none. The result
    /// has a mask if one was given or a weight is pruned.
    ///
    /// Shapes: at most 256 entries, all finite; `codes` and `mask` row-major in `shape`. Panics: if a code is outside.
    pub fn shared(shape: Vec<usize>, entries: &Numbers, codes: &[u8], mask: Option<&[bool]>) -> Self {
        let Ascending { entries: mut codebook, place_of } = ascending(entries);
        let is_zero: Vec<bool> = codebook.to_f32().iter().map(|v| *v == 0.0).collect();
        let mut used = vec![false; codebook.len()];
        let mut pruned = false;
        let kept: Vec<bool> = codes
            .iter()
            .enumerate()
            .map(|(i, &code)| {
                let place = usize::from(place_of[usize::from(code)]);
                let kept = mask.is_none_or(|m| m[i]) && !is_zero[place];
                used[place] |= kept;
                pruned |= !kept;
                kept
            })
            .collect();
        if !used.contains(&true) {
            match is_zero.iter().position(|zero| !zero) {
                Some(first) => used[first] = true,
                None => {
                    (codebook, used) = (Numbers::F32(vec![1.0]), vec![true]);
                }
            }
        }
        let mut next = 0u8;
        let new_code: Vec<u8> = used
            .iter()
            .map(|&used| {
                let code = next;
                next = next.wrapping_add(u8::from(used));
                code
            })
            .collect();
        codebook.retain(&used);
        let code = |(&code, &kept): (&u8, &bool)| {
            if kept { new_code[usize::from(place_of[usize::from(code)])] } else { 0 }
        };
        let codes = codes.iter().zip(&kept).map(code).collect();
        let mask = (mask.is_some() || pruned).then_some(kept);
        Self::Shared { shape, codebook, codes, mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parameter: Parameter) -> (Vec<f32>, Vec<u8>, Option<Vec<bool>>) {
        parameter.check("p").unwrap();
        let Parameter::Shared { codebook, codes, mask, .. } = parameter else { panic!() };
        (codebook.to_f32(), codes, mask)
    }

    #[test]
    fn codebooks_come_out_in_the_interchange_form() {
        // Entries: 3 unused, 2 and 2 equal, 0 prunes.
        let entries = Numbers::F32(vec![2.0, -1.0, 3.0, 2.0, 0.0]);
        let mask = [true, true, true, true, false, true];
        let made = parts(Parameter::shared(vec![6], &entries, &[0, 1, 3, 4, 0, 1], Some(&mask)));
        assert_eq!(made.0, [-1.0, 2.0]);
        assert_eq!(made.1, [1, 0, 1, 0, 0, 0]);
        assert_eq!(made.2.unwrap(), [true, true, true, false, false, true]);
    }

    #[test]
    fn a_layer_that_keeps_nothing_keeps_one_entry() {
        let none = Some(&[false, false][..]);
        let made = parts(Parameter::shared(vec![2], &Numbers::F32(vec![3.0, -2.0]), &[0, 1], none));
        assert_eq!(made, (vec![-2.0], vec![0, 0], Some(vec![false; 2])));
        let made = parts(Parameter::shared(vec![2], &Numbers::F32(vec![0.0, -0.0]), &[0, 1], None));
        assert_eq!(made, (vec![1.0], vec![0, 0], Some(vec![false; 2])));
    }

    /// The weights are the same numbers as before, whatever the entries.
    #[test]
    fn values_stay() {
        let entries = Numbers::Scaled { scale: 0.5, integers: vec![4, 0, -3, 4, 7] };
        let codes = [3, 1, 2, 0, 1, 2];
        let before: Vec<f32> = codes.iter().map(|&c| entries.to_f32()[usize::from(c)]).collect();
        let made = Parameter::shared(vec![2, 3], &entries, &codes, None);
        assert_eq!(made.to_f32(), before);
        assert_eq!(parts(made).0, [-1.5, 2.0]);
        let all: Vec<f32> = (0..256).map(|i| i as f32 - 300.0).collect();
        let codes: Vec<u8> = (0..=255).rev().collect();
        let (codebook, found, mask) =
            parts(Parameter::shared(vec![256], &Numbers::F32(all.clone()), &codes, None));
        assert_eq!((codebook, found, mask), (all, codes, None));
    }

    #[test]
    fn rounding_makes_no_zero() {
        let mut rounded = Numbers::Scaled { scale: 1.0, integers: vec![0, 0, 5, 0] };
        move_off_zero(&mut rounded, &[-0.2, 0.3, 5.1, 0.0]);
        assert_eq!(rounded, Numbers::Scaled { scale: 1.0, integers: vec![-1, 1, 5, 1] });
    }
}
