//! Command-line options and progress shared by the programs that train.
//!
//! A program has its own defaults, a [`Recipe`]; [`RecipeArgs`] changes it, [`DataArgs`] says what it is used on, and
//! [`EpochProgress`] shows how it goes.

mod data;
mod progress;
mod recipe;

pub use data::{DataArgs, TrainingData};
pub use progress::EpochProgress;
pub use recipe::{Recipe, RecipeArgs};
