//! Images without labels, from one file.

use crate::{
    dataset::Values,
    error::DataError,
    idx, npy,
    picture::{ENDINGS, read_picture},
};
use kompakt_prep::byte_value;
use std::path::Path;

/// Images of one shape, without labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// One image: `[channels, height, width]` or `[n]`.
    dims: Vec<usize>,
    values: Values,
}

impl Images {
    /// The shape of one image: `[channels, height, width]` or `[n]`.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Elements of one image.
    pub fn image_len(&self) -> usize {
        self.dims.iter().product()
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.image_len()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image `index` as f32 values. Units: bytes become 0 to 1.
    ///
    /// Panics: if there is no such image, or `output` has another length.
    pub fn image(&self, index: usize, output: &mut [f32]) {
        let at = index * self.image_len()..(index + 1) * self.image_len();
        match &self.values {
            Values::Bytes(bytes) => {
                assert_eq!(output.len(), at.len(), "length of the output");
                output.iter_mut().zip(&bytes[at]).for_each(|(y, byte)| *y = byte_value(*byte));
            }
            Values::Scaled { bytes, low, step } => {
                assert_eq!(output.len(), at.len(), "length of the output");
                output.iter_mut().zip(&bytes[at]).for_each(|(y, byte)| *y = low + step * f32::from(*byte));
            }
            Values::Floats(floats) => output.copy_from_slice(&floats[at]),
        }
    }
}

/// Whether a file's name has the extension of an image file.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// Reads a picture, an `.npy` array of one or many images, or an IDX file of images.
///
/// `dims` is the requested shape (`[channels, height, width]`): pictures are converted to it, and an array of
/// exactly these dimensions, or without the channel, is one image.
/// Errors: a file that cannot be read, or is none of these.
pub fn read_images(path: &Path, dims: Option<[usize; 3]>) -> Result<Images, DataError> {
    if is_picture(path) {
        let picture = read_picture(path, dims)?;
        return Ok(Images { dims: picture.dims.to_vec(), values: Values::Bytes(picture.bytes) });
    }
    let (found, values) = if path.extension().is_some_and(|e| e == "npy") {
        npy::read_plain(path)?
    } else {
        let idx = idx::read(path)?;
        (idx.dims, Values::Bytes(idx.bytes))
    };
    let one = |wanted: [usize; 3]| found == wanted || (wanted[0] == 1 && found == wanted[1..]);
    let dims = match (&found[..], dims) {
        (_, Some(wanted)) if one(wanted) => wanted.to_vec(),
        ([n], None) => vec![*n],
        ([_, n], _) => vec![*n],
        ([_, h, w], _) => vec![1, *h, *w],
        ([_, c, h, w], _) => vec![*c, *h, *w],
        _ => return Err(DataError::file(path, format!("{found:?} is no image and no list of images"))),
    };
    let len = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    if !len.is_some_and(|len| len > 0 && len <= values.len()) {
        return Err(DataError::file(path, format!("an array of {found:?} holds no image")));
    }
    Ok(Images { dims, values })
}
