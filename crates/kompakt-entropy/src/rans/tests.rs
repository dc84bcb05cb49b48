//! All instruction sets on the same cases: valid streams, invalid streams, and streams flush against a guard
//! page.

use super::*;
use crate::Isa;
use alloc::{format, string::String, vec, vec::Vec};
use kompakt_testing::guard::Page;

/// Runs of symbols, each with its histogram, as one stream.
struct Case {
    name: String,
    log2_ways: u32,
    runs: Vec<(Histogram, Vec<u8>)>,
}

impl Case {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(self.log2_ways);
        for (histogram, symbols) in self.runs.iter().rev() {
            encoder.push(&Slots::new(histogram), symbols);
        }
        encoder.finish()
    }

    fn decode(&self, bytes: &[u8], isa: Isa) -> Result<Vec<Vec<u8>>, crate::EntropyError> {
        let mut decoder = Decoder::new(bytes, self.log2_ways, isa)?;
        let mut runs = Vec::new();
        for (histogram, symbols) in &self.runs {
            let mut out = vec![0xee; symbols.len()];
            decoder.decode(&Table::new(histogram, isa), &mut out)?;
            runs.push(out);
        }
        decoder.finish()?;
        Ok(runs)
    }
}

/// xorshift, so that cases are the same on every machine.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// `n` symbols below `alphabet`, each `skew` times as likely as the next.
fn symbols(alphabet: usize, skew: f64, n: usize, seed: &mut u64) -> Vec<u8> {
    let weights: Vec<f64> = (0..alphabet).map(|s| skew.powi(-(s as i32))).collect();
    let total: f64 = weights.iter().sum();
    let draw = |at: f64| {
        let mut at = at * total;
        weights
            .iter()
            .position(|w| {
                at -= w;
                at < 0.0
            })
            .unwrap_or(0) as u8
    };
    (0..n).map(|_| draw((random(seed) >> 11) as f64 / (1u64 << 53) as f64)).collect()
}

fn run(alphabet: usize, skew: f64, n: usize, seed: &mut u64) -> (Histogram, Vec<u8>) {
    let symbols = symbols(alphabet, skew, n, seed);
    // All of the alphabet gets slots, so that an empty run has a histogram too.
    let mut counts = vec![1u64; alphabet];
    for &symbol in &symbols {
        counts[usize::from(symbol)] += 1;
    }
    (Histogram::of_counts(&counts).unwrap(), symbols)
}

fn cases() -> Vec<Case> {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut cases = Vec::new();
    for log2_ways in 0..=MAX_LOG2_WAYS {
        for alphabet in [1, 2, 3, 5, 15, 16, 17, 64, 255, 256] {
            for skew in [1.0, 1.1, 3.0] {
                for n in [0, 1, 15, 16, 17, 63, 64, 65, 200, 5000] {
                    let name = format!("{log2_ways} {alphabet} {skew} {n}");
                    cases.push(Case { name, log2_ways, runs: vec![run(alphabet, skew, n, &mut seed)] });
                }
            }
        }
        let runs =
            [(16, 1.5, 100), (256, 1.02, 77), (1, 1.0, 50), (3, 9.0, 1000), (2, 1.0, 64), (17, 2.0, 0)]
                .map(|(alphabet, skew, n)| run(alphabet, skew, n, &mut seed));
        let mut runs = Vec::from(runs);
        for lone in [0, 3, 200] {
            let mut counts = vec![0; 256];
            counts[lone] = 1;
            runs.insert(lone % 5, (Histogram::of_counts(&counts).unwrap(), vec![lone as u8; 70]));
        }
        cases.push(Case { name: format!("{log2_ways}, nine runs"), log2_ways, runs });
    }
    cases
}

#[test]
fn every_instruction_set_decodes_what_was_encoded() {
    for case in cases() {
        let bytes = case.encode();
        let expected: Vec<_> = case.runs.iter().map(|(_, symbols)| symbols.clone()).collect();
        for isa in Isa::available() {
            assert_eq!(case.decode(&bytes, isa).unwrap(), expected, "{} {}", case.name, isa.name());
        }
    }
}

