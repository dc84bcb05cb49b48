//! Differentiable execution of a graph: training, retraining under masks and shared weights, evaluation.
//!
//! ```text
//!             Examples ──► Batch ──┐                  Hooks: masks, penalties
//! Network ──► effective weights ──►│ forward, Loss, backward │──► gradients by weight
//!    ▲                                                              │ pull_back
//!    └────────────── optimiser ◄── gradients by latent values ◄─────┘
//! ```
//!
//! A [`Network`] is a graph with weights; each parameter says how its weights come from the values that are
//! trained ([`Trainable`]: dense, masked, shared, or a [`Parameterization`] of the caller's). A [`Trainer`] moves
//! those values, an [`Engine`] only runs the network. Dense training, pruning with masks held, and fine-tuning of
//! codebooks are the same loop over differently parameterised networks.
//!
//! The same network, data, options and seed give the same bits on one CPU type, on any number of threads.
//!
//! Forward and backward passes are done by burn, behind one private module; nothing of it shows here. What is not
//! here: data sets, files, choices made on validation data.

mod average;
mod backend;
mod engine;
mod error;
mod examples;
mod hooks;
mod loss;
mod network;
mod optimizer;
mod option_text;
mod options;
mod random;
mod snapshot;
mod trainable;
mod trainer;

pub use engine::{Engine, Evaluation};
pub use error::EngineError;
pub use examples::{ExampleTable, Examples};
pub use hooks::{Gradients, Hooks, Step};
pub use loss::{Batch, CrossEntropy, Distillation, Loss, soft_cross_entropy, softmax};
pub use network::{Network, NetworkParameter};
pub use options::{Optimizer, Schedule, TrainOptions};
pub use random::Random;
pub use trainable::{CentroidGradient, Parameterization, Trainable};
pub use trainer::{EpochReport, Trainer};
