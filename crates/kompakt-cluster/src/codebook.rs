//! From centroids to a codebook: rounded, strictly ascending, without a zero and without an idle entry.

use crate::number_format::NumberFormat;
use kompakt_model::Numbers;

/// A codebook made of centroids.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Strictly ascending, none zero; no longer than the centroids.
    pub codebook: Numbers,
    /// The entry that stands for each centroid, in the centroids' order.
    pub entry_of: Vec<u8>,
}

/// Makes a codebook of 1 to 256 finite centroids in any order.
///
/// Centroids are sorted and rounded to `format`; those that become equal share one entry; one that becomes zero is
/// moved to the format's number next to zero, on its own side (above, if it is exactly zero).
pub fn settle(centroids: &[f32], format: NumberFormat) -> Settled {
    let mut order: Vec<usize> = (0..centroids.len()).collect();
    order.sort_by(|&a, &b| centroids[a].total_cmp(&centroids[b]));
    let sorted: Vec<f32> = order.iter().map(|&i| centroids[i]).collect();
    let mut codebook = format.round(&Numbers::F32(sorted.clone()));
    move_off_zero(&mut codebook, &sorted);
    let values = codebook.to_f32();
    let is_first: Vec<bool> = (0..values.len()).map(|i| i == 0 || values[i] != values[i - 1]).collect();
    let mut entry_of = vec![0; centroids.len()];
    let mut entry = 0;
    for (rank, &centroid) in order.iter().enumerate() {
        entry += u8::from(is_first[rank] && rank > 0);
        entry_of[centroid] = entry;
    }
    codebook.retain(&is_first);
    Settled { codebook, entry_of }
}

/// Rounding keeps order, and the number next to zero is next in order, so the list stays ascending.
fn move_off_zero(codebook: &mut Numbers, originals: &[f32]) {
    for (i, &original) in originals.iter().enumerate() {
        let below = original < 0.0;
        match codebook {
            Numbers::F32(v) if v[i] == 0.0 => v[i] = if below { -1.0 } else { 1.0 } * f32::from_bits(1),
            Numbers::F16(v) if v[i] & 0x7fff == 0 => v[i] = u16::from(below) << 15 | 1,
            Numbers::Scaled { integers, .. } if integers[i] == 0 => integers[i] = if below { -1 } else { 1 },
            _ => {}
        }
    }
}

/// Takes out the entries that no kept weight uses, and renumbers the codes. One entry always stays.
pub fn drop_unused(codebook: &mut Numbers, codes: &mut [u8], mask: Option<&[bool]>) {
    let mut used = vec![false; codebook.len()];
    for (i, &code) in codes.iter().enumerate() {
        used[usize::from(code)] |= mask.is_none_or(|m| m[i]);
    }
    if !used.contains(&true) {
        used[0] = true;
    }
    let mut new_code = vec![0u8; used.len()];
    let mut next = 0;
    for (entry, _) in used.iter().enumerate().filter(|(_, used)| **used) {
        new_code[entry] = next;
        next = next.wrapping_add(1);
    }
    for code in codes.iter_mut() {
        *code = new_code[usize::from(*code)];
    }
    codebook.retain(&used);
}
