//! One step of the optimiser.

use crate::{levels, net::Net};

/// Moves what is learnt along its gradients, and updates the effective values.
pub(crate) struct Update<'a> {
    pub(crate) net: &'a mut Net,
    /// The learning rate, with the correction of the first moment.
    pub(crate) rate: f32,
    /// The correction of the second moment.
    pub(crate) correction: f32,
    /// Grids of levels and biases; empty before weights are shared.
    pub(crate) level_steps: &'a [f32],
    pub(crate) bias_steps: &'a [f32],
}

impl pulp::NullaryFnOnce for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (i, layer) in self.net.layers.iter_mut().enumerate() {
            let is_shared = i < self.level_steps.len();
            if is_shared {
                levels::sum_gradients(layer);
                layer.level.step(self.rate, self.correction);
            }
            layer.weight.step(self.rate, self.correction);
            layer.bias.step(self.rate, self.correction);
            if is_shared {
                levels::use_shared(layer, self.level_steps[i], self.bias_steps[i]);
            } else {
                layer.value.copy_from_slice(&layer.weight.latent);
                layer.bias_value.copy_from_slice(&layer.bias.latent);
            }
        }
    }
}

/// What the learning rate is multiplied by after that part of the steps: half a cosine from 1 to a hundredth.
pub(crate) fn cosine(progress: f32) -> f32 {
    0.01 + 0.99 * 0.5 * (1.0 + libm_cos(std::f32::consts::PI * progress))
}

/// The cosine, from the same polynomial everywhere: the learning rate must be bit-identical on every machine.
fn libm_cos(x: f32) -> f32 {
    // Only half a period is needed.
    let y = f64::from(x) - std::f64::consts::FRAC_PI_2;
    let (mut term, mut sum) = (y, y);
    for n in 1..9 {
        term *= -y * y / f64::from((2 * n) * (2 * n + 1));
        sum += term;
    }
    -(sum as f32)
}
