//! From sections to parameters.

use crate::{
    container::{Container, rows_and_cols},
    decoded::Decoded,
    descriptor::{Descriptor, Form},
    directory::Tier,
    error::{FormatError, broken},
    hints::WeightHints,
    numbers::{NumberFormat, Numbers},
    raw::RawReader,
    section::{Section, SectionKind},
    tiles::Tile,
};
use alloc::{vec, vec::Vec};
use kompakt_entropy::{
    WeightsBuf,
    rans::Engine,
    smallest::{Hints, StreamDecoder},
    stream,
};
use kompakt_graph::Param;

/// What the first section of a file holds: everything that has no section of its own.
#[derive(Debug, Clone)]
pub struct Pool {
    /// One a parameter.
    entries: Vec<Pooled>,
}

#[derive(Debug, Clone)]
enum Pooled {
    /// It has a section of its own.
    Elsewhere,
    /// Its codes have; this is its codebook.
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

    /// A parameter that is in the pool whole.
    pub fn get(&self, parameter: usize) -> Option<&Decoded> {
        match self.entries.get(parameter)? {
            Pooled::Whole(decoded) => Some(decoded),
            _ => None,
        }
    }

    /// Takes a parameter out that is in the pool whole.
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

impl Container<'_> {
    /// Decodes the first section: codebooks, biases, and in tier `smallest` all weights that are not large.
    ///
    /// Memory and time: in proportion to the parameters that are in it.
    pub fn pool(&self) -> Result<Pool, FormatError> {
        let Some(section) = self.sections().first() else {
            return broken("F-17", 0, "there is no pool");
        };
        if self.tier() == Tier::Smallest { self.adaptive_pool(section) } else { self.raw_pool(section) }
    }

    /// Decodes parameter `parameter`, of which `pool` holds all or nothing or the codebook.
    ///
    /// Errors: the section is broken; F-17 if there is no such parameter.
    pub fn decode_parameter(&self, parameter: usize, pool: &Pool) -> Result<Decoded, FormatError> {
        if let Some(decoded) = pool.get(parameter) {
            return Ok(decoded.clone());
        }
        self.decode_own(parameter, pool)
    }

    /// Decodes everything, in the graph's order.
    pub fn decode(&self) -> Result<Vec<Decoded>, FormatError> {
        let mut pool = self.pool()?;
        (0..self.descriptors().len())
            .map(|i| match pool.take(i) {
                Some(decoded) => Ok(decoded),
                None => self.decode_own(i, &pool),
            })
            .collect()
    }

    /// Decodes a parameter with a section of its own.
    pub(crate) fn decode_own(&self, parameter: usize, pool: &Pool) -> Result<Decoded, FormatError> {
        let entry = self.section_of(parameter).zip(self.described(parameter));
        let Some((section, (param, descriptor))) = entry else {
            return broken("F-17", 0, "there is no such parameter");
        };
        let bytes = self.section_bytes(section);
        let decoded = match section.kind {
            SectionKind::Adaptive { .. } => {
                let mut decoder = StreamDecoder::new(bytes);
                let grid = WeightHints::of(self.graph(), parameter).grid;
                let hints = Hints { producer: None, grid };
                let decoded = adaptive(&mut decoder, param, descriptor, hints, section.offset)?;
                decoder.finish().map_err(|e| FormatError::coded(e, section.offset))?;
                decoded
            }
            SectionKind::Raw { .. } => {
                let mut reader = RawReader::new(bytes, section.offset);
                let decoded =
                    reader.dense(descriptor.format, descriptor.is_masked, rows_and_cols(&param.shape))?;
                reader.finish()?;
                decoded
            }
            _ => {
                let Some(codebook) = pool.codebook(parameter).cloned() else {
                    return broken("F-17", section.offset, "a codebook is missing");
                };
                let weights = self.decode_tiles(parameter, param, descriptor, &codebook)?;
                Decoded::Shared { codebook, weights }
            }
        };
        check(&decoded, section.offset)?;
        Ok(decoded)
    }

