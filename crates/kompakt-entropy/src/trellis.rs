//! Dependent quantisation: two quantisers take turns along the rows of a column, as an automaton of eight states says.
//!
//! ```text
//! distance from zero   0   1   2   3   4   5   6         in levels of the codebook
//! quantiser 0          x       x       x       x         parity 0 of 0 and 4, 1 of 2 and 6
//! quantiser 1          x   x       x       x             parity 0 of 0 and 3, 1 of 1 and 5
//!
//! the state, 0 before the first row ──► its quantiser, which the weight is of
//! the state and the weight's parity ──► the state of the row after
//! ```
//!
//! A reader knows which quantiser is meant, and so only every second level has to be told apart; a writer who looks ahead
//! comes almost as near to the weights as with all of them. The states are those of a convolutional code (Ungerboeck, *Channel Coding with Multilevel/Phase
//! Signals*, 1982; as a quantiser: Marcellin and Fischer 1990; the sharing of zero by both: the video standard VVC, 2020).

/// How many states there are.
pub const N_STATES: usize = 8;
/// Bit `s`: whether the parity is turned over where state `s` moves on.
const FLIPS: u8 = 0b0011_1100;

/// A state of the automaton.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State(u8);

impl State {
    /// State `index`, below [`N_STATES`].
    pub const fn new(index: usize) -> Self {
        Self(index as u8 % N_STATES as u8)
    }

    /// Its index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Which quantiser is meant, 0 or 1.
    #[inline(always)]
    pub const fn quantiser(self) -> usize {
        (self.0 & 1) as usize
    }

    /// The state after a weight of that parity.
    #[inline(always)]
    pub const fn next(self, parity: usize) -> Self {
        Self(self.0 << 1 & 7 | (parity as u8 ^ (FLIPS >> self.0 & 1)))
    }

    /// The state after a pruned weight.
    #[inline(always)]
    pub fn after_pruned(self) -> Self {
        self.next(0)
    }

    /// The state after a kept one: `magnitude` levels lie between it and zero.
    #[inline(always)]
    pub fn after_kept(self, magnitude: usize) -> Self {
        self.next(parity(magnitude))
    }
}

/// The quantiser of a level with `magnitude` levels between it and zero.
#[inline(always)]
pub fn quantiser(magnitude: usize) -> usize {
    1 - magnitude % 2
}

/// The parity of that level in its quantiser.
#[inline(always)]
pub fn parity(magnitude: usize) -> usize {
    1 - magnitude / 2 % 2
}

/// How many of the `side` levels on one side of zero are a quantiser's.
#[inline(always)]
pub(crate) fn n_levels(side: usize, quantiser: usize) -> usize {
    (side + quantiser) / 2
}

/// Level `index` of a quantiser, from zero outwards: how many levels of both lie between it and zero.
#[inline(always)]
pub(crate) fn magnitude(index: usize, quantiser: usize) -> usize {
    2 * index + 1 - quantiser
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Each state is reached from two, by the two parities; both quantisers' levels take turns.
    #[test]
    fn every_state_is_entered_twice() {
        let mut entered = [0; N_STATES];
        for state in (0..N_STATES).map(State::new) {
            assert_ne!(state.next(0), state.next(1));
            (0..2).for_each(|parity| entered[state.next(parity).index()] += 1);
        }
        assert_eq!(entered, [2; N_STATES]);
        for quantiser in [0, 1] {
            for side in 2..9 {
                let levels: Vec<usize> =
                    (0..n_levels(side, quantiser)).map(|i| magnitude(i, quantiser)).collect();
                let wanted: Vec<usize> = (0..side).filter(|&m| self::quantiser(m) == quantiser).collect();
                assert_eq!(levels, wanted);
                for (i, m) in levels.into_iter().enumerate() {
                    assert_eq!(parity(m), (i + 1) % 2);
                }
            }
        }
    }
}
