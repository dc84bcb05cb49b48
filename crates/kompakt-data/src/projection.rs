//! Principal components of a data set, as a file that holds one linear layer.

use crate::{dataset::Dataset, error::DataError};
use kompakt_files::Sibling;
use kompakt_prep::pca::{Covariance, MAX_FEATURES, Pca};
use safetensors::{Dtype, tensor::TensorView};
use std::{io::Write, path::Path};

/// The first `n_components` principal components of the images of `train`.
///
/// Errors: [`DataError::Inconsistent`] if an image has more than [`MAX_FEATURES`] values, or `n_components` is 0.
pub fn fit_pca(train: &Dataset, n_components: usize) -> Result<Pca, DataError> {
    let size = train.shape().len();
    if size > MAX_FEATURES || n_components == 0 || n_components > size {
        return Err(DataError::Inconsistent(format!(
            "{n_components} components of {size} numbers; 1 to {} are allowed",
            size.min(MAX_FEATURES)
        )));
    }
    let mut samples = Covariance::new(size);
    let mut image = vec![0.0; size];
    for i in 0..train.len() {
        train.image(i, &mut image);
        samples.add(&image);
    }
    Ok(Pca::fit(&samples, n_components))
}

/// Writes the layer as safetensors: `pca.weight` `[components, n]` and `pca.bias` `[components]`, F32. Returns the
/// length of the file in bytes.
///
/// Errors: a file that cannot be written.
pub fn write_projection(path: &Path, pca: &Pca, whiten: bool) -> Result<u64, DataError> {
    let layer = pca.linear(whiten);
    let n_components = layer.bias.len();
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (weight, bias) = (bytes(&layer.weight), bytes(&layer.bias));
    let problem = |e: safetensors::SafeTensorError| DataError::file(path, e.to_string());
    let shape = vec![n_components, layer.weight.len() / n_components.max(1)];
    let views = [
        ("pca.weight", TensorView::new(Dtype::F32, shape, &weight).map_err(problem)?),
        ("pca.bias", TensorView::new(Dtype::F32, vec![n_components], &bias).map_err(problem)?),
    ];
    let content = safetensors::serialize(views, None).map_err(problem)?;
    let mut file = Sibling::of(path).map_err(DataError::io(path))?;
    file.write_all(&content).map_err(DataError::io(path))?;
    file.persist().map_err(DataError::io(path))?;
    Ok(content.len() as u64)
}
