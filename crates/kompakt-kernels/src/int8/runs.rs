//! The order of a row's elements in which the products of several are added up in 16 bits before they are widened.
//!
//! ```text
//! a list      [16 a run, 40] e e e ... e    [4 a run, 8] e e e e  e e e e    [1 a run, 2] e  e     stretches, each after its head
//! a product   u8 u8 u8 u8 times i8 i8 i8 i8: two sums of two products, each an i16
//! a run       its products, added up in these i16; then widened, and added to the sums of 32 bits
//! ```
//!
//! Nothing saturates or wraps: for a half (two bytes) of a row, let `p` be the sum of the positive weights of all elements of
//! a run, and `n` that of the negative ones without their sign. Inputs are 0 to 255, so that the products of any of the
//! elements sum up to at least `-255 n` and at most `255 p`, and both are kept at most 128: `255 * 128 = 32,640` is below
//! `2^15`. That holds for one element too, whose two products are added by an instruction that saturates: where two weights
//! of a half are larger together, the element is cut in two.
//!
//! The sums are of integers, whose order does not matter: elements go where they fit. Long runs are filled first, from the
//! smallest elements on; what is left over makes shorter ones, from the largest on, so that small ones fill them up.

use alloc::vec::Vec;

/// A place and the four bytes of each of `R` rows, as bits of a float.
pub(crate) type Element<const R: usize> = (u32, [f32; R]);

/// Lengths of runs, tried in turn, each with the fewest elements for which a stretch is worth the branches that a processor
/// does not foresee, unless it is the last.
const LENGTHS: [(usize, usize); 4] = [(16, 32), (4, 8), (2, 12), (1, 0)];
/// Runs that are filled at the same time.
const OPEN: usize = 16;
/// The most that the positive weights, or the negative ones, of a half of a run may be together.
const MOST: u8 = 128;

/// What comes before a stretch of elements: it lies in the bits of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The elements of a run; the last run may have fewer.
    pub(crate) per_run: usize,
    /// All elements of the stretch.
    pub(crate) n: usize,
}

impl Head {
    /// The most elements of a stretch: whole runs.
    const MOST: usize = 1 << 20;

    fn to_weight(self) -> f32 {
        f32::from_bits((self.n << 8 | self.per_run) as u32)
    }

    #[inline(always)]
    pub(crate) fn of_weight(weight: f32) -> Self {
        let bits = weight.to_bits() as usize;
        Self { per_run: bits & 0xff, n: bits >> 8 }
    }
}

/// The sums of a run's weights: of each half of each row, the positive ones and the negative ones.
#[derive(Clone, Copy)]
struct Loads<const R: usize>([[u8; 4]; R]);

impl<const R: usize> Loads<R> {
    fn of(weights: &[f32; R]) -> Self {
        Self(weights.map(|weight| {
            let [a, b, c, d] = bytes(weight);
            let (positive, negative) = (|w: i8| w.max(0).unsigned_abs(), |w: i8| w.min(0).unsigned_abs());
            let both = |size: &dyn Fn(i8) -> u8, a, b| size(a).saturating_add(size(b));
            [both(&positive, a, b), both(&negative, a, b), both(&positive, c, d), both(&negative, c, d)]
        }))
    }

    /// Both together, if that is not too much.
    fn with(self, other: &Self) -> Option<Self> {
        let mut sums = self;
        for (sum, more) in sums.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()) {
            *sum = sum.saturating_add(*more);
        }
        sums.fits().then_some(sums)
    }

    fn largest(&self) -> u8 {
        self.0.as_flattened().iter().fold(0, |most, &load| most.max(load))
    }

    fn fits(&self) -> bool {
        self.largest() <= MOST
    }
}

fn bytes(weight: f32) -> [i8; 4] {
    weight.to_bits().to_le_bytes().map(u8::cast_signed)
}

/// What products of these elements over windows cost relative to those of small weights, whose runs are long: two
/// instructions for a product, and a share of those that widen a run's sums, which networks were measured with. Runs are as
/// long as the mean element allows.
pub(crate) fn relative_cost(elements: &[f32]) -> f64 {
    let longest = LENGTHS[0].0 as f64;
    let cost = |per_run: f64| 2.0 + 1.2 / per_run;
    let kept = elements.iter().filter(|element| element.to_bits() != 0);
    let (n, sum) = kept
        .fold((0.0, 0.0), |(n, sum), &element| (n + 1.0, sum + f64::from(Loads::of(&[element]).largest())));
    let per_run = f64::from(MOST) * n / f64::max(sum, 1.0);
    cost(per_run.clamp(1.0, longest)) / cost(longest)
}

