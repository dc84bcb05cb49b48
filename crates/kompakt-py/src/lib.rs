//! The loader as a Python module: `kompakt.Model`, NumPy arrays in and out.

use kompakt_runtime::{Model as File, OwnedSession, Port, RuntimeError, Session, SessionOptions};
use pyo3::{
    buffer::PyBuffer,
    exceptions::{PyOSError, PyRuntimeError, PyValueError},
    prelude::*,
    types::PyDict,
};
use std::{path::PathBuf, sync::Mutex};

/// A `.kompakt` file, ready to run.
#[pyclass(frozen, module = "kompakt")]
struct Model {
    session: Mutex<OwnedSession>,
    raw_shape: Vec<usize>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    labels: Vec<String>,
    n_bytes: usize,
}

#[pymethods]
impl Model {
    /// Opens a file. `ram` is a budget in bytes; `in_memory` reads the file instead of mapping it.
    #[new]
    #[pyo3(signature = (path, *, threads = 1, max_batch = 1, ram = None, in_memory = false, verify = true))]
    fn new(
        path: PathBuf,
        threads: usize,
        max_batch: usize,
        ram: Option<usize>,
        in_memory: bool,
        verify: bool,
    ) -> PyResult<Self> {
        let file = if in_memory { File::read(path) } else { File::map(path) }.map_err(exception)?;
        if verify {
            file.verify().map_err(exception)?;
        }
        let (labels, n_bytes) = (file.labels().to_vec(), file.n_bytes());
        let mut options = SessionOptions::default();
        (options.threads, options.max_batch, options.ram_budget) = (threads.max(1), max_batch.max(1), ram);
        let session = OwnedSession::new(file, &options).map_err(exception)?;
        let (raw_shape, inputs, outputs) =
            session.look(|s| (s.raw_shape(), s.inputs().to_vec(), s.outputs().to_vec()));
        Ok(Self { session: Mutex::new(session), raw_shape, inputs, outputs, labels, n_bytes })
    }

    /// Names of the inputs and their shapes, in order; where there is one, its shape is that of a raw input.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for port in &self.inputs {
            let shape = if self.inputs.len() == 1 { &self.raw_shape } else { &port.shape };
            all.set_item(&port.name, tuple(py, shape)?)?;
        }
        Ok(all)
    }

    /// Names of the outputs and their shapes, in order.
    #[getter]
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for port in &self.outputs {
            all.set_item(&port.name, tuple(py, &port.shape)?)?;
        }
        Ok(all)
    }

    /// Shape of one raw input.
    #[getter]
    fn input_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        tuple(py, &self.raw_shape)
    }

    /// Shape of the first output.
    #[getter]
    fn output_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        tuple(py, &self.outputs[0].shape)
    }

    /// Names of the classes, or none.
    #[getter]
    fn labels(&self) -> Vec<String> {
        self.labels.clone()
    }

    /// Length of the file.
    #[getter]
    fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Runs raw inputs `[batch, *input_shape]`, or one without the batch: the file's preprocessing, then the network. Gives
    /// the first output; `run_all` gives all.
    fn run<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.apply(py, x, |session, x, batch| session.run_raw(x, batch).map(<[f32]>::to_vec))
    }

    /// Runs the network and gives all outputs as a dictionary from names to arrays `[batch, *shape]`, without the batch
    /// where the input has none.
    ///
    /// `x` is as for `run`, or a dictionary from names to arrays, one an input, all with the same batch or none.
    fn run_all<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let inputs = self.read_inputs(py, x)?;
        let batch = inputs.first().and_then(|input| input.batch);
        if inputs.iter().any(|input| input.batch != batch) {
            return Err(PyValueError::new_err("the inputs have different batches"));
        }
        let found: Vec<Vec<f32>> = self.with(py, |session| {
            let slices: Vec<&[f32]> = inputs.iter().map(|input| &input.values[..]).collect();
            session.run_all_raw(&slices, batch.unwrap_or(1))?;
            Ok((0..session.outputs().len()).map(|i| session.output(i).to_vec()).collect())
        })?;
        let all = PyDict::new(py);
        for (port, values) in self.outputs.iter().zip(found) {
            all.set_item(&port.name, array(py, batch, &port.shape, &values)?)?;
        }
        Ok(all)
    }

    /// As `run`, as probabilities.
    fn predict<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.apply(py, x, |session, x, batch| session.predict(x, batch).map(<[f32]>::to_vec))
    }

    /// The likeliest classes of one raw input as pairs of label and probability, likeliest first.
    #[pyo3(signature = (x, top = 5))]
    fn classify(&self, py: Python<'_>, x: &Bound<'_, PyAny>, top: usize) -> PyResult<Vec<(String, f32)>> {
        let input = Input::new(py, x, &self.raw_shape)?;
        if input.batch.is_some_and(|n| n != 1) {
            return Err(PyValueError::new_err("classify takes one input; predict takes many"));
        }
        self.with(py, |session| {
            let model = session.model();
            let found = session.classify(&input.values, top)?;
            Ok(found.iter().map(|p| (model.label(p.class).into_owned(), p.probability)).collect())
        })
    }

    fn __repr__(&self) -> String {
        format!("kompakt.Model({} bytes, {:?} to {:?})", self.n_bytes, self.raw_shape, self.outputs[0].shape)
    }
}

