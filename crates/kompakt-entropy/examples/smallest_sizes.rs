//! Sizes of clustered networks in the `smallest` coder, layer by layer.
//!
//! `cargo run --release -p kompakt-entropy --example smallest_sizes -- FILE.safetensors ...`
//!
//! A file holds `X.codebook`, `X.codes` and `X.mask` of every layer, and one metadata entry `layers`: the layers in
//! order, each with the height and width of the picture that its rows are, as in `fc1.weight 28 28;fc2.weight 1 1`.

#![allow(clippy::print_stdout, reason = "a command-line example")]

use kompakt_entropy::{
    MaskedCodes, MaskedCodesBuf,
    order::unit_order,
    smallest::{Hints, StreamDecoder, StreamEncoder},
};
use safetensors::SafeTensors;
use std::{env, error::Error, fs, time::Instant};

struct NamedWeights {
    name: String,
    weights: MaskedCodesBuf,
    grid: (usize, usize),
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut sum = 0.0;
    for path in env::args().skip(1) {
        let mut layers = read(&fs::read(&path)?)?;
        if env::var("UNORDERED").is_err() {
            reorder(&mut layers);
        }
        let bytes = encode(&layers, layers.len());
        let start = Instant::now();
        check(&layers, &bytes)?;
        let seconds = start.elapsed().as_secs_f64();
        let n: usize = layers.iter().map(|l| l.weights.codes.len()).sum();
        let mut parts = String::new();
        let mut before = 0;
        for i in 1..=layers.len() {
            let len = encode(&layers, i).len();
            let layer = &layers[i - 1];
            let bits = (len - before) as f64 * 8.0 / layer.weights.view().n_kept() as f64;
            parts += &format!("  {} {} ({bits:.2})", layer.name, len - before);
            before = len;
        }
        let stem = path.rsplit('/').next().unwrap_or(&path).trim_end_matches(".safetensors");
        println!("{stem:<16} {:>7}   {:>5.1} M/s {parts}", bytes.len(), n as f64 / seconds / 1e6);
        sum += (bytes.len() as f64).ln();
    }
    println!("mean log {:.5}", sum / (env::args().len() - 1) as f64);
    Ok(())
}

fn read(file: &[u8]) -> Result<Vec<NamedWeights>, Box<dyn Error>> {
    let (_, header) = SafeTensors::read_metadata(file)?;
    let list = header.metadata().as_ref().and_then(|m| m.get("layers")).ok_or("no entry `layers`")?;
    let tensors = SafeTensors::deserialize(file)?;
    let mut layers = Vec::new();
    for entry in list.split(';') {
        let mut words = entry.split(' ');
        let name = words.next().unwrap_or_default().to_string();
        let mut side = || words.next().unwrap_or("1").parse::<usize>();
        let grid = (side()?, side()?);
        let codes = tensors.tensor(&format!("{name}.codes"))?;
        let mask = tensors.tensor(&format!("{name}.mask"))?;
        let codebook = tensors.tensor(&format!("{name}.codebook"))?;
        let n_negative = codebook.data().chunks(4).filter(|b| b[3] >> 7 == 1).count();
        let shape = codes.shape();
        let shape = [shape[0], shape[1], shape[2..].iter().product()];
        let mut weights = MaskedCodesBuf::new(shape, true, codebook.shape()[0], n_negative)?;
        weights.codes.copy_from_slice(codes.data());
        weights.mask = Some(mask.data().iter().map(|&b| b == 1).collect());
        layers.push(NamedWeights { name: name.trim_end_matches(".weight").to_string(), weights, grid });
    }
    Ok(layers)
}

/// Puts the hidden units of a chain of layers in their best order.
fn reorder(layers: &mut [NamedWeights]) {
    for i in 0..layers.len() - 1 {
        let order = unit_order(&layers[i].weights.view(), Some(&layers[i + 1].weights.view()));
        let (row_len, len) = (layers[i].weights.view().row_len(), layers[i].weights.view().len());
        layers[i].weights = gather(&layers[i].weights, &order, row_len, len);
        let row_len = layers[i + 1].weights.view().row_len();
        layers[i + 1].weights = gather(&layers[i + 1].weights, &order, row_len / order.len(), row_len);
    }
}

/// Reorders the spans of `span` weights within every `period` weights.
fn gather(weights: &MaskedCodesBuf, order: &[u32], span: usize, period: usize) -> MaskedCodesBuf {
    let mut to = weights.clone();
    for start in (0..weights.codes.len()).step_by(period) {
        for (new, &old) in order.iter().enumerate() {
            let (new, old) = (start + new * span, start + old as usize * span);
            to.codes[new..new + span].copy_from_slice(&weights.codes[old..old + span]);
            if let (Some(to), Some(from)) = (&mut to.mask, &weights.mask) {
                to[new..new + span].copy_from_slice(&from[old..old + span]);
            }
        }
    }
    to
}

/// For every channel of `weights`, how many weights the unit that makes it has kept.
fn producers(before: Option<&NamedWeights>, weights: &MaskedCodes<'_>) -> Option<Vec<u32>> {
    let before = before?.weights.view();
    let kept = |unit: usize| {
        let row = unit * before.row_len()..(unit + 1) * before.row_len();
        row.filter(|&i| before.is_kept(i)).count() as u32
    };
    let counts: Vec<u32> = (0..before.rows).map(kept).collect();
    let span = weights.channels / before.rows;
    Some((0..weights.channels).map(|c| counts[c / span]).collect())
}

fn encode(layers: &[NamedWeights], n: usize) -> Vec<u8> {
    let mut encoder = StreamEncoder::new();
    for (i, layer) in layers[..n].iter().enumerate() {
        let producer = producers(i.checked_sub(1).map(|i| &layers[i]), &layer.weights.view());
        let hints = Hints { producer: producer.as_deref(), grid: Some(layer.grid) };
        encoder.weights(&layer.weights.view(), hints).expect("valid weights");
    }
    encoder.finish()
}

fn check(layers: &[NamedWeights], bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut decoder = StreamDecoder::new(bytes);
    for (i, layer) in layers.iter().enumerate() {
        let w = &layer.weights;
        let producer = producers(i.checked_sub(1).map(|i| &layers[i]), &w.view());
        let hints = Hints { producer: producer.as_deref(), grid: Some(layer.grid) };
        let mut read = MaskedCodesBuf::new([w.rows, w.channels, w.taps], true, w.n_levels, w.n_negative)?;
        decoder.weights(&mut read, hints)?;
        if read != *w {
            return Err(format!("{}: not the same after decoding", layer.name).into());
        }
    }
    Ok(decoder.finish()?)
}
