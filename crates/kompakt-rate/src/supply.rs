//! Training examples, generated once and read often: several augmented copies of the training set, in blocks
//! of 64, with the teacher's answers.
//!
//! ```text
//! image ──► moved ──► the network's steps ──► bytes     [block][input][64 examples]
//!              └────► teachers ──────────────► scores    [block][class][64 examples]
//! ```
//!
//! A copy is the complete training set in an order of its own, each image augmented in its own way. For small
//! sparse networks a step is faster than augmenting an image, so copies are made once, and training cycles
//! through them in a new order each time. Inputs are quantised to bytes on one scale from the least to the
//! largest value seen.

use crate::{
    error::RateError,
    lanes::{Tiled, exp, tiled, vectorized},
    loss::Targets,
    net::{Forward, Net, Work},
    random::Random,
    residual::Room,
};
use kompakt_data::Feed;
use rayon::prelude::*;
use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    ops::Range,
    path::Path,
};

/// Examples per block.
pub(crate) const BLOCK: usize = 64;
pub(crate) const EIGHTS: usize = BLOCK / 8;

/// Augmented copies of a training set.
pub(crate) struct Supply {
    pub(crate) n_inputs: usize,
    pub(crate) n_classes: usize,
    /// A byte `b` is the input `low + step b`.
    pub(crate) low: f32,
    pub(crate) step: f32,
    bytes: Vec<u8>,
    labels: Vec<u8>,
    /// The class that was mixed into each example, and the part that is its own; empty where nothing was.
    others: Vec<u8>,
    own: Vec<f32>,
    /// Empty without a teacher.
    scores: Vec<f32>,
}

/// A teacher: a network, and the images in its own preprocessing.
pub(crate) struct Teacher {
    pub(crate) net: Net,
    pub(crate) feed: Feed,
}

impl Supply {
    pub(crate) fn n_blocks(&self) -> usize {
        self.labels.len() / BLOCK
    }

    /// The bytes of one input, the 64 examples of a block.
    #[inline(always)]
    pub(crate) fn input(&self, block: usize, input: usize) -> &[u8] {
        &self.bytes[(block * self.n_inputs + input) * BLOCK..][..BLOCK]
    }

