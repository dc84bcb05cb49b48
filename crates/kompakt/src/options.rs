//! Options that several stages share.

mod data;
#[cfg(feature = "train")]
mod recipe;

pub use data::{DataArgs, Feeds};
#[cfg(feature = "train")]
pub use recipe::RecipeArgs;
