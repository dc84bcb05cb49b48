//! Images, labels and class names in memory.

use crate::{error::DataError, pile::Cut};
use kompakt_prep::{Pipeline, Scratch, Shape, byte_value};
use rayon::prelude::*;

/// The values of all images, image after image, each row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Bytes of images; a byte stands for `byte / 255`.
    Bytes(Vec<u8>),
    /// Bytes on a scale: `low + step * byte`.
    Scaled {
        /// One byte per value.
        bytes: Vec<u8>,
        /// The value of byte 0.
        low: f32,
        /// The step between consecutive values.
        step: f32,
    },
    /// Numbers as they are.
    Floats(Vec<f32>),
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Scaled { bytes, .. } => bytes.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes they take.
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Scaled { bytes, .. } => bytes.len(),
            Self::Floats(floats) => 4 * floats.len(),
        }
    }

    /// Appends values of the same storage; `None` if it is another.
    fn extend(&mut self, more: Self) -> Option<()> {
        match (self, more) {
            (Self::Bytes(to), Self::Bytes(from)) => to.extend(from),
            (Self::Floats(to), Self::Floats(from)) => to.extend(from),
            (Self::Scaled { bytes: to, low, step }, Self::Scaled { bytes: from, low: l, step: s })
                if (*low, *step) == (l, s) =>
            {
                to.extend(from);
            }
            _ => return None,
        }
        Some(())
    }

    /// Moves the images in `keep` (rising) to the front and drops the others.
    fn keep(&mut self, keep: &[usize], size: usize) {
        fn compact<T: Copy>(all: &mut Vec<T>, keep: &[usize], size: usize) {
            for (to, from) in keep.iter().enumerate() {
                all.copy_within(from * size..(from + 1) * size, to * size);
            }
            all.truncate(keep.len() * size);
            all.shrink_to_fit();
        }
        match self {
            Self::Bytes(bytes) | Self::Scaled { bytes, .. } => compact(bytes, keep, size),
            Self::Floats(floats) => compact(floats, keep, size),
        }
    }
}

/// What the labels of a data set mean to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelling {
    /// Labels are class numbers: 7 is the network's eighth output.
    Numbered,
    /// Labels are indices into the list of class names; only the names determine the output.
    Named,
    /// There are no labels; all are 0.
    Unlabelled,
}

/// Labelled images of one shape.
///
/// Invariant: `values` holds `len()` times the product of `shape`; every label is below the number of
/// classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    shape: Shape,
    values: Values,
    labels: Vec<u16>,
    classes: Vec<String>,
    labelling: Labelling,
    /// The steps that made the images, if they are not raw. Their output shape is `shape`.
    prepared: Option<Pipeline>,
}

impl Dataset {
    /// Raw images.
    ///
    /// Shapes: `dims` is `[channels, height, width]` or `[n]`; `values` holds one image per label.
    /// Errors: [`DataError::Inconsistent`] if lengths disagree or a label has no class, [`DataError::Prep`] for
    /// another rank.
    pub fn new(
        dims: &[usize],
        values: Values,
        labels: Vec<u16>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let shape = Shape::from_dims(dims)?;
        let wrong = |problem: String| Err(DataError::Inconsistent(problem));
        if values.len() != shape.len() * labels.len() {
            return wrong(format!(
                "{} values are not {} images of {dims:?}; images and labels do not belong together",
                values.len(),
                labels.len()
            ));
        }
        if let Some((i, label)) = labels.iter().enumerate().find(|(_, l)| usize::from(**l) >= classes.len()) {
            return wrong(format!("label {label} of image {i} has no class; there are {}", classes.len()));
        }
        Ok(Self { shape, values, labels, classes, labelling: Labelling::Numbered, prepared: None })
    }

    /// Says what the labels mean; [`Dataset::new`] takes them for class numbers.
    pub fn labelled(mut self, labelling: Labelling) -> Self {
        self.labelling = labelling;
        self
    }

