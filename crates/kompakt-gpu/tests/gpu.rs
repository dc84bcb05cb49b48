//! A GPU, or a software adapter, matches the loader: all operators and tiers, networks of the record, random
//! networks.
//!
//! Without an adapter the tests print a note and pass, unless the environment has `CI=true`.
#![allow(clippy::unwrap_used)]

mod gpu {
    pub(crate) mod adapter;
    mod answers;
    mod budget;
    mod decode;
    mod int8;
    mod limits;
    mod memory;
    mod network;
    mod profile;
    mod random;
    mod sizes;
    mod timeout;
}
