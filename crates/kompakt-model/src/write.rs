//! Safetensors out.

use crate::{
    error::CheckpointError,
    metadata::{KEY, Metadata},
    model::Model,
    parameter::Parameter,
};
use kompakt_numbers::Numbers;
use safetensors::{Dtype, View};
use std::{borrow::Cow, cell::RefCell, collections::HashMap, path::Path};

/// Parameters with more elements than this are not held while a model is written parameter by parameter.
const HELD_ELEMENTS: usize = 1 << 20;

impl Model {
    /// Writes the model to a new file at `path`; equal models give equal bytes.
    ///
    /// Errors: the model is not consistent ([`Model::check`]), or the file cannot be written. For a file that
    /// must never be seen half-written write to a sibling and rename it.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        self.check()?;
        let mut tensors = Vec::new();
        for (name, parameter) in &self.parameters {
            push_parameter(&mut tensors, name, parameter, Source::Held(parameter));
        }
        self.write_tensors(tensors, path)
    }

    /// Writes a model too large for memory: `self` holds everything but its parameters, and `fetch` returns
    /// one at a time, large ones up to three times. The bytes are those of [`Model::write`].
    ///
    /// Memory: one parameter, and the bytes of one of its tensors.
    /// Errors: what `fetch` returns, a parameter that is not consistent, a file that cannot be written.
    pub fn write_fetching<E: From<CheckpointError>>(
        &self,
        path: &Path,
        fetch: impl Fn(&str) -> Result<Parameter, E>,
    ) -> Result<(), E> {
        let failed = RefCell::new(None);
        let again = |name: &str| fetch(name).map_err(|error| failed.replace(Some(error))).ok();
        let mut names: Vec<&str> = self.graph.params().iter().map(|param| param.name.as_str()).collect();
        names.sort_unstable();
        let mut small = Vec::new();
        let mut tensors = Vec::new();
        for name in names {
            let parameter = fetch(name)?;
            parameter.check(name)?;
            if parameter.len() <= HELD_ELEMENTS {
                small.push((name, parameter));
            } else {
                push_parameter(&mut tensors, name, &parameter, Source::Fetched { name, fetch: &again });
            }
        }
        for (name, parameter) in &small {
            push_parameter(&mut tensors, name, parameter, Source::Held(parameter));
        }
        let written = self.write_tensors(tensors, path);
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(written?),
        }
    }

    fn write_tensors(&self, tensors: Vec<(String, Tensor<'_>)>, path: &Path) -> Result<(), CheckpointError> {
        let metadata = Metadata {
            graph: self.graph.clone(),
            dense_parameters: self.dense_parameters,
            preprocessing: self.preprocessing.clone(),
            labels: self.labels.clone(),
            provenance: self.provenance.clone(),
        };
        let info = HashMap::from([(KEY.to_string(), metadata.to_json())]);
        safetensors::serialize_to_file(tensors, Some(info), path).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(source) => {
                CheckpointError::Io { what: "writing the model".to_string(), source }
            }
            other => CheckpointError::NotSafetensors(other.to_string()),
        })
    }
}

/// A tensor whose bytes are made when they are written.
struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    part: Part,
    source: Source<'a>,
}

/// Which tensor of its parameter it is.
#[derive(Clone, Copy)]
enum Part {
    /// The values, or the codebook.
    Numbers,
    /// The scale of integers.
    Scale,
    Codes,
    Mask,
}

/// Where the parameter is.
#[derive(Clone, Copy)]
enum Source<'a> {
    Held(&'a Parameter),
    Fetched { name: &'a str, fetch: &'a dyn Fn(&str) -> Option<Parameter> },
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        match self.source {
            Source::Held(parameter) => self.bytes_of(parameter),
            Source::Fetched { name, fetch } => match fetch(name) {
                Some(parameter) => Cow::Owned(self.bytes_of(&parameter).into_owned()),
                // The error is kept by the writer, and the file is not.
                None => vec![0; self.data_len()].into(),
            },
        }
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

impl Tensor<'_> {
    fn bytes_of<'p>(&self, parameter: &'p Parameter) -> Cow<'p, [u8]> {
        match (self.part, parameter) {
            (Part::Numbers, Parameter::Dense { values: numbers, .. })
            | (Part::Numbers, Parameter::Shared { codebook: numbers, .. }) => self.numbers(numbers).into(),
            (Part::Scale, Parameter::Dense { values: numbers, .. })
            | (Part::Scale, Parameter::Shared { codebook: numbers, .. }) => match numbers {
                Numbers::Scaled { scale, .. } => scale.to_le_bytes().to_vec().into(),
                _ => Cow::Borrowed(&[]),
            },
            (Part::Codes, Parameter::Shared { codes, .. }) => Cow::Borrowed(codes),
            (Part::Codes, Parameter::Dense { .. }) => Cow::Borrowed(&[]),
            (Part::Mask, _) => parameter.mask().unwrap_or_default().iter().map(|&b| u8::from(b)).collect(),
        }
    }

    fn numbers(&self, numbers: &Numbers) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.data_len());
        match numbers {
            Numbers::F32(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Numbers::F16(v) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            Numbers::Scaled { integers, .. } => {
                let n = self.dtype.bitsize() / 8;
                integers.iter().for_each(|x| bytes.extend(&x.to_le_bytes()[..n]));
            }
        }
        bytes
    }
}

/// The tensors of a parameter: their types and shapes from `parameter`, their bytes from `source`.
fn push_parameter<'a>(
    tensors: &mut Vec<(String, Tensor<'a>)>,
    name: &str,
    parameter: &Parameter,
    source: Source<'a>,
) {
    let shape = parameter.shape().to_vec();
    let mut push = |suffix: &str, dtype: Dtype, shape: Vec<usize>, part: Part| {
        tensors.push((format!("{name}{suffix}"), Tensor { dtype, shape, part, source }));
    };
    let (stem, numbers, numbers_shape) = match parameter {
        Parameter::Dense { values, .. } => ("", values, shape.clone()),
        Parameter::Shared { codebook, .. } => (".codebook", codebook, vec![codebook.len()]),
    };
    let dtype = match numbers {
        Numbers::F32(_) => Dtype::F32,
        Numbers::F16(_) => Dtype::F16,
        Numbers::Scaled { integers, .. } => {
            push(&format!("{stem}.scale"), Dtype::F32, vec![1], Part::Scale);
            narrowest(integers)
        }
    };
    push(stem, dtype, numbers_shape, Part::Numbers);
    if matches!(parameter, Parameter::Shared { .. }) {
        push(".codes", Dtype::U8, shape.clone(), Part::Codes);
    }
    if parameter.mask().is_some() {
        push(".mask", Dtype::BOOL, shape, Part::Mask);
    }
}

/// The narrowest integer type that holds all of `integers`.
fn narrowest(integers: &[i32]) -> Dtype {
    if integers.iter().all(|&i| i8::try_from(i).is_ok()) {
        Dtype::I8
    } else if integers.iter().all(|&i| i16::try_from(i).is_ok()) {
        Dtype::I16
    } else {
        Dtype::I32
    }
}
