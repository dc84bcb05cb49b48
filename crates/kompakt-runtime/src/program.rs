//! A network as a list of steps over buffers: what is left when a graph is taken literally no more.
//!
//! ```text
//! conv1 ─ scale1 ─ relu1 ─ flatten ─ fc1        step 0  conv1 (scale and relu in its epilogue)   buffer 0 -> 1
//!                                               step 1  fc1                                      buffer 1 -> 2
//! ```
//!
//! Per-channel scales and ReLUs go into the epilogue of the layer before them, elements are changed in place where
//! nobody else reads them, and shapes cost nothing where the elements lie the same.
//!
//! How a batch lies in a buffer: vectors (one dimension) feature by feature, `[features, images]`, so that a weight
//! meets all images at once; anything else image by image, `[images, ...]`. For one image there is no difference.
//! Steps on images are run for a few of them at a time, from the first step to the last before a vector is made.

use crate::{
    fuse::{Affine, Chain},
    operators::{Apart, Map},
};
use kompakt_graph::{Graph, Op, Padding, Pair, ValueId};
use kompakt_kernels::{ConvShape, Depthwise, Grid, Pairwise, Planes, PoolWindow};
use std::ops::Range;

/// A buffer's number.
pub(crate) type BufferId = usize;

/// Where a value lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffer {
    /// Elements for each image.
    pub(crate) len: usize,
    /// The first step that uses it.
    pub(crate) first: usize,
    /// The last step that uses it.
    pub(crate) last: usize,
    /// Whether it lies feature by feature, for all images at once.
    pub(crate) is_vector: bool,
    /// How many images have a place in it: those of one [`Segment`]'s turn, or `usize::MAX` for all.
    pub(crate) n_images: usize,
}

impl Buffer {
    /// Floats that it takes where up to `max_batch` images are run at once.
    pub(crate) fn floats(&self, max_batch: usize) -> usize {
        self.len.saturating_mul(self.n_images.min(max_batch))
    }
}

/// Steps that follow each other and are run together for some images, then for the next.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) steps: Range<usize>,
    /// Images of a turn; `usize::MAX` for all.
    pub(crate) n_images: usize,
}

/// One step: reads buffers, writes one.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The node that it runs, or the last of those.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Never the one that is written, except for steps in place, which have none.
    pub(crate) reads: Vec<BufferId>,
    pub(crate) writes: BufferId,
    /// Needed by this step alone.
    pub(crate) scratch: Option<BufferId>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Linear {
        layer: usize,
    },
    Conv {
        layer: usize,
        conv: Conv,
    },
    /// A convolution of one place, and one whose output channels read one of its channels each.
    Expanded {
        expand: usize,
        layer: usize,
        convs: Box<[Conv; 2]>,
    },
    MaxPool(PoolWindow),
    AvgPool(PoolWindow, bool),
    GlobalAvgPool,
    /// In place: number of the affine, channels, elements a channel.
    Affine {
        affine: usize,
        channels: usize,
        plane: usize,
        is_vector: bool,
        relu: bool,
    },
    /// In place.
    Relu,
    /// In place.
    Sigmoid,
    /// In place.
    Tanh,
    /// In place, over `len` elements `inner` apart.
    Softmax {
        inner: usize,
        is_vector: bool,
    },
    /// Adds what is read to what is written, perhaps with a ReLU.
    Add {
        relu: bool,
    },
    Copy,
    /// Puts what is read side by side along the first dimension.
    Concat {
        lengths: Vec<usize>,
        is_vector: bool,
    },
    Slice {
        from: Vec<usize>,
        start: Vec<usize>,
        step: Vec<usize>,
        to: Vec<usize>,
        is_vector: bool,
    },
    /// Zeros around what is read.
    Pad {
        from: Vec<usize>,
        before: Vec<usize>,
        to: Vec<usize>,
        is_vector: bool,
    },
    /// From image by image to feature by feature, or back.
    Turn {
        to_vector: bool,
    },
    /// In place.
    Map(Map),
    /// In place, as for [`Kind::Affine`].
    Prelu {
        affine: usize,
        channels: usize,
        plane: usize,
        is_vector: bool,
    },
    /// What is read into what is written.
    Pairwise {
        op: Pairwise,
        x: Vec<usize>,
        y: Vec<usize>,
        is_vector: bool,
    },
    Apart(Apart),
}

