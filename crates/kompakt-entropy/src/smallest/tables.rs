//! Integer tables of the logistic function and the logarithm, made by integer arithmetic alone.
//!
//! Everything follows from one geometric row, `E[i]`: 2^30 times e to the power of i / 256, multiplied up step by
//! step with rounding down. A *logit* is `256 ln(p / (1 - p))`, kept within ±[`LOGIT_MAX`].

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

static GEOMETRIC: [u64; LOGIT_MAX as usize + 1] = geometric();

/// `65536 / (1 + e^(-x/256))` for x = 0..=LOGIT_MAX, rounded down, at most 65535.
static SQUASH: [u16; LOGIT_MAX as usize + 1] = {
    let mut table = [0; LOGIT_MAX as usize + 1];
    let mut i = 0;
    while i < table.len() {
        table[i] = ((GEOMETRIC[i] << 16) / (GEOMETRIC[i] + ONE)) as u16;
        i += 1;
    }
    table
};

/// `256 ln n`, rounded down; entry 0 is 0.
static LOG: [u16; N_LOG] = {
    let mut table = [0; N_LOG];
    let (mut n, mut x) = (1, 0);
    while n < N_LOG {
        while GEOMETRIC[x + 1] <= n as u64 * ONE {
            x += 1;
        }
        table[n] = x as u16;
        n += 1;
    }
    table
};

/// The probability of a one, in 1/65536, of a logit: 1 to 65535.
#[inline(always)]
pub(crate) fn squash(logit: i32) -> u32 {
    let x = logit.unsigned_abs().min(LOGIT_MAX as u32) as usize;
    let p = u32::from(SQUASH[x]);
    if logit < 0 { 65536 - p } else { p }
}

/// About `256 ln n`; 0 for 0. From 4096 on, the table's entry for the upper 12 bits plus 177.4453 for each bit more.
#[inline(always)]
pub(crate) const fn log(n: u64) -> i32 {
    let shift = 52_u32.saturating_sub(n.leading_zeros());
    LOG[(n >> shift) as usize] as i32 + ((shift * 45426) >> 8) as i32
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
    let logit = i32::from(STRETCH[index % N_STRETCH]);
    if is_large { -logit } else { logit }
}

/// Below this, probabilities of 22 bits are looked up more finely.
const FINE: u32 = 1 << 15;
const N_STRETCH: usize = 4096;

/// Logits of probabilities, the middle of each step: in steps of 1/4096 up to one half, in steps of 1/2^18 up to 1/128.
static STRETCH: [i16; N_STRETCH] = {
    let mut table = [0; N_STRETCH];
    let mut i = 0;
    while i < N_STRETCH / 2 {
        let odd = 2 * i as u64 + 1;
        table[i] = (log(odd) - log(8192 - odd)) as i16;
        table[N_STRETCH / 2 + i] = (log(odd) - log((1 << 19) - odd)) as i16;
        i += 1;
    }
    table
};

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
