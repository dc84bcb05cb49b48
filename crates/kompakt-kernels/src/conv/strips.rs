//! Vectorized convolutions of one input channel: strips of the output one vector wide.
#![expect(clippy::needless_range_loop, reason = "registers are indexed by what they are")]
#![expect(
    unsafe_code,
    reason = "loads under masks that leave out what is not there; `apply` checked the planes' lengths"
)]

use super::depthwise::{Channel, Channels, Depthwise, MAX_PLACES};
use crate::{
    arch::Arch,
    epilogue::VectorEpilogue,
    isa::{SubJob, Vector, out_of_line},
};

/// The maximum number of loads per row: a mask for each.
const MAX_LOADS: usize = 6;

/// # Safety
/// The features of `A`; all planes of the job inside its `x` and `y`.
#[inline(always)]
pub(super) unsafe fn run<A: Arch>(job: Channels<'_>) {
    // SAFETY: passed on.
    unsafe {
        match (job.shape.kernel, job.shape.stride) {
            (3, 1) => out_of_line::<A, _>(Of::<3, 1>(job)),
            (3, _) => out_of_line::<A, _>(Of::<3, 2>(job)),
            (_, 1) => out_of_line::<A, _>(Of::<5, 1>(job)),
            _ => out_of_line::<A, _>(Of::<5, 2>(job)),
        }
    }
}

/// Channels of a kernel of `K` by `K`, step `S`.
struct Of<'a, const K: usize, const S: usize>(Channels<'a>);

impl<const K: usize, const S: usize> SubJob for Of<'_, K, S> {
    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: passed on.
        unsafe { channels::<A, A::Wide, K, S>(self.0) }
    }
}

/// Strips whose masks are computed once for all channels.
const STRIPS: usize = 8;

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn channels<A: Arch, L: Vector, const K: usize, const S: usize>(job: Channels<'_>) {
    let width = job.shape.output[1];
    for start in (0..width).step_by(STRIPS * L::N) {
        let n = (width - start).div_ceil(L::N).min(STRIPS);
        // SAFETY: strips of the output; a plane of `y` for each row.
        unsafe {
            let mut strips = [Strip::<L>::new::<S>(job.shape, start); STRIPS];
            for (i, strip) in strips.iter_mut().enumerate().take(n).skip(1) {
                *strip = Strip::new::<S>(job.shape, start + i * L::N);
            }
            let mut y = job.y.as_mut_ptr();
            for row in job.rows.clone() {
                let channel = job.channel(row);
                plane::<A, L, K, S>(job.shape, &channel, &strips[..n], y);
                y = y.wrapping_add(job.at.y_plane);
            }
        }
    }
}

/// A strip of the output, one vector wide.
#[derive(Clone, Copy)]
struct Strip<L: Vector> {
    /// First column of the input, perhaps before the plane.
    first: isize,
    /// The mask of each load of a row.
    loads: [L::Mask; MAX_LOADS],
    /// First column of the output.
    to: usize,
    /// The mask of the stores.
    store: L::Mask,
}

impl<L: Vector> Strip<L> {
    /// The strip from column `to` on, which is below the output's width.
    ///
    /// # Safety
    /// The features.
    #[inline(always)]
    unsafe fn new<const S: usize>(shape: &Depthwise, to: usize) -> Self {
        let first = (to * S) as isize - shape.before[1] as isize;
        // SAFETY: at most all lanes, at least one to be stored.
        unsafe {
            let mut loads = [L::between(0, 0); MAX_LOADS];
            for (i, mask) in loads.iter_mut().enumerate() {
                let col = first + at::<L, S>(i) as isize;
                let from = (-col).clamp(0, L::N as isize) as usize;
                let end = (shape.size[1] as isize - col).clamp(0, L::N as isize) as usize;
                *mask = L::between(from.min(end), end);
            }
            Self { first, loads, to, store: L::first((shape.output[1] - to).min(L::N)) }
        }
    }
}

