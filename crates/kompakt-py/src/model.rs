//! `kompakt.Model`: a file, ready to run.

use crate::{
    array::{Input, Room, Wanted, tuple},
    error,
};
use kompakt_gpu::{Decode, Device, GpuOptions};
use kompakt_graph::Symbol;
use kompakt_runtime::{
    Activations, Isa, Model as File, OwnedSession, Port, PublicKey, RuntimeError, Session, SessionOptions,
};
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
    types::{PyDict, PyTuple},
};
use std::{borrow::Cow, path::PathBuf, sync::Mutex};

/// A `.kompakt` file, ready to run.
#[pyclass(frozen, module = "kompakt")]
pub(crate) struct Model {
    session: Mutex<OwnedSession>,
    /// Shapes at the sizes at which the file was opened.
    raw_shape: Vec<usize>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// The sizes that the file leaves open.
    open_sizes: Vec<Symbol>,
    labels: Vec<String>,
    n_bytes: usize,
    path: PathBuf,
    options: Options,
}

/// How a file was opened, for `pickle`.
struct Options {
    threads: usize,
    max_batch: usize,
    ram: Option<usize>,
    activations: String,
    sizes: Vec<(String, usize)>,
    from_file: bool,
    in_memory: bool,
    verify: bool,
    device: Device,
    vram: Option<u64>,
    half: bool,
    decode: Decode,
    /// In seconds.
    timeout: Option<f64>,
    isa: Option<String>,
    require_signature: Option<String>,
}

