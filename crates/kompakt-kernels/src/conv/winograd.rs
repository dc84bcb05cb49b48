//! 3 x 3 convolutions by Winograd's method F(2 x 2, 3 x 3): four outputs of a channel with 16 products
//! instead of 36.
//!
//! ```text
//! tile    4 x 4 of the input, 2 x 2 of the output, tiles at a stride of two
//!
//! V[k] = (Bt d B)[k]    of each input channel and tile      16 numbers k        adds alone
//! U[k] = (G g Gt)[k]    of each pair of channels            16 numbers k        looked up and transformed for some rows
//! M[k] = U[k] V[k]      16 products of matrices             [outputs, inputs] by [inputs, tiles]
//! y    = At M A         of each output channel and tile     2 x 2               adds, then the epilogue
//! ```
//!
//! A channel of the input is padded before it is transformed; even and odd columns are separated in registers, so that a vector
//! has one column of neighbouring tiles; where a row of tiles is no multiple of a vector, the last one starts earlier, and some tiles are
//! computed twice. Kernels of four rows and four channels are transformed together.
//!
//! What is multiplied stays in cache: some rows with some channels at a time, whose sums so far are in `M`; and a band of tiles at
//! a time, so that `V` is never larger than a band. Where kernels are few, all of them stay in cache over all bands; others are
//! transformed again for each, and bands are as large as the L3 cache allows.
//!
//!  Sums differ from those of the direct method, and their error is a few times larger: about
//! `2^-22` of the sum of absolute products. A non-finite input affects all four outputs of its tiles.
//!
//! Source: Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks".

#![expect(clippy::needless_range_loop, reason = "tiles of registers are indexed by what they are")]
#![expect(unsafe_code, reason = "loads and stores without bounds checks: the last of them is checked first")]

use super::{
    grid::LANES,
    planes::{Planes, copy},
    rows::PlaneParts,
    shape::ConvShape,
};
use crate::{
    Epilogue, Isa, PanelMatrix, PanelScratch, Window,
    arch::{Arch, Four, Portable},
    epilogue::{RowEpilogue, VectorEpilogue},
    isa::{Job, Vector, run},
    tile::panel::{AllColumns, GROUP, Panels},
};
use core::ops::Range;

/// Numbers of a transformed tile.
const NUMBERS: usize = 16;
/// Floats of transformed weights, and of products, of the rows that are run together: a part of an L2 cache.
const PART_FLOATS: usize = 1 << 15;
/// Floats of a transformed input that stays in an L2 cache beside them.
const NEAR_FLOATS: usize = 9 << 14;
/// Floats of both, where the input does not, and comes from the L3 cache once for so many rows: half of an L2 cache.
const FAR_FLOATS: usize = 1 << 18;
/// Floats of one number of the transformed input that all rows read, some positions at a time: half of an L1 cache.
const BLOCK_FLOATS: usize = 1 << 12;
/// Positions that a row reads together.
const BLOCK_POSITIONS: usize = 64;
/// Floats of all transformed kernels where they stay in an L2 cache, beside a band of the input.
const KERNEL_FLOATS: usize = 1 << 17;
/// Floats of the transformed input of a band whose kernels do not stay in cache: a part of an L3 cache.
const BAND_FLOATS: usize = 1 << 20;
/// The most floats of the transformed input of a band, and of the kernels and products of rows that are run together.
const MAX_FLOATS: usize = 1 << 21;

/// See the [module page](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winograd {
    /// How a channel is padded.
    planes: Planes,
    /// Of a group.
    channels: usize,
    output: [usize; 2],
    /// Tiles down and across, across a multiple of four.
    tiles: [usize; 2],
    /// Rows of tiles that are run together.
    band: usize,
    /// Whether all transformed kernels stay in cache over all bands.
    keeps_kernels: bool,
}

/// Scratch memory of a run.
pub(super) struct Memory<'a> {
    /// The transformed input of a band: [`Winograd::input_floats`].
    pub(super) v: &'a mut [f32],
    /// Whether `v` has it already, all rows of tiles being one band.
    pub(super) is_transformed: bool,
    /// A padded channel: [`Winograd::channel_floats`].
    pub(super) channel: &'a mut [f32],
    /// [`Winograd::part_floats`].
    pub(super) part: &'a mut [f32],
    pub(super) panels: &'a mut PanelScratch,
}

