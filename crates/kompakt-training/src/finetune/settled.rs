//! From weights in training back to a model with codebooks and formats in the interchange's form.

use crate::finetune::error::FinetuneError;
use kompakt_cluster::{NumberFormat, settle, settle_in_order};
use kompakt_engine::{Network, Trainable};
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_pack::follows_trellis;

/// Bits that centroids get in addition, where levels lie side by side: they move by parts of the distance between them.
const FINER: u32 = 3;
/// Their bits, where they were no integers.
const FINE: u32 = 16;

/// `model` with the network's weights, each parameter rounded to the format that it has in `model`.
///
/// Centroids that crossed are put in order, with their codes; equal ones are merged; one that reached zero stays
/// next to it. Masks are the network's. Where codes follow a trellis they mean something only in the order of their levels: there none crosses
/// another or zero, none is merged, and they are rounded to integers that are finer by three bits.
///
/// Errors: a network of another graph.
pub fn settled(model: &Model, network: &Network) -> Result<Model, FinetuneError> {
    let mut result = model.clone();
    network.store(&mut result)?;
    for parameter in network.parameters() {
        let Some(before) = model.parameters.get(&parameter.name) else { continue };
        let found = match (&parameter.weights, before) {
            (
                Trainable::Shared { codebook, .. },
                Parameter::Shared { shape, codebook: levels, codes, mask },
            ) if follows_trellis(before) => {
                let codebook = in_order(codebook, levels, (codes, mask.as_deref()));
                Parameter::Shared { shape: shape.clone(), codebook, codes: codes.clone(), mask: mask.clone() }
            }
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

/// The codebook of centroids that were `levels`, in the same order.
fn in_order(centroids: &[f32], levels: &Numbers, (codes, mask): (&[u8], Option<&[bool]>)) -> Numbers {
    let mut counts = vec![0; centroids.len()];
    for (i, &code) in codes.iter().enumerate() {
        counts[usize::from(code)] += usize::from(mask.is_none_or(|mask| mask[i]));
    }
    let n_negative = levels.to_f32().iter().filter(|v| **v < 0.0).count();
    let bits = match NumberFormat::of(levels) {
        NumberFormat::Int(bits) => (bits + FINER).min(FINE.max(bits)),
        NumberFormat::F32 | NumberFormat::F16 => FINE,
    };
    settle_in_order(centroids, &counts, n_negative, bits)
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
