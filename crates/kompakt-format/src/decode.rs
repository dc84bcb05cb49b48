//! Decodes sections into parameters.

use crate::{
    adaptive::{adaptive, target},
    check::{check, check_codebook},
    compact,
    container::{Container, rows_and_cols},
    decoded::{Decoded, unit_counts},
    descriptor::{Descriptor, Form},
    directory::{Directory, Tier},
    error::{FormatError, broken},
    fill::{TileTarget, fill_stream},
    hints::WeightHints,
    limits::{COMPACT_GAPS_FROM, GAPS_FROM},
    planes::Blocks,
    pool::{Pool, Pooled},
    raw::RawReader,
    section::{Section, SectionKind},
    source::Source,
    tiles::Tiles,
};
use alloc::vec::Vec;
use kompakt_entropy::{
    Isa, MaskedCodesBuf,
    smallest::{Hints, StreamDecoder},
    stream,
};
use kompakt_graph::Param;
use kompakt_numbers::{NumberFormat, Numbers};

impl Container<'_> {
    /// Decodes the first section: codebooks, biases, and in tier `smallest` all weights that are not large.
    ///
    /// Memory and time: proportional to the parameters it contains.
    pub fn pool(&self) -> Result<Pool, FormatError> {
        let first = self.sections().first().map_or(&[][..], |section| self.section_bytes(section));
        self.directory().decode_pool(first, self.isa())
    }

    /// The tables that all tiles of tier `stream` share.
    ///
    /// Errors: the file has none (it is of another tier, or has no codes), or they are invalid.
    pub fn stream_tables(&self) -> Result<stream::Tables, FormatError> {
        match self.sections().iter().find(|s| s.kind == SectionKind::StreamTables) {
            Some(section) => parse_tables(self.section_bytes(section), section, self.isa()),
            None => broken("F-17", self.directory_span().start, "the tables of the tiles are missing"),
        }
    }

    /// Decodes parameter `parameter`, of which `pool` holds everything, nothing or the codebook.
    ///
    /// Errors: the section is invalid; F-17 if there is no such parameter.
    pub fn decode_parameter(&self, parameter: usize, pool: &Pool) -> Result<Decoded, FormatError> {
        if let Some(decoded) = pool.get(parameter) {
            return Ok(decoded.clone());
        }
        self.decode_own(parameter, pool, self.own_tables()?.as_ref())
    }

    /// Decodes all parameters, in the graph's order.
    pub fn decode(&self) -> Result<Vec<Decoded>, FormatError> {
        let mut pool = self.pool()?;
        let tables = self.own_tables()?;
        (0..self.descriptors().len())
            .map(|i| match pool.take(i) {
                Some(decoded) => Ok(decoded),
                None => self.decode_own(i, &pool, tables.as_ref()),
            })
            .collect()
    }

    /// The tables, if the file has any.
    fn own_tables(&self) -> Result<Option<stream::Tables>, FormatError> {
        let section = self.sections().iter().find(|s| s.kind == SectionKind::StreamTables);
        section.map(|s| parse_tables(self.section_bytes(s), s, self.isa())).transpose()
    }

    fn decode_own(
        &self,
        parameter: usize,
        pool: &Pool,
        tables: Option<&stream::Tables>,
    ) -> Result<Decoded, FormatError> {
        let bytes = self.section_of(parameter).map_or(&[][..], |section| self.section_bytes(section));
        self.directory().decode_section(parameter, bytes, pool, tables, self.isa())
    }
}

pub(crate) fn parse_tables(bytes: &[u8], section: &Section, isa: Isa) -> Result<stream::Tables, FormatError> {
    stream::Tables::parse(bytes, isa).map_err(|e| FormatError::coded(e, section.offset))
}

impl Directory {
    /// Decodes the first section, given its bytes.
    pub(crate) fn decode_pool(&self, bytes: &[u8], isa: Isa) -> Result<Pool, FormatError> {
        let Some(section) = self.sections.first() else {
            return broken("F-17", 0, "there is no pool");
        };
        let entries = match self.tier {
            Tier::Smallest => self.adaptive_pool(section, bytes, isa)?,
            _ => self.raw_pool(section, bytes)?,
        };
        Ok(Pool { entries })
    }