impl Winograd {
    /// The method for a convolution, if its kernel is 3 x 3 without stride and dilation and it is not too wide for its channels.
    pub(super) fn new(shape: &ConvShape, groups: usize) -> Option<Self> {
        let ConvShape { channels, size, output, kernel, before, stride, dilation, .. } = *shape;
        if kernel != [3; 2] || stride != [1; 2] || dilation != [1; 2] {
            return None;
        }
        let tiles = [output[0].div_ceil(2), output[1].div_ceil(2).next_multiple_of(4)];
        let after = [0, 1].map(|i| (2 * tiles[i] + 2).saturating_sub(size[i] + before[i]));
        let planes =
            Planes { channels: groups * channels, size, before, after, stride: [1; 2], row_align: 1 };
        let whole = Self { planes, channels, output, tiles, band: tiles[0], keeps_kernels: false };
        let n_floats = whole.input_floats();
        let has_few_kernels =
            channels * BLOCK_POSITIONS <= BLOCK_FLOATS && NUMBERS * channels * shape.outputs <= KERNEL_FLOATS;
        // Rows of tiles whose input and products stay in cache beside all kernels.
        let near = FAR_FLOATS / NUMBERS / (channels + shape.outputs) / tiles[1].max(1);
        let keeps_kernels = has_few_kernels && n_floats > NEAR_FLOATS && near > 0;
        let most = if keeps_kernels {
            near
        } else {
            // In bands as even as possible.
            tiles[0].div_ceil(n_floats.div_ceil(BAND_FLOATS).max(1))
        };
        let most = most.clamp(1, tiles[0].max(1));
        // Of whole vectors, if there is such a band and it does not transform kernels more often.
        let is_better = |rows: &usize| {
            (rows * tiles[1]).is_multiple_of(LANES)
                && (keeps_kernels || tiles[0].div_ceil(*rows) == tiles[0].div_ceil(most))
        };
        let band = if most < tiles[0] { (most / 2 + 1..=most).rev().find(is_better) } else { None };
        let method = Self { band: band.unwrap_or(most), keeps_kernels, ..whole };
        // One row of tiles may be more than a band should have.
        let most_floats = method.input_floats().max(method.part_floats(shape.outputs));
        (most_floats <= MAX_FLOATS).then_some(method)
    }

    /// Whether the tiles are run in several bands.
    pub(super) fn has_bands(&self) -> bool {
        self.band < self.tiles[0]
    }

    /// How often each kernel is transformed.
    pub(super) fn n_passes(&self) -> usize {
        if self.keeps_kernels { 1 } else { self.tiles[0].div_ceil(self.band) }
    }

