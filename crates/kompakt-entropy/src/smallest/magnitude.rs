//! The model of magnitudes: how far from zero a kept weight's level is among those of its sign.
//!
//! A side of `n` levels is a binary tree: `lo..hi` is cut at the middle until one is left. The first four cuts
//! are mixed from contexts; the ones below have one adaptive counter each.

use super::{counter::Counter, mixer::Mix, mixer::Mixer, picture::Kind, priors, tables::log};
use alloc::{vec, vec::Vec};

pub(crate) const N_INPUTS: usize = 1 + N_CONTEXTS + N_DIRECT;
const N_CONTEXTS: usize = 5;
const N_DIRECT: usize = 8;
/// Sides of 1 to 16 levels, then of up to 32, 64, 128 and 256.
const N_CLASSES: usize = 20;
/// One set of weights a class and node, filled up to a power of two.
const N_SETS: usize = (N_CLASSES * N_NODES).next_power_of_two();
/// Nodes that are mixed, with the unused number 0.
const N_NODES: usize = 16;

/// What is known about a magnitude before it is coded. Magnitudes are in 1/256 of a side's length.
pub(crate) struct Surroundings {
    /// The logit that the weight was kept with.
    pub(crate) kept_logit: i32,
    /// Means over the tensor, the row, the column and the window.
    pub(crate) tensor: i32,
    pub(crate) row: i32,
    pub(crate) column: i32,
    pub(crate) window: i32,
    /// LEFT, UP, ABOVE, PLANE; `None` where nothing is kept.
    pub(crate) near: [Option<i32>; 4],
    /// Kept so far in the column.
    pub(crate) in_column: u32,
}

/// The same as inputs: what every cut is asked with.
pub(crate) struct Known {
    contexts: [usize; N_CONTEXTS],
    direct: [i32; N_DIRECT],
}

impl Known {
    #[inline(always)]
    pub(crate) fn new(at: &Surroundings) -> Self {
        Self { contexts: contexts(at), direct: direct(at) }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct MagnitudeModel {
    mixers: [Mixer<N_INPUTS, 1, N_SETS>; 3],
    /// By class and node, whatever the sign.
    shared: Vec<Counter>,
    /// The same with the sign.
    signed: Vec<Counter>,
    contexts: [Vec<Counter>; N_CONTEXTS],
    /// Below the mixed nodes: by class and node.
    deep: Vec<Counter>,
}

/// One cut of the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    class: usize,
    negative: bool,
    node: usize,
    /// The logit of the upper part if all levels were equally likely.
    even: i32,
}

impl Cut {
    /// The cut of `lo..hi` at `middle` at node `node` of a side of `side` levels, at least 2.
    #[inline(always)]
    pub(crate) fn new(side: usize, negative: bool, node: usize, [lo, middle, hi]: [usize; 3]) -> Self {
        let class = if side <= 16 { side - 1 } else { 12 + (side - 1).ilog2() as usize };
        let even = log((hi - middle) as u64) - log((middle - lo) as u64);
        Self { class, negative, node, even }
    }
}

pub(crate) enum Prediction {
    Mixed { mix: Mix<N_INPUTS, 1>, node: usize, signed: usize, contexts: [usize; N_CONTEXTS] },
    Deep { index: usize, p: u32 },
}

impl Prediction {
    #[inline(always)]
    pub(crate) fn p(&self) -> u32 {
        match self {
            Self::Mixed { mix, .. } => mix.p,
            Self::Deep { p, .. } => *p,
        }
    }
}

impl MagnitudeModel {
    #[inline(never)]
    pub(crate) fn new() -> Self {
        let n_nodes = N_CLASSES * N_NODES;
        let mixer = |_| Mixer::new(&priors::MAGNITUDE_WEIGHTS, priors::MAGNITUDE_RATE);
        let counters = |n| vec![Counter::NEW; n];
        Self {
            mixers: core::array::from_fn(mixer),
            shared: counters(n_nodes),
            signed: counters(2 * n_nodes),
            contexts: core::array::from_fn(|_| counters(2 * n_nodes * 32)),
            deep: counters(4 * 256),
        }
    }

    #[inline(always)]
    pub(crate) fn predict(&self, kind: Kind, known: &Known, cut: Cut) -> Prediction {
        if cut.node >= N_NODES {
            let index = (cut.class - 16) * 256 + cut.node;
            return Prediction::Deep { index, p: (self.deep[index].p() >> 6).clamp(1, 65535) };
        }
        let node = cut.class * N_NODES + cut.node;
        let signed = 2 * node + usize::from(cut.negative);
        let contexts = known.contexts.map(|context| signed * 32 + context);
        let shared = cut.even + self.shared[node].evidence(cut.even, &priors::BASE_TRUST);
        let base = shared + self.signed[signed].evidence(shared, &priors::BASE_TRUST);
        let mut inputs = [0; N_INPUTS];
        inputs[0] = base;
        for (input, (counters, &context)) in inputs[1..].iter_mut().zip(self.contexts.iter().zip(&contexts)) {
            *input = counters[context].evidence(base, &priors::MAGNITUDE_TRUST);
        }
        inputs[1 + N_CONTEXTS..].copy_from_slice(&known.direct);
        let mix = self.mixers[kind as usize].mix([node], inputs);
        Prediction::Mixed { mix, node, signed, contexts }
    }

    #[inline(always)]
    pub(crate) fn learn(&mut self, kind: Kind, prediction: &Prediction, upper: bool) {
        let limit = priors::MAGNITUDE_LIMIT;
        match prediction {
            Prediction::Deep { index, .. } => self.deep[*index].learn(upper, limit),
            Prediction::Mixed { mix, node, signed, contexts } => {
                self.mixers[kind as usize].learn(mix, upper);
                self.shared[*node].learn(upper, limit);
                self.signed[*signed].learn(upper, limit);
                for (counters, &context) in self.contexts.iter_mut().zip(contexts) {
                    counters[context].learn(upper, limit);
                }
            }
        }
    }
}

/// Five contexts of up to 32 values.
#[inline(always)]
fn contexts(at: &Surroundings) -> [usize; N_CONTEXTS] {
    let three = |m: Option<i32>| m.map_or(0, |m| 1 + ((m * 3) >> 8).min(2) as usize);
    let [left, up, above, plane] = at.near;
    [
        ((at.kept_logit + 1792) >> 8).clamp(0, 7) as usize,
        three(left) * 4 + three(up),
        ((at.row * 10) >> 8) as usize,
        ((at.column * 6) >> 8) as usize + 6 * at.in_column.min(3) as usize,
        three(above) * 4 + three(plane),
    ]
}

#[inline(always)]
fn direct(at: &Surroundings) -> [i32; N_DIRECT] {
    let from_mean = |m: Option<i32>| m.map_or(0, |m| m - at.tensor);
    let [left, up, above, plane] = at.near;
    [
        ((at.kept_logit + 768) * 77) >> 8,
        3 * (at.row - at.tensor),
        3 * (at.column - at.tensor),
        3 * (at.window - at.tensor),
        from_mean(left),
        from_mean(up),
        from_mean(above),
        from_mean(plane),
    ]
}
