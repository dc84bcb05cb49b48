//! A chain of layers that runs forward and backward for a block of examples.
//!
//! ```text
//! input ──► weigh ──(relu)──► pool ──► weigh ──(relu)──► weigh ──► scores
//! ```
//!
//! Networks with padding, groups, adds or average pools run by [`Stages`] instead.

use crate::{
    blocks::Blocks,
    error::RateError,
    lanes::{Lanes, zero},
    layer::{Geometry, Probe, SparseLayer, clear},
    layout,
    residual::Stages,
};
use kompakt_graph::{Graph, Op, Padding};
use kompakt_model::{Block, Model};

/// The operation of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Layer of that index.
    Weigh(usize),
    /// Max pool: for every output of one channel, where its window begins; the window's offsets from there;
    /// values per channel of its input.
    Pool { base: Vec<u32>, window: Vec<u32>, plane: usize },
}

/// A step of the chain.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    /// Negative results become 0.
    pub(crate) relu: bool,
    pub(crate) n_out: usize,
    /// The layer whose rows the outputs belong to, and how many outputs a row has.
    pub(crate) layer: usize,
    pub(crate) per_row: usize,
}

/// A network whose connections can change.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    pub(crate) geometry: Vec<Geometry>,
    pub(crate) layers: Vec<SparseLayer>,
    /// The steps of a chain.
    pub(crate) steps: Vec<Step>,
    /// Those of a network of framed images, which is no chain.
    pub(crate) stages: Option<Stages>,
    pub(crate) n_inputs: usize,
    /// What lives and dies together.
    pub(crate) block: Block,
}

/// Memory of one pass over `8 K` examples.
pub(crate) struct Work<const K: usize> {
    /// The input, then the output of each step.
    pub(crate) values: Vec<Vec<Lanes<K>>>,
    /// Gradients of the same.
    pub(crate) slopes: Vec<Vec<Lanes<K>>>,
    /// Softened probabilities of the network, and of its teacher.
    pub(crate) soft: Vec<Lanes<K>>,
    pub(crate) teacher: Vec<Lanes<K>>,
}

impl<const K: usize> Work<K> {
    pub(crate) fn new(net: &Net) -> Self {
        let sizes = || std::iter::once(net.n_inputs).chain(net.steps.iter().map(|s| s.n_out));
        Self {
            values: sizes().map(|n| vec![zero(); n]).collect(),
            slopes: sizes().map(|n| vec![zero(); n]).collect(),
            soft: vec![zero(); net.n_classes()],
            teacher: vec![zero(); net.n_classes()],
        }
    }

    /// The scores of each class.
    pub(crate) fn scores(&self) -> &[Lanes<K>] {
        &self.values[self.values.len() - 1]
    }
}

impl Net {
    /// The network of a model, with the connections that its masks and zeros leave.
    ///
    /// Errors: operators that this stage does not support.
    pub(crate) fn of_model(model: &Model) -> Result<Self, RateError> {
        let (geometry, steps, stages) = if layout::is_framed(&model.graph) {
            let (geometry, stages) = layout::stages(&model.graph)?;
            (geometry, Vec::new(), Some(stages))
        } else {
            let (geometry, steps) = chain(&model.graph)?;
            (geometry, steps, None)
        };
        let values = |name: String| model.parameters.get(&name).map(kompakt_model::Parameter::to_f32);
        let layers = geometry.iter().map(|g| {
            let weights = values(format!("{}.weight", g.name)).unwrap_or_default();
            let bias = values(format!("{}.bias", g.name)).unwrap_or_else(|| vec![0.0; g.rows()]);
            SparseLayer::new(g, &weights, bias)
        });
        let layers = layers.collect();
        let n_inputs = model.graph.inputs()[0].shape.iter().product();
        let mut net = Self { geometry, layers, steps, stages, n_inputs, block: Block::SINGLE };
        net.refresh();
        Ok(net)
    }

    /// Recomputes what derives from the connections.
    pub(crate) fn refresh(&mut self) {
        let last = self.layers.len() - 1;
        // A unit that says the same for all inputs stays where a block reads it.
        let stay = self.stages.is_some() || !self.block.is_single();
        for (i, (layer, geometry)) in self.layers.iter_mut().zip(&self.geometry).enumerate() {
            layer.refresh(geometry, i == last || stay);
        }
        if let Some(stages) = &mut self.stages {
            stages.refresh(&self.geometry, &self.layers);
        }
    }

    pub(crate) fn n_connections(&self) -> usize {
        self.layers.iter().map(SparseLayer::len).sum()
    }

    pub(crate) fn n_blocks(&self) -> usize {
        let of = |(geometry, layer): (&Geometry, &SparseLayer)| {
            let blocks = Blocks::of(self.block, geometry);
            layer.column.iter().filter(|&&column| blocks.is_first(column as usize)).count()
        };
        self.geometry.iter().zip(&self.layers).map(of).sum()
    }

