//! The running mean of all trained values over the steps: less noisy than the last ones.
//!
//! ```text
//! mean += (1 - d) (value - mean)      d = min(decay, (1 + steps) / (10 + steps))
//! ```
//!
//! The decay grows with the steps, so that the mean forgets where training began.

use crate::network::Network;

/// The means, as long as the latent values of each parameter; empty before the first step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Means {
    pub(crate) values: Vec<Vec<f32>>,
    /// Steps that the means have seen.
    pub(crate) steps: u64,
}

impl Means {
    /// Moves the means towards the network's values. Statistics of batch norms are averaged too.
    pub(crate) fn follow(&mut self, network: &Network, decay: f32) {
        self.values.resize(network.parameters().len(), Vec::new());
        let steps = self.steps as f32;
        let rest = 1.0 - decay.min((1.0 + steps) / (10.0 + steps));
        for (mean, parameter) in self.values.iter_mut().zip(network.parameters()) {
            let now = parameter.weights.latent();
            if mean.len() == now.len() {
                mean.iter_mut().zip(now).for_each(|(mean, now)| *mean += rest * (now - *mean));
            } else {
                mean.clear();
                mean.extend_from_slice(now);
            }
        }
        self.steps += 1;
    }

    /// The network with the means for its values; pruned weights stay zero.
    pub(crate) fn of(&self, network: &Network) -> Network {
        let mut network = network.clone();
        for (parameter, mean) in network.parameters_mut().iter_mut().zip(&self.values) {
            let values = parameter.weights.latent_mut();
            if values.len() == mean.len() {
                values.copy_from_slice(mean);
                parameter.weights.hold();
            }
        }
        network
    }
}
