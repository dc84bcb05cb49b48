//! Constants: initialisers and the results of shape arithmetic.

use crate::onnx::{
    error::OnnxError,
    external, narrow,
    proto::{EXTERNAL, SparseTensorProto, TensorProto, data_type},
};
use half::{bf16, f16};
use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, path::Path, rc::Rc};

/// The most elements that a constant may have.
pub(crate) const MAX_ELEMENTS: usize = 1 << 34;

/// The most dimensions that a constant may have.
const MAX_DIMS: usize = 16;

/// Elements, row-major. All kinds of floats become f32, all integers and booleans i64.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Data,
}

impl Tensor {
    pub(crate) fn floats(dims: Vec<usize>, data: Vec<f32>) -> Self {
        Self { dims, data: Data::Floats(data) }
    }

    pub(crate) fn ints(dims: Vec<usize>, data: Vec<i64>) -> Self {
        Self { dims, data: Data::Ints(data) }
    }

    pub(crate) fn list(data: Vec<i64>) -> Self {
        Self::ints(vec![data.len()], data)
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Floats(v) => v.len(),
            Data::Ints(v) => v.len(),
        }
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self.data, Data::Floats(_))
    }

    /// All elements as f32.
    pub(crate) fn to_floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Floats(v) => v.clone(),
            Data::Ints(v) => v.iter().map(|&i| i as f32).collect(),
        }
    }

    /// All elements as f32, moved if they are f32 already.
    pub(crate) fn into_floats(self) -> Vec<f32> {
        match self.data {
            Data::Floats(v) => v,
            Data::Ints(_) => self.to_floats(),
        }
    }

    /// All elements, or `None` if they are integers.
    pub(crate) fn floats_of(&self) -> Option<&[f32]> {
        match &self.data {
            Data::Floats(v) => Some(v),
            Data::Ints(_) => None,
        }
    }

    /// All elements as f32, without a copy if they are f32 already.
    pub(crate) fn as_floats(&self) -> Cow<'_, [f32]> {
        match &self.data {
            Data::Floats(v) => Cow::Borrowed(v),
            Data::Ints(_) => Cow::Owned(self.to_floats()),
        }
    }

    /// All elements as integers, or `None` if they are floats.
    pub(crate) fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Ints(v) => Some(v),
            Data::Floats(_) => None,
        }
    }

    /// Changes each float by up to `relative` of itself, by a sequence that depends on `seed` alone.
    pub(crate) fn round_off(&mut self, relative: f32, seed: u64) {
        let Data::Floats(values) = &mut self.data else { return };
        let mut random = kompakt_numbers::SplitMix64::new(seed);
        for value in values {
            *value += *value * relative * (random.unit() as f32 * 2.0 - 1.0);
        }
    }

    /// Takes other values, where these are as many floats.
    pub(crate) fn replace_floats(&mut self, by: &[f32]) {
        if let Data::Floats(values) = &mut self.data
            && values.len() == by.len()
        {
            values.copy_from_slice(by);
        }
    }

    /// The only element.
    pub(crate) fn scalar(&self) -> Option<f32> {
        if self.len() == 1 { self.to_floats().first().copied() } else { None }
    }

    /// The same elements under another shape. Never panics; the caller checks the count.
    pub(crate) fn reshaped(&self, dims: Vec<usize>) -> Self {
        Self { dims, data: self.data.clone() }
    }

    /// The elements at the given positions of the row-major list.
    pub(crate) fn pick(&self, dims: Vec<usize>, places: impl Iterator<Item = usize>) -> Self {
        let data = match &self.data {
            Data::Floats(v) => Data::Floats(places.map(|i| v[i]).collect()),
            Data::Ints(v) => Data::Ints(places.map(|i| v[i]).collect()),
        };
        Self { dims, data }
    }

    /// Reads a tensor. `folder` is searched for files next to the model.
    ///
    /// Errors: dimensions that do not fit the data, element types without numbers, data that cannot be read.
    pub(crate) fn read(proto: &TensorProto, folder: Option<&Path>) -> Result<Self, OnnxError> {
        let fail = |problem: String| OnnxError::tensor(&proto.name, problem);
        let dims = dims(&proto.dims).map_err(fail)?;
        let n: usize = dims.iter().product();
        let raw = match proto.data_location {
            EXTERNAL => Some(external::read(proto, folder)?),
            _ => proto.raw_data.clone(),
        };
        if let Some(format) = narrow::Format::of(proto.data_type) {
            let fields = || proto.int32_data.iter().map(|&b| b as u8).collect();
            let bytes: Vec<u8> = raw.map_or_else(fields, |bytes| bytes.to_vec());
            let data = format
                .decode(&bytes, n)
                .ok_or_else(|| fail(format!("{} bytes where {dims:?} needs {n} elements", bytes.len())))?;
            return Ok(Self { dims, data });
        }
        let data = match &raw {
            Some(bytes) => from_bytes(proto.data_type, bytes),
            None => from_fields(proto),
        };
        let data =
            data.ok_or_else(|| fail(format!("elements of type {} are not supported", proto.data_type)))?;
        let tensor = Self { dims, data };
        if tensor.len() != n || raw.is_some_and(|b| b.len() != n * width(proto.data_type)) {
            return Err(fail(format!("{} elements where {:?} needs {n}", tensor.len(), tensor.dims)));
        }
        Ok(tensor)
    }

    /// Reads a sparse tensor, zeros filled in; `most` bounds its elements.
    pub(crate) fn read_sparse(
        proto: &SparseTensorProto,
        folder: Option<&Path>,
        most: usize,
    ) -> Result<(String, Self), OnnxError> {
        let (Some(values), Some(indices)) = (&proto.values, &proto.indices) else {
            return Err(OnnxError::tensor("", "a sparse tensor without values or indices"));
        };
        let name = values.name.clone();
        let fail = |problem: String| OnnxError::tensor(&name, problem);
        let to = dims(&proto.dims).map_err(fail)?;
        let n: usize = to.iter().product();
        if n > most {
            return Err(fail(format!("{n} elements, most of them zeros; at most {most} are allowed here")));
        }
        let (values, indices) = (Self::read(values, folder)?, Self::read(indices, folder)?);
        let at = indices.as_ints().ok_or_else(|| fail("its indices are no whole numbers".into()))?;
        // Either one index each, into the row-major list, or one per dimension.
        let each = if indices.dims.len() == 2 { to.len().max(1) } else { 1 };
        if at.len() != values.len() * each {
            return Err(fail(format!("{} indices for {} values", at.len(), values.len())));
        }
        let mut dense = vec![0.0; n];
        for (index, value) in at.chunks(each).zip(values.to_floats()) {
            let place = if each == 1 { usize::try_from(index[0]).ok() } else { flat(index, &to) };
            let place =
                place.filter(|&p| p < n).ok_or_else(|| fail(format!("index {index:?} is outside {to:?}")))?;
            dense[place] = value;
        }
        Ok((name.clone(), Self::floats(to, dense)))
    }
}

