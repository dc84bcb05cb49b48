//! One step of an optimiser over the latent values of one parameter.

use crate::options::Optimizer;

/// Running means of gradients, as long as the latent values; empty until first used.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moments {
    /// Momentum, or the mean of gradients.
    pub(crate) first: Vec<f32>,
    /// The mean of squared gradients (Adam).
    pub(crate) second: Vec<f32>,
    /// Steps taken with these moments.
    pub(crate) steps: u64,
}

/// What a step needs besides the gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepSize {
    pub(crate) learning_rate: f32,
    pub(crate) weight_decay: f32,
    /// The factor applied to the gradient first (clipping).
    pub(crate) gradient_scale: f32,
}

impl Moments {
    /// Moves `latent` against `gradient`.
    pub(crate) fn step(
        &mut self,
        optimizer: &Optimizer,
        latent: &mut [f32],
        gradient: &[f32],
        size: StepSize,
    ) {
        let n = latent.len();
        if self.first.len() != n {
            *self = Self { first: vec![0.0; n], second: Vec::new(), steps: 0 };
        }
        self.steps += 1;
        let StepSize { learning_rate, weight_decay, gradient_scale } = size;
        match *optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                for ((w, &g), v) in latent.iter_mut().zip(gradient).zip(&mut self.first) {
                    let g = g * gradient_scale + weight_decay * *w;
                    *v = momentum * *v + g;
                    *w -= learning_rate * if nesterov { g + momentum * *v } else { *v };
                }
            }
            Optimizer::Adam { beta1, beta2, epsilon } => {
                self.adam(latent, gradient, size, (beta1, beta2, epsilon), (weight_decay, 0.0));
            }
            Optimizer::AdamW { beta1, beta2, epsilon } => {
                let shrink = learning_rate * weight_decay;
                self.adam(latent, gradient, size, (beta1, beta2, epsilon), (0.0, shrink));
            }
        }
    }

    fn adam(
        &mut self,
        latent: &mut [f32],
        gradient: &[f32],
        size: StepSize,
        (beta1, beta2, epsilon): (f32, f32, f32),
        (decay, shrink): (f32, f32),
    ) {
        self.second.resize(latent.len(), 0.0);
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction1 = 1.0 - f64::from(beta1).powi(steps);
        let correction2 = 1.0 - f64::from(beta2).powi(steps);
        // lr * (m / c1) / (sqrt(v / c2) + eps)
        let rate = (f64::from(size.learning_rate) / correction1) as f32;
        let root = (1.0 / correction2.sqrt()) as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, &g), (m, v)) in latent.iter_mut().zip(gradient).zip(moments) {
            let g = g * size.gradient_scale + decay * *w;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= shrink * *w + rate * *m / (v.sqrt() * root + epsilon);
        }
    }

    /// Clears the moments of weights that a mask removes.
    pub(crate) fn hold(&mut self, mask: &[bool]) {
        for moments in [&mut self.first, &mut self.second] {
            moments.iter_mut().zip(mask).for_each(|(m, &kept)| {
                if !kept {
                    *m = 0.0;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: StepSize = StepSize { learning_rate: 0.1, weight_decay: 0.0, gradient_scale: 1.0 };

    #[test]
    fn sgd_with_momentum_by_hand() {
        let mut w = [1.0];
        let mut moments = Moments::default();
        moments.step(&Optimizer::SGD, &mut w, &[1.0], SIZE);
        assert!((w[0] - 0.9).abs() < 1e-6);
        moments.step(&Optimizer::SGD, &mut w, &[1.0], SIZE);
        assert!((w[0] - (0.9 - 0.19)).abs() < 1e-6);
        let mut w = [1.0];
        Moments::default().step(&Optimizer::NESTEROV, &mut w, &[1.0], SIZE);
        assert!((w[0] - (1.0 - 0.19)).abs() < 1e-6);
    }

    #[test]
    fn the_first_step_of_adam_is_the_learning_rate() {
        for optimizer in [Optimizer::ADAM, Optimizer::ADAMW] {
            let mut w = [1.0, 1.0];
            Moments::default().step(&optimizer, &mut w, &[1e-3, -5.0], SIZE);
            assert!((w[0] - 0.9).abs() < 1e-4 && (w[1] - 1.1).abs() < 1e-4, "{w:?}");
        }
    }

    #[test]
    fn weight_decay_shrinks() {
        let size = StepSize { weight_decay: 0.5, ..SIZE };
        for optimizer in [Optimizer::SGD, Optimizer::ADAMW] {
            let mut w = [1.0];
            Moments::default().step(&optimizer, &mut w, &[0.0], size);
            assert!((w[0] - 0.95).abs() < 1e-6, "{w:?}");
        }
    }
}