/// Geometry of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    /// One group.
    pub(crate) shape: ConvShape,
    pub(crate) groups: usize,
    pub(crate) method: Method,
}

/// How the input of a convolution lies when it is multiplied.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    /// As it is: kernels of one place.
    Line,
    /// As it is: each output channel reads one input channel. See [`Depthwise`].
    Depthwise(Depthwise),
    /// Padded, and apart by phases of the stride.
    Planes(Planes),
    /// See [`Grid`].
    Grid(Grid),
}

impl Conv {
    /// Elements of an image's input.
    pub(crate) fn input_len(&self) -> usize {
        self.groups * self.shape.channels * self.shape.size[0] * self.shape.size[1]
    }

    /// Elements of an output channel.
    pub(crate) fn plane(&self) -> usize {
        self.shape.output[0] * self.shape.output[1]
    }

    /// What is laid out before the layer runs, if that is.
    pub(crate) fn planes(&self) -> Option<&Planes> {
        match &self.method {
            Method::Planes(planes) if !planes.is_identity() => Some(planes),
            _ => None,
        }
    }

    fn of(shape: ConvShape, groups: usize, after: [usize; 2]) -> Self {
        let ConvShape { channels, size, before, stride, kernel, .. } = shape;
        let is_plain = before == [0; 2] && after == [0; 2] && stride == [1; 2];
        let depthwise = Depthwise::new(&shape).filter(|_| groups > 1);
        let method = if kernel == [1; 2] && is_plain {
            Method::Line
        } else if let Some(depthwise) = depthwise {
            Method::Depthwise(depthwise)
        } else {
            let planes = Planes { channels: groups * channels, size, before, after, stride, row_align: 1 };
            let planes = planes.aligned_for(kernel);
            let grid = Grid::new(shape);
            let is_one_to_one = channels == 1 && groups > 1;
            if is_one_to_one || grid.cost() > Grid::cost_without(&shape, !planes.is_identity()) {
                Method::Planes(planes)
            } else {
                Method::Grid(grid)
            }
        };
        Self { shape, groups, method }
    }
}

/// A layer with weights, by the numbers of its parameters.
#[derive(Debug, Clone)]
pub(crate) struct LayerSpec {
    pub(crate) name: String,
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
    pub(crate) affine: Option<Affine>,
    pub(crate) relu: bool,
    pub(crate) conv: Option<Conv>,
    /// Whether only the next layer reads it, in the same step: see [`Kind::Expanded`].
    pub(crate) feeds_depthwise: bool,
    /// Whether it is the layer after such a one, which has its rows in memory.
    pub(crate) stays_in_memory: bool,
    /// Whether zeros in its input are likely: it reads the network's input or what leaves a ReLU.
    pub(crate) input_has_zeros: bool,
}

/// See the [module page](self).
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) buffers: Vec<Buffer>,
    /// All steps, in order.
    pub(crate) segments: Vec<Segment>,
    pub(crate) layers: Vec<LayerSpec>,
    pub(crate) affines: Vec<Affine>,
    /// One an input of the graph.
    pub(crate) inputs: Vec<BufferId>,
    /// One an output of the graph.
    pub(crate) outputs: Vec<BufferId>,
}

/// Writes a [`Program`].
struct Compiler<'g> {
    graph: &'g Graph,
    chain: Chain<'g>,
    program: Program,
    /// More images than one at once, so that vectors lie otherwise than images.
    is_batched: bool,
    /// For each value its buffer, once it is made.
    buffers: Vec<Option<BufferId>>,
    /// Whether nobody but its one consumer reads the buffer of a value.
    exclusive: Vec<bool>,
    /// Whether a value may hold many zeros.
    has_zeros: Vec<bool>,
    /// Nodes that another step does.
    done: Vec<bool>,
}

impl Program {
    /// Compiles a graph for up to `max_batch` images at once.
    ///
    /// Errors: every node that cannot be run, with the reason.
    pub(crate) fn compile(graph: &Graph, max_batch: usize) -> Result<Self, Vec<String>> {
        let n_values = graph.inputs().len() + graph.nodes().len();
        let mut compiler = Compiler {
            graph,
            chain: Chain::new(graph),
            program: Self::default(),
            is_batched: max_batch > 1,
            buffers: vec![None; n_values],
            exclusive: vec![false; n_values],
            has_zeros: vec![false; n_values],
            done: vec![false; graph.nodes().len()],
        };
        compiler.compile()?;
        compiler.program.cut(max_batch);
        Ok(compiler.program)
    }