    /// What the answers of some of a block's 64 examples should be.
    pub(crate) fn targets(&self, block: usize, lanes: Range<usize>) -> Targets<'_> {
        let range = block * BLOCK + lanes.start..block * BLOCK + lanes.end;
        let labels = &self.labels[range.clone()];
        let others = self.others.get(range.clone()).unwrap_or_default();
        Targets { labels, others, own: self.own.get(range).unwrap_or_default() }
    }

    pub(crate) fn has_teacher(&self) -> bool {
        !self.scores.is_empty()
    }

    /// The teacher's scores of one class (probabilities, once softened), the 64 examples of a block.
    pub(crate) fn score(&self, block: usize, class: usize) -> &[f32] {
        &self.scores[(block * self.n_classes + class) * BLOCK..][..BLOCK]
    }

    /// Makes `copies` copies. `tell` is called with the number of copies done.
    ///
    /// Errors: more than 256 classes, fewer than 64 examples.
    pub(crate) fn make(
        feed: &Feed,
        n_classes: usize,
        teachers: &[Teacher],
        copies: usize,
        seed: u64,
        mut tell: impl FnMut(usize),
    ) -> Result<Self, RateError> {
        if feed.len() < BLOCK || n_classes > 256 {
            let problem =
                format!("{} examples of {n_classes} classes; 64 or more, of 256 at most", feed.len());
            return Err(RateError::Data(problem));
        }
        let (n_inputs, n_blocks) = (feed.shape().len(), feed.len() / BLOCK);
        let (low, high) = range(feed);
        let step = ((high - low) / 255.0).max(f32::MIN_POSITIVE);
        let mut supply = Self {
            n_inputs,
            n_classes,
            low,
            step,
            bytes: vec![0; copies * n_blocks * n_inputs * BLOCK],
            labels: Vec::with_capacity(copies * n_blocks * BLOCK),
            others: Vec::new(),
            own: Vec::new(),
            scores: vec![0.0; if teachers.is_empty() { 0 } else { copies * n_blocks * n_classes * BLOCK }],
        };
        let bytes_a_copy = n_blocks * n_inputs * BLOCK;
        for copy in 0..copies {
            let order = Random::at(&[seed, copy as u64]).permutation(feed.len());
            let order = &order[..n_blocks * BLOCK];
            supply.labels.extend(order.iter().map(|&i| feed.labels()[i] as u8));
            for (other, own) in order.iter().filter_map(|&i| feed.mixture(copy as u64, i)) {
                supply.others.push(feed.labels()[other] as u8);
                supply.own.push(own);
            }
            let bytes = &mut supply.bytes[copy * bytes_a_copy..][..bytes_a_copy];
            let work = order.par_chunks(BLOCK).zip(bytes.par_chunks_mut(n_inputs * BLOCK));
            work.for_each_init(
                || vec![0.0f32; n_inputs * BLOCK],
                |images, (order, bytes)| {
                    feed.fill(copy as u64, order, images);
                    for (lane, image) in images.chunks_exact(n_inputs).enumerate() {
                        for (input, x) in image.iter().enumerate() {
                            bytes[input * BLOCK + lane] = ((x - low) / step).round() as u8;
                        }
                    }
                },
            );
            if !teachers.is_empty() {
                let n = n_blocks * n_classes * BLOCK;
                ask(teachers, copy as u64, order, n_classes, &mut supply.scores[copy * n..][..n]);
            }
            tell(copy + 1);
        }
        Ok(supply)
    }

    /// Turns the teacher's scores into probabilities at a temperature.
    pub(crate) fn soften(&mut self, temperature: f32) {
        let n_classes = self.n_classes;
        self.scores.par_chunks_mut(n_classes * BLOCK).for_each(|block| {
            for lane in 0..BLOCK {
                let at = |class: usize| class * BLOCK + lane;
                let most = (0..n_classes).fold(f32::NEG_INFINITY, |m, c| m.max(block[at(c)]));
                let mut total = 0.0;
                for class in 0..n_classes {
                    let p = exp((block[at(class)] - most) / temperature);
                    block[at(class)] = p;
                    total += p;
                }
                (0..n_classes).for_each(|class| block[at(class)] /= total);
            }
        });
    }

    /// Writes the supply, to be reused by a run with the same `key`.
    pub(crate) fn write(&self, key: &str, path: &Path) -> std::io::Result<()> {
        let mut out = BufWriter::new(kompakt_files::Sibling::of(path)?);
        let sizes = [key.len(), self.n_inputs, self.n_classes, self.bytes.len(), self.labels.len()];
        for size in sizes.into_iter().chain([self.scores.len(), self.others.len()]) {
            out.write_all(&(size as u64).to_le_bytes())?;
        }
        out.write_all(key.as_bytes())?;
        for x in [self.low, self.step].iter().chain(&self.own).chain(&self.scores) {
            out.write_all(&x.to_le_bytes())?;
        }
        out.write_all(&self.bytes)?;
        out.write_all(&self.labels)?;
        out.write_all(&self.others)?;
        out.into_inner()?.persist()
    }

    /// Reads a supply; `None` if it has another key, or is truncated.
    pub(crate) fn read(key: &str, path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let total = file.metadata().ok()?.len();
        let mut from = BufReader::new(file);
        let mut sizes = [0usize; 7];
        for size in &mut sizes {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes).ok()?;
            *size = usize::try_from(u64::from_le_bytes(bytes)).ok()?;
        }
        let [key_len, n_inputs, n_classes, n_bytes, n_labels, n_scores, n_others] = sizes;
        let wanted = key_len.checked_add(n_bytes)?.checked_add(n_labels)?;
        let wanted = wanted.checked_add(n_scores.checked_mul(4)?)?.checked_add(64)?;
        let wanted = wanted.checked_add(n_others.checked_mul(5)?)?;
        if key_len != key.len() || wanted as u64 != total || n_bytes != n_inputs.checked_mul(n_labels)? {
            return None;
        }
        let mut read = |n: usize| {
            let mut bytes = vec![0; n];
            from.read_exact(&mut bytes).ok().map(|()| bytes)
        };
        if read(key_len)? != key.as_bytes() {
            return None;
        }
        let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let scale: Vec<f32> = read(8)?.chunks_exact(4).map(float).collect();
        let own = read(4 * n_others)?.chunks_exact(4).map(float).collect();
        let scores = read(4 * n_scores)?.chunks_exact(4).map(float).collect();
        let (bytes, labels, others) = (read(n_bytes)?, read(n_labels)?, read(n_others)?);
        Some(Self { n_inputs, n_classes, low: scale[0], step: scale[1], bytes, labels, others, own, scores })
    }
}