    /// Tiles.
    pub(super) fn n_tiles(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Channel stride of transformed data of a band, in floats.
    fn pitch(&self) -> usize {
        (self.band * self.tiles[1]).next_multiple_of(LANES)
    }

    /// Stride between the 16 parts of the transformed input, in floats: an odd number of cache lines, which
    /// would evict each other at a power-of-two stride.
    fn number_len(&self) -> usize {
        self.apart(self.channels)
    }

    /// The same for that many planes of tiles.
    fn apart(&self, n_planes: usize) -> usize {
        odd_lines(n_planes * self.pitch())
    }

    /// Floats of the transformed input of a group, of a band.
    pub(super) fn input_floats(&self) -> usize {
        NUMBERS * self.number_len()
    }

    /// Floats of a padded channel, of a band.
    pub(super) fn channel_floats(&self) -> usize {
        (2 * self.band + 2) * self.planes.row_stride()
    }

    /// Rows of the output in each of at most `n` parts, if it is better divided so than by channels: kernels are then
    /// transformed in each part, otherwise the input is.
    pub(super) fn part_rows(&self, n: usize, outputs: usize) -> Option<usize> {
        let tile_rows = self.tiles[0].div_ceil(n.max(1));
        let is_whole = (tile_rows * self.tiles[1]).is_multiple_of(LANES) || self.tiles[1] >= LANES;
        (outputs <= self.n_tiles() && is_whole && tile_rows < self.tiles[0]).then_some(2 * tile_rows)
    }

    /// Scratch floats for some rows, of one group or several.
    pub(super) fn part_floats(&self, n_rows: usize) -> usize {
        let n_rows = self.rows_at_most(n_rows);
        NUMBERS * (odd_lines(n_rows * self.channels_at_once()) + self.apart(n_rows))
    }

    /// Channels whose part of the input stays in the nearest cache for all rows.
    fn channels_at_once(&self) -> usize {
        let n_blocks = (self.channels * self.pitch().min(BLOCK_POSITIONS)).div_ceil(BLOCK_FLOATS);
        self.channels.div_ceil(n_blocks.max(1)).next_multiple_of(4).min(self.channels)
    }

    /// The most rows that may be run together: their transformed weights and products stay in cache.
    fn rows_at_most(&self, n_rows: usize) -> usize {
        let (channels, pitch) = (self.channels_at_once(), self.pitch());
        let most = match self.input_floats() {
            _ if self.keeps_kernels => n_rows.next_multiple_of(GROUP),
            ..=NEAR_FLOATS => PART_FLOATS / NUMBERS / channels.max(pitch).max(1),
            _ => FAR_FLOATS / NUMBERS / (channels + pitch),
        };
        (most / GROUP).clamp(1, n_rows.div_ceil(GROUP).max(1)) * GROUP
    }

    /// Rows that are run together: in parts as even as possible.
    fn rows_at_once(&self, n_rows: usize) -> usize {
        let n_groups = n_rows.div_ceil(GROUP).max(1);
        n_groups.div_ceil(n_groups.div_ceil(self.rows_at_most(n_rows) / GROUP)) * GROUP
    }

    /// Some rows of one group for one image, and some rows of the output.
    ///
    /// Shapes: `x` `[channels, h, w]` of the group; `output` a part of the rows, from an even one on to an even one or the end;
    /// `y` that part of the plane for each of `rows`, the first of which is number `first_part`; they are rows of `m` and of
    /// the epilogue.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub(super) fn run(
        &self,
        isa: Isa,
        m: &PanelMatrix,
        rows: Range<usize>,
        output: Range<usize>,
        x: &[f32],
        memory: Memory<'_>,
        epilogue: Epilogue<'_>,
        y: &mut dyn PlaneParts,
        first_part: usize,
    ) {
        let (at_once, block) = (self.rows_at_once(rows.len()), self.channels_at_once());
        let Memory { v, mut is_transformed, channel: padded, part, panels } = memory;
        let all = output.start / 2..output.end.div_ceil(2);
        // Kernels that are kept are one part, with all channels in one block.
        let keeps_kernels =
            self.keeps_kernels && rows.start / GROUP * GROUP + at_once >= rows.end && block == self.channels;
        for top in all.clone().step_by(self.band) {
            let tile_rows = top..all.end.min(top + self.band);
            if !is_transformed {
                run(isa, Transform { method: self, tile_rows: tile_rows.clone(), x, padded, v });
                is_transformed = !self.has_bands();
            }
            let mut first = rows.start;
            while first < rows.end {
                // From the group of the first row on.
                let start = first / GROUP * GROUP;
                let end = rows.end.min(start + at_once);
                let groups = start / GROUP..end.div_ceil(GROUP);
                let u_apart = odd_lines(groups.len() * GROUP * block);
                let (u, products) = part.split_at_mut(NUMBERS * u_apart);
                let has_kernels = keeps_kernels && top > all.start;
                for channel in (0..self.channels).step_by(block) {
                    let channels = channel..self.channels.min(channel + block);
                    if !has_kernels {
                        self.kernels(isa, m, groups.clone(), channels.clone(), panels, u_apart, u);
                    }
                    let (u, rows) = ((&*u, u_apart), first - start..end - start);
                    self.multiply(isa, m, u, v, (rows, channels, tile_rows.len()), products);
                }
                for row in first..end {
                    let from = &products[(row - start) * self.pitch()..];
                    // From the first row of the band on.
                    let y = &mut y.part(first_part + row - rows.start)
                        [(2 * top - output.start) * self.output[1]..];
                    let (apart, epilogue) = (self.apart(groups.len() * GROUP), epilogue.row(row));
                    let tile_rows = tile_rows.clone();
                    run(isa, Finish { method: self, tile_rows, products: from, apart, epilogue, y });
                }
                first = end;
            }
        }
    }

