//! The directory: graph, preprocessing, descriptors and the section table, as one CBOR map with integers as
//! keys. Keys of at least 0 are critical, negative ones ancillary.

use crate::{
    cbor::{Cbor, Scalar, major},
    compact,
    container::rows_and_cols,
    decoded::coder_shape,
    descriptor::{Descriptor, Form},
    error::{FormatError, broken},
    header::Header,
    limits::{BASE_ELEMENTS, ELEMENTS_PER_BYTE, MAX_FIGURES, MAX_INPUTS, MAX_KEYS, MAX_PARAMETERS},
    operators,
    section::{self, CRC_BYTES, Section, SectionKind},
    sizes,
    tiles::Tiles,
};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::ops::Range;
use kompakt_entropy::stream;
use kompakt_graph::{Graph, Input, MAX_NODES, Node, Param, ParamRole, Sizes, default_names};
use kompakt_prep::{MAX_NUMBERS, MAX_STEPS, Number, Pipeline, Step};
use kompakt_words::words;

/// Keys of the directory. Rule F-8.
pub mod key {
    /// The tier's code; left out for `smallest`.
    pub const TIER: i64 = 0;
    /// Eight bytes.
    pub const CONTENT_HASH: i64 = 1;
    /// Shapes of the inputs.
    pub const INPUTS: i64 = 2;
    /// Nodes in execution order.
    pub const NODES: i64 = 3;
    /// Outputs of the graph; left out if the last value is the only one.
    pub const OUTPUTS: i64 = 4;
    /// Shape of a raw input, and the steps that produce the network's input from it.
    pub const PREPROCESSING: i64 = 5;
    /// One descriptor per parameter.
    pub const PARAMETERS: i64 = 6;
    /// The section table; left out if there is only the pool.
    pub const SECTIONS: i64 = 7;
    /// Sizes that are given when the network is about to run.
    pub const SIZES: i64 = 8;
    /// Names of inputs and nodes.
    pub const NAMES: i64 = -1;
    /// Number of parameters of the network as it entered the pipeline.
    pub const DENSE_PARAMETERS: i64 = -2;
    /// Figures by name.
    pub const MEASURED: i64 = -3;

    /// What a key's value is, in words, for tables of a file's bytes.
    pub fn name(key: i64) -> &'static str {
        match key {
            TIER => "tier",
            CONTENT_HASH => "content hash",
            INPUTS => "input shapes",
            NODES => "graph",
            OUTPUTS => "outputs",
            PREPROCESSING => "preprocessing",
            PARAMETERS => "descriptors",
            SECTIONS => "section table",
            SIZES => "open sizes",
            NAMES => "names",
            DENSE_PARAMETERS => "dense size",
            MEASURED => "accuracy",
            _ => "unknown",
        }
    }
}

/// How the weights are coded: three forms of the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Adaptive arithmetic code, decoded once at load. Code 0.
    Smallest,
    /// Interleaved rANS, decoded tile by tile. Code 1.
    Stream,
    /// Bit-packed, used in place. Code 2.
    Direct,
}

impl Tier {
    /// The tier's code. Rule F-9.
    pub fn code(self) -> u64 {
        match self {
            Self::Smallest => 0,
            Self::Stream => 1,
            Self::Direct => 2,
        }
    }

    /// `smallest`, `stream` or `direct`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smallest => "smallest",
            Self::Stream => "stream",
            Self::Direct => "direct",
        }
    }
}

