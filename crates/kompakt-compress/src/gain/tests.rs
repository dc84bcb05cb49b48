//! Energies are given back; in a trained network of many layers that pays.

use super::*;
use crate::{
    Images,
    curve::Curve,
    layer::layers,
    moments::moments,
    network::answers,
    quantise::{WeightMatrix, quantise},
};
use kompakt_model::{Model, Parameter};
use trained::trained;

mod trained;

fn energies(pairs: &[(f64, f32, f32)]) -> Energies {
    let mut energies = Energies::default();
    pairs.iter().for_each(|&(weight, w, v)| energies.add(weight, w, w - v));
    energies
}

/// Outputs of a row times its factor have the energy that they had.
#[test]
fn energy_is_what_it_was() {
    let row = [(1.0, 0.5, 0.4), (3.0, -1.2, -1.0), (0.25, 0.1, 0.0), (2.0, 0.7, 0.8)];
    let energy =
        |of: fn(&(f64, f32, f32)) -> f32| row.iter().map(|p| p.0 * f64::from(of(p)).powi(2)).sum::<f64>();
    let gain = f64::from(energies(&row).gain());
    let (before, after) = (energy(|p| p.1), energy(|p| p.2) * gain * gain);
    assert!(gain > 1.0 && (before / after - 1.0).abs() < 1e-5, "{gain}: {before} {after}");
}

/// A row of which nothing is left, or that was nothing, stays as it is; the factor of all rows lies between those of each.
#[test]
fn rows_without_anything_stay() {
    let rows = [energies(&[(1.0, 1.0, 0.0)]), energies(&[(1.0, 0.0, 0.0)]), energies(&[(1.0, 2.0, 1.6)])];
    assert_eq!(gains(&rows, true), [1.0, 1.0, 1.25]);
    let one = gains(&rows, false);
    assert!(one.len() == 3 && one[0] > 1.25 && one.iter().all(|g| *g == one[0]), "{one:?}");
}

#[test]
fn a_codebook_is_multiplied_whatever_its_numbers_are() {
    let mut levels = Numbers::Scaled { scale: 0.5, integers: vec![-3, 2] };
    multiply(&mut levels, 1.5);
    assert_eq!(levels.to_f32(), [-2.25, 1.5]);
    let mut levels = Numbers::F32(vec![1.0, -2.0]);
    multiply(&mut levels, 1.5);
    assert_eq!(levels.to_f32(), [1.5, -3.0]);
}

/// Nine layers of a trained network, each rounded to an error of 5, 10 and 20 % of its weights' energy: on inputs that were not looked at the
/// answers are nearer to the original's with factors. (Those of random networks, which keep every direction of their inputs, are not.)
#[test]
fn errors_of_many_layers_add_up_to_less() {
    let (model, [seen, judges]) = trained(8);
    for error in [0.05, 0.1, 0.2] {
        for (one_each, most) in [(true, 0.75), (false, 0.9)] {
            let [with, without] = differences(&model, &seen, &judges, error, one_each);
            assert!(with < most * without, "{error}: {with} {without}");
        }
    }
}

/// By how much the answers differ when every layer's weights have this relative error, as a part of the answers' energy: with the factors (of
/// each row, or one for all of a layer), and without.
fn differences(model: &Model, seen: &Images, judges: &Images, error: f64, one_each: bool) -> [f64; 2] {
    let inputs = moments(model, seen, 0.01, &|_, _| ()).unwrap_or_else(|e| panic!("{e}"));
    let mut quantised = [model.clone(), model.clone()];
    for (layer, inputs) in layers(model).unwrap_or_else(|e| panic!("{e}")).iter().zip(&inputs) {
        let curve = Curve::of(&layer.weights);
        let point = curve.points.iter().find(|point| point.error > error).unwrap_or(&curve.points[0]);
        let made =
            |has_scale| quantise(WeightMatrix { has_scale, ..layer.view() }, point, Some(inputs), true);
        let apart = made(true);
        let without = apart.weight.to_f32();
        let cols = without.len() / apart.gains.len();
        let with = match one_each {
            true => without.iter().enumerate().map(|(i, v)| apart.gains[i / cols] * v).collect(),
            false => made(false).weight.to_f32(),
        };
        let name = layer.name.replace(".weight", ".bias");
        let bias = model.parameters[&name].to_f32();
        for (network, values) in quantised.iter_mut().zip([with, without]) {
            let mean = &inputs.groups[0].mean;
            let shifted = |(row, bias): (usize, &f32)| {
                let lost = |(i, m): (usize, &f32)| (layer.weights[i] - values[i]) * m;
                bias + (row * cols..).zip(mean).map(lost).sum::<f32>()
            };
            let shifted = bias.iter().enumerate().map(shifted).collect();
            network.parameters.insert(name.clone(), Parameter::dense(vec![bias.len()], shifted));
            network.parameters.insert(layer.name.clone(), Parameter::dense(layer.shape.clone(), values));
        }
    }
    let answers = |model: &Model| answers(model, judges).unwrap_or_else(|e| panic!("{e}"));
    let original = answers(model);
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let energy = square(&mut original.iter().copied());
    quantised.map(|network| square(&mut answers(&network).iter().zip(&original).map(|(a, b)| a - b)) / energy)
}
