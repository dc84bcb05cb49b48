//! The eight-byte identifier of a pipeline.

use crate::{numbers::Number, pipeline::Pipeline};
use alloc::{format, string::String, vec::Vec};
use sha2::{Digest, Sha256};

/// The first eight bytes of SHA-256 over the canonical form: the rank and the dimensions of the input, then each
/// step's code, the count of its numbers, and the numbers. Rule P-3.
pub(crate) fn of(pipeline: &Pipeline) -> [u8; 8] {
    let digest = Sha256::digest(canonical(pipeline));
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest[..8]);
    hash
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn canonical(pipeline: &Pipeline) -> Vec<u8> {
    let mut bytes = Vec::new();
    let dims = pipeline.input_shape().dims();
    bytes.push(dims.len() as u8);
    for dim in dims {
        bytes.extend_from_slice(&(dim as u32).to_le_bytes());
    }
    for step in pipeline.steps() {
        let (code, numbers) = step.to_numbers();
        bytes.push(code);
        bytes.extend_from_slice(&(numbers.len() as u16).to_le_bytes());
        for number in numbers {
            match number {
                Number::Int(i) => {
                    bytes.push(0);
                    bytes.extend_from_slice(&i.to_le_bytes());
                }
                Number::Float(f) => {
                    bytes.push(1);
                    bytes.extend_from_slice(&f.to_bits().to_le_bytes());
                }
            }
        }
    }
    bytes
}
