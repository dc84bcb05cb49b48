//! Writes a container: parameters in, one at a time; bytes out, the directory before them.

use crate::{
    adaptive::{self, PoolEncoder},
    ancillary, compact,
    content::{About, Source},
    convert, directory,
    error::PackError,
    parts::Parts,
    planes, raw,
    sections::{Place, Section, Spool},
    tiles,
};
use kompakt_format::{ContentHash, Decoded, Descriptor, Directory, SectionKind, Tier, rows_and_cols};
use rayon::prelude::*;
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

/// Weights that are coded in parallel.
const BATCH_ELEMENTS: usize = 1 << 25;

/// How a container is to be written.
#[derive(Debug, Clone)]
pub struct Options {
    /// The coders.
    pub tier: Tier,
    /// Leave out everything ancillary.
    pub minimal: bool,
    /// With [`Self::minimal`]: write version 2 of the container, in which a network of a few kB takes the fewest bytes, if the tier is
    /// `smallest` and the network small. Readers of version 1 alone refuse it.
    pub compact: bool,
    /// Where sections and tiles are cut.
    pub layout: Layout,
    /// Whether the file is read back and checked, down to the content hash. Leave it out only to measure a
    /// size.
    pub read_back: bool,
    /// Whether large dense tensors are compressed with Zstandard. Leave it out for a file that is run
    /// immediately and thrown away.
    pub packs_numbers: bool,
}

/// Where sections and tiles are cut: any choice is a valid file with the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// In tier `smallest` a network of more weights than this has its larger tensors in sections of their own, so that
    /// they can be coded in parallel and need not be in memory together. Default 2^21.
    pub pool_elements: usize,
    /// In such a network, a tensor of at least this many weights gets its own section. Default 2^17.
    pub own_from: usize,
    /// A dense tensor of more elements than this is stored raw: adaptive coding would take long and gain
    /// little. Default 2^20.
    pub raw_from: usize,
    /// Rows of a tile; by default as many as suit the tier.
    pub tile_rows: Option<usize>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { pool_elements: 1 << 21, own_from: 1 << 17, raw_from: 1 << 20, tile_rows: None }
    }
}