    pub(crate) fn n_classes(&self) -> usize {
        self.layers[self.layers.len() - 1].rows()
    }

    pub(crate) fn is_convolutional(&self) -> bool {
        self.geometry.iter().any(|g| g.base.len() > 1)
    }

    /// Which inputs are used.
    pub(crate) fn inputs_read(&self) -> Vec<u32> {
        let mut is_read = vec![false; self.n_inputs];
        for base in &self.geometry[0].base {
            self.layers[0].reads.iter().for_each(|read| is_read[(base + read) as usize] = true);
        }
        (0..self.n_inputs as u32).filter(|&i| is_read[i as usize]).collect()
    }

    /// From `work.values[0]` to the scores.
    #[inline(always)]
    pub(crate) fn forward<const K: usize>(&self, work: &mut Work<K>) {
        for (i, step) in self.steps.iter().enumerate() {
            let (before, after) = work.values.split_at_mut(i + 1);
            let (x, y) = (&before[i][..], &mut after[0][..]);
            let live = &self.layers[step.layer].live;
            match &step.kind {
                Kind::Weigh(layer) => self.layers[*layer].forward(&self.geometry[*layer].base, x, y),
                Kind::Pool { base, window, plane } => pool(live, base, window, *plane, x, y),
            }
            if step.relu {
                for &row in live {
                    for y in &mut y[row as usize * step.per_row..][..step.per_row] {
                        for y in y.iter_mut() {
                            for y in y.iter_mut() {
                                *y = y.max(0.0);
                            }
                        }
                    }
                }
            }
        }
    }

    /// From the gradient of the scores, in the last of `work.slopes`, to those of weights and biases. `probes` also
    /// collects those of weights that are not connected.
    #[inline(always)]
    pub(crate) fn backward<const K: usize>(&mut self, work: &mut Work<K>, mut probes: Option<&mut [Probe]>) {
        for (i, step) in self.steps.iter().enumerate().rev() {
            let (before, after) = work.slopes.split_at_mut(i + 1);
            let (dx, dy) = (&mut before[i][..], &mut after[0][..]);
            let (x, y) = (&work.values[i][..], &work.values[i + 1][..]);
            if step.relu {
                for &row in &self.layers[step.layer].live {
                    let span = row as usize * step.per_row..(row as usize + 1) * step.per_row;
                    for (dy, y) in dy[span.clone()].iter_mut().zip(&y[span]) {
                        for (dy, y) in dy.iter_mut().zip(y) {
                            for (dy, y) in dy.iter_mut().zip(y) {
                                *dy = if *y > 0.0 { *dy } else { 0.0 };
                            }
                        }
                    }
                }
            }
            if i > 0 {
                let from = &self.steps[i - 1];
                clear(&self.layers[from.layer].live, from.per_row, dx);
            }
            match &step.kind {
                Kind::Weigh(layer) => {
                    let geometry = &self.geometry[*layer];
                    if let Some(probes) = &mut probes {
                        self.layers[*layer].probe(geometry, x, dy, &mut probes[*layer]);
                    }
                    let dx = (i > 0).then_some(dx);
                    self.layers[*layer].backward(&geometry.base, x, dy, dx);
                }
                Kind::Pool { base, window, plane } => {
                    pool_back(&self.layers[step.layer].live, base, window, *plane, (x, y), dx, dy);
                }
            }
        }
    }
}

/// [`Net::forward`] as work for [`crate::lanes::vectorized`].
pub(crate) struct Forward<'a, const K: usize> {
    pub(crate) net: &'a Net,
    pub(crate) work: &'a mut Work<K>,
}

impl<const K: usize> pulp::NullaryFnOnce for Forward<'_, K> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        self.net.forward(self.work);
    }
}

/// The maximum of each window.
#[inline(always)]
fn pool<const K: usize>(
    live: &[u32],
    base: &[u32],
    window: &[u32],
    plane: usize,
    x: &[Lanes<K>],
    y: &mut [Lanes<K>],
) {
    for &channel in live {
        let x = &x[channel as usize * plane..][..plane];
        for (y, &base) in y[channel as usize * base.len()..].iter_mut().zip(base) {
            let mut most = x[(base + window[0]) as usize];
            for &w in &window[1..] {
                for (most, x) in most.iter_mut().zip(&x[(base + w) as usize]) {
                    for (most, x) in most.iter_mut().zip(x) {
                        *most = most.max(*x);
                    }
                }
            }
            *y = most;
        }
    }
}

