//! The bytes of a file as a table for people.

use crate::account::{Account, ParameterRow};
use kompakt_format::NumberFormat;
use std::fmt::Write;

/// Titles, and whether the column is text.
const COLUMNS: [(&str, bool); 12] = [
    ("", true),
    ("shape", true),
    ("kept", false),
    ("bits/kept", false),
    ("levels", true),
    ("coder", true),
    ("map", false),
    ("codes", false),
    ("numbers", false),
    ("overhead", false),
    ("entropy", false),
    ("bytes", false),
];

/// One line per parameter, one for everything else, and the sum, which is the length of the file.
///
/// `dense_bytes`: size of the network as it entered the pipeline, for the ratio.
pub fn table(account: &Account, dense_bytes: Option<u64>) -> String {
    let mut lines = vec![COLUMNS.map(|(title, _)| title.to_string())];
    lines.extend(account.parameters.iter().map(parameter_line));
    for other in &account.others {
        let mut line = [const { String::new() }; 12];
        line[0] = if other.is_ancillary { format!("{} *", other.name) } else { other.name.clone() };
        line[11] = other.bytes.to_string();
        lines.push(line);
    }
    let bytes = account.bytes();
    let mut total = [const { String::new() }; 12];
    total[0] = "file".to_string();
    total[11] = bytes.to_string();
    lines.push(total);
    let mut text = aligned(&lines);
    if account.ancillary_bytes() > 0 {
        let _ = writeln!(text, "* {} bytes that --minimal leaves out", account.ancillary_bytes());
    }
    if let Some(dense) = dense_bytes.filter(|_| bytes > 0) {
        let _ = writeln!(text, "{dense} bytes as dense f32: {:.1}x", dense as f64 / bytes as f64);
    }
    text
}

fn parameter_line(row: &ParameterRow) -> [String; 12] {
    let shape: Vec<String> = row.shape.iter().map(usize::to_string).collect();
    let format = match row.format {
        NumberFormat::F32 => "f32",
        NumberFormat::F16 => "f16",
        NumberFormat::Scaled => "int",
    };
    let codes = if row.n_levels.is_some() || row.map_bytes.is_some() {
        row.codes_bytes.to_string()
    } else {
        String::new()
    };
    [
        row.name.clone(),
        shape.join("x"),
        format!("{:.2} %", 100.0 * row.n_kept as f64 / row.n as f64),
        format!("{:.2}", 8.0 * row.bytes() as f64 / row.n_kept.max(1) as f64),
        row.n_levels.map_or_else(|| format.to_string(), |n| format!("{n} {format}")),
        row.coder.to_string(),
        row.map_bytes.map_or_else(String::new, |n| n.to_string()),
        codes,
        row.numbers_bytes.to_string(),
        row.overhead_bytes.to_string(),
        if row.entropy_bytes > 0.0 { format!("{:.0}", row.entropy_bytes) } else { String::new() },
        row.bytes().to_string(),
    ]
}

/// Columns as wide as their widest cell, numbers to the right.
fn aligned(lines: &[[String; 12]]) -> String {
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut written = String::new();
        for ((cell, width), (_, is_text)) in line.iter().zip(&widths).zip(COLUMNS) {
            if is_text {
                let _ = write!(written, "{cell:<width$}  ");
            } else {
                let _ = write!(written, "{cell:>width$}  ");
            }
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
    text
}
