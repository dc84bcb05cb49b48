//! Image files: PNG, JPEG, BMP, PNM.

use crate::{error::DataError, npy::planes_first};
use image::{DynamicImage, ImageReader, imageops::FilterType};
use std::path::Path;

/// The endings of the files that [`read`] knows.
pub(crate) const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "pgm", "ppm", "pnm"];

/// The longer side of a picture that is scaled whole, in sides of the result.
const LONGEST: f64 = 8.0;

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
/// brightness or grey becomes three equal planes, and a picture of another size is scaled until it just covers this one, its
/// aspect kept, and its middle is cut out.
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
        picture = cover(picture, height as u32, width as u32);
    }
    Ok(planes(&picture, channels))
}

/// The picture at another size: the side that is shorter in proportion fits, the middle of the other is cut out.
fn cover(picture: DynamicImage, height: u32, width: u32) -> DynamicImage {
    if (picture.height(), picture.width()) == (height, width) {
        return picture;
    }
    let scale =
        (f64::from(height) / f64::from(picture.height())).max(f64::from(width) / f64::from(picture.width()));
    // A picture of extreme aspect is cut before it is scaled: what is scaled stays within a few times the size.
    let part = |wanted: u32, of: u32| ((LONGEST * f64::from(wanted) / scale).ceil() as u32).clamp(1, of);
    let (rows, columns) = (part(height, picture.height()), part(width, picture.width()));
    let rough =
        picture.crop_imm((picture.width() - columns) / 2, (picture.height() - rows) / 2, columns, rows);
    let side = |n: u32, least: u32| ((f64::from(n) * scale) as u32).max(least);
    let (tall, wide) = (side(rows, height), side(columns, width));
    let scaled = rough.resize_exact(wide, tall, FilterType::Triangle);
    let middle = |long: u32, short: u32| (f64::from(long - short) / 2.0).round_ties_even() as u32;
    scaled.crop_imm(middle(wide, width), middle(tall, height), width, height)
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