/// Initialisers that have been read, for several imports of one file.
#[derive(Debug, Default)]
pub(crate) struct Initialisers {
    /// By the place of the message in memory.
    read: RefCell<BTreeMap<*const TensorProto, Rc<Tensor>>>,
}

impl Initialisers {
    /// The tensor of a message, which stays in its place as long as this lives. Errors: as [`Tensor::read`].
    pub(crate) fn get(&self, proto: &TensorProto, folder: Option<&Path>) -> Result<Rc<Tensor>, OnnxError> {
        let place = std::ptr::from_ref(proto);
        if let Some(tensor) = self.read.borrow().get(&place) {
            return Ok(tensor.clone());
        }
        let tensor = Rc::new(Tensor::read(proto, folder)?);
        self.read.borrow_mut().insert(place, tensor.clone());
        Ok(tensor)
    }
}

/// The position in the row-major list.
fn flat(index: &[i64], dims: &[usize]) -> Option<usize> {
    index.iter().zip(dims).try_fold(0usize, |at, (&i, &d)| {
        let i = usize::try_from(i).ok().filter(|&i| i < d)?;
        Some(at * d + i)
    })
}

fn dims(dims: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    match sizes {
        Some(sizes) if is_sane(&sizes) => Ok(sizes),
        _ => Err(format!("{dims:?} is no shape")),
    }
}

