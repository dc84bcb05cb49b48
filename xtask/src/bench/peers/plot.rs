//! Bars: the ratio of every engine to ONNX Runtime, batch 1, one thread.

use super::record::Record;
use std::fmt::Write;

const BAR: f64 = 11.0;
const GAP: f64 = 12.0;
const LEFT: f64 = 330.0;
const WIDTH: f64 = 900.0;
/// Ratios past this one are cut.
const MOST: f64 = 1.5;

/// An SVG.
pub(crate) fn ratios(machine: &str, records: &[&Record]) -> String {
    let scale = (WIDTH - LEFT - 70.0) / MOST;
    let mut body = String::new();
    let mut y = 42.0;
    for record in records {
        let bars: Vec<_> = record.speeds.iter().filter(|s| s.batch == 1 && s.threads == 1).collect();
        text(&mut body, 8.0, y + 9.0, "start", "bold", &record.title);
        for speed in bars {
            let colour = match speed.engine.as_str() {
                name if name.starts_with("kompakt") => "#2f6db5",
                name if name.ends_with("int8") => "#b84a62",
                _ => "#8a93a3",
            };
            let len = speed.ratio.min(MOST) * scale;
            let _ = write!(
                body,
                r#"<rect x="{LEFT}" y="{y:.1}" width="{len:.1}" height="{:.1}" fill="{colour}"/>"#,
                BAR - 2.0
            );
            text(&mut body, LEFT - 6.0, y + 8.0, "end", "normal", &speed.engine);
            text(&mut body, LEFT + len + 4.0, y + 8.0, "start", "normal", &format!("{:.2}", speed.ratio));
            y += BAR;
        }
        y += GAP;
    }
    let mut lines = String::new();
    for tick in [0.25, 0.5, 1.0] {
        let x = LEFT + tick * scale;
        let _ = write!(lines, r##"<line x1="{x:.1}" y1="34" x2="{x:.1}" y2="{y:.0}" stroke="#d5dae3"/>"##);
        text(&mut lines, x, 30.0, "middle", "normal", &format!("{tick}"));
    }
    text(
        &mut lines,
        8.0,
        16.0,
        "start",
        "bold",
        &format!("{machine}: time of a run, ONNX Runtime f32 = 1 (batch 1, one thread; lower is better)"),
    );
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0}" font-family="system-ui, sans-serif" font-size="10" fill="#333d4d"><rect width="100%" height="100%" fill="#ffffff"/>{lines}{body}</svg>
"##
    )
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, weight: &str, text: &str) {
    let _ = write!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-weight="{weight}">{text}</text>"#
    );
}
