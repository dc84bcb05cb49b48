//! Two editions of a small network: weights of the second were trained on, some dropped, some added; its hidden units were
//! put into another order by the packer.

use kompakt_format::Tier;
use kompakt_graph::networks;
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_pack::{
    InMemory, Options,
    synthetic::{self, NumberChoice, Random, Recipe},
    write_to,
};

/// A perceptron with random weights.
pub(crate) fn first(numbers: NumberChoice, n_levels: usize, density: f64) -> Model {
    let graph = networks::mlp(&[1, 12, 12], &[40, 20], 10).expect("a network");
    synthetic::model(graph, Recipe { density, n_levels, numbers, seed: 7 }).expect("a model")
}

/// The next edition: this share of the weights is another, and every bias and centroid a little.
pub(crate) fn next(model: &Model, share: f64) -> Model {
    let mut random = Random::new(3);
    let mut model = model.clone();
    for parameter in model.parameters.values_mut() {
        match parameter {
            Parameter::Shared { codebook, codes, mask, .. } => {
                let top = codebook.len() as u8 - 1;
                for i in 0..codes.len() {
                    if random.unit() >= share {
                        continue;
                    }
                    match mask {
                        Some(mask) if random.unit() < 0.3 => {
                            mask[i] = !mask[i];
                            codes[i] = if mask[i] { random.below(usize::from(top) + 1) as u8 } else { 0 };
                        }
                        Some(mask) if !mask[i] => {}
                        _ => codes[i] = if codes[i] == top { top.saturating_sub(1) } else { codes[i] + 1 },
                    }
                }
                if share < 1.0 {
                    grow(codebook, 1.01);
                }
            }
            Parameter::Dense { values, .. } => grow(values, 1.02),
        }
    }
    model
}

fn grow(numbers: &mut Numbers, factor: f32) {
    match numbers {
        Numbers::F32(values) => values.iter_mut().for_each(|value| *value *= factor),
        Numbers::Scaled { scale, .. } => *scale *= factor,
        // The next number of the format.
        Numbers::F16(bits) => bits.iter_mut().for_each(|bits| *bits += u16::from(*bits & 0x7fff != 0)),
    }
}

/// The bytes of a packed model, its hidden units in the packer's order.
pub(crate) fn packed(model: &Model, tier: Tier) -> Vec<u8> {
    let mut source = InMemory::ordered(model.clone()).expect("a model that can be packed");
    let mut bytes = Vec::new();
    write_to(&mut source, &Options::new(tier).minimal(), &mut bytes, &|_, _| {}).expect("packed");
    bytes
}
