//! Regrowth of connections: the weakest make room for those of largest gradient.
//!
//! Source: Evci 2020, "Rigging the lottery" (RigL).

use kompakt_model::Block;

/// The share of a layer that moves at an update, and until when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regrowth {
    /// Share of the kept weights that move at the start, 0 to 1; it falls along half a cosine.
    pub first: f64,
    /// The part of the training after which none move, 0 to 1.
    pub until: f64,
}

impl Regrowth {
    /// The share that moves at some progress.
    pub fn share(&self, progress: f64) -> f64 {
        if progress >= self.until {
            return 0.0;
        }
        0.5 * self.first * (1.0 + (std::f64::consts::PI * progress / self.until).cos())
    }
}

/// Drops the smallest `share` of the kept weights and activates as many others, those of largest gradient, at
/// zero. Nothing happens without gradients. Ties go to the earlier weight.
pub fn move_weights(values: &mut [f32], mask: &mut [bool], gradient: &[f32], share: f64) {
    if gradient.len() != values.len() {
        return;
    }
    let kept: Vec<usize> = (0..mask.len()).filter(|&i| mask[i]).collect();
    let free: Vec<usize> = (0..mask.len()).filter(|&i| !mask[i]).collect();
    let n = ((kept.len() as f64 * share).floor() as usize).min(free.len());
    for i in first(kept, n, |i| -values[i].abs()) {
        mask[i] = false;
        values[i] = 0.0;
    }
    for i in first(free, n, |i| gradient[i].abs()) {
        mask[i] = true;
    }
}

/// The same by blocks of a parameter of that shape: the kept ones of smallest norm go, those of the largest norm of the gradient
/// come.
pub fn move_blocks(
    (block, shape): (Block, &[usize]),
    values: &mut [f32],
    mask: &mut [bool],
    gradient: &[f32],
    share: f64,
) {
    if block.is_single() {
        return move_weights(values, mask, gradient, share);
    }
    if gradient.len() != values.len() {
        return;
    }
    let leaders: Vec<_> =
        block.members(shape).filter_map(|members| Some((members.clone().next()?, members))).collect();
    let (kept, free): (Vec<usize>, Vec<usize>) = (0..leaders.len()).partition(|&b| mask[leaders[b].0]);
    let n = ((kept.len() as f64 * share).floor() as usize).min(free.len());
    let norms = [block.norms(shape, values), block.norms(shape, gradient)];
    for b in first(kept, n, |b| -norms[0][leaders[b].0]) {
        leaders[b].1.clone().for_each(|i| (mask[i], values[i]) = (false, 0.0));
    }
    for b in first(free, n, |b| norms[1][leaders[b].0]) {
        leaders[b].1.clone().for_each(|i| mask[i] = true);
    }
}

/// The `n` of `places` with the largest score.
fn first(mut places: Vec<usize>, n: usize, score: impl Fn(usize) -> f32) -> Vec<usize> {
    if n > 0 && n < places.len() {
        places.select_nth_unstable_by(n - 1, |&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    }
    places.truncate(n);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_make_room_for_what_the_gradient_asks_for() {
        let mut values = [5.0, -0.1, 0.0, 0.2, 0.0, -3.0];
        let mut mask = [true, true, false, true, false, true];
        let gradient = [9.0, 9.0, -2.0, 9.0, 1.0, 9.0];
        move_weights(&mut values, &mut mask, &gradient, 0.25);
        assert_eq!(mask, [true, false, true, true, false, true]);
        assert_eq!(values, [5.0, 0.0, 0.0, 0.2, 0.0, -3.0]);
    }

    #[test]
    fn blocks_move_whole() {
        let block = Block::of_inputs(2).unwrap_or_default();
        let mut values = [5.0, -0.1, 0.0, 0.0, 0.2, 1.0, 0.0, 0.0];
        let mut mask = [true, true, false, false, true, true, false, false];
        let gradient = [9.0, 9.0, 0.0, 2.0, 9.0, 9.0, 3.0, 3.0];
        move_blocks((block, &[2, 4]), &mut values, &mut mask, &gradient, 0.5);
        assert_eq!(mask, [true, true, false, false, false, false, true, true]);
        assert_eq!(values, [5.0, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn less_and_less_moves() {
        let regrowth = Regrowth { first: 0.3, until: 0.8 };
        assert_eq!(regrowth.share(0.0), 0.3);
        assert!((regrowth.share(0.4) - 0.15).abs() < 1e-12);
        assert_eq!([regrowth.share(0.8), regrowth.share(1.0)], [0.0, 0.0]);
    }
}
