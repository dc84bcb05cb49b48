//! Networks of framed images: convolutions with padding and strides, residual adds, pools.
//!
//! ```text
//! buffer 0 ──► conv ──► 1 ──► conv ──► 2 ──► conv + 1 ──► 3 ──► …  ──► pool ──► linear ──► scores
//!                       └───────────────────────┘ plus (through a map: strided, padded with zeros)
//! ```
//!
//! An add and a ReLU are part of the layer before them, so a residual block is two steps and two buffers. Linear layers
//! are convolutions whose kernel is as large as the image. All rows are computed, with connections or without.

use crate::{
    cells::Cells,
    conv::Conv,
    gradients::{Readers, Sums},
    lanes::{Cell, add, add_product, sum, zero},
    layer::{Geometry, Probe, SparseLayer},
    plane::{NOWHERE, Plane},
    windows::Windows,
};

/// What a step computes from its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    Weigh {
        layer: usize,
        conv: Conv,
        /// What is added: another buffer, and where each value is read; an empty map: the same places.
        plus: Option<(usize, Vec<u32>)>,
        has_relu: bool,
    },
    Pool(Windows),
}

/// A step: a buffer to read, the job, and what is first to write the gradients of what it reads.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) from: usize,
    pub(crate) job: Job,
    pub(crate) is_first: bool,
    pub(crate) plus_is_first: bool,
}

/// The steps of a network of framed images; step `i` writes buffer `i + 1`.
#[derive(Debug, Clone)]
pub(crate) struct Stages {
    pub(crate) stages: Vec<Stage>,
    /// The plane and the number of channels of each buffer.
    pub(crate) buffers: Vec<(Plane, usize)>,
    /// The cell of each input.
    pub(crate) input_at: Vec<u32>,
    /// The readers of each layer's input channels.
    readers: Vec<Readers>,
}

/// Memory of one pass over eight examples.
pub(crate) struct Room {
    pub(crate) values: Vec<Cells>,
    pub(crate) slopes: Vec<Cells>,
    sums: Vec<Sums>,
    all: Sums,
}

/// The gradients of a layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Gradient {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Room {
    pub(crate) fn new(stages: &Stages) -> Self {
        let buffers = || stages.buffers.iter().map(|(plane, n)| Cells::new(plane.len() * n)).collect();
        Self { values: buffers(), slopes: buffers(), sums: Vec::new(), all: Sums::default() }
    }

    pub(crate) fn scores(&self) -> &[Cell] {
        &self.values[self.values.len() - 1]
    }
}

impl Stages {
    pub(crate) fn new(stages: Vec<Stage>, buffers: Vec<(Plane, usize)>) -> Self {
        let (plane, channels) = buffers[0];
        let cells = (0..channels).flat_map(|c| plane.inside().map(move |at| (c * plane.len() + at) as u32));
        let input_at = cells.collect();
        let mut found = Self { stages, buffers, input_at, readers: Vec::new() };
        let mut is_written = vec![false; found.buffers.len()];
        for stage in found.stages.iter_mut().rev() {
            if let Job::Weigh { plus: Some((other, _)), .. } = &stage.job {
                stage.plus_is_first = !std::mem::replace(&mut is_written[*other], true);
            }
            stage.is_first = !std::mem::replace(&mut is_written[stage.from], true);
        }
        found
    }

    /// Recomputes what derives from the connections.
    pub(crate) fn refresh(&mut self, geometry: &[Geometry], layers: &[SparseLayer]) {
        self.readers = vec![Readers::default(); layers.len()];
        for stage in &self.stages {
            if let Job::Weigh { layer, conv, .. } = &stage.job {
                self.readers[*layer] = conv.readers(&layers[*layer], &geometry[*layer]);
            }
        }
    }

    /// From `room.values[0]` to the scores, in tiles of up to `T` cells.
    #[inline(always)]
    pub(crate) fn forward<const T: usize>(&self, layers: &[SparseLayer], room: &mut Room) {
        for (i, stage) in self.stages.iter().enumerate() {
            let (before, after) = room.values.split_at_mut(i + 1);
            let (x, y) = (&before[stage.from][..], &mut after[0][..]);
            match &stage.job {
                Job::Weigh { layer, conv, plus, has_relu } => {
                    let plus = plus.as_ref().map(|(other, map)| (&before[*other][..], &map[..]));
                    conv.forward::<T>(&layers[*layer], x, plus, *has_relu, y);
                }
                Job::Pool(windows) => windows.forward(x, y),
            }
        }
    }

    /// From the gradient of the scores, in the last of `room.slopes`, to those of weights and biases. `probes` also
    /// collects those of weights that are not connected.
    #[inline(always)]
    pub(crate) fn backward<const T: usize>(
        &self,
        geometry: &[Geometry],
        layers: &[SparseLayer],
        room: &mut Room,
        mut probes: Option<&mut [Probe]>,
    ) -> Vec<Gradient> {
        room.sums.resize_with(layers.len(), Sums::default);
        for (i, stage) in self.stages.iter().enumerate().rev() {
            let (before, after) = room.slopes.split_at_mut(i + 1);
            let dy = &mut after[0][..];
            let (x, y) = (&room.values[stage.from][..], &room.values[i + 1][..]);
            match &stage.job {
                Job::Weigh { layer: l, conv, plus, has_relu } => {
                    if *has_relu {
                        mask(dy, y);
                    }
                    if let Some((other, map)) = plus {
                        pass_on(conv, dy, map, &mut before[*other], stage.plus_is_first);
                    }
                    let (layer, sums) = (&layers[*l], &mut room.sums[*l]);
                    sums.clear(layer.len(), layer.rows());
                    conv.weight_gradient::<T>((&layer.starts, &layer.reads), x, dy, sums);
                    if let Some(probes) = &mut probes {
                        probe::<T>(conv, &geometry[*l], x, dy, &mut room.all, &mut probes[*l]);
                    }
                    if stage.from > 0 {
                        conv.input_gradient::<T>(
                            layer,
                            &self.readers[*l],
                            dy,
                            &mut before[stage.from],
                            stage.is_first,
                        );
                    }
                }
                Job::Pool(windows) => {
                    let dx = &mut before[stage.from][..];
                    if stage.is_first {
                        dx.fill(zero());
                    }
                    windows.backward((x, y), dx, dy);
                }
            }
        }
        let gradient =
            |s: &Sums| Gradient { weight: s.of_weights().collect(), bias: s.of_biases().collect() };
        room.sums.iter().map(gradient).collect()
    }