    /// Transforms the kernels of some groups of rows and some channels, `u` `[16, groups, channels, 4]`, its numbers `apart`
    /// floats.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    fn kernels(
        &self,
        isa: Isa,
        m: &PanelMatrix,
        groups: Range<usize>,
        channels: Range<usize>,
        panels: &mut PanelScratch,
        apart: usize,
        u: &mut [f32],
    ) {
        let together = m.channels_together();
        for (i, group) in groups.enumerate() {
            let looked_up = m.look_up_columns(isa, group, 9 * channels.start..9 * channels.end, panels);
            let u = &mut u[i * channels.len() * GROUP..];
            run(isa, TransformWeights { looked_up, together, apart, u });
        }
    }

    /// Adds to the products of `rows`, counted from the first of the part, those of some channels.
    fn multiply(
        &self,
        isa: Isa,
        m: &PanelMatrix,
        (u, u_apart): (&[f32], usize),
        v: &[f32],
        (rows, channels, n_tile_rows): (Range<usize>, Range<usize>, usize),
        products: &mut [f32],
    ) {
        let (pitch, v_len) = (self.pitch(), self.number_len());
        let n_rows = rows.end.next_multiple_of(GROUP);
        let (apart, u_len) = (self.apart(n_rows), n_rows * channels.len());
        let (window, offsets) = (&Window::line(n_tile_rows * self.tiles[1]), &m.offsets()[channels.clone()]);
        for k in 0..NUMBERS {
            let (panels, _) = u[k * u_apart..][..u_len].as_chunks::<GROUP>();
            let y = &mut products[k * apart..][rows.start * pitch..n_rows * pitch];
            let job = Panels {
                columns: AllColumns { panels, offsets, scale: pitch },
                first_row: 0,
                rows: rows.clone(),
                x: &v[k * v_len..(k + 1) * v_len],
                window,
                carry: channels.start > 0,
                epilogue: Epilogue::default(),
                y,
                y_plane: pitch,
            };
            run(isa, job);
        }
    }
}

/// At least that many floats, in an odd number of cache lines.
fn odd_lines(floats: usize) -> usize {
    (floats.div_ceil(LANES) | 1) * LANES
}

/// The transform of a band of a group's input: `x` `[channels, h, w]`, `v` `[16, channels, pitch]`.
struct Transform<'a> {
    method: &'a Winograd,
    tile_rows: Range<usize>,
    x: &'a [f32],
    /// A padded channel.
    padded: &'a mut [f32],
    v: &'a mut [f32],
}

impl Job for Transform<'_> {
    type Output = ();

    fn define(self) {
        // SAFETY: they need no features.
        unsafe { self.run::<Portable>() }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // Longer vectors only where there are enough tiles.
        // SAFETY: passed on; a vector of `A::Narrow` has four or eight floats.
        unsafe {
            if self.method.tiles[1] >= <A::Wide as Vector>::N {
                self.tiles::<A::Wide>();
            } else if self.method.tiles[1] >= <A::Narrow as Vector>::N {
                self.tiles::<A::Narrow>();
            } else {
                self.tiles::<Four>();
            }
        }
    }
}

