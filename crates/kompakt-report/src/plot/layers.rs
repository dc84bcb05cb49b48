//! Bits and sensitivities of layers: two bars per layer, side by side.

use super::{FAINT, INK, PALETTE, label, svg};
use crate::error::ReportError;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

const WIDTH: u32 = 900;
const NAMES_WIDTH: i32 = 290;
const GAP: i32 = 80;
const ROW: i32 = 18;
const TOP: i32 = 54;
/// The most characters of a name that are shown.
const NAME: usize = 42;

/// A layer as it is plotted.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNeed {
    /// Its name.
    pub name: String,
    /// Relative squared error of the outputs per relative squared error of the layer.
    pub sensitivity: f64,
    /// Bits per weight, at each error given to [`layer_needs`].
    pub bits: Vec<f64>,
}

/// The sensitivity of each layer, as a share of all, and on the right bits per weight at some errors, the smallest error
/// first; `errors` as parts of a layer's energy, as many as each layer has `bits`. The result is the text of an SVG file.
///
/// Errors: the plot cannot be drawn.
pub fn layer_needs(layers: &[LayerNeed], errors: &[f64]) -> Result<String, ReportError> {
    let height = (TOP + ROW * layers.len() as i32 + 12) as u32;
    let half = (WIDTH as i32 - NAMES_WIDTH - GAP - 20) / 2;
    let (left, right) = (NAMES_WIDTH, NAMES_WIDTH + half + GAP);
    let sum: f64 = layers.iter().map(|l| l.sensitivity).sum();
    let share = |l: &LayerNeed| if sum > 0.0 { l.sensitivity / sum } else { 0.0 };
    let most = layers.iter().map(share).fold(1e-12, f64::max);
    let bits = layers.iter().flat_map(|l| &l.bits).copied().fold(1.0, f64::max);
    svg("layers", (WIDTH, height), |area| {
        area.fill(&WHITE)?;
        area.draw(&Text::new("share of the answers' error", (left, 10), label(12)))?;
        area.draw(&Text::new("bits a weight, where the error is", (right, 10), label(12)))?;
        let mut x = right;
        for (i, error) in errors.iter().enumerate() {
            area.draw(&Rectangle::new([(x, 32), (x + 10, 42)], shade(i, errors.len()).filled()))?;
            area.draw(&Text::new(error.to_string(), (x + 14, 31), label(11)))?;
            x += half / errors.len().max(1) as i32;
        }
        for (row, layer) in layers.iter().enumerate() {
            let (top, bottom) = (TOP + ROW * row as i32, TOP + ROW * (row as i32 + 1) - 4);
            let to_left = label(11).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(short(&layer.name), (left - 8, (top + bottom) / 2), to_left))?;
            let bar = |x: i32, width: f64, color: RGBColor| {
                area.draw(&Rectangle::new([(x, top), (x + width.round() as i32, bottom)], color.filled()))
            };
            bar(left, f64::from(half), FAINT)?;
            bar(left, share(layer) / most * f64::from(half), PALETTE[1])?;
            // The longest bar first: shorter ones are drawn over it.
            for (i, b) in layer.bits.iter().enumerate() {
                bar(right, b / bits * f64::from(half), shade(i, layer.bits.len()))?;
            }
            let to_right = label(11).pos(Pos::new(HPos::Left, VPos::Center)).color(&INK);
            let percent = format!("{:.1} %", 100.0 * share(layer));
            area.draw(&Text::new(percent, (left + half + 6, (top + bottom) / 2), to_right))?;
        }
        Ok(())
    })
}

/// One colour from light to full.
fn shade(i: usize, n: usize) -> RGBColor {
    let part = (i + 1) as f64 / n.max(1) as f64;
    let mix = |full: u8| (255.0 - part * (255.0 - f64::from(full))) as u8;
    let RGBColor(r, g, b) = PALETTE[0];
    RGBColor(mix(r), mix(g), mix(b))
}

/// The end of a name that is too long: the part that distinguishes layers.
fn short(name: &str) -> String {
    let n = name.chars().count();
    if n <= NAME {
        name.to_string()
    } else {
        format!("…{}", name.chars().skip(n - NAME + 1).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_its_bars() {
        let layer = |name: &str, sensitivity| LayerNeed {
            name: name.into(),
            sensitivity,
            bits: vec![6.5, 4.8, 3.1, 2.0],
        };
        let long = format!("{}.weight", "block/".repeat(12));
        let layers = [layer("conv1.weight", 0.3), layer("a<b>.weight", 0.1), layer(&long, 0.0)];
        let text = layer_needs(&layers, &[0.0003, 0.003, 0.03, 0.1]).unwrap();
        assert!(text.starts_with("<svg") && text.contains("75.0 %") && text.contains("25.0 %"));
        assert!(text.contains("a&lt;b&gt;.weight") && text.contains('…'));
        assert_eq!(text.matches("<rect").count(), 1 + 4 + 3 * 6);
        assert!(layer_needs(&[], &[]).is_ok());
    }
}