/// Whether products of dimensions, in any order and zeros left out, stay within [`MAX_ELEMENTS`].
pub(crate) fn is_sane(dims: &[usize]) -> bool {
    let total = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    dims.len() <= MAX_DIMS && total.is_some_and(|n| n <= MAX_ELEMENTS)
}

/// Bytes of an element.
fn width(kind: i32) -> usize {
    use data_type::{BFLOAT16, BOOL, DOUBLE, FLOAT16, INT8, INT16, INT64, UINT8, UINT16, UINT64};
    match kind {
        UINT8 | INT8 | BOOL => 1,
        UINT16 | INT16 | FLOAT16 | BFLOAT16 => 2,
        INT64 | UINT64 | DOUBLE => 8,
        _ => 4,
    }
}

fn from_bytes(kind: i32, bytes: &[u8]) -> Option<Data> {
    fn each<const N: usize, T>(bytes: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks::<N>().0.iter().map(|&b| f(b)).collect()
    }
    use data_type as t;
    Some(match kind {
        t::FLOAT => Data::Floats(each(bytes, f32::from_le_bytes)),
        t::FLOAT16 => Data::Floats(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
        t::BFLOAT16 => Data::Floats(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        t::DOUBLE => Data::Floats(each(bytes, |b| f64::from_le_bytes(b) as f32)),
        t::UINT8 | t::BOOL => Data::Ints(each(bytes, |b| i64::from(u8::from_le_bytes(b)))),
        t::INT8 => Data::Ints(each(bytes, |b| i64::from(i8::from_le_bytes(b)))),
        t::UINT16 => Data::Ints(each(bytes, |b| i64::from(u16::from_le_bytes(b)))),
        t::INT16 => Data::Ints(each(bytes, |b| i64::from(i16::from_le_bytes(b)))),
        t::INT32 => Data::Ints(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        t::UINT32 => Data::Ints(each(bytes, |b| i64::from(u32::from_le_bytes(b)))),
        t::INT64 => Data::Ints(each(bytes, i64::from_le_bytes)),
        t::UINT64 => Data::Ints(each(bytes, |b| i64::try_from(u64::from_le_bytes(b)).unwrap_or(i64::MAX))),
        _ => return None,
    })
}

fn from_fields(proto: &TensorProto) -> Option<Data> {
    use data_type as t;
    // Half floats are stored as the bits of integers.
    let halves = |f: fn(u16) -> f32| proto.int32_data.iter().map(|&b| f(b as u16)).collect();
    Some(match proto.data_type {
        t::FLOAT => Data::Floats(proto.float_data.clone()),
        t::FLOAT16 => Data::Floats(halves(|b| f16::from_bits(b).to_f32())),
        t::BFLOAT16 => Data::Floats(halves(|b| bf16::from_bits(b).to_f32())),
        t::DOUBLE => Data::Floats(proto.double_data.iter().map(|&v| v as f32).collect()),
        t::UINT8 | t::INT8 | t::UINT16 | t::INT16 | t::INT32 | t::BOOL => {
            Data::Ints(proto.int32_data.iter().map(|&v| i64::from(v)).collect())
        }
        t::INT64 => Data::Ints(proto.int64_data.clone()),
        t::UINT32 | t::UINT64 => {
            Data::Ints(proto.uint64_data.iter().map(|&v| i64::try_from(v).unwrap_or(i64::MAX)).collect())
        }
        _ => return None,
    })
}
