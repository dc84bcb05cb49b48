//! The tables that all matrices of a file share.
//!
//! ```text
//! gamma(tables + 1)   the histograms   gamma(models + 1)   the models   zero bits up to a whole byte
//! ```

use super::MAX_TABLES;
use super::model::Model;
use super::wire::{BitReader, BitWriter, Coded, read_histogram};
use crate::EntropyError;
use crate::{Isa, rans::Table};
use alloc::{boxed::Box, vec::Vec};

/// Tables and models, ready for decoding.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The instruction set that they were made for.
    isa: Isa,
    tables: Vec<Table>,
    /// The alphabet of each table.
    n_symbols: Vec<usize>,
    /// The frequencies of each table, of 4096.
    freqs: Vec<Vec<u16>>,
    /// Their table numbers are all in range, and the tables fit their uses, but for codes.
    models: Vec<Model>,
}

impl Tables {
    /// Reads the tables, in the form that suits `isa`. Takes at most 16 kB for each table, and there are at
    /// most `8 * bytes.len()` of them.
    ///
    /// Errors: rules S-2 (counts), S-3 (histograms), S-4 (models), S-5 (the end). Never panics.
    pub fn parse(bytes: &[u8], isa: Isa) -> Result<Self, EntropyError> {
        let mut from = BitReader::new(bytes);
        let broken =
            |from: &BitReader<'_>, rule, problem| Err(EntropyError::stream(from.offset(), rule, problem));
        let count = |from: &mut BitReader<'_>| Some(from.read_gamma()? as usize - 1);
        let Some(n_tables) = count(&mut from).filter(|&n| n <= MAX_TABLES) else {
            return broken(&from, "S-2", "there are not 0 to 4096 tables");
        };
        let mut this =
            Self { isa, tables: Vec::new(), n_symbols: Vec::new(), freqs: Vec::new(), models: Vec::new() };
        for _ in 0..n_tables {
            let Some(histogram) = read_histogram(&mut from) else {
                return broken(&from, "S-3", "a histogram is cut off or does not add up to 4096");
            };
            this.n_symbols.push(histogram.freqs().len());
            this.freqs.push(histogram.freqs().to_vec());
            this.tables.push(Table::new(&histogram, isa));
        }
        let Some(n_models) = count(&mut from).filter(|&n| n <= MAX_TABLES) else {
            return broken(&from, "S-2", "there are not 0 to 4096 models");
        };
        for _ in 0..n_models {
            let Some(model) = Model::read(&this.n_symbols, &mut from) else {
                return broken(&from, "S-4", "a model is cut off or asks for a table that does not fit");
            };
            this.models.push(model);
        }
        if from.is_at_end() { Ok(this) } else { broken(&from, "S-5", "something follows the last model") }
    }

    /// The instruction set that they were made for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The bytes of memory that they hold.
    pub fn n_bytes(&self) -> usize {
        let models = self.models.len() * size_of::<Model>();
        let freqs: usize = self.freqs.iter().map(|f| size_of::<Vec<u16>>() + 2 * f.capacity()).sum();
        let tables = self.tables.iter().map(|table| size_of::<Table>() + 8 + table.n_bytes());
        tables.sum::<usize>() + freqs + models
    }

    /// How many tables there are.
    pub fn n_tables(&self) -> usize {
        self.tables.len()
    }

    /// The transition of a state in each of the 4096 slots of a table: the symbol in bits 0 to 7, its
    /// frequency in bits 8 to 19, and in bits 20 to 31 a bias that makes `(slot + bias) & 4095` the rank. A
    /// symbol with all slots has frequency 0 here: it leaves the state as it is.
    ///
    /// Panics: if there is no such table.
    pub fn slots(&self, number: usize) -> Box<[u32; 4096]> {
        self.tables[number].slots()
    }

    pub(super) fn model(&self, number: usize) -> Option<&Model> {
        self.models.get(number)
    }

    pub(super) fn table(&self, number: usize) -> &Table {
        &self.tables[number]
    }

    /// Of 4096.
    pub(super) fn freq(&self, number: usize, symbol: u8) -> u16 {
        self.freqs[number].get(usize::from(symbol)).copied().unwrap_or(0)
    }

    pub(super) fn n_symbols(&self, number: usize) -> usize {
        self.n_symbols[number]
    }
}

/// The bytes that [`Tables::parse`] reads.
pub(super) fn write(tables: &[Coded], models: &[Model]) -> Vec<u8> {
    let mut to = BitWriter::default();
    to.write_gamma(tables.len() as u32 + 1);
    tables.iter().for_each(|table| table.write(&mut to));
    to.write_gamma(models.len() as u32 + 1);
    models.iter().for_each(|model| model.write(tables.len(), &mut to));
    to.finish()
}
