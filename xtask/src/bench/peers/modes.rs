//! Tables of `results/peers.md`: one row per engine and mode, its time beside its own memory.

use super::{
    page::{bytes, file_of, find, milliseconds},
    record::Record,
};
use anyhow::Result;
use std::fmt::Write;

/// What is compared: ONNX Runtime, the int8 engine that runs every network, and each mode of the loader.
const MODES: [&str; 6] = [
    "onnxruntime",
    "openvino-int8",
    "kompakt, unpacked once",
    "kompakt, int8 activations",
    "kompakt, direct from the file",
    "kompakt, stream from the file",
];

/// What stands before the tables.
pub(crate) const HEAD: &str = include_str!("text/modes.md");

/// Batch 1, one thread. A mode has a row where both its time and its memory were measured.
pub(crate) fn table<'r>(records: impl Iterator<Item = &'r Record>, text: &mut String) -> Result<()> {
    writeln!(text, "| network | engine, mode | file | time | ratio | peak RSS |\n|---|---|---|---|---|---|")?;
    for record in records {
        for mode in MODES {
            let cold = record.cold.iter().find(|c| c.engine == mode);
            let (Some(speed), Some(cold)) = (find(record, mode, 1, 1), cold) else { continue };
            writeln!(
                text,
                "| {} | {mode} | {} | {} ms | {:.2} | {:.1} MB |",
                record.title,
                bytes(file_of(record, cold)),
                milliseconds(speed.ms),
                speed.ratio,
                cold.peak_bytes as f64 / 1e6,
            )?;
        }
    }
    writeln!(text)?;
    Ok(())
}
