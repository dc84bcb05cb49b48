// == floats
/// Values that a function reads: an input, a table, or a part of the arena or of an output.
#[allow(dead_code)]
trait Floats: Copy {
    fn at(self, i: usize) -> f32;
    /// From that element on.
    fn part(self, from: usize) -> Self;
}

impl Floats for &[f32] {
    fn at(self, i: usize) -> f32 {
        self[i]
    }
    fn part(self, from: usize) -> Self {
        &self[from..]
    }
}

impl Floats for &[Cell<f32>] {
    fn at(self, i: usize) -> f32 {
        self[i].get()
    }
    fn part(self, from: usize) -> Self {
        &self[from..]
    }
}
// == weights
/// The kept weights of a layer, in row-major order. Their positions are a flag for each weight (`gap_bits` 0), the distance
/// from one to the next in `gap_bits` bits, or nothing where all are kept. A distance of all ones skips that many weights
/// and keeps none. Their values are codes into the levels, or a float each.
struct Weights {
    places: Option<&'static [u8]>,
    codes: Option<&'static [u8]>,
    #[allow(dead_code)] // Layers over integers have bytes instead.
    levels: &'static [f32],
    n: usize,
    n_entries: usize,
    gap_bits: u8,
    code_bits: u8,
}

/// Bits from the lowest of the first byte on.
struct Bits {
    bytes: &'static [u8],
    held: u32,
    n_held: u8,
}

impl Bits {
    fn of(bytes: Option<&'static [u8]>) -> Self {
        Self { bytes: bytes.unwrap_or(&[]), held: 0, n_held: 0 }
    }

    fn take(&mut self, n: u8) -> usize {
        while self.n_held < n {
            let (first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
            self.held |= u32::from(*first) << self.n_held;
            self.bytes = rest;
            self.n_held += 8;
        }
        let taken = self.held & ((1 << n) - 1);
        self.held >>= n;
        self.n_held -= n;
        taken as usize
    }
}

struct Walk<'a> {
    of: &'a Weights,
    places: Bits,
    codes: Bits,
    /// Distances taken.
    entry: usize,
    /// Weights taken.
    kept: usize,
    /// Position of the next kept weight; n after the last.
    at: usize,
}

impl Weights {
    fn walk(&self) -> Walk<'_> {
        let (places, codes) = (Bits::of(self.places), Bits::of(self.codes));
        let mut walk = Walk { of: self, places, codes, entry: 0, kept: 0, at: 0 };
        walk.seek();
        walk
    }
}

impl Walk<'_> {
    /// Advances to the next kept weight from `at` on.
    fn seek(&mut self) {
        let of = self.of;
        if of.places.is_none() {
            return;
        }
        if of.gap_bits == 0 {
            while self.at < of.n && self.places.take(1) == 0 {
                self.at += 1;
            }
            return;
        }
        while self.entry < of.n_entries {
            let gap = self.places.take(of.gap_bits);
            self.entry += 1;
            self.at += gap;
            if gap != (1 << of.gap_bits) - 1 {
                return;
            }
        }
        self.at = of.n;
    }

    /// The level of the weight at `at`; advances to the next.
    fn level(&mut self) -> usize {
        let level = if self.of.codes.is_some() { self.codes.take(self.of.code_bits) } else { self.kept };
        self.kept += 1;
        self.at += 1;
        self.seek();
        level
    }
}
// == next_weight
impl Walk<'_> {
    /// The weight at `at`; advances to the next.
    fn take(&mut self) -> f32 {
        let level = self.level();
        self.of.levels[level]
    }
}
// == linear
/// `y[o] = sum of w[o][i] x[i] + bias[o]`
fn linear(of: &Weights, bias: Option<&[f32]>, n_in: usize, n_out: usize, x: impl Floats, y: &[Cell<f32>]) {
    let mut w = of.walk();
    for o in 0..n_out {
        let first = o * n_in;
        let mut sum = 0.0;
        while w.at < first + n_in {
            let i = w.at - first;
            sum += w.take() * x.at(i);
        }
        y[o].set(sum + bias.map_or(0.0, |bias| bias[o]));
    }
}
// == geometry
struct Geometry {
    channels: usize,
    height: usize,
    width: usize,
    out: usize,
    rows: usize,
    columns: usize,
    kernel_h: usize,
    kernel_w: usize,
    stride_h: usize,
    stride_w: usize,
    dilation_h: usize,
    dilation_w: usize,
    top: usize,
    left: usize,
    groups: usize,
}

/// The outputs, of n, at which a tap is inside an input of `size`.
fn reach(tap: usize, before: usize, stride: usize, size: usize, n: usize) -> core::ops::Range<usize> {
    let first = if tap < before { (before - tap + stride - 1) / stride } else { 0 };
    if tap >= size + before {
        return first..first;
    }
    first..n.min((size + before - tap - 1) / stride + 1)
}

