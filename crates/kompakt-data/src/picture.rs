//! Image files: PNG, JPEG, BMP, PNM.

use crate::{error::DataError, npy::planes_first};
use image::{DynamicImage, ImageReader, imageops::FilterType};
use std::path::Path;

/// The endings of the files that [`read`] knows.
pub(crate) const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "pgm", "ppm", "pnm"];

/// An image file as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `[channels, height, width]`; one channel for a grey file, else three.
    pub dims: [usize; 3],
    /// Plane by plane, row by row.
    pub bytes: Vec<u8>,
}

/// Reads an image file. A grey file has one channel, any other three; transparency is dropped.
///
/// Where `dims` (`[channels, height, width]`, 1 or 3 channels) is given, the picture is made so: colours become
/// brightness or grey becomes three equal planes, and another size is scaled to fill, whatever its aspect.
///
/// Errors: a file that cannot be opened or decoded, or `dims` with another number of channels.
pub fn read_picture(path: &Path, dims: Option<[usize; 3]>) -> Result<Picture, DataError> {
    let reader = ImageReader::open(path).map_err(DataError::io(path))?;
    let reader = reader.with_guessed_format().map_err(DataError::io(path))?;
    let mut picture = reader.decode().map_err(|e| DataError::file(path, e.to_string()))?;
    if picture.width() == 0 || picture.height() == 0 {
        return Err(DataError::file(path, "a picture of no pixels"));
    }
    let mut channels = if picture.color().has_color() { 3 } else { 1 };
    if let Some([wanted, height, width]) = dims {
        if wanted != 1 && wanted != 3 {
            return Err(DataError::file(
                path,
                format!("a picture has 1 or 3 channels, {wanted} are asked for"),
            ));
        }
        channels = wanted;
        let (height, width) = (height as u32, width as u32);
        if (picture.height(), picture.width()) != (height, width) {
            picture = picture.resize_exact(width, height, FilterType::Triangle);
        }
    }
    Ok(planes(&picture, channels))
}

fn planes(picture: &DynamicImage, channels: usize) -> Picture {
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let bytes = if channels == 1 {
        picture.to_luma8().into_raw()
    } else {
        planes_first(picture.to_rgb8().into_raw(), 3, height * width)
    };
    Picture { dims: [channels, height, width], bytes }
}
