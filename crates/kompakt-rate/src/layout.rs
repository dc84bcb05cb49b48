//! The steps and buffers of a network of framed images, from its graph.
//!
//! ```text
//! conv ─► relu                      one step
//! conv ─► add ─► relu               one step, with what is added
//! slice ─► slice ─► pad ─► add      a map: where each added value is read, or nowhere
//! ```

use crate::{
    conv::Conv,
    error::RateError,
    layer::Geometry,
    plane::{NOWHERE, Plane},
    residual::{Job, Stage, Stages},
    windows::Windows,
};
use kompakt_graph::{Graph, Node, Op, Padding, ValueId};

/// Whether a network needs framed images.
pub(crate) fn is_framed(graph: &Graph) -> bool {
    graph.nodes().iter().any(|node| {
        matches!(node.op, Op::Add | Op::AvgPool { .. } | Op::GlobalAvgPool)
            || matches!(node.op, Op::Conv2d { padding, groups, .. } if padding != Padding::default() || groups != 1)
    })
}

/// A value of the graph: a buffer, and if it is a part of it, the cell of each element.
#[derive(Clone)]
struct View {
    buffer: usize,
    map: Option<Vec<u32>>,
    /// Something else reads the buffer as it is.
    is_shared: bool,
}

/// The layout under way.
struct Layout<'a> {
    graph: &'a Graph,
    frame: usize,
    geometry: Vec<Geometry>,
    stages: Vec<Stage>,
    buffers: Vec<(Plane, usize)>,
    views: Vec<View>,
}

/// Lays a graph out. Errors: operators that are not supported.
pub(crate) fn stages(graph: &Graph) -> Result<(Vec<Geometry>, Stages), RateError> {
    let mut layout = Layout {
        graph,
        frame: frame(graph),
        geometry: Vec::new(),
        stages: Vec::new(),
        buffers: Vec::new(),
        views: vec![View { buffer: 0, map: None, is_shared: true }],
    };
    let last = graph.nodes().len();
    let node = &graph.nodes()[last - 1];
    if graph.inputs().len() != 1 || graph.outputs() != [last] {
        return Err(unsupported(node, "the graph has several inputs or outputs"));
    }
    layout.buffers.push(layout.room(graph.shape(0)));
    for node in graph.nodes() {
        let view = layout.node(node)?;
        layout.views.push(view);
    }
    let is_last = |view: &View| view.map.is_none() && view.buffer + 1 == layout.buffers.len();
    let ends = matches!(layout.stages.last(), Some(Stage { job: Job::Weigh { has_relu: false, .. }, .. }));
    if !ends
        || !layout.views.last().is_some_and(is_last)
        || layout.buffers[layout.buffers.len() - 1].0 != Plane::CELL
    {
        return Err(unsupported(node, "the last step is not a linear layer"));
    }
    let read = |buffer| layout.stages.iter().any(|s| s.from == buffer || plus_of(s) == Some(buffer));
    if let Some(lost) = (0..layout.buffers.len() - 1).find(|buffer| !read(*buffer)) {
        return Err(unsupported(node, &format!("nothing reads the result of step {lost}")));
    }
    Ok((layout.geometry, Stages::new(layout.stages, layout.buffers)))
}

fn plus_of(stage: &Stage) -> Option<usize> {
    match &stage.job {
        Job::Weigh { plus: Some((other, _)), .. } => Some(*other),
        Job::Weigh { plus: None, .. } | Job::Pool(_) => None,
    }
}

fn unsupported(node: &Node, problem: &str) -> RateError {
    RateError::Unsupported { node: node.name.clone(), op: node.op.name(), problem: problem.to_string() }
}

/// The frame around images: as wide as a window reaches out of them, forward or moved back.
fn frame(graph: &Graph) -> usize {
    let of = |node: &Node| {
        let Op::Conv2d { kernel, padding, .. } = &node.op else { return 0 };
        let most = padding.top.max(padding.left).max(padding.bottom).max(padding.right);
        most.max((kernel.h.max(kernel.w) - 1).saturating_sub(padding.top.min(padding.left)))
    };
    graph.nodes().iter().map(of).max().unwrap_or(0)
}

