//! The stream of a patch: directory, order of units, parameters, other sections. The same steps write and read.

use crate::{error::DeltaError, header::Header, moves::Moves, parameter::parameter};
use kompakt_entropy::smallest::{Hints, PatchStream};
use kompakt_format::{
    Container, Decoded, Section, SectionKind, Tier, WeightHints, limits::MAX_DIRECTORY_BYTES, rows_and_cols,
    unit_counts,
};
use kompakt_pack::{head, rebuild};

/// The old file, decoded.
pub(crate) struct Old<'a> {
    pub(crate) container: &'a Container<'a>,
    pub(crate) parameters: &'a [Decoded],
}

/// The new file, where a patch is written.
#[derive(Clone, Copy)]
pub(crate) struct New<'a> {
    pub(crate) container: &'a Container<'a>,
    /// `None` for parameters with raw sections.
    pub(crate) parameters: &'a [Option<Decoded>],
    pub(crate) moves: &'a Moves,
}

impl Old<'_> {
    /// The old parameter that stands where parameter `index` of the new graph does, if it has the same shape.
    pub(crate) fn parameter(&self, index: usize, shape: &[usize]) -> Option<&Decoded> {
        let old = self.container.graph().params().get(index)?;
        if old.shape == shape { self.parameters.get(index) } else { None }
    }

    /// The bytes of a section of that kind; empty if there is none.
    fn section(&self, like: &Section) -> &[u8] {
        let same =
            |s: &&Section| s.kind.code() == like.kind.code() && s.kind.parameter() == like.kind.parameter();
        self.container.sections().iter().find(same).map_or(&[], |s| self.container.section_bytes(s))
    }
}

/// Whether a section holds parameters in adaptive code; of all others the bytes are kept as they are.
fn is_adaptive(section: &Section) -> bool {
    matches!(section.kind, SectionKind::Pool | SectionKind::Adaptive { .. })
}

/// Whether a parameter is coded as bytes.
pub(crate) fn is_raw(container: &Container<'_>, index: usize) -> bool {
    container.section_of(index).is_some_and(|section| !is_adaptive(section))
}

/// Writes the stream of `new`, or reads it. Returns the new file.
pub(crate) fn code(
    stream: &mut PatchStream<'_>,
    header: &Header,
    old: &Old<'_>,
    new: Option<New<'_>>,
) -> Result<Vec<u8>, DeltaError> {
    let frame = directory(stream, header, old.container, new.map(|new| new.container))?;
    let frame = Container::parse(&frame).map_err(|e| DeltaError::damaged("E-5", e))?;
    if frame.tier() != Tier::Smallest {
        return Err(DeltaError::damaged("E-5", "the new file is of another tier than smallest"));
    }
    let moves = Moves::code(stream, new.map(|new| new.moves), frame.graph().params().len())?;
    let parameters = parameters(stream, &frame, old, new, &moves)?;
    let mut others = Vec::new();
    for (i, section) in frame.sections().iter().enumerate().filter(|(_, section)| !is_adaptive(section)) {
        let mut bytes = match new {
            Some(new) => new.container.section_bytes(&new.container.sections()[i]).to_vec(),
            None => vec![0; section.length],
        };
        stream.bytes(&mut bytes, old.section(section))?;
        others.push(bytes);
    }
    rebuild(&frame, &parameters, &others).map_err(|e| DeltaError::damaged("E-9", e))
}

/// The directory; returns the new file with nothing after it but zeros.
fn directory(
    stream: &mut PatchStream<'_>,
    header: &Header,
    old: &Container<'_>,
    new: Option<&Container<'_>>,
) -> Result<Vec<u8>, DeltaError> {
    let of = |container: &Container<'_>| container.document().to_vec();
    let (mut like, mut directory) = (of(old), new.map(of).unwrap_or_default());
    let unusual = || DeltaError::damaged("E-5", "a directory without a content hash");
    if new.is_some() {
        let at = hash_at(&directory).ok_or_else(unusual)?;
        directory[at..at + 8].fill(0);
    }
    if let Some(at) = hash_at(&like) {
        like[at..at + 8].fill(0);
    }
    let length = stream.integer(directory.len() as u32)? as usize;
    if length > MAX_DIRECTORY_BYTES || length as u64 > header.new_length {
        return Err(DeltaError::damaged("E-5", "the directory is longer than the file or than 16 MiB"));
    }
    directory.resize(length, 0);
    stream.bytes(&mut directory, &like)?;
    let at = hash_at(&directory).ok_or_else(unusual)?;
    directory[at..at + 8].copy_from_slice(&header.new_content);
    let mut frame = head(&directory, header.new_length);
    let total = usize::try_from(header.new_length).unwrap_or(usize::MAX);
    if frame.len() > total {
        return Err(DeltaError::damaged("E-5", "the directory is longer than the file"));
    }
    frame.resize(total, 0);
    Ok(frame)
}

/// Where a directory has its content hash: key 1, first but for the tier.
fn hash_at(directory: &[u8]) -> Option<usize> {
    let head = match directory.first()? {
        0xb8 => 2,
        0xb9 => 3,
        _ => 1,
    };
    let tier = if directory.get(head) == Some(&0) { 2 } else { 0 };
    let at = head + tier + 2;
    (directory.get(at - 2..at)? == [0x01, 0x48] && directory.len() >= at + 8).then_some(at)
}

fn parameters(
    stream: &mut PatchStream<'_>,
    frame: &Container<'_>,
    old: &Old<'_>,
    new: Option<New<'_>>,
    moves: &Moves,
) -> Result<Vec<Option<Decoded>>, DeltaError> {
    let graph = frame.graph();
    let mut found: Vec<Option<Decoded>> = Vec::new();
    for (index, (param, descriptor)) in graph.params().iter().zip(frame.descriptors()).enumerate() {
        if is_raw(frame, index) {
            found.push(None);
            continue;
        }
        let hints = WeightHints::of(graph, index);
        let counts = hints.producer.and_then(|p| {
            let producer = found.get(p.parameter)?.as_ref()?;
            Some(unit_counts(producer, rows_and_cols(&graph.params()[p.parameter].shape), p.span))
        });
        let hints = Hints { producer: counts.as_deref(), grid: hints.grid };
        let mut before = old.parameter(index, &param.shape).cloned();
        if let Some(before) = &mut before {
            moves.apply(index, before, rows_and_cols(&param.shape).0)?;
        }
        let wanted = new.and_then(|new| new.parameters[index].as_ref());
        found.push(Some(parameter(stream, &param.shape, descriptor, hints, before.as_ref(), wanted)?));
    }
    Ok(found)
}
