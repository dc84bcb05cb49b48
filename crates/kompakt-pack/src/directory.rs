//! The directory and the header as bytes.

use crate::{cbor::Cbor, content::About, error::PackError, operators, sections::Entry, sections::Spool};
use kompakt_format::{Descriptor, MAGIC, SectionKind, Tier, VERSION, input_names, key};
use kompakt_graph::{Count, Graph, Place, Size, Sizes, Symbol, default_names};
use kompakt_prep::{Number, Pipeline};

/// The parts of the directory that the content hash covers.
pub(crate) struct Content {
    /// Keys 2 to 6.
    pub(crate) keys: Vec<u8>,
    n_keys: usize,
    /// Key 8; empty if no size is open.
    pub(crate) sizes: Vec<u8>,
}

/// See [`Content`].
pub(crate) fn content(
    graph: &Graph,
    pipeline: Option<&Pipeline>,
    descriptors: &[Descriptor],
) -> Result<Content, PackError> {
    let mut cbor = Cbor::default();
    let mut n_keys = 3;
    cbor.int(key::INPUTS);
    match graph.inputs() {
        [input] => {
            cbor.sizes(&input.shape);
        }
        inputs => {
            cbor.array(inputs.len());
            for input in inputs {
                cbor.sizes(&input.shape);
            }
        }
    }
    cbor.int(key::NODES).array(graph.nodes().len());
    for (i, node) in graph.nodes().iter().enumerate() {
        operators::node(&mut cbor, node, graph.value_of(i))?;
    }
    let last = graph.inputs().len() + graph.nodes().len() - 1;
    if graph.outputs() != [last] {
        cbor.int(key::OUTPUTS).sizes(graph.outputs());
        n_keys += 1;
    }
    if let Some(pipeline) = pipeline {
        cbor.int(key::PREPROCESSING);
        preprocessing(&mut cbor, pipeline);
        n_keys += 1;
    }
    cbor.int(key::PARAMETERS).array(descriptors.len());
    for descriptor in descriptors {
        cbor.uint(descriptor.code());
    }
    let mut open = Cbor::default();
    if let Some(sizes) = graph.sizes() {
        open.int(key::SIZES);
        write_sizes(&mut open, sizes);
    }
    Ok(Content { keys: cbor.0, n_keys, sizes: open.0 })
}

fn write_sizes(cbor: &mut Cbor, sizes: &Sizes) {
    cbor.array(2).array(sizes.symbols.len());
    for Symbol { name, stored, least, most, step } in &sizes.symbols {
        cbor.array(5).text(name).size(*stored).size(*least).size(*most).size(*step);
    }
    cbor.array(sizes.places.len());
    for Place { value, number, size } in &sizes.places {
        match size {
            Size::Rest => {
                cbor.array(2).size(*value).size(*number);
            }
            Size::Sum { offset, terms } => {
                cbor.array(3 + terms.len()).size(*value).size(*number).int(*offset);
                for (factor, count) in terms {
                    match count {
                        Count::Symbol(symbol) => cbor.array(2).int(*factor).size(*symbol),
                        Count::Dimension { value, axis } => {
                            cbor.array(3).int(*factor).size(*value).size(*axis)
                        }
                    };
                }
            }
        }
    }
}

/// The directory of a compact file, without its content hash: the map's head, then the content.
pub(crate) fn head(content: &Content) -> Vec<u8> {
    let mut cbor = Cbor::default();
    cbor.map(content.n_keys + 1);
    cbor.0.extend(&content.keys);
    cbor.0
}

fn preprocessing(cbor: &mut Cbor, pipeline: &Pipeline) {
    cbor.array(1 + pipeline.steps().len()).sizes(&pipeline.input_shape().dims());
    for step in pipeline.steps() {
        let (code, numbers) = step.to_numbers();
        if !numbers.is_empty() {
            cbor.array(1 + numbers.len());
        }
        cbor.uint(u64::from(code));
        for number in numbers {
            match number {
                Number::Int(n) => cbor.int(n),
                Number::Float(f) => cbor.float(f64::from(f)),
            };
        }
    }
}