impl Layout<'_> {
    /// The plane and the channels of a value of some shape.
    fn room(&self, shape: &[usize]) -> (Plane, usize) {
        match *shape {
            [channels, height, width] if (height, width) != (1, 1) => {
                (Plane { height, width, frame: self.frame }, channels)
            }
            _ => (Plane::CELL, shape.iter().product()),
        }
    }

    fn node(&mut self, node: &Node) -> Result<View, RateError> {
        let no = |problem: &str| unsupported(node, problem);
        let mut view = self.views[node.inputs[0]].clone();
        view.is_shared |= self.graph.consumers(node.inputs[0]).count() > 1;
        let value = self.views.len();
        let shape = self.graph.shape(node.inputs[0]).to_vec();
        let after = self.graph.shape(value).to_vec();
        let whole =
            || if view.map.is_some() { Err(no("it reads a part of an image")) } else { Ok(view.buffer) };
        match &node.op {
            Op::Flatten | Op::Dropout { .. } | Op::Identity => Ok(view),
            Op::Relu => {
                match self.stages.get_mut(whole()?.wrapping_sub(1)).map(|stage| &mut stage.job) {
                    Some(Job::Weigh { has_relu, .. }) if !view.is_shared => *has_relu = true,
                    _ => return Err(no("it does not follow a layer or an add directly")),
                }
                Ok(view)
            }
            Op::Linear { out_features, bias: true } => {
                let from = whole()?;
                let (x, channels) = self.buffers[from];
                let conv = Conv::new(x, Plane::CELL, (x.height, x.width), (1, 1), 0);
                let image = if x == Plane::CELL { (1, 1) } else { (x.height, x.width) };
                self.weigh(
                    node,
                    from,
                    conv,
                    vec![*out_features, shape.iter().product()],
                    (channels, image),
                    1,
                );
                Ok(self.push(Plane::CELL, *out_features))
            }
            Op::Conv2d { kernel, stride, padding, dilation, groups, bias: true, .. }
                if (dilation.h, dilation.w) == (1, 1) && padding.top == padding.left =>
            {
                let from = whole()?;
                let ((x, channels), (y, rows)) = (self.buffers[from], self.room(&after));
                if x.frame < padding.top {
                    return Err(no("it pads a single cell"));
                }
                let conv = Conv::new(x, y, (kernel.h, kernel.w), (stride.h, stride.w), padding.top);
                let channels = channels / groups;
                let shape = vec![rows, channels, kernel.h, kernel.w];
                self.weigh(node, from, conv, shape, (channels, (kernel.h, kernel.w)), *groups);
                Ok(self.push(y, rows))
            }
            Op::Add => self.add(node),
            Op::Slice { start, step, .. } => Ok(View {
                map: Some(self.moved(&view, &shape, &after, |at| {
                    Some(
                        at.iter()
                            .zip(start.iter().zip(step))
                            .map(|(at, (start, step))| start + at * step)
                            .collect(),
                    )
                })),
                ..view
            }),
            Op::Pad { before, .. } => Ok(View {
                map: Some(self.moved(&view, &shape, &after, |at| {
                    let from = at.iter().zip(before).map(|(at, before)| at.checked_sub(*before));
                    from.zip(&shape).map(|(at, n)| at.filter(|at| at < n)).collect()
                })),
                ..view
            }),
            Op::GlobalAvgPool => self.pool(node, (shape[1], shape[2]), (1, 1), true),
            Op::AvgPool { kernel, stride, padding, ceil_mode: false, .. }
                if *padding == Padding::default() =>
            {
                self.pool(node, (kernel.h, kernel.w), (stride.h, stride.w), true)
            }
            Op::MaxPool { kernel, stride, padding, ceil_mode: false } if *padding == Padding::default() => {
                self.pool(node, (kernel.h, kernel.w), (stride.h, stride.w), false)
            }
            _ => Err(no("this one is not known")),
        }
    }

    /// The buffer of a new step's result.
    fn push(&mut self, plane: Plane, channels: usize) -> View {
        self.buffers.push((plane, channels));
        View { buffer: self.buffers.len() - 1, map: None, is_shared: false }
    }

    fn weigh(
        &mut self,
        node: &Node,
        from: usize,
        conv: Conv,
        shape: Vec<usize>,
        (channels, grid): (usize, (usize, usize)),
        groups: usize,
    ) {
        let (plane, taps): (usize, Vec<usize>) = (conv.x.len(), conv.taps().collect());
        let tap = (0..channels).flat_map(|c| taps.iter().map(move |tap| (c * plane + tap) as u32)).collect();
        let name = node.name.clone();
        let apart = (channels * plane) as u32;
        self.geometry.push(Geometry { name, shape, tap, base: vec![0], grid, groups, apart });
        let job = Job::Weigh { layer: self.geometry.len() - 1, conv, plus: None, has_relu: false };
        self.stages.push(Stage { from, job, is_first: false, plus_is_first: false });
    }

    fn pool(
        &mut self,
        node: &Node,
        kernel: (usize, usize),
        stride: (usize, usize),
        is_mean: bool,
    ) -> Result<View, RateError> {
        let View { buffer: from, map: None, .. } = self.views[node.inputs[0]] else {
            return Err(unsupported(node, "it reads a part of an image"));
        };
        let (y, channels) = self.room(self.graph.shape(self.views.len()));
        let job = Job::Pool(Windows::new(self.buffers[from].0, y, kernel, stride, is_mean));
        self.stages.push(Stage { from, job, is_first: false, plus_is_first: false });
        Ok(self.push(y, channels))
    }

    /// An add becomes a part of the later one of the layers that it adds.
    fn add(&mut self, node: &Node) -> Result<View, RateError> {
        let no = |problem: &str| Err(unsupported(node, problem));
        let &[a, b] = &node.inputs[..] else { return no("it adds more than two values") };
        let shapes = [a, b].map(|value: ValueId| self.graph.shape(value));
        if shapes[0] != shapes[1] {
            return no("it adds values of different shapes");
        }
        let (late, other) = if self.views[a].buffer >= self.views[b].buffer { (a, b) } else { (b, a) };
        let (View { buffer, map, is_shared }, other) = (self.views[late].clone(), self.views[other].clone());
        let alone = !is_shared && self.graph.consumers(late).count() == 1;
        match self.stages.get_mut(buffer.wrapping_sub(1)).map(|stage| &mut stage.job) {
            Some(Job::Weigh { plus: plus @ None, has_relu: false, .. })
                if alone && map.is_none() && other.buffer < buffer =>
            {
                *plus = Some((other.buffer, other.map.unwrap_or_default()));
                Ok(View { buffer, map: None, is_shared: false })
            }
            _ => no("neither of what it adds comes from a layer that nothing else reads"),
        }
    }

    /// The map of a view whose element at each place is that of `view` at `from(place)`.
    fn moved(
        &self,
        view: &View,
        before: &[usize],
        after: &[usize],
        from: impl Fn(&[usize]) -> Option<Vec<usize>>,
    ) -> Vec<u32> {
        let (plane, _) = self.buffers[view.buffer];
        let cell = |element: usize| match &view.map {
            Some(map) => map[element],
            None => {
                let cells = plane.height * plane.width;
                let (channel, at) = (element / cells, element % cells);
                (channel * plane.len() + plane.at(at / plane.width, at % plane.width)) as u32
            }
        };
        let mut at = vec![0; after.len()];
        (0..after.iter().product())
            .map(|mut element: usize| {
                for (at, n) in at.iter_mut().zip(after).rev() {
                    (*at, element) = (element % n, element / n);
                }
                from(&at)
                    .map_or(NOWHERE, |at| cell(at.iter().zip(before).fold(0, |sum, (at, n)| sum * n + at)))
            })
            .collect()
    }
}