    /// Decodes a parameter with a section of its own, given that section's bytes.
    pub(crate) fn decode_section(
        &self,
        parameter: usize,
        bytes: &[u8],
        pool: &Pool,
        tables: Option<&stream::Tables>,
        isa: Isa,
    ) -> Result<Decoded, FormatError> {
        let entry = self.section_of(parameter).zip(self.described(parameter));
        let Some((section, (param, descriptor))) = entry else {
            return broken("F-17", 0, "there is no such parameter");
        };
        let decoded = match section.kind {
            SectionKind::Adaptive { .. } => self.adaptive_section(parameter, section, bytes, isa)?,
            SectionKind::Raw { .. } => raw_section(param, descriptor, section, bytes)?,
            _ => {
                let Some(codebook) = pool.codebook(parameter).cloned() else {
                    return broken("F-17", section.offset, "a codebook is missing");
                };
                let mut weights = target(param, descriptor, &codebook, section.offset)?;
                if let Some(tiles) = self.tiles(parameter, bytes) {
                    fill(&mut weights, &tiles, &codebook, tables)?;
                }
                Decoded::Shared { codebook, weights }
            }
        };
        check(&decoded, section.offset)?;
        Ok(decoded)
    }

    fn adaptive_section(
        &self,
        parameter: usize,
        section: &Section,
        bytes: &[u8],
        isa: Isa,
    ) -> Result<Decoded, FormatError> {
        let Some((param, descriptor)) = self.described(parameter) else {
            return broken("F-17", section.offset, "there is no such parameter");
        };
        let mut decoder = StreamDecoder::quick(bytes).on(isa);
        let hints = Hints { producer: None, grid: WeightHints::of(&self.graph, parameter).grid };
        let decoded = adaptive(&mut decoder, param, descriptor, hints, GAPS_FROM, section.offset)?;
        decoder.finish().map_err(|e| FormatError::coded(e, section.offset))?;
        Ok(decoded)
    }

    fn adaptive_pool(&self, section: &Section, bytes: &[u8], isa: Isa) -> Result<Vec<Pooled>, FormatError> {
        let mut decoder = match self.document {
            Some(_) => compact::payload(bytes)?.0.on(isa),
            None => StreamDecoder::new(bytes).on(isa),
        };
        let gaps_from = if self.document.is_some() { COMPACT_GAPS_FROM } else { GAPS_FROM };
        let mut entries: Vec<Pooled> = Vec::new();
        for i in 0..self.descriptors.len() {
            let entry = match (self.section_of(i), self.described(i)) {
                (None, Some((param, descriptor))) => {
                    let hints = WeightHints::of(&self.graph, i);
                    let counts = hints.producer.and_then(|p| {
                        let Some(Pooled::Whole(decoded)) = entries.get(p.parameter) else { return None };
                        let shape = &self.graph.params().get(p.parameter)?.shape;
                        Some(unit_counts(decoded, rows_and_cols(shape), p.span))
                    });
                    let hints = Hints { producer: counts.as_deref(), grid: hints.grid };
                    let decoded =
                        adaptive(&mut decoder, param, descriptor, hints, gaps_from, section.offset)?;
                    check(&decoded, section.offset)?;
                    Pooled::Whole(decoded)
                }
                _ => Pooled::Elsewhere,
            };
            entries.push(entry);
        }
        decoder.finish().map_err(|e| FormatError::coded(e, section.offset))?;
        Ok(entries)
    }

    /// A parameter whose section is packed and holds only f32 values, block by block; `None` for any other.
    pub(crate) fn packed_section<S: Source>(
        &self,
        parameter: usize,
        section: &Section,
        source: &mut S,
    ) -> Result<Option<Decoded>, S::Error> {
        let (Some((param, descriptor)), Some(length)) = (self.described(parameter), section.unpacked) else {
            return Ok(None);
        };
        if !is_plain(param, descriptor, length) {
            return Ok(None);
        }
        let (span, shape) = ((section.offset, section.end()), rows_and_cols(&param.shape));
        let mut blocks = Blocks::new(span, section.offset, length, descriptor.format, shape)?;
        let decoded = plain(param, &mut blocks, source)?;
        check(&decoded, section.offset)?;
        Ok(Some(decoded))
    }

