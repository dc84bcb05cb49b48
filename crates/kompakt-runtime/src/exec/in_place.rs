//! In-place steps.

use super::functions;
use crate::schedule::{Channels, InPlace};
use alloc::{sync::Arc, vec::Vec};
use kompakt_kernels::{Isa, activations, elementwise, softmax};

/// Two vectors with a number per channel: scale and bias; or slopes, and an empty one.
pub(crate) type ChannelNumbers = (Vec<f32>, Vec<f32>);

impl InPlace {
    /// Runs it for `n` images. `numbers` are those of all steps with channels.
    pub(super) fn run(self, isa: Isa, numbers: &[Arc<ChannelNumbers>], x: &mut [f32], n: usize) {
        match self {
            Self::Affine { numbers: at, channels, relu } => {
                let (scale, bias) = &*numbers[at];
                for_channels(channels, x, n, |c, x| elementwise::affine(isa, scale[c], bias[c], relu, x));
            }
            Self::Prelu { numbers: at, channels } => {
                let (slopes, _) = &*numbers[at];
                for_channels(channels, x, n, |c, x| activations::leaky_relu(isa, slopes[c], x));
            }
            Self::Relu => elementwise::relu(isa, x),
            Self::Sigmoid => elementwise::sigmoid(isa, x),
            Self::Tanh => elementwise::tanh(isa, x),
            Self::Scale { factor, offset } => elementwise::affine(isa, factor, offset, false, x),
            Self::Clip { low, high } => activations::clip(isa, low, high, x),
            Self::LeakyRelu { slope } => activations::leaky_relu(isa, slope, x),
            Self::HardSigmoid { slope, offset } => activations::hard_sigmoid(isa, slope, offset, x),
            Self::HardSwish => activations::hard_swish(isa, x),
            Self::Silu => activations::silu(isa, x),
            Self::Function(function) => functions::unary(isa, function, x),
            Self::Softmax { len, inner, layout } => {
                softmax(isa, len, layout.distance(inner, n), x);
            }
        }
    }
}

/// Calls `change` for the elements of every channel of every image.
fn for_channels(channels: Channels, x: &mut [f32], n: usize, mut change: impl FnMut(usize, &mut [f32])) {
    let len = channels.layout.distance(channels.plane, n);
    for (i, x) in x.chunks_exact_mut(len).enumerate() {
        change(i % channels.n, x);
    }
}
