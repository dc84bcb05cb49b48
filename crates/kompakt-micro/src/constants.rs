//! Tables and records of the source: each has a name, and its bytes are counted.

use crate::{MicroError, step::Argument};
use std::collections::BTreeSet;

/// What a constant holds.
#[derive(Debug)]
pub(crate) enum Data {
    Bytes(Vec<u8>),
    SignedBytes(Vec<i8>),
    Integers(Vec<i32>),
    Indices(Vec<usize>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Record(Record, Vec<Argument>),
}

/// A record's type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Record {
    Weights,
    Geometry,
    Window,
}

impl Record {
    /// Its members in order, as both languages name them.
    pub(crate) fn members(self) -> &'static [&'static str] {
        match self {
            Self::Weights => &["places", "codes", "levels", "n", "n_entries", "gap_bits", "code_bits"],
            Self::Geometry => &[
                "channels",
                "height",
                "width",
                "out",
                "rows",
                "columns",
                "kernel_h",
                "kernel_w",
                "stride_h",
                "stride_w",
                "dilation_h",
                "dilation_w",
                "top",
                "left",
                "groups",
            ],
            Self::Window => &[
                "channels", "height", "width", "rows", "columns", "kernel_h", "kernel_w", "stride_h",
                "stride_w", "top", "left", "bottom", "right",
            ],
        }
    }

    /// Its size in C, on 32 bits.
    fn n_bytes(self) -> usize {
        match self {
            Self::Weights => 24,
            Self::Geometry => 60,
            Self::Window => 52,
        }
    }
}

/// A constant.
#[derive(Debug)]
pub(crate) struct Constant {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) data: Data,
}

/// The constants so far.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    /// A record comes after the tables that it names.
    pub(crate) all: Vec<Constant>,
    /// Their size in bytes, in C on 32 bits.
    pub(crate) n_bytes: usize,
    names: BTreeSet<String>,
}

impl Constants {
    /// A unique name for the table of `name`, valid in C and Rust.
    fn name(&mut self, name: &str) -> String {
        let mut plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        if !plain.starts_with(|c: char| c.is_ascii_alphabetic()) {
            plain.insert_str(0, "t_");
        }
        // Names that differ only in case or punctuation clash here; and no name is one of the functions'.
        let mut unique = format!("{plain}_");
        let mut n = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{plain}_{n}_");
            n += 1;
        }
        unique
    }

    /// Adds a table of signed bytes.
    pub(crate) fn signed_bytes(&mut self, name: &str, bytes: Vec<i8>) -> Argument {
        Argument::Table(self.add(name, bytes.len(), Data::SignedBytes(bytes)))
    }

    /// A table of signed integers.
    pub(crate) fn integers(&mut self, name: &str, integers: Vec<i32>) -> Argument {
        Argument::Table(self.add(name, 4 * integers.len(), Data::Integers(integers)))
    }

    fn add(&mut self, name: &str, n_bytes: usize, data: Data) -> String {
        let name = self.name(name);
        self.n_bytes += n_bytes;
        self.all.push(Constant { name: name.clone(), data });
        name
    }

    /// Adds a table of bytes; returns its name.
    pub(crate) fn bytes(&mut self, name: &str, bytes: Vec<u8>) -> String {
        self.add(name, bytes.len(), Data::Bytes(bytes))
    }

    /// A table of indices.
    pub(crate) fn indices(&mut self, name: &str, indices: &[usize]) -> Argument {
        Argument::Table(self.add(name, 4 * indices.len(), Data::Indices(indices.to_vec())))
    }

    /// A table of floats.
    ///
    /// Errors: one of them is not finite.
    pub(crate) fn floats(&mut self, name: &str, floats: &[f32]) -> Result<String, MicroError> {
        if floats.iter().any(|f| !f.is_finite()) {
            return Err(MicroError::NotFinite(name.into()));
        }
        Ok(self.add(name, 4 * floats.len(), Data::Floats(floats.to_vec())))
    }

    /// A table of doubles.
    pub(crate) fn doubles(&mut self, name: &str, doubles: &[f64]) -> Argument {
        Argument::Table(self.add(name, 8 * doubles.len(), Data::Doubles(doubles.to_vec())))
    }

    /// A record.
    pub(crate) fn record(&mut self, record: Record, name: &str, members: Vec<Argument>) -> Argument {
        debug_assert_eq!(members.len(), record.members().len());
        Argument::Record(self.add(name, record.n_bytes(), Data::Record(record, members)))
    }
}
