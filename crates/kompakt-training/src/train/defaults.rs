//! How each network is trained by default.

use crate::Recipe;
use kompakt_data::Augmentation;
use kompakt_engine::{Optimizer, Schedule, TrainOptions};

/// Default training options of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Epochs, optimiser, augmentation.
    pub recipe: Recipe,
    /// Probability of dropout after hidden linear layers.
    pub dropout: f32,
}

/// The defaults of the network called `net`; of any other, those of a small convolutional network.
pub fn defaults(net: &str) -> Defaults {
    let base = TrainOptions { schedule: Schedule::Cosine { end: 0.0 }, ..TrainOptions::default() };
    let digits =
        Augmentation { shift: 1.0, rotate: 7.5, scale: 0.08, shear: 0.08, ..Augmentation::default() };
    match net {
        "lenet-300-100" | "mlp" => Defaults {
            recipe: Recipe {
                options: TrainOptions {
                    epochs: 30,
                    batch: 128,
                    learning_rate: 2e-3,
                    optimizer: Optimizer::ADAM,
                    ..base
                },
                label_smoothing: 0.0,
                augmentation: digits,
                teaching: None,
            },
            dropout: 0.0,
        },
        "resnet20" => Defaults {
            recipe: Recipe {
                options: TrainOptions {
                    epochs: 30,
                    batch: 128,
                    learning_rate: 0.1,
                    optimizer: Optimizer::NESTEROV,
                    weight_decay: 5e-4,
                    warmup_epochs: 1.0,
                    ..base
                },
                label_smoothing: 0.0,
                augmentation: Augmentation { shift: 4.0, ..Augmentation::default() },
                teaching: None,
            },
            dropout: 0.0,
        },
        _ => Defaults {
            recipe: Recipe {
                options: TrainOptions {
                    epochs: 15,
                    batch: 64,
                    learning_rate: 1e-3,
                    optimizer: Optimizer::ADAM,
                    ..base
                },
                label_smoothing: 0.0,
                augmentation: digits,
                teaching: None,
            },
            dropout: 0.0,
        },
    }
}
