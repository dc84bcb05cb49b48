//! What the old file lets expect of the new one's numbers and codes.

use kompakt_entropy::MaskedCodesBuf;
use kompakt_format::{Decoded, Numbers};
use kompakt_numbers::f16_from_f32;

/// The code of the level nearest to a value; of two as near, the lower. The levels ascend.
pub(crate) fn nearest(levels: &[f32], value: f32) -> u8 {
    let above = levels.partition_point(|&level| level < value).min(levels.len() - 1);
    let far = |code: usize| (f64::from(levels[code]) - f64::from(value)).abs();
    let below = above.saturating_sub(1);
    if far(below) <= far(above) { below as u8 } else { above as u8 }
}

/// The level of the new codebook that each level of the old one became.
pub(crate) type Levels = Vec<u8>;

/// The old weights in the codes of the new codebook: each code that of the same level, where it is known which levels are the
/// same, else of the level nearest to its value. `weights` has shape, levels and presence of a mask; its content is
/// replaced. Without a mask, what was pruned has the code nearest to zero.
pub(crate) fn codes(old: &Decoded, levels: &[f32], same: Option<&Levels>, weights: &mut MaskedCodesBuf) {
    weights.clear();
    let mask = old.mask().filter(|_| weights.mask.is_some());
    if let Some(kept) = &mut weights.mask {
        match mask {
            Some(mask) => kept.copy_from_slice(mask),
            None => kept.fill(true),
        }
    }
    if levels.len() == 1 {
        return;
    }
    match old {
        // Each old code once.
        Decoded::Shared { codebook, weights: before } if mask.is_some() || before.mask.is_none() => {
            let new: Vec<u8> = match same {
                Some(same) => same.clone(),
                None => codebook.to_f32().iter().map(|&value| nearest(levels, value)).collect(),
            };
            for (i, (code, &old)) in weights.codes.iter_mut().zip(&before.codes).enumerate() {
                if mask.is_none_or(|mask| mask[i]) {
                    *code = new.get(usize::from(old)).copied().unwrap_or(0);
                }
            }
        }
        _ => {
            for (i, (code, value)) in weights.codes.iter_mut().zip(old.to_f32()).enumerate() {
                if mask.is_none_or(|mask| mask[i]) {
                    *code = nearest(levels, value);
                }
            }
        }
    }
}

/// Finds what each old level became, from two sets of codes for the same weights: the level that most of its weights have now.
/// `None` if the levels' values say as much.
pub(crate) fn same_levels(old: &Decoded, new: &Decoded) -> Option<Levels> {
    let (Some((before, old_codes)), Some((levels, codes))) = (old.shared(), new.shared()) else {
        return None;
    };
    let (n_old, n) = (before.len(), levels.len());
    let mut counts = vec![0u32; n_old * n];
    for i in (0..codes.len()).filter(|&i| old_codes.is_kept(i) && codes.is_kept(i)) {
        counts[usize::from(old_codes.codes[i]) * n + usize::from(codes.codes[i])] += 1;
    }
    let values = levels.to_f32();
    let of = |old: usize, new: u8| counts[old * n + usize::from(new)];
    let nearest: Levels = before.to_f32().iter().map(|&value| nearest(&values, value)).collect();
    // An old level that nothing has any more goes up with the one before.
    let mut last = None;
    let map: Levels = (0..n_old)
        .map(|old| {
            let next = last.map_or(0, |last: u8| last.saturating_add(1)).min((n - 1) as u8);
            let best = (0..n).map(|new| new as u8).max_by_key(|&new| (of(old, new), new == next));
            let best = best.unwrap_or(next);
            last = Some(best);
            best
        })
        .collect();
    let agree = |map: &Levels| -> u32 { map.iter().enumerate().map(|(old, &new)| of(old, new)).sum() };
    (agree(&map) > agree(&nearest)).then_some(map)
}

/// A codebook on a scale of 16 bits: its largest magnitude is 16384.
pub(crate) struct Scale {
    pub(crate) levels: Vec<i16>,
    unit: f64,
}

