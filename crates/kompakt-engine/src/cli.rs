//! Command-line options and progress shared by the programs that train.
//!
//! A program has its own defaults, a [`Recipe`]; [`RecipeArgs`] changes it, [`DataArgs`] says what it is used on, and
//! [`EpochProgress`] shows how it goes.

/// An allocator for programs that train: it keeps the pages of tensors that come and go with every step, where the
/// system's gives them back and fetches them again (a third of the time of LeNet-300-100).
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: kompakt_engine::cli::Allocator = kompakt_engine::cli::Allocator;
/// ```
pub use mimalloc::MiMalloc as Allocator;

mod data;
mod failure;
mod progress;
mod recipe;

pub use data::{DataArgs, TrainingData};
pub use failure::{data_failure, failure};
pub use progress::EpochProgress;
pub use recipe::{Recipe, RecipeArgs};
