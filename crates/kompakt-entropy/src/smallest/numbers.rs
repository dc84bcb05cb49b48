//! Numbers that are not weights: biases, codebooks, scales.

use super::{binary::Coder, counter::Counter};
use alloc::{vec, vec::Vec};

/// Top bits of a significand that are modelled; those below are close to random.
const MODELLED: u32 = 3;
const LIMIT: u32 = 60;

#[derive(Debug, Clone)]
pub(crate) struct NumberModel {
    sign: [Counter; 3],
    exponent: Vec<Counter>,
    significand: Vec<Counter>,
    size: Vec<Counter>,
    top: Vec<Counter>,
    last_sign: usize,
}

fn bit<C: Coder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let p = (counter.p() >> 6).clamp(1, 65535);
    let bit = coder.code(bit, p);
    counter.learn(bit, LIMIT);
    bit
}

/// Codes the lowest `width` bits of `value`, most significant first, in a tree of counters.
fn tree<C: Coder>(coder: &mut C, counters: &mut [Counter], width: u32, value: u32) -> u32 {
    let mut node = 1;
    for i in (0..width).rev() {
        node = node << 1 | usize::from(bit(coder, &mut counters[node], value >> i & 1 == 1));
    }
    node as u32 - (1 << width)
}

/// Codes `width` bits at even odds.
fn raw<C: Coder>(coder: &mut C, width: u32, value: u32) -> u32 {
    (0..width).rev().fold(0, |sum, i| sum << 1 | u32::from(coder.code(value >> i & 1 == 1, 1 << 15)))
}

impl NumberModel {
    pub(crate) fn new() -> Self {
        let counters = |n| vec![Counter::NEW; n];
        Self {
            sign: [Counter::NEW; 3],
            exponent: counters(512),
            significand: counters(8 * 256),
            size: counters(64 * 3),
            top: counters(8 * 33),
            last_sign: 2,
        }
    }

    /// Codes a number of 1 + `E` + `M` bits.
    pub(crate) fn float<C: Coder, const E: u32, const M: u32>(&mut self, coder: &mut C, bits: u32) -> u32 {
        let sign = bit(coder, &mut self.sign[self.last_sign], bits >> (E + M) & 1 == 1);
        self.last_sign = usize::from(sign);
        let exponent =
            tree(coder, &mut self.exponent[256 * usize::from(E == 8)..], E, bits >> M & ((1 << E) - 1));
        let counters = &mut self.significand[8 * exponent as usize..];
        let top = tree(coder, counters, MODELLED, bits >> (M - MODELLED) & 7);
        let rest = raw(coder, M - MODELLED, bits & ((1 << (M - MODELLED)) - 1));
        u32::from(sign) << (E + M) | exponent << M | top << (M - MODELLED) | rest
    }

    /// Codes a whole number: how many bits its magnitude has, its sign, the bits below the first.
    pub(crate) fn integer<C: Coder>(&mut self, coder: &mut C, value: i32) -> i32 {
        let magnitude = value.unsigned_abs();
        let size = tree(coder, &mut self.size, 6, 32 - magnitude.leading_zeros());
        if size == 0 {
            return 0;
        }
        let sign = bit(coder, &mut self.sign[self.last_sign], value < 0);
        self.last_sign = usize::from(sign);
        let (size, below) = (size.min(32), size.min(32) - 1);
        let modelled = below.min(2);
        let rest_bits = below - modelled;
        let top = tree(
            coder,
            &mut self.top[8 * size as usize..],
            modelled,
            magnitude >> rest_bits & ((1 << modelled) - 1),
        );
        let rest = raw(coder, rest_bits, magnitude & ((1_u32 << rest_bits) - 1));
        let magnitude = (1_u32 << below) | top << rest_bits | rest;
        if sign { 0_i32.wrapping_sub_unsigned(magnitude) } else { magnitude as i32 }
    }
}
