//! `Resize` and `Upsample`: one dimension after the other, each result a weighted sum of a few elements.

use super::{
    call::{Call, axes},
    walk::around,
};
use crate::onnx::tensor::Tensor;

/// One dimension.
struct Line<'m> {
    from: usize,
    to: usize,
    scale: f32,
    /// For `tf_crop_and_resize`.
    region: [f32; 2],
    coordinates: &'m str,
}

impl Line<'_> {
    /// The position of the result's element `i` in the input. In f32, as it decides between equally near
    /// neighbours.
    fn place(&self, i: usize) -> Result<f32, String> {
        let (i, scale) = (i as f32, self.scale);
        let (from, to) = (self.from as f32, self.to as f32);
        Ok(match self.coordinates {
            "half_pixel" => (i + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => {
                if self.to > 1 {
                    (i + 0.5) / scale - 0.5
                } else {
                    0.0
                }
            }
            "half_pixel_symmetric" => {
                let adjustment = to / (scale * from);
                from / 2.0 * (1.0 - adjustment) + (i + 0.5) / scale - 0.5
            }
            "asymmetric" => i / scale,
            "align_corners" => {
                if self.to > 1 {
                    i * (from - 1.0) / (to - 1.0)
                } else {
                    0.0
                }
            }
            "tf_crop_and_resize" => {
                let [start, end] = self.region;
                if self.to > 1 {
                    start * (from - 1.0) + (i * (end - start) * (from - 1.0)) / (to - 1.0)
                } else {
                    0.5 * (start + end) * (from - 1.0)
                }
            }
            other => return Err(format!("coordinates {other:?}")),
        })
    }

    /// The elements that contribute to element `i` of the result, with their weights.
    fn terms(
        &self,
        call: &Call<'_>,
        i: usize,
        mode: &str,
        rounding: &str,
    ) -> Result<Vec<(usize, f32)>, String> {
        let at = self.place(i)?;
        let last = self.from as f32 - 1.0;
        let inside = |k: f32| k.clamp(0.0, last) as usize;
        match mode {
            "nearest" => {
                let k = match rounding {
                    "floor" => at.floor(),
                    "ceil" => at.ceil(),
                    "round_prefer_ceil" => (at + 0.5).floor(),
                    _ => (at - 0.5).ceil(),
                };
                Ok(vec![(inside(k), 1.0)])
            }
            "linear" | "bilinear" => {
                let below = at.floor();
                let part = at - below;
                Ok(vec![(inside(below), 1.0 - part), (inside(below + 1.0), part)])
            }
            "cubic" => {
                let (below, a) = (at.floor(), f64::from(call.node.float("cubic_coeff_a", -0.75)));
                let excludes = call.node.int("exclude_outside", 0) != 0;
                let mut terms = Vec::new();
                for k in [-1.0, 0.0, 1.0, 2.0] {
                    let distance = f64::from(at - below - k).abs();
                    let (d2, d3) = (distance.powi(2), distance.powi(3));
                    let weight = if distance <= 1.0 {
                        (a + 2.0) * d3 - (a + 3.0) * d2 + 1.0
                    } else {
                        a * d3 - 5.0 * a * d2 + 8.0 * a * distance - 4.0 * a
                    };
                    let is_outside = below + k < 0.0 || below + k > last;
                    if !(excludes && is_outside) {
                        terms.push((inside(below + k), weight as f32));
                    }
                }
                let sum: f32 = terms.iter().map(|t| t.1).sum();
                if excludes {
                    terms.iter_mut().for_each(|t| t.1 /= sum);
                }
                Ok(terms)
            }
            other => Err(format!("mode {other:?}")),
        }
    }
}

