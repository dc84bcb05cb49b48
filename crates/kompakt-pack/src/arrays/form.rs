//! How an array is stored: as one parameter or several, and back.

use super::element::Element;
use kompakt_model::{Numbers, Parameter};
use serde_json::Value;
use std::collections::BTreeMap;

/// The most entries of a codebook.
const MAX_LEVELS: usize = 256;
/// Integers below this are exact in single precision.
const EXACT: f32 = 16_777_216.0;

/// See the [module page](super).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Values,
    /// The bytes of each entry, in the order of the codes.
    Indices(Vec<Vec<u8>>),
    Numbers,
    Bytes,
}

impl Form {
    /// The form that takes the fewest bytes, and the parameters, each of `shape`.
    pub(super) fn of(element: Element, bytes: &[u8], shape: &[usize]) -> (Self, Vec<Parameter>) {
        if bytes.is_empty() {
            return (Self::Bytes, Vec::new());
        }
        if let Some(distinct) = distinct(bytes, element.size()) {
            let values: Option<Vec<(f32, &[u8])>> =
                distinct.iter().map(|bytes| Some((element.exact(bytes)?, *bytes))).collect();
            if let Some(mut values) = values {
                values.sort_by(|a, b| a.0.total_cmp(&b.0));
                let codebook = codebook(&values.iter().map(|v| v.0).collect::<Vec<_>>());
                let order: Vec<&[u8]> = values.into_iter().map(|v| v.1).collect();
                return (Self::Values, vec![shared(bytes, element.size(), &order, codebook, shape)]);
            }
            let table = distinct.iter().map(|bytes| bytes.to_vec()).collect();
            let codebook = counting(distinct.len());
            return (Self::Indices(table), vec![shared(bytes, element.size(), &distinct, codebook, shape)]);
        }
        let chunks = || bytes.chunks_exact(element.size());
        if element.is_float_of(4) || element.is_float_of(2) {
            let values = match element.size() {
                4 => Numbers::F32(chunks().map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
                _ => Numbers::F16(chunks().map(|b| u16::from_le_bytes([b[0], b[1]])).collect()),
            };
            if values.is_finite() {
                return (Self::Numbers, vec![Parameter::Dense { shape: shape.to_vec(), values, mask: None }]);
            }
        }
        let plane = |i: usize| {
            let plane: Vec<u8> = chunks().map(|element| element[i]).collect();
            let all: Vec<u8> = (0..=u8::MAX).filter(|byte| plane.contains(byte)).collect();
            let order: Vec<&[u8]> = all.iter().filter(|b| **b != 0).map(std::slice::from_ref).collect();
            let values: Vec<f32> = order.iter().map(|byte| f32::from(byte[0])).collect();
            shared(&plane, 1, &order, codebook(&values), shape)
        };
        (Self::Bytes, (0..element.size()).map(plane).collect())
    }

    /// Its name in the history.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Indices(_) => "indices",
            Self::Numbers => "numbers",
            Self::Bytes => "bytes",
        }
    }

    /// The entries behind the codes, in hexadecimal.
    pub(super) fn table(&self) -> Option<String> {
        let Self::Indices(table) = self else { return None };
        Some(table.iter().flatten().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The form recorded in the history; `None` if it is not a form.
    pub(super) fn parse(name: &Value, table: &Value, element: Element) -> Option<Self> {
        Some(match name.as_str()? {
            "values" => Self::Values,
            "numbers" => Self::Numbers,
            "bytes" => Self::Bytes,
            "indices" => {
                let digits = table.as_str()?.as_bytes();
                let digit = |d: &u8| char::from(*d).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let byte = |pair: &[u8]| Some(16 * digit(pair.first()?)? + digit(pair.get(1)?)?);
                let bytes: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
                Self::Indices(bytes.chunks(element.size()).map(<[u8]>::to_vec).collect())
            }
            _ => return None,
        })
    }

    /// How many parameters an array of `n` elements has.
    pub(super) fn n_parameters(&self, n: usize, element: Element) -> usize {
        match self {
            _ if n == 0 => 0,
            Self::Bytes => element.size(),
            Self::Values | Self::Indices(_) | Self::Numbers => 1,
        }
    }

    /// The `n` elements restored; `None` where the parameters are not those of such an array.
    pub(super) fn bytes(&self, element: Element, n: usize, parameters: &[&Parameter]) -> Option<Vec<u8>> {
        if parameters.len() != self.n_parameters(n, element) || parameters.iter().any(|p| p.len() != n) {
            return None;
        }
        if n == 0 {
            return Some(Vec::new());
        }
        let size = element.size();
        match self {
            Self::Bytes => {
                let mut bytes = vec![0; n * size];
                for (i, parameter) in parameters.iter().enumerate() {
                    for (element, value) in bytes.chunks_exact_mut(size).zip(parameter.to_f32()) {
                        element[i] = value as u8;
                    }
                }
                Some(bytes)
            }
            Self::Numbers => match parameters.first()? {
                Parameter::Dense { values: Numbers::F32(values), .. } if element.is_float_of(4) => {
                    Some(values.iter().flat_map(|v| v.to_le_bytes()).collect())
                }
                Parameter::Dense { values: Numbers::F16(values), .. } if element.is_float_of(2) => {
                    Some(values.iter().flat_map(|v| v.to_le_bytes()).collect())
                }
                _ => None,
            },
            Self::Values | Self::Indices(_) => {
                let Parameter::Shared { codebook, codes, mask, .. } = parameters.first()? else {
                    return None;
                };
                let entries: Vec<Option<Vec<u8>>> = match self {
                    Self::Indices(table) => table.iter().cloned().map(Some).collect(),
                    _ => codebook.to_f32().into_iter().map(|v| element.bytes_of(v)).collect(),
                };
                let mut bytes = vec![0; n * size];
                for (i, to) in bytes.chunks_exact_mut(size).enumerate() {
                    if mask.as_ref().is_none_or(|mask| mask[i]) {
                        let entry = entries.get(usize::from(codes[i]))?.as_ref();
                        to.copy_from_slice(entry.filter(|entry| entry.len() == size)?);
                    }
                }
                Some(bytes)
            }
        }
    }
}

/// The distinct elements, other than those of zero bytes alone, ascending by their bytes; `None` for more
/// than a codebook holds.
fn distinct(bytes: &[u8], size: usize) -> Option<Vec<&[u8]>> {
    let mut found = std::collections::BTreeSet::new();
    for element in bytes.chunks_exact(size) {
        if element.iter().any(|b| *b != 0) && found.insert(element) && found.len() > MAX_LEVELS {
            return None;
        }
    }
    Some(found.into_iter().collect())
}

/// Ascending values in the shortest form that holds them.
fn codebook(values: &[f32]) -> Numbers {
    let are_integers = values.iter().all(|v| v.fract() == 0.0 && v.abs() < EXACT);
    match are_integers {
        _ if values.is_empty() => counting(1),
        true => Numbers::Scaled { scale: 1.0, integers: values.iter().map(|&v| v as i32).collect() },
        false => Numbers::F32(values.to_vec()),
    }
}

/// 1, 2, 3 and so on, at least one.
fn counting(n: usize) -> Numbers {
    Numbers::Scaled { scale: 1.0, integers: (1..=n.max(1) as i32).collect() }
}

/// One code per element: its index in `order`; elements of zero bytes are masked.
fn shared(bytes: &[u8], size: usize, order: &[&[u8]], codebook: Numbers, shape: &[usize]) -> Parameter {
    let places: BTreeMap<&[u8], u8> = order.iter().enumerate().map(|(i, entry)| (*entry, i as u8)).collect();
    let found: Vec<Option<u8>> =
        bytes.chunks_exact(size).map(|element| places.get(element).copied()).collect();
    let mask: Vec<bool> = found.iter().map(Option::is_some).collect();
    let codes = found.into_iter().map(Option::unwrap_or_default).collect();
    Parameter::Shared { shape: shape.to_vec(), codebook, codes, mask: mask.contains(&false).then_some(mask) }
}
