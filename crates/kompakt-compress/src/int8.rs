//! Ranges of the values that layers read, so that a network can be run with activations of 8 bits.
//!
//! A packed network is run in floats with these values as its outputs: first for their bounds, then for a histogram within
//! them. The range that is stored is the part of the bounds with the least squared error of 255 steps: values beyond it are
//! clipped, and the steps within it are finer.

use crate::{Progress, calibration::Calibration, error::CompressError, images::Images, network};
use kompakt_format::{Container, Tier, ValueRange, ranged_values};
use kompakt_graph::Graph;
use kompakt_model::{CheckpointError, Model};
use kompakt_pack::{Options, Packed, unpack, write_to};
use kompakt_runtime::Activations;

/// Images that are looked at.
const IMAGES: usize = 256;
/// Images that are run together.
const AT_ONCE: usize = 4;
/// Bins of a histogram.
const BINS: usize = 2048;
/// Steps of a range.
const STEPS: f64 = 255.0;
/// Parts of the bounds that are tried: so many hundredths.
const TRIED: std::ops::RangeInclusive<usize> = 40..=100;

/// A packed network with the ranges of the values that its layers read, those it may have had replaced; in the same tier.
///
/// `images` are prepared for the network's only input; without any, synthetic inputs are generated, of the kind that the
/// network takes. The first 256 are looked at.
/// Errors: a file that is broken or cannot be run, images that do not fit.
pub fn calibrated(
    packed: &[u8],
    images: Option<&Images>,
    progress: &Progress<'_>,
) -> Result<Vec<u8>, CompressError> {
    progress("measuring ranges", f64::NAN);
    let container = Container::parse(packed).map_err(CompressError::NotReadBack)?;
    let model = unpack(&container, false, &|_, _| ())?;
    let ranges = ranges(&model, Calibration::new(&model, images)?.images())?;
    let mut source = Packed::new(&container)?;
    source.set_ranges(ranges)?;
    let mut bytes = Vec::new();
    write_to(&mut source, &Options::new(container.tier()), &mut bytes, &|_, _| ())?;
    Ok(bytes)
}

/// The ranges for a model, and its first output for every image with activations of 8 bits.
pub(crate) fn answers(
    model: &Model,
    seen: &Images,
    images: &Images,
) -> Result<(Vec<ValueRange>, Vec<f32>), CompressError> {
    // As it is packed: with the values' numbers of its file.
    let plain = network::pack(model.clone(), Tier::Direct)?;
    let container = Container::parse(&plain).map_err(CompressError::NotReadBack)?;
    let model = unpack(&container, false, &|_, _| ())?;
    let ranges = ranges(&model, seen)?;
    let mut source = Packed::new(&container)?;
    source.set_ranges(ranges.clone())?;
    let mut packed = Vec::new();
    write_to(&mut source, &Options::new(Tier::Direct).unpacked(), &mut packed, &|_, _| ())?;
    let mut all = Vec::new();
    let batch = network::at_once_for(&model.graph);
    network::each_batch_with(Activations::Int8, &packed, images, batch, |_, _, _, session| {
        all.extend_from_slice(session.output(0));
    })?;
    Ok((ranges, all))
}

/// The first output of a model for all images, if there are any; with activations of 8 bits and their ranges, where there are
/// inputs that these are `ranged` on.
pub(crate) fn measured(
    model: &Model,
    ranged: Option<&Images>,
    images: Option<&Images>,
) -> Result<(Vec<ValueRange>, Option<Vec<f32>>), CompressError> {
    match (ranged, images) {
        (Some(seen), Some(images)) => answers(model, seen, images).map(|(ranges, all)| (ranges, Some(all))),
        (Some(seen), None) => Ok((answers(model, seen, &seen.first(0))?.0, None)),
        (None, Some(images)) => Ok((Vec::new(), Some(network::answers(model, images)?))),
        (None, None) => Ok((Vec::new(), None)),
    }
}

/// Ranges that take as many bytes as any.
pub(crate) fn placeholders(graph: &Graph) -> Vec<ValueRange> {
    ranged_values(graph).into_iter().map(|value| ValueRange { value, low: -0.1, high: 0.1 }).collect()
}

