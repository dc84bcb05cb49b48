//! A prediction refined by what else is known: mixed with counters under a few contexts.

use super::{
    binary::Coder,
    counter::Counter,
    mixer::{Mix, Mixer, Rate},
    tables::{TRUST_12, stretch},
};
use alloc::{vec, vec::Vec};

/// Contexts of a bit, the first the main one.
const N_CONTEXTS: usize = 4;
/// The prediction, the main context's own, and how far the others would move that.
const N_INPUTS: usize = 1 + N_CONTEXTS;
const N_SETS: usize = 32;

const RATE: Rate = Rate::new(150, 4);
const LIMIT: u32 = 1000;
/// Where the main context knows best, and where the prediction does; in 1/1024.
static START: [i16; N_INPUTS] = [200, 850, 350, 350, 350];
static START_RICH: [i16; N_INPUTS] = [900, 100, 200, 200, 200];

/// See the [module page](self).
#[derive(Debug, Clone)]
pub(crate) struct Refined {
    mixer: Mixer<N_INPUTS, 1, N_SETS>,
    contexts: [Vec<Counter>; N_CONTEXTS],
}

impl Refined {
    /// With so many values of each context.
    pub(crate) fn new(sizes: [usize; N_CONTEXTS]) -> Self {
        Self { mixer: Mixer::new(&START, RATE), contexts: sizes.map(|n| vec![Counter::NEW; n]) }
    }

    /// The counters of the main context, to give them other beginnings.
    pub(crate) fn first(&mut self) -> &mut [Counter] {
        &mut self.contexts[0]
    }

    /// Begins with more trust in the prediction where this set of weights is selected.
    pub(crate) fn trust_rich(&mut self, set: usize) {
        self.mixer.start(set, &START_RICH);
    }

    /// Codes a bit that is predicted with `logit`, and learns from it.
    #[inline(always)]
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        bit: bool,
        logit: i32,
        contexts: [usize; N_CONTEXTS],
        set: usize,
    ) -> bool {
        let base = stretch(self.contexts[0][contexts[0]].p());
        let mut inputs = [logit, base, 0, 0, 0];
        for i in 1..N_CONTEXTS {
            inputs[1 + i] = self.contexts[i][contexts[i]].evidence(base, &TRUST_12);
        }
        let mix: Mix<N_INPUTS, 1> = self.mixer.mix([set], inputs);
        let bit = coder.code(bit, mix.p);
        self.mixer.learn(&mix, bit);
        for (counters, context) in self.contexts.iter_mut().zip(contexts) {
            counters[context].learn(bit, LIMIT);
        }
        bit
    }
}
