//! NumPy arrays as the loader takes and returns them: float32, row-major, with or without a batch.
//!
//! An array in that form is read in place; any other is converted to a new one. Arrays of bytes are images, as
//! everywhere in kompakt: a byte stands for its value divided by 255.

use kompakt_prep::byte_value;
use pyo3::{
    buffer::PyBuffer,
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::PyTuple,
};

/// An input of the network.
pub(crate) struct Input {
    numbers: Numbers,
    /// `None`: one input, without a batch.
    pub(crate) batch: Option<usize>,
    /// Of one input.
    pub(crate) shape: Vec<usize>,
}

/// The shape that an input must have.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'s> {
    Exactly(&'s [usize]),
    /// As many dimensions: their sizes are for the network to judge.
    Like(&'s [usize]),
}

enum Numbers {
    /// An array that is read in place.
    There(PyBuffer<f32>),
    /// Converted from an image of bytes.
    Here(Vec<f32>),
}

impl Input {
    /// Any array, or anything that NumPy converts to one, for inputs of this shape.
    ///
    /// Errors: another shape, elements that are not real numbers.
    pub(crate) fn new(py: Python<'_>, x: &Bound<'_, PyAny>, wanted: Wanted<'_>) -> PyResult<Self> {
        if let Ok(bytes) = PyBuffer::<u8>::get(x) {
            let (batch, shape) = batch_of(bytes.shape(), wanted)?;
            let numbers = bytes.to_vec(py)?.into_iter().map(byte_value).collect();
            return Ok(Self { numbers: Numbers::Here(numbers), batch, shape });
        }
        let buffer = match PyBuffer::<f32>::get(x) {
            Ok(buffer) if is_native(&buffer) && buffer.is_c_contiguous() => buffer,
            _ => PyBuffer::get(&converted(py, x)?)?,
        };
        let (batch, shape) = batch_of(buffer.shape(), wanted)?;
        Ok(Self { numbers: Numbers::There(buffer), batch, shape })
    }

    /// Its values, row-major.
    #[expect(unsafe_code, reason = "a buffer of Python is read where it lies")]
    pub(crate) fn values(&self) -> &[f32] {
        let buffer = match &self.numbers {
            Numbers::Here(numbers) => return numbers,
            Numbers::There(buffer) if buffer.item_count() == 0 => return &[],
            Numbers::There(buffer) => buffer,
        };
        // SAFETY: `PyBuffer::<f32>::get` has checked format, size and alignment of the elements, `new` that they are
        // contiguous; the memory stays where it is while the buffer is held. That nobody writes to the array while a
        // network reads it is asked of the caller, as it is by every function of NumPy that releases the interpreter.
        unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<f32>(), buffer.item_count()) }
    }
}

/// Whether elements are in this machine's byte order, which `PyBuffer` does not look at.
fn is_native(buffer: &PyBuffer<f32>) -> bool {
    let foreign: &[u8] = if cfg!(target_endian = "little") { b">!" } else { b"<" };
    buffer.format().to_bytes().first().is_some_and(|order| !foreign.contains(order))
}

/// The batch of an array, none where it is one input, and the shape of one input.
///
/// Errors: another shape.
fn batch_of(found: &[usize], wanted: Wanted<'_>) -> PyResult<(Option<usize>, Vec<usize>)> {
    let fits = |shape: &[usize]| match wanted {
        Wanted::Exactly(wanted) => shape == wanted,
        Wanted::Like(wanted) => shape.len() == wanted.len(),
    };
    match found {
        found if fits(found) => Ok((None, found.to_vec())),
        [batch, rest @ ..] if fits(rest) => Ok((Some(*batch), rest.to_vec())),
        found => {
            let (Wanted::Exactly(shape) | Wanted::Like(shape)) = wanted;
            let (found, shape) = (shown(found), shown(shape));
            let text = format!("an array of shape {found}; the network takes {shape}, or a batch of them");
            Err(PyValueError::new_err(text))
        }
    }
}

/// A float32 array, row-major, of the same values.
fn converted<'py>(py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let numpy = py.import("numpy")?;
    let array = numpy.call_method1("asarray", (x,))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    if !matches!(kind.as_str(), "f" | "i" | "u" | "b") {
        let name = array.getattr("dtype")?;
        return Err(PyTypeError::new_err(format!("an array of {name}; the network takes real numbers")));
    }
    numpy.call_method1("require", (array, "float32", ["C", "A"]))
}

/// An array that results are written to.
pub(crate) struct Room {
    /// The array itself.
    pub(crate) array: Py<PyAny>,
    /// Its start, and its capacity in elements. Together with `buffer`, which keeps it there.
    at: *mut f32,
    len: usize,
    _buffer: PyBuffer<f32>,
}

// SAFETY: the pointer is used by `fill` alone, and is as good in any thread while the buffer is held.
#[expect(unsafe_code, reason = "results are written with the interpreter released")]
unsafe impl Sync for Room {}

impl Room {
    /// The caller's array, or a new one: float32, row-major, `[batch, shape...]`.
    ///
    /// Errors: an array of the caller's of another type, shape or order, or that cannot be written.
    pub(crate) fn new(
        py: Python<'_>,
        given: Option<&Bound<'_, PyAny>>,
        batch: Option<usize>,
        shape: &[usize],
    ) -> PyResult<Self> {
        let wanted: Vec<usize> = batch.into_iter().chain(shape.iter().copied()).collect();
        let array = match given {
            Some(array) => array.clone(),
            None => py.import("numpy")?.call_method1("empty", (tuple(py, &wanted)?, "float32"))?,
        };
        let refused = |what: &str| {
            PyValueError::new_err(format!(
                "out must be a float32 array of shape {}, row-major and writable; {what}",
                shown(&wanted)
            ))
        };
        let buffer = PyBuffer::<f32>::get(&array).ok().filter(is_native);
        let buffer = buffer.ok_or_else(|| refused("it is of another type"))?;
        if buffer.shape() != wanted {
            return Err(refused(&format!("its shape is {}", shown(buffer.shape()))));
        }
        if buffer.readonly() {
            return Err(refused("it is read-only"));
        }
        if !buffer.is_c_contiguous() {
            return Err(refused("its numbers do not lie one after the other"));
        }
        let (at, len) = (buffer.buf_ptr().cast::<f32>(), buffer.item_count());
        Ok(Self { array: array.unbind(), at, len, _buffer: buffer })
    }

    /// Writes the results.
    ///
    /// Panics: if their count is not the array's length.
    #[expect(unsafe_code, reason = "results are written where the caller wants them")]
    pub(crate) fn fill(&self, values: &[f32]) {
        assert_eq!(values.len(), self.len, "results for the room there is");
        if self.len > 0 {
            // SAFETY: `new` has checked that this many floats are stored here, contiguous, aligned (by `PyBuffer`) and
            // writable; the buffer keeps them there. `values` are the session's own memory, which no array shares.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.at, self.len) }
        }
    }
}

/// A shape as Python has it.
pub(crate) fn tuple<'py>(py: Python<'py>, shape: &[usize]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, shape)
}

/// A shape as Python writes it.
fn shown(shape: &[usize]) -> String {
    let dims: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
}
