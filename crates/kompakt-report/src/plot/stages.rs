//! Size and error after each stage, as columns.

use super::{INK, PALETTE, label, svg};
use crate::{error::ReportError, summary::Row};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

const SIZE: (u32, u32) = (520, 250);

/// Bytes on a logarithmic scale.
pub(crate) fn bytes_by_stage(rows: &[Row]) -> Result<String, ReportError> {
    let columns: Vec<Column> = rows
        .iter()
        .filter(|row| row.stage != "run")
        .map(|row| Column {
            name: row.stage.clone(),
            height: (row.n_bytes.max(1) as f64).log10() - 2.0,
            text: short_bytes(row.n_bytes),
        })
        .collect();
    columns_svg("bytes by stage", &columns, PALETTE[0])
}

/// Errors in percent; stages without one are left out.
pub(crate) fn error_by_stage(rows: &[Row]) -> Result<String, ReportError> {
    let columns: Vec<Column> = rows
        .iter()
        .filter_map(|row| {
            let percent = row.error? * 100.0;
            let name = if row.error_on == "test" { "packed (test)".to_string() } else { row.stage.clone() };
            Some(Column { name, height: percent, text: format!("{percent:.2} %") })
        })
        .collect();
    columns_svg("error by stage", &columns, PALETTE[3])
}

struct Column {
    name: String,
    height: f64,
    text: String,
}

fn columns_svg(what: &'static str, columns: &[Column], color: RGBColor) -> Result<String, ReportError> {
    let top = columns.iter().map(|c| c.height).fold(0.0, f64::max).max(1e-9);
    svg(what, SIZE, |area| {
        let (width, height) = (f64::from(SIZE.0), f64::from(SIZE.1));
        let (base, head) = (height - 30.0, 30.0);
        let step = width / columns.len().max(1) as f64;
        area.draw(&PathElement::new(vec![(8, base as i32), (width as i32 - 8, base as i32)], INK.mix(0.4)))?;
        for (i, column) in columns.iter().enumerate() {
            let middle = (i as f64 + 0.5) * step;
            let y = base - (column.height.max(0.0) / top) * (base - head);
            let half = (step * 0.31).min(46.0);
            let corners = [((middle - half) as i32, y as i32), ((middle + half) as i32, base as i32)];
            area.draw(&Rectangle::new(corners, color.mix(0.85).filled()))?;
            let above = label(13).pos(Pos::new(HPos::Center, VPos::Bottom));
            area.draw(&Text::new(column.text.clone(), (middle as i32, y as i32 - 5), above))?;
            let below = label(12).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw(&Text::new(column.name.clone(), (middle as i32, base as i32 + 8), below))?;
        }
        Ok(())
    })
}

/// `26123` as `26.1 kB`.
fn short_bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..100_000 => format!("{:.1} kB", n as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        _ => format!("{:.2} MB", n as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_bytes_have_three_digits() {
        assert_eq!(short_bytes(734), "734 B");
        assert_eq!(short_bytes(26_123), "26.1 kB");
        assert_eq!(short_bytes(1_066_440), "1.07 MB");
    }
}
