//! Out-of-place steps with up to three inputs, image by image.

use super::{functions, in_place::ChannelNumbers};
use crate::{
    schedule::general::{General, Norm},
    weights::{RowScratch, Table},
};
use alloc::{sync::Arc, vec::Vec};
use kompakt_graph::{BinaryFunction, MAX_RANK, Reduction, Update};
use kompakt_kernels::{
    Isa, matmul,
    normalise::{RowNorm, row_norm},
    reduce as kernel,
};

/// The context of such a step.
pub(super) struct Work<'r, 'm> {
    pub(super) isa: Isa,
    pub(super) numbers: &'r [Arc<ChannelNumbers>],
    pub(super) tables: &'r [Arc<Table<'m>>],
    pub(super) row: &'r mut RowScratch,
    /// For sorting.
    pub(super) order: &'r mut Vec<u32>,
}

impl General {
    /// Runs it for `n` images.
    pub(super) fn run(&self, mut work: Work<'_, '_>, x: [&[f32]; 3], y: &mut [f32], n: usize) {
        let len = y.len() / n;
        for (image, y) in y.chunks_exact_mut(len).enumerate() {
            let x = x.map(|x| &x[image * (x.len() / n)..][..x.len() / n]);
            self.image(&mut work, x, y);
        }
    }

    fn image(&self, work: &mut Work<'_, '_>, [x, second, third]: [&[f32]; 3], y: &mut [f32]) {
        match self {
            Self::Binary { function, shapes: [a, b], to, relu } => {
                let operands = [(x, &a[..]), (second, &b[..])];
                if *function == BinaryFunction::Equal {
                    // Compiled by itself: it makes the large one-hot inputs of networks over bytes.
                    of_two(functions::equal, operands, to, y);
                } else {
                    of_two(functions::binary(*function), operands, to, y);
                }
                if *relu {
                    y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = 0.0);
                }
            }
            Self::Select { shapes: [c, a, b], to } => {
                let places = [steps(c, to), steps(a, to), steps(b, to)];
                walk(to, &places, |i, [c, a, b]| y[i] = if x[c] == 0.0 { third[b] } else { second[a] });
            }
            Self::Reduce { function, from, axes } => reduce(work.isa, *function, from, axes, x, y),
            Self::MatMul { a, b, to } => {
                let rank = to.len();
                let (lead, k) = (&to[..rank - 2], a[rank - 1]);
                let sizes = [a, b, to].map(|shape| shape[rank - 2] * shape[rank - 1]);
                let places = [steps(&a[..rank - 2], lead), steps(&b[..rank - 2], lead)];
                walk(lead, &places, |i, [at, bt]| {
                    let a = &x[at * sizes[0]..][..sizes[0]];
                    let b = &second[bt * sizes[1]..][..sizes[1]];
                    matmul::matmul(work.isa, a, b, k, &mut y[i * sizes[2]..][..sizes[2]]);
                });
            }
            &Self::Norm(Norm { len, is_centred, eps, scale, shift, by_row }) => {
                let of = |numbers: Option<usize>| numbers.map_or(&[][..], |at| &work.numbers[at].0[..]);
                let by_row = by_row.map_or((&[][..], &[][..], 1), |(at, rows)| {
                    let (factors, terms) = &*work.numbers[at];
                    (&factors[..], &terms[..], rows)
                });
                let norm = RowNorm { len, is_centred, eps, scale: of(scale), shift: of(shift), by_row };
                row_norm(work.isa, &norm, x, y);
            }
            Self::Constant { numbers } => y.copy_from_slice(&work.numbers[*numbers].0),
            Self::Embedding { table, features } => {
                let table = &work.tables[*table];
                for (&index, y) in x.iter().zip(y.chunks_exact_mut(*features)) {
                    table.write_row(row(index, table.n_rows()), work.row, y);
                }
            }
            Self::Take { n, inner } => {
                let part = second.len() * inner;
                for (x, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(part)) {
                    for (&index, y) in second.iter().zip(y.chunks_exact_mut(*inner)) {
                        y.copy_from_slice(&x[row(index, *n) * inner..][..*inner]);
                    }
                }
            }
            Self::Scatter { update, m } => {
                let n = y.len() / m;
                y.copy_from_slice(x);
                for (&index, values) in second.iter().zip(third.chunks_exact(*m)) {
                    let y = &mut y[row(index, n) * m..][..*m];
                    for (y, &v) in y.iter_mut().zip(values) {
                        *y = match update {
                            Update::Set => v,
                            Update::Add => *y + v,
                            Update::Multiply => *y * v,
                            Update::Max => y.max(v),
                            Update::Min => y.min(v),
                        };
                    }
                }
            }
            &Self::TopK { n, k, inner, largest, indices } => {
                for (x, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(k * inner)) {
                    for i in 0..inner {
                        let at = |place: u32| x[place as usize * inner + i];
                        work.order.clear();
                        work.order.extend(0..n as u32);
                        work.order.sort_unstable_by(|&a, &b| {
                            let order =
                                if largest { at(b).total_cmp(&at(a)) } else { at(a).total_cmp(&at(b)) };
                            order.then(a.cmp(&b))
                        });
                        for (place, &from) in work.order.iter().take(k).enumerate() {
                            y[place * inner + i] = if indices { from as f32 } else { at(from) };
                        }
                    }
                }
            }
        }
    }
}