/// A table made for one instruction set serves another.
#[test]
fn any_table_serves_any_instruction_set() {
    let (histogram, symbols) = run(16, 1.5, 1000, &mut 5);
    let case = Case { name: String::new(), log2_ways: 6, runs: vec![(histogram.clone(), symbols.clone())] };
    let bytes = case.encode();
    for (made_for, used_by) in Isa::available().flat_map(|a| Isa::available().map(move |b| (a, b))) {
        let mut decoder = Decoder::new(&bytes, 6, used_by).unwrap();
        let mut out = vec![0; symbols.len()];
        decoder.decode(&Table::new(&histogram, made_for), &mut out).unwrap();
        assert_eq!(out, symbols);
    }
}

/// A longer stream, a shorter one and one with a flipped bit: the same error, or the same wrong symbols, from
/// every instruction set.
#[test]
fn every_instruction_set_says_the_same_of_wrong_streams() {
    let mut seed = 1;
    for case in cases() {
        let mut bytes = case.encode();
        let n = bytes.len();
        let flip = random(&mut seed) as usize % (8 * n);
        let mut wrong = vec![bytes[..n - 1].to_vec(), bytes[..random(&mut seed) as usize % n].to_vec()];
        bytes[flip / 8] ^= 1 << (flip % 8);
        wrong.push(bytes.clone());
        bytes.push(0);
        wrong.push(bytes.clone());
        for bytes in wrong {
            let expected = case.decode(&bytes, Isa::SCALAR);
            for isa in Isa::available() {
                assert_eq!(case.decode(&bytes, isa), expected, "{} {}", case.name, isa.name());
            }
            assert!(expected.is_err() || bytes.len() == n, "{}", case.name);
        }
    }
}

#[test]
fn any_bytes_are_survived() {
    let histograms = [1, 2, 16, 256].map(|alphabet| Histogram::of_counts(&vec![1; alphabet]).unwrap());
    arbtest::arbtest(|u| {
        let bytes: Vec<u8> = u.arbitrary()?;
        let log2_ways = u.int_in_range(0..=MAX_LOG2_WAYS + 1)?;
        for isa in Isa::available() {
            let Ok(mut decoder) = Decoder::new(&bytes, log2_ways, isa) else { continue };
            for histogram in &histograms {
                let _ = decoder.decode(&Table::new(histogram, isa), &mut [0; 100]);
            }
            let _ = decoder.finish();
        }
        Ok(())
    });
}

/// Within 1 % of the entropy of the histogram, and 3 bytes per way.
#[test]
fn streams_are_as_short_as_they_should_be() {
    let mut seed = 7;
    for (alphabet, skew) in [(2, 20.0), (16, 1.3), (16, 1.0), (17, 1.1), (256, 1.02)] {
        let (histogram, symbols) = run(alphabet, skew, 100_000, &mut seed);
        let mut counts = vec![0u64; alphabet];
        symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
        let n = symbols.len() as f64;
        let bits: f64 = counts.iter().filter(|&&c| c > 0).map(|&c| -(c as f64) * (c as f64 / n).log2()).sum();
        let case = Case { name: String::new(), log2_ways: 6, runs: vec![(histogram.clone(), symbols)] };
        let ours = case.encode().len() as f64;
        assert!(ours <= bits / 8.0 * 1.01 + 3.5 * 64.0, "{alphabet} {skew}: {ours}, entropy {}", bits / 8.0);
        let foretold = histogram.cost(&counts).unwrap() as f64 / 65536.0 / 8.0;
        assert!((ours - foretold).abs() <= foretold * 0.001 + 4.0 * 64.0, "{ours} foretold {foretold}");
    }
}

/// The stream and its symbols are placed directly before a guard page.
#[test]
fn nothing_past_the_ends_is_touched() {
    let [mut input, mut output] = [0; 2].map(|_| Page::new(1 << 16));
    for case in cases().into_iter().filter(|case| case.runs.len() == 1) {
        let bytes = case.encode();
        let (histogram, symbols) = &case.runs[0];
        for isa in Isa::available() {
            for cut in [0, 1, 2, 5].into_iter().filter(|&cut| cut <= bytes.len()) {
                let stream = input.end(bytes.len() - cut);
                stream.copy_from_slice(&bytes[..bytes.len() - cut]);
                let out = output.end(symbols.len());
                let Ok(mut decoder) = Decoder::new(stream, case.log2_ways, isa) else { continue };
                let result = decoder.decode(&Table::new(histogram, isa), out);
                assert!(cut > 0 || (result.is_ok() && out == symbols), "{} {}", case.name, isa.name());
            }
        }
    }
}
