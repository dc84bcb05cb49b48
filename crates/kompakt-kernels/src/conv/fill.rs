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
        let phases_x = s.phases(1);
        // Without padding and stride, rows are used in place.
        let inside = |i: usize, n: usize| {
            let start = [top, left][i].checked_sub(s.before[i]).filter(|_| s.stride[i] == 1)?;
            (start + n <= s.size[i]).then_some(start)
        };
        let plain = inside(0, n_rows).zip(inside(1, width)).map(|(y, x)| y * w + x);
        for channel in 0..s.channels {
            let out = &mut out[channel * self.channel_len()..][..self.channel_len() + SLACK * LANES];
            let in_place = plain.map(|at| &x[channel * h * w + at..]);
            if let Some(rows) = in_place.filter(|rows| (n_rows - 1) * w + len <= rows.len()) {
                // SAFETY: passed on.
                unsafe { self.spread_channel::<A>(rows, w, n_rows, 0, out) };
                continue;
            }
            let plane = &x[channel * h * w..(channel + 1) * h * w];
            let mut lines = pad.chunks_exact_mut(phases_x * len);
            for phase_y in 0..s.phases(0) {
                for (row, lines) in (0..n_rows).zip(&mut lines) {
                    let y = ((top + row) * s.stride[0] + phase_y).wrapping_sub(s.before[0]);
                    if y >= h {
                        lines.fill(0.0);
                        continue;
                    }
                    for (phase, line) in lines.chunks_exact_mut(len).enumerate() {
                        self.take(&plane[y * w..(y + 1) * w], left, phase, line);
                    }
                }
            }
            // SAFETY: passed on.
            unsafe { self.spread_channel::<A>(pad, phases_x * len, n_rows, len, out) };
        }
    }

    /// Rows that begin `stride` apart, phase by phase `n_rows` of them, the phases of a row `len` apart, to the lanes of
    /// a channel.
    ///
    /// # Safety
    /// The features of `A`.
    #[inline(always)]
    unsafe fn spread_channel<A: Arch>(
        &self,
        rows: &[f32],
        stride: usize,
        n_rows: usize,
        len: usize,
        out: &mut [f32],
    ) {
        let [down, across] = self.phase();
        // The offset of the first of each four lanes.
        let mut fours = [0; LANES / 4];
        for (four, from) in fours.iter_mut().enumerate() {
            let (part, lane) = (four * 4 / self.lanes[1], four * 4 % self.lanes[1]);
            *from = part * self.block[0] * stride + lane * self.block[1];
        }
        let mut at = 0;
        for phase_y in 0..self.shape.phases(0) {
            for row in 0..down {
                for phase_x in 0..self.shape.phases(1) {
                    let from = (phase_y * n_rows + row) * stride + phase_x * len;
                    // SAFETY: passed on.
                    unsafe { A::spread(&rows[from..], fours, self.block[1], across, &mut out[at..]) };
                    at += across * LANES;
                }
            }
        }
    }

    /// One phase of a row of the input from output column `left` on, padded.
    #[inline(always)]
    fn take(&self, row: &[f32], left: usize, phase: usize, line: &mut [f32]) {
        let (step, before) = (self.shape.stride[1], self.shape.before[1]);
        // Element t is `row[(left + t) * step + phase - before]`. Avoids divisions by one.
        let divided = |n: usize| if step == 1 { n } else { n.div_ceil(step) };
        let first = left * step + phase;
        let skip = divided(before.saturating_sub(first)).min(line.len());
        let from = (first + skip * step).saturating_sub(before).min(row.len());
        let n = divided(row.len() - from).min(line.len() - skip);
        zeros(&mut line[..skip]);
        let (to, rest) = line[skip..].split_at_mut(n);
        match step {
            1 => copy(&row[from..from + n], to),
            2 => every::<2>(&row[from..], to),
            4 => every::<4>(&row[from..], to),
            _ => to.iter_mut().zip(row[from..].iter().step_by(step)).for_each(|(to, &x)| *to = x),
        }
        zeros(rest);
    }

    /// Writes one channel of a tile to its position in the plane.
    ///
    /// Shapes: `sums` the tile and four vectors more, `y` `[oh, ow]`. Panics: if they are shorter.
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
        let mut line = [0.0; MAX_ACROSS * LANES + SLACK];
        for row in 0..down {
            let sums = &sums[row * across * LANES..];
            let first = top + row;
            if n == part_len && across >= 4 && first + (parts - 1) * down < oh {
                // No line ends early, and nothing is written past one.
                let place =
                    |four: usize| (first + four * 4 / lanes * down) * ow + left + four * 4 % lanes * across;
                // SAFETY: passed on.
                unsafe { A::collect(sums, across, [0, 1, 2, 3].map(place), y) };
                continue;
            }
            // SAFETY: passed on.
            unsafe { A::collect(sums, across, [0, 4, 8, 12].map(|lane| lane * across), &mut line) };
            for (part, line) in line.chunks_exact(part_len).take(parts).enumerate() {
                let at = first + part * down;
                if at < oh {
                    copy(&line[..n], &mut y[at * ow + left..][..n]);
                }
            }
        }
    }
}

/// Writes zeros, mostly few: a call would cost more than they do.
#[inline(always)]
fn zeros(line: &mut [f32]) {
    match line {
        [] => {}
        [a] => *a = 0.0,
        [a, b] => (*a, *b) = (0.0, 0.0),
        [a, b, c] => (*a, *b, *c) = (0.0, 0.0, 0.0),
        more => more.fill(0.0),
    }
}

/// Every `N`th element.
#[inline(always)]
pub(crate) fn every<const N: usize>(x: &[f32], to: &mut [f32]) {
    let (whole, rest) = x.as_chunks::<N>();
    let n = whole.len().min(to.len());
    to.iter_mut().zip(whole).for_each(|(to, x)| *to = x[0]);
    if let (Some(to), Some(&x)) = (to.get_mut(n), rest.first()) {
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

/// Writing a channel of a tile back.
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
