//! Options that several stages share.

mod data;
#[cfg(feature = "train")]
mod recipe;
#[cfg(feature = "train")]
mod teacher;
mod tier;

pub use data::{DataArgs, Feeds};
#[cfg(feature = "train")]
pub use recipe::RecipeArgs;
#[cfg(feature = "train")]
pub use teacher::TeacherArgs;
pub use tier::TierName;
