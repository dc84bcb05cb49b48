//! A layer's weights as codes.

use crate::{
    blocks,
    curve::Point,
    factor::Factor,
    gain::{self, Energies},
    lengths::{Choices, Lengths},
    levels::{Chooser, Levels},
    moments::Moments,
};
use kompakt_model::{Numbers, Parameter};
use pulp::NullaryFnOnce;

/// Rows that are quantised side by side.
const ROWS: usize = 4;

/// A layer's weights, as a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightMatrix<'w> {
    pub(crate) weights: &'w [f32],
    pub(crate) shape: &'w [usize],
    pub(crate) groups: usize,
    /// Whether a scale after the layer has a factor for each row.
    pub(crate) has_scale: bool,
}

/// A quantised layer, and the corrections of its scale and its bias.
#[derive(Debug, Clone)]
pub(crate) struct Quantised {
    pub(crate) weight: Parameter,
    /// What the scale after the layer is multiplied by, one per output unit; empty without such a scale or without calibration.
    pub(crate) gains: Vec<f32>,
    /// One per output unit; empty without calibration.
    pub(crate) shift: Vec<f32>,
    /// Squared error of the weights relative to their energy, before the gains.
    pub(crate) error: f64,
    /// Weights that are not zero.
    pub(crate) n_kept: usize,
}

/// Assigns to each weight the level of least error and price, with feedback from the errors of the columns
/// before it where `moments` of the layer's inputs are known. `learns`: whether the coder tells large rows and columns from small
/// ones.
pub(crate) fn quantise(
    layer: WeightMatrix<'_>,
    point: &Point,
    moments: Option<&Moments>,
    learns: bool,
) -> Quantised {
    let levels = &point.levels;
    let rows = layer.shape[0];
    let cols = layer.weights.len() / rows.max(1);
    let square: f64 = layer.weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    let price = point.lambda * square / layer.weights.len().max(1) as f64;
    let mut chosen = vec![0u8; layer.weights.len()];
    let mut energies = vec![Energies::default(); rows];
    let per_group = (rows / layer.groups.max(1)).max(1);
    let weight_of = |i: usize| match moments {
        None => 1.0,
        Some(moments) => moments.groups[i / cols / per_group].weight(i % cols),
    };
    let dropped = blocks::dropped(layer.shape, layer.weights, levels, price, weight_of);
    let zero = levels.values.partition_point(|&v| v < 0.0) as u8;
    match moments {
        None => {
            let choose = Chooser::new(&levels.values, &levels.lengths, price);
            for ((to, &w), &dropped) in chosen.iter_mut().zip(layer.weights).zip(&dropped) {
                *to = if dropped { zero } else { choose.level(f64::from(w)) as u8 };
            }
        }
        Some(moments) => {
            let each = (per_group * cols).max(1);
            let lengths = match learns {
                true => Lengths::new(layer.weights, cols, &dropped, levels, price),
                false => Lengths::same([rows, cols], levels),
            };
            let mut choices = Choices::new(levels, lengths, price);
            let groups = layer.weights.chunks(each).zip(dropped.chunks(each)).zip(chosen.chunks_mut(each));
            let groups = groups.zip(energies.chunks_mut(per_group)).zip(&moments.groups);
            for (i, (((group, chosen), energies), inputs)) in groups.enumerate() {
                for (first, factor) in &inputs.blocks {
                    let numbers: Vec<usize> = factor.weights.iter().map(|&w| choices.number(w)).collect();
                    let (first_row, first) = (i * per_group, *first);
                    let (weights, dropped) = group;
                    let (chosen, energies) = (&mut *chosen, &mut *energies);
                    let (choices, numbers) = (&choices, &numbers[..]);
                    Feedback {
                        weights,
                        dropped,
                        chosen,
                        energies,
                        first_row,
                        cols,
                        first,
                        factor,
                        levels,
                        choices,
                        numbers,
                    }
                    .run();
                }
            }
        }
    }
    let gains = moments.map_or_else(Vec::new, |_| gain::gains(&energies, layer.has_scale));
    finish(layer, levels, &chosen, cols, square, moments, gains)
}

/// Columns `first` to `first + n` of rows `first_row` and after, where `n` are factored together; some weights are dropped for
/// certain.
struct Feedback<'f> {
    weights: &'f [f32],
    dropped: &'f [bool],
    chosen: &'f mut [u8],
    /// One per row.
    energies: &'f mut [Energies],
    first_row: usize,
    cols: usize,
    first: usize,
    factor: &'f Factor,
    levels: &'f Levels,
    choices: &'f Choices<'f>,
    /// The number of each column's weight among the choices.
    numbers: &'f [usize],
}