/// The least and the largest input among some thousands of the first copy.
fn range(feed: &Feed) -> (f32, f32) {
    let indices: Vec<usize> = (0..feed.len().min(4096)).collect();
    let mut images = vec![0.0f32; indices.len() * feed.shape().len()];
    feed.fill(0, &indices, &mut images);
    images.iter().fold((0.0, 0.0), |(low, high): (f32, f32), &x| (low.min(x), high.max(x)))
}

/// The mean of the teachers' scores for the images of a copy.
fn ask(teachers: &[Teacher], copy: u64, order: &[usize], n_classes: usize, scores: &mut [f32]) {
    let work = order.par_chunks(BLOCK).zip(scores.par_chunks_mut(n_classes * BLOCK));
    let room = || {
        let size = |t: &Teacher| t.net.n_inputs * BLOCK;
        let images = vec![0.0f32; teachers.iter().map(size).max().unwrap_or(0)];
        (images, teachers.iter().map(|t| Desk::new(&t.net)).collect::<Vec<_>>())
    };
    work.for_each_init(room, |(images, desks), (order, scores)| {
        for (teacher, desk) in teachers.iter().zip(desks) {
            let images = &mut images[..teacher.net.n_inputs * BLOCK];
            teacher.feed.fill(copy, order, images);
            desk.answer(&teacher.net, images, |first, found| {
                for (class, found) in found.iter().enumerate() {
                    let to = &mut scores[class * BLOCK + first..][..found.len()];
                    for (to, from) in to.iter_mut().zip(*found) {
                        *to += from / teachers.len() as f32;
                    }
                }
            });
        }
    });
}

/// The memory in which a network answers.
pub(crate) enum Desk {
    /// A chain: 64 images at a time.
    Chain(Work<EIGHTS>),
    /// A network of framed images: eight.
    Framed(Room),
}

impl Desk {
    pub(crate) fn new(net: &Net) -> Self {
        match &net.stages {
            None => Self::Chain(Work::new(net)),
            Some(stages) => Self::Framed(Room::new(stages)),
        }
    }

    /// Calls `take` with the scores of up to 64 images, a part of them at a time: the first image of the part, and for each
    /// class the scores of the part's images and of lanes without one.
    pub(crate) fn answer(&mut self, net: &Net, images: &[f32], mut take: impl FnMut(usize, &[&[f32]])) {
        match self {
            Self::Chain(work) => {
                for (lane, image) in images.chunks_exact(net.n_inputs).enumerate() {
                    for (to, x) in work.values[0].iter_mut().zip(image) {
                        to[lane / 8][lane % 8] = *x;
                    }
                }
                vectorized(Forward { net, work });
                let scores: Vec<&[f32]> = work.scores().iter().map(|s| s.as_flattened()).collect();
                take(0, &scores);
            }
            Self::Framed(room) => {
                let Some(stages) = &net.stages else { return };
                for (part, images) in images.chunks(net.n_inputs * 8).enumerate() {
                    for (lane, image) in images.chunks_exact(net.n_inputs).enumerate() {
                        for (&at, x) in stages.input_at.iter().zip(image) {
                            room.values[0][at as usize][0][lane] = *x;
                        }
                    }
                    tiled(Answer { net, room });
                    let scores: Vec<&[f32]> = room.scores().iter().map(|s| s.as_flattened()).collect();
                    take(part * 8, &scores);
                }
            }
        }
    }
}

/// [`Stages::forward`](crate::residual::Stages::forward) as work for [`tiled`].
struct Answer<'a> {
    net: &'a Net,
    room: &'a mut Room,
}

impl Tiled for Answer<'_> {
    type Output = ();
    #[inline(always)]
    fn call<const T: usize>(self) {
        if let Some(stages) = &self.net.stages {
            stages.forward::<T>(&self.net.layers, self.room);
        }
    }
}