impl Transform<'_> {
    /// A vector of tiles at a time.
    ///
    /// # Safety
    /// The features of `L`.
    #[inline(always)]
    unsafe fn tiles<L: Vector>(self) {
        let Self { method, tile_rows, x, padded, v } = self;
        let Winograd { planes, channels, tiles: [_, across], .. } = *method;
        let (pitch, [h, w], row) = (method.pitch(), planes.size, planes.row_stride());
        let padded = &mut padded[..(2 * tile_rows.len() + 2) * row];
        assert!(2 * across + 2 <= row && x.len() >= channels * h * w, "x is too short");
        assert!(tile_rows.len() <= method.band && v.len() >= method.input_floats(), "v is too short");
        assert!(across >= L::N, "tiles and vectors");
        let number = method.number_len();
        for channel in 0..channels {
            planes.fill_rows(&x[channel * h * w..(channel + 1) * h * w], 2 * tile_rows.start, padded);
            for tx in (0..across).step_by(L::N) {
                let tx = tx.min(across - L::N);
                // SAFETY: a tile of `N` reads two columns more than twice as many, which a row has, in four rows of the padded
                // channel, which has two more than twice as many; the same tiles of number 15 of the last channel end in `v`.
                unsafe {
                    let x = padded.as_ptr().add(2 * tx);
                    let to = v.as_mut_ptr().add(channel * pitch + tx);
                    let mut above = [columns::<L>(x), columns::<L>(x.add(row))];
                    for ty in 0..tile_rows.len() {
                        let x = x.add((2 * ty + 2) * row);
                        let below = [columns::<L>(x), columns::<L>(x.add(row))];
                        for j in 0..4 {
                            let to = to.add(ty * across + j * number);
                            let [a, b, c, d] = [above[0][j], above[1][j], below[0][j], below[1][j]];
                            difference(a, c).store(to);
                            b.add(c).store(to.add(4 * number));
                            difference(c, b).store(to.add(8 * number));
                            difference(b, d).store(to.add(12 * number));
                        }
                        above = below;
                    }
                }
            }
        }
    }
}

/// A row of tiles, transformed across: its numbers `d B`.
///
/// # Safety
/// The features of `L`; `2 N + 2` floats at `x`.
#[inline(always)]
unsafe fn columns<L: Vector>(x: *const f32) -> [L; 4] {
    // SAFETY: promised by the caller.
    unsafe {
        let [a, b] = L::even_odd(L::load(x), L::load(x.add(L::N)));
        let [c, d] = L::even_odd(L::load(x.add(2)), L::load(x.add(L::N + 2)));
        [difference(a, c), b.add(c), difference(c, b), difference(b, d)]
    }
}

/// `a - b`.
///
/// # Safety
/// The features of `L`.
#[inline(always)]
unsafe fn difference<L: Vector>(a: L, b: L) -> L {
    // SAFETY: promised by the caller.
    unsafe { b.mul_add(L::splat(-1.0), a) }
}

/// Kernels of some groups of four rows: `looked_up` `[groups, channels / together, 9, together, 4]`, `u`
/// `[16, groups, channels, 4]`, its numbers `apart` floats.
struct TransformWeights<'a> {
    looked_up: &'a [f32],
    /// Channels whose kernels are interleaved: one or four.
    together: usize,
    apart: usize,
    u: &'a mut [f32],
}

impl Job for TransformWeights<'_> {
    type Output = ();

    fn define(self) {
        // SAFETY: they need no features.
        unsafe { self.run::<Portable>() }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: passed on; kernels of four rows and four channels are sixteen floats.
        unsafe {
            if self.together == 4 || const { <A::Wide as Vector>::N == Four::N } {
                self.kernels::<A::Wide>();
            } else {
                self.kernels::<Four>();
            }
        }
    }
}

impl TransformWeights<'_> {
    /// # Safety
    /// The features of `L`, whose vectors divide the kernels that are interleaved.
    #[inline(always)]
    unsafe fn kernels<L: Vector>(self) {
        let Self { looked_up, together, apart, u } = self;
        let block = together * GROUP;
        let n_blocks = looked_up.len() / (9 * block);
        assert!((NUMBERS - 1) * apart + n_blocks * block <= u.len(), "u is too short");
        assert!(block.is_multiple_of(L::N), "kernels and vectors");
        for at in 0..n_blocks {
            for lane in (0..block).step_by(L::N) {
                // SAFETY: nine vectors of the block, and one of number 15, which was compared.
                unsafe {
                    let from = looked_up.as_ptr().add(at * 9 * block + lane);
                    let to = u.as_mut_ptr().add(at * block + lane);
                    let mut columns = [[L::splat(0.0); 4]; 3];
                    for x in 0..3 {
                        let (a, b) = (L::load(from.add(x * block)), L::load(from.add((3 + x) * block)));
                        columns[x] = of_three(a, b, L::load(from.add((6 + x) * block)));
                    }
                    for i in 0..4 {
                        let out = of_three(columns[0][i], columns[1][i], columns[2][i]);
                        for j in 0..4 {
                            out[j].store(to.add((i * 4 + j) * apart));
                        }
                    }
                }
            }
        }
    }
}

