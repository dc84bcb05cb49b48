//! The first layer's filters as images: what the network looks for in an image.

use super::{FAINT, svg};
use crate::error::ReportError;
use kompakt_graph::{Op, ParamRole};
use kompakt_model::Model;
use plotters::prelude::*;

const N_COLUMNS: usize = 20;
const N_FILTERS: usize = 40;
const CELL: i32 = 52;

/// Up to 40 filters of the first weight, or `None` where they are not images (a network on vectors).
/// Orange is positive, blue negative, white zero; each filter is scaled by its largest weight.
pub(crate) fn first_filters(model: &Model) -> Option<Result<String, ReportError>> {
    let param = model.graph.params().iter().find(|p| p.role == ParamRole::Weight)?;
    let (height, width) = picture_size(model, param.node)?;
    let values = model.parameters.get(&param.name)?.to_f32();
    let n = param.shape[0];
    let stride = param.len() / n;
    let pictures: Vec<&[f32]> =
        values.chunks_exact(stride).take(N_FILTERS).map(|f| &f[..height * width]).collect();
    Some(draw(&pictures, height, width))
}

/// Height and width of one filter's image: the kernel of a convolution, or the image that a linear layer sees
/// through a flatten (first channel).
fn picture_size(model: &Model, node: usize) -> Option<(usize, usize)> {
    let graph = &model.graph;
    match graph.nodes()[node].op {
        Op::Conv2d { kernel, .. } if kernel.h > 1 => Some((kernel.h, kernel.w)),
        Op::Linear { .. } => {
            let flatten = graph.producer(graph.nodes()[node].inputs[0])?;
            match (&graph.nodes()[flatten].op, graph.shape(graph.nodes()[flatten].inputs[0])) {
                (Op::Flatten, &[_, h, w]) => Some((h, w)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn draw(pictures: &[&[f32]], height: usize, width: usize) -> Result<String, ReportError> {
    let n_rows = pictures.len().div_ceil(N_COLUMNS) as i32;
    let pixel = (CELL as usize - 6).checked_div(height.max(width)).unwrap_or(1).max(1) as i32;
    svg("the first filters", ((N_COLUMNS as i32 * CELL + 4) as u32, (n_rows * CELL + 4) as u32), |area| {
        for (i, picture) in pictures.iter().enumerate() {
            let (x0, y0) = ((i % N_COLUMNS) as i32 * CELL + 3, (i / N_COLUMNS) as i32 * CELL + 3);
            let frame = [(x0 - 1, y0 - 1), (x0 + width as i32 * pixel + 1, y0 + height as i32 * pixel + 1)];
            area.draw(&Rectangle::new(frame, FAINT.stroke_width(1)))?;
            let largest = picture.iter().fold(0f32, |m, w| m.max(w.abs()));
            for (at, &w) in picture.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                let (x, y) = (x0 + (at % width) as i32 * pixel, y0 + (at / width) as i32 * pixel);
                let corners = [(x, y), (x + pixel, y + pixel)];
                area.draw(&Rectangle::new(corners, diverging(w / largest).filled()))?;
            }
        }
        Ok(())
    })
}

/// -1 is blue, 0 white, 1 orange.
fn diverging(t: f32) -> RGBColor {
    let (r, g, b) = if t < 0.0 { (0x1f, 0x55, 0x9c) } else { (0xd0, 0x6a, 0x0a) };
    let mix = |c: i32| (255.0 + (c as f32 - 255.0) * t.abs().min(1.0)) as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
