//! Which nodes of a graph disappear into the layer before them.

use kompakt_graph::{Graph, Op, ValueId};

/// A scale and a bias for each channel, by the numbers of their parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Affine {
    /// `x * scale + bias`.
    ScaleBias { weight: usize, bias: usize },
    /// `(x - mean) / sqrt(var + eps) * weight + bias`; the four follow each other from `weight` on.
    BatchNorm { weight: usize, eps: f32 },
    /// One weight a channel and nothing else, for a PReLU.
    Slopes { weight: usize },
}

/// What a layer does after its sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fused {
    pub(crate) affine: Option<Affine>,
    pub(crate) relu: bool,
}

/// Who reads what.
pub(crate) struct Chain<'g> {
    graph: &'g Graph,
    /// For each value the nodes that read it, one entry a read; an output counts as two.
    n_reads: Vec<usize>,
    /// The last node that reads a value.
    reader: Vec<usize>,
    /// For each node the number of its first parameter.
    params: Vec<usize>,
}

impl<'g> Chain<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        let n_values = graph.inputs().len() + graph.nodes().len();
        let (mut n_reads, mut reader) = (vec![0; n_values], vec![0; n_values]);
        for (index, node) in graph.nodes().iter().enumerate() {
            for &value in &node.inputs {
                n_reads[value] += 1;
                reader[value] = index;
            }
        }
        for &output in graph.outputs() {
            n_reads[output] += 2;
        }
        let mut params = vec![usize::MAX; graph.nodes().len()];
        for (i, param) in graph.params().iter().enumerate() {
            params[param.node] = params[param.node].min(i);
        }
        Self { graph, n_reads, reader, params }
    }

    /// Whether a value is read once and does not leave the graph.
    pub(crate) fn has_one_reader(&self, value: ValueId) -> bool {
        self.n_reads[value] <= 1
    }

    /// The number of a node's first parameter.
    pub(crate) fn first_param(&self, node: usize) -> usize {
        self.params[node]
    }

    /// The scale and bias that a node stands for.
    pub(crate) fn affine(&self, node: usize) -> Option<Affine> {
        let weight = self.params[node];
        match self.graph.nodes()[node].op {
            Op::ScaleBias => Some(Affine::ScaleBias { weight, bias: weight + 1 }),
            Op::BatchNorm { eps } => Some(Affine::BatchNorm { weight, eps }),
            Op::Prelu => Some(Affine::Slopes { weight }),
            _ => None,
        }
    }

    /// Follows a layer through the nodes that go into its epilogue, marks them done, and gives the last value.
    pub(crate) fn epilogue_of(&self, node: usize, done: &mut [bool]) -> (ValueId, Fused) {
        let mut fused = Fused::default();
        let mut value = self.graph.value_of(node);
        while let Some(next) = self.only_reader(value) {
            match self.graph.nodes()[next].op {
                Op::Dropout { .. } | Op::Identity => {}
                Op::ScaleBias | Op::BatchNorm { .. } if fused.affine.is_none() && !fused.relu => {
                    fused.affine = self.affine(next);
                }
                Op::Relu => fused.relu = true,
                _ => break,
            }
            done[next] = true;
            value = self.graph.value_of(next);
        }
        (value, fused)
    }

    /// The same where only a ReLU can follow.
    pub(crate) fn relu_after(&self, mut value: ValueId, done: &mut [bool]) -> (ValueId, bool) {
        let mut relu = false;
        while let Some(next) = self.only_reader(value) {
            match self.graph.nodes()[next].op {
                Op::Dropout { .. } | Op::Identity => {}
                Op::Relu => relu = true,
                _ => break,
            }
            done[next] = true;
            value = self.graph.value_of(next);
        }
        (value, relu)
    }

    fn only_reader(&self, value: ValueId) -> Option<usize> {
        (self.n_reads[value] == 1).then(|| self.reader[value])
    }
}
