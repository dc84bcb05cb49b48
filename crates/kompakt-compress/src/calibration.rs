//! Calibration data: images, or synthetic inputs where there are none.

use crate::{
    Progress,
    blind::{self, Judge},
    error::CompressError,
    images::Images,
    inputs::Synthetic,
    kinds::{self, Kind},
    moments::{self, Moments},
    ranges, sensitivity,
};
use kompakt_model::Model;

/// Damping: added to the diagonals of `X Xᵀ`, relative to their means; for images, and for synthetic inputs.
const DAMPING: f64 = 0.05;
const SYNTHETIC_DAMPING: f64 = 0.3;
/// Inputs for which gradients are computed: images, and synthetic ones.
const GRADIENTS: usize = 128;
const SYNTHETIC_GRADIENTS: usize = 32;
/// Number of synthetic inputs; and of small pictures, which show a layer less each, as many as have so many numbers together, up to a limit.
const SYNTHETIC: usize = 64;
const NUMBERS: usize = 1 << 20;
const MOST_SYNTHETIC: usize = 1024;

/// See the [module page](self).
pub(crate) enum Calibration {
    Images(Images),
    Synthetic {
        images: Images,
        /// Scale and shift that they got.
        range: [f32; 2],
        /// Names of the inputs whose kind the network does not tell.
        unknown: Vec<String>,
    },
}

impl Calibration {
    /// Images, or synthetic inputs in their absence.
    pub(crate) fn new(model: &Model, images: Option<&Images>) -> Result<Self, CompressError> {
        if let Some(images) = images {
            return Ok(Self::Images(images.clone()));
        }
        let Synthetic { images, is_open, unknown } = Synthetic::new(model, n_synthetic(model), 0);
        let range = if is_open { ranges::suit(model, &images)? } else { [1.0, 0.0] };
        Ok(Self::Synthetic { images: images.moved(range[0], range[1]), range, unknown })
    }

    /// Compares with the original on synthetic inputs that were not calibrated with; `None` with images.
    ///
    /// Errors: a model that cannot be run.
    pub(crate) fn judge(&self, original: &Model) -> Result<Option<Judge>, CompressError> {
        let Self::Synthetic { range, unknown, .. } = self else { return Ok(None) };
        let first = n_synthetic(original) as u64;
        let inputs = Synthetic::new(original, blind::n_inputs(&original.graph), first).images;
        Judge::new(original, inputs.moved(range[0], range[1]), unknown.clone()).map(Some)
    }

    /// Real images.
    pub(crate) fn n_images(&self) -> usize {
        if let Self::Images(images) = self { images.n } else { 0 }
    }

    pub(crate) fn images(&self) -> &Images {
        match self {
            Self::Images(images) | Self::Synthetic { images, .. } => images,
        }
    }

    /// The sensitivity of each row of each layer (see [`sensitivity::rows`]); `None` where it is no number.
    pub(crate) fn sensitivities(
        &self,
        model: &Model,
        progress: &Progress<'_>,
    ) -> Result<Option<Vec<Vec<f64>>>, CompressError> {
        let n = if let Self::Images(_) = self { GRADIENTS } else { SYNTHETIC_GRADIENTS };
        let rows = sensitivity::rows(model, &self.images().first(n), progress)?;
        Ok(Some(rows).filter(|rows| rows.iter().flatten().all(|s| s.is_finite())))
    }

    /// The inputs of every layer.
    pub(crate) fn moments(
        &self,
        model: &Model,
        progress: &Progress<'_>,
    ) -> Result<Vec<Moments>, CompressError> {
        let images = self.images();
        if let Self::Images(_) = self {
            return moments::moments(model, images, DAMPING, progress);
        }
        // Synthetic images say less of the inputs the network will see, and nothing of means for bias
        // correction.
        let mut moments = moments::moments(model, images, SYNTHETIC_DAMPING, progress)?;
        moments.iter_mut().flat_map(|m| &mut m.groups).for_each(|g| g.mean.clear());
        Ok(moments)
    }
}

/// How many synthetic inputs a network is calibrated with.
fn n_synthetic(model: &Model) -> usize {
    match model.graph.inputs() {
        [input] if kinds::kind(model, 0) == Kind::Picture => {
            let len: usize = input.shape.iter().product();
            (NUMBERS / len.max(1)).clamp(SYNTHETIC, MOST_SYNTHETIC)
        }
        _ => SYNTHETIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, networks};
    use kompakt_model::Parameter;

    #[test]
    fn small_pictures_are_many() {
        let n_of = |graph: Graph| {
            let zeros = |param: &kompakt_graph::Param| {
                (param.name.clone(), Parameter::dense(param.shape.clone(), vec![0.0; param.len()]))
            };
            let parameters = graph.params().iter().map(zeros).collect();
            n_synthetic(&Model::new(graph, parameters).unwrap_or_else(|error| panic!("{error}")))
        };
        let lenet =
            |shape: &[usize]| n_of(networks::lenet5(shape, 10).unwrap_or_else(|error| panic!("{error}")));
        assert_eq!([lenet(&[1, 28, 28]), lenet(&[3, 32, 32]), lenet(&[3, 160, 160])], [1024, 341, 64]);
        assert_eq!(n_of(networks::mlp(&[20], &[8], 3).unwrap_or_else(|error| panic!("{error}"))), 64);
    }
}
