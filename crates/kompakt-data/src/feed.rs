//! Images as a network reads them, epoch after epoch.

use crate::{
    augment::{Augmentation, Place},
    dataset::Dataset,
    error::DataError,
    random::Random,
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

    /// With which image epoch `epoch` mixes image `index`, and the part of the mixture, a half to 1, that is its own;
    /// `None` without `mixup`. Targets are to be mixed in the same parts.
    pub fn mixture(&self, epoch: u64, index: usize) -> Option<(usize, f32)> {
        let alpha = self.augmentation.mixup;
        if alpha == 0.0 {
            return None;
        }
        let mut random = Random::new(self.seed ^ MIXTURE, epoch, index as u64);
        let other = (random.next() % self.len() as u64) as usize;
        let part = beta(&mut random, alpha);
        Some((other, part.max(1.0 - part)))
    }

    fn one(&self, epoch: u64, index: usize, room: &mut Room, output: &mut [f32]) {
        self.alone(epoch, index, room, output);
        let Some((other, own)) = self.mixture(epoch, index) else { return };
        let mut second = std::mem::take(&mut room.second);
        second.resize(output.len(), 0.0);
        self.alone(epoch, other, room, &mut second);
        output.iter_mut().zip(&second).for_each(|(x, y)| *x = own * *x + (1.0 - own) * y);
        room.second = second;
    }

    /// An image that is not mixed with another.
    fn alone(&self, epoch: u64, index: usize, room: &mut Room, output: &mut [f32]) {
        let Shape::Image { channels, height, width } = self.data.shape() else {
            return self.data.image(index, output);
        };
        if self.augmentation.is_none() {
            return self.data.image(index, output);
        }
        let place = Place { seed: self.seed, epoch, index: index as u64 };
        let Room { raw, moved, scratch, .. } = room;
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
    second: Vec<f32>,
    scratch: Scratch,
}

/// Distinguishes the draws of mixtures from those of augmentation.
const MIXTURE: u64 = 0x6d69_7875_7000;

/// A number of the beta distribution of `(alpha, alpha)`, 0 < alpha <= 1. Source: Jöhnk 1964.
fn beta(random: &mut Random, alpha: f32) -> f32 {
    for _ in 0..64 {
        let mut draw = || libm::powf((random.symmetric() + 1.0) / 2.0, 1.0 / alpha);
        let (a, b) = (draw(), draw());
        if a + b > 0.0 && a + b <= 1.0 {
            return a / (a + b);
        }
    }
    // Not met in practice; a small alpha gives next to nothing but 0 and 1.
    1.0
}
