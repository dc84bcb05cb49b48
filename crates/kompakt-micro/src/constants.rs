//! Tables in the source: each has a name, and its bytes are counted.

use crate::MicroError;
use std::{collections::BTreeSet, fmt::Write};

/// The tables so far.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    /// Their definitions.
    pub(crate) text: String,
    /// Their size in bytes.
    pub(crate) n_bytes: usize,
    names: BTreeSet<String>,
}

/// Values per line.
const A_LINE: usize = 24;

impl Constants {
    /// A unique name in C for the table of `name`.
    pub(crate) fn name(&mut self, name: &str) -> String {
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

    /// Adds a table of bytes; returns its name.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) -> String {
        self.table("uint8_t", name, bytes.len(), bytes.iter().map(u8::to_string))
    }

    /// A table of indices.
    pub(crate) fn indices(&mut self, name: &str, indices: impl IntoIterator<Item = usize>) -> String {
        let indices: Vec<String> = indices.into_iter().map(|i| format!("{i}u")).collect();
        self.table("uint32_t", name, 4 * indices.len(), indices.into_iter())
    }

    /// A table of floats.
    ///
    /// Errors: one of them is not finite.
    pub(crate) fn floats(&mut self, name: &str, floats: &[f32]) -> Result<String, MicroError> {
        if floats.iter().any(|f| !f.is_finite()) {
            return Err(MicroError::NotFinite(name.into()));
        }
        Ok(self.table("float", name, 4 * floats.len(), floats.iter().map(|f| float(*f))))
    }

    /// A table of doubles.
    pub(crate) fn doubles(&mut self, name: &str, doubles: &[f64]) -> String {
        self.table("double", name, 8 * doubles.len(), doubles.iter().map(|d| format!("{d:?}")))
    }

    /// Any other constant of that many bytes, as `TYPE NAME = {…}`; returns its name.
    pub(crate) fn object(&mut self, kind: &str, name: &str, members: &str, n_bytes: usize) -> String {
        let name = self.name(name);
        let _ = writeln!(self.text, "static const {kind} {name} = {{{members}}};\n");
        self.n_bytes += n_bytes;
        name
    }

    fn table(
        &mut self,
        kind: &str,
        name: &str,
        n_bytes: usize,
        items: impl ExactSizeIterator<Item = String>,
    ) -> String {
        let name = self.name(name);
        let _ = write!(self.text, "static const {kind} {name}[{}] = {{", items.len().max(1));
        let is_empty = items.len() == 0;
        for (i, item) in items.enumerate() {
            self.text += if i % A_LINE == 0 { "\n    " } else { " " };
            self.text += &item;
            self.text.push(',');
        }
        self.text += if is_empty { "0};\n\n" } else { "\n};\n\n" };
        self.n_bytes += n_bytes;
        name
    }
}

/// A float literal that C parses back to the same bits.
pub(crate) fn float(value: f32) -> String {
    format!("{value:?}f")
}