    /// The tables that all tiles of tier `stream` share, in the form that suits `engine`.
    ///
    /// Errors: the file has none (it is of another tier, or has no codes), or they are broken.
    pub fn stream_tables(&self, engine: Engine) -> Result<stream::Tables, FormatError> {
        match self.sections().iter().find(|s| s.kind == SectionKind::StreamTables) {
            Some(section) => stream::Tables::parse(self.section_bytes(section), engine)
                .map_err(|e| FormatError::coded(e, section.offset)),
            None => broken("F-17", self.directory_span().start, "the tables of the tiles are missing"),
        }
    }

    fn decode_tiles(
        &self,
        parameter: usize,
        param: &Param,
        descriptor: &Descriptor,
        codebook: &Numbers,
    ) -> Result<WeightsBuf, FormatError> {
        let Some(tiles) = self.tiles(parameter) else {
            return broken("F-17", 0, "a parameter with codes has no tiles");
        };
        let mut weights = target(param, descriptor, codebook, tiles.section.offset)?;
        if matches!(tiles.section.kind, SectionKind::StreamTiles { .. }) {
            let engine = Engine::detect();
            let tables = self.stream_tables(engine)?;
            let mut decoder = stream::TileDecoder::new(engine);
            for tile in tiles.iter() {
                let decoded = tile.stream(&mut decoder, codebook.n_negative(), &tables)?;
                let mut target = TileTarget::new(&mut weights, &tile);
                fill_stream(&mut target, &decoded);
                target.finish()?;
            }
        } else {
            for tile in tiles.iter() {
                let mut target = TileTarget::new(&mut weights, &tile);
                for (r, row) in tile.direct()?.rows().enumerate() {
                    row.into_iter().for_each(|(col, code)| target.put(r, col, code));
                }
                target.finish()?;
            }
        }
        Ok(weights)
    }

    fn adaptive_pool(&self, section: &Section) -> Result<Pool, FormatError> {
        let mut decoder = StreamDecoder::new(self.section_bytes(section));
        let mut entries: Vec<Pooled> = Vec::new();
        for i in 0..self.descriptors().len() {
            let entry = match (self.section_of(i), self.described(i)) {
                (None, Some((param, descriptor))) => {
                    let hints = WeightHints::of(self.graph(), i);
                    let counts = hints.producer.and_then(|p| {
                        let Some(Pooled::Whole(decoded)) = entries.get(p.parameter) else { return None };
                        let shape = &self.graph().params().get(p.parameter)?.shape;
                        Some(unit_counts(decoded, rows_and_cols(shape), p.span))
                    });
                    let hints = Hints { producer: counts.as_deref(), grid: hints.grid };
                    let decoded = adaptive(&mut decoder, param, descriptor, hints, section.offset)?;
                    check(&decoded, section.offset)?;
                    Pooled::Whole(decoded)
                }
                _ => Pooled::Elsewhere,
            };
            entries.push(entry);
        }
        decoder.finish().map_err(|e| FormatError::coded(e, section.offset))?;
        Ok(Pool { entries })
    }

    fn raw_pool(&self, section: &Section) -> Result<Pool, FormatError> {
        let mut reader = RawReader::new(self.section_bytes(section), section.offset);
        let mut entries = Vec::new();
        for i in 0..self.descriptors().len() {
            let Some((param, descriptor)) = self.described(i) else { continue };
            let offset = section.offset;
            entries.push(match (descriptor.form, self.section_of(i)) {
                (Form::Shared { n_levels }, _) => {
                    let codebook = reader.numbers(descriptor.format, n_levels)?;
                    check_codebook(&codebook, offset)?;
                    Pooled::Codebook(codebook)
                }
                (Form::Dense, Some(_)) => Pooled::Elsewhere,
                (Form::Dense, None) => {
                    let shape = rows_and_cols(&param.shape);
                    let decoded = reader.dense(descriptor.format, descriptor.is_masked, shape)?;
                    check(&decoded, offset)?;
                    Pooled::Whole(decoded)
                }
            });
        }
        reader.finish()?;
        Ok(Pool { entries })
    }