/// `y = f(a, b)` of two operands with their shapes, broadcast to `to`; a line of the last dimension at a time.
fn of_two(
    f: impl Fn(f32, f32) -> f32,
    [(a, a_shape), (b, b_shape)]: [(&[f32], &[usize]); 2],
    to: &[usize],
    y: &mut [f32],
) {
    let (places, last) = ([steps(a_shape, to), steps(b_shape, to)], to.len() - 1);
    let len = to[last];
    walk(&to[..last], &places, |line, [at, bt]| {
        let y = &mut y[line * len..(line + 1) * len];
        match [places[0][last], places[1][last]] {
            [0, 0] => y.fill(f(a[at], b[bt])),
            [0, _] => y.iter_mut().zip(&b[bt..]).for_each(|(y, &b)| *y = f(a[at], b)),
            [_, 0] => y.iter_mut().zip(&a[at..]).for_each(|(y, &a)| *y = f(a, b[bt])),
            _ => y.iter_mut().zip(a[at..].iter().zip(&b[bt..])).for_each(|(y, (&a, &b))| *y = f(a, b)),
        }
    });
}

/// The row of an index among `n`.
fn row(index: f32, n: usize) -> usize {
    let whole = f64::from(libm::truncf(index));
    let from_front = if whole < 0.0 { whole + n as f64 } else { whole };
    // NaN is cast to 0.
    from_front.clamp(0.0, (n - 1) as f64) as usize
}

/// The stride in a value of shape `from` for each dimension of `to`; 0 where it is
/// broadcast.
fn steps(from: &[usize], to: &[usize]) -> [usize; MAX_RANK] {
    let (mut steps, mut step) = ([0; MAX_RANK], 1);
    for d in (0..to.len()).rev() {
        steps[d] = if from[d] == 1 { 0 } else { step };
        step *= from[d];
    }
    steps
}

/// Visits all indices of `shape` in row-major order, with the matching offsets in `N` other values.
fn walk<const N: usize>(
    shape: &[usize],
    steps: &[[usize; MAX_RANK]; N],
    mut visit: impl FnMut(usize, [usize; N]),
) {
    let (mut index, mut places) = ([0; MAX_RANK], [0; N]);
    for i in 0..shape.iter().product() {
        visit(i, places);
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            places.iter_mut().zip(steps).for_each(|(place, steps)| *place += steps[d]);
            if index[d] < shape[d] {
                break;
            }
            places.iter_mut().zip(steps).for_each(|(place, steps)| *place -= shape[d] * steps[d]);
            index[d] = 0;
        }
    }
}