    /// Says that `steps` made these images.
    ///
    /// Errors: [`DataError::Inconsistent`] if they make another shape.
    pub fn prepared_by(mut self, steps: Pipeline) -> Result<Self, DataError> {
        if steps.output_shape() != self.shape {
            return Err(DataError::Inconsistent(format!(
                "steps that make {:?} cannot have made images of {:?}",
                steps.output_shape().dims(),
                self.shape.dims()
            )));
        }
        self.prepared = Some(steps);
        Ok(self)
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of one image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The shape of one image, `[channels, height, width]` or `[n]`.
    pub fn dims(&self) -> Vec<usize> {
        self.shape.dims()
    }

    /// How many classes.
    pub fn n_classes(&self) -> usize {
        self.classes.len()
    }

    /// The names of the classes, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What the labels mean.
    pub fn labelling(&self) -> Labelling {
        self.labelling
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The stored values of all images.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The steps that made the images; `None` for raw images.
    pub fn prepared(&self) -> Option<&Pipeline> {
        self.prepared.as_ref()
    }

    /// Image `index` as f32 values.
    ///
    /// Shapes: `output` `[shape().len()]`. Units: bytes become 0 to 1.
    /// Panics: if `index` is not below `len()`, or `output` has another length.
    pub fn image(&self, index: usize, output: &mut [f32]) {
        let at = index * self.shape.len()..(index + 1) * self.shape.len();
        assert_eq!(output.len(), at.len(), "length of the output");
        match &self.values {
            Values::Bytes(bytes) => {
                for (y, byte) in output.iter_mut().zip(&bytes[at]) {
                    *y = byte_value(*byte);
                }
            }
            Values::Scaled { bytes, low, step } => {
                for (y, byte) in output.iter_mut().zip(&bytes[at]) {
                    *y = low + step * f32::from(*byte);
                }
            }
            Values::Floats(floats) => output.copy_from_slice(&floats[at]),
        }
    }

    /// All images as f32 values: `[len(), shape…]`, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        let size = self.shape.len();
        let mut all = vec![0.0; self.len() * size];
        all.par_chunks_exact_mut(size).enumerate().for_each(|(i, image)| self.image(i, image));
        all
    }

    /// The same images with other labels. Errors: as [`Dataset::new`].
    pub(crate) fn relabelled(self, labels: Vec<u16>, classes: Vec<String>) -> Result<Self, DataError> {
        let prepared = self.prepared;
        let data = Self::new(&self.shape.dims(), self.values, labels, classes)?;
        Ok(Self { prepared, ..data })
    }

    /// Only the images in `keep`.
    ///
    /// Panics: if `keep` is not rising, or an index is not below `len()`.
    pub fn select(mut self, keep: &[usize]) -> Self {
        assert!(keep.is_sorted_by(|a, b| a < b), "indices rise");
        self.values.keep(keep, self.shape.len());
        self.labels = keep.iter().map(|i| self.labels[*i]).collect();
        self
    }

    /// These images and then `more`.
    ///
    /// Errors: [`DataError::Inconsistent`] if shape, classes, steps or storage differ.
    pub fn chain(mut self, more: Self) -> Result<Self, DataError> {
        let same = self.shape == more.shape
            && self.classes == more.classes
            && self.labelling == more.labelling
            && self.prepared == more.prepared;
        let values = if same { self.values.extend(more.values) } else { None };
        values.ok_or_else(|| {
            DataError::Inconsistent("two parts differ in shape, classes, steps or storage".into())
        })?;
        self.labels.extend(more.labels);
        Ok(self)
    }

    /// The first `n` images, or all if there are fewer.
    pub fn first(self, n: usize) -> Self {
        let keep: Vec<usize> = (0..n.min(self.len())).collect();
        self.select(&keep)
    }

    /// The images after `steps`, as f32. The result does not depend on the number of threads.
    ///
    /// Errors: [`DataError::Steps`] if these images were prepared before or have another shape than the steps take.
    pub fn apply(self, steps: &Pipeline) -> Result<Self, DataError> {
        if self.prepared.is_some() {
            return Err(DataError::Steps("the images were prepared before; start from raw ones".into()));
        }
        if steps.input_shape() != self.shape {
            return Err(DataError::Steps(format!(
                "the steps take images of {:?}, these are {:?}",
                steps.input_shape().dims(),
                self.dims()
            )));
        }
        let (from, to) = (self.shape.len(), steps.output_shape().len());
        let mut all = vec![0.0f32; self.len() * to];
        all.par_chunks_exact_mut(to).enumerate().for_each_init(
            || (vec![0.0; from], Scratch::default()),
            |(image, scratch), (i, output)| {
                self.image(i, image);
                steps.apply(image, output, scratch);
            },
        );
        Self::new(&steps.output_shape().dims(), Values::Floats(all), self.labels, self.classes)?
            .labelled(self.labelling)
            .prepared_by(steps.clone())
    }

    /// Mean and standard deviation of each plane over all images, to four digits after the point; one pair for
    /// vectors. A deviation of 0 is returned as 1.
    pub fn statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let planes = if let Shape::Image { channels, .. } = self.shape { channels } else { 1 };
        let plane = self.shape.len() / planes;
        let mut sums = vec![(0.0f64, 0.0f64); planes];
        let mut image = vec![0.0f32; self.shape.len()];
        for i in 0..self.len() {
            self.image(i, &mut image);
            for (sum, values) in sums.iter_mut().zip(image.chunks_exact(plane)) {
                for value in values {
                    sum.0 += f64::from(*value);
                    sum.1 += f64::from(*value) * f64::from(*value);
                }
            }
        }
        let n = (self.len() * plane).max(1) as f64;
        let round = |x: f64| ((x * 1e4).round() / 1e4) as f32;
        let deviation = |(sum, squares): &(f64, f64)| (squares / n - (sum / n).powi(2)).max(0.0).sqrt();
        let std = |sum| Some(round(deviation(sum))).filter(|s| *s > 0.0).unwrap_or(1.0);
        (sums.iter().map(|(sum, _)| round(sum / n)).collect(), sums.iter().map(std).collect())
    }
}

impl Cut for Dataset {
    fn len(&self) -> usize {
        self.len()
    }

    fn is_by_class(&self) -> bool {
        self.labels.is_sorted()
    }

    fn select(self, keep: &[usize]) -> Self {
        self.select(keep)
    }

    fn chain(self, more: Self) -> Result<Self, DataError> {
        self.chain(more)
    }
}
