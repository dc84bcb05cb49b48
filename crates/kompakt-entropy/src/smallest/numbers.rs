//! Numbers that are not weights: biases, scales, codebooks.
//!
//! ```text
//! float    sign | exponent | upper significand bits | lower ones          modelled | … | … | at even odds
//! integer  how many bits its magnitude has | sign | those below the first
//! ```
//!
//! Codebooks have separate counters: they ascend, so that the gaps between values suffice:
//!
//! ```text
//! gap      how many bits, against the gap before | those below the first
//! ```

use super::{binary::Coder, counter::Counter};
use alloc::{vec, vec::Vec};

/// Significand bits that are modelled; the ones below come at even odds.
const N_MODELLED: u32 = 3;
/// How many bits a counter remembers.
const LIMIT: u32 = 60;

/// A gap that is larger than any.
const NOWHERE: i64 = 1 << 40;

/// The kind of a vector of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Anything.
    Plain = 0,
    /// Ascending.
    Codebook = 1,
}

/// The layout of a float: exponent and significand bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Float {
    exponent: u32,
    significand: u32,
}

pub(crate) const SINGLE: Float = Float { exponent: 8, significand: 23 };
pub(crate) const HALF: Float = Float { exponent: 5, significand: 10 };

impl Float {
    /// The rank of a number among all others; `None` for minus zero, which would have the rank of zero.
    pub(crate) fn rank(self, bits: u32) -> Option<i64> {
        let magnitude = i64::from(bits & self.top_rank());
        match bits > self.top_rank() {
            false => Some(magnitude),
            true if magnitude > 0 => Some(-magnitude),
            true => None,
        }
    }

    /// The number of that rank; `None` if there is none.
    pub(crate) fn number(self, rank: i64) -> Option<u32> {
        let magnitude = u32::try_from(rank.unsigned_abs()).ok().filter(|&m| m <= self.top_rank())?;
        Some(if rank < 0 { magnitude | (self.top_rank() + 1) } else { magnitude })
    }

    /// The largest rank: all bits but the sign.
    fn top_rank(self) -> u32 {
        (1 << (self.exponent + self.significand)) - 1
    }

    /// The rank without the lowest `spare` bits of the magnitude; that of minus zero is 0.
    pub(crate) fn step(self, bits: u32, spare: u32) -> i64 {
        let rank = self.rank(bits).unwrap_or(0);
        rank.signum() * (rank.abs() >> spare)
    }

    /// Bits of a significand.
    pub(crate) fn significand(self) -> u32 {
        self.significand
    }

    /// Bits of a number without those spared.
    pub(crate) fn bits(self, spare: u32) -> u64 {
        u64::from(1 + self.exponent + self.significand - spare)
    }

    /// How many of the lowest significand bits are 0 in all of the numbers.
    pub(crate) fn spare(self, numbers: impl Iterator<Item = u32>) -> u32 {
        let all = numbers.fold(0, |all, bits| all | bits);
        all.trailing_zeros().min(self.significand)
    }
}

/// Counters for one role and one kind of number.
#[derive(Debug, Clone)]
struct Fields {
    /// By the sign before; 2 at the start of a vector.
    sign: [Counter; 3],
    exponent: Vec<Counter>,
    zero: Counter,
    significand: [Counter; 1 << N_MODELLED],
    spare: [Counter; 32],
    /// By the number of bits so far.
    size: [Counter; 33],
    /// The size of a first gap, as a tree of six bits.
    first_gap: Vec<Counter>,
    /// Whether a gap has the size of the one before, whether it is smaller, and by how many bits.
    same: Counter,
    smaller: Counter,
    change: [Counter; 33],
    /// By size, then a tree of the two bits below the first.
    top: [[Counter; 4]; 33],
}

impl Fields {
    fn new() -> Self {
        Self {
            sign: [Counter::NEW; 3],
            exponent: vec![Counter::NEW; 256],
            zero: Counter::NEW,
            significand: [Counter::NEW; 1 << N_MODELLED],
            spare: [Counter::NEW; 32],
            size: [Counter::NEW; 33],
            first_gap: vec![Counter::NEW; 64],
            same: Counter::NEW,
            smaller: Counter::NEW,
            change: [Counter::NEW; 33],
            top: [[Counter::NEW; 4]; 33],
        }
    }
}

impl Fields {
    /// Calls `with` with every counter.
    fn each(&mut self, with: impl FnMut(&mut Counter)) {
        let lists: [&mut [Counter]; 8] = [
            &mut self.sign,
            &mut self.exponent,
            &mut self.significand,
            &mut self.spare,
            &mut self.size,
            &mut self.first_gap,
            &mut self.change,
            self.top.as_flattened_mut(),
        ];
        let single = [&mut self.zero, &mut self.same, &mut self.smaller];
        lists.into_iter().flatten().chain(single).for_each(with);
    }

    /// How many bits a gap has, against the `last` one.
    fn gap_size<C: Coder>(&mut self, coder: &mut C, last: u32, wanted: u32) -> u32 {
        if bit(coder, &mut self.same, wanted == last) {
            return last;
        }
        let smaller = match last {
            0 => false,
            32 => true,
            _ => bit(coder, &mut self.smaller, wanted < last),
        };
        let most = if smaller { last } else { 32 - last };
        let wanted = wanted.abs_diff(last);
        let mut change = 1;
        while change < most && bit(coder, &mut self.change[change as usize], wanted > change) {
            change += 1;
        }
        if smaller { last - change } else { last + change }
    }

