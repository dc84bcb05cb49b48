//! Options that several stages share.

mod data;
#[cfg(feature = "train")]
mod recipe;
mod tier;

pub use data::{DataArgs, Feeds};
#[cfg(feature = "train")]
pub use recipe::RecipeArgs;
pub use tier::TierName;
