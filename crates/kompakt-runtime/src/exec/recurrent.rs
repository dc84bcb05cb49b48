//! Recurrent layers, one time step after another, all sequences together.

use alloc::vec::Vec;
use core::ops::Range;
use kompakt_graph::Cell;
use kompakt_kernels::{Isa, recurrent};

/// The product of some rows at least of the recurrent matrix and so many states: `[sequences, hidden]` to `[sequences, gates]`.
type Multiply<'a> = dyn FnMut(Range<usize>, &[f32], &mut [f32], usize) + 'a;

/// A layer's cell and sizes.
pub(super) struct Recurrent {
    pub(super) isa: Isa,
    pub(super) cell: Cell,
    /// Whether time runs backwards.
    pub(super) reverse: bool,
    /// Time steps, sequences, size of the state.
    pub(super) sizes: [usize; 3],
}

impl Recurrent {
    /// Runs it for `n` images. `multiply` computes the recurrent part `R h + b` of all gates.
    pub(super) fn run(
        &self,
        [x, h0, c0]: [&[f32]; 3],
        y: &mut [f32],
        n: usize,
        state: &mut Vec<f32>,
        multiply: &mut Multiply<'_>,
    ) {
        let [time, batch, hidden] = self.sizes;
        let (gates, states) = (self.cell.n_gates() * hidden, self.cell.n_states() * hidden);
        let n_sequences = n * batch;
        state.resize(n_sequences * (3 * hidden + 2 * gates), 0.0);
        let (h, rest) = state.split_at_mut(n_sequences * hidden);
        let (c, rest) = rest.split_at_mut(n_sequences * hidden);
        let (early, rest) = rest.split_at_mut(n_sequences * hidden);
        let (r, late) = rest.split_at_mut(n_sequences * gates);
        h.copy_from_slice(&h0[..n_sequences * hidden]);
        c.copy_from_slice(&c0[..n_sequences * hidden]);
        let reset_first = self.cell == Cell::GruResetFirst;
        // The last gate comes from the state after the reset.
        let early_gates = if reset_first { gates - hidden } else { gates };
        for step in 0..time {
            let t = if self.reverse { time - 1 - step } else { step };
            let at = |sequence: usize| ((sequence / batch) * time + t) * batch + sequence % batch;
            multiply(0..early_gates, h, r, n_sequences);
            if reset_first {
                let parts =
                    r.chunks_exact(gates).zip(h.chunks_exact(hidden)).zip(early.chunks_exact_mut(hidden));
                for (sequence, ((r, h), early)) in parts.enumerate() {
                    recurrent::gru_reset(self.isa, &x[at(sequence) * gates..][..gates], r, h, early);
                }
                multiply(early_gates..gates, early, late, n_sequences);
            }
            for sequence in 0..n_sequences {
                let at = at(sequence);
                let g = &x[at * gates..][..gates];
                let r = &r[sequence * gates..][..gates];
                let late = &late[sequence * gates..][..gates];
                let h = &mut h[sequence * hidden..][..hidden];
                let c = &mut c[sequence * hidden..][..hidden];
                match self.cell {
                    Cell::Lstm => recurrent::lstm(self.isa, g, r, h, c),
                    Cell::Gru => recurrent::gru(self.isa, g, r, h),
                    Cell::GruResetFirst => recurrent::gru_after_reset(self.isa, g, r, late, h),
                    Cell::Tanh => recurrent::tanh_cell(self.isa, g, r, h),
                    Cell::Relu => recurrent::relu_cell(self.isa, g, r, h),
                }
                let y = &mut y[at * states..][..states];
                y[..hidden].copy_from_slice(h);
                if self.cell == Cell::Lstm {
                    y[hidden..].copy_from_slice(c);
                }
            }
        }
    }
}
