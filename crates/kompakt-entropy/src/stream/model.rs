//! The tables used by a matrix.
//!
//! ```text
//! a model    1 bit   1: dense, 0: sparse
//!   dense    1 bit   symbol 0 is "pruned", c + 1 is code c; the table
//!   sparse   3 bits  classes, 0 to 7; with none, nothing is kept and the model ends here
//!            1 bit   rows have a class each; then its table. Set if there are 2 classes or more
//!            for each class, 8 bits cap (1 to 255), its table
//!            4 bits  reach; then one table of codes if it is 0, else three
//! a table    as many bits as the largest table number has
//! ```

use super::wire::{BitReader, BitWriter};

/// How a matrix is coded. Tables are given by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// A symbol for each weight.
    Dense { has_zero: bool, table: usize },
    /// Gaps and codes.
    Sparse(Sparse),
}

/// A matrix as gaps and codes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sparse {
    /// The table of the rows' classes; without, all are of class 1.
    pub(super) row_classes: Option<usize>,
    /// Class 1 first.
    pub(super) classes: alloc::vec::Vec<Class>,
    /// A weight is linked to the one before it in its row if the distance is at most this many columns.
    pub(super) reach: u32,
    /// The tables of starts, of what is linked to a negative weight, to another one; the last two only if
    /// `reach` is not 0.
    pub(super) codes: [usize; 3],
}

/// Rows of similar density.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// The symbol that stands for this many pruned weights and no kept one.
    pub(super) cap: u8,
    /// The table of the gaps.
    pub(super) table: usize,
}

/// The bits of a table number when there are `n_tables`.
fn id_bits(n_tables: usize) -> u32 {
    usize::BITS - n_tables.saturating_sub(1).leading_zeros()
}

impl Model {
    pub(super) fn write(&self, n_tables: usize, to: &mut BitWriter) {
        let id = |table: usize, to: &mut BitWriter| to.write(table as u32, id_bits(n_tables));
        match self {
            Self::Dense { has_zero, table } => {
                to.write(1, 1);
                to.write((*has_zero).into(), 1);
                id(*table, to);
            }
            Self::Sparse(sparse) => {
                to.write(0, 1);
                to.write(sparse.classes.len() as u32, 3);
                if sparse.classes.is_empty() {
                    return;
                }
                to.write(sparse.row_classes.is_some().into(), 1);
                if let Some(table) = sparse.row_classes {
                    id(table, to);
                }
                for class in &sparse.classes {
                    to.write(class.cap.into(), 8);
                    id(class.table, to);
                }
                to.write(sparse.reach, 4);
                let n_codes = if sparse.reach == 0 { 1 } else { 3 };
                sparse.codes[..n_codes].iter().for_each(|&table| id(table, to));
            }
        }
    }

    /// `None` where the bits end, or break rule S-4. `n_symbols` has the alphabet of each table.
    pub(super) fn read(n_symbols: &[usize], from: &mut BitReader<'_>) -> Option<Self> {
        let id = |max: usize, from: &mut BitReader<'_>| {
            let table = from.read(id_bits(n_symbols.len()))? as usize;
            n_symbols.get(table).is_some_and(|&n| n <= max).then_some(table)
        };
        if from.read(1)? == 1 {
            let has_zero = from.read(1)? == 1;
            return Some(Self::Dense { has_zero, table: id(256, from)? });
        }
        let mut sparse = Sparse::default();
        let n_classes = from.read(3)? as usize;
        if n_classes == 0 {
            return Some(Self::Sparse(sparse));
        }
        if from.read(1)? == 1 {
            sparse.row_classes = Some(id(n_classes + 1, from)?);
        } else if n_classes > 1 {
            return None;
        }
        for _ in 0..n_classes {
            let cap = u8::try_from(from.read(8)?).ok().filter(|&cap| cap > 0)?;
            sparse.classes.push(Class { cap, table: id(usize::from(cap) + 1, from)? });
        }
        sparse.reach = from.read(4)?;
        sparse.codes = [id(256, from)?; 3];
        if sparse.reach > 0 {
            sparse.codes[1] = id(256, from)?;
            sparse.codes[2] = id(256, from)?;
        }
        Some(Self::Sparse(sparse))
    }
}
