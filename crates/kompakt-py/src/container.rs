//! A file for inspection, not for running.

use crate::{background, compress::Source, error};
use kompakt::library;
use kompakt_format::{Container as Parsed, Tier};
use kompakt_import::onnx;
use kompakt_micro::{Activations, Input, Options as Generated};
use kompakt_pack::{Options, Packed, unpack, write_to};
use kompakt_runtime::{Model, Session, SessionOptions};
use pyo3::{
    exceptions::{PyKeyError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes},
};
use std::path::PathBuf;

/// A `.kompakt` file, parsed and checked.
#[pyclass(frozen, module = "kompakt._native")]
pub(crate) struct Container {
    from: From,
}

enum From {
    File(Model<'static>),
    Bytes(Vec<u8>),
}

/// Shape, values, mask, codes, codebook: numbers as the bytes of arrays.
type Parts =
    (Vec<usize>, Py<PyByteArray>, Option<Py<PyByteArray>>, Option<Py<PyByteArray>>, Option<Py<PyByteArray>>);

#[pymethods]
impl Container {
    /// A file by its path, which is mapped.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| {
            let file = Model::map(path)?;
            file.verify()?;
            Ok(Self { from: From::File(file) })
        })
        .map_err(error::of_runtime)
    }

    /// A file in memory.
    #[staticmethod]
    fn of_bytes(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Self> {
        py.detach(|| Parsed::parse(&bytes).and_then(|file| file.verify())).map_err(error::of_input)?;
        Ok(Self { from: From::Bytes(bytes) })
    }

    /// What `kompakt inspect --json` prints.
    fn inspect(&self, py: Python<'_>) -> PyResult<String> {
        let parsed = self.parsed()?;
        let json = py.detach(|| library::inspection(&parsed));
        Ok(json.map_err(|e| error::of_command(&e))?.to_string())
    }

    /// What `kompakt run --plan --json` prints.
    fn plan(&self, py: Python<'_>, threads: usize, max_batch: usize, ram: Option<usize>) -> PyResult<String> {
        let mut options = SessionOptions::default();
        (options.threads, options.max_batch, options.ram_budget) = (threads.max(1), max_batch.max(1), ram);
        let of = |model: &Model<'_>| {
            let session = Session::new(model, &options)?;
            Ok(library::plan(session.plan(), model).to_string())
        };
        py.detach(|| match &self.from {
            From::File(model) => of(model),
            From::Bytes(bytes) => of(&Model::from_bytes(bytes)?),
        })
        .map_err(error::of_runtime)
    }

    /// Names of the parameters, in the order of the network.
    fn names(&self) -> PyResult<Vec<String>> {
        Ok(self.parsed()?.graph().params().iter().map(|param| param.name.clone()).collect())
    }

    /// One parameter, decoded.
    fn parameter(&self, py: Python<'_>, name: &str) -> PyResult<Parts> {
        let parsed = self.parsed()?;
        let params = parsed.graph().params();
        let index = params.iter().position(|param| param.name == name);
        let index = index.ok_or_else(|| PyKeyError::new_err(name.to_string()))?;
        let decoded = py.detach(|| {
            let pool = parsed.pool()?;
            parsed.decode_parameter(index, &pool)
        });
        let decoded = decoded.map_err(error::of_input)?;
        let bytes = |bytes: &[u8]| PyByteArray::new(py, bytes).unbind();
        let numbers = |values: Vec<f32>| {
            let all: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            bytes(&all)
        };
        let mask = decoded.mask().map(|mask| {
            let mask: Vec<u8> = mask.iter().map(|kept| u8::from(*kept)).collect();
            bytes(&mask)
        });
        let shared = decoded.shared();
        let codes = shared.map(|(_, weights)| bytes(weights.codes));
        let codebook = shared.map(|(codebook, _)| numbers(codebook.to_f32()));
        Ok((params[index].shape.clone(), numbers(decoded.to_f32()), mask, codes, codebook))
    }

    /// The bytes of a dense ONNX model.
    fn onnx<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let parsed = self.parsed()?;
        let made = py.detach(|| {
            let model = unpack(&parsed, true, &|_, _| ()).map_err(error::of_input)?;
            onnx::export(&model).map_err(error::of_input)
        });
        Ok(PyBytes::new(py, &made?))
    }

    /// Source of that name, over integers of 8 bits if asked for: C and its header, or the library of a Rust crate and its
    /// manifest.
    fn source(
        &self,
        py: Python<'_>,
        name: &str,
        bytes: bool,
        int8: bool,
        rust: bool,
    ) -> PyResult<(String, String)> {
        let parsed = self.parsed()?;
        let input = if bytes { Input::Bytes } else { Input::Floats };
        let activations = if int8 { Activations::Int8 } else { Activations::F32 };
        let how = Generated { input, activations };
        let made = py.detach(|| match rust {
            true => kompakt_micro::rust_crate(&parsed, name, how).map(|made| (made.code, made.manifest)),
            false => kompakt_micro::c_source(&parsed, name, how).map(|made| (made.code, made.header)),
        });
        made.map_err(error::of_input)
    }

    /// The bytes of the file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.parsed()?.bytes()))
    }

    /// The bytes of the same file with the ranges of the values that its layers read.
    fn calibrate<'py>(
        &self,
        py: Python<'py>,
        data: Option<Source>,
        prep: Option<String>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let data = data.map(|data| data.read(py)).transpose()?;
        let bytes = self.parsed()?.bytes().to_vec();
        let made = background::run(py, None, move |progress| -> anyhow::Result<Vec<u8>> {
            let mut model = unpack(&Parsed::parse(&bytes)?, false, &|_, _| ())
                .map_err(|error| library::compress_error(error.into()))?;
            let pictures = match data {
                Some(data) => library::pictures(&mut model, data, 1, true, prep)?,
                None => None,
            };
            let seen = pictures.as_ref().map(|pictures| &pictures.seen);
            kompakt_compress::calibrated(&bytes, seen, progress).map_err(library::compress_error)
        })?;
        Ok(PyBytes::new(py, &made.map_err(|e| error::of_command(&e))?))
    }

    /// The patch that makes another file of this one.
    fn patch<'py>(&self, py: Python<'py>, newer: &Self) -> PyResult<Bound<'py, PyBytes>> {
        let (old, new) = (self.parsed()?, newer.parsed()?);
        let made = py.detach(|| kompakt_delta::diff(old.bytes(), new.bytes()));
        Ok(PyBytes::new(py, &made.map_err(error::of_input)?))
    }

    /// The file that a patch makes of this one.
    fn patched<'py>(&self, py: Python<'py>, patch: Vec<u8>) -> PyResult<Bound<'py, PyBytes>> {
        let old = self.parsed()?;
        let made = py.detach(|| kompakt_delta::patch(old.bytes(), &patch));
        Ok(PyBytes::new(py, &made.map_err(error::of_input)?))
    }

    /// The bytes of the same content in another tier.
    fn repack<'py>(
        &self,
        py: Python<'py>,
        tier: &str,
        minimal: bool,
        compact: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let options = packing(tier, minimal, compact)?;
        let parsed = self.parsed()?;
        let made = py.detach(|| {
            let mut bytes = Vec::new();
            let mut source = Packed::new(&parsed)?;
            write_to(&mut source, &options, &mut bytes, &|_, _| ()).map(|_| bytes)
        });
        Ok(PyBytes::new(py, &made.map_err(error::of_input)?))
    }

    /// A line for each thing in which two files differ.
    fn diff(&self, py: Python<'_>, other: &Self) -> PyResult<Vec<String>> {
        let (a, b) = (self.parsed()?, other.parsed()?);
        py.detach(|| library::differences(&a, &b)).map_err(|e| error::of_command(&e))
    }
}

impl Container {
    fn parsed(&self) -> PyResult<Parsed<'_>> {
        match &self.from {
            From::File(model) => model.container().map_err(error::of_runtime),
            From::Bytes(bytes) => Parsed::parse(bytes).map_err(error::of_input),
        }
    }
}

/// How a file is to be written; `compact` implies `minimal`.
pub(crate) fn packing(tier: &str, minimal: bool, compact: bool) -> PyResult<Options> {
    let options = Options::new(tier_of(tier)?);
    match compact {
        false => Ok(Options { minimal, ..options }),
        true if options.tier == Tier::Smallest => Ok(options.compact()),
        true => Err(PyValueError::new_err("compact is a form of the tier 'smallest' alone")),
    }
}

/// A tier by its name.
pub(crate) fn tier_of(name: &str) -> PyResult<Tier> {
    match name {
        "smallest" => Ok(Tier::Smallest),
        "stream" => Ok(Tier::Stream),
        "direct" => Ok(Tier::Direct),
        _ => {
            Err(PyValueError::new_err(format!("tier {name:?}: there are 'smallest', 'stream' and 'direct'")))
        }
    }
}
