//! Synthetic inputs for calibration without data, of the kind that a network takes.
//!
//! Pictures are [`synthetic`](crate::synthetic). Of texts, and of whatever else consists of symbols, little is needed either:
//! some symbols are frequent and others rare, and sequences of them come again. A sound is a tone with its overtones, which
//! swells and fades, in noise. Sums, products and roots alone: the same numbers on every machine.

use crate::{
    images::Images,
    kinds::{self, Kind},
    random::Random,
    synthetic,
};
use kompakt_model::Model;

/// Words of a document, and symbols of the longest.
const WORDS: usize = 64;
const LONGEST: usize = 12;
/// Documents without any order are one in so many.
const DISORDERED: usize = 4;
/// Overtones of a sound.
const OVERTONES: usize = 8;

/// Inputs of a network without data.
pub(crate) struct Synthetic {
    /// All inputs of the network one after the other, as [`Images`] of several inputs are.
    pub(crate) images: Images,
    /// Whether the only input is one whose range is to be found yet: a picture, or numbers of unknown kind.
    pub(crate) is_open: bool,
    /// Names of the inputs whose kind the network does not tell.
    pub(crate) unknown: Vec<String>,
}

impl Synthetic {
    /// `n` inputs, the same for the same `seed`.
    pub(crate) fn new(model: &Model, n: usize, seed: u64) -> Self {
        let graph = &model.graph;
        let found: Vec<Kind> = (0..graph.inputs().len()).map(|i| kinds::kind(model, i)).collect();
        let ports = graph.inputs().iter().zip(&found);
        let unknown =
            ports.clone().filter(|(_, k)| **k == Kind::Unknown).map(|(p, _)| p.name.clone()).collect();
        if let ([input], [Kind::Picture | Kind::Unknown]) = (graph.inputs(), &found[..]) {
            let images = synthetic::images(kinds::dims(&input.shape), n, seed);
            return Self { images, is_open: true, unknown };
        }
        let parts: Vec<(Vec<f32>, usize)> = ports
            .enumerate()
            .map(|(i, (port, kind))| {
                (of_kind(kind, &port.shape, n, seed, i as u64), port.shape.iter().product())
            })
            .collect();
        let mut values = Vec::new();
        for i in 0..n {
            for (part, len) in &parts {
                values.extend_from_slice(&part[i * len..(i + 1) * len]);
            }
        }
        Self { images: Images::from_values(values, n, Vec::new()), is_open: false, unknown }
    }
}

/// Inputs of the kinds that a network takes, one list for each, of the input's shape; the same for the same `seed`.
///
/// What the network does with an input tells its kind: row numbers of a table are whole, a mask is 1 where something is. Pictures
/// and numbers of unknown kind are between -1 and 1.
pub fn synthetic_inputs(model: &Model, seed: u64) -> Vec<Vec<f32>> {
    let ports = model.graph.inputs().iter().enumerate();
    ports.map(|(i, port)| of_kind(&kinds::kind(model, i), &port.shape, 1, seed, i as u64)).collect()
}

/// `n` values of one kind, of the input number `input`.
fn of_kind(kind: &Kind, shape: &[usize], n: usize, seed: u64, input: u64) -> Vec<f32> {
    let len: usize = shape.iter().product();
    if let Kind::Picture | Kind::Unknown = kind {
        let images = synthetic::images(kinds::dims(shape), n, seed);
        let mut values = vec![0.0; n * len];
        images.read(0, &mut values);
        return values;
    }
    let one = |i: usize| -> Vec<f32> {
        let mut random = Random::new((seed + i as u64 + 1) ^ (input << 32));
        match kind {
            Kind::Index(rows) => document(len, *rows, &mut random).into_iter().map(|s| s as f32).collect(),
            Kind::Symbols(list) => {
                document(len, list.len(), &mut random).into_iter().map(|s| list[s]).collect()
            }
            Kind::Mask => {
                let end = if i.is_multiple_of(2) { len } else { len / 2 + below(len - len / 2, &mut random) };
                (0..len).map(|at| if at < end.max(1) { 1.0 } else { 0.0 }).collect()
            }
            Kind::State => {
                let size = if i.is_multiple_of(2) { 0.0 } else { 0.3 };
                (0..len).map(|_| (size * random.bell()).clamp(-1.0, 1.0)).collect()
            }
            Kind::Sound => sound(len, &mut random),
            Kind::Picture | Kind::Unknown => Vec::new(),
        }
    };
    (0..n).flat_map(one).collect()
}

/// A whole number below `n`, or 0.
fn below(n: usize, random: &mut Random) -> usize {
    ((random.uniform() * n as f64) as usize).min(n.saturating_sub(1))
}

