//! The contents of the first section of a file.

use crate::decoded::Decoded;
use alloc::vec::Vec;
use kompakt_numbers::Numbers;

/// The contents of the first section of a file: everything without a section of its own.
#[derive(Debug, Clone)]
pub struct Pool {
    /// One per parameter.
    pub(crate) entries: Vec<Pooled>,
}

#[derive(Debug, Clone)]
pub(crate) enum Pooled {
    /// It has a section of its own.
    Elsewhere,
    /// Its codes have a section of their own; this is its codebook.
    Codebook(Numbers),
    Whole(Decoded),
}

impl Pool {
    /// The codebook of a parameter, if it has codes and its codebook is in the pool: always in the tiers `stream`
    /// and `direct`.
    pub fn codebook(&self, parameter: usize) -> Option<&Numbers> {
        match self.entries.get(parameter)? {
            Pooled::Codebook(codebook) | Pooled::Whole(Decoded::Shared { codebook, .. }) => Some(codebook),
            _ => None,
        }
    }

    /// A parameter stored entirely in the pool.
    pub fn get(&self, parameter: usize) -> Option<&Decoded> {
        match self.entries.get(parameter)? {
            Pooled::Whole(decoded) => Some(decoded),
            _ => None,
        }
    }

    /// Takes out a parameter stored entirely in the pool.
    pub fn take(&mut self, parameter: usize) -> Option<Decoded> {
        let entry = self.entries.get_mut(parameter)?;
        match core::mem::replace(entry, Pooled::Elsewhere) {
            Pooled::Whole(decoded) => Some(decoded),
            other => {
                *entry = other;
                None
            }
        }
    }
}
