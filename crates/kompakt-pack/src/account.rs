//! Where the bytes of a file go: rows that add up to its length.

use crate::{adaptive, error::PackError};
use kompakt_entropy::direct::Row as TileRow;
use kompakt_format::{CRC_BYTES, Container, Decoded, NumberFormat, Section, SectionKind, Tier, key};

/// The bytes of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterRow {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Weights, kept or not.
    pub n: usize,
    /// Weights that are kept.
    pub n_kept: usize,
    /// Entries of the codebook; `None`: dense.
    pub n_levels: Option<usize>,
    /// How its values are stored.
    pub format: NumberFormat,
    /// The coder.
    pub coder: &'static str,
    /// Codebook or dense values.
    pub numbers_bytes: usize,
    /// The map of kept weights: `None` where one code carries it together with the codes.
    pub map_bytes: Option<usize>,
    /// Codes of the kept weights; with the map, where that is `None`.
    pub codes_bytes: usize,
    /// Checksum, padding, counts and tags.
    pub overhead_bytes: usize,
    /// Entropy of mask and codes, each weight coded independently: the bound for a coder without context.
    pub entropy_bytes: f64,
}

impl ParameterRow {
    /// All its bytes.
    pub fn bytes(&self) -> usize {
        self.numbers_bytes + self.map_bytes.unwrap_or(0) + self.codes_bytes + self.overhead_bytes
    }
}

/// The bytes of something other than a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRow {
    /// What it is.
    pub name: String,
    /// Its bytes.
    pub bytes: usize,
    /// Whether `--minimal` leaves it out.
    pub is_ancillary: bool,
}

/// All bytes of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Header, directory and ancillary sections.
    pub others: Vec<OtherRow>,
    /// Parameters in the graph's order.
    pub parameters: Vec<ParameterRow>,
}

impl Account {
    /// Decodes everything and counts.
    ///
    /// In an adaptive stream a tensor's bytes are the growth of the stream when it is added.
    pub fn of(container: &Container<'_>) -> Result<Self, PackError> {
        let pool = container.pool()?;
        let mut in_pool = PoolBytes::new(container);
        let mut account = Self { others: header_and_directory(container), parameters: Vec::new() };
        if container.is_compact() {
            account.other("directory", in_pool.so_far, false);
        }
        let mut own = vec![None; container.descriptors().len()];
        for (section, padding) in sections_with_padding(container) {
            if let Some(home) = section.kind.parameter().and_then(|p| own.get_mut(p)) {
                *home = Some((section, padding));
            }
        }
        for (index, own) in own.into_iter().enumerate() {
            let decoded = container.decode_parameter(index, &pool)?;
            let row = parameter_row(container, index, &decoded, own, &mut in_pool)?;
            account.parameters.push(row);
        }
        for (section, padding) in sections_with_padding(container) {
            let bytes = section.length + container.crc_bytes() + padding;
            match section.kind {
                SectionKind::Pool if container.is_compact() => {}
                SectionKind::Pool | SectionKind::Numbers => {
                    account.other("checksum of the pool", CRC_BYTES + padding, false);
                }
                SectionKind::StreamTables => account.other("coder tables", bytes, false),
                kind if kind.parameter().is_some() => {}
                SectionKind::Labels => account.other("labels", bytes, true),
                SectionKind::Provenance => account.other("provenance", bytes, true),
                SectionKind::SelfTests => account.other("self-tests", bytes, true),
                SectionKind::Ranges => account.other("ranges", bytes, true),
                kind => account.other(&format!("section {}", kind.code()), bytes, kind.is_ancillary()),
            }
        }
        Ok(account)
    }

    /// The length of the file.
    pub fn bytes(&self) -> usize {
        self.others.iter().map(|r| r.bytes).sum::<usize>()
            + self.parameters.iter().map(ParameterRow::bytes).sum::<usize>()
    }

    /// Bytes that `--minimal` would leave out.
    pub fn ancillary_bytes(&self) -> usize {
        self.others.iter().filter(|r| r.is_ancillary).map(|r| r.bytes).sum()
    }

    fn other(&mut self, name: &str, bytes: usize, is_ancillary: bool) {
        self.others.push(OtherRow { name: name.to_string(), bytes, is_ancillary });
    }
}

fn header_and_directory(container: &Container<'_>) -> Vec<OtherRow> {
    let span = container.directory_span();
    let keys = container.directory_bytes();
    let in_keys: usize = keys.iter().map(|(_, bytes)| bytes).sum();
    let head = span.len() - in_keys;
    let row = |name: &str, bytes, is_ancillary| OtherRow { name: name.to_string(), bytes, is_ancillary };
    let mut rows = vec![row("header", span.start + head, false)];
    if container.is_compact() {
        // A content hash of eight bytes ends the header.
        rows = vec![row("header", span.start - 8, false), row(key::name(key::CONTENT_HASH), 8, false)];
    }
    for &(key, bytes) in keys {
        rows.push(row(key::name(key), bytes, key < 0));
    }
    rows
}

/// Every section with the padding before it.
fn sections_with_padding<'c>(container: &'c Container<'_>) -> impl Iterator<Item = (&'c Section, usize)> {
    let mut end = container.directory_span().end;
    container.sections().iter().map(move |section| {
        let padding = section.offset - end;
        end = section.end() + container.crc_bytes();
        (section, padding)
    })
}