    pub(crate) fn described(&self, parameter: usize) -> Option<(&Param, &Descriptor)> {
        self.graph().params().get(parameter).zip(self.descriptors().get(parameter))
    }
}

/// For every input channel of a consumer, how many weights the unit that makes it has kept.
pub fn unit_counts(producer: &Decoded, (rows, cols): (usize, usize), span: usize) -> Vec<u32> {
    let whole = u32::try_from(cols).unwrap_or(u32::MAX);
    let count = |row: &[bool]| u32::try_from(row.iter().filter(|&&k| k).count()).unwrap_or(u32::MAX);
    let units: Vec<u32> = match producer.mask() {
        None => vec![whole; rows],
        Some(mask) => mask.chunks_exact(cols.max(1)).map(count).collect(),
    };
    units.into_iter().flat_map(|n| core::iter::repeat_n(n, span)).collect()
}

/// Reads one parameter of an adaptive stream: its numbers' scale, its codebook, its mask and codes, its numbers.
fn adaptive(
    decoder: &mut StreamDecoder<'_>,
    param: &Param,
    descriptor: &Descriptor,
    hints: Hints<'_>,
    at: usize,
) -> Result<Decoded, FormatError> {
    let coded = |e| FormatError::coded(e, at);
    match descriptor.form {
        Form::Shared { n_levels } => {
            let codebook = adaptive_numbers(decoder, descriptor.format, n_levels, at)?;
            check_codebook(&codebook, at)?;
            let mut weights = target(param, descriptor, &codebook, at)?;
            decoder.weights(&mut weights, hints).map_err(coded)?;
            Ok(Decoded::Shared { codebook, weights })
        }
        Form::Dense if descriptor.is_masked => {
            let one = Numbers::F32(vec![1.0]);
            let mut weights = target(param, descriptor, &one, at)?;
            decoder.weights(&mut weights, hints).map_err(coded)?;
            let n = weights.view().n_kept();
            let numbers = adaptive_numbers(decoder, descriptor.format, n, at)?;
            Ok(Decoded::Dense { numbers, mask: weights.mask })
        }
        Form::Dense => {
            let numbers = adaptive_numbers(decoder, descriptor.format, param.len(), at)?;
            Ok(Decoded::Dense { numbers, mask: None })
        }
    }
}

fn adaptive_numbers(
    decoder: &mut StreamDecoder<'_>,
    format: NumberFormat,
    n: usize,
    at: usize,
) -> Result<Numbers, FormatError> {
    let coded = |e| FormatError::coded(e, at);
    Ok(match format {
        NumberFormat::F32 => {
            let mut values = vec![0.0; n];
            decoder.numbers_f32(&mut values).map_err(coded)?;
            Numbers::F32(values)
        }
        NumberFormat::F16 => {
            let mut bits = vec![0; n];
            decoder.numbers_f16(&mut bits).map_err(coded)?;
            Numbers::F16(bits)
        }
        NumberFormat::Scaled => {
            let mut scale = [0.0];
            decoder.numbers_f32(&mut scale).map_err(coded)?;
            let mut integers = vec![0; n];
            decoder.numbers_int(&mut integers).map_err(coded)?;
            let [scale] = scale;
            Numbers::Scaled { scale, integers }
        }
    })
}

/// The part of a tensor that a tile fills.
struct TileTarget<'w> {
    codes: &'w mut [u8],
    mask: Option<&'w mut [bool]>,
    cols: usize,
    /// How many weights were put.
    n: usize,
    offset: usize,
}

impl<'w> TileTarget<'w> {
    fn new(weights: &'w mut WeightsBuf, tile: &Tile<'_>) -> Self {
        let cols = tile.shape.cols;
        let from = tile.first_row.saturating_mul(cols);
        let to = from.saturating_add(tile.shape.rows.saturating_mul(cols));
        Self {
            codes: weights.codes.get_mut(from..to).unwrap_or(&mut []),
            mask: weights.mask.as_mut().map(|m| m.get_mut(from..to).unwrap_or(&mut [])),
            cols,
            n: 0,
            offset: tile.offset,
        }
    }

