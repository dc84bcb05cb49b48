//! A layer's weights as codes that follow a trellis (dependent quantisation; [`kompakt_entropy::trellis`]).
//!
//! ```text
//! column by column:   target of a row = its weight + what the errors of the columns before carry over to it
//!                     row by row, eight states: the least (target - level)² d + price × bits that leads to each
//!                     from the last row back: the levels
//! ```
//!
//! Given the columns before, the rows of a column do not depend on each other's errors, so that the search (Viterbi 1967) is exact.
//! Bits are those of the quantiser's levels by the sizes of row and column, counted on a first pass over some columns.

use crate::{
    curve::Point,
    factor::Factor,
    gain::{self, Energies},
    lengths::{Classes, N_CLASSES},
    levels::{Levels, magnitudes},
    moments::Moments,
    quantise::{Quantised, WeightMatrix, finish},
};
use kompakt_entropy::trellis::{N_STATES, State};
use kompakt_model::Numbers;
use pulp::NullaryFnOnce;

/// A layer of fewer rows has its levels without a trellis, which would hardly get going.
const FEWEST_ROWS: usize = 8;
/// So does one of fewer weights, whose bits would not be learnt, or bits a weight.
const FEWEST_WEIGHTS: usize = 4096;
const FEWEST_BITS: f64 = 0.9;
/// Steps between the levels of both quantisers together that are tried, as parts of the step of a single one for the same price.
const STEPS: [f64; 4] = [0.44, 0.5, 0.56, 0.62];
/// Weights of the columns that the step is chosen on.
const SAMPLE: usize = 1 << 14;
/// Passes over them before bits are counted for good.
const ROUNDS: usize = 3;
/// The most steps from zero to the outermost weight.
const FINEST: f64 = 8192.0;
/// Steps next to zero that all have a level.
const DENSE: f32 = 64.0;
/// Columns whose errors reach the ones after them together.
const PANEL: usize = 32;
/// Rows that errors are carried over in at a time.
const ROWS: usize = 4;
/// A class begins with so many weights of the layer's levels.
const PRIOR: f64 = 64.0;
/// The least that an error counts for.
const LIGHTEST: f64 = 1e-6;
/// The bit of a sign.
const SIGN: f64 = 1.0;

/// The levels of both quantisers on one side of zero, and zero.
struct Side {
    step: f32,
    /// Multiples of the step.
    integers: Vec<i32>,
    /// Zero, then those of each quantiser.
    values: [Vec<f32>; 2],
}

impl Side {
    fn new(step: f32, largest: f32) -> Self {
        let integers = magnitudes(((largest / step).ceil() as i32).max(4));
        let of = |quantiser: usize| {
            let own = integers.iter().skip(1 - quantiser).step_by(2);
            std::iter::once(0.0).chain(own.map(|&i| i as f32 * step)).collect()
        };
        Self { step, values: [of(0), of(1)], integers }
    }

    /// The level so many from zero.
    #[inline(always)]
    fn value(&self, distance: i8) -> f32 {
        let sign = i32::from(distance.signum());
        let index = usize::from(distance.unsigned_abs());
        if index == 0 { 0.0 } else { (sign * self.integers[index - 1]) as f32 * self.step }
    }

    /// The index of the outermost level of a quantiser that is no further from zero than `size`.
    #[inline(always)]
    fn below(&self, quantiser: usize, size: f32) -> usize {
        let values = &self.values[quantiser];
        let steps = size / self.step;
        let index = if steps < DENSE {
            (steps as usize + quantiser) / 2
        } else {
            values.partition_point(|&v| v <= size).saturating_sub(1)
        };
        index.min(values.len() - 1)
    }
}

/// Bits of the levels of a quantiser by class: zero, then outwards, whatever the sign.
struct Bits {
    by_class: Vec<[Vec<f32>; 2]>,
}

impl Bits {
    /// Of levels that come so often; `counts` by class and quantiser.
    fn counted(counts: &[[Vec<f64>; 2]]) -> Self {
        let overall = |q: usize, i: usize| counts.iter().map(|c| c[q][i]).sum::<f64>() + 0.5;
        let totals = [0, 1].map(|q| (0..counts[0][q].len()).map(|i| overall(q, i)).sum::<f64>());
        let of = |class: &[Vec<f64>; 2], q: usize| {
            let n = class[q].iter().sum::<f64>() + PRIOR;
            let length = |(i, count): (usize, &f64)| {
                let bits = -((count + PRIOR * overall(q, i) / totals[q]) / n).log2();
                (bits + if i > 0 { SIGN } else { 0.0 }) as f32
            };
            class[q].iter().enumerate().map(length).collect()
        };
        Self { by_class: counts.iter().map(|class| [of(class, 0), of(class, 1)]).collect() }
    }
}

