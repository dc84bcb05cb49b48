//! Image files: PNG, JPEG, BMP, PNM.

use crate::{error::DataError, npy::planes_first};
use image::{DynamicImage, ImageReader, imageops::FilterType};
use std::path::Path;

/// The file extensions that [`read`] knows.
pub(crate) const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "pgm", "ppm", "pnm"];

/// The longer side of a picture that is scaled uncropped, in sides of the result.
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
/// Where `dims` (`[channels, height, width]`, 1 or 3 channels) is given, the picture is converted to it:
/// colours become brightness or grey becomes three equal planes, and a picture of another size is scaled
/// until it just covers this one, its aspect kept, and its middle is cut out.
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
///
/// Sizes, rounding and place are those of torchvision's `Resize` and `CenterCrop`.
fn cover(picture: DynamicImage, height: u32, width: u32) -> DynamicImage {
    if (picture.height(), picture.width()) == (height, width) {
        return picture;
    }
    // The scale as a fraction: in floats a side of 448 may come out as 447.
    let (to, from) = scale((picture.height(), picture.width()), (height, width));
    let scale = f64::from(to) / f64::from(from);
    // A picture of extreme aspect is cropped before it is scaled, which bounds the intermediate image to a
    // few times the size.
    let part = |wanted: u32, of: u32| ((LONGEST * f64::from(wanted) / scale).ceil() as u32).clamp(1, of);
    let (rows, columns) = (part(height, picture.height()), part(width, picture.width()));
    let rough =
        picture.crop_imm((picture.width() - columns) / 2, (picture.height() - rows) / 2, columns, rows);
    let side = |n: u32, least: u32| ((u64::from(n) * u64::from(to) / u64::from(from)) as u32).max(least);
    let (tall, wide) = (side(rows, height), side(columns, width));
    let scaled = rough.resize_exact(wide, tall, FilterType::Triangle);
    let middle = |long: u32, short: u32| (f64::from(long - short) / 2.0).round_ties_even() as u32;
    scaled.crop_imm(middle(wide, width), middle(tall, height), width, height)
}

/// The larger of the scales at which each side fits, as a fraction.
fn scale(picture: (u32, u32), wanted: (u32, u32)) -> (u32, u32) {
    let by_height = u64::from(wanted.0) * u64::from(picture.1) >= u64::from(wanted.1) * u64::from(picture.0);
    if by_height { (wanted.0, picture.0) } else { (wanted.1, picture.1) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A ramp of one grey level a column: the first and the last column that are left tell where it was cut.
    #[test]
    fn sides_are_whole_fractions() {
        let ramp = image::GrayImage::from_fn(220, 110, |x, _| image::Luma([x as u8]));
        let made = cover(DynamicImage::ImageLuma8(ramp), 224, 224).to_luma8();
        // 448 columns, the middle 224: from column 112 to 335, half as far in the ramp.
        assert_eq!((made.get_pixel(0, 0)[0], made.get_pixel(223, 0)[0]), (55, 164));
        assert_eq!(scale((110, 220), (224, 224)), (224, 110));
        assert_eq!(scale((220, 110), (224, 224)), (224, 110));
        assert_eq!(scale((100, 100), (50, 60)), (60, 100));
    }
}