/// # Safety
/// The features; `y` has room for the output.
#[inline(always)]
unsafe fn plane<A: Arch, L: Vector, const K: usize, const S: usize>(
    shape: &Depthwise,
    channel: &Channel<'_>,
    strips: &[Strip<L>],
    y: *mut f32,
) {
    let height = shape.output[0];
    // SAFETY: rows from `row` on, as many as are left; masks take nothing outside a row.
    unsafe {
        let mut weights = [L::splat(0.0); MAX_PLACES];
        for place in 0..K * K {
            weights[place] = L::splat(channel.weights[place]);
        }
        for strip in strips {
            let mut row = 0;
            while height - row >= 7 {
                tile::<L, K, S, 7>(shape, channel, &weights, strip, row, y);
                row += 7;
            }
            while const { !A::IS_COMPACT } && height - row >= 2 {
                tile::<L, K, S, 2>(shape, channel, &weights, strip, row, y);
                row += 2;
            }
            while row < height {
                tile::<L, K, S, 1>(shape, channel, &weights, strip, row, y);
                row += 1;
            }
        }
    }
}

/// The offset of load `i` of a row: one per kernel column, or pairs of vectors for each second column.
const fn at<L: Vector, const S: usize>(i: usize) -> usize {
    if S == 1 { i } else { i / 2 * 2 + i % 2 * L::N }
}

/// `R` rows of a strip.
///
/// # Safety
/// As [`plane`]; `row + R` rows of output.
#[inline(always)]
unsafe fn tile<L: Vector, const K: usize, const S: usize, const R: usize>(
    shape: &Depthwise,
    channel: &Channel<'_>,
    weights: &[L; MAX_PLACES],
    strip: &Strip<L>,
    row: usize,
    y: *mut f32,
) {
    let [h, w] = shape.size;
    let top = (row * S).wrapping_sub(shape.before[0]);
    // SAFETY: rows of the input are compared with the plane's, columns are left to the masks; stores as promised.
    unsafe {
        // With a step of two, in the order of [`Vector::even_odd_by_parts`].
        let mut acc = [L::splat(0.0); R];
        macro_rules! input_rows {
            ($($i:literal)*) => {$(
                if const { $i < (R - 1) * S + K } {
                    let at = top.wrapping_add($i);
                    if at < h {
                        let x = channel.x.as_ptr().wrapping_offset((at * w) as isize + strip.first);
                        input_row::<L, K, S, R, $i>(x, weights, strip, &mut acc);
                    }
                }
            )*};
        }
        input_rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
        let epilogue = VectorEpilogue::<L>::new(channel.epilogue);
        for r in 0..R {
            let out = epilogue.apply(if S == 1 { acc[r] } else { acc[r].parts_in_order() });
            out.store_masked(y.add((row + r) * shape.output[1] + strip.to), strip.store);
        }
    }
}

/// Adds row `I` of a tile's input to all rows of the output that read it.
///
/// # Safety
/// As [`tile`]; the masks cover only existing elements.
#[inline(always)]
unsafe fn input_row<L: Vector, const K: usize, const S: usize, const R: usize, const I: usize>(
    x: *const f32,
    weights: &[L; MAX_PLACES],
    strip: &Strip<L>,
    acc: &mut [L; R],
) {
    // SAFETY: passed on.
    unsafe {
        let mut values = [L::splat(0.0); K];
        if S == 1 {
            for kx in 0..K {
                values[kx] = L::load_masked(x.wrapping_add(kx), strip.loads[kx]);
            }
        } else {
            for pair in 0..K.div_ceil(2) {
                let (i, j) = (2 * pair, 2 * pair + 1);
                let low = L::load_masked(x.wrapping_add(at::<L, S>(i)), strip.loads[i]);
                let high = L::load_masked(x.wrapping_add(at::<L, S>(j)), strip.loads[j]);
                let [even, odd] = L::even_odd_by_parts(low, high);
                values[2 * pair] = even;
                if 2 * pair + 1 < K {
                    values[2 * pair + 1] = odd;
                }
            }
        }
        for r in 0..R {
            if I >= r * S && I - r * S < K {
                for kx in 0..K {
                    acc[r] = values[kx].mul_add(weights[(I - r * S) * K + kx], acc[r]);
                }
            }
        }
    }
}