/// The best way along columns.
struct Search<'s> {
    side: &'s Side,
    bits: &'s Bits,
    price: f32,
    /// Per row, the levels of quantiser and parity that are best, as indices in their quantiser.
    choices: Vec<[u8; 4]>,
    /// Per row, a bit for each state: which of the two before it leads to it.
    origins: Vec<u8>,
}

/// The states that lead to each, with what they take: `2 * quantiser + parity`.
const BEFORE: [[(usize, usize); 2]; N_STATES] = before();

const fn before() -> [[(usize, usize); 2]; N_STATES] {
    let mut all = [[(0, 0); 2]; N_STATES];
    let mut n = [0; N_STATES];
    let mut s = 0;
    while s < N_STATES {
        let state = State::new(s);
        let mut parity = 0;
        while parity < 2 {
            let to = state.next(parity).index();
            all[to][n[to]] = (s, 2 * state.quantiser() + parity);
            n[to] += 1;
            parity += 1;
        }
        s += 1;
    }
    all
}

impl<'s> Search<'s> {
    fn new(side: &'s Side, bits: &'s Bits, price: f64) -> Self {
        Self { side, bits, price: price as f32, choices: Vec::new(), origins: Vec::new() }
    }

    /// Chooses the levels of a column: `rows` are its targets, what an error counts for, and the classes. `chosen` gets how far from zero each
    /// is, 0 for zero. Returns what it costs.
    #[inline(always)]
    fn run(&mut self, rows: &[(f32, f32, usize)], chosen: &mut [u8]) -> f64 {
        self.choices.clear();
        self.origins.clear();
        let mut costs = [f32::INFINITY; N_STATES];
        costs[0] = 0.0;
        let mut total = 0.0;
        for &(target, weight, class) in rows {
            let size = target.abs();
            let mut best = [f32::INFINITY; 4];
            let mut choice = [0u8; 4];
            for quantiser in 0..2 {
                let (values, bits) = (&self.side.values[quantiser], &self.bits.by_class[class][quantiser]);
                let below = self.side.below(quantiser, size);
                let first = 2 * quantiser;
                (best[first], choice[first]) = (weight * size * size + self.price * bits[0], 0);
                for index in below.max(1)..values.len().min(below + 2) {
                    let cost = weight * (size - values[index]).powi(2) + self.price * bits[index];
                    let at = first + index % 2;
                    if cost < best[at] {
                        (best[at], choice[at]) = (cost, index as u8);
                    }
                }
            }
            let (mut next, mut origin) = ([0.0; N_STATES], 0);
            for (state, before) in BEFORE.iter().enumerate() {
                let [a, b] = before.map(|(from, takes)| costs[from] + best[takes]);
                next[state] = a.min(b);
                origin |= u8::from(b < a) << state;
            }
            let least = next.iter().fold(f32::INFINITY, |a, &b| a.min(b));
            total += f64::from(least);
            costs = next.map(|cost| cost - least);
            self.choices.push(choice);
            self.origins.push(origin);
        }
        let mut state = (0..N_STATES).min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap_or(0);
        for (row, to) in chosen.iter_mut().enumerate().rev() {
            let (from, takes) = BEFORE[state][usize::from(self.origins[row] >> state & 1)];
            let index = self.choices[row][takes];
            // Level `index` of quantiser 0 is the `2 index`-th of both, of quantiser 1 the one before.
            *to = if index == 0 { 0 } else { 2 * index - (takes / 2) as u8 };
            state = from;
        }
        total
    }
}

/// Whether a layer is to have a trellis.
pub(crate) fn pays(layer: &WeightMatrix<'_>, point: &Point) -> bool {
    let n = layer.weights.len();
    layer.shape[0] >= FEWEST_ROWS
        && n >= FEWEST_WEIGHTS
        && point.levels.flags.is_none()
        && point.bits >= FEWEST_BITS * n as f64
}