/// The checked directory of a container. Holds no borrowed bytes, so the file's owner can store both.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) tier: Tier,
    pub(crate) content_hash: [u8; 8],
    pub(crate) graph: Graph,
    pub(crate) pipeline: Option<Pipeline>,
    /// One per parameter of `graph`.
    pub(crate) descriptors: Vec<Descriptor>,
    /// For each parameter the index of its section in `sections`; `None` if it is in the pool.
    pub(crate) homes: Vec<Option<usize>>,
    /// In the file's order; each with its checksum within the file.
    pub(crate) sections: Vec<Section>,
    /// The directory of a compact file as version 1 would store it; `None` where it is in the file.
    pub(crate) document: Option<Vec<u8>>,
    /// Bytes that the content hash covers: of the document, or of the file.
    pub(crate) hashed: Range<usize>,
    /// And those of the open sizes, which it covers too.
    pub(crate) hashed_sizes: Range<usize>,
    /// Where the directory is stored; empty in a compact file.
    pub(crate) span: Range<usize>,
    /// All keys, known or not, with the number of bytes that each takes with its value.
    pub(crate) key_bytes: Vec<(i64, usize)>,
    pub(crate) dense_parameters: Option<u64>,
    pub(crate) measured: Vec<(String, f64)>,
    /// Length of the file.
    pub(crate) total: usize,
}

/// The values of the map read so far.
#[derive(Default)]
pub(crate) struct Raw {
    tier: Option<Tier>,
    content_hash: Option<[u8; 8]>,
    inputs: Vec<Vec<usize>>,
    nodes: Vec<Node>,
    nodes_at: usize,
    outputs: Option<Vec<usize>>,
    pipeline: Option<(Pipeline, usize)>,
    descriptors: Option<(Vec<Descriptor>, usize)>,
    sections: Option<Vec<Section>>,
    sections_at: usize,
    sizes: Option<(Sizes, usize)>,
    names: Option<Vec<String>>,
    dense_parameters: Option<u64>,
    measured: Vec<(String, f64)>,
    hashed: Range<usize>,
    hashed_sizes: Range<usize>,
    key_bytes: Vec<(i64, usize)>,
}