impl Options {
    /// Everything included, in that tier, laid out as suits it.
    pub fn new(tier: Tier) -> Self {
        Self {
            tier,
            minimal: false,
            compact: false,
            layout: Layout::default(),
            read_back: true,
            packs_numbers: true,
        }
    }
    /// Without anything ancillary.
    pub fn minimal(self) -> Self {
        Self { minimal: true, ..self }
    }
    /// Without anything ancillary, in version 2.
    pub fn compact(self) -> Self {
        Self { minimal: true, compact: true, ..self }
    }
    /// With large dense tensors uncompressed.
    pub fn unpacked(self) -> Self {
        Self { packs_numbers: false, ..self }
    }
    /// Without reading the file back.
    pub fn unchecked(self) -> Self {
        Self { read_back: false, ..self }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// The content hash, the same in all tiers.
    pub content_hash: [u8; 8],
}

/// Writes a container to a new file at `path`, and (unless told otherwise) reads it back.
///
/// `progress` is called with the number of weights done and their total.
///
/// The bytes depend on content and options alone. Memory: tensors that are coded in parallel, about 32
/// million weights or the largest tensor; sections are spooled to a temporary file beside `path` where they
/// are many.
/// Errors: the source's; the graph has an operator unknown to containers; the file cannot be written.
pub fn write(
    source: &mut dyn Source,
    options: &Options,
    path: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Written, PackError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = || PackError::io("writing the container");
    let mut out = BufWriter::new(File::create(path).map_err(io())?);
    let written = pack(source, options, Place::Folder(folder), &mut out, progress)?;
    out.into_inner().map_err(|e| e.into_error()).and_then(|f| f.sync_all()).map_err(io())?;
    if options.read_back {
        read_back(path, written.content_hash)?;
    }
    Ok(written)
}

/// Writes the same bytes as [`write()`] to any writer. Nothing is read back, and no file is made.
///
/// Memory: that of [`write()`] and the sections of the container.
/// Errors: the source's; the graph has an operator unknown to containers; `out` fails.
pub fn write_to(
    source: &mut dyn Source,
    options: &Options,
    out: &mut dyn Write,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Written, PackError> {
    pack(source, options, Place::Memory, out, progress)
}

fn pack(
    source: &mut dyn Source,
    options: &Options,
    place: Place<'_>,
    out: &mut dyn Write,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Written, PackError> {
    let about = if options.minimal { source.about().clone().minimal() } else { source.about().clone() };
    let is_compact = options.compact && options.minimal && options.tier == Tier::Smallest;
    if is_compact
        && compact::suits(&about, &options.layout)
        && let Some(written) = compact::pack(&about, source, out, progress)?
    {
        return Ok(written);
    }
    let mut packing = Packing::new(&about, options, place);
    let rounds = if options.tier == Tier::Stream { 2 } else { 1 };
    let total = rounds * about.graph.n_parameters() as u64;
    let mut done = 0;
    if options.tier == Tier::Stream {
        let mut collector = tiles::Counting::new(options.layout.tile_rows);
        for index in 0..about.graph.params().len() {
            let param = &about.graph.params()[index];
            collector.add(&param.name, index, &*source.parameter(index)?)?;
            done += param.len() as u64;
            progress(done, total);
        }
        packing.stream_plan(collector.finish())?;
    }
    for index in 0..about.graph.params().len() {
        let decoded = source.parameter(index)?;
        packing.add(index, decoded, source.compressed(index))?;
        done += about.graph.params()[index].len() as u64;
        progress(done, total);
    }
    packing.finish(out)
}

struct Packing<'a> {
    about: &'a About,
    tier: Tier,
    layout: Layout,
    packs_numbers: bool,
    /// The sections after the first.
    spool: Spool,
    adaptive: PoolEncoder,
    numbers: Vec<u8>,
    descriptors: Vec<Descriptor>,
    hash: ContentHash,
    /// Parameters with sections of their own that are queued to be coded together.
    batch: Vec<(usize, Arc<Decoded>)>,
    batch_elements: usize,
    /// How tier `stream` codes.
    plan: Option<tiles::StreamPlan>,
    place: Place<'a>,
}

impl<'a> Packing<'a> {
    fn new(about: &'a About, options: &Options, place: Place<'a>) -> Self {
        Self {
            about,
            tier: options.tier,
            layout: options.layout,
            packs_numbers: options.packs_numbers,
            spool: Spool::new(place),
            adaptive: PoolEncoder::new(),
            numbers: Vec::new(),
            descriptors: Vec::new(),
            hash: ContentHash::default(),
            batch: Vec::new(),
            batch_elements: 0,
            plan: None,
            place,
        }
    }

    fn stream_plan(&mut self, plan: tiles::StreamPlan) -> Result<(), PackError> {
        let tables = plan.tables();
        self.plan = Some(plan);
        match tables {
            Some(tables) => self.spool.push(tables),
            None => Ok(()),
        }
    }

    /// Adds a parameter; `compressed` is its section's bytes, if it is compressed already, and how many they were before.
    fn add(
        &mut self,
        index: usize,
        decoded: Arc<Decoded>,
        compressed: Option<(&[u8], usize)>,
    ) -> Result<(), PackError> {
        let param = &self.about.graph.params()[index];
        let cols = rows_and_cols(&param.shape).1;
        self.hash.parameter(&decoded, cols);
        self.descriptors.push(convert::descriptor(&decoded));
        let has_own = self.has_own_section(index, &decoded);
        if self.tier == Tier::Smallest {
            if has_own {
                self.adaptive.elsewhere();
            } else {
                self.adaptive.parameter(&self.about.graph, &decoded)?;
            }
        } else if let Decoded::Shared { codebook, .. } = &*decoded {
            raw::numbers(codebook, &mut self.numbers);
        } else if !has_own {
            raw::dense(&decoded, cols, &mut self.numbers);
        }
        if has_own && matches!(*decoded, Decoded::Dense { .. }) {
            // Sections are stored in the order of their parameters.
            self.code_batch()?;
            let kind = SectionKind::Raw { parameter: index };
            return match (self.packs_numbers, compressed) {
                (true, Some((bytes, unpacked))) => self
                    .spool
                    .push(Section { unpacked: Some(unpacked), ..Section::new(kind, bytes.to_vec()) }),
                (true, None) => planes::section(&mut self.spool, kind, &decoded, cols),
                (false, _) => planes::plain(&mut self.spool, kind, &decoded, cols),
            };
        }
        if has_own {
            self.batch_elements += param.len();
            self.batch.push((index, decoded));
            if self.batch_elements >= BATCH_ELEMENTS {
                self.code_batch()?;
            }
        }
        Ok(())
    }

    /// Codes the queue, in parallel.
    fn code_batch(&mut self) -> Result<(), PackError> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_elements = 0;
        let code = |(index, decoded): &(usize, Arc<Decoded>)| self.own_section(*index, decoded);
        let sections: Vec<Section> = batch.par_iter().map(code).collect::<Result<_, _>>()?;
        sections.into_iter().try_for_each(|section| self.spool.push(section))
    }

    /// Whether a parameter is too large for the pool, or always outside it.
    fn has_own_section(&self, index: usize, decoded: &Decoded) -> bool {
        let (graph, layout) = (&self.about.graph, &self.layout);
        let n = graph.params()[index].len();
        match decoded {
            Decoded::Dense { .. } => n > layout.raw_from,
            Decoded::Shared { .. } => {
                self.tier != Tier::Smallest
                    || (graph.n_parameters() > layout.pool_elements && n >= layout.own_from)
            }
        }
    }

    fn own_section(&self, index: usize, decoded: &Decoded) -> Result<Section, PackError> {
        let graph = &self.about.graph;
        let param = &graph.params()[index];
        match (decoded, self.tier, &self.plan) {
            (Decoded::Shared { weights, .. }, Tier::Direct, _) => {
                tiles::direct(&param.name, index, weights, self.layout.tile_rows)
            }
            (Decoded::Shared { weights, .. }, Tier::Stream, Some(plan)) => {
                plan.section(&param.name, index, weights)
            }
            _ => {
                let bytes = adaptive::section(graph, index, decoded)?;
                Ok(Section::new(SectionKind::Adaptive { parameter: index }, bytes))
            }
        }
    }

    fn finish(mut self, out: &mut dyn Write) -> Result<Written, PackError> {
        self.code_batch()?;
        let first = match self.tier {
            Tier::Smallest => Section::new(SectionKind::Pool, self.adaptive.stream.finish()),
            _ => Section::new(SectionKind::Numbers, self.numbers),
        };
        for section in ancillary::sections(self.about)? {
            self.spool.push(section)?;
        }
        let content = directory::content(&self.about.graph, self.about.pipeline.as_ref(), &self.descriptors)?;
        let content_hash = self.hash.finish(&content.keys, &content.sizes);

        let mut pool = Spool::new(self.place);
        pool.push(first)?;
        let entries = [&pool.entries[..], &self.spool.entries[..]].concat();
        let directory = directory::directory(self.tier, content_hash, &content, &entries, self.about);
        let header = directory::header(&directory, &entries);

        let io = || PackError::io("writing the container");
        out.write_all(&header).map_err(io())?;
        out.write_all(&directory).map_err(io())?;
        let at = pool.copy_to(out, header.len() + directory.len())?;
        let end = self.spool.copy_to(out, at)?;
        out.flush().map_err(io())?;
        Ok(Written { bytes: end as u64, content_hash })
    }
}

/// Checks the file as any reader would, down to the content hash, one section in memory at a time.
fn read_back(path: &Path, content_hash: [u8; 8]) -> Result<(), PackError> {
    let io = || PackError::io("reading the container back");
    let file = File::open(path).map_err(io())?;
    let total = file.metadata().map_err(io())?.len() as usize;
    let checked = Directory::read(&mut Parts(&file), total)
        .and_then(|directory| directory.verify_from(&mut Parts(&file)).map(|()| directory));
    match checked {
        Ok(directory) if directory.content_hash() == content_hash => Ok(()),
        Ok(_) => Err(PackError::ReadBack("the content hash".to_string())),
        Err(PackError::Format(e)) => Err(PackError::ReadBack(e.to_string())),
        Err(other) => Err(other),
    }
}