/// G applied to three numbers.
///
/// # Safety
/// The features of `L`.
#[inline(always)]
unsafe fn of_three<L: Vector>(a: L, b: L, c: L) -> [L; 4] {
    // SAFETY: promised by the caller.
    unsafe {
        // The negative zero changes nothing when it is added.
        let (half, zero) = (L::splat(0.5), L::splat(-0.0));
        let (ends, middle) = (a.add(c).mul_add(half, zero), b.mul_add(half, zero));
        [a, ends.add(middle), difference(ends, middle), c]
    }
}

/// The output of one channel in a band, `y` from its first row on: number `k` of its products is `apart` after the one before.
struct Finish<'a> {
    method: &'a Winograd,
    tile_rows: Range<usize>,
    products: &'a [f32],
    apart: usize,
    epilogue: RowEpilogue,
    y: &'a mut [f32],
}

impl Job for Finish<'_> {
    type Output = ();

    fn define(self) {
        // SAFETY: they need no features.
        unsafe { self.run::<Portable>() }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: passed on.
        unsafe {
            if self.method.tiles[1] >= <A::Wide as Vector>::N {
                self.tiles::<A::Wide>();
            } else if self.method.tiles[1] >= <A::Narrow as Vector>::N {
                self.tiles::<A::Narrow>();
            } else {
                self.tiles::<Four>();
            }
        }
    }
}

impl Finish<'_> {
    /// A vector of tiles at a time.
    ///
    /// # Safety
    /// The features of `L`.
    #[inline(always)]
    unsafe fn tiles<L: Vector>(self) {
        let Self { method, tile_rows, products, apart, epilogue, y } = self;
        let Winograd { output: [oh, ow], tiles: [_, across], .. } = *method;
        let n_tiles = tile_rows.len() * across;
        assert!((NUMBERS - 1) * apart + n_tiles <= products.len(), "products are too short");
        assert!(across >= L::N, "tiles and vectors");
        let n_rows = oh - 2 * tile_rows.start;
        for ty in 0..tile_rows.len() {
            for tx in (0..across).step_by(L::N) {
                let tx = tx.min(across - L::N);
                let (oy, ox) = (2 * ty, 2 * tx);
                // SAFETY: `across` tiles of number 15 end in the products; what is stored in `y` is in a row of it; two
                // vectors in `pair`.
                unsafe {
                    let epilogue = VectorEpilogue::<L>::new(epilogue);
                    let from = products.as_ptr().add(ty * across + tx);
                    let mut rows = [[L::splat(0.0); 4]; 2];
                    for j in 0..4 {
                        let (a, b) = (L::load(from.add(j * apart)), L::load(from.add((4 + j) * apart)));
                        let (c, d) =
                            (L::load(from.add((8 + j) * apart)), L::load(from.add((12 + j) * apart)));
                        rows[0][j] = a.add(b).add(c);
                        rows[1][j] = difference(difference(b, c), d);
                    }
                    for r in 0..2 {
                        let [a, b, c, d] = rows[r];
                        let (even, odd) = (a.add(b).add(c), difference(difference(b, c), d));
                        let [low, high] = L::interleave(epilogue.apply(even), epilogue.apply(odd));
                        if oy + r >= n_rows || ox >= ow {
                            continue;
                        }
                        let to = &mut y[(oy + r) * ow + ox..(oy + r + 1) * ow];
                        if to.len() >= 2 * L::N {
                            low.store(to.as_mut_ptr());
                            high.store(to.as_mut_ptr().add(L::N));
                        } else {
                            let mut pair = [0.0f32; 32];
                            low.store(pair.as_mut_ptr());
                            high.store(pair.as_mut_ptr().add(L::N));
                            copy(&pair[..to.len()], to);
                        }
                    }
                }
            }
        }
    }
}
