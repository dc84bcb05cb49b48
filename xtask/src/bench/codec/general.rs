//! zstd and xz, each on the form of the tensors that it makes smallest.

use super::{
    network::Network,
    record::{Measured, timed, timed_by},
};
use anyhow::{Context, Result, ensure};
use std::{fs::File, path::Path, process::Command};
use wait4::Wait4;

/// Level of zstd.
const LEVEL: i32 = 19;

type Form = fn(&Network) -> Vec<u8>;

/// How tensors are laid out as bytes, layer by layer.
const FORMS: [(&str, Form); 4] = [
    ("a byte a weight", whole),
    ("bits, codes", map_and_codes),
    ("bits, packed codes", map_and_packed),
    ("gaps, codes", gaps_and_codes),
];

/// zstd -19, xz -9e.
pub(crate) fn measure(network: &Network, folder: &Path) -> Result<[Measured; 2]> {
    let forms: Vec<(&str, Vec<u8>)> = FORMS.iter().map(|(name, form)| (*name, form(network))).collect();
    let best = |codec: &dyn Fn(&[u8]) -> Result<Measured>| -> Result<Measured> {
        let mut best: Option<Measured> = None;
        for (name, bytes) in &forms {
            let measured = Measured { settings: (*name).to_string(), ..codec(bytes)? };
            if best.as_ref().is_none_or(|b| measured.bytes < b.bytes) {
                best = Some(measured);
            }
        }
        best.context("no form")
    };
    Ok([best(&zstd)?, best(&|bytes| xz(bytes, folder))?])
}

fn zstd(bytes: &[u8]) -> Result<Measured> {
    let (encode_s, coded) = timed(|| Ok(zstd::bulk::compress(bytes, LEVEL)?))?;
    let (decode_s, again) = timed(|| Ok(zstd::bulk::decompress(&coded, bytes.len())?))?;
    ensure!(again == bytes, "zstd does not give back what it was given");
    Ok(Measured { bytes: coded.len() as u64, encode_s, decode_s, settings: String::new() })
}

/// With the program, through files.
fn xz(bytes: &[u8], folder: &Path) -> Result<Measured> {
    let (plain, coded) = (folder.join("form.bin"), folder.join("form.bin.xz"));
    std::fs::write(&plain, bytes)?;
    let run = |options: &[&str], from: &Path, to: &Path| {
        let mut command = Command::new("xz");
        let command = command.args(options).stdin(File::open(from)?).stdout(File::create(to)?);
        let end = command.spawn().context("cannot start xz; is it installed?")?.wait4()?;
        ensure!(end.status.success(), "xz failed");
        Ok(((end.rusage.utime + end.rusage.stime).as_secs_f64(), ()))
    };
    let (encode_s, ()) = timed_by(|| run(&["-9e", "-T1", "-c"], &plain, &coded))?;
    let (decode_s, ()) = timed_by(|| run(&["-d", "-T1", "-c"], &coded, &plain))?;
    ensure!(std::fs::read(&plain)? == bytes, "xz does not give back what it was given");
    Ok(Measured { bytes: std::fs::metadata(&coded)?.len(), encode_s, decode_s, settings: String::new() })
}

/// 0 for a pruned weight, else its code from 1 on; with 256 levels the last two share a byte's last value, and what
/// distinguishes them follows.
fn whole(network: &Network) -> Vec<u8> {
    let mut out = Vec::new();
    for layer in &network.layers {
        let view = layer.weights.view();
        let symbols = (0..view.len()).map(|i| if view.is_kept(i) { u16::from(view.codes[i]) + 1 } else { 0 });
        out.extend(symbols.clone().map(|s| s.min(255) as u8));
        if view.n_levels == 256 {
            out.extend(symbols.filter(|&s| s >= 255).map(|s| u8::from(s == 256)));
        }
    }
    out
}

fn packed_bits(bits: impl Iterator<Item = (u8, u32)>) -> Vec<u8> {
    let (mut out, mut buffer, mut filled) = (Vec::new(), 0_u32, 0);
    for (value, width) in bits {
        buffer |= u32::from(value) << filled;
        filled += width;
        while filled >= 8 {
            out.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(buffer as u8);
    }
    out
}

fn kept_codes(layer: &super::network::WeightTensor) -> impl Iterator<Item = u8> + '_ {
    let view = layer.weights.view();
    (0..view.len()).filter(move |&i| view.is_kept(i)).map(move |i| view.codes[i])
}

fn map(layer: &super::network::WeightTensor) -> Vec<u8> {
    let view = layer.weights.view();
    packed_bits((0..view.len()).map(|i| (u8::from(view.is_kept(i)), 1)))
}

fn map_and_codes(network: &Network) -> Vec<u8> {
    network.layers.iter().flat_map(|layer| map(layer).into_iter().chain(kept_codes(layer))).collect()
}

fn map_and_packed(network: &Network) -> Vec<u8> {
    let of = |layer| {
        let mut bytes = map(layer);
        let n_levels: usize = layer.weights.n_levels;
        let width = n_levels.next_power_of_two().trailing_zeros().max(1);
        bytes.extend(packed_bits(kept_codes(layer).map(|code| (code, width))));
        bytes
    };
    network.layers.iter().flat_map(of).collect()
}

/// Pruned weights before each kept one (255: so many and no kept one), then codes.
fn gaps_and_codes(network: &Network) -> Vec<u8> {
    let of = |layer: &super::network::WeightTensor| {
        let view = layer.weights.view();
        let (mut bytes, mut gap) = (Vec::new(), 0_u8);
        for i in 0..view.len() {
            if view.is_kept(i) || gap == 254 {
                bytes.push(if view.is_kept(i) { gap } else { 255 });
                gap = 0;
            } else {
                gap += 1;
            }
        }
        bytes.extend(kept_codes(layer));
        bytes
    };
    network.layers.iter().flat_map(of).collect()
}