/// Reduces the middle dimension of three, of so many elements, and so many in the last.
type Kernel = fn(Isa, &[f32], usize, usize, &mut [f32]);

/// Reduces `x` along the dimensions `axes`.
fn reduce(isa: Isa, function: Reduction, from: &[usize], axes: &[usize], x: &[f32], y: &mut [f32]) {
    let kernel: Option<Kernel> = match function {
        Reduction::Sum => Some(kernel::sum),
        Reduction::Mean => Some(kernel::mean),
        Reduction::Max => Some(kernel::maximum),
        Reduction::Min => Some(kernel::minimum),
        Reduction::Product | Reduction::ArgMax | Reduction::ArgMin => None,
    };
    // Neighbouring dimensions, apart from those of one element.
    let is_reduced = |d: usize| from[d] != 1 && axes.contains(&d);
    let ends = (0..from.len()).find(|&d| is_reduced(d)).zip((0..from.len()).rfind(|&d| is_reduced(d)));
    if let (Some(kernel), Some((first, last))) = (kernel, ends)
        && (first..=last).all(|d| from[d] == 1 || axes.contains(&d))
    {
        let size = |dims: &[usize]| dims.iter().product::<usize>();
        return kernel(isa, x, size(&from[first..=last]), size(&from[last + 1..]), y);
    }
    // Dimensions of the result first, then the reduced ones.
    let (mut kept, mut gone) = ([0; MAX_RANK], [0; MAX_RANK]);
    let (mut n_kept, mut n_gone) = (0, 0);
    let (mut kept_steps, mut gone_steps) = ([0; MAX_RANK], [0; MAX_RANK]);
    let mut step = from.iter().product::<usize>();
    for (d, &size) in from.iter().enumerate() {
        step /= size;
        if axes.contains(&d) {
            (gone[n_gone], gone_steps[n_gone]) = (size, step);
            n_gone += 1;
        } else {
            (kept[n_kept], kept_steps[n_kept]) = (size, step);
            n_kept += 1;
        }
    }
    walk(&kept[..n_kept], &[kept_steps], |i, [start]| {
        let all = |visit: &mut dyn FnMut(usize, f32)| {
            walk(&gone[..n_gone], &[gone_steps], |i, [at]| visit(i, x[start + at]));
        };
        y[i] = reduced(function, all);
    });
}

/// Sums are accumulated in double precision and rounded once, so that their order does not matter.
fn reduced(function: Reduction, all: impl Fn(&mut dyn FnMut(usize, f32))) -> f32 {
    let (mut sum, mut n) = (0.0f64, 0usize);
    let mut best = (0, f32::NAN);
    match function {
        Reduction::Sum => all(&mut |_, v| sum += f64::from(v)),
        Reduction::Mean => all(&mut |_, v| (sum, n) = (sum + f64::from(v), n + 1)),
        Reduction::Product => {
            sum = 1.0;
            all(&mut |_, v| sum *= f64::from(v));
        }
        Reduction::Max | Reduction::ArgMax => all(&mut |i, v| {
            if i == 0 || v > best.1 || (v.is_nan() && !best.1.is_nan()) {
                best = (i, v);
            }
        }),
        Reduction::Min | Reduction::ArgMin => all(&mut |i, v| {
            if i == 0 || v < best.1 || (v.is_nan() && !best.1.is_nan()) {
                best = (i, v);
            }
        }),
    }
    match function {
        Reduction::Sum | Reduction::Product => sum as f32,
        Reduction::Mean => (sum / n as f64) as f32,
        Reduction::Max | Reduction::Min => best.1,
        Reduction::ArgMax | Reduction::ArgMin => best.0 as f32,
    }
}
