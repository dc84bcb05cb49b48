//! Arrays to bytes and back.

use crate::{container::tier_of, error};
use kompakt_pack::arrays::{self, Array};
use pyo3::{
    prelude::*,
    types::{PyByteArray, PyBytes},
};

/// Name, element, shape and bytes.
type Item = (String, String, Vec<usize>, Vec<u8>);

/// The same, with bytes that Python owns.
type Found = (String, String, Vec<usize>, Py<PyByteArray>);

/// Arrays as the bytes of a file.
#[pyfunction]
pub(crate) fn encode<'py>(py: Python<'py>, items: Vec<Item>, tier: &str) -> PyResult<Bound<'py, PyBytes>> {
    let tier = tier_of(tier)?;
    let array = |(name, element, shape, bytes)| Array { name, element, shape, bytes };
    let made = py.detach(|| {
        let all: Vec<Array> = items.into_iter().map(array).collect();
        arrays::encode(&all, tier)
    });
    Ok(PyBytes::new(py, &made.map_err(error::of_input)?))
}

/// The arrays of a file.
#[pyfunction]
pub(crate) fn decode(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Vec<Found>> {
    let all = py.detach(|| arrays::decode(&bytes)).map_err(error::of_input)?;
    let item =
        |array: Array| (array.name, array.element, array.shape, PyByteArray::new(py, &array.bytes).unbind());
    Ok(all.into_iter().map(item).collect())
}