impl Scale {
    pub(crate) fn new(levels: &[f32]) -> Self {
        let unit = levels.iter().fold(0.0, |most: f64, &level| most.max(f64::from(level).abs()));
        let mut scale = Self { levels: Vec::new(), unit };
        scale.levels = levels.iter().map(|&level| scale.of(level)).collect();
        scale
    }

    /// Ties away from zero; limited to 16 bits.
    fn of(&self, value: f32) -> i16 {
        (f64::from(value) / self.unit * 16384.0).round() as i16
    }

    /// Where each old weight is: its value, or, where it is known which levels are the same, that of its level now.
    pub(crate) fn places(&self, old: &Decoded, same: bool, now: Option<&MaskedCodesBuf>) -> Vec<i16> {
        match now {
            _ if self.levels.len() == 1 => vec![0; old.mask().map_or(old.n_kept(), <[bool]>::len)],
            Some(now) if same => {
                let view = now.view();
                let of = |(i, &code): (usize, &u8)| match view.is_kept(i) {
                    true => self.levels.get(usize::from(code)).copied().unwrap_or(0),
                    false => 0,
                };
                now.codes.iter().enumerate().map(of).collect()
            }
            _ => old.to_f32().iter().map(|&value| self.of(value)).collect(),
        }
    }
}

/// Values as multiples of a scale, ties away from zero, limited to 32 bits.
pub(crate) fn scaled(values: &[f32], scale: f32) -> Vec<i32> {
    values.iter().map(|&value| (f64::from(value) / f64::from(scale)).round() as i32).collect()
}

/// Values as half-precision numbers.
pub(crate) fn half(values: &[f32]) -> Vec<u16> {
    values.iter().map(|&value| f16_from_f32(value)).collect()
}

/// Numbers of the old file that stand where numbers of the new one do.
pub(crate) struct OldNumbers {
    pub(crate) values: Vec<f32>,
    /// The scale and the integers, where they are such and none is left out.
    pub(crate) scaled: Option<(f32, Vec<i32>)>,
}

impl OldNumbers {
    /// A codebook beside the `n` levels that its own became: each is expected to be as the first that became it, or, if none
    /// did, as the level before.
    pub(crate) fn levels(codebook: &Numbers, map: &Levels, n: usize) -> Self {
        let all = Self::all(codebook);
        let mut from = vec![None; n];
        for (old, &new) in map.iter().enumerate().rev() {
            from[usize::from(new)] = Some(old);
        }
        let mut last = 0;
        for from in &mut from {
            last = from.unwrap_or(last);
            *from = Some(last);
        }
        let from = || from.iter().flatten();
        let values = from().map(|&i| all.values[i]).collect();
        let scaled = all.scaled.map(|(scale, n)| (scale, from().map(|&i| n[i]).collect()));
        Self { values, scaled }
    }

    pub(crate) fn all(numbers: &Numbers) -> Self {
        let scaled = match numbers {
            Numbers::Scaled { scale, integers } => Some((*scale, integers.clone())),
            _ => None,
        };
        Self { values: numbers.to_f32(), scaled }
    }

    /// Those at the places that `kept` keeps; all without it. What was pruned is 0.
    pub(crate) fn of(old: &Decoded, kept: Option<&[bool]>) -> Self {
        if let (Decoded::Dense { numbers, mask: None }, None) = (old, kept) {
            return Self::all(numbers);
        }
        let values = old.to_f32();
        let values = match kept {
            None => values,
            Some(kept) => values.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| v).collect(),
        };
        Self { values, scaled: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_is_found_and_ties_go_down() {
        let levels = [-1.0, 0.5, 1.5];
        let of = [-3.0, -0.25, -0.2, 1.0, 1.01, 9.0].map(|value| nearest(&levels, value));
        assert_eq!(of, [0, 0, 1, 1, 2, 2]);
        assert_eq!(nearest(&[2.0], -1.0), 0);
    }
}