/// The complete directory.
pub(crate) fn directory(
    tier: Tier,
    hash: [u8; 8],
    content: &Content,
    entries: &[Entry],
    about: &About,
) -> Vec<u8> {
    let only_pool = matches!(entries, [Entry { kind: SectionKind::Pool, .. }]);
    let names = about.names.as_deref();
    let n_keys = content.n_keys
        + 1
        + usize::from(!content.sizes.is_empty())
        + usize::from(tier != Tier::Smallest)
        + usize::from(!only_pool)
        + usize::from(names.is_some())
        + usize::from(about.dense_parameters.is_some())
        + usize::from(!about.measured.is_empty());
    let mut cbor = Cbor::default();
    cbor.map(n_keys);
    if tier != Tier::Smallest {
        cbor.int(key::TIER).uint(tier.code());
    }
    cbor.int(key::CONTENT_HASH).bytes(&hash);
    cbor.0.extend(&content.keys);
    if !only_pool {
        cbor.int(key::SECTIONS).array(entries.len());
        entries.iter().for_each(|e| section(&mut cbor, e));
    }
    cbor.0.extend(&content.sizes);
    if let Some(names) = names {
        cbor.int(key::NAMES).array(names.len());
        for name in names {
            cbor.text(name);
        }
    }
    if let Some(n) = about.dense_parameters {
        cbor.int(key::DENSE_PARAMETERS).uint(n);
    }
    if !about.measured.is_empty() {
        cbor.int(key::MEASURED).map(about.measured.len());
        let mut figures: Vec<_> = about.measured.iter().collect();
        figures.sort_by_key(|(name, _)| (name.len(), name.as_str()));
        for (name, value) in figures {
            cbor.text(name).float(*value);
        }
    }
    cbor.0
}

fn section(cbor: &mut Cbor, entry: &Entry) {
    let parameter = entry.kind.parameter();
    let n = 2
        + usize::from(parameter.is_some())
        + 2 * usize::from(entry.tiles.is_some())
        + usize::from(entry.unpacked.is_some());
    cbor.array(n).int(entry.kind.code()).size(entry.length);
    if let Some(parameter) = parameter {
        cbor.size(parameter);
    }
    if let Some((rows, lengths)) = &entry.tiles {
        cbor.size(*rows).sizes(lengths);
    }
    if let Some(unpacked) = entry.unpacked {
        cbor.size(unpacked);
    }
}

/// The header in front of `directory`, for a file whose sections are `entries`.
pub(crate) fn header(directory: &[u8], entries: &[Entry]) -> Vec<u8> {
    let mut length = Vec::new();
    leb128(directory.len() as u64, &mut length);
    // The width of the total shifts the sections, and with them, rarely, the total.
    let total = (1..=9)
        .map(|width| {
            let start = MAGIC.len() + 1 + width + length.len() + 4 + directory.len();
            let mut total = Vec::new();
            leb128(Spool::end(entries, start) as u64, &mut total);
            (width, total)
        })
        .find(|(width, total)| total.len() == *width)
        .map(|(_, total)| total)
        .unwrap_or_default();
    with_checksum(directory, &total, &length)
}

/// The header of a file of `total` bytes.
pub(crate) fn header_of(directory: &[u8], total: u64) -> Vec<u8> {
    let (mut length, mut all) = (Vec::new(), Vec::new());
    leb128(directory.len() as u64, &mut length);
    leb128(total, &mut all);
    with_checksum(directory, &all, &length)
}

fn with_checksum(directory: &[u8], total: &[u8], length: &[u8]) -> Vec<u8> {
    let mut header = [&MAGIC[..], &[VERSION], total, length].concat();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header);
    crc.update(directory);
    header.extend(crc.finalize().to_le_bytes());
    header
}

fn leb128(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The names of inputs and nodes, unless they equal a reader's defaults.
pub(crate) fn names(graph: &Graph) -> Option<Vec<String>> {
    let names: Vec<String> = graph
        .inputs()
        .iter()
        .map(|i| &i.name)
        .chain(graph.nodes().iter().map(|n| &n.name))
        .cloned()
        .collect();
    let default: Vec<String> =
        input_names(graph.inputs().len()).chain(default_names(graph.nodes().iter().map(|n| &n.op))).collect();
    (names != default).then_some(names)
}
