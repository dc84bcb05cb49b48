//! Packs a tile's input into the lanes of a [`Grid`], and unpacks its sums into planes.
#![expect(unsafe_code, reason = "loads and stores of four; sixteen bounds checks cost more than they do")]

use super::{
    grid::{Grid, LANES, MAX_ACROSS, SLACK},
    planes::copy,
};
use crate::{
    Isa,
    arch::{Arch, Portable},
    isa::{Job, run},
};
use alloc::vec::Vec;

impl Grid {
    /// Lays out a tile's input. `pad` is scratch memory.
    ///
    /// Shapes: `x` `[channels, h, w]`, `out` [`room`](Self::room). Panics: if they are shorter.
    pub fn fill(&self, isa: Isa, x: &[f32], tile: usize, pad: &mut Vec<f32>, out: &mut [f32]) {
        let s = &self.shape;
        let [h, w] = s.size;
        let n = s.channels.saturating_mul(h).saturating_mul(w);
        assert!(x.len() >= n && out.len() >= self.room(), "a plane is too short");
        pad.clear();
        pad.resize(self.pad(), 0.0);
        run(isa, Fill { grid: self, x, tile, pad, out });
    }

    /// # Safety
    /// The features of `A`.
    #[inline(always)]
    unsafe fn fill_with<A: Arch>(&self, x: &[f32], tile: usize, pad: &mut [f32], out: &mut [f32]) {
        let s = &self.shape;
        let [h, w] = s.size;
        let [top, left] = self.corner(tile);
        let [n_rows, width] = self.reach();
        let len = width + SLACK;
        let [phases_y, phases_x] = [s.phases(0), s.phases(1)];
        let padded = Lines::padded(self, n_rows, phases_x * len, len);
        // Rows are used in place; what is read of other rows and channels there is padding.
        let rim = if const { A::IS_COMPACT } { None } else { Rim::new(self, [top, left]) };
        let in_place = Lines::in_place(self);
        let reach = ((n_rows - 1) * s.stride[0] + phases_y - 1) * w + width * s.stride[1] + SLACK;
        let before = s.before[0] * w + s.before[1];
        let channel_len = self.channel_len();
        let mut both = [0.0; _];
        for channel in 0..s.channels {
            let out = &mut out[channel * channel_len..][..channel_len + SLACK * LANES];
            if let Some(rim) = &rim
                && let Some(from) =
                    ((channel * h + top * s.stride[0]) * w + left * s.stride[1]).checked_sub(before)
                && let Some(rows) = x.get(from..from + reach)
            {
                // SAFETY: passed on.
                unsafe { in_place.spread::<A>(rows, &mut both, out) };
                rim.clear(out);
                continue;
            }
            let plane = &x[channel * h * w..(channel + 1) * h * w];
            let mut lines = pad.chunks_exact_mut(phases_x * len);
            for phase_y in 0..phases_y {
                for (row, lines) in (0..n_rows).zip(&mut lines) {
                    let y = ((top + row) * s.stride[0] + phase_y).wrapping_sub(s.before[0]);
                    if y >= h {
                        // Zeros, as in all channels.
                        continue;
                    }
                    for (phase, line) in lines.chunks_exact_mut(len).enumerate() {
                        self.take(&plane[y * w..(y + 1) * w], left, phase, line);
                    }
                }
            }
            // SAFETY: passed on.
            unsafe { padded.spread::<A>(pad, &mut both, out) };
        }
    }

    /// One phase of a row of the input from output column `left` on, into a line whose padding is zeros already.
    #[inline(always)]
    fn take(&self, row: &[f32], left: usize, phase: usize, line: &mut [f32]) {
        let (step, before) = (self.shape.stride[1], self.shape.before[1]);
        // Element t is `row[(left + t) * step + phase - before]`. Avoids divisions by a variable.
        let divided = |n: usize| match step {
            1 => n,
            2 => n.div_ceil(2),
            _ => n.div_ceil(step),
        };
        let first = left * step + phase;
        let skip = divided(before.saturating_sub(first)).min(line.len());
        let from = (first + skip * step).saturating_sub(before).min(row.len());
        let n = divided(row.len() - from).min(line.len() - skip);
        let to = &mut line[skip..skip + n];
        match step {
            1 => copy(&row[from..from + n], to),
            2 => every::<2>(&row[from..], to),
            4 if cfg!(not(target_arch = "wasm32")) => every::<4>(&row[from..], to),
            _ => to.iter_mut().zip(row[from..].iter().step_by(step)).for_each(|(to, &x)| *to = x),
        }
    }