impl Directory {
    /// Checks header and directory of a complete file. Payloads are not read.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse_prefix(bytes, bytes.len())
    }

    /// The same for a file of `total` bytes, given its first bytes, at least up to the end of the directory.
    pub(crate) fn parse_prefix(bytes: &[u8], total: usize) -> Result<Self, FormatError> {
        if compact::is_compact(bytes) {
            return compact::parse(bytes, total);
        }
        let header = Header::parse(bytes, total)?;
        let span = header.directory_at..header.directory_end;
        let document = bytes.get(span.clone()).unwrap_or(&[]);
        let mut cbor = Cbor::new(document, span.start);
        let raw = Raw::read(&mut cbor, span.end, total)?;
        cbor.finish()?;
        raw.check(span, total, CRC_BYTES)
    }

    /// First eight bytes of SHA-256 over the content, the same in every tier.
    pub fn content_hash(&self) -> [u8; 8] {
        self.content_hash
    }

    /// The section that holds parameter `parameter` alone; `None` if it is in the pool (or is not there).
    pub fn section_of(&self, parameter: usize) -> Option<&Section> {
        self.homes.get(parameter).copied().flatten().and_then(|i| self.sections.get(i))
    }

    pub(crate) fn described(&self, parameter: usize) -> Option<(&Param, &Descriptor)> {
        self.graph.params().get(parameter).zip(self.descriptors.get(parameter))
    }

    /// The tiles of a parameter, given the bytes of its section; `None` if it has no tiles.
    pub(crate) fn tiles<'a>(&'a self, parameter: usize, bytes: &'a [u8]) -> Option<Tiles<'a>> {
        let section = self.section_of(parameter)?;
        if !matches!(section.kind, SectionKind::DirectTiles { .. } | SectionKind::StreamTiles { .. }) {
            return None;
        }
        let (param, descriptor) = self.described(parameter)?;
        let (rows, cols) = rows_and_cols(&param.shape);
        let [_, _, taps] = coder_shape(&param.shape);
        let blocks = stream::Blocks { channels: descriptor.block, taps: taps.max(1) };
        Some(Tiles { section, bytes, rows, cols, n_levels: descriptor.n_levels()?, blocks })
    }

    /// Checks that `raw`'s descriptors and sections fit the graph, and locates each parameter.
    fn place_parameters(&mut self, at: usize, sections_at: usize) -> Result<(), FormatError> {
        self.check_elements(at)?;
        self.check_sections(sections_at)?;
        let needs_tiles = self.tier != Tier::Smallest;
        for (home, descriptor) in self.homes.iter().zip(&self.descriptors) {
            if home.is_none() && needs_tiles && descriptor.n_levels().is_some() {
                return broken("F-17", sections_at, "a parameter with codes has no section");
            }
        }
        Ok(())
    }

    fn check_elements(&self, at: usize) -> Result<(), FormatError> {
        let params = self.graph.params();
        if params.len() != self.descriptors.len() {
            let (n, found) = (params.len(), self.descriptors.len());
            return broken("F-14", at, words!("{found} descriptors for {n} parameters"));
        }
        let mut elements = 0u64;
        for (param, descriptor) in params.iter().zip(&self.descriptors) {
            elements = elements.saturating_add(param.len() as u64);
            if descriptor.n_levels().is_some() && param.role != ParamRole::Weight {
                return broken("F-14", at, words!("{:?} has codes; only weights may", param.name));
            }
        }
        let allowed = (self.total as u64).saturating_mul(ELEMENTS_PER_BYTE).saturating_add(BASE_ELEMENTS);
        if elements > allowed {
            let problem = words!("{elements} parameters; a file of this size may have {allowed}");
            return broken("F-15", at, problem);
        }
        Ok(())
    }

    fn check_sections(&mut self, at: usize) -> Result<(), FormatError> {
        let pool = if self.tier == Tier::Smallest { SectionKind::Pool } else { SectionKind::Numbers };
        if self.sections.first().map(|s| s.kind) != Some(pool) {
            return broken("F-17", at, "the first section is not the pool, or not that of the tier");
        }
        let mut last = (0i64, 0usize);
        for (index, section) in self.sections.iter().enumerate().skip(1) {
            let rank = match section.kind {
                SectionKind::StreamTables => (1, 0),
                kind if kind.is_ancillary() => (3, usize::try_from(kind.code().unsigned_abs()).unwrap_or(0)),
                kind => (2, kind.parameter().map_or(0, |p| p.saturating_add(1))),
            };
            if rank <= last {
                return broken("F-17", at, "a section comes twice, or not in its order");
            }
            last = rank;
            self.check_section(section, at)?;
            if let Some(home) = section.kind.parameter().and_then(|p| self.homes.get_mut(p)) {
                *home = Some(index);
            }
        }
        Ok(())
    }

    fn check_section(&self, section: &Section, at: usize) -> Result<(), FormatError> {
        let (tier, form) = match section.kind {
            SectionKind::Pool | SectionKind::Numbers => (None, None),
            SectionKind::Adaptive { .. } => (Some(Tier::Smallest), None),
            SectionKind::Raw { .. } => (Some(self.tier), Some(false)),
            SectionKind::DirectTiles { .. } => (Some(Tier::Direct), Some(true)),
            SectionKind::StreamTiles { .. } => (Some(Tier::Stream), Some(true)),
            SectionKind::StreamTables => (Some(Tier::Stream), None),
            _ => return Ok(()),
        };
        if tier != Some(self.tier) {
            return broken("F-16", at, "a section of a kind that the tier does not have");
        }
        let Some(parameter) = section.kind.parameter() else { return Ok(()) };
        let Some((param, descriptor)) =
            self.graph.params().get(parameter).zip(self.descriptors.get(parameter))
        else {
            return broken("F-17", at, "a section of a parameter that is not there");
        };
        if form.is_some_and(|shared| shared != matches!(descriptor.form, Form::Shared { .. })) {
            return broken("F-16", at, words!("the section of {:?} does not fit its descriptor", param.name));
        }
        let rows = param.shape.first().copied().unwrap_or(1);
        let fits = match section.rows_per_tile {
            None => true,
            Some(0) => false,
            Some(per_tile) => per_tile < rows && rows.div_ceil(per_tile) == section.tile_lengths.len(),
        };
        if fits {
            Ok(())
        } else {
            broken("F-19", at, words!("the tiles of {:?} do not make up its rows", param.name))
        }
    }
}

