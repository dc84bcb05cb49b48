//! The plots, each a function from data to an inline SVG.

mod bytes;
mod curve;
mod filters;
mod layers;
mod stages;
mod weights;

pub(crate) use bytes::bytes_by_layer;
pub use curve::{Series, error_by_size};
pub(crate) use filters::first_filters;
pub use layers::{LayerNeed, layer_needs};
pub(crate) use stages::{bytes_by_stage, error_by_stage};
pub(crate) use weights::weights;

use crate::error::ReportError;
use plotters::{backend::SVGBackend, coord::Shift, prelude::*};

/// Text on plots.
const FONT: &str = "system-ui, sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x3d, 0x4d);
const FAINT: RGBColor = RGBColor(0xe3, 0xe7, 0xee);
/// Colours of categories, distinguishable without colour vision too.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0x2f, 0x6d, 0xb5),
    RGBColor(0xe0, 0x8a, 0x1e),
    RGBColor(0x3c, 0x99, 0x72),
    RGBColor(0xb8, 0x4a, 0x62),
    RGBColor(0x7b, 0x68, 0xb5),
    RGBColor(0x8a, 0x93, 0xa3),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lets `draw` fill an SVG of that size in pixels and returns its text.
fn svg(
    what: &'static str,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, ReportError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area)
            .and_then(|()| Ok(area.present()?))
            .map_err(|e| ReportError::Plot { what, problem: e.to_string() })?;
    }
    Ok(text)
}

fn label(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}
