//! Images as a network reads them, epoch after epoch.

use crate::{
    augment::{Augmentation, Place},
    dataset::Dataset,
    error::DataError,
    reconcile::{Reconciled, reconcile},
};
use kompakt_prep::{Pipeline, Scratch, Shape};
use rayon::prelude::*;

/// A data set, its augmentation, and the preprocessing of the network.
///
/// Without augmentation the steps run once, when the feed is made; with it they run on every augmented image.
#[derive(Debug, Clone)]
pub struct Feed {
    data: Dataset,
    augmentation: Augmentation,
    seed: u64,
    /// Steps that are still to be applied to a raw image.
    steps: Option<Pipeline>,
}

impl Feed {
    /// A feed for a network whose steps are `steps`.
    ///
    /// Errors: [`DataError::Steps`] if the data set was prepared otherwise, or if prepared images or vectors are to
    /// be augmented.
    pub fn new(
        data: Dataset,
        steps: &Pipeline,
        augmentation: Augmentation,
        seed: u64,
    ) -> Result<Self, DataError> {
        let action = reconcile(&data, steps)?;
        if augmentation.is_none() {
            let data =
                if action == Reconciled::Apply && !steps.is_identity() { data.apply(steps)? } else { data };
            return Ok(Self { data, augmentation, seed, steps: None });
        }
        if action == Reconciled::AlreadyApplied && !steps.is_identity() {
            return Err(DataError::Steps("prepared images cannot be augmented; use the raw data set".into()));
        }
        if matches!(data.shape(), Shape::Vector(_)) {
            return Err(DataError::Steps("vectors cannot be augmented, only images".into()));
        }
        let steps = (!steps.is_identity()).then(|| steps.clone());
        Ok(Self { data, augmentation, seed, steps })
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The shape of one image as the network reads it.
    pub fn shape(&self) -> Shape {
        self.steps.as_ref().map_or(self.data.shape(), Pipeline::output_shape)
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u16] {
        self.data.labels()
    }

    /// The images `indices` as epoch `epoch` sees them, one after the other. Uses rayon's threads; the result does
    /// not depend on how many.
    ///
    /// Shapes: `output` `[indices.len(), shape…]`.
    /// Panics: if an index is not below `len()`, or `output` has another length.
    pub fn fill(&self, epoch: u64, indices: &[usize], output: &mut [f32]) {
        let size = self.shape().len();
        assert_eq!(output.len(), indices.len() * size, "length of the batch");
        let work = output.par_chunks_exact_mut(size).zip(indices).with_min_len(16);
        work.for_each_init(Room::default, |room, (output, index)| self.one(epoch, *index, room, output));
    }

    fn one(&self, epoch: u64, index: usize, room: &mut Room, output: &mut [f32]) {
        let Shape::Image { channels, height, width } = self.data.shape() else {
            return self.data.image(index, output);
        };
        if self.augmentation.is_none() {
            return self.data.image(index, output);
        }
        let place = Place { seed: self.seed, epoch, index: index as u64 };
        let Room { raw, moved, scratch } = room;
        raw.resize(self.data.shape().len(), 0.0);
        self.data.image(index, raw);
        match &self.steps {
            None => self.augmentation.apply(raw, [channels, height, width], place, output),
            Some(steps) => {
                moved.resize(raw.len(), 0.0);
                self.augmentation.apply(raw, [channels, height, width], place, moved);
                steps.apply(moved, output, scratch);
            }
        }
    }
}

/// Scratch memory of a thread, reused from image to image.
#[derive(Default)]
struct Room {
    raw: Vec<f32>,
    moved: Vec<f32>,
    scratch: Scratch,
}
