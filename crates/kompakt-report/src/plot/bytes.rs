//! Where the packed file's bytes are: one bar per layer, divided by kind.

use super::{INK, PALETTE, label, svg};
use crate::{error::ReportError, evidence::LayerBytes, summary::thousands};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

const WIDTH: u32 = 1060;
const NAMES_WIDTH: f64 = 150.0;
const TOTALS_WIDTH: f64 = 90.0;
const BAR_HEIGHT: i32 = 24;

/// Horizontal bars with a legend of the kinds above them.
pub(crate) fn bytes_by_layer(layers: &[LayerBytes]) -> Result<String, ReportError> {
    let kinds = kinds(layers);
    let totals: Vec<u64> = layers.iter().map(|l| l.parts.iter().map(|p| p.1).sum()).collect();
    let most = totals.iter().copied().max().unwrap_or(1).max(1) as f64;
    let height = 40 + BAR_HEIGHT as u32 * layers.len() as u32 + 8;
    svg("bytes by layer", (WIDTH, height), |area| {
        let mut x = NAMES_WIDTH as i32;
        for (i, kind) in kinds.iter().enumerate() {
            area.draw(&Rectangle::new([(x, 10), (x + 12, 22)], PALETTE[i % PALETTE.len()].filled()))?;
            area.draw(&Text::new((*kind).to_string(), (x + 17, 9), label(12)))?;
            x += 34 + 7 * kind.chars().count() as i32;
        }
        let room = f64::from(WIDTH) - NAMES_WIDTH - TOTALS_WIDTH;
        for (row, (layer, total)) in layers.iter().zip(&totals).enumerate() {
            let top = 36 + BAR_HEIGHT * row as i32;
            let middle = top + BAR_HEIGHT / 2 - 2;
            let left_of = label(12).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(layer.name.clone(), (NAMES_WIDTH as i32 - 8, middle), left_of))?;
            let mut x = NAMES_WIDTH;
            for (kind, n_bytes) in &layer.parts {
                let color = kinds.iter().position(|k| k == kind).map_or(INK, |i| PALETTE[i % PALETTE.len()]);
                let end = x + *n_bytes as f64 / most * room;
                let corners = [(x.round() as i32, top), (end.round() as i32, top + BAR_HEIGHT - 5)];
                if corners[1].0 > corners[0].0 {
                    area.draw(&Rectangle::new(corners, color.filled()))?;
                }
                x = end;
            }
            let right_of = label(12).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(format!("{} B", thousands(*total)), (x as i32 + 7, middle), right_of))?;
        }
        Ok(())
    })
}

/// The kinds in the order in which they first appear.
fn kinds(layers: &[LayerBytes]) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    for (kind, _) in layers.iter().flat_map(|l| &l.parts) {
        if !kinds.contains(&kind.as_str()) {
            kinds.push(kind);
        }
    }
    kinds
}
