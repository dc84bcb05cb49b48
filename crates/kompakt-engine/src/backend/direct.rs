//! Convolution of step 1 and its gradients without patch matrices.
//!
//! Every plane of an image is copied into a frame of zeros. In a row-major frame of width `F`, the pixel that a tap
//! `(ky, kx)` reads for the position `(oy, ox)` is `ky F + kx` elements behind element `oy F + ox`, for all positions:
//!
//! ```text
//! forward      y[o][q]      = sum over channels c and taps t of  w[o][c][t] frame[c][q + t]      q = oy F + ox
//! by input     the same, of dy in a frame, with the taps turned round and inputs and outputs exchanged
//! by weight    dw[o][c][t] += sum over q of  dy[o][q] frame[c][q + t]
//! ```
//!
//! So vectors of positions are loaded from the frame as they lie. Columns `ox` that are not in the output (as many as
//! the kernel is wide, less one) are computed and left out; their `dy` is 0. Tiles of some output channels by some
//! vectors stay in registers.
//!
//! Sums run in an order that depends on the geometry, the number of images and the CPU type alone.

use kompakt_graph::Convolution as Geometry;
use pulp::{Arch, Simd, WithSimd};

/// A convolution of step 1, of one group.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    inputs: usize,
    outputs: usize,
    /// Height and width of an input plane.
    input: [usize; 2],
    /// Height and width of an output plane.
    output: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    /// Rows of zeros above, columns of zeros to the left.
    before: [usize; 2],
    /// Height and width of a plane in its frame.
    frame: [usize; 2],
}

/// Most output channels of a tile.
const MOST_ROWS: usize = 8;
/// Vectors of positions in a tile.
const VECTORS: usize = 3;
/// Taps of a tile of gradients by weight.
const TAPS: usize = 3;
/// Most numbers in a vector.
const MOST_LANES: usize = 16;
/// About as many numbers of frames and output gradients are worked on together: they stay in the second cache.
const AT_ONCE: usize = 1 << 18;

impl Direct {
    /// `None` for a convolution of another step or with groups, or with a frame wider than its kernel reaches.
    pub(super) fn of(of: &Geometry) -> Option<Self> {
        let Geometry { kernel, stride, padding, dilation, groups, .. } = *of;
        let reach = [dilation.h * (kernel.h - 1), dilation.w * (kernel.w - 1)];
        let is_plain = groups == 1 && stride.h == 1 && stride.w == 1;
        let within =
            padding.top.max(padding.bottom) <= reach[0] && padding.left.max(padding.right) <= reach[1];
        let [inputs, height, width] = of.input;
        (is_plain && within).then(|| Self {
            inputs,
            outputs: of.output[0],
            input: [height, width],
            output: [of.output[1], of.output[2]],
            kernel: [kernel.h, kernel.w],
            dilation: [dilation.h, dilation.w],
            before: [padding.top, padding.left],
            frame: [height + padding.top + padding.bottom, width + padding.left + padding.right],
        })
    }

