//! `Resize` and its predecessor `Upsample`.
//!
//! Nearest neighbours are indices, so each direction becomes a gather; linear interpolation becomes a resize
//! with the position of every pixel as `i step + offset`; any other is a matrix per direction
//! ([`resample`](super::resample)).

use super::{Act, Call, Lowering};
use crate::onnx::{fold, rules, tensor::Tensor};
use kompakt_graph::{Op, Pair};

/// The most pixels along one direction.
const MAX_PIXELS: usize = 1 << 16;

/// One direction: pixels before and after, and the scale in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) scale: f64,
    /// The part of the input that is resized, as fractions of its extent: for `tf_crop_and_resize`.
    region: [f32; 2],
}

impl Direction {
    fn new(from: usize, to: usize, scale: f64) -> Self {
        Self { from, to, scale, region: [0.0, 1.0] }
    }
}

impl Direction {
    /// Pixel `i` of the result is at `i step + offset` in the input.
    fn line(self, mode: &str) -> Result<(f64, f64), String> {
        let (n, m) = (self.from as f64, self.to as f64);
        let step = 1.0 / self.scale;
        Ok(match mode {
            "half_pixel" => (step, 0.5 * step - 0.5),
            "pytorch_half_pixel" if self.to == 1 => (step, 0.0),
            "pytorch_half_pixel" => (step, 0.5 * step - 0.5),
            "half_pixel_symmetric" => {
                let adjusted = m / (n * self.scale);
                (step, n / 2.0 * (1.0 - adjusted) + 0.5 * step - 0.5)
            }
            "align_corners" if self.to == 1 => (0.0, 0.0),
            "align_corners" => ((n - 1.0) / (m - 1.0), 0.0),
            "asymmetric" => (step, 0.0),
            "tf_crop_and_resize" => {
                let [start, end] = self.region.map(f64::from);
                match self.to {
                    1 => (0.0, 0.5 * (start + end) * (n - 1.0)),
                    _ => ((end - start) * (n - 1.0) / (m - 1.0), start * (n - 1.0)),
                }
            }
            other => return Err(format!("coordinates {other:?}")),
        })
    }
}

impl Direction {
    fn is_region(self) -> bool {
        self.region != [0.0, 1.0]
    }

    /// Whether this direction is unchanged.
    pub(super) fn is_same(self) -> bool {
        self.from == self.to && !self.is_region()
    }

    /// The position of the result's pixel `i` in the input, in the arithmetic of ONNX Runtime: single
    /// precision, in this order. It decides which neighbour is nearest where two are equally near.
    pub(super) fn place(self, i: usize, mode: &str) -> Result<f32, String> {
        let (i, n, m, scale) = (i as f32, self.from as f32, self.to as f32, self.scale as f32);
        Ok(match mode {
            "half_pixel" => (i + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if self.to == 1 => 0.0,
            "pytorch_half_pixel" => (i + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let adjusted = m / (scale * n);
                n / 2.0 * (1.0 - adjusted) + (i + 0.5) / scale - 0.5
            }
            "align_corners" if self.to == 1 => 0.0,
            "align_corners" => i * (n - 1.0) / (m - 1.0),
            "asymmetric" => i / scale,
            "tf_crop_and_resize" => {
                let [start, end] = self.region;
                match self.to {
                    1 => 0.5 * (start + end) * (n - 1.0),
                    _ => start * (n - 1.0) + (i * (end - start) * (n - 1.0)) / (m - 1.0),
                }
            }
            other => return Err(format!("coordinates {other:?}")),
        })
    }
}

/// Whether at most the last two dimensions, height and width, change.
fn are_images(directions: &[Direction]) -> bool {
    directions.len() > 2 && directions[1..directions.len() - 2].iter().all(|d| d.is_same())
}

impl Lowering<'_> {
    pub(super) fn resize(&mut self, call: &Call<'_>) -> Result<Act, String> {
        let x = call.act(0)?.clone();
        let node = call.node;
        let is_old = node.op_type == "Upsample" || self.opset < 11;
        let directions = self.directions(call, &x.dims, is_old)?;
        // Where the batch is open, exporters write the one they traced with.
        if (directions[0].from != directions[0].to && !self.batch_is_open) || directions[0].is_region() {
            return Err("it resizes the batch".into());
        }
        let coordinates = match node.text("coordinate_transformation_mode") {
            _ if is_old => "asymmetric",
            "" => "half_pixel",
            mode => mode,
        };
        let y = match node.text("mode") {
            "" | "nearest" => {
                let rounding = match node.text("nearest_mode") {
                    _ if is_old => "floor",
                    "" => "round_prefer_floor",
                    mode => mode,
                };
                self.nearest(call, &x, &directions, coordinates, rounding)?
            }
            "cubic" => self.resampled(call, &x, &directions, coordinates)?,
            "linear" | "bilinear" if node.int("antialias", 0) != 0 || !are_images(&directions) => {
                self.resampled(call, &x, &directions, coordinates)?
            }
            "linear" | "bilinear" => self.linear(call, &x, &directions, coordinates)?,
            other => return Err(format!("mode {other:?}")),
        };
        match coordinates {
            "tf_crop_and_resize" => self.with_outside(call, &y, &directions),
            _ => Ok(y),
        }
    }