    /// Writes channels of a tile to their positions in their planes.
    ///
    /// Shapes: `sums` `[n, tile]` and four vectors more, `y` `[n, oh, ow]`. Panics: if `sums` is shorter.
    pub fn store(&self, isa: Isa, sums: &[f32], tile: usize, y: &mut [f32]) {
        run(isa, Store { grid: self, sums, tile, y });
    }

    /// # Safety
    /// The features of `A`.
    #[inline(always)]
    unsafe fn store_with<A: Arch>(&self, sums: &[f32], tile: usize, y: &mut [f32]) {
        let [top, left] = self.corner(tile);
        let [oh, ow] = self.shape.output;
        let ([down, across], [parts, lanes]) = (self.block, self.lanes);
        let part_len = lanes * across;
        let n = part_len.min(ow.saturating_sub(left));
        // Where the first of each four lanes is in the plane, and in a line.
        let (mut places, mut fours) = ([0; LANES / 4], [0; LANES / 4]);
        for (four, (place, in_line)) in places.iter_mut().zip(&mut fours).enumerate() {
            *place = (top + four * 4 / lanes * down) * ow + left + four * 4 % lanes * across;
            *in_line = four * 4 * across;
        }
        let mut line = [0.0; MAX_ACROSS * LANES + SLACK];
        for (channel, y) in y.chunks_exact_mut((oh * ow).max(1)).enumerate() {
            let sums = &sums[channel * self.tile_len()..];
            for row in 0..down {
                let sums = &sums[row * across * LANES..];
                let first = top + row;
                if n == part_len && across >= 4 && first + (parts - 1) * down < oh {
                    // No line ends early, and nothing is written past one.
                    // SAFETY: passed on.
                    unsafe { A::collect(sums, across, places, &mut y[row * ow..]) };
                    continue;
                }
                match across {
                    1 if const { !A::IS_COMPACT } => line[..LANES].copy_from_slice(&sums[..LANES]),
                    2 if const { !A::IS_COMPACT } => interleave(&sums[..2 * LANES], &mut line[..2 * LANES]),
                    // SAFETY: passed on.
                    _ => unsafe { A::collect(sums, across, fours, &mut line) },
                }
                for (part, line) in line.chunks_exact(part_len).take(parts).enumerate() {
                    let at = first + part * down;
                    if at < oh {
                        copy(&line[..n], &mut y[at * ow + left..][..n]);
                    }
                }
            }
        }
    }
}

/// The rows of a channel of a tile, phase by phase, and how they go to lanes.
struct Lines {
    /// Floats from a row of a phase to its next.
    row: usize,
    /// From a vertical phase to the next.
    phase: usize,
    /// From a horizontal phase of a row to the next.
    part: usize,
    phases: [usize; 2],
    /// Whether the two phases of a row alternate, element by element.
    alternate: bool,
    /// Rows and columns of vectors of a phase.
    down: usize,
    across: usize,
    /// Where the first of each four lanes begins, and how far the lanes of four are apart.
    fours: [usize; LANES / 4],
    step: usize,
}

/// The maximum number of vectors of a phase that alternate with those of another.
const MAX_ALTERNATE: usize = 16;

/// The vectors of two phases that alternate.
type Both = [f32; (2 * MAX_ALTERNATE + SLACK) * LANES];

impl Lines {
    /// `n_rows` rows of each phase that begin `stride` apart, their phases `len` apart.
    fn padded(grid: &Grid, n_rows: usize, stride: usize, len: usize) -> Self {
        Self::new(grid, [stride, n_rows * stride, len], false)
    }

    /// Rows of the input.
    fn in_place(grid: &Grid) -> Self {
        let ([sh, sw], w) = (grid.shape.stride, grid.shape.size[1]);
        Self::new(grid, [sh * w, w, 0], sw > 1)
    }

    fn new(grid: &Grid, [row, phase, part]: [usize; 3], alternate: bool) -> Self {
        let ([down, across], phases) = (grid.phase(), [grid.shape.phases(0), grid.shape.phases(1)]);
        let step = grid.block[1] * if alternate { 2 } else { 1 };
        let mut fours = [0; LANES / 4];
        for (four, from) in fours.iter_mut().enumerate() {
            let (part, lane) = (four * 4 / grid.lanes[1], four * 4 % grid.lanes[1]);
            *from = part * grid.block[0] * row + lane * step;
        }
        Self { row, phase, part, phases, alternate, down, across, fours, step }
    }