    /// The convolution that makes the gradient by input of that by output.
    pub(super) fn turned(&self) -> Self {
        let reach = [0, 1].map(|i| self.dilation[i] * (self.kernel[i] - 1));
        Self {
            inputs: self.outputs,
            outputs: self.inputs,
            input: self.output,
            output: self.input,
            before: [0, 1].map(|i| reach[i] - self.before[i]),
            frame: [0, 1].map(|i| self.input[i] + reach[i]),
            ..*self
        }
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    fn plane(&self) -> usize {
        self.frame[0] * self.frame[1]
    }
    /// Elements of a frame's rows from the first position to the last.
    fn span(&self) -> usize {
        (self.output[0] - 1) * self.frame[1] + self.output[1]
    }
    /// The span in whole vectors, of any number of lanes.
    fn wide(&self) -> usize {
        self.span().next_multiple_of(MOST_LANES)
    }
    /// Elements of an image's frame, and as many more as a tile reads beyond the last position.
    fn frame_len(&self) -> usize {
        self.inputs * self.plane() + VECTORS * MOST_LANES
    }
    fn input_len(&self) -> usize {
        self.inputs * self.input[0] * self.input[1]
    }
    fn output_len(&self) -> usize {
        self.outputs * self.output[0] * self.output[1]
    }

    /// How far behind its position each tap of a channel reads.
    fn offsets(&self) -> Vec<usize> {
        let [height, width] = self.kernel;
        let at = |ky: usize, kx: usize| ky * self.dilation[0] * self.frame[1] + kx * self.dilation[1];
        (0..height).flat_map(|ky| (0..width).map(move |kx| at(ky, kx))).collect()
    }

    /// Copies an image into its frame, whose border is zero already.
    fn fill_frame(&self, x: &[f32], frame: &mut [f32]) {
        let [height, width] = self.input;
        let planes = frame.chunks_exact_mut(self.plane()).zip(x.chunks_exact(height * width));
        for (frame, x) in planes {
            let rows = frame[self.before[0] * self.frame[1]..].chunks_mut(self.frame[1]);
            for (frame, x) in rows.zip(x.chunks_exact(width)) {
                copy_row(x, &mut frame[self.before[1]..][..width]);
            }
        }
    }

    /// The weights as tiles read them: for each block of output channels, for each channel and tap, a weight of each.
    pub(super) fn weights(&self, w: &[f32]) -> Weights {
        self.ordered(|output, input, tap| w[(output * self.inputs + input) * self.taps() + tap])
    }

    /// As [`Direct::weights`], for [`Direct::turned`], of the same weights.
    pub(super) fn turned_weights(&self, w: &[f32]) -> Weights {
        let last = self.taps() - 1;
        self.turned()
            .ordered(|output, input, tap| w[(input * self.inputs + output) * self.taps() + last - tap])
    }

    fn ordered(&self, weight: impl Fn(usize, usize, usize) -> f32) -> Weights {
        let rows = if is_wide() { MOST_ROWS } else { MOST_ROWS / 2 };
        let mut ordered = Vec::with_capacity(self.outputs.next_multiple_of(rows) * self.inputs * self.taps());
        for first in (0..self.outputs).step_by(rows) {
            for input in 0..self.inputs {
                for tap in 0..self.taps() {
                    ordered.extend(
                        (first..first + rows).map(|output| {
                            if output < self.outputs { weight(output, input, tap) } else { 0.0 }
                        }),
                    );
                }
            }
        }
        Weights(ordered)
    }
}

/// Weights in the order of tiles.
pub(super) struct Weights(Vec<f32>);

/// Runs a convolution on one image after another.
pub(super) struct Runner<'a> {
    of: &'a Direct,
    weights: &'a Weights,
    offsets: Vec<usize>,
    frame: Vec<f32>,
    wide: Vec<f32>,
}

impl<'a> Runner<'a> {
    /// With [`Direct::weights`]; of [`Direct::turned`], with [`Direct::turned_weights`], it makes gradients by input.
    pub(super) fn new(of: &'a Direct, weights: &'a Weights) -> Self {
        let frame = vec![0.0; of.frame_len()];
        let wide = vec![0.0; of.outputs.next_multiple_of(MOST_ROWS) * of.wide()];
        Self { of, weights, offsets: of.offsets(), frame, wide }
    }

    /// `y` `[out, oh, ow]` from `x` `[in, h, w]`.
    pub(super) fn run(&mut self, x: &[f32], y: &mut [f32]) {
        let Self { of, weights, offsets, frame, wide } = self;
        of.fill_frame(x, frame);
        let sums = Sums { of, offsets, weights: &weights.0, frame, wide: &mut *wide };
        Arch::new().dispatch(AsRegistersAllow(sums));
        let [height, width] = of.output;
        for (y, wide) in y.chunks_exact_mut(height * width).zip(wide.chunks_exact(of.wide())) {
            for (y, wide) in y.chunks_exact_mut(width).zip(wide.chunks(of.frame[1])) {
                copy_row(wide, y);
            }
        }
    }
}

/// Sums gradients by weight over images.
pub(super) struct WeightGradient<'a> {
    of: &'a Direct,
    offsets: Vec<usize>,
    /// Of as many images as are worked on together.
    frames: Vec<f32>,
    wide: Vec<f32>,
}