    /// Fills positions outside the image with a constant.
    fn with_outside(&mut self, call: &Call<'_>, y: &Act, directions: &[Direction]) -> Result<Act, String> {
        let value = call.node.float("extrapolation_value", 0.0);
        let (mut y, n_parameters) = (y.clone(), self.n_parameters);
        for (axis, direction) in directions.iter().enumerate().filter(|(_, d)| d.is_region()) {
            self.ask(direction.to)?;
            let inside = |i| {
                let at = direction.place(i, "tf_crop_and_resize")?;
                Ok(if at >= 0.0 && at <= (direction.from - 1) as f32 { 1.0 } else { 0.0 })
            };
            let inside = (0..direction.to).map(inside).collect::<Result<Vec<f32>, String>>()?;
            if inside.contains(&0.0) {
                let mut dims = vec![1; directions.len()];
                dims[axis] = direction.to;
                let outside = inside.iter().map(|v| (1.0 - v) * value).collect();
                y = self.with_constant(call, "Mul", &y, &Tensor::floats(dims.clone(), inside))?;
                y = self.with_constant(call, "Add", &y, &Tensor::floats(dims, outside))?;
            }
        }
        // Not weights of the original network.
        self.n_parameters = n_parameters;
        Ok(y)
    }

    /// Sizes and scales of every dimension.
    fn directions(&self, call: &Call<'_>, dims: &[usize], is_old: bool) -> Result<Vec<Direction>, String> {
        let rank = dims.len();
        // In the given order: sizes and scales go with them.
        let axes = match call.node.ints("axes") {
            None => (0..rank).collect(),
            Some(list) => list.iter().map(|&a| rules::axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        };
        let mut all: Vec<Direction> = dims.iter().map(|&d| Direction::new(d, d, 1.0)).collect();
        let filled = |index| -> Result<_, String> { Ok(call.constant(index)?.filter(|t| t.len() > 0)) };
        let listed = call.node.attribute("scales").map(|a| a.floats.clone()).filter(|s| !s.is_empty());
        let scales = match listed {
            Some(scales) => Some(scales),
            None => filled(if is_old { 1 } else { 2 })?.map(|t| t.to_floats()),
        };
        let sizes = if is_old { None } else { filled(3)? };
        match (scales, sizes) {
            (_, Some(sizes)) => {
                let sizes = fold::sizes(sizes)?;
                if sizes.len() != axes.len() {
                    return Err("not one size a dimension".into());
                }
                let scale = |(&axis, &to): (&usize, &usize)| to as f32 / dims[axis] as f32;
                let scales = axes.iter().zip(&sizes).map(scale);
                let kept = match call.node.text("keep_aspect_ratio_policy") {
                    "" | "stretch" => None,
                    "not_larger" => scales.reduce(f32::min),
                    "not_smaller" => scales.reduce(f32::max),
                    other => return Err(format!("a policy of aspect ratios {other:?}")),
                };
                for (&axis, &to) in axes.iter().zip(&sizes) {
                    let from = dims[axis];
                    all[axis] = match kept {
                        None => Direction::new(from, to, to as f64 / from as f64),
                        Some(scale) => {
                            Direction::new(from, (scale * from as f32).round() as usize, f64::from(scale))
                        }
                    };
                }
            }
            (Some(scales), None) => {
                if scales.len() != axes.len() || scales.iter().any(|s| !(*s > 0.0 && *s < 65536.0)) {
                    return Err(format!("scales are {scales:?}"));
                }
                for (&axis, &scale) in axes.iter().zip(&scales) {
                    let (from, scale) = (dims[axis], f64::from(scale));
                    all[axis] = Direction::new(from, (from as f64 * scale).floor() as usize, scale);
                }
            }
            (None, None) => return Err("neither scales nor sizes are constant".into()),
        }
        if let ("tf_crop_and_resize", Some(regions)) =
            (call.node.text("coordinate_transformation_mode"), filled(1)?)
        {
            let regions = regions.to_floats();
            if regions.len() != 2 * axes.len() || regions.iter().any(|v| v.is_nan() || v.abs() > 65536.0) {
                return Err(format!("regions are {regions:?}"));
            }
            for (i, &axis) in axes.iter().enumerate() {
                all[axis].region = [regions[i], regions[i + axes.len()]];
            }
        }
        match all.iter().skip(1).find(|d| d.to == 0 || (d.to != d.from && d.to > MAX_PIXELS)) {
            Some(d) => Err(format!("{} pixels become {}", d.from, d.to)),
            None => Ok(all),
        }
    }

    fn nearest(
        &mut self,
        call: &Call<'_>,
        x: &Act,
        directions: &[Direction],
        coordinates: &str,
        rounding: &str,
    ) -> Result<Act, String> {
        let mut value = x.value;
        for (axis, direction) in directions.iter().enumerate().skip(1) {
            if direction.is_same() {
                continue;
            }
            let last = (direction.from - 1) as f32;
            let index = |i: usize| -> Result<usize, String> {
                let at = direction.place(i, coordinates)?;
                let at = match rounding {
                    "floor" => at.floor(),
                    "ceil" => at.ceil(),
                    "round_prefer_ceil" => (at + 0.5).floor(),
                    _ => (at - 0.5).ceil(),
                };
                Ok(at.clamp(0.0, last) as usize)
            };
            let indices = (0..direction.to).map(index).collect::<Result<Vec<_>, _>>()?;
            value = self.builder.op(call.name(), Op::Gather { axis: axis - 1, indices }, vec![value])?;
        }
        Ok(self.with_batch(value))
    }

    fn linear(
        &mut self,
        call: &Call<'_>,
        x: &Act,
        directions: &[Direction],
        coordinates: &str,
    ) -> Result<Act, String> {
        let n = directions.len();
        let (h, w) = (directions[n - 2], directions[n - 1]);
        let (vertical, horizontal) = (h.line(coordinates)?, w.line(coordinates)?);
        let channels = x.dims[1..n - 2].iter().product();
        let image = self.builder.reshape(x.value, vec![channels, h.from, w.from])?;
        let op = Op::Resize {
            size: Pair { h: h.to, w: w.to },
            step: [vertical.0 as f32, horizontal.0 as f32],
            offset: [vertical.1 as f32, horizontal.1 as f32],
        };
        let value = self.builder.op(call.name(), op, vec![image])?;
        let mut dims = x.dims.clone();
        dims[n - 2..].copy_from_slice(&[h.to, w.to]);
        let y = self.with_batch(value);
        self.reshaped(&y, dims)
    }
}
