//! Calibration data: images, or synthetic ones where there are none.

use crate::{
    Progress,
    error::CompressError,
    images::Images,
    moments::{self, Moments},
    ranges, sensitivity, synthetic,
};
use kompakt_model::Model;

/// Damping: added to the diagonals of `X Xᵀ`, relative to their means; for images, and for synthetic ones.
const DAMPING: f64 = 0.01;
const SYNTHETIC_DAMPING: f64 = 0.3;
/// Images for which gradients are computed.
const IMAGES: usize = 32;
/// Number of synthetic images.
const SYNTHETIC: usize = 64;

/// See the [module page](self).
pub(crate) enum Calibration {
    Images(Images),
    Synthetic(Images),
    /// Nothing: a network of several inputs.
    Nothing,
}

impl Calibration {
    /// Images, or synthetic ones in their absence.
    pub(crate) fn new(model: &Model, images: Option<&Images>) -> Result<Self, CompressError> {
        Ok(match (images, model.graph.inputs()) {
            (Some(images), _) => Self::Images(images.clone()),
            (None, [input]) => {
                Self::Synthetic(ranges::suit(model, synthetic::images(&input.shape, SYNTHETIC))?)
            }
            (None, _) => Self::Nothing,
        })
    }

    /// Real images.
    pub(crate) fn n_images(&self) -> usize {
        if let Self::Images(images) = self { images.n } else { 0 }
    }

    fn images(&self) -> Option<&Images> {
        match self {
            Self::Images(images) | Self::Synthetic(images) => Some(images),
            Self::Nothing => None,
        }
    }

    /// The sensitivity of each row of each layer (see [`sensitivity::rows`]); `None` without anything to run.
    pub(crate) fn sensitivities(
        &self,
        model: &Model,
        progress: &Progress<'_>,
    ) -> Result<Option<Vec<Vec<f64>>>, CompressError> {
        let Some(images) = self.images() else { return Ok(None) };
        let rows = sensitivity::rows(model, &images.first(IMAGES), progress)?;
        Ok(Some(rows).filter(|rows| rows.iter().flatten().all(|s| s.is_finite())))
    }

    /// The inputs of every layer; `None` without anything to run.
    pub(crate) fn moments(
        &self,
        model: &Model,
        progress: &Progress<'_>,
    ) -> Result<Option<Vec<Moments>>, CompressError> {
        let Some(images) = self.images() else { return Ok(None) };
        if let Self::Images(_) = self {
            return moments::moments(model, images, DAMPING, progress).map(Some);
        }
        // Synthetic images say less of the inputs the network will see, and nothing of means for bias
        // correction.
        let mut moments = moments::moments(model, images, SYNTHETIC_DAMPING, progress)?;
        moments.iter_mut().flat_map(|m| &mut m.groups).for_each(|g| g.mean.clear());
        Ok(Some(moments))
    }
}
