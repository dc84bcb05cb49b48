//! Integer tables of the logistic function and the logarithm, made by integer arithmetic alone.
//!
//! Everything follows from one geometric row, `E[i]`: 2^30 times e to the power of i / 256, multiplied up step by
//! step with rounding down. A *logit* is `256 ln(p / (1 - p))`, kept within ±[`LOGIT_MAX`].

use super::{
    priors,
    table::{Table, tables},
    window::MAX_KEPT,
};

/// Largest logit: `12 * 256 - 1`, where the probability of the other bit is about 2^-17.3.
pub(crate) const LOGIT_MAX: i32 = 3071;
/// `E[0]`.
const ONE: u64 = 1 << 30;
/// `E[i + 1] = E[i] * RATIO >> 30`: 2^30 times e to the power of 1 / 256, rounded to nearest.
const RATIO: u64 = 1_077_944_331;
/// Entries of the table of logarithms.
const N_LOG: usize = 4096;

const fn geometric() -> [u64; LOGIT_MAX as usize + 1] {
    let mut row = [ONE; LOGIT_MAX as usize + 1];
    let mut i = 1;
    while i < row.len() {
        row[i] = ((row[i - 1] as u128 * RATIO as u128) >> 30) as u64;
        i += 1;
    }
    row
}

tables! {
    /// `65536 / (1 + e^(-x/256))` for x = 0..=LOGIT_MAX, rounded down, at most 65535.
    static SQUASH: [LOGIT_MAX as usize + 1] = squashed();
    /// `256 ln n`, rounded down; entry 0 is 0.
    static LOG: [N_LOG] = logarithms();
    /// Logits of probabilities as signed numbers, the middle of each step: in steps of 1/4096 up to one half, in steps of 1/2^18 up
    /// to 1/128.
    static STRETCH: [N_STRETCH] = stretched();
    /// `65536 / (n + 1.5)`, rounded down: how far a counter moves that has seen `n` bits.
    pub(crate) static STEPS: [N_SEEN] = steps();
    /// Logarithms of the kept weights of a window, with its prior.
    pub(crate) static LOG_KEPT: [MAX_KEPT + 1] = logarithms_of_kept();
    pub(crate) static TRUST_5: [N_SEEN] = trust(5);
    pub(crate) static TRUST_8: [N_SEEN] = trust(8);
    pub(crate) static TRUST_12: [N_SEEN] = trust(12);
    pub(crate) static TRUST_16: [N_SEEN] = trust(16);
    pub(crate) static TRUST_24: [N_SEEN] = trust(24);
    pub(crate) static TRUST_28: [N_SEEN] = trust(28);
}

/// How many bits a counter has seen, at most.
const N_SEEN: usize = 1024;

/// `32768 n / (n + doubt)`, rounded down: how far a counter that has seen `n` bits is to be trusted. The doubt in the
/// names of tables is in quarters of a bit.
pub(crate) type Trust = Table<N_SEEN>;

const fn squashed() -> [u16; LOGIT_MAX as usize + 1] {
    let row = geometric();
    let mut table = [0; LOGIT_MAX as usize + 1];
    let mut i = 0;
    while i < table.len() {
        table[i] = ((row[i] << 16) / (row[i] + ONE)) as u16;
        i += 1;
    }
    table
}

const fn logarithms() -> [u16; N_LOG] {
    let row = geometric();
    let mut table = [0; N_LOG];
    let (mut n, mut x) = (1, 0);
    while n < N_LOG {
        while row[x + 1] <= n as u64 * ONE {
            x += 1;
        }
        table[n] = x as u16;
        n += 1;
    }
    table
}

const fn stretched() -> [u16; N_STRETCH] {
    let logs = logarithms();
    let mut table = [0; N_STRETCH];
    let mut i = 0;
    while i < N_STRETCH / 2 {
        let odd = 2 * i as u64 + 1;
        table[i] = (log_by(&logs, odd) - log_by(&logs, 8192 - odd)) as u16;
        table[N_STRETCH / 2 + i] = (log_by(&logs, odd) - log_by(&logs, (1 << 19) - odd)) as u16;
        i += 1;
    }
    table
}

const fn steps() -> [u16; N_SEEN] {
    let mut table = [0; N_SEEN];
    let mut n = 0;
    while n < N_SEEN {
        table[n] = (131_072 / (2 * n + 3)) as u16;
        n += 1;
    }
    table
}

