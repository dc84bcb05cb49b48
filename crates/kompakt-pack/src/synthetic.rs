//! Clustered networks with random weights that depend on a seed alone: for fixtures, tests and benches.

use kompakt_graph::{Graph, Param, ParamRole};
use kompakt_model::{CheckpointError, Model, Numbers, Parameter};
use kompakt_numbers::SplitMix64;
use std::collections::BTreeMap;

/// Numbers that depend on a seed alone.
#[derive(Debug, Clone)]
pub struct Random(SplitMix64);

impl Random {
    /// A different sequence for every seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }
    /// 0 up to 1, exclusive.
    pub fn unit(&mut self) -> f64 {
        self.0.unit()
    }
    /// 0 up to `n`, exclusive.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

/// How the values of a network are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberChoice {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Integers of at most 8 bits times a scale.
    Scaled,
}

/// The kind of weights to generate.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Share of the weights that are kept, 0 to 1; 1: no mask.
    pub density: f64,
    /// Entries of each codebook, 1 to 256; 0: no codebook, dense weights.
    pub n_levels: usize,
    /// The numbers' format.
    pub numbers: NumberChoice,
    /// The source of random numbers.
    pub seed: u64,
}

/// A network with random weights: units and inputs differ in density, levels near zero are more likely,
/// as in trained ones.
///
/// Errors: none for a graph without batch norm; its statistics are made positive.
pub fn model(graph: Graph, recipe: Recipe) -> Result<Model, CheckpointError> {
    let mut random = Random::new(recipe.seed);
    let mut parameters = BTreeMap::new();
    for param in graph.params() {
        let parameter = match param.role {
            ParamRole::Weight if recipe.n_levels > 0 => shared(param, &recipe, &mut random),
            ParamRole::Weight => dense(param, &recipe, &mut random),
            ParamRole::PerChannel => {
                let values = (0..param.len()).map(|_| random.unit() as f32 + 0.125).collect();
                Parameter::Dense { shape: param.shape.clone(), values: stored(values, &recipe), mask: None }
            }
        };
        parameters.insert(param.name.clone(), parameter);
    }
    Model::new(graph, parameters)
}

fn shared(param: &Param, recipe: &Recipe, random: &mut Random) -> Parameter {
    let n_levels = recipe.n_levels;
    // Levels are symmetric around zero, which is not one of them.
    let steps: Vec<i32> = (0..n_levels as i32).map(|l| l - n_levels as i32 / 2).collect();
    let steps: Vec<i32> = steps.into_iter().map(|s| if s < 0 { s } else { s + 1 }).collect();
    let codebook = stored(steps.iter().map(|&s| s as f32 * 0.0625).collect(), recipe);
    let mask = mask(param, recipe.density, random);
    let code = |random: &mut Random| {
        let spread = (random.unit() + random.unit() + random.unit()) / 3.0;
        ((spread * n_levels as f64) as usize).min(n_levels - 1) as u8
    };
    let codes =
        (0..param.len()).map(|i| if mask.as_ref().is_none_or(|m| m[i]) { code(random) } else { 0 }).collect();
    Parameter::Shared { shape: param.shape.clone(), codebook, codes, mask }
}

fn dense(param: &Param, recipe: &Recipe, random: &mut Random) -> Parameter {
    let mask = mask(param, recipe.density, random);
    let value = |random: &mut Random| (random.unit() + random.unit() - 1.0) as f32 * 0.25;
    let values = (0..param.len())
        .map(|i| if mask.as_ref().is_none_or(|m| m[i]) { value(random) } else { 0.0 })
        .collect();
    Parameter::Dense { shape: param.shape.clone(), values: stored(values, recipe), mask }
}

/// Rows and columns have densities of their own, around the given one.
fn mask(param: &Param, density: f64, random: &mut Random) -> Option<Vec<bool>> {
    if density >= 1.0 {
        return None;
    }
    let rows = param.shape[0];
    let cols = param.len() / rows;
    let mut skewed = |n| (0..n).map(|_| 0.2 + 1.6 * random.unit()).collect::<Vec<f64>>();
    let (row, col) = (skewed(rows), skewed(cols));
    let kept = |i: usize, random: &mut Random| random.unit() < density * row[i / cols] * col[i % cols];
    let mut mask: Vec<bool> = (0..param.len()).map(|i| kept(i, random)).collect();
    // At least one weight of each kind, however small the tensor.
    if let [first, .., last] = mask.as_mut_slice() {
        (*first, *last) = (true, false);
    }
    Some(mask)
}

fn stored(values: Vec<f32>, recipe: &Recipe) -> Numbers {
    let values = Numbers::F32(values);
    match recipe.numbers {
        NumberChoice::F32 => values,
        NumberChoice::F16 => values.to_f16(),
        // A codebook of up to 256 levels needs 9 bits for all its steps to differ.
        NumberChoice::Scaled => values.to_scaled(9),
    }
}
