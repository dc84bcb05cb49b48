//! Recurrent layers.

use crate::Value;
use kompakt_graph::Cell;

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The states at all time steps, in order.
pub(crate) fn states(
    cell: Cell,
    hidden: usize,
    reverse: bool,
    [x, h0, c0]: [&Value; 3],
    params: &[&[f64]],
) -> Vec<f64> {
    let (time, batch, width) = (x.shape[0], x.shape[1], x.shape[2]);
    let n_states = cell.n_states() * hidden;
    let mut y = vec![0.0; time * batch * n_states];
    let recurrent = |h: &[f64]| -> Vec<f64> {
        let row = |r: usize| params[0][r * hidden..][..hidden].iter().zip(h).map(|(w, h)| w * h).sum::<f64>();
        (0..width).map(|r| row(r) + params[1][r]).collect()
    };
    for b in 0..batch {
        let mut h = h0.data[b * hidden..][..hidden].to_vec();
        let mut c = c0.data[b * hidden..][..hidden].to_vec();
        for step in 0..time {
            let t = if reverse { time - 1 - step } else { step };
            let g = &x.data[(t * batch + b) * width..][..width];
            let r = recurrent(&h);
            let gate = |k: usize, i: usize| g[k * hidden + i] + r[k * hidden + i];
            match cell {
                Cell::Lstm => {
                    for i in 0..hidden {
                        let [input, output, forget] = [0, 1, 2].map(|k| logistic(gate(k, i)));
                        c[i] = forget * c[i] + input * gate(3, i).tanh();
                        h[i] = output * c[i].tanh();
                    }
                }
                Cell::Gru | Cell::GruResetFirst => {
                    let reset: Vec<f64> = (0..hidden).map(|i| logistic(gate(1, i))).collect();
                    let first: Vec<f64> = h.iter().zip(&reset).map(|(h, r)| h * r).collect();
                    let late = recurrent(&first);
                    for i in 0..hidden {
                        let (n, z) = (2 * hidden + i, logistic(gate(0, i)));
                        let inner = if cell == Cell::Gru { reset[i] * r[n] } else { late[n] };
                        h[i] = (1.0 - z) * (g[n] + inner).tanh() + z * h[i];
                    }
                }
                Cell::Tanh => (0..hidden).for_each(|i| h[i] = gate(0, i).tanh()),
                Cell::Relu => (0..hidden).for_each(|i| h[i] = gate(0, i).max(0.0)),
            }
            let y = &mut y[(t * batch + b) * n_states..][..n_states];
            y[..hidden].copy_from_slice(&h);
            if cell == Cell::Lstm {
                y[hidden..].copy_from_slice(&c);
            }
        }
    }
    y
}
