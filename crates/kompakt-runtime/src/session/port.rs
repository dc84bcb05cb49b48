//! The inputs and outputs of a network.

use crate::program::{Program, Sizes, ValueId};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// An input or output of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// The name of the value in the network: an input's, or that of the node that computes it.
    pub name: String,
    /// Its shape without the batch.
    pub shape: Vec<usize>,
    /// Elements per image: the product of the shape.
    pub len: usize,
}

impl Port {
    /// A value of a program whose open sizes are these, by its name in the network.
    pub(super) fn new(program: &Program, value: ValueId, name: &str, sizes: &Sizes) -> Self {
        let mut shape = program.dims(value, sizes);
        if !shape.is_empty() {
            shape.remove(0);
        }
        Self { name: name.to_string(), len: shape.iter().product(), shape }
    }
}
