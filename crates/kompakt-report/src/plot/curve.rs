//! Error against size: what accuracy a network loses as its file gets smaller.

use super::{FAINT, INK, PALETTE, label, svg};
use crate::error::ReportError;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

const SIZE: (u32, u32) = (860, 480);

/// Files of several sizes and their errors, under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The legend's text.
    pub name: String,
    /// Bytes and error, 0 to 1, in any order.
    pub points: Vec<(u64, f64)>,
    /// Separate points with a name each: published results.
    pub names: Option<Vec<String>>,
}

/// A plot (SVG) of all series; bytes on a logarithmic scale, errors in percent.
///
/// Errors: no points at all, a plot that cannot be drawn.
pub fn error_by_size(title: &str, series: &[Series]) -> Result<String, ReportError> {
    let all = || series.iter().flat_map(|s| &s.points);
    let smallest = all().map(|p| p.0).min().unwrap_or(0) as f64;
    let largest = all().map(|p| p.0).max().unwrap_or(0) as f64;
    if smallest < 1.0 {
        let problem = "there are no points, or files of no bytes".to_string();
        return Err(ReportError::Plot { what: "error by size", problem });
    }
    let top = ceiling(all().map(|p| p.1 * 100.0).collect());
    svg("error by size", SIZE, |area| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .caption(title, label(16))
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d((smallest * 0.8..largest * 1.5).log_scale(), 0.0..top)?;
        chart
            .configure_mesh()
            .light_line_style(FAINT.mix(0.4))
            .bold_line_style(FAINT)
            .axis_style(INK.mix(0.5))
            .label_style(label(12))
            .x_desc("bytes of the file")
            .y_desc("error, %")
            .x_label_formatter(&|v| bytes(*v))
            .y_label_formatter(&|v| format!("{v:.1}"))
            .draw()?;
        for (i, one) in series.iter().enumerate() {
            let color = if one.names.is_some() { INK } else { PALETTE[i % PALETTE.len()] };
            let mut points: Vec<(f64, f64)> = one.points.iter().map(|p| (p.0 as f64, p.1 * 100.0)).collect();
            points.retain(|p| p.1 <= top);
            if one.names.is_none() {
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            }
            let marks = chart.draw_series(points.iter().map(|&p| Circle::new(p, 4, color.filled())))?;
            marks.label(&one.name).legend(move |(x, y)| Circle::new((x + 8, y), 4, color.filled()));
            for ((n_bytes, error), name) in one.points.iter().zip(one.names.iter().flatten()) {
                let right_of = label(12).pos(Pos::new(HPos::Left, VPos::Bottom));
                let at = (*n_bytes as f64 * 1.03, error * 100.0 + top * 0.008);
                chart.draw_series([Text::new(name.clone(), at, right_of)])?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(FAINT)
            .label_font(label(12))
            .draw()?;
        Ok(())
    })
}

/// The upper end of the plot: three times the median error, if a few points are far beyond.
fn ceiling(mut errors: Vec<f64>) -> f64 {
    errors.sort_by(f64::total_cmp);
    let (middle, most) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    (most * 1.1).min(middle * 3.0).max(0.1)
}

fn bytes(n: f64) -> String {
    if n < 1e3 {
        format!("{n:.0} B")
    } else if n < 1e6 {
        format!("{} kB", n / 1e3)
    } else {
        format!("{} MB", n / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_points_are_in_the_picture() {
        let ours = Series { name: "ours".into(), points: vec![(460, 0.014), (1224, 0.0071)], names: None };
        let others = Series {
            name: "published".into(),
            points: vec![(27_000, 0.0158)],
            names: Some(vec!["Han 2015".into()]),
        };
        let text = error_by_size("a network", &[ours, others]).unwrap();
        assert!(text.contains("Han 2015") && text.contains("ours"));
        assert!(error_by_size("nothing", &[]).is_err());
    }

    #[test]
    fn one_hopeless_point_does_not_flatten_the_others() {
        assert!(ceiling(vec![1.0, 1.2, 1.1, 90.0]) < 4.0);
        assert!(ceiling(vec![1.0, 1.2, 1.1]) > 1.2);
    }
}