pub(super) fn resize(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    let node = call.node;
    let is_old = node.op_type == "Upsample" || call.opset < 11;
    if node.int("antialias", 0) != 0 {
        return Err("smoothing (antialias)".into());
    }
    let coordinates = match node.text("coordinate_transformation_mode") {
        _ if is_old => "asymmetric",
        "" => "half_pixel",
        other => other,
    };
    let rounding = match node.text("nearest_mode") {
        _ if is_old => "floor",
        "" => "round_prefer_floor",
        other => other,
    };
    let mode = match node.text("mode") {
        "" => "nearest",
        other => other,
    };
    let lines = lines(call, x, is_old, coordinates)?;
    let mut y = x.to_floats();
    let mut dims = x.dims.clone();
    let mut outside = vec![false; 1];
    let mut outside_dims = vec![1; dims.len()];
    for (d, line) in lines.iter().enumerate() {
        if line.from == line.to && line.region == [0.0, 1.0] && line.scale == 1.0 {
            continue;
        }
        let terms =
            (0..line.to).map(|i| line.terms(call, i, mode, rounding)).collect::<Result<Vec<_>, _>>()?;
        let (outer, from, inner) = around(&dims, d);
        dims[d] = line.to;
        let mut made = Vec::with_capacity(call.count(&dims)?);
        for o in 0..outer {
            for terms in &terms {
                for p in 0..inner {
                    let term =
                        |&(k, w): &(usize, f32)| f64::from(y[(o * from + k) * inner + p]) * f64::from(w);
                    made.push(terms.iter().map(term).sum::<f64>() as f32);
                }
            }
        }
        y = made;
        if coordinates == "tf_crop_and_resize" {
            let beyond = |i| line.place(i).map(|at| at < 0.0 || at > line.from as f32 - 1.0);
            let beyond = (0..line.to).map(beyond).collect::<Result<Vec<bool>, _>>()?;
            outside_dims[d] = line.to;
            outside = outside.iter().flat_map(|&o| beyond.iter().map(move |&b| o || b)).collect();
        }
    }
    if outside.contains(&true) {
        // The resized dimensions are the last ones here or have 1 element each.
        let flags = Tensor::ints(outside_dims, outside.iter().map(|&o| i64::from(o)).collect());
        let flags = super::walk::spread(&flags, &dims).to_floats();
        let value = node.float("extrapolation_value", 0.0);
        y.iter_mut().zip(flags).filter(|(_, f)| *f != 0.0).for_each(|(y, _)| *y = value);
    }
    Ok(Tensor::floats(dims, y))
}

/// Sizes and scales of every dimension.
fn lines<'m>(
    call: &Call<'m>,
    x: &Tensor,
    is_old: bool,
    coordinates: &'m str,
) -> Result<Vec<Line<'m>>, String> {
    let rank = x.dims.len();
    let along = match call.node.ints("axes") {
        Some(list) => axes(list, rank)?,
        None => (0..rank).collect(),
    };
    let mut lines: Vec<Line<'m>> = x
        .dims
        .iter()
        .map(|&d| Line { from: d, to: d, scale: 1.0, region: [0.0, 1.0], coordinates })
        .collect();
    let given = |index: usize| call.optional(index).filter(|t| t.len() > 0);
    let listed = call.node.attribute("scales").map(|a| a.floats.clone()).filter(|s| !s.is_empty());
    let scales = listed.or_else(|| given(if is_old { 1 } else { 2 }).map(Tensor::to_floats));
    let sizes = if is_old { None } else { given(3) };
    if let Some(sizes) = sizes {
        let sizes = super::call::sizes(sizes.as_ints().ok_or("sizes of floats")?)?;
        if sizes.len() != along.len() {
            return Err("not one size a dimension".into());
        }
        let ratios = along.iter().zip(&sizes).map(|(&d, &to)| to as f32 / x.dims[d] as f32);
        let kept = match call.node.text("keep_aspect_ratio_policy") {
            "not_larger" => ratios.clone().reduce(f32::min),
            "not_smaller" => ratios.clone().reduce(f32::max),
            _ => None,
        };
        for ((&d, &to), ratio) in along.iter().zip(&sizes).zip(ratios) {
            lines[d].scale = kept.unwrap_or(ratio);
            lines[d].to = kept.map_or(to, |scale| (scale * x.dims[d] as f32).round() as usize);
        }
    } else if let Some(scales) = scales {
        if scales.len() != along.len() || scales.iter().any(|s| !(*s > 0.0 && s.is_finite())) {
            return Err(format!("scales are {scales:?}"));
        }
        for (&d, &scale) in along.iter().zip(&scales) {
            lines[d].scale = scale;
            lines[d].to = (f64::from(scale) * x.dims[d] as f64).floor() as usize;
        }
    } else {
        return Err("neither scales nor sizes are given".into());
    }
    if let ("tf_crop_and_resize", Some(region)) = (coordinates, given(1)) {
        let region = region.to_floats();
        if region.len() != 2 * along.len() {
            return Err("its region".into());
        }
        for (i, &d) in along.iter().enumerate() {
            lines[d].region = [region[i], region[i + along.len()]];
        }
    }
    if lines.iter().any(|l| l.from == 0) {
        return Err("nothing to resize".into());
    }
    Ok(lines)
}