/// The ranges for a model as it is packed.
pub(crate) fn ranges(model: &Model, images: &Images) -> Result<Vec<ValueRange>, CompressError> {
    let images = images.first(IMAGES);
    let values = ranged_values(&model.graph);
    let n_inputs = model.graph.inputs().len();
    let made: Vec<usize> = values.iter().copied().filter(|&v| v >= n_inputs).collect();
    let mut probe = model.clone();
    let (ports, nodes, outputs) = model.graph.clone().into_parts();
    let seen = if made.is_empty() { outputs } else { made.clone() };
    probe.graph = Graph::new(ports, nodes, seen).map_err(CheckpointError::from)?;
    let packed = network::pack(probe, Tier::Direct)?;
    let numbers: usize = made.iter().map(|&v| model.graph.shape(v).iter().product::<usize>()).sum();
    let batch = network::observed_at_once(AT_ONCE, numbers);
    let visit_all = |visit: &mut dyn FnMut(usize, &[f32])| {
        network::each_batch(&packed, &images, batch, |_, inputs, _, session| {
            for (i, value) in values.iter().enumerate() {
                match made.iter().position(|v| v == value) {
                    Some(output) => visit(i, session.output(output)),
                    None => visit(i, inputs[*value]),
                }
            }
        })
    };
    let mut bounds = vec![[0.0f32; 2]; values.len()];
    visit_all(&mut |i, numbers| {
        for x in numbers.iter().filter(|x| x.is_finite()) {
            bounds[i] = [bounds[i][0].min(*x), bounds[i][1].max(*x)];
        }
    })?;
    let mut histograms = vec![vec![0u64; BINS]; values.len()];
    visit_all(&mut |i, numbers| {
        let ([low, high], bins) = (bounds[i], &mut histograms[i]);
        let per_bin = BINS as f32 / (high - low).max(f32::MIN_POSITIVE);
        // Zeros are exact in any range.
        for x in numbers.iter().filter(|x| **x != 0.0) {
            bins[(((x - low) * per_bin) as usize).min(BINS - 1)] += 1;
        }
    })?;
    let range = |((value, bounds), bins): ((usize, [f32; 2]), &Vec<u64>)| {
        let [low, high] = narrowed(bounds, bins);
        ValueRange { value, low, high }
    };
    Ok(values.iter().copied().zip(bounds).zip(&histograms).map(range).collect())
}

/// The part of the bounds with the least squared error.
fn narrowed([low, high]: [f32; 2], bins: &[u64]) -> [f32; 2] {
    let width = f64::from(high - low) / BINS as f64;
    let error = |percent: &usize| -> f64 {
        let part = *percent as f64 / 100.0;
        let (from, to) = (part * f64::from(low), part * f64::from(high));
        let step = (to - from) / STEPS;
        let of_bin = |(bin, &count): (usize, &u64)| {
            let x = f64::from(low) + (bin as f64 + 0.5) * width;
            let clipped = (x - x.clamp(from, to)).powi(2);
            count as f64 * if clipped > 0.0 { clipped } else { step * step / 12.0 }
        };
        bins.iter().enumerate().filter(|(_, count)| **count > 0).map(of_bin).sum()
    };
    let best = TRIED.map(|percent| (error(&percent), percent)).min_by(|a, b| a.0.total_cmp(&b.0));
    let part = best.map_or(1.0, |(_, percent)| percent as f32 / 100.0);
    [low * part, high * part]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_large_values_are_clipped() {
        let mut bins = vec![1000u64; BINS / 2];
        bins.resize(BINS, 0);
        bins[BINS - 1] = 1;
        let [low, high] = narrowed([0.0, 2.0], &bins);
        assert!(low == 0.0 && (1.0..1.5).contains(&high), "{high}");
        assert_eq!(narrowed([-1.0, 1.0], &vec![1; BINS]), [-1.0, 1.0]);
        assert_eq!(narrowed([0.0, 0.0], &vec![0; BINS])[0], 0.0);
    }
}
