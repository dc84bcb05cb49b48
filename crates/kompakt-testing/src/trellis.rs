//! Codes that follow a trellis, made from any.

use kompakt_entropy::trellis::{self, State};

/// Changes the codes whose level is not of the quantiser that is meant: to the neighbouring level of the other one on the same side of zero.
///
/// `codes` are those of a matrix, row after row, `row_len` weights each; `mask` says which are kept (all without one).
/// `n_negative` of the `n_levels` levels are below zero.
///
/// Panics: a code that is no level, or is the only one on its side and of the wrong quantiser.
pub fn follow(codes: &mut [u8], mask: Option<&[bool]>, row_len: usize, n_levels: usize, n_negative: usize) {
    let mut states = vec![State::default(); row_len];
    for (i, code) in codes.iter_mut().enumerate() {
        let state = &mut states[i % row_len];
        if !mask.is_none_or(|mask| mask[i]) {
            *state = state.after_pruned();
            continue;
        }
        let level = usize::from(*code);
        let (mut m, side) = match level.checked_sub(n_negative) {
            Some(m) => (m, n_levels - n_negative),
            None => (n_negative - 1 - level, n_negative),
        };
        if trellis::quantiser(m) != state.quantiser() {
            m = if m ^ 1 < side { m ^ 1 } else { m - 1 };
        }
        *state = state.after_kept(m);
        *code = if level >= n_negative { n_negative + m } else { n_negative - 1 - m } as u8;
    }
}
