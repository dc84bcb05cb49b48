//! Preprocessing as calls, one per step.

use crate::{
    MAX_LEN, MicroError,
    constants::{Constants, float},
    source::Functions,
    step::{Buffer, Place, Step, Steps},
};
use kompakt_prep::{Filter, Pipeline, Shape, Step as PrepStep};

/// Adds all steps of a pipeline on the buffer `raw`; returns the buffer that the network reads.
pub(crate) fn add(
    pipeline: &Pipeline,
    raw: Buffer,
    steps: &mut Steps,
    constants: &mut Constants,
    functions: &mut Functions,
) -> Result<Buffer, MicroError> {
    let (mut x, mut before) = (raw, pipeline.input_shape());
    for (i, (step, after)) in pipeline.steps().iter().zip(pipeline.shapes()).enumerate() {
        if after.len() > MAX_LEN {
            return Err(MicroError::TooLarge { what: step.name().into(), n: after.len(), limit: MAX_LEN });
        }
        let y = steps.buffer(after.len(), Place::Unknown);
        let what = format!("prep_{}_{i}", step.name());
        for (statement, is_elementwise) in calls(step, &what, before, after, constants, functions)? {
            let in_place = is_elementwise.then_some(0);
            steps.steps.push(Step { statement, reads: vec![x], writes: y, in_place, what: what.clone() });
        }
        (x, before) = (y, after);
    }
    Ok(x)
}

/// The calls of a step, each with whether it may work in place.
fn calls(
    step: &PrepStep,
    what: &str,
    before: Shape,
    after: Shape,
    constants: &mut Constants,
    functions: &mut Functions,
) -> Result<Vec<(String, bool)>, MicroError> {
    let ([c, h, w], [_, rows, columns]) = (planes(before), planes(after));
    let (n, plane) = (before.len(), h * w);
    let sizes = format!("{c}, {h}, {w}, {rows}, {columns}");
    let mut call = |function: &'static str, arguments: String, in_place: bool| {
        functions.need(function);
        (format!("{function}({arguments}, {{0}}, {{y}});"), in_place)
    };
    Ok(match step {
        PrepStep::Invert => vec![call("prep_invert", n.to_string(), true)],
        PrepStep::Grayscale if c == 1 => {
            vec![(format!("memcpy({{y}}, {{0}}, {n} * sizeof(float));"), false)]
        }
        PrepStep::Grayscale => vec![call("prep_grayscale", plane.to_string(), false)],
        PrepStep::Channels { order } => {
            let table = constants.indices(what, order.iter().copied());
            vec![call("prep_channels", format!("{table}, {}, {plane}", order.len()), false)]
        }
        PrepStep::Normalize { mean, std } => {
            let mut table = |part: &str, values: &[f32]| {
                let all: Vec<f32> = values.iter().copied().cycle().take(c).collect();
                constants.floats(&format!("{what}.{part}"), &all)
            };
            let (mean, std) = (table("mean", mean)?, table("std", std)?);
            vec![call("prep_normalize", format!("{mean}, {std}, {c}, {plane}"), true)]
        }
        PrepStep::Threshold { level } => {
            vec![call("prep_threshold", format!("{}, {n}", float(*level)), true)]
        }
        PrepStep::Median => vec![call("prep_median", format!("{c}, {h}, {w}"), false)],
        PrepStep::Resize { filter: Filter::Bilinear, .. } => vec![call("prep_bilinear", sizes, false)],
        PrepStep::Resize { filter: Filter::Area, .. } => vec![call("prep_area", sizes, false)],
        PrepStep::Crop { threshold, margin, .. } => {
            vec![call("prep_crop", format!("{}, {margin}, {sizes}", float(*threshold)), false)]
        }
        PrepStep::Center => vec![call("prep_deskew", format!("0.0f, {c}, {h}, {w}"), false)],
        PrepStep::Deskew { max_shear } => {
            vec![call("prep_deskew", format!("{}, {c}, {h}, {w}", float(*max_shear)), false)]
        }
        PrepStep::CenterCrop { .. } => vec![call("prep_center_crop", sizes, false)],
        PrepStep::Subtract { height, width, values } => {
            let small = constants.floats(what, values)?;
            vec![call("prep_subtract", format!("{small}, {height}, {width}, {c}, {h}, {w}"), false)]
        }
        PrepStep::Gradients { orientations, cells, pixels, locality, roots } => {
            let angle = 2.0 * core::f64::consts::PI;
            let unit = |k: usize| {
                let at = angle * (k % orientations) as f64 / *orientations as f64;
                [libm::cos(at), libm::sin(at)]
            };
            let circle: Vec<f64> = (0..=*orientations).flat_map(unit).collect();
            let circle = constants.doubles(&format!("{what}.circle"), &circle);
            let sine = libm::sin(angle / *orientations as f64);
            let (locality, roots, mut at) = (float(*locality), u8::from(*roots), 0);
            let mut all = Vec::new();
            for side in cells {
                functions.need("prep_gradients");
                all.push((
                    format!(
                        "prep_gradients({orientations}, {circle}, {sine:?}, {side}, {locality}, {roots}, {h}, {w}, {{0}}, {{y}} + {at});"
                    ),
                    false,
                ));
                at += orientations * side * side;
            }
            if *pixels > 0 {
                functions.need("prep_area");
                all.push((
                    format!("prep_area(1, {h}, {w}, {pixels}, {pixels}, {{0}}, {{y}} + {at});"),
                    false,
                ));
            }
            all
        }
    })
}

/// Channels, height and width; a vector is one plane of one row.
fn planes(shape: Shape) -> [usize; 3] {
    match shape {
        Shape::Image { channels, height, width } => [channels, height, width],
        Shape::Vector(n) => [1, 1, n],
    }
}