/// Assigns to each weight a level so that the codes follow a trellis along the rows, in the order of the file: `order[i]` is the row that comes
/// `i`-th.
pub(crate) fn quantise(
    layer: WeightMatrix<'_>,
    point: &Point,
    moments: Option<&Moments>,
    order: &[u32],
) -> Quantised {
    let weights = layer.weights;
    let (rows, cols) = (layer.shape[0], weights.len() / layer.shape[0]);
    let square: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    let price = point.lambda * square / weights.len() as f64;
    let largest = weights.iter().fold(0f32, |m, w| m.max(w.abs()));
    let classes = Classes::new(weights, cols);
    let sample = Sample { weights, cols, order, classes: &classes, price };
    let (side, bits) = sample.side(largest);
    let mut work = Layer {
        weights,
        cols,
        per_group: (rows / layer.groups.max(1)).max(1),
        order,
        classes: &classes,
        search: Search::new(&side, &bits, price),
        distances: vec![0; weights.len()],
        errors: vec![0.0; weights.len()],
        column: vec![(0.0, 1.0, 0); rows],
        levels: vec![0; rows],
    };
    let mut energies = vec![Energies::default(); rows];
    match moments {
        None => (0..cols).for_each(|column| work.choose(column, |_| (0.0, 1.0))),
        Some(moments) => {
            for (i, (first, _)) in moments.groups[0].blocks.iter().enumerate() {
                let factors: Vec<&Factor> = moments.groups.iter().map(|group| &group.blocks[i].1).collect();
                Block { work: &mut work, first: *first, factors: &factors, energies: &mut energies }.run();
            }
        }
    }
    let gains = moments.map_or_else(Vec::new, |_| gain::gains(&energies, layer.has_scale));
    let (levels, chosen) = side.levels(&work.distances);
    finish(layer, &levels, &chosen, cols, square, moments, gains)
}

impl Side {
    /// The levels that are used, with two on each side at least, and the index of each weight's, which is so many levels from zero.
    fn levels(&self, distances: &[i8]) -> (Levels, Vec<u8>) {
        let most =
            |sign: i16| distances.iter().map(|&d| sign * i16::from(d)).max().unwrap_or(0).max(2) as usize;
        let (n_negative, n_positive) = (most(-1), most(1));
        let negative = self.integers[..n_negative].iter().rev().map(|i| -i);
        let integers: Vec<i32> = negative.chain(self.integers[..n_positive].iter().copied()).collect();
        let mut values: Vec<f64> = integers.iter().map(|&i| f64::from(i as f32 * self.step)).collect();
        values.insert(n_negative, 0.0);
        let lengths = vec![0.0; values.len()];
        let codebook = Numbers::Scaled { scale: self.step, integers };
        let chosen = distances.iter().map(|&d| (n_negative as i16 + i16::from(d)) as u8).collect();
        (Levels { values, lengths, codebook, flags: None, trellis: true }, chosen)
    }
}

/// Some columns, on which the step is chosen and bits are counted.
struct Sample<'s> {
    weights: &'s [f32],
    cols: usize,
    order: &'s [u32],
    classes: &'s Classes,
    price: f64,
}

impl Sample<'_> {
    /// The levels of least cost, and their bits.
    fn side(&self, largest: f32) -> (Side, Bits) {
        // As for evenly spaced levels of one quantiser: the error falls fourfold per bit.
        let single = (12.0 * self.price / (2.0 * std::f64::consts::LN_2)).sqrt();
        let step = |part: f64| (part * single).max(f64::from(largest) / FINEST) as f32;
        let all = STEPS.map(|part| self.counted(Side::new(step(part), largest)));
        let best = all.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, side, bits)| (side, bits)).unwrap_or_else(|| unreachable!("there are several steps"))
    }

    /// What the columns cost with these levels, and their bits.
    fn counted(&self, side: Side) -> (f64, Side, Bits) {
        let every = (self.weights.len() / SAMPLE).max(1);
        let none = || -> Vec<[Vec<f64>; 2]> {
            (0..N_CLASSES).map(|_| [0, 1].map(|q| vec![0.0; side.values[q].len()])).collect()
        };
        let mut counts = none();
        for column in (0..self.cols).step_by(every) {
            for &row in self.order {
                let size = self.weights[row as usize * self.cols + column].abs();
                for (quantiser, counts) in
                    counts[self.classes.of(row as usize, column)].iter_mut().enumerate()
                {
                    counts[side.below(quantiser, size)] += 1.0;
                }
            }
        }
        let mut bits = Bits::counted(&counts);
        let mut chosen = vec![0; self.order.len()];
        let mut cost = 0.0;
        for _ in 0..ROUNDS {
            counts = none();
            cost = 0.0;
            let mut search = Search::new(&side, &bits, self.price);
            for column in (0..self.cols).step_by(every) {
                let place = |&row: &u32| {
                    let row = row as usize;
                    (self.weights[row * self.cols + column], 1.0, self.classes.of(row, column))
                };
                let rows: Vec<(f32, f32, usize)> = self.order.iter().map(place).collect();
                cost += search.run(&rows, &mut chosen);
                let mut state = State::default();
                for (&(_, _, class), &level) in rows.iter().zip(&chosen) {
                    let quantiser = state.quantiser();
                    counts[class][quantiser][(usize::from(level) + quantiser) / 2] += 1.0;
                    state = match usize::from(level) {
                        0 => state.after_pruned(),
                        distance => state.after_kept(distance - 1),
                    };
                }
            }
            bits = Bits::counted(&counts);
        }
        (cost, side, bits)
    }
}