    /// The rows to the lanes of a channel; `both` is scratch memory.
    ///
    /// # Safety
    /// The features of `A`.
    #[inline(always)]
    unsafe fn spread<A: Arch>(&self, rows: &[f32], both: &mut Both, out: &mut [f32]) {
        let &Self { across, fours, step, .. } = self;
        let mut at = 0;
        for phase_y in 0..self.phases[0] {
            for row in 0..self.down {
                let rows = &rows[phase_y * self.phase + row * self.row..];
                if const { !A::IS_COMPACT } && self.alternate {
                    // SAFETY: passed on.
                    unsafe { A::spread(rows, fours, step, 2 * across, both) };
                    let (first, second) = out[at..][..2 * across * LANES].split_at_mut(across * LANES);
                    for t in 0..across {
                        let (to, from) = (t * LANES..(t + 1) * LANES, 2 * t * LANES);
                        first[to.clone()].copy_from_slice(&both[from..from + LANES]);
                        second[to].copy_from_slice(&both[from + LANES..from + 2 * LANES]);
                    }
                    at += 2 * across * LANES;
                    continue;
                }
                for phase_x in 0..self.phases[1] {
                    // SAFETY: passed on.
                    unsafe { A::spread(&rows[phase_x * self.part..], fours, step, across, &mut out[at..]) };
                    at += across * LANES;
                }
            }
        }
    }
}

/// The vectors of a channel of a tile in which some lanes are padding.
struct Rim {
    /// For each row and for each column of vectors, of all phases, the lanes inside the plane as all bits.
    rows: [[u32; LANES]; RIM],
    cols: [[u32; LANES]; RIM],
    /// The rows and columns of vectors that have lanes outside.
    are_partial: [[bool; RIM]; 2],
    /// Rows and columns of vectors, of all phases.
    n: [usize; 2],
}

/// The maximum number of rows or columns of vectors of a [`Rim`].
const RIM: usize = 24;
/// Channels from which a [`Rim`] pays.
const RIM_CHANNELS: usize = 4;

impl Rim {
    /// That of the tile whose first output is at `corner`; `None` for larger tiles, for few channels, and where rows are not used
    /// [in place](Lines::in_place): with horizontal steps of more than two, and where the kernel skips phases of the step.
    fn new(grid: &Grid, corner: [usize; 2]) -> Option<Self> {
        let (s, of_phase) = (&grid.shape, grid.phase());
        let phases = [s.phases(0), s.phases(1)];
        let n = [phases[0] * of_phase[0], phases[1] * of_phase[1]];
        let is_in_place = s.stride[1] <= 2 && phases[1] == s.stride[1] && of_phase[1] <= MAX_ALTERNATE;
        if !is_in_place || n[0].max(n[1]) > RIM || s.channels < RIM_CHANNELS {
            return None;
        }
        let mut rim =
            Self { rows: [[0; LANES]; RIM], cols: [[0; LANES]; RIM], are_partial: [[false; RIM]; 2], n };
        let across = grid.lanes[1];
        for (axis, masks) in [&mut rim.rows, &mut rim.cols].into_iter().enumerate() {
            for (at, mask) in masks.iter_mut().enumerate().take(n[axis]) {
                let (phase, at_phase) = (at / of_phase[axis], at % of_phase[axis]);
                for (lane, mask) in mask.iter_mut().enumerate() {
                    let part = if axis == 0 { lane / across } else { lane % across };
                    let at = (corner[axis] + part * grid.block[axis] + at_phase) * s.stride[axis] + phase;
                    *mask = if at.wrapping_sub(s.before[axis]) < s.size[axis] { u32::MAX } else { 0 };
                }
                rim.are_partial[axis][at] = mask.contains(&0);
            }
        }
        Some(rim)
    }

    /// Makes padding zeros.
    #[inline(always)]
    fn clear(&self, out: &mut [f32]) {
        let [down, across] = self.n;
        let [partial_rows, partial_cols] = &self.are_partial;
        for (y, vectors) in out.as_chunks_mut::<LANES>().0.chunks_exact_mut(across).take(down).enumerate() {
            for (x, vector) in vectors.iter_mut().enumerate() {
                if partial_rows[y] || partial_cols[x] {
                    let (row, col) = (&self.rows[y], &self.cols[x]);
                    for lane in 0..LANES {
                        vector[lane] = f32::from_bits(vector[lane].to_bits() & row[lane] & col[lane]);
                    }
                }
            }
        }
    }
}

/// Two vectors, element by element in turns.
#[inline(always)]
fn interleave(vectors: &[f32], line: &mut [f32]) {
    let (a, b) = vectors.split_at(LANES);
    for (pair, (&a, &b)) in line.as_chunks_mut::<2>().0.iter_mut().zip(a.iter().zip(b)) {
        *pair = [a, b];
    }
}

