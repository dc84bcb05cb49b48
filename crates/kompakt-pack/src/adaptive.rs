//! The tier `smallest`: parameters in adaptive streams.

use crate::error::PackError;
use kompakt_entropy::{
    EntropyError, MaskedCodes,
    smallest::{Hints, StreamEncoder},
};
use kompakt_format::{
    Decoded, Numbers, WeightHints, coder_shape,
    limits::{COMPACT_GAPS_FROM, GAPS_FROM},
    rows_and_cols, unit_counts,
};
use kompakt_graph::Graph;

/// Writes the pool, one parameter after the other.
pub(crate) struct PoolEncoder {
    pub(crate) stream: StreamEncoder,
    /// For each parameter so far that is in the pool, how many weights each unit keeps.
    kept: Vec<Option<Vec<u32>>>,
    /// Entries from which a codebook is coded by its gaps.
    gaps_from: usize,
}

impl PoolEncoder {
    pub(crate) fn new() -> Self {
        Self { stream: StreamEncoder::new(), kept: Vec::new(), gaps_from: GAPS_FROM }
    }

    /// One that begins with a directory, without its content hash.
    pub(crate) fn compact(head: &[u8]) -> Self {
        Self { stream: StreamEncoder::compact(head), kept: Vec::new(), gaps_from: COMPACT_GAPS_FROM }
    }

    /// How long the stream would be if the codebook of that parameter, the next one, came last.
    pub(crate) fn with_codebook(&self, levels: &Numbers) -> usize {
        let mut stream = self.stream.clone();
        // One that does not ascend is refused when the stream itself is written.
        _ = codebook(&mut stream, levels, self.gaps_from);
        stream.finish().len()
    }

    /// Adds the next parameter of the graph.
    pub(crate) fn parameter(&mut self, graph: &Graph, decoded: &Decoded) -> Result<(), PackError> {
        let index = self.kept.len();
        let param = &graph.params()[index];
        let hints = WeightHints::of(graph, index);
        let producer = hints.producer.and_then(|p| {
            let counts = self.kept[p.parameter].as_ref()?;
            Some(counts.iter().flat_map(|&n| std::iter::repeat_n(n, p.span)).collect::<Vec<u32>>())
        });
        let hints = Hints { producer: producer.as_deref(), grid: hints.grid };
        encode(&mut self.stream, decoded, &param.shape, hints, self.gaps_from)
            .map_err(PackError::coder(&param.name))?;
        self.kept.push(Some(unit_counts(decoded, rows_and_cols(&param.shape), 1)));
        Ok(())
    }

    /// Passes over a parameter that has a section of its own.
    pub(crate) fn elsewhere(&mut self) {
        self.kept.push(None);
    }
}

/// One parameter as a stream of its own, with fresh models. Adjacent layers share nothing, so that all may be
/// coded in parallel.
pub(crate) fn section(graph: &Graph, index: usize, decoded: &Decoded) -> Result<Vec<u8>, PackError> {
    let param = &graph.params()[index];
    let hints = Hints { producer: None, grid: WeightHints::of(graph, index).grid };
    let mut stream = StreamEncoder::quick();
    encode(&mut stream, decoded, &param.shape, hints, GAPS_FROM).map_err(PackError::coder(&param.name))?;
    Ok(stream.finish())
}

/// The bytes that a parameter's codebook (or dense values) would have in a stream of their own.
pub(crate) fn numbers_alone(decoded: &Decoded) -> usize {
    let mut stream = StreamEncoder::new();
    match decoded {
        // One that is not ascending is refused when the stream itself is written.
        Decoded::Shared { codebook: levels, .. } => _ = codebook(&mut stream, levels, GAPS_FROM),
        Decoded::Dense { numbers: kept, .. } => numbers(&mut stream, kept),
    }
    stream.finish().len()
}

fn encode(
    stream: &mut StreamEncoder,
    decoded: &Decoded,
    shape: &[usize],
    hints: Hints<'_>,
    gaps_from: usize,
) -> Result<(), EntropyError> {
    match decoded {
        Decoded::Shared { codebook: levels, weights } => {
            codebook(stream, levels, gaps_from)?;
            stream.weights(&weights.view(), hints)
        }
        Decoded::Dense { numbers: kept, mask } => {
            if let Some(mask) = mask {
                let [rows, channels, taps] = coder_shape(shape);
                let codes = vec![0; mask.len()];
                let mask = Some(mask.as_slice());
                let map = MaskedCodes {
                    rows,
                    channels,
                    taps,
                    mask,
                    block: 1,
                    trellis: false,
                    codes: &codes,
                    n_levels: 1,
                    n_negative: 0,
                };
                stream.weights(&map, hints)?;
            }
            numbers(stream, kept);
            Ok(())
        }
    }
}

/// Adds a codebook, a long one by its gaps. Integers are ascending if their scale is positive.
fn codebook(stream: &mut StreamEncoder, levels: &Numbers, gaps_from: usize) -> Result<(), EntropyError> {
    match levels {
        _ if levels.len() < gaps_from => {
            numbers(stream, levels);
            Ok(())
        }
        Numbers::F32(v) => stream.codebook_f32(v),
        Numbers::F16(v) => stream.codebook_f16(v),
        Numbers::Scaled { scale, integers } => {
            stream.numbers_f32(&[*scale]);
            if *scale > 0.0 {
                return stream.codebook_int(integers);
            }
            stream.numbers_int(integers);
            Ok(())
        }
    }
}

/// Adds a list of values.
fn numbers(stream: &mut StreamEncoder, numbers: &Numbers) {
    match numbers {
        Numbers::F32(v) => stream.numbers_f32(v),
        Numbers::F16(v) => stream.numbers_f16(v),
        Numbers::Scaled { scale, integers } => {
            stream.numbers_f32(&[*scale]);
            stream.numbers_int(integers);
        }
    }
}
