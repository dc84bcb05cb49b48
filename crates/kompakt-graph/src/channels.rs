//! Where channels go: the one walk through operators that do not mix the channels of a value.
//!
//! ```text
//! conv1 ──► pool1 ──► flatten1 ──► fc1          channel c of conv1 is columns 16 c .. 16 c + 16 of fc1
//!   └─ source of fc1's columns, span 16              └─ reader of conv1's channels, span 16, path pool1, flatten1
//! ```
//!
//! A *channel* is an index of the first dimension. Code that reorders hidden units, removes dead ones, or
//! tells a coder which unit a column comes from relies on this module.

use crate::{
    graph::{Graph, ValueId},
    op::Op,
};
use alloc::{vec, vec::Vec};

/// What a node does to the channels of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Computes weighted sums of all of them: a linear layer, or a convolution of one group.
    Weighed,
    /// Computes weighted sums of those in each group: a convolution of several groups.
    WeighedInGroups,
    /// Channel `c` of its output depends only on channel `c` of its input, and the node has no parameters.
    Kept,
    /// The same, with parameters that have one value per channel.
    KeptWithParameters,
    /// Channel `c` of its input becomes channels `n c` up to `n (c + 1)` of its output.
    Spread(usize),
    /// Anything else.
    Mixed,
}

/// A layer that computes weighted sums of a value's channels, and the path to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The linear or convolution node.
    pub node: usize,
    /// How many adjacent channels of its input belong to one of the value: more than 1 after a flatten.
    pub span: usize,
    /// The nodes between, in execution order, each with the span of its input.
    pub path: Vec<(usize, usize)>,
}

/// Where the channels of a value go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChannelReach {
    /// The layers that weight them, in execution order.
    pub readers: Vec<Reader>,
    /// All nodes passed, in execution order, with the span of their input.
    pub passed: Vec<(usize, usize)>,
}

/// Where the channels of a value come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelSource {
    /// The linear or convolution node whose unit `c / span` makes channel `c`, and the span.
    pub layer: Option<(usize, usize)>,
    /// Height and width of the image that was flattened on the way.
    pub image: Option<(usize, usize)>,
}

impl Graph {
    /// What a node does to the channels of its first input.
    pub fn passage(&self, node: usize) -> Passage {
        match &self.nodes()[node].op {
            Op::Linear { .. } | Op::Conv2d { groups: 1, .. } => Passage::Weighed,
            Op::Conv2d { .. } => Passage::WeighedInGroups,
            Op::BatchNorm { .. } | Op::ScaleBias => Passage::KeptWithParameters,
            Op::MaxPool { .. } | Op::AvgPool { .. } | Op::GlobalAvgPool => Passage::Kept,
            Op::Flatten => {
                let inner = self.shape(self.nodes()[node].inputs[0]).iter().skip(1);
                Passage::Spread(inner.fold(1, |n, &d| n.saturating_mul(d)))
            }
            op if op.is_elementwise() => Passage::Kept,
            Op::Relu
            | Op::Sigmoid
            | Op::Tanh
            | Op::Dropout { .. }
            | Op::Identity
            | Op::Scale { .. }
            | Op::Clip { .. }
            | Op::LeakyRelu { .. }
            | Op::HardSigmoid { .. }
            | Op::HardSwish
            | Op::Silu
            | Op::Softmax
            | Op::LogSoftmax
            | Op::Add
            | Op::Mul
            | Op::Sub
            | Op::Div
            | Op::Concat
            | Op::Reshape { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Prelu
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Resize { .. }
            | Op::LocalResponseNorm { .. }
            | Op::Spread { .. }
            | Op::Unary { .. }
            | Op::Binary { .. }
            | Op::Select
            | Op::Reduce { .. }
            | Op::MatMul
            | Op::Constant { .. }
            | Op::Embedding { .. }
            | Op::Take { .. }
            | Op::Scatter { .. }
            | Op::TopK { .. }
            | Op::Recurrent { .. } => Passage::Mixed,
        }
    }

    /// Where the channels of `value` go, or `None` if one of them cannot be moved or removed: it leaves the
    /// graph, is combined with another value, or passes a node that mixes channels.
    pub fn channel_reach(&self, value: ValueId) -> Option<ChannelReach> {
        let mut found = ChannelReach::default();
        // Each with the span of its channels and the nodes passed on the way.
        let mut open = vec![(value, 1usize, Vec::new())];
        while let Some((value, span, mut path)) = open.pop() {
            if self.outputs().contains(&value) {
                return None;
            }
            let mut consumers = self.consumers(value).peekable();
            while let Some(node) = consumers.next() {
                let path = if consumers.peek().is_some() { path.clone() } else { core::mem::take(&mut path) };
                let next_span = match self.passage(node) {
                    Passage::Weighed => {
                        found.readers.push(Reader { node, span, path });
                        continue;
                    }
                    Passage::Kept | Passage::KeptWithParameters => span,
                    Passage::Spread(by) => span.saturating_mul(by),
                    Passage::WeighedInGroups | Passage::Mixed => return None,
                };
                found.passed.push((node, span));
                let mut path = path;
                path.push((node, span));
                open.push((self.value_of(node), next_span, path));
            }
        }
        found.readers.sort_by_key(|reader| reader.node);
        found.passed.sort_unstable();
        Some(found)
    }

    /// Where the channels of `value` come from, `steps` nodes back at most.
    pub fn channel_source(&self, mut value: ValueId, steps: usize) -> ChannelSource {
        let mut found = ChannelSource::default();
        let mut span = 1usize;
        for _ in 0..steps {
            let Some(node) = self.producer(value) else { return found };
            let before = self.nodes()[node].inputs[0];
            match self.passage(node) {
                Passage::Weighed | Passage::WeighedInGroups => {
                    found.layer = Some((node, span));
                    return found;
                }
                Passage::Spread(by) => {
                    span = span.saturating_mul(by);
                    if let &[_, h, w] = self.shape(before) {
                        found.image = Some((h, w));
                    }
                }
                Passage::Kept | Passage::KeptWithParameters => {}
                Passage::Mixed => return found,
            }
            value = before;
        }
        found
    }
}
