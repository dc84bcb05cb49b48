//! 1,797 handwritten digits of 8 by 8 pixels that need no network (UCI, "Optical Recognition of Handwritten
//! Digits", the copy in the crate `smartcore`), made 28 by 28.

use crate::{
    dataset::{Dataset, Values},
    error::DataError,
    known::DIGIT_NAMES,
};
use kompakt_prep::{Filter, Pipeline, Step};

/// Sixteen grey levels become 0 to 255; the picture is enlarged to 20 by 20 as MNIST's digits are, with 4 empty
/// pixels around.
pub(crate) fn all() -> Result<Dataset, DataError> {
    let raw = smartcore::dataset::digits::load_dataset();
    let enlarge =
        Pipeline::new(&[1, 8, 8], vec![Step::Resize { height: 20, width: 20, filter: Filter::Bilinear }])?;
    let mut bytes = vec![0u8; raw.num_samples * 28 * 28];
    for (image, small) in bytes.chunks_exact_mut(28 * 28).zip(raw.data.chunks_exact(64)) {
        let large = enlarge.apply_to(small);
        for (row, values) in large.chunks_exact(20).enumerate() {
            for (to, value) in image[(row + 4) * 28 + 4..].iter_mut().zip(values) {
                *to = (value * (255.0 / 16.0)).round() as u8;
            }
        }
    }
    let labels = raw.target.iter().map(|label| *label as u16).collect();
    Dataset::new(&[1, 28, 28], Values::Bytes(bytes), labels, DIGIT_NAMES.map(String::from).to_vec())
}