#[pymethods]
impl Model {
    /// Opens a file. `ram` is a budget in bytes; `sizes` has sizes that the file leaves open, by name; `in_memory` reads the file instead
    /// of mapping it.
    ///
    /// `device` is "cpu", "gpu", "gpu:NAME" (a part of a name of `devices()`) or "auto", which falls back on the processor. A
    /// GPU takes `vram`, a budget of video memory in bytes, and `half`, values between layers in 16 bits, and `decode`, when the tier
    /// `stream` is decoded: "load", "run" or "host", and `timeout`, the seconds that it may take to answer; of the other options it takes `max_batch`. `require_signature` is the text of a public key that must have signed the file.
    #[new]
    #[pyo3(signature = (
        path, *, threads = 1, max_batch = 1, ram = None, activations = "f32", sizes = None, from_file = false,
        in_memory = false, verify = true, device = "cpu", vram = None, half = false, decode = "load", timeout = None,
        isa = None, require_signature = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python has them by name")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        threads: usize,
        max_batch: usize,
        ram: Option<usize>,
        activations: &str,
        sizes: Option<Bound<'_, PyDict>>,
        from_file: bool,
        in_memory: bool,
        verify: bool,
        device: &str,
        vram: Option<u64>,
        half: bool,
        decode: &str,
        timeout: Option<f64>,
        isa: Option<String>,
        require_signature: Option<String>,
    ) -> PyResult<Self> {
        let key =
            require_signature.as_deref().map(PublicKey::parse).transpose().map_err(error::of_runtime)?;
        let numbers: Activations = activations.parse().map_err(PyValueError::new_err)?;
        let activations = activations.to_string();
        let device: Device = device.parse().map_err(PyValueError::new_err)?;
        let decode: Decode = decode.parse().map_err(PyValueError::new_err)?;
        let limit = timeout.map(GpuOptions::timeout_of).transpose().map_err(PyValueError::new_err)?;
        let instructions = isa.as_deref().map(instruction_set).transpose()?;
        let (threads, max_batch) = (threads.max(1), max_batch.max(1));
        let sizes = sizes.iter().flatten().map(|(name, size)| Ok((name.extract()?, size.extract()?)));
        let sizes = sizes.collect::<PyResult<Vec<(String, usize)>>>()?;
        let path = std::path::absolute(path)?;
        py.detach(|| {
            let file = match (&key, in_memory) {
                (None, true) => File::read(&path),
                (None, false) => File::map(&path),
                (Some(key), true) => File::read_signed(&path, key),
                (Some(key), false) => File::map_signed(&path, key),
            }?;
            if verify {
                file.verify()?;
            }
            let file = file.at(&sizes)?;
            let (labels, n_bytes) = (file.labels().to_vec(), file.n_bytes());
            let open_sizes = file.open_sizes().to_vec();
            let mut options = SessionOptions::default();
            (options.threads, options.max_batch, options.ram_budget) = (threads, max_batch, ram);
            (options.activations, options.from_file) = (numbers, from_file);
            options.isa = instructions.unwrap_or_else(Isa::best);
            options.sizes.clone_from(&sizes);
            let mut gpu = GpuOptions::default();
            (gpu.vram_budget, gpu.half, gpu.decode, gpu.timeout) = (vram, half, decode, limit);
            let session = OwnedSession::with_session(file, |file| {
                kompakt_gpu::session(file, &options, &device, &gpu).map(|opened| opened.session)
            })?;
            let (raw_shape, inputs, outputs) =
                session.look(|s| (s.raw_shape(), s.inputs().to_vec(), s.outputs().to_vec()));
            let options = Options {
                threads,
                max_batch,
                ram,
                activations,
                sizes,
                from_file,
                in_memory,
                verify,
                device,
                vram,
                half,
                decode,
                timeout,
                isa,
                require_signature,
            };
            let session = Mutex::new(session);
            Ok(Self { session, raw_shape, inputs, outputs, open_sizes, labels, n_bytes, path, options })
        })
        .map_err(error::of_device)
    }

    /// Names of the inputs and their shapes, in order; where there is one, its shape is that of a raw input.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for port in &self.inputs {
            all.set_item(&port.name, tuple(py, self.input_shape_of(port))?)?;
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
    fn input_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, &self.raw_shape)
    }

    /// Shape of the first output.
    #[getter]
    fn output_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, &self.outputs[0].shape)
    }

    /// The sizes that the file leaves open, by name: what each may be.
    #[getter]
    fn open_sizes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        let range = py.import("builtins")?.getattr("range")?;
        for symbol in &self.open_sizes {
            all.set_item(&symbol.name, range.call1((symbol.least, symbol.most + 1, symbol.step))?)?;
        }
        Ok(all)
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

    /// Where the file is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Runs raw inputs `[batch, *input_shape]`, or one without the batch: the file's preprocessing, then the
    /// network. Returns the first output, in `out` if it is there; `run_all` returns all.
    #[pyo3(signature = (x, out = None))]
    fn run(
        &self,
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        out: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.first(py, x, out, |session, x, batch| session.run_raw(x, batch).map(drop))
    }

    /// As `run`, as probabilities.
    #[pyo3(signature = (x, out = None))]
    fn predict(
        &self,
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        out: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.first(py, x, out, |session, x, batch| session.predict(x, batch).map(drop))
    }

    /// Runs the network and returns all outputs as a dictionary from names to arrays `[batch, *shape]`,
    /// without the batch where the input has none.
    ///
    /// `x` is as for `run`, or a dictionary from names to arrays, one per input, all with the same batch or
    /// none. `out` has arrays for some or all of the outputs, by name.
    #[pyo3(signature = (x, out = None))]
    fn run_all<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs = self.read_inputs(py, x)?;
        let batch = inputs.first().and_then(|input| input.batch);
        if inputs.iter().any(|input| input.batch != batch) {
            return Err(PyValueError::new_err("the inputs have different batches"));
        }
        self.knows_all_of(out)?;
        let outputs = self.outputs_for(py, &inputs)?;
        let room = |port: &Port| {
            let given = out.map(|out| out.get_item(&port.name)).transpose()?.flatten();
            Room::new(py, given.as_ref(), batch, &port.shape)
        };
        let rooms = outputs.iter().map(room).collect::<PyResult<Vec<Room>>>()?;
        let values: Vec<&[f32]> = inputs.iter().map(Input::values).collect();
        let shapes = shapes(&inputs);
        self.with(py, |session| {
            self.fit(session, &shapes)?;
            session.run_all_raw(&values, batch.unwrap_or(1))?;
            rooms.iter().enumerate().for_each(|(i, room)| room.fill(session.output(i)));
            Ok(())
        })?;
        let all = PyDict::new(py);
        for (port, room) in self.outputs.iter().zip(rooms) {
            all.set_item(&port.name, &room.array)?;
        }
        Ok(all)
    }

    /// The likeliest classes of one raw input as pairs of label and probability, likeliest first.
    #[pyo3(signature = (x, top = 5))]
    fn classify(&self, py: Python<'_>, x: &Bound<'_, PyAny>, top: usize) -> PyResult<Vec<(String, f32)>> {
        let input = Input::new(py, x, self.wanted(&self.raw_shape))?;
        if input.batch.is_some_and(|n| n != 1) {
            return Err(PyValueError::new_err("classify takes one input; predict takes many"));
        }
        let values = input.values();
        self.with(py, |session| {
            self.fit(session, &[&input.shape])?;
            let model = session.model();
            let found = session.classify(values, top)?;
            Ok(found.iter().map(|p| (model.label(p.class).into_owned(), p.probability)).collect())
        })
    }

    fn __repr__(&self) -> String {
        format!("kompakt.Model({} bytes, {:?} to {:?})", self.n_bytes, self.raw_shape, self.outputs[0].shape)
    }

    /// A model is pickled by its path: unpickling opens the file.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<((PathBuf,), Bound<'py, PyDict>)> {
        let options = PyDict::new(py);
        options.set_item("threads", self.options.threads)?;
        options.set_item("max_batch", self.options.max_batch)?;
        options.set_item("ram", self.options.ram)?;
        options.set_item("activations", &self.options.activations)?;
        let sizes = PyDict::new(py);
        self.options.sizes.iter().try_for_each(|(name, size)| sizes.set_item(name, size))?;
        options.set_item("sizes", sizes)?;
        options.set_item("from_file", self.options.from_file)?;
        options.set_item("in_memory", self.options.in_memory)?;
        options.set_item("verify", self.options.verify)?;
        options.set_item("device", self.options.device.to_string())?;
        options.set_item("vram", self.options.vram)?;
        options.set_item("half", self.options.half)?;
        options.set_item("decode", self.options.decode.to_string())?;
        options.set_item("timeout", self.options.timeout)?;
        options.set_item("isa", &self.options.isa)?;
        options.set_item("require_signature", &self.options.require_signature)?;
        Ok(((self.path.clone(),), options))
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
            session.with(f).map_err(error::of_runtime)
        })
    }

    /// The first output of a run.
    fn first(
        &self,
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        out: Option<&Bound<'_, PyAny>>,
        run: impl FnOnce(&mut Session<'_>, &[f32], usize) -> Result<(), RuntimeError> + Send,
    ) -> PyResult<Py<PyAny>> {
        let input = Input::new(py, x, self.wanted(&self.raw_shape))?;
        let outputs = self.outputs_for(py, std::slice::from_ref(&input))?;
        let room = Room::new(py, out, input.batch, &outputs[0].shape)?;
        let (values, batch) = (input.values(), input.batch.unwrap_or(1));
        let to = &room;
        self.with(py, |session| {
            self.fit(session, &[&input.shape])?;
            run(session, values, batch)?;
            to.fill(session.output(0));
            Ok(())
        })?;
        Ok(room.array)
    }

    /// Whether inputs say at which sizes the network runs: some are open, and no preprocessing comes first.
    fn is_open(&self) -> bool {
        !self.open_sizes.is_empty() && (self.inputs.len() > 1 || self.raw_shape == self.inputs[0].shape)
    }

    fn wanted<'s>(&self, shape: &'s [usize]) -> Wanted<'s> {
        if self.is_open() { Wanted::Like(shape) } else { Wanted::Exactly(shape) }
    }

    /// The outputs with their shapes for inputs of these shapes.
    fn outputs_for(&self, py: Python<'_>, inputs: &[Input]) -> PyResult<Cow<'_, [Port]>> {
        if !self.is_open() {
            return Ok(Cow::Borrowed(&self.outputs));
        }
        let shapes = shapes(inputs);
        self.with(py, |session| {
            self.fit(session, &shapes)?;
            Ok(Cow::Owned(session.outputs().to_vec()))
        })
    }

    /// Plans the session for inputs of these shapes, which another thread may have changed.
    fn fit(&self, session: &mut Session<'_>, shapes: &[&[usize]]) -> Result<(), RuntimeError> {
        if self.is_open() { session.resize_to(shapes) } else { Ok(()) }
    }

    fn input_shape_of<'s>(&'s self, port: &'s Port) -> &'s [usize] {
        if self.inputs.len() == 1 { &self.raw_shape } else { &port.shape }
    }

    /// The network's inputs, from one array or from a dictionary of all.
    fn read_inputs(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Vec<Input>> {
        let Ok(named) = x.cast::<PyDict>() else {
            return Ok(vec![Input::new(py, x, self.wanted(&self.raw_shape))?]);
        };
        if named.len() != self.inputs.len() {
            let text = format!("{} inputs given, the network has {}", named.len(), self.inputs.len());
            return Err(PyValueError::new_err(text));
        }
        let one = |port: &Port| {
            let Some(array) = named.get_item(&port.name)? else {
                return Err(PyValueError::new_err(format!("input {:?} is missing", port.name)));
            };
            Input::new(py, &array, self.wanted(self.input_shape_of(port)))
        };
        self.inputs.iter().map(one).collect()
    }

    /// Refuses arrays for outputs that the network does not have.
    fn knows_all_of(&self, out: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let Some(out) = out else { return Ok(()) };
        for name in out.keys() {
            let name: String = name.extract()?;
            if !self.outputs.iter().any(|port| port.name == name) {
                let names: Vec<&str> = self.outputs.iter().map(|port| port.name.as_str()).collect();
                let text = format!("out has {name:?}; the network's outputs are {}", names.join(", "));
                return Err(PyValueError::new_err(text));
            }
        }
        Ok(())
    }
}

/// An instruction set of this machine.
fn instruction_set(name: &str) -> PyResult<Isa> {
    Isa::by_name(name).ok_or_else(|| {
        let all: Vec<&str> = Isa::available().map(Isa::name).collect();
        PyValueError::new_err(format!("isa {name:?}: this machine has {}", all.join(", ")))
    })
}

fn shapes(inputs: &[Input]) -> Vec<&[usize]> {
    inputs.iter().map(|input| &input.shape[..]).collect()
}

/// Names of this machine's GPUs, best first. A module that was built without the feature `gpu` has none.
#[pyfunction]
pub(crate) fn devices() -> Vec<String> {
    kompakt_gpu::adapters().unwrap_or_default().into_iter().map(|adapter| adapter.name).collect()
}
