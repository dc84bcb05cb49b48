//! The network as data: operators, attributes, shapes and parameter names. No arithmetic.
//!
//! A [`Graph`] is a list of nodes in execution order. Every node makes exactly one value, and a value is
//! either an input of the graph or the result of a node:
//!
//! ```text
//! values   0          1       2        3       4
//!          image ──► conv1 ─► pool1 ─► fc1 ──► relu1      (output: 4)
//!          [1,28,28] [20,24,24] …               [500]
//! ```
//!
//! Shapes never include the batch: it is an outermost dimension that every operator maps over. An image is
//! `[channels, height, width]`, a feature vector `[n]`. A graph is validated when it is made
//! ([`Graph::new`]): every operator supports its operands' shapes, every name is unique, and the shapes of
//! all values and parameters are known afterwards. Code that holds a `Graph` may rely on that.
//!
//! Parameters carry PyTorch's names and layouts: `conv1.weight` `[out, in / groups, kh, kw]`, `fc1.weight`
//! `[out, in]`, `bn1.running_mean` `[channels]`.
//!
//! Sizes may be open: a graph with [`Sizes`] is stored at one size of each of its symbols, and [`Graph::at`] gives it at others.
//!
//! What is not here: weights, execution, files.
#![no_std]

extern crate alloc;

mod channels;
mod error;
pub mod functions;
mod geometry;
mod graph;
mod infer;
mod limits;
mod names;
pub mod networks;
mod op;
mod per_layer;
mod sizes;
pub mod table;

pub use channels::{ChannelReach, ChannelSource, Passage, Reader};
pub use error::GraphError;
pub use functions::{BinaryFunction, Cell, Reduction, UnaryFunction, Update};
pub use geometry::Convolution;
pub use graph::{Graph, Input, Node, Param, ParamRole, ValueId};
pub use infer::output_shape;
pub use limits::{
    MAX_ADDRESSABLE_ELEMENTS, MAX_DIM, MAX_ELEMENTS, MAX_INDICES, MAX_NAME_BYTES, MAX_NODES, MAX_PLACES,
    MAX_RANK, MAX_SYMBOLS, MAX_TERMS,
};
pub use names::default_names;
pub use op::{Op, Padding, Pair};
pub use per_layer::PerLayer;
pub use sizes::{Count, Place, Size, Sizes, Symbol};