    fn raw_pool(&self, section: &Section, bytes: &[u8]) -> Result<Vec<Pooled>, FormatError> {
        let mut reader = RawReader::new(bytes, section.offset);
        let mut entries = Vec::new();
        for i in 0..self.descriptors.len() {
            let Some((param, descriptor)) = self.described(i) else { continue };
            entries.push(match (descriptor.form, self.section_of(i)) {
                (Form::Shared { n_levels }, _) => {
                    let codebook = reader.numbers(descriptor.format, n_levels)?;
                    check_codebook(&codebook, section.offset)?;
                    Pooled::Codebook(codebook)
                }
                (Form::Dense, Some(_)) => Pooled::Elsewhere,
                (Form::Dense, None) => {
                    let shape = rows_and_cols(&param.shape);
                    let decoded = reader.dense(descriptor.format, descriptor.is_masked, shape)?;
                    check(&decoded, section.offset)?;
                    Pooled::Whole(decoded)
                }
            });
        }
        reader.finish()?;
        Ok(entries)
    }
}

fn raw_section(
    param: &Param,
    descriptor: &Descriptor,
    section: &Section,
    bytes: &[u8],
) -> Result<Decoded, FormatError> {
    let shape = rows_and_cols(&param.shape);
    let read = |bytes: &[u8]| {
        let mut reader = RawReader::new(bytes, section.offset);
        let decoded = reader.dense(descriptor.format, descriptor.is_masked, shape)?;
        reader.finish().map(|()| decoded)
    };
    let Some(length) = section.unpacked else { return read(bytes) };
    let span = (0, bytes.len());
    let mut blocks = Blocks::new(span, section.offset, length, descriptor.format, shape)?;
    let mut source = bytes;
    if is_plain(param, descriptor, length) {
        return plain(param, &mut blocks, &mut source);
    }
    let mut unpacked = Vec::new();
    while let Some(block) = blocks.next(&mut source)? {
        unpacked.extend(block);
    }
    // An offset within unpacked bytes is not an offset in the file.
    read(&unpacked).map_err(|e| FormatError { offset: section.offset, ..e })
}

/// Whether a packed section holds only f32 values: then it is decoded block by block. These may be large.
fn is_plain(param: &Param, descriptor: &Descriptor, length: usize) -> bool {
    let is_single = descriptor.format == NumberFormat::F32 && !descriptor.is_masked;
    is_single && Some(length) == param.len().checked_mul(4)
}

fn plain<S: Source>(param: &Param, blocks: &mut Blocks, source: &mut S) -> Result<Decoded, S::Error> {
    let mut values = Vec::with_capacity(param.len());
    while let Some(block) = blocks.next(source)? {
        values.extend(block.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)));
    }
    Ok(Decoded::Dense { numbers: Numbers::F32(values), mask: None })
}

/// Fills a tensor from its tiles.
fn fill(
    weights: &mut MaskedCodesBuf,
    tiles: &Tiles<'_>,
    codebook: &Numbers,
    tables: Option<&stream::Tables>,
) -> Result<(), FormatError> {
    if !matches!(tiles.section.kind, SectionKind::StreamTiles { .. }) {
        for tile in tiles.iter() {
            let mut target = TileTarget::new(weights, &tile);
            for (r, row) in tile.direct()?.rows().enumerate() {
                row.into_iter().for_each(|(col, code)| target.put(r, col, code));
            }
            target.finish()?;
        }
        return Ok(());
    }
    let Some(tables) = tables else {
        return broken("F-17", tiles.section.offset, "the tables of the tiles are missing");
    };
    let mut decoder = stream::TileDecoder::new(tables.isa());
    for tile in tiles.iter() {
        let decoded = tile.stream(&mut decoder, codebook.n_negative(), tables)?;
        let mut target = TileTarget::new(weights, &tile);
        fill_stream(&mut target, &decoded);
        target.finish()?;
    }
    Ok(())
}
