//! A container read on demand: only the directory and the requested parts of a [`Source`] are in memory.

use crate::{
    ancillary,
    decode::parse_tables,
    decoded::Decoded,
    directory::Directory,
    error::broken,
    pool::Pool,
    section::{Section, SectionKind},
    source::Source,
};
use alloc::{string::String, vec::Vec};
use kompakt_entropy::{Isa, stream};
use kompakt_graph::Graph;
use kompakt_prep::Pipeline;

impl Directory {
    /// The network.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The preprocessing of a raw input.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.pipeline.as_ref()
    }

    /// Number of parameters of the network as it entered the pipeline.
    pub fn dense_parameters(&self) -> Option<u64> {
        self.dense_parameters
    }

    /// As [`Container::pool`](crate::Container::pool).
    pub fn pool_from<S: Source>(&self, source: &mut S) -> Result<Pool, S::Error> {
        let Some(section) = self.sections.first() else {
            return Ok(broken("F-17", self.span.start, "there is no pool")?);
        };
        let bytes = source.part(section.offset, section.length)?;
        Ok(self.decode_pool(bytes.as_ref(), Isa::best())?)
    }

    /// The tables that all tiles of tier `stream` share, if the file has any.
    pub fn tables_from<S: Source>(&self, source: &mut S) -> Result<Option<stream::Tables>, S::Error> {
        let Some(section) = self.find(SectionKind::StreamTables) else { return Ok(None) };
        let bytes = source.part(section.offset, section.length)?;
        Ok(Some(parse_tables(bytes.as_ref(), section, Isa::best())?))
    }

    /// As [`Container::decode_parameter`](crate::Container::decode_parameter), with pool and tables of this file.
    ///
    /// Memory: the parameter; in addition a few blocks for a packed one, its section for any other.
    pub fn parameter_from<S: Source>(
        &self,
        source: &mut S,
        parameter: usize,
        pool: &Pool,
        tables: Option<&stream::Tables>,
    ) -> Result<Decoded, S::Error> {
        if let Some(decoded) = pool.get(parameter) {
            return Ok(decoded.clone());
        }
        let Some(section) = self.section_of(parameter) else {
            return Ok(broken("F-17", self.span.start, "there is no such parameter")?);
        };
        if let Some(decoded) = self.packed_section(parameter, section, source)? {
            return Ok(decoded);
        }
        let bytes = source.part(section.offset, section.length)?;
        Ok(self.decode_section(parameter, bytes.as_ref(), pool, tables, Isa::best())?)
    }

    /// Names of the classes, or none.
    pub fn labels_from<S: Source>(&self, source: &mut S) -> Result<Vec<String>, S::Error> {
        let Some(section) = self.find(SectionKind::Labels) else { return Ok(Vec::new()) };
        let bytes = source.part(section.offset, section.length)?;
        Ok(ancillary::labels_of(section, bytes.as_ref())?)
    }

    /// The history: the interchange's `provenance` as JSON.
    pub fn provenance_from<S: Source>(&self, source: &mut S) -> Result<Option<String>, S::Error> {
        let Some(section) = self.find(SectionKind::Provenance) else { return Ok(None) };
        let bytes = source.part(section.offset, section.length)?;
        Ok(Some(ancillary::provenance_of(section, bytes.as_ref())?))
    }

    fn find(&self, kind: SectionKind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }
}
