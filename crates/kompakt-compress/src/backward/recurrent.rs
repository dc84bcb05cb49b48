//! Backpropagation through time.

use super::Step;
use kompakt_graph::Cell;

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `y += W x` for `W` `[rows, x]`, or its transpose.
fn add_product(w: &[f32], x: &[f32], y: &mut [f32], turned: bool) {
    let columns = if turned { y.len() } else { x.len() };
    for (r, w) in w.chunks_exact(columns).enumerate() {
        if turned {
            y.iter_mut().zip(w).for_each(|(y, w)| *y += w * x[r]);
        } else {
            y[r] += w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
        }
    }
}

/// `w += a bᵀ`.
fn add_outer(w: &mut [f32], a: &[f32], b: &[f32]) {
    for (w, a) in w.chunks_exact_mut(b.len()).zip(a) {
        w.iter_mut().zip(b).for_each(|(w, b)| *w += a * b);
    }
}

impl Step<'_> {
    /// Gradients of the three inputs, and of the weight.
    pub(super) fn through_time(
        &self,
        dy: &[f32],
        cell: Cell,
        hidden: usize,
        reverse: bool,
    ) -> (Vec<Vec<f32>>, Vec<f32>) {
        let (time, batch, width) = (self.shapes[0][0], self.shapes[0][1], self.shapes[0][2]);
        let n_states = cell.n_states() * hidden;
        let (w, bias) = (&self.params[0], &self.params[1]);
        let mut dx = vec![0.0; self.inputs[0].len()];
        let mut dw = vec![0.0; w.len()];
        let mut states = vec![vec![0.0; batch * hidden]; 2];
        for b in 0..batch {
            let (mut dh, mut dc) = (vec![0.0; hidden], vec![0.0; hidden]);
            for step in (0..time).rev() {
                let t = if reverse { time - 1 - step } else { step };
                let at = t * batch + b;
                let (before, memory): (&[f32], &[f32]) = if step == 0 {
                    (&self.inputs[1][b * hidden..][..hidden], &self.inputs[2][b * hidden..][..hidden])
                } else {
                    let last = if reverse { t + 1 } else { t - 1 };
                    let state = &self.output[(last * batch + b) * n_states..][..n_states];
                    (&state[..hidden], &state[n_states - hidden..])
                };
                let own = &dy[at * n_states..][..n_states];
                dh.iter_mut().zip(own).for_each(|(d, own)| *d += own);
                if cell == Cell::Lstm {
                    dc.iter_mut().zip(&own[hidden..]).for_each(|(d, own)| *d += own);
                }
                let g = &self.inputs[0][at * width..][..width];
                let mut r = bias.clone();
                add_product(w, before, &mut r, false);
                let now = &self.output[at * n_states..][..n_states];
                // Gradients of the input's part and of the recurrent part of every gate, and of the previous
                // state.
                let (mut dg, mut dr, mut back) = (vec![0.0; width], vec![0.0; width], vec![0.0; hidden]);
                let gate = |k: usize, i: usize| g[k * hidden + i] + r[k * hidden + i];
                let mut late = None;
                match cell {
                    Cell::Lstm => {
                        for i in 0..hidden {
                            let [a, o, f] = [0, 1, 2].map(|k| logistic(gate(k, i)));
                            let (n, tanh) = (gate(3, i).tanh(), now[hidden + i].tanh());
                            let d = dc[i] + dh[i] * o * (1.0 - tanh * tanh);
                            dg[i] = d * n * a * (1.0 - a);
                            dg[hidden + i] = dh[i] * tanh * o * (1.0 - o);
                            dg[2 * hidden + i] = d * memory[i] * f * (1.0 - f);
                            dg[3 * hidden + i] = d * a * (1.0 - n * n);
                            dc[i] = d * f;
                        }
                        dr.copy_from_slice(&dg);
                    }
                    Cell::Gru | Cell::GruResetFirst => {
                        let reset: Vec<f32> = (0..hidden).map(|i| logistic(gate(1, i))).collect();
                        let early: Vec<f32> = before.iter().zip(&reset).map(|(h, r)| h * r).collect();
                        let mut second = bias.clone();
                        add_product(w, &early, &mut second, false);
                        let mut dlate = vec![0.0; width];
                        for i in 0..hidden {
                            let (z, k) = (logistic(gate(0, i)), 2 * hidden + i);
                            let inner = if cell == Cell::Gru { reset[i] * r[k] } else { second[k] };
                            let n = (g[k] + inner).tanh();
                            let dn = dh[i] * (1.0 - z) * (1.0 - n * n);
                            dg[i] = dh[i] * (before[i] - n) * z * (1.0 - z);
                            dr[i] = dg[i];
                            dg[k] = dn;
                            back[i] += dh[i] * z;
                            if cell == Cell::Gru {
                                dr[k] = dn * reset[i];
                                dg[hidden + i] = dn * r[k] * reset[i] * (1.0 - reset[i]);
                            } else {
                                dlate[k] = dn;
                            }
                        }
                        if cell == Cell::GruResetFirst {
                            let mut dearly = vec![0.0; hidden];
                            add_product(w, &dlate, &mut dearly, true);
                            for i in 0..hidden {
                                back[i] += dearly[i] * reset[i];
                                dg[hidden + i] = dearly[i] * before[i] * reset[i] * (1.0 - reset[i]);
                            }
                            late = Some((dlate, early));
                        }
                        dr[hidden..2 * hidden].copy_from_slice(&dg[hidden..2 * hidden]);
                    }
                    Cell::Tanh | Cell::Relu => {
                        for i in 0..hidden {
                            let slope = match cell {
                                Cell::Tanh => 1.0 - now[i] * now[i],
                                _ => f32::from(u8::from(now[i] > 0.0)),
                            };
                            dg[i] = dh[i] * slope;
                        }
                        dr.copy_from_slice(&dg);
                    }
                }
                add_outer(&mut dw, &dr, before);
                if let Some((dlate, early)) = late {
                    add_outer(&mut dw, &dlate, &early);
                }
                add_product(w, &dr, &mut back, true);
                dx[at * width..][..width].copy_from_slice(&dg);
                dh = back;
            }
            states[0][b * hidden..][..hidden].copy_from_slice(&dh);
            if cell == Cell::Lstm {
                states[1][b * hidden..][..hidden].copy_from_slice(&dc);
            }
        }
        let [h, c] = [0, 1].map(|i| std::mem::take(&mut states[i]));
        (vec![dx, h, c], dw)
    }
}