/// A layer being quantised; rows are those of the model.
struct Layer<'l> {
    weights: &'l [f32],
    cols: usize,
    per_group: usize,
    order: &'l [u32],
    classes: &'l Classes,
    search: Search<'l>,
    /// How many levels from zero each weight's is, negative below it.
    distances: Vec<i8>,
    /// Weights less their levels.
    errors: Vec<f32>,
    /// Of one column.
    column: Vec<(f32, f32, usize)>,
    levels: Vec<u8>,
}

impl Layer<'_> {
    /// Chooses the levels of a column; `of` says of a row what is carried over to it and what an error counts for.
    #[inline(always)]
    fn choose(&mut self, column: usize, of: impl Fn(usize) -> (f32, f32)) {
        for (&row, place) in self.order.iter().zip(&mut self.column) {
            let row = row as usize;
            let (carried, weight) = of(row);
            *place = (self.weights[row * self.cols + column] + carried, weight, self.classes.of(row, column));
        }
        self.search.run(&self.column, &mut self.levels);
        for ((&row, place), &level) in self.order.iter().zip(&self.column).zip(&self.levels) {
            let at = row as usize * self.cols + column;
            let distance = if place.0 < 0.0 { -(level as i8) } else { level as i8 };
            self.distances[at] = distance;
            self.errors[at] = self.weights[at] - self.search.side.value(distance);
        }
    }
}

/// The columns of a layer that are factored together, from `first` on; one factor for each group of rows.
struct Block<'b, 'l> {
    work: &'b mut Layer<'l>,
    first: usize,
    factors: &'b [&'b Factor],
    energies: &'b mut [Energies],
}

impl Block<'_, '_> {
    /// The same levels on every machine.
    fn run(self) {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = pulp::x86::V3::try_new() {
                return pulp::Simd::vectorize(simd, self);
            }
        }
        self.call();
    }
}