/// Every `N`th element: eight at a time, the last ones overlapping those before them.
#[inline(always)]
pub(crate) fn every<const N: usize>(x: &[f32], to: &mut [f32]) {
    const TOGETHER: usize = 8;
    let whole = x.as_chunks::<N>().0;
    let n = whole.len().min(to.len());
    // Where code is downloaded, there is less of it.
    if n >= TOGETHER && cfg!(not(target_arch = "wasm32")) {
        let mut at = 0;
        loop {
            let (x, to) = (&whole[at..at + TOGETHER], &mut to[at..at + TOGETHER]);
            for i in 0..TOGETHER {
                to[i] = x[i][0];
            }
            if at + TOGETHER >= n {
                break;
            }
            at = (at + TOGETHER).min(n - TOGETHER);
        }
    } else {
        to.iter_mut().zip(whole).for_each(|(to, x)| *to = x[0]);
    }
    if let (Some(to), Some(&x)) = (to.get_mut(n), x.get(n * N)) {
        *to = x;
    }
}

/// Laying out a tile's input: only copies, so the simplest vectors serve as the definition.
struct Fill<'a> {
    grid: &'a Grid,
    x: &'a [f32],
    tile: usize,
    pad: &'a mut [f32],
    out: &'a mut [f32],
}

impl Job for Fill<'_> {
    type Output = ();
    fn define(self) {
        // SAFETY: they need no features.
        unsafe { self.run::<Portable>() }
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: passed on.
        unsafe { self.grid.fill_with::<A>(self.x, self.tile, self.pad, self.out) }
    }
}

/// Writing channels of a tile back.
struct Store<'a> {
    grid: &'a Grid,
    sums: &'a [f32],
    tile: usize,
    y: &'a mut [f32],
}

impl Job for Store<'_> {
    type Output = ();
    fn define(self) {
        // SAFETY: they need no features.
        unsafe { self.run::<Portable>() }
    }
    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: passed on.
        unsafe { self.grid.store_with::<A>(self.sums, self.tile, self.y) }
    }
}

/// What [`Arch::spread`] reads and writes, up to four vectors together. Panics: if slices are too short.
#[inline(always)]
pub(crate) fn check_spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &[f32]) {
    let last = fours[0].max(fours[1]).max(fours[2]).max(fours[3]);
    // What does not fit is more than any slice has.
    let end = last.saturating_add(step.saturating_mul(3)).saturating_add(n);
    assert!(end <= rows.len() && n.saturating_mul(LANES) <= out.len(), "a row is too short");
}

/// [`Arch::spread`], four lanes at a time.
///
/// # Safety
/// The features of `A`.
#[inline(always)]
pub(crate) unsafe fn spread<A: Arch>(
    rows: &[f32],
    fours: [usize; LANES / 4],
    step: usize,
    n: usize,
    out: &mut [f32],
) {
    let n = n.next_multiple_of(4);
    check_spread(rows, fours, step, n, out);
    for (i, from) in fours.into_iter().enumerate() {
        for t in (0..n).step_by(4) {
            // SAFETY: `check_spread` compared the last of the elements with both lengths.
            unsafe {
                let to = out.as_mut_ptr().add(t * LANES + 4 * i);
                A::transpose(rows.as_ptr().add(from + t), step, to, LANES);
            }
        }
    }
}

/// What [`Arch::collect`] reads and writes. Panics: if slices are too short.
#[inline(always)]
pub(crate) fn check_collect(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &[f32]) {
    let last = fours[0].max(fours[1]).max(fours[2]).max(fours[3]);
    // What does not fit is more than any slice has.
    let end = last.saturating_add(n.saturating_mul(3)).saturating_add(n.max(4));
    assert!(n > 0 && n.max(4).saturating_mul(LANES) <= sums.len() && end <= y.len(), "a line is too short");
}

/// [`Arch::collect`], four lanes at a time.
///
/// # Safety
/// The features of `A`.
#[inline(always)]
pub(crate) unsafe fn collect<A: Arch>(sums: &[f32], n: usize, fours: [usize; LANES / 4], y: &mut [f32]) {
    check_collect(sums, n, fours, y);
    for (i, to) in fours.into_iter().enumerate() {
        let mut t = 0;
        loop {
            // SAFETY: `check_collect` compared the last of the elements with both lengths.
            unsafe {
                let from = sums.as_ptr().add(t * LANES + 4 * i);
                A::transpose(from, LANES, y.as_mut_ptr().add(to + t), n);
            }
            if t + 4 >= n {
                break;
            }
            // The last four start earlier rather than end later: the elements after them are already written.
            t = (t + 4).min(n - 4);
        }
    }
}

/// [`Arch::transpose`] in plain Rust.
///
/// # Safety
/// Four elements at each of the four places of `x` and of `y`.
#[inline(always)]
pub(crate) unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
    for k in 0..4 {
        for j in 0..4 {
            // SAFETY: promised by the caller.
            unsafe { *y.add(k * y_step + j) = *x.add(j * x_step + k) }
        }
    }
}