impl Model {
    /// Runs `f` on the session with the interpreter released.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut Session<'_>) -> Result<T, RuntimeError> + Send,
    ) -> PyResult<T> {
        py.detach(|| {
            let mut session =
                self.session.lock().map_err(|_| PyRuntimeError::new_err("a run panicked before"))?;
            session.with(f).map_err(exception)
        })
    }

    fn apply<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        f: impl FnOnce(&mut Session<'_>, &[f32], usize) -> Result<Vec<f32>, RuntimeError> + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        let input = Input::new(py, x, &self.raw_shape)?;
        let found = self.with(py, |session| f(session, &input.values, input.batch.unwrap_or(1)))?;
        array(py, input.batch, &self.outputs[0].shape, &found)
    }

    /// The network's inputs, from one array or from a dictionary of all.
    fn read_inputs(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Vec<Input>> {
        let Ok(named) = x.cast::<PyDict>() else { return Ok(vec![Input::new(py, x, &self.raw_shape)?]) };
        if named.len() != self.inputs.len() {
            let text = format!("{} inputs given, the network has {}", named.len(), self.inputs.len());
            return Err(PyValueError::new_err(text));
        }
        let one = |port: &Port| {
            let Some(array) = named.get_item(&port.name)? else {
                return Err(PyValueError::new_err(format!("input {:?} is missing", port.name)));
            };
            Input::new(py, &array, if self.inputs.len() == 1 { &self.raw_shape } else { &port.shape })
        };
        self.inputs.iter().map(one).collect()
    }
}

/// A new NumPy array.
fn array<'py>(
    py: Python<'py>,
    batch: Option<usize>,
    shape: &[usize],
    values: &[f32],
) -> PyResult<Bound<'py, PyAny>> {
    let shape: Vec<usize> = batch.into_iter().chain(shape.iter().copied()).collect();
    let array = py.import("numpy")?.call_method1("empty", (tuple(py, &shape)?, "float32"))?;
    PyBuffer::<f32>::get(&array)?.copy_from_slice(py, values)?;
    Ok(array)
}

/// An array as the loader takes it.
struct Input {
    values: Vec<f32>,
    /// `None`: one input, without a batch.
    batch: Option<usize>,
}

impl Input {
    fn new(py: Python<'_>, x: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Self> {
        let array = py.import("numpy")?.call_method1("ascontiguousarray", (x, "float32"))?;
        let buffer = PyBuffer::<f32>::get(&array)?;
        let batch = match buffer.shape() {
            found if found == shape => None,
            [batch, rest @ ..] if rest == shape => Some(*batch),
            found => {
                let text =
                    format!("an array of shape {found:?}; the network takes {shape:?}, or a batch of them");
                return Err(PyValueError::new_err(text));
            }
        };
        Ok(Self { values: buffer.to_vec(py)?, batch })
    }
}

fn tuple<'py>(py: Python<'py>, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    Ok(pyo3::types::PyTuple::new(py, shape)?.into_any())
}

fn exception(error: RuntimeError) -> PyErr {
    match error {
        RuntimeError::Io { .. } => PyOSError::new_err(error.to_string()),
        RuntimeError::Thread(_) => PyRuntimeError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

/// Runs .kompakt files straight from their compressed form.
#[pymodule]
mod kompakt {
    #[pymodule_export]
    use super::Model;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
