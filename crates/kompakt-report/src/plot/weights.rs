//! Histogram of a layer's weights before compression, with the shared values after it on top.

use super::{FAINT, INK, PALETTE, label, svg};
use crate::error::ReportError;
use kompakt_model::Parameter;
use plotters::prelude::*;

const N_BINS: usize = 120;

/// One layer: `before` as filled bars, the weights kept in `after` as a line, and, where `after` has a codebook,
/// one stem per shared value, its height the number of weights that use it. Counts are on a logarithmic
/// scale, because the paper's interesting part is the tail.
pub(crate) fn weights(before: &Parameter, after: &Parameter) -> Result<String, ReportError> {
    let dense = before.to_f32();
    let kept: Vec<f32> = after.to_f32().into_iter().filter(|&w| w != 0.0).collect();
    let reach = quantile_reach(&dense).max(kept.iter().fold(0f32, |m, w| m.max(w.abs()))).max(1e-6);
    let bars = histogram(&dense, reach);
    let stems = shared_values(after);
    let top = bars.iter().copied().max().unwrap_or(1).max(stems.iter().map(|s| s.1).max().unwrap_or(1));
    let reach = f64::from(reach);
    svg("a layer's weights", (520, 230), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .x_label_area_size(24)
            .y_label_area_size(48)
            .build_cartesian_2d(-reach..reach, (0.7..top as f64 * 1.5).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(FAINT.mix(0.0))
            .bold_line_style(FAINT)
            .axis_style(INK.mix(0.4))
            .x_labels(7)
            .y_labels(5)
            .label_style(label(11))
            .x_label_formatter(&|v| tick(*v, reach))
            .y_label_formatter(&|v| format!("{v:.0}"))
            .draw()?;
        let width = 2.0 * reach / N_BINS as f64;
        chart.draw_series(bars.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, &n)| {
            let left = -reach + i as f64 * width;
            Rectangle::new([(left, 0.7), (left + width, n as f64)], PALETTE[0].mix(0.35).filled())
        }))?;
        chart.draw_series(stems.iter().map(|&(value, n)| {
            PathElement::new(
                vec![(f64::from(value), 0.7), (f64::from(value), n as f64)],
                PALETTE[1].stroke_width(2),
            )
        }))?;
        chart.draw_series(
            stems.iter().map(|&(value, n)| Circle::new((f64::from(value), n as f64), 3, PALETTE[1].filled())),
        )?;
        Ok(())
    })
}

/// A value on an axis that reaches to `reach` on both sides: two significant digits of the reach, and a plain zero.
fn tick(value: f64, reach: f64) -> String {
    let decimals = (1.0 - reach.log10().floor()).clamp(0.0, 6.0) as usize;
    if value.abs() < reach * 1e-6 { "0".to_string() } else { format!("{value:.decimals$}") }
}

/// The magnitude that all but one weight in a thousand stay below.
fn quantile_reach(values: &[f32]) -> f32 {
    let mut magnitudes: Vec<f32> = values.iter().map(|w| w.abs()).collect();
    if magnitudes.is_empty() {
        return 0.0;
    }
    let at = (magnitudes.len() - 1) * 999 / 1000;
    *magnitudes.select_nth_unstable_by(at, f32::total_cmp).1
}

fn histogram(values: &[f32], reach: f32) -> [usize; N_BINS] {
    let mut bins = [0; N_BINS];
    for &w in values.iter().filter(|w| w.abs() <= reach) {
        let bin = ((w + reach) / (2.0 * reach) * N_BINS as f32) as usize;
        bins[bin.min(N_BINS - 1)] += 1;
    }
    bins
}

/// Each entry of the codebook with the number of weights that use it; empty for a dense parameter.
fn shared_values(parameter: &Parameter) -> Vec<(f32, usize)> {
    let Parameter::Shared { codebook, codes, .. } = parameter else { return Vec::new() };
    let mut counts = vec![0; codebook.len()];
    for (i, &code) in codes.iter().enumerate() {
        if parameter.mask().is_none_or(|mask| mask[i]) {
            counts[usize::from(code)] += 1;
        }
    }
    codebook.to_f32().into_iter().zip(counts).filter(|(_, n)| *n > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_model::Numbers;

    #[test]
    fn bins_hold_every_weight_within_reach() {
        let values = [-1.0, -0.5, 0.0, 0.5, 1.0, 7.0];
        assert_eq!(histogram(&values, 1.0).iter().sum::<usize>(), 5);
    }

    #[test]
    fn ticks_have_the_digits_that_the_axis_needs() {
        assert_eq!(tick(-1e-12, 0.4), "0");
        assert_eq!(tick(-0.2, 0.4), "-0.20");
        assert_eq!(tick(0.012, 0.05), "0.012");
    }

    #[test]
    fn shared_values_count_kept_weights_only() {
        let parameter = Parameter::Shared {
            shape: vec![4],
            codebook: Numbers::F32(vec![-1.0, 2.0]),
            codes: vec![0, 0, 1, 0],
            mask: Some(vec![true, false, true, true]),
        };
        assert_eq!(shared_values(&parameter), [(-1.0, 2), (2.0, 1)]);
    }
}
