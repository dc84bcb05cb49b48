//! The coder `smallest` against `fixtures/coders/adaptive-*`, byte by byte, both ways; and the command that makes
//! those files:
//!
//! ```text
//! cargo test -p kompakt-entropy --test adaptive -- --ignored write
//! ```

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

use kompakt_entropy::smallest::{Hints, StreamDecoder, StreamEncoder};
use kompakt_entropy::{EntropyError, MaskedCodesBuf};
use serde_json::{Value, json};
use std::fs;

#[path = "fixtures/cases.rs"]
mod cases;
use cases::{fixtures, folder, hex, number, numbers, save, unhex};

const COMMAND: &str = "cargo test -p kompakt-entropy --test adaptive -- --ignored write";

/// Which models weights are coded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Models {
    Rich,
    Quick,
}

/// Shape, levels, and what the graph tells about a tensor.
struct Tensor {
    weights: MaskedCodesBuf,
    producer: Option<Vec<u32>>,
    grid: Option<(usize, usize)>,
}

impl Tensor {
    /// Without its weights.
    fn shape_of(part: &Value) -> Result<Self, EntropyError> {
        let list = |key: &str| part[key].as_array().map(|_| numbers(&part[key]));
        let shape = ["rows", "channels", "taps"].map(|key| number(part, key));
        let is_masked = part["masked"].as_bool().unwrap();
        let weights =
            MaskedCodesBuf::new(shape, is_masked, number(part, "levels"), number(part, "negative"))?
                .with_trellis(part["trellis"].as_bool().unwrap_or(false));
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
fn write(models: Models, parts: &[Value]) -> Vec<u8> {
    let mut encoder = if models == Models::Rich { StreamEncoder::new() } else { StreamEncoder::quick() };
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
fn read(models: Models, parts: &[Value], bytes: &[u8]) -> Result<Vec<Vec<i64>>, EntropyError> {
    let mut decoder =
        if models == Models::Rich { StreamDecoder::new(bytes) } else { StreamDecoder::quick(bytes) };
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

fn parts(case: &Value) -> (Models, &[Value]) {
    let models = if case["models"] == "quick" { Models::Quick } else { Models::Rich };
    (models, case["parts"].as_array().unwrap())
}

#[test]
fn streams_are_written_and_read_so() {
    for (name, case) in fixtures("adaptive-") {
        let (models, parts) = parts(&case);
        assert_eq!(hex(&write(models, parts)), case["bytes"], "{name}");
        let expected: Vec<_> = parts
            .iter()
            .map(|part| numbers(&part[if part["part"] == "weights" { "weights" } else { "numbers" }]))
            .collect();
        assert_eq!(read(models, parts, &unhex(&case["bytes"])), Ok(expected), "{name}");
    }
}

#[test]
fn wrong_streams_are_refused_by_rule() {
    for (name, case) in fixtures("bad-adaptive-") {
        let (models, parts) = parts(&case);
        let rule = match read(models, parts, &unhex(&case["bytes"])) {
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