    /// The bits below the first of a number of `size` bits, at least 1.
    fn below<C: Coder>(&mut self, coder: &mut C, size: u32, value: u64) -> u64 {
        let (below, modelled) = (size - 1, (size - 1).min(2));
        let (rest, value) = (below - modelled, value as u32);
        let top = tree(coder, &mut self.top[size as usize], modelled, value >> rest & ((1 << modelled) - 1));
        let low = raw(coder, rest, value & ((1 << rest) - 1));
        u64::from(1 << below | top << rest | low)
    }
}

/// The models of all numbers of a stream.
#[derive(Debug, Clone)]
pub(crate) struct NumberModel {
    /// Plain and codebook, each for floats of 32 bits, of 16 bits, and whole numbers.
    fields: [[Fields; 3]; 2],
}

impl NumberModel {
    pub(crate) fn new() -> Self {
        let three = || [Fields::new(), Fields::new(), Fields::new()];
        Self { fields: [three(), three()] }
    }

    /// Goes on as if no counter had seen more than `most` bits.
    pub(crate) fn forget(&mut self, most: u32) {
        for fields in self.fields.iter_mut().flatten() {
            fields.each(|counter| counter.forget(most));
        }
    }

    /// Starts a vector of floats.
    pub(crate) fn floats(&mut self, role: Role, float: Float) -> Floats<'_> {
        let fields = &mut self.fields[role as usize][usize::from(float.exponent == 5)];
        Floats { fields, float, spare: 0, last_sign: 2, last_gap: None }
    }

    /// Starts a vector of whole numbers.
    pub(crate) fn integers(&mut self, role: Role) -> Integers<'_> {
        Integers { fields: &mut self.fields[role as usize][2], last_sign: 2 }
    }
}

/// A vector of floats being coded.
pub(crate) struct Floats<'a> {
    fields: &'a mut Fields,
    float: Float,
    /// Lowest significand bits that are 0 in the whole vector and not coded.
    spare: u32,
    last_sign: usize,
    /// How many bits the last gap had.
    last_gap: Option<u32>,
}

impl Floats<'_> {
    /// Codes how many significand bits are spared, before the first number. A reader may read too large a number.
    pub(crate) fn spare<C: Coder>(&mut self, coder: &mut C, spare: u32) -> u32 {
        let read = tree(coder, &mut self.fields.spare, 5, spare);
        self.spare = read.min(self.float.significand);
        read
    }

    /// Codes the bits of a number.
    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, bits: u32) -> u32 {
        let Float { exponent: e, significand: s } = self.float;
        let fields = &mut *self.fields;
        let sign = bit(coder, &mut fields.sign[self.last_sign], bits >> (e + s) & 1 == 1);
        self.last_sign = usize::from(sign);
        let exponent = tree(coder, &mut fields.exponent, e, bits >> s & ((1 << e) - 1));
        let high = u32::from(sign) << (e + s) | exponent << s;
        let below = bits & ((1 << s) - 1);
        if exponent == 0 && bit(coder, &mut fields.zero, below == 0) {
            return high;
        }
        let modelled = N_MODELLED.min(s - self.spare);
        let top = tree(coder, &mut fields.significand, modelled, below >> (s - modelled));
        let rest = s - modelled - self.spare;
        let low = raw(coder, rest, below >> self.spare & ((1 << rest) - 1));
        high | top << (s - modelled) | low << self.spare
    }
}

impl Floats<'_> {
    /// Codes the difference of two ranks that ascend. A reader may read one that leads nowhere.
    pub(crate) fn gap<C: Coder>(&mut self, coder: &mut C, difference: i64) -> i64 {
        let value = ((difference >> self.spare) - 1) as u64;
        let wanted = 64 - value.leading_zeros();
        let fields = &mut *self.fields;
        let size = match self.last_gap {
            None => tree(coder, &mut fields.first_gap, 6, wanted),
            Some(last) => fields.gap_size(coder, last, wanted),
        };
        if size > 32 {
            return NOWHERE;
        }
        self.last_gap = Some(size);
        let value = if size == 0 { 0 } else { fields.below(coder, size, value) };
        (value as i64 + 1) << self.spare
    }
}

/// A vector of whole numbers being coded.
pub(crate) struct Integers<'a> {
    fields: &'a mut Fields,
    last_sign: usize,
}

impl Integers<'_> {
    /// Codes a number of up to 32 bits and a sign. A reader may read one whose magnitude is too large.
    pub(crate) fn signed<C: Coder>(&mut self, coder: &mut C, value: i64) -> i64 {
        let size = self.size(coder, value.unsigned_abs());
        if size == 0 {
            return 0;
        }
        let sign = bit(coder, &mut self.fields.sign[self.last_sign], value < 0);
        self.last_sign = usize::from(sign);
        let magnitude = self.fields.below(coder, size, value.unsigned_abs()) as i64;
        if sign { -magnitude } else { magnitude }
    }

    /// Codes a number of up to 32 bits.
    pub(crate) fn unsigned<C: Coder>(&mut self, coder: &mut C, value: u64) -> u64 {
        match self.size(coder, value) {
            0 => 0,
            size => self.fields.below(coder, size, value),
        }
    }

    /// How many bits the number has, in unary.
    fn size<C: Coder>(&mut self, coder: &mut C, value: u64) -> u32 {
        let wanted = 64 - value.leading_zeros();
        let mut size = 0;
        while size < 32 && bit(coder, &mut self.fields.size[size as usize], wanted > size) {
            size += 1;
        }
        size
    }
}

fn bit<C: Coder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let bit = coder.code(bit, (counter.p() >> 6).clamp(1, 65535));
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

/// Codes `width` bits at even odds, most significant first.
fn raw<C: Coder>(coder: &mut C, width: u32, value: u32) -> u32 {
    (0..width).rev().fold(0, |sum, i| sum << 1 | u32::from(coder.code(value >> i & 1 == 1, 1 << 15)))
}
