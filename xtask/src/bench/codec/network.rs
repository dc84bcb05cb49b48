//! The tensors of a network that are coded: masks and codes, and what the graph says about them.

use anyhow::{Context, Result};
use kompakt_entropy::MaskedCodesBuf;
use kompakt_format::{WeightHints, coder_shape};
use kompakt_model::{Model, Parameter};

/// One weight tensor.
pub(crate) struct WeightTensor {
    /// As PyTorch has it.
    pub(crate) shape: Vec<usize>,
    pub(crate) weights: MaskedCodesBuf,
    /// The image that a row forms.
    pub(crate) grid: Option<(usize, usize)>,
    /// The layer that makes the input channels, and how many each of its units makes.
    pub(crate) producer: Option<(usize, usize)>,
}

/// What is coded.
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) layers: Vec<WeightTensor>,
}

impl WeightTensor {
    /// Each weight as a symbol: 0 where pruned, else its place among the codes of its sign, from 1.
    pub(crate) fn signed(&self) -> impl Iterator<Item = i16> + '_ {
        let view = self.weights.view();
        let n_negative = view.n_negative as i16;
        (0..view.len()).map(move |i| match i16::from(self.weights.codes[i]) {
            _ if !self.weights.view().is_kept(i) => 0,
            code if code < n_negative => code - n_negative,
            code => code - n_negative + 1,
        })
    }

    /// For every input channel, how many weights the unit that makes it keeps.
    pub(crate) fn producer_counts(&self, layers: &[Self]) -> Option<Vec<u32>> {
        let (producer, span) = self.producer?;
        let view = layers.get(producer)?.weights.view();
        let count = |row: usize| {
            let len = view.row_len();
            (row * len..(row + 1) * len).filter(|&i| view.is_kept(i)).count() as u32
        };
        Some((0..view.rows).flat_map(|row| std::iter::repeat_n(count(row), span)).collect())
    }
}

impl Network {
    /// The weights with codebooks of a model.
    pub(crate) fn of_model(name: &str, model: &Model) -> Result<Self> {
        let mut layers: Vec<WeightTensor> = Vec::new();
        let mut places = Vec::new();
        for (index, param) in model.graph.params().iter().enumerate() {
            let parameter = model.parameters.get(&param.name).context("a parameter is missing")?;
            let Parameter::Shared { shape, codebook, codes, mask } = parameter else {
                places.push(None);
                continue;
            };
            let values = codebook.to_f32();
            let n_negative = values.iter().filter(|&&v| v < 0.0).count();
            let hints = WeightHints::of(&model.graph, index);
            let [rows, channels, taps] = coder_shape(shape);
            let mut weights = MaskedCodesBuf::new([rows, channels, taps], true, values.len(), n_negative)?;
            weights.codes.clone_from(codes);
            weights.mask = mask.clone().or_else(|| Some(vec![true; codes.len()]));
            let producer =
                hints.producer.and_then(|p| Some((places.get(p.parameter).copied().flatten()?, p.span)));
            places.push(Some(layers.len()));
            layers.push(WeightTensor { shape: shape.clone(), weights, grid: hints.grid, producer });
        }
        Ok(Self { name: name.to_string(), layers })
    }

    pub(crate) fn n_weights(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.codes.len()).sum()
    }

    pub(crate) fn n_kept(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.view().n_kept()).sum()
    }
}