impl<'a> WeightGradient<'a> {
    pub(super) fn new(of: &'a Direct) -> Self {
        let at_once = (AT_ONCE / (of.frame_len() + of.outputs * of.wide())).max(1);
        let frames = vec![0.0; at_once * of.frame_len()];
        let wide = vec![0.0; at_once * of.outputs * of.wide()];
        Self { of, offsets: of.offsets(), frames, wide }
    }

    /// Adds to `dw`, `[out, in, kh, kw]`, what the images `x`, `[n, in, h, w]`, make of the gradient by output `dy`.
    pub(super) fn add(&mut self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let Self { of, offsets, frames, wide } = self;
        let at_once = frames.len() / of.frame_len();
        let parts = x.chunks(at_once * of.input_len()).zip(dy.chunks(at_once * of.output_len()));
        for (x, dy) in parts {
            for (x, frame) in x.chunks_exact(of.input_len()).zip(frames.chunks_exact_mut(of.frame_len())) {
                of.fill_frame(x, frame);
            }
            let [height, width] = of.output;
            for (dy, wide) in dy.chunks_exact(height * width).zip(wide.chunks_exact_mut(of.wide())) {
                for (dy, wide) in dy.chunks_exact(width).zip(wide.chunks_mut(of.frame[1])) {
                    copy_row(dy, &mut wide[..width]);
                }
            }
            let n = x.len() / of.input_len();
            let frames = &frames[..n * of.frame_len()];
            let wide = &wide[..n * of.outputs * of.wide()];
            let sums = ByWeight { of, offsets, frames, wide, dw: &mut *dw };
            Arch::new().dispatch(AsRegistersAllow(sums));
        }
    }
}

/// Fills `to` from the start of `from`. Rows are short: for common lengths a few moves replace a call of memcpy.
fn copy_row(from: &[f32], to: &mut [f32]) {
    match to.len() {
        8 => to.copy_from_slice(&from[..8]),
        16 => to.copy_from_slice(&from[..16]),
        32 => to.copy_from_slice(&from[..32]),
        n => to.copy_from_slice(&from[..n]),
    }
}

/// Whether a tile of [`MOST_ROWS`] by [`VECTORS`] vectors fits the registers.
fn is_wide() -> bool {
    struct HasManyRegisters;
    impl WithSimd for HasManyRegisters {
        type Output = bool;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> bool {
            has_many_registers::<S>()
        }
    }
    Arch::new().dispatch(HasManyRegisters)
}

/// Work on blocks of `R` output channels.
trait InBlocks {
    fn blocks<S: Simd, const R: usize>(self, simd: S);
}

/// Such work, in blocks as large as the registers hold.
struct AsRegistersAllow<W>(W);

impl<W: InBlocks> WithSimd for AsRegistersAllow<W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if has_many_registers::<S>() {
            self.0.blocks::<S, MOST_ROWS>(simd);
        } else {
            self.0.blocks::<S, { MOST_ROWS / 2 }>(simd);
        }
    }
}

/// AVX2 has sixteen registers; AVX-512 and NEON have 32.
#[inline(always)]
fn has_many_registers<S: Simd>() -> bool {
    S::F32_LANES == 16 || S::F32_LANES == 4
}

/// The vectors of `values` from element `from`.
#[inline(always)]
fn vectors<S: Simd>(values: &[f32], from: usize, n: usize) -> &[S::f32s] {
    &S::as_simd_f32s(&values[from..from + n * S::F32_LANES]).0[..n]
}

/// The forward sums of one image.
struct Sums<'a> {
    of: &'a Direct,
    offsets: &'a [usize],
    weights: &'a [f32],
    frame: &'a [f32],
    /// `[out, wide]`, of whole blocks of output channels.
    wide: &'a mut [f32],
}

impl InBlocks for Sums<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const R: usize>(self, simd: S) {
        let wide = self.of.wide();
        let (weights, _) = self.weights.as_chunks::<R>();
        let weights = weights.chunks_exact(self.of.inputs * self.of.taps());
        let n = self.of.span().div_ceil(S::F32_LANES);
        for (weights, out) in weights.zip(self.wide.chunks_exact_mut(R * wide)) {
            let tile = Tile { of: self.of, offsets: self.offsets, weights, frame: self.frame };
            for at in (0..n - n % VECTORS).step_by(VECTORS) {
                tile.sums::<S, VECTORS>(simd, at * S::F32_LANES, out);
            }
            let rest = (n - n % VECTORS) * S::F32_LANES;
            match n % VECTORS {
                1 => tile.sums::<S, 1>(simd, rest, out),
                2 => tile.sums::<S, 2>(simd, rest, out),
                _ => {}
            }
        }
    }
}