const fn logarithms_of_kept() -> [u16; MAX_KEPT + 1] {
    let logs = logarithms();
    let mut table = [0; MAX_KEPT + 1];
    let mut kept = 0;
    while kept <= MAX_KEPT {
        table[kept] = log_by(&logs, ((kept as u64) << 16) + priors::WINDOW_PRIOR) as u16;
        kept += 1;
    }
    table
}

const fn trust(doubt: usize) -> [u16; N_SEEN] {
    let mut table = [0; N_SEEN];
    let mut n = 0;
    while n < N_SEEN {
        table[n] = (32768 * 4 * n / (4 * n + doubt)) as u16;
        n += 1;
    }
    table
}

/// The probability of a one, in 1/65536, of a logit: 1 to 65535.
#[inline(always)]
pub(crate) fn squash(logit: i32) -> u32 {
    let x = logit.unsigned_abs().min(LOGIT_MAX as u32) as usize;
    let p = u32::from(SQUASH.at(x));
    if logit < 0 { 65536 - p } else { p }
}

/// About `256 ln n`; 0 for 0. From 4096 on, the table's entry for the upper 12 bits plus 177.4453 for each bit more.
#[inline(always)]
pub(crate) fn log(n: u64) -> i32 {
    let (index, more) = log_parts(n);
    i32::from(LOG.at(index)) + more
}

/// The same by a table at hand.
const fn log_by(logs: &[u16; N_LOG], n: u64) -> i32 {
    let (index, more) = log_parts(n);
    logs[index] as i32 + more
}

/// The table's entry, and what is added to it.
#[inline(always)]
const fn log_parts(n: u64) -> (usize, i32) {
    let shift = 52_u32.saturating_sub(n.leading_zeros());
    ((n >> shift) as usize, ((shift * 45426) >> 8) as i32)
}

/// The logit of the odds `ones : zeros`.
#[inline(always)]
pub(crate) fn ratio(ones: u64, zeros: u64) -> i32 {
    log(ones) - log(zeros)
}

/// The logit of a probability of 22 bits.
///
/// Of the smaller side the upper 12 bits count, or, below 1/128, the upper 18.
#[inline(always)]
pub(crate) fn stretch(p: u32) -> i32 {
    let is_large = p >= 1 << 21;
    let q = if is_large { (1 << 22) - 1 - p } else { p };
    let index = if q < FINE { N_STRETCH / 2 + (q >> 4) as usize } else { (q >> 10) as usize };
    let logit = i32::from(STRETCH.at(index % N_STRETCH) as i16);
    if is_large { -logit } else { logit }
}

/// Below this, probabilities of 22 bits are looked up more finely.
const FINE: u32 = 1 << 15;
const N_STRETCH: usize = 4096;

/// A coarse logarithm for contexts: 0, 1, 2, 3, then two steps per octave, at most 23.
#[inline(always)]
pub(crate) fn coarse(n: u32) -> usize {
    if n < 4 {
        return n as usize;
    }
    let octave = n.ilog2();
    ((octave * 2 + (n >> (octave - 1) & 1)) as usize).min(N_COARSE - 1)
}

/// The number of values of [`coarse`].
pub(crate) const N_COARSE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_e_to_the_1_256() {
        assert_eq!(RATIO, ((1.0_f64 / 256.0).exp() * ONE as f64).round() as u64);
    }

    #[test]
    fn close_to_the_real_functions() {
        for x in -LOGIT_MAX..=LOGIT_MAX {
            let real = 65536.0 / (1.0 + (-f64::from(x) / 256.0).exp());
            assert!((f64::from(squash(x)) - real).abs() <= 1.0, "{x}");
        }
        for n in (1..100_000).chain([1 << 32, (1 << 50) - 1, u64::MAX]) {
            let real = 256.0 * (n as f64).ln();
            assert!((f64::from(log(n)) - real).abs() <= 2.5, "{n}: {} {real}", log(n));
        }
        let middles = (0..2048).map(|i| (i << 4) + 8).chain((32..2048).map(|i| (i << 10) + 512));
        for p in middles {
            let real = 256.0 * (f64::from(p) / (4194304.0 - f64::from(p))).ln();
            assert!((f64::from(stretch(p)) - real).abs() <= 4.0, "{p}: {} {real}", stretch(p));
            assert_eq!(stretch((1 << 22) - 1 - p), -stretch(p));
        }
    }
}
