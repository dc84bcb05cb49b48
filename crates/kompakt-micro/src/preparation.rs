//! Preprocessing as calls, one per step.

use crate::{
    MAX_LEN, MicroError,
    constants::Constants,
    step::{Argument, Buffer, Place, Step, Steps, X, Y, numbers},
};
use kompakt_prep::{Filter, Pipeline, Shape, Step as PrepStep};

/// Adds all steps of a pipeline on the buffer `raw`; returns the buffer that the network reads.
pub(crate) fn add(
    pipeline: &Pipeline,
    raw: Buffer,
    steps: &mut Steps,
    constants: &mut Constants,
) -> Result<Buffer, MicroError> {
    let (mut x, mut before) = (raw, pipeline.input_shape());
    for (i, (step, after)) in pipeline.steps().iter().zip(pipeline.shapes()).enumerate() {
        if after.len() > MAX_LEN {
            return Err(MicroError::TooLarge { what: step.name().into(), n: after.len(), limit: MAX_LEN });
        }
        let y = steps.buffer(after.len(), Place::Unknown);
        let what = format!("prep_{}_{i}", step.name());
        for (function, arguments, is_elementwise) in calls(step, &what, before, after, constants)? {
            let in_place = is_elementwise.then_some(0);
            let (reads, what) = (vec![x], what.clone());
            steps.steps.push(Step { function, arguments, reads, writes: y, scratch: None, in_place, what });
        }
        (x, before) = (y, after);
    }
    Ok(x)
}

/// A function, its arguments, and whether it may work in place.
type Call = (&'static str, Vec<Argument>, bool);

/// The calls of a step.
fn calls(
    step: &PrepStep,
    what: &str,
    before: Shape,
    after: Shape,
    constants: &mut Constants,
) -> Result<Vec<Call>, MicroError> {
    let ([c, h, w], [_, rows, columns]) = (planes(before), planes(after));
    let (n, plane) = (before.len(), h * w);
    let image = || numbers([c, h, w]);
    let sizes = || numbers([c, h, w, rows, columns]);
    // Arguments end with the operand and the result.
    let call = |function: &'static str, mut arguments: Vec<Argument>| {
        arguments.extend([X, Y]);
        vec![(function, arguments, false)]
    };
    let in_place = |function: &'static str, mut arguments: Vec<Argument>| {
        arguments.extend([X, Y]);
        vec![(function, arguments, true)]
    };
    Ok(match step {
        PrepStep::Invert => in_place("prep_invert", numbers([n])),
        PrepStep::Grayscale if c == 1 => call("move_floats", numbers([n])),
        PrepStep::Grayscale => call("prep_grayscale", numbers([plane])),
        PrepStep::Channels { order } => {
            let table = constants.indices(what, order);
            call("prep_channels", [vec![table], numbers([order.len(), plane])].concat())
        }
        PrepStep::Normalize { mean, std } => {
            let mut table = |part: &str, values: &[f32]| {
                let all: Vec<f32> = values.iter().copied().cycle().take(c).collect();
                constants.floats(&format!("{what}.{part}"), &all).map(Argument::Table)
            };
            let tables = vec![table("mean", mean)?, table("std", std)?];
            in_place("prep_normalize", [tables, numbers([c, plane])].concat())
        }
        PrepStep::Threshold { level } => {
            in_place("prep_threshold", vec![Argument::Float(*level), Argument::Number(n)])
        }
        PrepStep::Median => call("prep_median", image()),
        PrepStep::Resize { filter: Filter::Bilinear, .. } => call("prep_bilinear", sizes()),
        PrepStep::Resize { filter: Filter::Area, .. } => call("prep_area", sizes()),
        PrepStep::Crop { threshold, margin, .. } => {
            let own = vec![Argument::Float(*threshold), Argument::Number(*margin)];
            call("prep_crop", [own, sizes()].concat())
        }
        PrepStep::Center => call("prep_deskew", [vec![Argument::Float(0.0)], image()].concat()),
        PrepStep::Deskew { max_shear } => {
            call("prep_deskew", [vec![Argument::Float(*max_shear)], image()].concat())
        }
        PrepStep::CenterCrop { .. } => call("prep_center_crop", sizes()),
        PrepStep::Subtract { height, width, values } => {
            let small = Argument::Table(constants.floats(what, values)?);
            call("prep_subtract", [vec![small], numbers([*height, *width, c, h, w])].concat())
        }
        PrepStep::Gradients { orientations, cells, pixels, locality, roots } => {
            let angle = 2.0 * core::f64::consts::PI;
            let unit = |k: usize| {
                let at = angle * (k % orientations) as f64 / *orientations as f64;
                [libm::cos(at), libm::sin(at)]
            };
            let circle: Vec<f64> = (0..=*orientations).flat_map(unit).collect();
            let circle = constants.doubles(&format!("{what}.circle"), &circle);
            let sine = Argument::Double(libm::sin(angle / *orientations as f64));
            let mut at = 0;
            let mut all = Vec::new();
            for &side in cells {
                let mut arguments = vec![Argument::Number(*orientations), circle.clone(), sine.clone()];
                arguments.extend([Argument::Number(side), Argument::Float(*locality)]);
                arguments.extend(numbers([usize::from(*roots), h, w]));
                arguments.extend([X, Argument::Result(at)]);
                all.push(("prep_gradients", arguments, false));
                at += orientations * side * side;
            }
            if *pixels > 0 {
                let mut arguments = numbers([1, h, w, *pixels, *pixels]);
                arguments.extend([X, Argument::Result(at)]);
                all.push(("prep_area", arguments, false));
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