/// Gradients go to the maximum of each window; the first on a tie.
#[inline(always)]
fn pool_back<const K: usize>(
    live: &[u32],
    base: &[u32],
    window: &[u32],
    plane: usize,
    (x, y): (&[Lanes<K>], &[Lanes<K>]),
    dx: &mut [Lanes<K>],
    dy: &[Lanes<K>],
) {
    for &channel in live {
        let span = channel as usize * plane..(channel as usize + 1) * plane;
        let (x, dx) = (&x[span.clone()], &mut dx[span]);
        let out = channel as usize * base.len()..(channel as usize + 1) * base.len();
        for ((y, dy), &base) in y[out.clone()].iter().zip(&dy[out]).zip(base) {
            let (most, mut left) = (*y, *dy);
            for &w in window {
                let at = (base + w) as usize;
                let (here, mut sum) = (x[at], dx[at]);
                for k in 0..K {
                    for l in 0..8 {
                        // Bit patterns are equivalent to values here, and compare without branches.
                        let is_it = here[k][l].to_bits() == most[k][l].to_bits();
                        let mask = if is_it { u32::MAX } else { 0 };
                        sum[k][l] += f32::from_bits(left[k][l].to_bits() & mask);
                        left[k][l] = f32::from_bits(left[k][l].to_bits() & !mask);
                    }
                }
                dx[at] = sum;
            }
        }
    }
}

/// Checks that a graph is a chain that this stage supports, and lays it out.
fn chain(graph: &Graph) -> Result<(Vec<Geometry>, Vec<Step>), RateError> {
    let (mut geometry, mut steps) = (Vec::<Geometry>::new(), Vec::<Step>::new());
    let last = graph.inputs().len() + graph.nodes().len() - 1;
    if graph.inputs().len() != 1 || graph.outputs() != [last] {
        let node = &graph.nodes()[0];
        let problem = "the graph has several inputs or outputs".to_string();
        return Err(RateError::Unsupported { node: node.name.clone(), op: node.op.name(), problem });
    }
    for (index, node) in graph.nodes().iter().enumerate() {
        let no = |problem: &str| RateError::Unsupported {
            node: node.name.clone(),
            op: node.op.name(),
            problem: problem.to_string(),
        };
        if node.inputs != [index] {
            return Err(no("it does not work on the value before it alone"));
        }
        let (before, after) = (graph.shape(index), graph.shape(index + 1));
        let n_out = after.iter().product();
        let kind = match &node.op {
            Op::Flatten | Op::Dropout { .. } | Op::Identity => continue,
            Op::Relu => match steps.last_mut() {
                Some(step) => {
                    step.relu = true;
                    continue;
                }
                None => return Err(no("there is no layer before it")),
            },
            Op::Linear { out_features, bias: true } => {
                geometry.push(Geometry {
                    name: node.name.clone(),
                    shape: vec![*out_features, before[0]],
                    tap: (0..before[0] as u32).collect(),
                    base: vec![0],
                    grid: graph.channel_source(index, index).image.unwrap_or((1, 1)),
                    groups: 1,
                    apart: 0,
                });
                Kind::Weigh(geometry.len() - 1)
            }
            Op::Conv2d { kernel, stride, padding, dilation, groups: 1, bias: true, .. }
                if *padding == Padding::default() && (dilation.h, dilation.w) == (1, 1) =>
            {
                let (c, h, w) = (before[0], before[1], before[2]);
                geometry.push(Geometry {
                    name: node.name.clone(),
                    shape: vec![after[0], c, kernel.h, kernel.w],
                    tap: places(c, kernel.h, kernel.w, h * w, w, 1),
                    base: places(1, after[1], after[2], 0, stride.h * w, stride.w),
                    grid: (kernel.h, kernel.w),
                    groups: 1,
                    apart: 0,
                });
                Kind::Weigh(geometry.len() - 1)
            }
            Op::MaxPool { kernel, stride, padding, ceil_mode: false }
                if *padding == Padding::default() && !geometry.is_empty() =>
            {
                let (h, w) = (before[1], before[2]);
                Kind::Pool {
                    base: places(1, after[1], after[2], 0, stride.h * w, stride.w),
                    window: places(1, kernel.h, kernel.w, 0, w, 1),
                    plane: h * w,
                }
            }
            _ => return Err(no("this one is not known")),
        };
        let layer = geometry.len() - 1;
        steps.push(Step { kind, relu: false, n_out, layer, per_row: n_out / geometry[layer].rows() });
    }
    match steps.last() {
        Some(Step { kind: Kind::Weigh(_), relu: false, per_row: 1, .. }) => Ok((geometry, steps)),
        _ => {
            let node = &graph.nodes()[graph.nodes().len() - 1];
            let problem = "the last step is not a linear layer".to_string();
            Err(RateError::Unsupported { node: node.name.clone(), op: node.op.name(), problem })
        }
    }
}

/// Offsets of the values of `n` planes of `h` by `w`, with the strides of planes, rows and columns.
fn places(n: usize, h: usize, w: usize, plane: usize, row: usize, column: usize) -> Vec<u32> {
    let cells = |p| (0..h).flat_map(move |r| (0..w).map(move |c| (p * plane + r * row + c * column) as u32));
    (0..n).flat_map(cells).collect()
}