    /// Cuts the steps into segments: those that work on images take a few at a time, so that what they write is in cache
    /// when the next step reads it, and so that only a few have a place in memory.
    fn cut(&mut self, max_batch: usize) {
        let Self { steps, buffers, segments, inputs, outputs, .. } = self;
        let used = |step: &Step| {
            let all: Vec<BufferId> =
                step.reads.iter().chain([&step.writes]).chain(&step.scratch).copied().collect();
            all
        };
        let by_image = |step: &Step| max_batch > 1 && used(step).iter().all(|&b| !buffers[b].is_vector);
        let mut start = 0;
        for part in steps.chunk_by(|a, b| by_image(a) == by_image(b)) {
            let floats = |step: &Step| used(step).iter().map(|&b| buffers[b].len).sum::<usize>();
            let most = part.iter().map(floats).max().unwrap_or(1).max(1);
            let n_images = if by_image(&part[0]) { (TURN_FLOATS / most).max(1) } else { usize::MAX };
            segments.push(Segment { steps: start..start + part.len(), n_images });
            start += part.len();
        }
        for segment in segments.iter().filter(|s| s.n_images < max_batch) {
            let (first, last) = (segment.steps.start, segment.steps.end - 1);
            for (b, buffer) in buffers.iter_mut().enumerate() {
                let is_inside = first <= buffer.first && buffer.last <= last;
                if is_inside && !inputs.contains(&b) && !outputs.contains(&b) {
                    buffer.n_images = segment.n_images;
                } else if buffer.first <= last && first <= buffer.last {
                    // The segment starts over for the next images.
                    (buffer.first, buffer.last) = (buffer.first.min(first), buffer.last.max(last));
                }
            }
        }
    }
}

/// Floats that the steps of a turn read and write at most, unless one image needs more: half of an L2.
const TURN_FLOATS: usize = 1 << 17;

