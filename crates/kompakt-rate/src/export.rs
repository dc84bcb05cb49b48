//! From connections back to a model: dead units are removed, shared values become codebooks.

use crate::{
    error::RateError,
    layer::{Geometry, SparseLayer},
    net::Net,
};
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_pack::{InMemory, Options, write_to};
use kompakt_prune::{Removed, remove_dead_units};

/// The model of a network with shared values, on `template`'s graph, and the units that it lost.
///
/// `bias_steps` are the grids of each layer's biases.
pub(crate) fn export(
    net: &Net,
    template: &Model,
    bias_steps: &[f32],
) -> Result<(Model, Vec<Removed>), RateError> {
    let mut model = template.clone();
    for (geometry, layer) in net.geometry.iter().zip(&net.layers) {
        let weight = format!("{}.weight", geometry.name);
        model.parameters.insert(weight, dense(geometry, layer));
        let bias = Parameter::dense(vec![geometry.rows()], layer.bias_value.clone());
        model.parameters.insert(format!("{}.bias", geometry.name), bias);
    }
    let removed = remove_dead_units(&mut model, net.block)?;
    for ((geometry, layer), &bias_step) in net.geometry.iter().zip(&net.layers).zip(bias_steps) {
        let weight = format!("{}.weight", geometry.name);
        if let Some(dense) = model.parameters.get(&weight) {
            let shared = share(dense, &layer.level_value);
            model.parameters.insert(weight, shared);
        }
        if let Some(Parameter::Dense { values, .. }) =
            model.parameters.get_mut(&format!("{}.bias", geometry.name))
        {
            *values = scaled(&values.to_f32(), bias_step);
        }
    }
    model.check()?;
    Ok((model, removed))
}

/// The bytes of the smallest file that holds a model.
pub(crate) fn packed_bytes(model: &Model) -> Result<u64, RateError> {
    let mut source = InMemory::ordered(model.clone())?;
    let options = Options::new(kompakt_format::Tier::Smallest).compact();
    Ok(write_to(&mut source, &options, &mut std::io::sink(), &|_, _| ())?.bytes)
}

fn dense(geometry: &Geometry, layer: &SparseLayer) -> Parameter {
    let n = geometry.rows() * geometry.cols();
    let (mut values, mut mask) = (vec![0.0; n], vec![false; n]);
    for (row, (column, value)) in layer.row_of().iter().zip(layer.column.iter().zip(&layer.value)) {
        let at = *row as usize * geometry.cols() + *column as usize;
        (values[at], mask[at]) = (*value, true);
    }
    Parameter::Dense { shape: geometry.shape.clone(), values: Numbers::F32(values), mask: Some(mask) }
}

/// A dense parameter whose kept values are all levels, with codes into the used ones.
fn share(parameter: &Parameter, levels: &[f32]) -> Parameter {
    let values = parameter.to_f32();
    let mut used: Vec<f32> = levels.iter().copied().filter(|l| values.contains(l)).collect();
    used.sort_by(f32::total_cmp);
    used.dedup();
    if used.is_empty() {
        used.push(1.0);
    }
    let codes: Vec<u8> = values.iter().map(|v| used.iter().position(|l| l == v).unwrap_or(0) as u8).collect();
    let mask: Vec<bool> = values.iter().map(|v| *v != 0.0).collect();
    let step = exact_grid(&used);
    Parameter::shared(parameter.shape().to_vec(), &scaled(&used, step), &codes, Some(&mask))
}

/// The largest power of two of which all values are multiples.
fn exact_grid(values: &[f32]) -> f32 {
    let mut step = crate::levels::grid(values, 2);
    while values.iter().any(|v| (v / step).fract() != 0.0) {
        step *= 0.5;
    }
    step
}

fn scaled(values: &[f32], step: f32) -> Numbers {
    Numbers::Scaled { scale: step, integers: values.iter().map(|v| (v / step).round() as i32).collect() }
}
