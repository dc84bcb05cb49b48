//! What a file stores beside its network: labels, history, self-tests, ranges of values. None of it changes the network.

use crate::{
    cbor::Cbor,
    container::Container,
    directory::Directory,
    error::{FormatError, broken},
    limits::{MAX_ANCILLARY_BYTES, MAX_LABELS},
    section::{Section, SectionKind},
};
use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use kompakt_graph::{Graph, Node, Op};
use kompakt_numbers::SplitMix64;

/// The bytes of a section, unpacked, and where it begins.
type Found<'a> = (Cow<'a, [u8]>, usize);

/// One self-test: an input generated from a seed, and the network's expected output.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfTest {
    /// The seed of the input, see [`self_test_input`].
    pub seed: u64,
    /// The expected first output, element by element.
    pub expected: Vec<f32>,
}

/// Between which numbers a value lay when the network was calibrated: 0 is one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    /// The value's number in the graph.
    pub value: usize,
    /// The lowest, at most 0.
    pub low: f32,
    /// The highest, at least 0.
    pub high: f32,
}

/// The values that have ranges: those that a linear layer or a convolution reads, in ascending order.
pub fn ranged_values(graph: &Graph) -> Vec<usize> {
    let is_layer = |node: &&Node| matches!(node.op, Op::Linear { .. } | Op::Conv2d { .. });
    let layers = graph.nodes().iter().filter(is_layer);
    let mut values: Vec<usize> = layers.filter_map(|node| node.inputs.first().copied()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The input of a self-test: `n` numbers in 0..1, multiples of 1/256.
///
/// Number `i` is the top byte of SplitMix64 at `seed + (i + 1) * 0x9E3779B97F4A7C15`, over 256.
pub fn self_test_input(seed: u64, n: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    let mut next = || {
        let [.., top] = random.bits().to_le_bytes();
        f32::from(top) / 256.0
    };
    (0..n).map(|_| next()).collect()
}

impl<'a> Container<'a> {
    /// Names of the classes, or none.
    pub fn labels(&self) -> Result<Vec<String>, FormatError> {
        self.ancillary(SectionKind::Labels)?.map_or(Ok(Vec::new()), |(bytes, at)| labels(&bytes, at))
    }

    /// The history: the interchange's `provenance` as JSON.
    pub fn provenance(&self) -> Result<Option<String>, FormatError> {
        self.ancillary(SectionKind::Provenance)?.map(|(bytes, at)| provenance(&bytes, at)).transpose()
    }

    /// Inputs and their expected outputs.
    pub fn self_tests(&self) -> Result<Vec<SelfTest>, FormatError> {
        let n = self.directory().n_outputs();
        self.ancillary(SectionKind::SelfTests)?
            .map_or(Ok(Vec::new()), |(bytes, at)| self_tests(&bytes, n, at))
    }

    /// Ranges of the [values that have them](ranged_values), or none of any.
    pub fn ranges(&self) -> Result<Vec<ValueRange>, FormatError> {
        let graph = self.graph();
        self.ancillary(SectionKind::Ranges)?.map_or(Ok(Vec::new()), |(bytes, at)| ranges(&bytes, graph, at))
    }

    /// The unpacked bytes of an ancillary section, if it is there; its checksum is verified first.
    fn ancillary(&self, kind: SectionKind) -> Result<Option<Found<'a>>, FormatError> {
        let Some(section) = self.sections().iter().find(|s| s.kind == kind) else { return Ok(None) };
        self.check_crc(section)?;
        Ok(Some((unpack(section, self.section_bytes(section))?, section.offset)))
    }
}

impl Directory {
    /// Reads an ancillary section, if it is of a kind that this reader knows.
    pub(crate) fn check_ancillary(&self, section: &Section, bytes: &[u8]) -> Result<(), FormatError> {
        let at = section.offset;
        match section.kind {
            SectionKind::Labels => labels(&unpack(section, bytes)?, at).map(drop),
            SectionKind::Provenance => provenance(&unpack(section, bytes)?, at).map(drop),
            SectionKind::SelfTests => self_tests(&unpack(section, bytes)?, self.n_outputs(), at).map(drop),
            SectionKind::Ranges => ranges(&unpack(section, bytes)?, &self.graph, at).map(drop),
            _ => Ok(()),
        }
    }

    /// Elements of the first output.
    fn n_outputs(&self) -> usize {
        let shape = self.graph.outputs().first().map_or(&[][..], |&first| self.graph.shape(first));
        shape.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    }
}

/// The labels of a section, given its bytes.
pub(crate) fn labels_of(section: &Section, bytes: &[u8]) -> Result<Vec<String>, FormatError> {
    labels(&unpack(section, bytes)?, section.offset)
}

/// The provenance of a section, given its bytes.
pub(crate) fn provenance_of(section: &Section, bytes: &[u8]) -> Result<String, FormatError> {
    provenance(&unpack(section, bytes)?, section.offset)
}

fn labels(bytes: &[u8], at: usize) -> Result<Vec<String>, FormatError> {
    let read = || {
        let mut cbor = Cbor::new(bytes, at);
        let n = cbor.array(MAX_LABELS)?;
        let labels = (0..n).map(|_| cbor.text().map(ToString::to_string));
        let labels = labels.collect::<Result<_, _>>()?;
        cbor.finish()?;
        Ok(labels)
    };
    // All errors in a section's CBOR are one rule; an offset within unpacked bytes is not an offset in the file.
    read().map_err(|e: FormatError| FormatError { rule: "F-26", offset: at, ..e })
}

fn provenance(bytes: &[u8], at: usize) -> Result<String, FormatError> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        Err(_) => broken("F-26", at, "the provenance is not UTF-8"),
    }
}

fn self_tests(bytes: &[u8], n_outputs: usize, at: usize) -> Result<Vec<SelfTest>, FormatError> {
    let test_bytes = n_outputs.saturating_mul(4).saturating_add(8);
    if !bytes.len().is_multiple_of(test_bytes) {
        return broken("F-26", at, "the self-tests are not a whole number of tests");
    }
    let test = |chunk: &[u8]| {
        let (seed, rest) = chunk.split_first_chunk::<8>()?;
        let expected = rest.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Some(SelfTest { seed: u64::from_le_bytes(*seed), expected })
    };
    Ok(bytes.chunks_exact(test_bytes).filter_map(test).collect())
}

fn ranges(bytes: &[u8], graph: &Graph, at: usize) -> Result<Vec<ValueRange>, FormatError> {
    let values = ranged_values(graph);
    let read = || {
        let mut cbor = Cbor::new(bytes, at);
        if cbor.array(values.len().saturating_mul(2))? != values.len().saturating_mul(2) {
            return broken("F-27", at, "the ranges are fewer than the values that layers read");
        }
        let mut ranges = Vec::new();
        for &value in &values {
            let (low, high) = (cbor.f32()?, cbor.f32()?);
            if low > 0.0 || high < 0.0 {
                return broken("F-27", at, "a range that leaves out 0");
            }
            ranges.push(ValueRange { value, low, high });
        }
        cbor.finish()?;
        Ok(ranges)
    };
    // As for labels.
    read().map_err(|e: FormatError| FormatError { rule: "F-27", offset: at, ..e })
}

fn unpack<'b>(section: &Section, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, FormatError> {
    match section.unpacked {
        None if bytes.len() <= MAX_ANCILLARY_BYTES => Ok(Cow::Borrowed(bytes)),
        None => broken("F-15", section.offset, "an ancillary section of more than 16 MiB"),
        Some(length) => Ok(Cow::Owned(crate::zstd::unpack(bytes, length, "F-26", section.offset)?)),
    }
}