impl NullaryFnOnce for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { work, first, factors, energies } = self;
        let (cols, per_group, n_rows) = (work.cols, work.per_group, work.levels.len());
        let n = factors.first().map_or(0, |factor| factor.weights.len());
        let numbers = |row: usize| row * cols + first..row * cols + first + n;
        // Rows of one group that are worked on together; the last ones several times where there are fewer.
        let together = |row: usize| {
            let last = ((row / per_group + 1) * per_group).min(n_rows) - 1;
            std::array::from_fn::<usize, ROWS, _>(|r| (row + r).min(last))
        };
        let firsts: Vec<usize> = (0..n_rows).filter(|row| row % per_group % ROWS == 0).collect();
        let mut carried = vec![0f32; n_rows * PANEL];
        for panel in (0..n).step_by(PANEL) {
            let end = (panel + PANEL).min(n);
            for &row in &firsts {
                let rows = together(row);
                let errors = rows.map(|row| &work.errors[numbers(row)]);
                for k in panel..end {
                    let sums: [f32; ROWS] = factors[row / per_group].feedback_of(k, 0, panel, errors);
                    rows.iter().zip(sums).for_each(|(row, sum)| carried[row * PANEL + k - panel] = sum);
                }
            }
            for k in panel..end {
                for &row in &firsts {
                    let rows = together(row);
                    let errors = rows.map(|row| &work.errors[numbers(row)]);
                    let sums: [f32; ROWS] = factors[row / per_group].feedback_of(k, panel, k, errors);
                    let mut done = usize::MAX;
                    for (&row, sum) in rows.iter().zip(sums) {
                        if row != done {
                            carried[row * PANEL + k - panel] += sum;
                        }
                        done = row;
                    }
                }
                work.choose(first + k, |row| {
                    let weight = factors[row / per_group].weights[k].max(LIGHTEST) as f32;
                    (carried[row * PANEL + k - panel], weight)
                });
            }
        }
        for &row in &firsts {
            let (rows, factor) = (together(row), factors[row / per_group]);
            let errors = rows.map(|row| &work.errors[numbers(row)]);
            let weights = rows.map(|row| &work.weights[numbers(row)]);
            let mean = factor.mean();
            for k in 0..n {
                let feedback: [f32; ROWS] = factor.feedback_of(k, 0, k, errors);
                let original: [f32; ROWS] = factor.feedback_of(k, 0, k, weights);
                let count = mean * factor.weights[k];
                let mut done = usize::MAX;
                for (r, &row) in rows.iter().enumerate() {
                    if row != done {
                        energies[row].add(count, weights[r][k] + original[r], errors[r][k] + feedback[r]);
                    }
                    done = row;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{Curve, tests::peaked};
    use kompakt_entropy::{
        MaskedCodes,
        smallest::{Hints, StreamEncoder},
    };
    use kompakt_model::Parameter;

    /// Rows in this order, with what they cost in the tier `smallest`, in bytes.
    fn bytes(made: &Quantised, order: &[u32], trellis: bool) -> usize {
        let Parameter::Shared { codebook, codes, mask, .. } = &made.weight else { unreachable!("codes") };
        let columns = codes.len() / order.len();
        let places = order.iter().flat_map(|&r| r as usize * columns..(r as usize + 1) * columns);
        let mask: Option<Vec<bool>> = mask.as_ref().map(|mask| places.clone().map(|i| mask[i]).collect());
        let codes: Vec<u8> = places.map(|i| codes[i]).collect();
        let (rows, n_levels) = (order.len(), codebook.len());
        let n_negative = codebook.to_f32().iter().filter(|v| **v < 0.0).count();
        let mask = mask.as_deref();
        let weights = MaskedCodes {
            rows,
            channels: columns,
            taps: 1,
            mask,
            block: 1,
            trellis,
            codes: &codes,
            n_levels,
            n_negative,
        };
        let mut stream = StreamEncoder::new();
        stream.weights(&weights, Hints::default()).unwrap_or_else(|error| panic!("{error}"));
        stream.finish().len()
    }

    /// Whatever the order of rows, codes follow the trellis in it; error and bytes together are less than those of one quantiser.
    #[test]
    fn costs_less_than_one_quantiser() {
        let (rows, columns) = (96, 200);
        let weights = peaked(rows * columns);
        let layer = WeightMatrix { weights: &weights, shape: &[rows, columns], groups: 1, has_scale: false };
        let curve = Curve::of(&weights);
        let order: Vec<u32> = (0..rows as u32).map(|i| i * 35 % rows as u32).collect();
        let mut n_points = 0;
        for point in curve.points.iter().filter(|p| p.lambda > 1e-3 && pays(&layer, p)).step_by(4) {
            let along = quantise(layer, point, None, &order);
            let single = crate::quantise::quantise(layer, point, None, true);
            let cost = |made: &Quantised, trellis: bool| {
                let bits = 8.0 * bytes(made, &order, trellis) as f64 / weights.len() as f64;
                made.error + point.lambda * bits
            };
            let (along, single) = (cost(&along, true), cost(&single, false));
            assert!(along < single, "{}: {along} {single}", point.lambda);
            n_points += 1;
        }
        assert!(n_points >= 4);
    }

    /// The search finds the best way: no other has less cost, of all there are.
    #[test]
    fn the_search_is_exact() {
        let side = Side::new(0.5, 2.0);
        let counts: Vec<[Vec<f64>; 2]> =
            (0..N_CLASSES).map(|_| [vec![50.0, 20.0, 4.0], vec![30.0, 25.0, 9.0]]).collect();
        let bits = Bits::counted(&counts);
        let weights = peaked(60);
        for targets in weights.chunks_exact(5) {
            let rows: Vec<(f32, f32, usize)> = targets.iter().map(|w| (w * 40.0, 1.0, 7)).collect();
            let mut chosen = vec![0; rows.len()];
            let found = Search::new(&side, &bits, 0.02).run(&rows, &mut chosen);
            let least = best(&rows, State::default(), &side, &bits);
            assert!((found - least).abs() < 1e-5, "{found} {least}");
        }
    }

    fn best(rows: &[(f32, f32, usize)], state: State, side: &Side, bits: &Bits) -> f64 {
        let Some((&(target, weight, class), rest)) = rows.split_first() else { return 0.0 };
        let quantiser = state.quantiser();
        let way = |index: usize| {
            let value = side.values[quantiser][index];
            let cost =
                weight * (target.abs() - value).powi(2) + 0.02 * bits.by_class[class][quantiser][index];
            let next = match index {
                0 => state.after_pruned(),
                _ => state.after_kept(2 * index - quantiser - 1),
            };
            f64::from(cost) + best(rest, next, side, bits)
        };
        (0..side.values[quantiser].len()).map(way).fold(f64::INFINITY, f64::min)
    }
}
