//! Recurrent layers, one time step after another.

use alloc::vec::Vec;
use kompakt_graph::Cell;

/// A layer's cell and sizes.
pub(super) struct Recurrent {
    pub(super) cell: Cell,
    /// Whether time runs backwards.
    pub(super) reverse: bool,
    /// Time steps, sequences, size of the state.
    pub(super) sizes: [usize; 3],
}

impl Recurrent {
    /// Runs it for `n` images. `multiply` computes the recurrent part `R h + b` of all gates for one state.
    pub(super) fn run(
        &self,
        [x, h0, c0]: [&[f32]; 3],
        y: &mut [f32],
        n: usize,
        state: &mut Vec<f32>,
        multiply: &mut dyn FnMut(&[f32], &mut [f32]),
    ) {
        let [time, batch, hidden] = self.sizes;
        let (gates, states) = (self.cell.n_gates() * hidden, self.cell.n_states() * hidden);
        state.resize(3 * hidden + 2 * gates, 0.0);
        let (h, rest) = state.split_at_mut(hidden);
        let (c, rest) = rest.split_at_mut(hidden);
        let (early, rest) = rest.split_at_mut(hidden);
        let (r, late) = rest.split_at_mut(gates);
        for sequence in 0..n * batch {
            let (image, b) = (sequence / batch, sequence % batch);
            h.copy_from_slice(&h0[sequence * hidden..][..hidden]);
            c.copy_from_slice(&c0[sequence * hidden..][..hidden]);
            for step in 0..time {
                let t = if self.reverse { time - 1 - step } else { step };
                let at = (image * time + t) * batch + b;
                let g = &x[at * gates..][..gates];
                multiply(h, r);
                if self.cell == Cell::GruResetFirst {
                    for i in 0..hidden {
                        early[i] = h[i] * logistic(g[hidden + i] + r[hidden + i]);
                    }
                    multiply(early, late);
                }
                self.step(g, r, late, h, c);
                let y = &mut y[at * states..][..states];
                y[..hidden].copy_from_slice(h);
                if self.cell == Cell::Lstm {
                    y[hidden..].copy_from_slice(c);
                }
            }
        }
    }

    /// One state: `g` is the input's part of the gates, `r` the previous state's, `late` the previous state's
    /// where the reset comes first.
    fn step(&self, g: &[f32], r: &[f32], late: &[f32], h: &mut [f32], c: &mut [f32]) {
        let hidden = h.len();
        let gate = |k: usize, i: usize| g[k * hidden + i] + r[k * hidden + i];
        match self.cell {
            Cell::Lstm => {
                for i in 0..hidden {
                    let (input, output, forget) =
                        (logistic(gate(0, i)), logistic(gate(1, i)), logistic(gate(2, i)));
                    c[i] = forget * c[i] + input * libm::tanhf(gate(3, i));
                    h[i] = output * libm::tanhf(c[i]);
                }
            }
            Cell::Gru | Cell::GruResetFirst => {
                for (i, h) in h.iter_mut().enumerate() {
                    let (z, n) = (logistic(gate(0, i)), 2 * hidden + i);
                    let inner = match self.cell {
                        Cell::Gru => logistic(gate(1, i)) * r[n],
                        _ => late[n],
                    };
                    *h = (1.0 - z) * libm::tanhf(g[n] + inner) + z * *h;
                }
            }
            Cell::Tanh => (0..hidden).for_each(|i| h[i] = libm::tanhf(gate(0, i))),
            Cell::Relu => (0..hidden).for_each(|i| h[i] = gate(0, i).max(0.0)),
        }
    }
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}
