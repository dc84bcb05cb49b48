//! From weights in training back to a model with codebooks and formats in the interchange's form.

use crate::finetune::error::FinetuneError;
use kompakt_cluster::{NumberFormat, settle};
use kompakt_engine::{Network, Trainable};
use kompakt_model::{Model, Parameter};

/// `model` with the network's weights, each parameter rounded to the format that it has in `model`.
///
/// Centroids that crossed are put in order, with their codes; equal ones are merged; one that reached zero stays
/// next to it. Masks are the network's.
///
/// Errors: a network of another graph.
pub fn settled(model: &Model, network: &Network) -> Result<Model, FinetuneError> {
    let mut result = model.clone();
    network.store(&mut result)?;
    for parameter in network.parameters() {
        let Some(before) = model.parameters.get(&parameter.name) else { continue };
        let found = match (&parameter.weights, before) {
            (Trainable::Shared { codebook, codes, mask, .. }, Parameter::Shared { codebook: format, .. }) => {
                let shared = (codebook.as_slice(), codes.as_slice(), mask.as_deref());
                share(&parameter.shape, shared, NumberFormat::of(format))
            }
            (_, Parameter::Dense { values, .. }) => {
                let format = NumberFormat::of(values);
                match result.parameters.remove(&parameter.name) {
                    Some(Parameter::Dense { shape, values, mask }) => {
                        Parameter::Dense { shape, values: format.round(&values), mask }
                    }
                    _ => continue,
                }
            }
            _ => continue,
        };
        result.parameters.insert(parameter.name.clone(), found);
    }
    result.check()?;
    Ok(result)
}

fn share(
    shape: &[usize],
    (centroids, codes, mask): (&[f32], &[u8], Option<&[bool]>),
    format: NumberFormat,
) -> Parameter {
    let settled = settle(centroids, format);
    let codes: Vec<u8> = codes.iter().map(|&code| settled.entry_of[usize::from(code)]).collect();
    Parameter::shared(shape.to_vec(), &settled.codebook, &codes, mask)
}