impl Compiler<'_> {
    fn compile(&mut self) -> Result<(), Vec<String>> {
        for input in 0..self.graph.inputs().len() {
            let buffer = self.buffer_of(input);
            self.program.inputs.push(buffer);
            self.define(input, buffer, true);
            self.has_zeros[input] = true;
        }
        let mut problems = Vec::new();
        for node in 0..self.graph.nodes().len() {
            if !self.done[node]
                && let Err(problem) = self.node(node)
            {
                let Some(n) = self.graph.nodes().get(node) else { continue };
                problems.push(format!("node {:?} ({}): {problem}", n.name, n.op.name()));
                let value = self.graph.value_of(node);
                let buffer = self.buffer_of(value);
                self.define(value, buffer, false);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let end = self.program.steps.len();
        for &output in self.graph.outputs() {
            let buffer = self.source(output);
            self.program.buffers[buffer].last = end;
            self.program.outputs.push(buffer);
        }
        for &input in &self.program.inputs {
            self.program.buffers[input].first = 0;
        }
        Ok(())
    }

    /// A new buffer, as yet unused.
    fn buffer(&mut self, len: usize, is_vector: bool) -> BufferId {
        let at = self.program.steps.len();
        self.program.buffers.push(Buffer { len, first: at, last: at, is_vector, n_images: usize::MAX });
        self.program.buffers.len() - 1
    }

    fn define(&mut self, value: ValueId, buffer: BufferId, own: bool) {
        self.buffers[value] = Some(buffer);
        self.exclusive[value] = own && self.chain.has_one_reader(value);
    }

    /// A new buffer for a value.
    fn buffer_of(&mut self, value: ValueId) -> BufferId {
        let shape = self.graph.shape(value);
        self.buffer(shape.iter().product(), shape.len() == 1)
    }

    /// The buffer of an earlier value. Graphs list nodes in the order they run, so it is there.
    fn source(&self, value: ValueId) -> BufferId {
        self.buffers[value].unwrap_or(0)
    }

    /// Appends a step; returns what it writes.
    fn push(
        &mut self,
        name: &str,
        kind: Kind,
        reads: Vec<BufferId>,
        writes: BufferId,
        scratch: Option<BufferId>,
    ) {
        let at = self.program.steps.len();
        for &buffer in reads.iter().chain([&writes]).chain(&scratch) {
            self.program.buffers[buffer].last = at;
        }
        self.program.steps.push(Step { name: name.to_string(), kind, reads, writes, scratch });
    }

    fn node(&mut self, index: usize) -> Result<(), String> {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let value = graph.value_of(index);
        let x = node.inputs[0];
        let from = graph.shape(x).to_vec();
        let to = graph.shape(value).to_vec();
        let is_vector = from.len() == 1;
        match &node.op {
            Op::Linear { .. } | Op::Conv2d { .. } => self.layer(index),
            Op::MaxPool { kernel, stride, padding, .. } => {
                let window = pool_window(&from, &to, *kernel, *stride, *padding);
                self.fresh(index, Kind::MaxPool(window));
            }
            Op::AvgPool { kernel, stride, padding, count_include_pad, .. } => {
                let window = pool_window(&from, &to, *kernel, *stride, *padding);
                self.fresh(index, Kind::AvgPool(window, *count_include_pad));
            }
            Op::GlobalAvgPool => self.fresh(index, Kind::GlobalAvgPool),
            Op::BatchNorm { .. } | Op::ScaleBias => {
                let Some(affine) = self.chain.affine(index) else {
                    return Err("its parameters are missing".into());
                };
                self.program.affines.push(affine);
                let (last, relu) = self.chain.relu_after(value, &mut self.done);
                let kind = Kind::Affine {
                    affine: self.program.affines.len() - 1,
                    channels: from[0],
                    plane: from[1..].iter().product(),
                    is_vector,
                    relu,
                };
                self.in_place(&node.name, x, last, kind);
                self.has_zeros[last] = relu;
            }
            Op::Relu => {
                self.in_place(&node.name, x, value, Kind::Relu);
                self.has_zeros[value] = true;
            }
            Op::Sigmoid => self.in_place(&node.name, x, value, Kind::Sigmoid),
            Op::Tanh => self.in_place(&node.name, x, value, Kind::Tanh),
            Op::Softmax => {
                let inner = from[1..].iter().product();
                self.in_place(&node.name, x, value, Kind::Softmax { inner, is_vector });
            }
            Op::Add if graph.shape(node.inputs[1]) == from => self.add(index),
            Op::Add => self.pairwise(index, Pairwise::Add),
            Op::Mul => self.pairwise(index, Pairwise::Mul),
            Op::Sub => self.pairwise(index, Pairwise::Sub),
            Op::Div => self.pairwise(index, Pairwise::Div),
            Op::Prelu => {
                let Some(affine) = self.chain.affine(index) else {
                    return Err("its parameters are missing".into());
                };
                self.program.affines.push(affine);
                let affine = self.program.affines.len() - 1;
                let plane = from[1..].iter().product();
                let kind = Kind::Prelu { affine, channels: from[0], plane, is_vector };
                self.in_place(&node.name, x, value, kind);
            }
            Op::Transpose { .. } if is_vector => self.alias(index),
            Op::Concat => {
                let lengths = node.inputs.iter().map(|&v| graph.shape(v).iter().product()).collect();
                self.has_zeros[value] = node.inputs.iter().all(|&v| self.has_zeros[v]);
                self.fresh(index, Kind::Concat { lengths, is_vector });
            }
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } | Op::Identity => self.alias(index),
            Op::Slice { start, step, .. } => {
                let (start, step) = (start.clone(), step.clone());
                self.fresh(index, Kind::Slice { from, start, step, to, is_vector });
            }
            Op::Pad { before, .. } => {
                self.fresh(index, Kind::Pad { from, before: before.clone(), to, is_vector })
            }
            op => {
                if let Some(map) = Map::of(op) {
                    self.has_zeros[value] = map.makes_zeros();
                    self.in_place(&node.name, x, value, Kind::Map(map));
                } else if let Some(apart) = Apart::of(op, &from) {
                    self.fresh(index, Kind::Apart(apart));
                } else {
                    return Err("this loader does not know the operator".into());
                }
            }
        }
        Ok(())
    }

    /// A step of its own, into a buffer of its own.
    fn fresh(&mut self, index: usize, kind: Kind) {
        let node = &self.graph.nodes()[index];
        let value = self.graph.value_of(index);
        let reads: Vec<BufferId> = node.inputs.iter().map(|&v| self.source(v)).collect();
        let writes = self.buffer_of(value);
        if matches!(kind, Kind::MaxPool(_)) {
            self.has_zeros[value] = self.has_zeros[node.inputs[0]];
        }
        self.push(&node.name, kind, reads, writes, None);
        self.define(value, writes, true);
    }

    /// A step in place, on a copy if somebody else reads the value.
    fn in_place(&mut self, name: &str, x: ValueId, value: ValueId, kind: Kind) {
        let source = self.source(x);
        let buffer = if self.exclusive[x] { source } else { self.copy(name, source) };
        self.push(name, kind, vec![], buffer, None);
        self.define(value, buffer, true);
    }

    fn copy(&mut self, name: &str, source: BufferId) -> BufferId {
        let Buffer { len, is_vector, .. } = self.program.buffers[source];
        let buffer = self.buffer(len, is_vector);
        self.push(name, Kind::Copy, vec![source], buffer, None);
        buffer
    }

    fn add(&mut self, index: usize) {
        let node = &self.graph.nodes()[index];
        let (last, relu) = self.chain.relu_after(self.graph.value_of(index), &mut self.done);
        let first = node.inputs[0];
        let n_terms = node.inputs.len();
        let source = self.source(first);
        // Adding a value to itself reads it twice: then it is not exclusive.
        let buffer = if self.exclusive[first] { source } else { self.copy(&node.name, source) };
        for (i, &term) in node.inputs.iter().enumerate().skip(1) {
            let term = self.source(term);
            self.push(&node.name, Kind::Add { relu: relu && i + 1 == n_terms }, vec![term], buffer, None);
        }
        self.define(last, buffer, true);
        self.has_zeros[last] = relu;
    }

    /// One value into the other, which is copied first where somebody else reads it or it has to be repeated.
    fn pairwise(&mut self, index: usize, op: Pairwise) {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let value = graph.value_of(index);
        let (mut a, mut b) = (node.inputs[0], node.inputs[1]);
        let y = graph.shape(value).to_vec();
        let is_vector = y.len() == 1;
        let commutes = matches!(op, Pairwise::Add | Pairwise::Mul);
        if commutes && graph.shape(a) != y && graph.shape(b) == y {
            (a, b) = (b, a);
        }
        let (from_a, from_b) = (self.source(a), self.source(b));
        let step =
            |op, x: ValueId| Kind::Pairwise { op, x: graph.shape(x).to_vec(), y: y.clone(), is_vector };
        let buffer = if graph.shape(a) != y {
            let buffer = self.buffer_of(value);
            self.push(&node.name, step(Pairwise::Set, a), vec![from_a], buffer, None);
            buffer
        } else if self.exclusive[a] {
            from_a
        } else {
            self.copy(&node.name, from_a)
        };
        self.push(&node.name, step(op, b), vec![from_b], buffer, None);
        self.define(value, buffer, true);
    }

    /// The same elements under another shape.
    fn alias(&mut self, index: usize) {
        let node = &self.graph.nodes()[index];
        let (x, value) = (node.inputs[0], self.graph.value_of(index));
        let (from_vector, to_vector) = (self.graph.shape(x).len() == 1, self.graph.shape(value).len() == 1);
        self.has_zeros[value] = self.has_zeros[x];
        if self.is_batched && from_vector != to_vector {
            self.fresh(index, Kind::Turn { to_vector });
        } else {
            let own = self.exclusive[x];
            self.define(value, self.source(x), own);
        }
    }

    fn layer(&mut self, index: usize) {
        let graph = self.graph;
        let node = &graph.nodes()[index];
        let x = node.inputs[0];
        let (last, fused) = self.chain.epilogue_of(index, &mut self.done);
        let weight = self.chain.first_param(index);
        let (bias, conv) = match &node.op {
            Op::Conv2d { kernel, stride, padding, dilation, groups, bias, .. } => {
                let (from, to) = (graph.shape(x), graph.shape(graph.value_of(index)));
                let shape = ConvShape {
                    channels: from[0] / groups,
                    outputs: to[0] / groups,
                    size: [from[1], from[2]],
                    output: [to[1], to[2]],
                    kernel: pair(*kernel),
                    before: [padding.top, padding.left],
                    stride: pair(*stride),
                    dilation: pair(*dilation),
                };
                let conv = Conv::of(shape, *groups, [padding.bottom, padding.right]);
                (*bias, Some(conv))
            }
            Op::Linear { bias, .. } => (*bias, None),
            _ => (false, None),
        };
        let layer = self.program.layers.len();
        self.program.layers.push(LayerSpec {
            name: node.name.clone(),
            weight,
            bias: bias.then_some(weight + 1),
            affine: fused.affine,
            relu: fused.relu,
            conv,
            feeds_depthwise: false,
            stays_in_memory: false,
            input_has_zeros: self.has_zeros[x],
        });
        let source = self.source(x);
        let (kind, reads) = match conv {
            Some(conv) => match self.expanding(x, &conv) {
                Some((expand, from, reads)) => {
                    self.program.layers[expand].feeds_depthwise = true;
                    self.program.layers[layer].stays_in_memory = true;
                    (Kind::Expanded { expand, layer, convs: Box::new([from, conv]) }, reads)
                }
                None => (Kind::Conv { layer, conv }, vec![source]),
            },
            None => (Kind::Linear { layer }, vec![source]),
        };
        let writes = self.buffer_of(last);
        let planes = conv.and_then(|c| c.planes().map(Planes::len));
        let scratch = planes.map(|len| self.buffer(len, false));
        self.push(&node.name, kind, reads, writes, scratch);
        self.define(last, writes, true);
        self.has_zeros[last] = fused.relu;
    }

    /// Takes back the step that makes `x` if it is a convolution of one place that only this one reads, and each of its
    /// channels one channel: what is between them then needs no buffer.
    fn expanding(&mut self, x: ValueId, conv: &Conv) -> Option<(usize, Conv, Vec<BufferId>)> {
        let (source, exclusive) = (self.source(x), self.exclusive[x]);
        let before = self.program.steps.last().filter(|step| step.writes == source && exclusive)?;
        let Kind::Conv { layer, conv: from } = before.kind else { return None };
        let is_line = matches!(from.method, Method::Line) && from.groups == 1;
        let is_depthwise = matches!(conv.method, Method::Depthwise(_)) && conv.shape.outputs == 1;
        if !is_line || !is_depthwise {
            return None;
        }
        let step = self.program.steps.pop()?;
        let at = self.program.steps.len();
        self.program.buffers[source] = Buffer { len: 0, first: at, last: at, ..self.program.buffers[source] };
        Some((layer, from, step.reads))
    }
}