// == convolution
/// Each kept weight times the part of its input channel that it sees is added to its output channel.
fn convolution(g: &Geometry, of: &Weights, bias: Option<&[f32]>, x: impl Floats, y: &[Cell<f32>]) {
    let mut w = of.walk();
    let (per_group, area, taps) = (g.channels / g.groups, g.rows * g.columns, g.kernel_h * g.kernel_w);
    let n = per_group * taps;
    for o in 0..g.out {
        let group = x.part(o / (g.out / g.groups) * per_group * g.height * g.width);
        let y = &y[o * area..][..area];
        y.iter().for_each(|y| y.set(0.0));
        while w.at < (o + 1) * n {
            let k = w.at - o * n;
            let (channel, tap) = (k / taps, k % taps);
            let (down, across) = (tap / g.kernel_w * g.dilation_h, tap % g.kernel_w * g.dilation_w);
            let columns = reach(across, g.left, g.stride_w, g.width, g.columns);
            let weight = w.take();
            for r in reach(down, g.top, g.stride_h, g.height, g.rows) {
                let row = group.part((channel * g.height + r * g.stride_h + down - g.top) * g.width);
                for c in columns.clone() {
                    let y = &y[r * g.columns + c];
                    y.set(y.get() + weight * row.at(c * g.stride_w + across - g.left));
                }
            }
        }
        if let Some(bias) = bias {
            y.iter().for_each(|y| y.set(y.get() + bias[o]));
        }
    }
}
// == bytes
/// Byte `i` of floats that hold four each.
fn byte(x: impl Floats, i: usize) -> i32 {
    (x.at(i / 4).to_bits() >> (8 * (i % 4)) & 0xff) as i32
}
// == quantize
/// The bytes nearest to `x / scale + zero`, halves to even; four take the place of a float.
fn quantize(inverse: f32, zero: f32, n: usize, x: impl Floats, to: &[Cell<f32>]) {
    for (four, to) in to.iter().enumerate().take((n + 3) / 4) {
        let mut bits = 0;
        for i in 4 * four..n.min(4 * four + 4) {
            let v = x.at(i) * inverse + zero;
            let v = if v > 0.0 { v } else { 0.0 };
            let v = if v < 255.0 { v } else { 255.0 };
            // 1.5 times 2^23: the last bits are the nearest whole number.
            bits |= ((v + 12582912.0).to_bits() & 0xff) << (8 * (i % 4));
        }
        to.set(f32::from_bits(bits));
    }
}
// == linear_int8
/// `y[o]` = `scale[o]` times the sum of `w[o][i] q[i]`, plus `bias[o]`; levels are bytes, `per_row` for each row or the same
/// for all.
fn linear_int8(
    of: &Weights,
    levels: &[i8],
    per_row: usize,
    scale: &[f32],
    bias: &[f32],
    n_in: usize,
    n_out: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let mut w = of.walk();
    for o in 0..n_out {
        let (first, levels) = (o * n_in, &levels[o * per_row..]);
        let mut sum = 0;
        while w.at < first + n_in {
            let i = w.at - first;
            sum += i32::from(levels[w.level()]) * byte(x, i);
        }
        y[o].set(sum as f32 * scale[o] + bias[o]);
    }
}
// == convolution_int8
/// As a convolution of floats, over bytes of which `zero` is 0. Until a row is complete, its floats hold the bits of integers.
fn convolution_int8(
    g: &Geometry,
    of: &Weights,
    levels: &[i8],
    per_row: usize,
    zero: i32,
    start: &[i32],
    scale: &[f32],
    bias: &[f32],
    x: impl Floats,
    y: &[Cell<f32>],
) {
    let mut w = of.walk();
    let (per_group, area, taps) = (g.channels / g.groups, g.rows * g.columns, g.kernel_h * g.kernel_w);
    let n = per_group * taps;
    for o in 0..g.out {
        let group = o / (g.out / g.groups) * per_group * g.height * g.width;
        let (y, levels) = (&y[o * area..][..area], &levels[o * per_row..]);
        y.iter().for_each(|y| y.set(f32::from_bits(start[o] as u32)));
        while w.at < (o + 1) * n {
            let k = w.at - o * n;
            let (channel, tap) = (k / taps, k % taps);
            let (down, across) = (tap / g.kernel_w * g.dilation_h, tap % g.kernel_w * g.dilation_w);
            let columns = reach(across, g.left, g.stride_w, g.width, g.columns);
            let weight = i32::from(levels[w.level()]);
            for r in reach(down, g.top, g.stride_h, g.height, g.rows) {
                let row = group + (channel * g.height + r * g.stride_h + down - g.top) * g.width;
                for c in columns.clone() {
                    let y = &y[r * g.columns + c];
                    let q = byte(x, row + c * g.stride_w + across - g.left);
                    let sum = y.get().to_bits() as i32 + weight * (q - zero);
                    y.set(f32::from_bits(sum as u32));
                }
            }
        }
        y.iter().for_each(|y| y.set(y.get().to_bits() as i32 as f32 * scale[o] + bias[o]));
    }
}
