//! Levels of each layer under a byte budget that all layers share.
//!
//! ```text
//! least  sum over layers of  squared error / energy of the layer
//! with   sum over layers of  kept x entropy of the codes + levels x bits of an entry  <=  budget
//! ```
//!
//! Every layer is clustered with each of [`SIZES`] levels; from the smallest on, the step that saves the most
//! error per bit is taken as long as it fits; steps that only pay together are taken together (the lower
//! convex hull, Shoham and Gersho 1988).

use crate::{
    cluster::Options, error::ClusterError, layer::share, number_format::NumberFormat, report::LayerReport,
};
use kompakt_model::{Model, Parameter};
use rayon::prelude::*;

/// The codebook sizes that are tried.
const SIZES: [usize; 15] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// Rate and distortion of a layer with some number of levels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Choice {
    n_levels: usize,
    bits: f64,
    error: f64,
}

/// Levels of each layer, in the order of [`kompakt_graph::Graph::weights`], for codes and codebooks of at most
/// `budget_bytes` together: codes at their entropy, positions and biases not counted. `options.n_levels` is not read.
///
/// Errors: a budget below that of two levels everywhere (the smallest possible one is named); layers that are
pub fn levels_within(
    model: &Model,
    options: &Options,
    budget_bytes: u64,
) -> Result<Vec<usize>, ClusterError> {
    let names: Vec<&String> = model.graph.weights().map(|p| &p.name).collect();
    let choices = names
        .par_iter()
        .enumerate()
        .map(|(layer, name)| choices(name, &model.parameters[*name], options, layer))
        .collect::<Result<Vec<_>, _>>()?;
    choose(&choices, budget_bytes as f64 * 8.0)
}

/// The choices on the lower convex hull of error over bits, from few bits to many.
fn choices(
    name: &str,
    parameter: &Parameter,
    options: &Options,
    layer: usize,
) -> Result<Vec<Choice>, ClusterError> {
    let seed = options.seed.wrapping_add((layer as u64) << 32);
    let mut all = Vec::with_capacity(SIZES.len());
    for n_levels in SIZES {
        let (shared, report) =
            share(name, parameter, options.method, n_levels, options.codebook_format, seed)?;
        all.push(Choice { n_levels, bits: bits(&shared, &report), error: report.relative_mse });
    }
    Ok(hull(all))
}

fn bits(shared: &Parameter, report: &LayerReport) -> f64 {
    let entry = match shared {
        Parameter::Shared { codebook, .. } => match NumberFormat::of(codebook) {
            NumberFormat::F32 => 32,
            NumberFormat::F16 => 16,
            NumberFormat::Int(bits) => bits,
        },
        Parameter::Dense { .. } => 32,
    };
    report.n_kept as f64 * report.entropy_bits + f64::from(entry) * report.n_levels as f64
}

/// The points that no mixture of others beats, by increasing bits.
fn hull(mut all: Vec<Choice>) -> Vec<Choice> {
    all.sort_by(|a, b| a.bits.total_cmp(&b.bits).then(a.error.total_cmp(&b.error)));
    let mut hull: Vec<Choice> = Vec::new();
    for next in all {
        if hull.last().is_some_and(|last| next.error >= last.error) {
            continue;
        }
        while let [.., before, last] = hull[..] {
            if gain(&before, &last) > gain(&last, &next) {
                break;
            }
            hull.pop();
        }
        hull.push(next);
    }
    hull
}

/// Error saved per bit.
fn gain(from: &Choice, to: &Choice) -> f64 {
    (from.error - to.error) / (to.bits - from.bits).max(f64::MIN_POSITIVE)
}

/// Walks up the hulls of all layers, the best step first; a step that does not fit ends its layer's walk.
fn choose(layers: &[Vec<Choice>], budget_bits: f64) -> Result<Vec<usize>, ClusterError> {
    let mut at = vec![0; layers.len()];
    let mut spent: f64 = layers.iter().map(|hull| hull[0].bits).sum();
    if spent > budget_bits {
        let least_bytes = (spent / 8.0).ceil() as u64;
        return Err(ClusterError::Budget { budget_bytes: (budget_bits / 8.0) as u64, least_bytes });
    }
    let mut is_done: Vec<bool> = layers.iter().map(|hull| hull.len() == 1).collect();
    loop {
        let step = |layer: usize| (&layers[layer][at[layer]], &layers[layer][at[layer] + 1]);
        let gain_of = |&layer: &usize| gain(step(layer).0, step(layer).1);
        let open = (0..layers.len()).filter(|&layer| !is_done[layer]);
        // On a tie the first.
        let Some(layer) = open.rev().max_by(|a, b| gain_of(a).total_cmp(&gain_of(b))) else { break };
        let cost = step(layer).1.bits - step(layer).0.bits;
        if spent + cost <= budget_bits {
            spent += cost;
            at[layer] += 1;
            is_done[layer] = at[layer] + 1 == layers[layer].len();
        } else {
            is_done[layer] = true;
        }
    }
    Ok(layers.iter().zip(at).map(|(hull, at)| hull[at].n_levels).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbtest::arbtest;

    fn layer(points: &[(f64, f64)]) -> Vec<Choice> {
        let choice = |(i, &(bits, error)): (usize, &(f64, f64))| Choice { n_levels: i + 2, bits, error };
        hull(points.iter().enumerate().map(choice).collect())
    }

    #[test]
    fn a_step_that_pays_only_later_is_not_in_the_way() {
        let hull = layer(&[(0.0, 1.0), (10.0, 0.99), (20.0, 0.0)]);
        assert_eq!(hull.iter().map(|c| c.n_levels).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn bits_go_where_they_save_the_most() {
        let steep = layer(&[(10.0, 1.0), (20.0, 0.2), (30.0, 0.1)]);
        let flat = layer(&[(10.0, 0.3), (20.0, 0.25), (30.0, 0.24)]);
        assert_eq!(choose(&[flat.clone(), steep.clone()], 39.0).unwrap(), [2, 3]);
        assert_eq!(choose(&[flat.clone(), steep.clone()], 40.0).unwrap(), [2, 4]);
        assert_eq!(choose(&[flat.clone(), steep.clone()], 1000.0).unwrap(), [4, 4]);
        let error = choose(&[flat, steep], 19.0).unwrap_err();
        assert_eq!(error, ClusterError::Budget { budget_bytes: 2, least_bytes: 3 });
    }

    #[test]
    fn what_is_left_of_a_budget_is_less_than_any_step() {
        arbtest(|u| {
            let mut layers = Vec::new();
            for _ in 0..3 {
                let mut points = Vec::new();
                for _ in 0..4 {
                    points.push((f64::from(u.int_in_range(1..=60u8)?), f64::from(u.int_in_range(0..=99u8)?)));
                }
                layers.push(layer(&points));
            }
            let budget = f64::from(u.int_in_range(1..=180u8)?);
            let Ok(found) = choose(&layers, budget) else { return Ok(()) };
            let at = |hull: &Vec<Choice>, n: usize| hull.iter().position(|c| c.n_levels == n).unwrap();
            let spent: f64 = layers.iter().zip(&found).map(|(hull, &n)| hull[at(hull, n)].bits).sum();
            assert!(spent <= budget);
            for (hull, &n) in layers.iter().zip(&found) {
                let here = at(hull, n);
                let next = hull.get(here + 1);
                assert!(next.is_none_or(|next| spent - hull[here].bits + next.bits > budget));
            }
            Ok(())
        });
    }
}