fn pair(p: Pair) -> [usize; 2] {
    [p.h, p.w]
}

fn pool_window(from: &[usize], to: &[usize], kernel: Pair, stride: Pair, padding: Padding) -> PoolWindow {
    PoolWindow {
        size: [from[1], from[2]],
        output: [to[1], to[2]],
        kernel: pair(kernel),
        stride: pair(stride),
        before: [padding.top, padding.left],
        after: [padding.bottom, padding.right],
    }
}

impl Kind {
    /// What it does, in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Conv { .. } | Self::Expanded { .. } => "conv2d",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool(..) => "avg_pool",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Affine { .. } => "scale_bias",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Softmax { .. } => "softmax",
            Self::Add { .. } => "add",
            Self::Copy => "copy",
            Self::Concat { .. } => "concat",
            Self::Slice { .. } => "slice",
            Self::Pad { .. } => "pad",
            Self::Turn { .. } => "turn",
            Self::Map(map) => map.name(),
            Self::Prelu { .. } => "prelu",
            Self::Pairwise { op: Pairwise::Add, .. } => "add",
            Self::Pairwise { op: Pairwise::Mul, .. } => "mul",
            Self::Pairwise { op: Pairwise::Sub, .. } => "sub",
            Self::Pairwise { op: Pairwise::Div, .. } => "div",
            Self::Pairwise { op: Pairwise::Set, .. } => "repeat",
            Self::Apart(apart) => apart.name(),
        }
    }
}
