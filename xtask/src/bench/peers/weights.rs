//! Seeded weights: normal numbers, the largest kept, shared among evenly spaced levels.

use super::networks::Network;
use anyhow::Result;
use kompakt_graph::ParamRole;
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_numbers::{STEP, SplitMix64};
use std::collections::BTreeMap;

/// Normal numbers that depend on the seed alone.
pub(crate) struct Normal {
    numbers: SplitMix64,
    spare: Option<f32>,
}

impl Normal {
    pub(crate) fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(STEP) ^ 0x2545_f491_4f6c_dd1d;
        Self { numbers: SplitMix64::new(state), spare: None }
    }

    fn unit(&mut self) -> f64 {
        self.numbers.unit()
    }

    /// The next; by pairs, after Box and Muller.
    pub(crate) fn next(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some((radius * sin) as f32);
        (radius * cos) as f32
    }
}

/// The network with weights that depend on its name alone.
pub(crate) fn seeded(network: &Network) -> Result<Model> {
    let mut parameters = BTreeMap::new();
    let mut layers = network.layers.iter();
    for (i, param) in network.graph.params().iter().enumerate() {
        let mut normal = Normal::new(i as u64 + 1);
        let n: usize = param.shape.iter().product();
        let parameter = match (param.role, layers.as_slice().first()) {
            (ParamRole::Weight, Some(layer)) => {
                layers.next();
                weight(&mut normal, &param.shape, layer.density, layer.n_levels)
            }
            _ => Parameter::dense(param.shape.clone(), (0..n).map(|_| normal.next() * 0.1).collect()),
        };
        parameters.insert(param.name.clone(), parameter);
    }
    Ok(Model::new(network.graph.clone(), parameters)?)
}

/// The largest values, scaled so that a layer preserves the magnitude of its input.
fn weight(normal: &mut Normal, shape: &[usize], density: f64, n_levels: usize) -> Parameter {
    let n: usize = shape.iter().product();
    let fan_in = (n / shape[0].max(1)) as f32;
    let mut numbers: Vec<f32> = (0..n).map(|_| normal.next()).collect();
    let threshold = threshold(&numbers, density);
    let kept = |v: f32| v.abs() >= threshold;
    let power: f32 = numbers.iter().filter(|v| kept(**v)).map(|v| v * v).sum::<f32>() / n as f32;
    let scale = (2.0 / fan_in / power.max(f32::MIN_POSITIVE)).sqrt();
    let largest = numbers.iter().fold(0f32, |m, v| m.max(v.abs()));
    let half = (n_levels / 2) as f32;
    let step = (largest - threshold) / half;
    let level = |i: f32| (threshold + (i + 0.5) * step) * scale;
    let codebook: Vec<f32> = (0..n_levels / 2)
        .rev()
        .map(|i| -level(i as f32))
        .chain((0..n_levels / 2).map(|i| level(i as f32)))
        .collect();
    let code = |v: f32| {
        let i = ((v.abs() - threshold) / step).clamp(0.0, half - 1.0) as usize;
        if v < 0.0 { n_levels / 2 - 1 - i } else { n_levels / 2 + i }
    };
    let mask: Vec<bool> = numbers.iter().map(|&v| kept(v)).collect();
    let codes = numbers.drain(..).map(|v| if kept(v) { code(v) as u8 } else { 0 }).collect();
    let mask = (!mask.iter().all(|&k| k)).then_some(mask);
    Parameter::Shared { shape: shape.to_vec(), codebook: Numbers::F32(codebook), codes, mask }
}

/// The magnitude that this fraction of the values reaches.
fn threshold(numbers: &[f32], density: f64) -> f32 {
    if density >= 1.0 || numbers.is_empty() {
        return 0.0;
    }
    let mut sizes: Vec<f32> = numbers.iter().map(|v| v.abs()).collect();
    let at = ((sizes.len() as f64 * (1.0 - density)) as usize).min(sizes.len() - 1);
    *sizes.select_nth_unstable_by(at, f32::total_cmp).1
}