impl Raw {
    pub(crate) fn read(cbor: &mut Cbor<'_>, end: usize, total: usize) -> Result<Self, FormatError> {
        let mut raw = Self { hashed: end..end, hashed_sizes: end..end, ..Self::default() };
        let n = cbor.map(MAX_KEYS)?;
        let mut last = None;
        for _ in 0..n {
            let offset = cbor.offset();
            let key = cbor.int()?;
            // RFC 8949, 4.2.1: by encoded bytes, that is 0, 1, … and then -1, -2, …
            let rank = (key < 0, key.unsigned_abs());
            if last.is_some_and(|last| rank <= last) {
                return broken("F-6", offset, "the keys of the directory are not sorted, or one comes twice");
            }
            last = Some(rank);
            raw.value(key, offset, cbor, end, total)?;
            raw.key_bytes.push((key, cbor.offset().saturating_sub(offset)));
        }
        Ok(raw)
    }

    fn value(
        &mut self,
        key: i64,
        key_at: usize,
        cbor: &mut Cbor<'_>,
        end: usize,
        total: usize,
    ) -> Result<(), FormatError> {
        let at = cbor.offset();
        match key {
            key::TIER => self.tier = Some(tier(cbor)?),
            key::CONTENT_HASH => self.content_hash = Some(cbor.byte_array()?),
            key::INPUTS => {
                self.hashed.start = key_at;
                self.inputs = inputs(cbor)?;
            }
            key::NODES => {
                self.nodes_at = at;
                let n = cbor.array(MAX_NODES)?;
                let first = self.inputs.len();
                let node = |i| operators::node(cbor, first.saturating_add(i));
                self.nodes = (0..n).map(node).collect::<Result<_, _>>()?;
            }
            key::OUTPUTS => {
                let outputs = operators::sizes(cbor, MAX_NODES)?;
                if outputs.is_empty() {
                    return broken("F-7", at, "a list of no outputs");
                }
                self.outputs = Some(outputs);
            }
            key::PREPROCESSING => self.pipeline = Some((pipeline(cbor)?, at)),
            key::PARAMETERS => {
                let n = cbor.array(MAX_PARAMETERS)?;
                let descriptor = |_| {
                    let offset = cbor.offset();
                    Descriptor::from_code(cbor.uint()?, offset)
                };
                self.descriptors = Some(((0..n).map(descriptor).collect::<Result<_, _>>()?, at));
                self.hashed.end = cbor.offset();
            }
            key::SECTIONS => {
                self.sections_at = at;
                self.sections = Some(section::table(cbor, end, total)?);
            }
            key::SIZES => {
                self.sizes = Some((sizes::sizes(cbor)?, at));
                self.hashed_sizes = key_at..cbor.offset();
            }
            key::NAMES => {
                let n = cbor.array(MAX_NODES.saturating_add(MAX_INPUTS))?;
                let names = (0..n).map(|_| cbor.text().map(String::from));
                self.names = Some(names.collect::<Result<_, _>>()?);
            }
            key::DENSE_PARAMETERS => self.dense_parameters = Some(cbor.uint()?),
            key::MEASURED => self.measured = measured(cbor)?,
            key if key < 0 => cbor.skip()?,
            key => {
                let problem = words!("key {key} is unknown; the file needs a newer reader");
                return broken("F-8", key_at, problem);
            }
        }
        Ok(())
    }

    /// Whether there is nothing but what the content hash covers, and that.
    pub(crate) fn has_only_content(&self) -> bool {
        self.key_bytes.iter().all(|(key, _)| (key::CONTENT_HASH..=key::PARAMETERS).contains(key))
    }