impl Feedback<'_> {
    /// The same levels on every machine.
    fn run(self) {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = pulp::x86::V3::try_new() {
                return pulp::Simd::vectorize(simd, self);
            }
        }
        self.call();
    }
}

impl NullaryFnOnce for Feedback<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { first_row, cols, first, factor, levels, choices, numbers, .. } = self;
        let values: Vec<f32> = levels.values.iter().map(|&v| v as f32).collect();
        let zero = levels.values.partition_point(|&v| v < 0.0);
        let mut errors = vec![vec![0f32; numbers.len()]; ROWS];
        let mut originals = errors.clone();
        let mean = factor.mean();
        let rows = self.weights.chunks(ROWS * cols).zip(self.dropped.chunks(ROWS * cols));
        let rows = rows.zip(self.chosen.chunks_mut(ROWS * cols)).zip(self.energies.chunks_mut(ROWS));
        for (group, (((weights, dropped), chosen), energies)) in rows.enumerate() {
            for (original, row) in originals.iter_mut().zip(weights.chunks(cols)) {
                original.copy_from_slice(&row[first..first + numbers.len()]);
            }
            for (k, &number) in numbers.iter().enumerate() {
                let feedback: [f32; ROWS] = factor.feedback(k, &errors);
                let carried: [f32; ROWS] = factor.feedback(k, &originals);
                let count = mean * factor.weights[k];
                for (r, (feedback, errors)) in feedback.iter().zip(&mut errors).enumerate() {
                    let at = r * cols + first + k;
                    let Some(&weight) = weights.get(at) else { break };
                    let choose = choices.at(first_row + group * ROWS + r, first + k, number);
                    let level = if dropped[at] { zero } else { choose.level(f64::from(weight + feedback)) };
                    chosen[at] = level as u8;
                    errors[k] = weight - values[level];
                    energies[r].add(count, weight + carried[r], errors[k] + feedback);
                }
            }
        }
    }
}

/// The codes of a layer whose weights have these levels.
pub(crate) fn finish(
    layer: WeightMatrix<'_>,
    levels: &Levels,
    chosen: &[u8],
    cols: usize,
    square: f64,
    moments: Option<&Moments>,
    mut gains: Vec<f32>,
) -> Quantised {
    let zero = levels.values.partition_point(|&v| v < 0.0);
    let mask: Vec<bool> = chosen.iter().map(|&l| usize::from(l) != zero).collect();
    let n_kept = mask.iter().filter(|k| **k).count();
    let difference = |i: usize| f64::from(layer.weights[i]) - levels.values[usize::from(chosen[i])];
    let error: f64 = (0..chosen.len()).map(|i| difference(i).powi(2)).sum();
    let has_means = |m: &&Moments| m.groups.iter().all(|g| !g.mean.is_empty());
    let shift = moments.filter(has_means).map(|moments| {
        let rows = layer.shape[0];
        let per_group = (rows / layer.groups.max(1)).max(1);
        let sum = |row: usize| {
            let mean = &moments.groups[(row / per_group).min(moments.groups.len() - 1)].mean;
            let gain = f64::from(gains[row]);
            let difference =
                |i: usize| f64::from(layer.weights[i]) - gain * levels.values[usize::from(chosen[i])];
            (0..cols).map(|c| difference(row * cols + c) * f64::from(mean[c])).sum::<f64>() as f32
        };
        (0..rows).map(sum).collect()
    });
    let code = |level: u8| level - u8::from(usize::from(level) > zero);
    let codes: Vec<u8> = chosen.iter().zip(&mask).map(|(&l, &kept)| if kept { code(l) } else { 0 }).collect();
    let mut codebook = levels.codebook.clone();
    if codebook.is_empty() {
        codebook = Numbers::F32(vec![1.0]);
    }
    if !layer.has_scale {
        // All rows have the same.
        gain::multiply(&mut codebook, gains.first().copied().unwrap_or(1.0));
        gains.clear();
    }
    let mask = mask.contains(&false).then_some(mask);
    let shape = layer.shape.to_vec();
    // A trellis needs all levels, in use or not.
    let weight = match levels.trellis {
        true => Parameter::Shared { shape, codebook, codes, mask },
        false => Parameter::shared(shape, &codebook, &codes, mask.as_deref()),
    };
    let error = if square > 0.0 { error / square } else { 0.0 };
    Quantised { weight, gains, shift: shift.unwrap_or_default(), error, n_kept }
}
