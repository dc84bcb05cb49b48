//! Safetensors out.

use crate::{
    error::CheckpointError,
    metadata::{KEY, Metadata},
    model::Model,
    numbers::Numbers,
    parameter::Parameter,
};
use safetensors::{Dtype, View};
use std::{borrow::Cow, collections::HashMap, path::Path};

impl Model {
    /// Writes the model to a new file at `path`; equal models give equal bytes.
    ///
    /// Errors: the model is not consistent ([`Model::check`]), or the file cannot be written. For a file that
    /// must never be seen half-written use [`crate::stage::Output`].
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        self.check()?;
        let metadata = Metadata {
            graph: self.graph.clone(),
            dense_parameters: self.dense_parameters,
            preprocessing: self.preprocessing.clone(),
            labels: self.labels.clone(),
            provenance: self.provenance.clone(),
        };
        let info = HashMap::from([(KEY.to_string(), metadata.to_json())]);
        let mut tensors = Vec::new();
        for (name, parameter) in &self.parameters {
            push_parameter(&mut tensors, name, parameter);
        }
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
    data: Data<'a>,
}

enum Data<'a> {
    F32(&'a [f32]),
    One(f32),
    F16(&'a [u16]),
    Integers(&'a [i32]),
    U8(&'a [u8]),
    Bool(&'a [bool]),
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        match &self.data {
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::One(x) => x.to_le_bytes().to_vec().into(),
            Data::F16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::Integers(v) => {
                let n = self.dtype.bitsize() / 8;
                v.iter().flat_map(|x| x.to_le_bytes().into_iter().take(n)).collect()
            }
            Data::U8(v) => Cow::Borrowed(v),
            Data::Bool(v) => v.iter().map(|&b| u8::from(b)).collect(),
        }
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

fn push_parameter<'a>(tensors: &mut Vec<(String, Tensor<'a>)>, name: &str, parameter: &'a Parameter) {
    let shape = parameter.shape().to_vec();
    match parameter {
        Parameter::Dense { values, .. } => push_numbers(tensors, name, shape.clone(), values),
        Parameter::Shared { codebook, codes, .. } => {
            push_numbers(tensors, &format!("{name}.codebook"), vec![codebook.len()], codebook);
            let codes = Tensor { dtype: Dtype::U8, shape: shape.clone(), data: Data::U8(codes) };
            tensors.push((format!("{name}.codes"), codes));
        }
    }
    if let Some(mask) = parameter.mask() {
        tensors.push((format!("{name}.mask"), Tensor { dtype: Dtype::BOOL, shape, data: Data::Bool(mask) }));
    }
}

fn push_numbers<'a>(
    tensors: &mut Vec<(String, Tensor<'a>)>,
    name: &str,
    shape: Vec<usize>,
    numbers: &'a Numbers,
) {
    let (dtype, data) = match numbers {
        Numbers::F32(v) => (Dtype::F32, Data::F32(v)),
        Numbers::F16(v) => (Dtype::F16, Data::F16(v)),
        Numbers::Scaled { scale, integers } => {
            let scale = Tensor { dtype: Dtype::F32, shape: vec![1], data: Data::One(*scale) };
            tensors.push((format!("{name}.scale"), scale));
            (narrowest(integers), Data::Integers(integers))
        }
    };
    tensors.push((name.to_string(), Tensor { dtype, shape, data }));
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