/// A run that is being filled.
struct Run<const R: usize> {
    elements: Vec<(Element<R>, Loads<R>)>,
    loads: Loads<R>,
}

/// Appends a list of the elements of some rows, in stretches of runs: see the [module page](self).
///
/// A head has the place of the element after it, and is the weight of the first row.
pub(crate) fn append<const R: usize>(elements: &[Element<R>], list: &mut Vec<Element<R>>) {
    let mut pool: Vec<_> = elements.iter().flat_map(|&element| cut(element)).collect();
    sort_by_byte(&mut pool, |(_, loads)| loads.largest());
    for (per_run, fewest) in LENGTHS {
        if pool.is_empty() {
            return;
        }
        let (mut whole, mut rest) = (Vec::with_capacity(pool.len()), Vec::new());
        let mut open: Vec<Run<R>> = Vec::with_capacity(OPEN);
        for (element, loads) in pool {
            let found = open.iter().enumerate().find_map(|(i, run)| Some((i, run.loads.with(&loads)?)));
            let at = match found {
                Some((at, sums)) => {
                    open[at].loads = sums;
                    at
                }
                None if open.len() < OPEN => {
                    open.push(Run { elements: Vec::with_capacity(per_run), loads });
                    open.len() - 1
                }
                None => {
                    rest.push((element, loads));
                    continue;
                }
            };
            open[at].elements.push((element, loads));
            if open[at].elements.len() == per_run {
                whole.append(&mut open.swap_remove(at).elements);
            }
        }
        // One run may be short, the last.
        let longest = (0..open.len()).max_by_key(|&at| open[at].elements.len());
        if let Some(at) =
            longest.filter(|&at| 2 * open[at].elements.len() > per_run || open.len() == 1 && rest.is_empty())
        {
            whole.append(&mut open.swap_remove(at).elements);
        }
        rest.extend(open.into_iter().flat_map(|run| run.elements));
        if whole.len() < fewest && !rest.is_empty() {
            rest.append(&mut whole);
        }
        for stretch in whole.chunks(Head::MOST) {
            let head = Head { per_run, n: stretch.len() };
            let mut weights = [0.0; R];
            weights[0] = head.to_weight();
            list.push((stretch[0].0.0, weights));
            list.extend(stretch.iter().map(|(element, _)| *element));
        }
        pool = rest;
        sort_by_byte(&mut pool, |(_, loads)| !loads.largest());
    }
    debug_assert!(pool.is_empty(), "every element is a run by itself");
}

/// Sorts by a key of one byte; equal ones stay in order. The standard library's sort would be compiled for each key and each `R`,
/// several kilobytes each time.
fn sort_by_byte<T: Copy>(all: &mut Vec<T>, key: impl Fn(&T) -> u8) {
    let mut ends = [0; 257];
    for one in &*all {
        ends[usize::from(key(one)) + 1] += 1;
    }
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let mut sorted = all.clone();
    for one in &*all {
        let at = &mut ends[usize::from(key(one))];
        sorted[*at] = *one;
        *at += 1;
    }
    *all = sorted;
}