    fn put(&mut self, row: usize, col: u32, code: u8) {
        let index = row.saturating_mul(self.cols).saturating_add(col as usize);
        if let Some(slot) = self.codes.get_mut(index) {
            *slot = code;
        }
        if let Some(slot) = self.mask.as_mut().and_then(|m| m.get_mut(index)) {
            *slot = true;
        }
        self.n = self.n.saturating_add(1);
    }

    /// Without a mask every weight has to be there.
    fn finish(self) -> Result<(), FormatError> {
        if self.mask.is_none() && self.n != self.codes.len() {
            return broken("F-24", self.offset, "a weight is pruned in a parameter without a mask");
        }
        Ok(())
    }
}

fn fill_stream(target: &mut TileTarget<'_>, decoded: &stream::Tile<'_>) {
    let n_cols = target.cols.max(1);
    match decoded {
        stream::Tile::Dense { symbols, has_zero } => {
            for (row, symbols) in symbols.chunks_exact(n_cols).enumerate() {
                for (col, &symbol) in (0u32..).zip(symbols) {
                    if let Some(code) = symbol.checked_sub(u8::from(*has_zero)) {
                        target.put(row, col, code);
                    }
                }
            }
        }
        stream::Tile::Sparse { starts, cols, codes } => {
            for (row, (from, to)) in starts.iter().zip(starts.iter().skip(1)).enumerate() {
                let range = *from as usize..*to as usize;
                let (cols, codes) = (cols.get(range.clone()), codes.get(range));
                for (&col, &code) in cols.into_iter().flatten().zip(codes.into_iter().flatten()) {
                    target.put(row, col, code);
                }
            }
        }
    }
}

/// Weights to be filled in, shaped as the coders see a parameter: `[rows, channels, taps]`.
fn target(
    param: &Param,
    descriptor: &Descriptor,
    codebook: &Numbers,
    at: usize,
) -> Result<WeightsBuf, FormatError> {
    WeightsBuf::new(coder_shape(&param.shape), descriptor.is_masked, codebook.len(), codebook.n_negative())
        .map_err(|e| FormatError::coded(e, at))
}

/// The shape of a parameter as the coders see it: output units, input channels, kernel positions.
pub fn coder_shape(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [rows] => [rows, 1, 1],
        [rows, channels] => [rows, channels, 1],
        [rows, channels, ref taps @ ..] => {
            [rows, channels, taps.iter().fold(1usize, |n, &d| n.saturating_mul(d))]
        }
        [] => [1, 1, 1],
    }
}

/// Rules F-23 and F-24.
fn check(decoded: &Decoded, at: usize) -> Result<(), FormatError> {
    if decoded.mask().is_some_and(|mask| mask.iter().all(|&kept| kept)) {
        return broken("F-24", at, "a mask that keeps everything is not stored");
    }
    match decoded {
        Decoded::Dense { numbers, .. } if !is_finite(numbers) => {
            broken("F-23", at, "a number that is not finite")
        }
        _ => Ok(()),
    }
}

fn check_codebook(codebook: &Numbers, at: usize) -> Result<(), FormatError> {
    let values = codebook.to_f32();
    let ascending = values.iter().zip(values.iter().skip(1)).all(|(a, b)| a < b);
    if !ascending || values.iter().any(|v| !v.is_finite() || *v == 0.0) {
        return broken("F-23", at, "a codebook that is not strictly ascending, or holds zero or no number");
    }
    Ok(())
}

fn is_finite(numbers: &Numbers) -> bool {
    match numbers {
        Numbers::F32(values) => values.iter().all(|v| v.is_finite()),
        Numbers::F16(bits) => bits.iter().all(|b| b & 0x7c00 != 0x7c00),
        Numbers::Scaled { scale, .. } => scale.is_finite() && numbers.to_f32().iter().all(|v| v.is_finite()),
    }
}