/// `len` of `n` symbols: words of a small part of them, the first words far more frequent than the last; or no order at all.
/// Some end before their end, filled up with the first or the last symbol.
fn document(len: usize, n: usize, random: &mut Random) -> Vec<usize> {
    if n <= 2 {
        let turn = below(len + 1, random);
        return (0..len).map(|i| usize::from(n == 2 && i >= turn)).collect();
    }
    let mut all = Vec::with_capacity(len + LONGEST);
    if below(DISORDERED, random) == 0 {
        all.extend((0..len).map(|_| below(n, random)));
    } else {
        // An alphabet: symbols next to each other, or anywhere.
        let size = 3 + below(n - 2, random).min(below(n - 2, random));
        let (first, is_near) = (below(n - size + 1, random), below(2, random) == 0);
        let letters: Vec<usize> =
            (0..size).map(|i| if is_near { first + i } else { below(n, random) }).collect();
        let word = |random: &mut Random| -> Vec<usize> {
            (0..1 + below(LONGEST, random))
                .map(|_| letters[below(size, random).min(below(size, random))])
                .collect()
        };
        let words: Vec<Vec<usize>> = (0..WORDS).map(|_| word(random)).collect();
        let between = letters[below(size, random)];
        while all.len() < len {
            let at = below(WORDS, random).min(below(WORDS, random)).min(below(WORDS, random));
            if below(16, random) == 0 {
                all.extend(word(random));
            } else {
                all.extend_from_slice(&words[at]);
            }
            all.push(between);
        }
    }
    all.truncate(len);
    if below(3, random) == 0 {
        let filler = if below(2, random) == 0 { n - 1 } else { 0 };
        let end = len / 4 + below(len - len / 4, random);
        all[end..].fill(filler);
    }
    all
}

/// A tone with overtones that swells and fades, in noise; within -1 and 1.
fn sound(len: usize, random: &mut Random) -> Vec<f32> {
    let loud = 0.02 + 0.6 * (random.uniform() * random.uniform()) as f32;
    let noisy = 0.2 * random.uniform() as f32;
    // The tangent of half the angle from one sample to the next.
    let half = 0.01 + 0.09 * random.uniform();
    let turn = [(1.0 - half * half) / (1.0 + half * half), 2.0 * half / (1.0 + half * half)];
    let strengths: Vec<f32> = (1..=OVERTONES).map(|k| random.uniform() as f32 / k as f32).collect();
    let (mut at, mut noise) = (random.direction(), 0.0f32);
    let (mut swell, mut goal) = (random.uniform() as f32, 1.0f32);
    (0..len)
        .map(|i| {
            if i.is_multiple_of(512) {
                goal = if below(3, random) == 0 { 0.0 } else { random.uniform() as f32 };
            }
            swell += 0.01 * (goal - swell);
            at = [at[0] * turn[0] - at[1] * turn[1], at[0] * turn[1] + at[1] * turn[0]];
            let (mut power, mut tone) = (at, 0.0);
            for strength in &strengths {
                tone += strength * power[1] as f32;
                power = [power[0] * at[0] - power[1] * at[1], power[0] * at[1] + power[1] * at[0]];
            }
            noise = 0.7 * noise + 0.7 * random.bell();
            (loud * (swell * tone + noisy * noise)).clamp(-1.0, 1.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_whole_and_come_again() {
        let mut n_repeated = 0;
        for seed in 0..40 {
            let text = document(500, 200, &mut Random::new(seed));
            assert!(text.len() == 500 && text.iter().all(|&s| s < 200));
            let mut pairs: Vec<_> = text.windows(3).map(<[usize]>::to_vec).collect();
            pairs.sort_unstable();
            pairs.dedup();
            n_repeated += usize::from(pairs.len() < 350);
            assert_eq!(text, document(500, 200, &mut Random::new(seed)));
        }
        assert!(n_repeated > 15 && n_repeated < 40, "{n_repeated}");
        assert!(document(9, 1, &mut Random::new(1)).iter().all(|&s| s == 0));
    }

    #[test]
    fn sound_is_neither_silence_nor_noise() {
        let wave = sound(16_000, &mut Random::new(3));
        let energy = |lag: usize| -> f64 {
            wave.iter().zip(&wave[lag..]).map(|(a, b)| f64::from(a * b)).sum::<f64>() / wave.len() as f64
        };
        assert!(energy(0) > 1e-6 && energy(1) > 0.3 * energy(0), "{} {}", energy(0), energy(1));
        assert!(wave.iter().all(|x| x.abs() <= 1.0));
    }

    #[test]
    fn masks_end_and_states_stay_small() {
        let masks = of_kind(&Kind::Mask, &[10], 4, 0, 0);
        assert!(masks[..10].iter().all(|&m| m == 1.0) && masks.iter().all(|&m| m == 0.0 || m == 1.0));
        assert!(of_kind(&Kind::State, &[10], 4, 0, 0).iter().all(|s| s.abs() <= 1.0));
    }
}