fn parameter_row(
    container: &Container<'_>,
    index: usize,
    decoded: &Decoded,
    own: Option<(&Section, usize)>,
    in_pool: &mut PoolBytes<'_>,
) -> Result<ParameterRow, PackError> {
    let param = &container.graph().params()[index];
    let descriptor = container.descriptors()[index];
    let mut row = ParameterRow {
        name: param.name.clone(),
        shape: param.shape.clone(),
        n: param.len(),
        n_kept: decoded.n_kept(),
        n_levels: descriptor.n_levels(),
        format: descriptor.format,
        coder: "raw",
        numbers_bytes: 0,
        map_bytes: None,
        codes_bytes: 0,
        overhead_bytes: 0,
        entropy_bytes: entropy_bytes(decoded),
    };
    (row.numbers_bytes, row.codes_bytes) = in_pool.add(index, decoded)?;
    if container.tier() == Tier::Smallest {
        row.coder = "adaptive";
    }
    let Some((section, padding)) = own else { return Ok(row) };
    row.overhead_bytes = CRC_BYTES + padding;
    match section.kind {
        SectionKind::Raw { .. } => {
            row.coder = if section.unpacked.is_some() { "zstd" } else { "raw" };
            row.map_bytes = decoded
                .mask()
                .filter(|_| section.unpacked.is_none())
                .map(|_| param.shape[0] * (param.len() / param.shape[0]).div_ceil(8));
            row.numbers_bytes = section.length - row.map_bytes.unwrap_or(0);
        }
        SectionKind::Adaptive { .. } => {
            row.numbers_bytes = adaptive::numbers_alone(decoded);
            row.codes_bytes = section.length - row.numbers_bytes;
        }
        SectionKind::DirectTiles { .. } => direct_tiles(container, index, section, &mut row)?,
        _ => {
            row.coder = "rans";
            row.codes_bytes = section.length;
        }
    }
    Ok(row)
}

fn direct_tiles(
    container: &Container<'_>,
    index: usize,
    section: &Section,
    row: &mut ParameterRow,
) -> Result<(), PackError> {
    let (mut map, mut codes) = (0, 0);
    row.coder = "direct";
    for tile in container.tiles(index).into_iter().flat_map(|t| t.iter()) {
        for tile_row in tile.direct()?.rows() {
            match tile_row {
                TileRow::Dense(r) => codes += r.fields().len(),
                TileRow::Bitmap(r) => {
                    map += r.map().len();
                    codes += r.codes().len();
                }
                TileRow::Gaps(r) => {
                    map += r.gaps().len();
                    codes += r.codes().len();
                }
            }
        }
    }
    row.map_bytes = Some(map);
    row.codes_bytes = codes;
    row.overhead_bytes += section.length - map - codes;
    Ok(())
}

/// Bytes that each parameter has in the first section.
struct PoolBytes<'c> {
    container: &'c Container<'c>,
    adaptive: adaptive::PoolEncoder,
    so_far: usize,
}

impl<'c> PoolBytes<'c> {
    fn new(container: &'c Container<'_>) -> Self {
        if !container.is_compact() {
            return Self { container, adaptive: adaptive::PoolEncoder::new(), so_far: 0 };
        }
        let document = container.document();
        // The map's head, and what follows key 1: two bytes and the hash.
        let head = [document.get(..1).unwrap_or(&[]), document.get(11..).unwrap_or(&[])].concat();
        let adaptive = adaptive::PoolEncoder::compact(&head);
        let so_far = adaptive.stream.clone().finish().len();
        Self { container, adaptive, so_far }
    }

    /// Bytes of the values and of map and codes together, for the next parameter; 0 if it is stored
    /// elsewhere.
    fn add(&mut self, index: usize, decoded: &Decoded) -> Result<(usize, usize), PackError> {
        let has_own = self.container.section_of(index).is_some();
        if self.container.tier() != Tier::Smallest {
            let mut bytes = Vec::new();
            match decoded {
                Decoded::Shared { codebook, .. } => crate::raw::numbers(codebook, &mut bytes),
                Decoded::Dense { .. } if has_own => {}
                Decoded::Dense { .. } => {
                    let param = &self.container.graph().params()[index];
                    crate::raw::dense(decoded, kompakt_format::rows_and_cols(&param.shape).1, &mut bytes);
                }
            }
            return Ok((bytes.len(), 0));
        }
        if has_own {
            self.adaptive.elsewhere();
            return Ok((0, 0));
        }
        let between = decoded.shared().map(|(codebook, _)| self.adaptive.with_codebook(codebook));
        self.adaptive.parameter(self.container.graph(), decoded)?;
        let after = self.adaptive.stream.clone().finish().len();
        let before = std::mem::replace(&mut self.so_far, after);
        Ok(between.map_or((after - before, 0), |between| (between - before, after - between)))
    }
}

/// Entropy of mask and codes, and the stored size of values without codes.
fn entropy_bytes(decoded: &Decoded) -> f64 {
    let mask_bits = decoded.mask().map_or(0.0, |mask| {
        let kept = decoded.n_kept();
        entropy_bits(&[kept, mask.len() - kept])
    });
    let code_bits = decoded.shared().map_or(0.0, |(codebook, weights)| {
        let mut counts = vec![0; codebook.len()];
        let kept = weights.codes.iter().enumerate().filter(|(i, _)| weights.is_kept(*i));
        kept.for_each(|(_, &code)| counts[usize::from(code)] += 1);
        entropy_bits(&counts)
    });
    (mask_bits + code_bits) / 8.0
}

/// Bits to code `sum(counts)` symbols with those frequencies.
fn entropy_bits(counts: &[usize]) -> f64 {
    let n = counts.iter().sum::<usize>() as f64;
    counts.iter().filter(|&&c| c > 0).map(|&c| c as f64 * (n / c as f64).log2()).sum()
}
