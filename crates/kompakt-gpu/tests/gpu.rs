//! A GPU, software included, answers as the loader does: every operator, every tier, networks of the record, random networks.
//!
//! Without an adapter the tests say so and pass, unless the environment has `CI=true`.
#![allow(clippy::unwrap_used)]

mod gpu {
    pub(crate) mod adapter;
    mod answers;
    mod budget;
    mod limits;
    mod memory;
    mod random;
}
