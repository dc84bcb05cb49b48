//! The coder `smallest` against `fixtures/coders/adaptive-*`, byte by byte, both ways; and the command that makes
//! those files:
//!
//! ```text
//! cargo test -p kompakt-entropy --test adaptive -- --ignored write
//! ```

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

use kompakt_entropy::smallest::{Hints, StreamDecoder, StreamEncoder};
use kompakt_entropy::{EntropyError, WeightsBuf};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{fs, str::FromStr};

const COMMAND: &str = "cargo test -p kompakt-entropy --test adaptive -- --ignored write";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/coders")
}

fn fixtures(start: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        if name.starts_with(start) {
            found.push((name, Value::from_str(&fs::read_to_string(path).unwrap()).unwrap()));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "no fixture starts with {start}");
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect()
}

fn number(part: &Value, key: &str) -> usize {
    usize::try_from(part[key].as_u64().unwrap()).unwrap()
}

/// Shape, levels, and what the graph tells about a tensor.
struct Tensor {
    weights: WeightsBuf,
    producer: Option<Vec<u32>>,
    grid: Option<(usize, usize)>,
}

impl Tensor {
    /// Without its weights.
    fn shape_of(part: &Value) -> Result<Self, EntropyError> {
        let list = |key: &str| part[key].as_array().map(|_| numbers(&part[key]));
        let shape = ["rows", "channels", "taps"].map(|key| number(part, key));
        let is_masked = part["masked"].as_bool().unwrap();
        let weights = WeightsBuf::new(shape, is_masked, number(part, "levels"), number(part, "negative"))?;
        let producer = list("producer").map(|counts| counts.iter().map(|&n| n as u32).collect());
        let grid = list("grid").map(|grid| (grid[0] as usize, grid[1] as usize));
        Ok(Self { weights, producer, grid })
    }

    /// With them: -1 is pruned, everything else a code.
    fn of(part: &Value) -> Self {
        let (mut tensor, list) = (Self::shape_of(part).unwrap(), numbers(&part["weights"]));
        tensor.weights.codes = list.iter().map(|&w| w.max(0) as u8).collect();
        tensor.weights.mask =
            tensor.weights.mask.as_ref().map(|_| list.iter().map(|&w| w >= 0).collect::<Vec<bool>>());
        tensor
    }

    fn hints(&self) -> Hints<'_> {
        Hints { producer: self.producer.as_deref(), grid: self.grid }
    }

    fn list(&self) -> Vec<i64> {
        let view = self.weights.view();
        (0..view.len()).map(|i| if view.is_kept(i) { view.codes[i].into() } else { -1 }).collect()
    }
}

/// Writes the parts of a case. Floats are given as their bits.
fn write(parts: &[Value]) -> Vec<u8> {
    let mut encoder = StreamEncoder::new();
    for part in parts {
        let list = || numbers(&part["numbers"]);
        let singles = || list().iter().map(|&n| f32::from_bits(n as u32)).collect::<Vec<_>>();
        let halves = || list().iter().map(|&n| n as u16).collect::<Vec<_>>();
        let integers = || list().iter().map(|&n| n as i32).collect::<Vec<_>>();
        match (part["part"].as_str().unwrap(), part["ascending"].as_bool().unwrap_or(false)) {
            ("f32", false) => encoder.numbers_f32(&singles()),
            ("f32", true) => encoder.codebook_f32(&singles()).unwrap(),
            ("f16", false) => encoder.numbers_f16(&halves()),
            ("f16", true) => encoder.codebook_f16(&halves()).unwrap(),
            ("integers", false) => encoder.numbers_int(&integers()),
            ("integers", true) => encoder.codebook_int(&integers()).unwrap(),
            _ => {
                let tensor = Tensor::of(part);
                encoder.weights(&tensor.weights.view(), tensor.hints()).unwrap();
            }
        }
    }
    encoder.finish()
}

/// Reads what the parts of a case describe.
fn read(parts: &[Value], bytes: &[u8]) -> Result<Vec<Vec<i64>>, EntropyError> {
    let mut decoder = StreamDecoder::new(bytes);
    let mut all = Vec::new();
    for part in parts {
        let n = part["count"].as_u64().map_or(part["numbers"].as_array().map_or(0, Vec::len), |n| n as usize);
        let (mut singles, mut halves, mut integers) = (vec![0.0; n], vec![0; n], vec![0; n]);
        let kind = part["part"].as_str().unwrap();
        match (kind, part["ascending"].as_bool().unwrap_or(false)) {
            ("f32", false) => decoder.numbers_f32(&mut singles)?,
            ("f32", true) => decoder.codebook_f32(&mut singles)?,
            ("f16", false) => decoder.numbers_f16(&mut halves)?,
            ("f16", true) => decoder.codebook_f16(&mut halves)?,
            ("integers", false) => decoder.numbers_int(&mut integers)?,
            ("integers", true) => decoder.codebook_int(&mut integers)?,
            _ => {
                let mut tensor = Tensor::shape_of(part)?;
                let (producer, grid) = (tensor.producer.clone(), tensor.grid);
                decoder.weights(&mut tensor.weights, Hints { producer: producer.as_deref(), grid })?;
                all.push(tensor.list());
                continue;
            }
        }
        all.push(match kind {
            "f32" => singles.iter().map(|n| n.to_bits().into()).collect(),
            "f16" => halves.iter().map(|&n| n.into()).collect(),
            _ => integers.iter().map(|&n| n.into()).collect(),
        });
    }
    decoder.finish()?;
    Ok(all)
}

fn parts(case: &Value) -> &[Value] {
    case["parts"].as_array().unwrap()
}

#[test]
fn streams_are_written_and_read_so() {
    for (name, case) in fixtures("adaptive-") {
        assert_eq!(hex(&write(parts(&case))), case["bytes"], "{name}");
        let expected: Vec<_> = parts(&case)
            .iter()
            .map(|part| numbers(&part[if part["part"] == "weights" { "weights" } else { "numbers" }]))
            .collect();
        assert_eq!(read(parts(&case), &unhex(&case["bytes"])), Ok(expected), "{name}");
    }
}

#[test]
fn wrong_streams_are_refused_by_rule() {
    for (name, case) in fixtures("bad-adaptive-") {
        let rule = match read(parts(&case), &unhex(&case["bytes"])) {
            Err(EntropyError::Stream { rule, .. }) => rule,
            // What the reader is asked for, before it reads.
            Err(EntropyError::Weights { .. }) => "A-1",
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(rule, case["rule"], "{name}");
    }
}

#[path = "adaptive/make.rs"]
mod make;