/// A block of output channels.
struct Tile<'a, const R: usize> {
    of: &'a Direct,
    offsets: &'a [usize],
    weights: &'a [[f32; R]],
    frame: &'a [f32],
}

impl<const R: usize> Tile<'_, R> {
    /// `N` vectors of positions from `at`.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(&self, simd: S, at: usize, out: &mut [f32]) {
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        let channels = self.weights.chunks_exact(self.offsets.len());
        for (channel, weights) in channels.enumerate() {
            let plane = &self.frame[channel * self.of.plane() + at..];
            for (weights, &offset) in weights.iter().zip(self.offsets) {
                let x = vectors::<S>(plane, offset, N);
                let x: [S::f32s; N] = std::array::from_fn(|j| x[j]);
                for i in 0..R {
                    let w = simd.splat_f32s(weights[i]);
                    for j in 0..N {
                        sums[i][j] = simd.mul_add_e_f32s(w, x[j], sums[i][j]);
                    }
                }
            }
        }
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(self.of.wide())) {
            let (out, _) = S::as_mut_simd_f32s(&mut out[at..at + N * S::F32_LANES]);
            out.copy_from_slice(sums);
        }
    }
}

/// The gradient by weight of some images.
struct ByWeight<'a> {
    of: &'a Direct,
    offsets: &'a [usize],
    frames: &'a [f32],
    /// `[n, out, wide]`.
    wide: &'a [f32],
    dw: &'a mut [f32],
}

impl InBlocks for ByWeight<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const R: usize>(self, simd: S) {
        let (outputs, inputs, taps) = (self.of.outputs, self.of.inputs, self.of.taps());
        for first in (0..outputs).step_by(R) {
            for channel in 0..inputs {
                for tap in (0..taps).step_by(TAPS) {
                    let offsets = std::array::from_fn(|t| self.offsets[(tap + t).min(taps - 1)]);
                    let sums = self.tile::<S, R>(simd, first, channel, offsets);
                    for (i, sums) in sums.iter().enumerate().take(outputs - first) {
                        let dw = &mut self.dw[((first + i) * inputs + channel) * taps + tap..];
                        for (dw, sum) in dw.iter_mut().zip(sums).take(taps - tap) {
                            *dw += sum;
                        }
                    }
                }
            }
        }
    }
}

impl ByWeight<'_> {
    /// Gradients by the weights of `R` output channels from `first` and of three taps of an input channel.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        &self,
        simd: S,
        first: usize,
        channel: usize,
        offsets: [usize; TAPS],
    ) -> [[f32; TAPS]; R] {
        let mut sums = [[simd.splat_f32s(0.0); TAPS]; R];
        let wide = self.of.wide();
        let n = wide / S::F32_LANES;
        let images = self.frames.chunks_exact(self.of.frame_len());
        for (frame, dy) in images.zip(self.wide.chunks_exact(self.of.outputs * wide)) {
            let plane = &frame[channel * self.of.plane()..];
            let x: [&[S::f32s]; TAPS] = std::array::from_fn(|t| vectors::<S>(plane, offsets[t], n));
            // Beyond the last channel, it stands in; what comes of it is left out.
            let dy: [&[S::f32s]; R] =
                std::array::from_fn(|i| vectors::<S>(dy, (first + i).min(self.of.outputs - 1) * wide, n));
            for v in 0..n {
                let x: [S::f32s; TAPS] = std::array::from_fn(|t| x[t][v]);
                for i in 0..R {
                    for t in 0..TAPS {
                        sums[i][t] = simd.mul_add_e_f32s(dy[i][v], x[t], sums[i][t]);
                    }
                }
            }
        }
        sums.map(|sums| sums.map(|sum| simd.reduce_sum_f32s(sum)))
    }
}