    /// The directory of a compact file of `total` bytes.
    pub(crate) fn compact(mut self, document: Vec<u8>, total: usize) -> Result<Directory, FormatError> {
        self.key_bytes.clear();
        let directory = self.check(compact::STREAM_AT..compact::STREAM_AT, total, 0)?;
        Ok(Directory { document: Some(document), ..directory })
    }

    /// `crc_bytes` follow the pool, where it is the only section.
    fn check(self, span: Range<usize>, total: usize, crc_bytes: usize) -> Result<Directory, FormatError> {
        let start = span.start;
        let missing = |what: &str| FormatError::new("F-7", start, words!("the directory lacks {what}"));
        let content_hash = self.content_hash.ok_or_else(|| missing("the content hash, key 1"))?;
        let (descriptors, at) = self.descriptors.ok_or_else(|| missing("the descriptors, key 6"))?;
        if self.inputs.is_empty() || self.nodes.is_empty() {
            return Err(missing("the inputs, key 2, or the nodes, key 3"));
        }
        let tier = self.tier.unwrap_or(Tier::Smallest);
        let graph = graph(self.inputs, self.nodes, self.outputs, self.names, self.nodes_at)?;
        let graph = match self.sizes {
            Some((sizes, at)) => graph
                .with_sizes(Some(sizes))
                .map_err(|error| FormatError::new("F-31", at, words!("{error}")))?,
            None => graph,
        };
        let pipeline = match self.pipeline {
            Some((pipeline, at)) => Some(fitting(pipeline, &graph, at)?),
            None => None,
        };
        let sections = match self.sections {
            Some(sections) => sections,
            None => {
                let Some(length) = total.checked_sub(span.end).and_then(|n| n.checked_sub(crc_bytes)) else {
                    return broken("F-18", span.end, "the file ends within the checksum of the pool");
                };
                vec![Section::only(SectionKind::Pool, span.end, length)]
            }
        };
        let homes = vec![None; descriptors.len()];
        let mut directory = Directory {
            tier,
            content_hash,
            graph,
            pipeline,
            descriptors,
            homes,
            sections,
            document: None,
            hashed: self.hashed,
            hashed_sizes: self.hashed_sizes,
            span,
            key_bytes: self.key_bytes,
            dense_parameters: self.dense_parameters,
            measured: self.measured,
            total,
        };
        directory.place_parameters(at, self.sections_at)?;
        Ok(directory)
    }
}

fn tier(cbor: &mut Cbor<'_>) -> Result<Tier, FormatError> {
    let offset = cbor.offset();
    match cbor.uint()? {
        0 => broken("F-10", offset, "tier 0 is left out"),
        1 => Ok(Tier::Stream),
        2 => Ok(Tier::Direct),
        other => broken("F-9", offset, words!("tier {other} is unknown; the file needs a newer reader")),
    }
}

/// One shape, or a list of two or more.
fn inputs(cbor: &mut Cbor<'_>) -> Result<Vec<Vec<usize>>, FormatError> {
    let offset = cbor.offset();
    let mut ahead = cbor.clone();
    let n = ahead.array(MAX_INPUTS)?;
    if ahead.peek() != Some(major::ARRAY) {
        return Ok(vec![operators::dims(cbor)?]);
    }
    if n < 2 {
        return broken("F-10", offset, "the shape of a single input is not in a list");
    }
    *cbor = ahead;
    (0..n).map(|_| operators::dims(cbor)).collect()
}

