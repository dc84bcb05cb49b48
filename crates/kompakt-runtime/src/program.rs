//! A network as operations on tensors, independent of the machine.
//!
//! ```text
//! graph of a file ──lower──► one operation per node ──fuse──► Program ──► a schedule (this CPU), or another executor
//! ```
//!
//! Values have explicit dimensions, with the batch as the first, and an element type; dimensions may be open
//! until a session is made ([`Dim::Open`]). Operations are listed in execution order, and each computes one
//! value. Per-channel scales and ReLUs after a layer are part of it ([`Epilogue`]); identity nodes are
//! removed.
//!
//! A program is independent of memory layouts and instruction sets. Weights are identified by their parameter
//! number in the file; [`Parameters`](crate::Parameters) reads them, one layer at a time.

mod fuse;
mod lower;
mod operation;
mod size;

pub use operation::{
    Affine, Binary, ConvolutionWindow, Epilogue, OperationKind, ParameterId, PoolingWindow, Unary,
};
pub use size::{BATCH, Dim, MAX_RANK, Shape, Sizes, Symbol};

use crate::error::RuntimeError;
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use kompakt_graph::Graph;

/// The number of a value: an index into [`Program::values`].
pub type ValueId = usize;

/// The type of a value's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// Single precision: all values of version 1 of the format.
    F32,
    /// 32-bit integers.
    I32,
    /// 64-bit integers.
    I64,
    /// Truth values, one byte each.
    Bool,
}

/// An input, output or intermediate tensor of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The name of the input or of the node that computes it.
    pub name: String,
    /// The element type.
    pub data_type: DataType,
    /// Its dimensions, the batch first.
    pub shape: Shape,
}

/// One operation with its operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The node that it implements, or the first of several.
    pub name: String,
    /// The operation.
    pub kind: OperationKind,
    /// The inputs.
    pub inputs: Vec<ValueId>,
    /// The output.
    pub output: ValueId,
}

/// See the [module page](self).
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub(crate) symbols: Vec<String>,
    pub(crate) values: Vec<Value>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    pub(crate) output_names: Vec<String>,
}

impl Program {
    /// The program of a graph.
    ///
    /// Errors: a value of more dimensions than [`MAX_RANK`].
    pub fn new(graph: &Graph) -> Result<Self, RuntimeError> {
        Ok(fuse::fuse(lower::lower(graph)?))
    }

    /// Names of the open sizes; the first is `batch`.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// All values. Those between fused nodes are not computed by any operation.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The operations, in execution order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The input values.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The output values; a value may occur twice.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The names of the outputs in the network: an identity node has no value here, but may have named one.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// The dimensions of a value, outermost first.
    pub fn dims(&self, value: ValueId, sizes: &Sizes) -> Vec<usize> {
        sizes.apply(&self.values[value].shape)
    }

    /// Sizes for names.
    ///
    /// Errors: a name that the program does not have, or a size of 0.
    pub fn sizes<'n>(
        &self,
        named: impl IntoIterator<Item = (&'n str, usize)>,
    ) -> Result<Sizes, RuntimeError> {
        let mut sizes = vec![1; self.symbols.len()];
        for (name, size) in named {
            match self.symbols.iter().position(|symbol| symbol == name) {
                Some(i) if size > 0 => sizes[i] = size,
                _ => {
                    let (name, known) = (name.to_string(), self.symbols.clone());
                    return Err(RuntimeError::Size { name, size, known });
                }
            }
        }
        Ok(Sizes::new(sizes))
    }

    /// How often each value is read; an output counts two more.
    pub(crate) fn n_reads(&self) -> Vec<usize> {
        let mut n = vec![0; self.values.len()];
        self.operations.iter().flat_map(|op| &op.inputs).for_each(|&value| n[value] += 1);
        self.outputs.iter().for_each(|&value| n[value] += 2);
        n
    }
}
