//! Files of a network whose weights are kept or dropped in blocks, with a flag for each block and with one for each weight:
//! `cargo run --release -p kompakt-pack --example block_sizes MODEL.safetensors [1x4 DENSITY [OUT.safetensors]]`.
//!
//! With a block and a density, weights are first pruned to that share of each layer by the blocks' norms, and shared by 15 levels
//! where they are not yet.
#![allow(clippy::print_stdout)]

use kompakt_format::{Decoded, Tier};
use kompakt_model::{Block, Model, Numbers, Parameter};
use kompakt_pack::{About, InMemory, Options, PackError, Source, write_to};
use std::{env, fs::File, sync::Arc};

/// The same network with a flag for each weight.
struct Single(InMemory);

impl Source for Single {
    fn about(&self) -> &About {
        self.0.about()
    }
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError> {
        let mut decoded = Arc::unwrap_or_clone(self.0.parameter(index)?);
        if let Decoded::Shared { weights, .. } = &mut decoded {
            weights.block = 1;
        }
        Ok(Arc::new(decoded))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let path = arguments.first().ok_or("a model is missing")?;
    let mut model = Model::read(File::open(path)?, None)?;
    if let [_, block, density, ..] = &arguments[..] {
        prune(&mut model, block.parse()?, density.parse()?);
    }
    if let Some(path) = arguments.get(3) {
        model.write(path.as_ref())?;
        return Ok(());
    }
    share(&mut model);
    let (mut blocks, mut single) = (InMemory::ordered(model.clone())?, Single(InMemory::ordered(model)?));
    for tier in [Tier::Smallest, Tier::Stream, Tier::Direct] {
        let options = Options::new(tier).minimal();
        let size =
            |source: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), PackError>| -> Result<usize, PackError> {
                let mut bytes = Vec::new();
                source(&mut bytes).map(|()| bytes.len())
            };
        let with = size(&mut |bytes| write_to(&mut blocks, &options, bytes, &|_, _| ()).map(|_| ()))?;
        let without = size(&mut |bytes| write_to(&mut single, &options, bytes, &|_, _| ()).map(|_| ()))?;
        let saved = 100.0 * (1.0 - with as f64 / without as f64);
        println!(
            "{:<9} {with:>9} bytes, {without:>9} with a flag for each weight: {saved:.1} % less",
            tier.name()
        );
    }
    Ok(())
}

/// Sets the masks of weights that are not shared.
fn prune(model: &mut Model, block: Block, density: f64) {
    for (_, parameter) in model.parameters.iter_mut().filter(|(name, _)| name.ends_with(".weight")) {
        let Parameter::Dense { shape, values, mask } = parameter else { continue };
        if shape.len() < 2 {
            continue;
        }
        let mut weights = values.to_f32();
        let norms = block.norms(shape, &weights);
        let mut sorted = norms.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let least = sorted[((density * sorted.len() as f64) as usize).min(sorted.len() - 1)];
        let kept: Vec<bool> = norms.iter().map(|norm| *norm >= least).collect();
        weights.iter_mut().zip(&kept).filter(|(_, kept)| !**kept).for_each(|(w, _)| *w = 0.0);
        *values = Numbers::F32(weights);
        *mask = kept.contains(&false).then_some(kept);
    }
}

/// Gives weights that are not shared 15 evenly spaced levels without zero.
fn share(model: &mut Model) {
    let names: Vec<String> = model.graph.weights().map(|p| p.name.clone()).collect();
    for name in names {
        let Some(Parameter::Dense { shape, values, mask }) = model.parameters.get(&name).cloned() else {
            continue;
        };
        let weights = values.to_f32();
        let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        let level = |w: f32| ((w / largest * 8.0).floor().clamp(-8.0, 7.0) + 8.0) as u8;
        let kept = |i: usize| mask.as_ref().is_none_or(|mask| mask[i]);
        let codes: Vec<u8> =
            weights.iter().enumerate().map(|(i, &w)| if kept(i) { level(w) } else { 0 }).collect();
        let codebook = Numbers::F32((0..16).map(|i| (i as f32 - 7.5) * largest / 8.0).collect());
        model.parameters.insert(name, Parameter::shared(shape, &codebook, &codes, mask.as_deref()));
    }
}