fn graph(
    inputs: Vec<Vec<usize>>,
    mut nodes: Vec<Node>,
    outputs: Option<Vec<usize>>,
    names: Option<Vec<String>>,
    at: usize,
) -> Result<Graph, FormatError> {
    let last = inputs.len().saturating_add(nodes.len()).saturating_sub(1);
    if outputs.as_deref() == Some(&[last]) {
        return broken("F-10", at, "the last value is the output without being listed");
    }
    let names = match names {
        Some(names) if names.len() == last.saturating_add(1) => names,
        Some(_) => return broken("F-12", at, "not one name for each input and node"),
        None => input_names(inputs.len()).chain(default_names(nodes.iter().map(|n| &n.op))).collect(),
    };
    let mut names = names.into_iter();
    let inputs =
        inputs.into_iter().map(|shape| Input { name: names.next().unwrap_or_default(), shape }).collect();
    for node in &mut nodes {
        node.name = names.next().unwrap_or_default();
    }
    let outputs = outputs.unwrap_or_else(|| vec![last]);
    Graph::new(inputs, nodes, outputs).map_err(|e| FormatError::new("F-12", at, words!("{e}")))
}

/// Default names of inputs when none are stored: `input`, or `input1`, `input2`, …
pub fn input_names(n: usize) -> impl Iterator<Item = String> {
    (1..=n).map(move |i| if n == 1 { "input".to_string() } else { format!("input{i}") })
}

fn pipeline(cbor: &mut Cbor<'_>) -> Result<Pipeline, FormatError> {
    let offset = cbor.offset();
    let n = cbor.array(MAX_STEPS.saturating_add(1))?;
    if n == 0 {
        return broken("F-7", offset, "preprocessing without the shape of a raw input");
    }
    let input = operators::dims(cbor)?;
    let steps = (1..n).map(|_| step(cbor)).collect::<Result<_, _>>()?;
    Pipeline::new(&input, steps).map_err(|e| FormatError::new("F-13", offset, words!("{e}")))
}

fn step(cbor: &mut Cbor<'_>) -> Result<Step, FormatError> {
    let offset = cbor.offset();
    let (code, numbers) = if cbor.peek() == Some(major::UINT) {
        (cbor.uint()?, Vec::new())
    } else {
        let n = cbor.array(MAX_NUMBERS.saturating_add(1))?;
        if n < 2 {
            return broken("F-10", offset, "a step of one number is that number, not an array");
        }
        let code = cbor.uint()?;
        (code, (1..n).map(|_| number(cbor)).collect::<Result<_, _>>()?)
    };
    let code = u8::try_from(code).unwrap_or(u8::MAX);
    Step::from_numbers(code, &numbers).map_err(|e| FormatError::new("F-13", offset, words!("{e}")))
}

fn number(cbor: &mut Cbor<'_>) -> Result<Number, FormatError> {
    match cbor.peek() {
        Some(major::SIMPLE) => Ok(Number::Float(cbor.f32()?)),
        _ => Ok(Number::Int(cbor.int()?)),
    }
}

fn fitting(pipeline: Pipeline, graph: &Graph, at: usize) -> Result<Pipeline, FormatError> {
    let made = pipeline.output_shape().dims();
    match graph.inputs() {
        [input] if input.shape == made => Ok(pipeline),
        _ => broken("F-13", at, words!("preprocessing makes {made:?}, which the network does not read")),
    }
}

fn measured(cbor: &mut Cbor<'_>) -> Result<Vec<(String, f64)>, FormatError> {
    let n = cbor.map(MAX_FIGURES)?;
    let mut figures: Vec<(String, f64)> = Vec::new();
    for _ in 0..n {
        let offset = cbor.offset();
        let name = cbor.text()?;
        let rank = |name: &str| (name.len(), String::from(name));
        if figures.last().is_some_and(|(last, _)| rank(last) >= rank(name)) {
            return broken("F-6", offset, "the keys of a map are not sorted, or one comes twice");
        }
        let value = match cbor.scalar()? {
            Scalar::Float(value) => value,
            Scalar::Int(_) => return broken("F-7", offset, "a figure is a float"),
        };
        figures.push((name.to_string(), value));
    }
    Ok(figures)
}