    /// Which rows of each layer are read by something that the scores depend on.
    pub(crate) fn rows_read(&self, geometry: &[Geometry], layers: &[SparseLayer]) -> Vec<Vec<bool>> {
        let mut is_read: Vec<Vec<bool>> = self.buffers.iter().map(|(_, n)| vec![false; *n]).collect();
        if let Some(last) = is_read.last_mut() {
            last.fill(true);
        }
        let mut rows = vec![Vec::new(); layers.len()];
        for (i, stage) in self.stages.iter().enumerate().rev() {
            let mine = is_read[i + 1].clone();
            match &stage.job {
                Job::Pool(_) => or(&mut is_read[stage.from], &mine),
                Job::Weigh { layer: l, conv, plus, .. } => {
                    let (layer, geometry) = (&layers[*l], &geometry[*l]);
                    for (row, &column) in layer.row_of().iter().zip(&layer.column) {
                        let channel = geometry.channel(*row as usize, column as usize);
                        is_read[stage.from][channel] |= mine[*row as usize];
                    }
                    match plus {
                        None => {}
                        Some((other, map)) if map.is_empty() => or(&mut is_read[*other], &mine),
                        Some((other, map)) => {
                            let (cells, plane) = (conv.y.height * conv.y.width, self.buffers[*other].0.len());
                            for (at, from) in map.iter().enumerate().filter(|(_, m)| **m != NOWHERE) {
                                is_read[*other][*from as usize / plane] |= mine[at / cells];
                            }
                        }
                    }
                    rows[*l] = mine;
                }
            }
        }
        rows
    }
}

fn or(to: &mut [bool], from: &[bool]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to |= from);
}

/// Gradients of results that a ReLU cut off are zero.
#[inline(always)]
fn mask(dy: &mut [Cell], y: &[Cell]) {
    for (dy, y) in dy.iter_mut().zip(y) {
        for (dy, y) in dy.as_flattened_mut().iter_mut().zip(y.as_flattened()) {
            *dy = if *y > 0.0 { *dy } else { 0.0 };
        }
    }
}

/// The gradient of what is added to a layer's result.
#[inline(always)]
fn pass_on(conv: &Conv, dy: &[Cell], map: &[u32], to: &mut [Cell], is_first: bool) {
    if map.is_empty() {
        if is_first {
            to.copy_from_slice(dy);
        } else {
            to.iter_mut().zip(dy).for_each(|(to, dy)| add(to, dy));
        }
        return;
    }
    if is_first {
        to.fill(zero());
    }
    for (dy, map) in dy.chunks_exact(conv.y.len()).zip(map.chunks_exact(conv.y.height * conv.y.width)) {
        for (at, &from) in conv.y.inside().zip(map) {
            if from != NOWHERE {
                add(&mut to[from as usize], &dy[at]);
            }
        }
    }
}

/// Adds the gradient of every weight, and the mean squares: of `x` by column, of `dy` by row.
#[inline(always)]
fn probe<const T: usize>(
    conv: &Conv,
    geometry: &Geometry,
    x: &[Cell],
    dy: &[Cell],
    sums: &mut Sums,
    found: &mut Probe,
) {
    let (rows, cols) = (geometry.rows(), geometry.cols());
    let starts: Vec<u32> = (0..=rows).map(|r| (r * cols) as u32).collect();
    sums.clear(rows * cols, rows);
    let places = (0..rows).flat_map(|row| (0..cols).map(move |column| (row, column)));
    let reads: Vec<u32> = places.map(|(row, column)| geometry.read(row, column)).collect();
    conv.weight_gradient::<T>((&starts, &reads), x, dy, sums);
    found.gradient.iter_mut().zip(sums.of_weights()).for_each(|(to, gradient)| *to += gradient);
    for (to, dy) in found.of_row.iter_mut().zip(dy.chunks_exact(conv.y.len())) {
        let mut acc = zero();
        dy.iter().for_each(|dy| add_product(&mut acc, dy, dy));
        *to += sum(&acc);
    }
    // A channel's, for all of its taps; the mean of all groups.
    let taps = conv.kernel.0 * conv.kernel.1;
    let whole = conv.x.height * conv.x.width == taps;
    for (channel, x) in x.chunks_exact(conv.x.len()).enumerate() {
        let mine = &mut found.of_column[channel % geometry.channels() * taps..][..taps];
        let mut acc = zero();
        if whole {
            for (to, at) in mine.iter_mut().zip(conv.x.inside()) {
                let mut acc = zero();
                add_product(&mut acc, &x[at], &x[at]);
                *to += sum(&acc) / geometry.groups as f32;
            }
            continue;
        }
        x.iter().for_each(|x| add_product(&mut acc, x, x));
        let share =
            (conv.y.height * conv.y.width) as f32 / (conv.x.height * conv.x.width * geometry.groups) as f32;
        mine.iter_mut().for_each(|to| *to += sum(&acc) * share);
    }
}