/// An element whose products cannot be too large for 16 bits, or two that are the same together.
fn cut<const R: usize>((place, weights): Element<R>) -> impl Iterator<Item = (Element<R>, Loads<R>)> {
    let mut parts = [weights, [0.0; R]];
    if !Loads::of(&weights).fits() {
        let [all, firsts] = &mut parts;
        for (all, firsts) in all.iter_mut().zip(firsts) {
            for half in 0..2 {
                let Loads([loads]) = Loads::of(&[*all]);
                if loads[2 * half].max(loads[2 * half + 1]) > MOST {
                    let first_byte = 0xff << (16 * half);
                    *firsts = f32::from_bits(firsts.to_bits() | all.to_bits() & first_byte);
                    *all = f32::from_bits(all.to_bits() & !first_byte);
                }
            }
        }
    }
    let is_any = |part: &[f32; R]| part.iter().any(|weight| weight.to_bits() != 0);
    parts.into_iter().filter(is_any).map(move |part| ((place, part), Loads::of(&part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn weight(bytes: [i8; 4]) -> f32 {
        f32::from_bits(u32::from_le_bytes(bytes.map(i8::cast_unsigned)))
    }

    /// The lengths of the runs of a list, after a look at what [`append`] promises.
    fn runs<const R: usize>(elements: &[Element<R>]) -> Vec<usize> {
        let (mut list, mut lengths, mut left) = (vec![], vec![], Vec::new());
        append(elements, &mut list);
        let mut rest = &list[..];
        while let [(place, head), after @ ..] = rest {
            let Head { per_run, n } = Head::of_weight(head[0]);
            assert!((1..=255).contains(&per_run) && n > 0 && *place == after[0].0);
            for run in after[..n].chunks(per_run) {
                lengths.push(run.len());
                for row in 0..R {
                    for half in 0..2 {
                        let all = run.iter().flat_map(|e| bytes(e.1[row])[2 * half..][..2].to_vec());
                        let of = |sign: i32| all.clone().map(|w| (sign * i32::from(w)).max(0)).sum::<i32>();
                        assert!(255 * of(1) <= 32767 && 255 * of(-1) <= 32768, "{run:?}");
                    }
                }
                left.extend_from_slice(run);
            }
            rest = &after[n..];
        }
        // Each place has the weights that it had.
        for &(place, weights) in elements {
            let mut sums = [[0i32; 4]; R];
            for (_, part) in left.iter().filter(|e| e.0 == place) {
                for (sums, &part) in sums.iter_mut().zip(part) {
                    sums.iter_mut().zip(bytes(part)).for_each(|(sum, w)| *sum += i32::from(w));
                }
            }
            assert_eq!(sums, weights.map(|w| bytes(w).map(i32::from)));
        }
        lengths
    }

    #[test]
    fn runs_are_as_long_as_their_sums_allow() {
        let elements = |n: u32, bytes| (0..n).map(|i| (i, [weight(bytes)])).collect::<Vec<_>>();
        assert_eq!(runs::<1>(&[]), []);
        assert_eq!(runs(&elements(40, [1, 1, -1, 2])), [16, 16, 8]);
        assert_eq!(runs(&elements(2, [32, 32, 0, 0])), [2], "128");
        assert_eq!(runs(&elements(2, [32, 33, 0, 0])), [1, 1], "130");
        assert_eq!(runs(&elements(2, [0, 0, -1, -64])), [1, 1]);
        assert_eq!(runs(&elements(1, [64, 64, -128, 0])), [1], "128");
        assert_eq!(runs(&elements(1, [64, 65, 0, 0])), [1, 1], "129: cut in two");
        assert_eq!(runs(&elements(1, [127, 127, -127, -127])), [1, 1]);
        assert_eq!(runs(&elements(1, [127, -127, -127, 127])), [1], "signs apart");
        assert_eq!(runs(&elements(9, [127, 0, 0, 0])), [1; 9]);
        // Large ones among small ones are set apart.
        let mut mixed = elements(48, [1, 0, 0, 2]);
        mixed.extend((48..53).map(|i| (i, [weight([0, 120, 0, 0])])));
        assert_eq!(runs(&mixed), [16, 16, 16, 1, 1, 1, 1, 1]);
        // Or fill up their runs.
        assert_eq!(runs(&mixed[30..]), [4, 4, 4, 4, 4, 3]);
    }

    #[test]
    fn random_rows() {
        arbtest::arbtest(|u| {
            let most = *u.choose(&[1i8, 7, 40, 127])?;
            let n = u.int_in_range(0..=90)?;
            let mut elements = vec![];
            for place in 0..n {
                let mut weights = [0.0; 4];
                for w in &mut weights {
                    let any = u.arbitrary::<[i8; 4]>()?;
                    *w = weight(any.map(|w| if w % 3 == 0 { most } else { w % most.max(2) }));
                }
                elements.push((place, weights));
            }
            runs(&elements);
            let [first, ..]: [Vec<_>; 1] = [elements.iter().map(|e| (e.0, [e.1[0]])).collect()];
            runs(&first);
            Ok(())
        })
        .budget_ms(1000);
    }
}
