//! A network of inverted residuals: batches run in parts, tiers, budgets, threads, instruction sets.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_runtime::{Isa, Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::inverted_residuals::inverted_residuals;
use kompakt_testing::models::{TIERS, checkpoint, expected, pack};
use kompakt_testing::numbers;

fn options(isa: Isa, max_batch: usize, threads: usize) -> SessionOptions {
    let mut options = SessionOptions::default();
    (options.isa, options.max_batch, options.threads) = (isa, max_batch, threads);
    options
}

#[test]
fn every_tier_budget_and_instruction_set() {
    for size in [27, 96] {
        let model = checkpoint(inverted_residuals(size), 3, |name| {
            // Pruned weights of a depthwise layer are stored as ordinary zeros.
            (if name.starts_with("n3.") { 0.5 } else { 0.3 }, 16)
        });
        let x = numbers(4, 3 * size * size * 2);
        for isa in Isa::available() {
            let mut bits: Option<Vec<f32>> = None;
            for tier in TIERS {
                let bytes = pack(&model, tier);
                let expected = expected(&bytes, std::slice::from_ref(&x), 2);
                let opened = Model::from_bytes(&bytes).unwrap();
                for (from_file, threads) in [(false, 1), (true, 1), (true, 3)] {
                    let mut options = options(isa, 1, threads);
                    (options.from_file, options.small_bytes) = (from_file, 0);
                    let mut session = Session::new(&opened, &options).unwrap();
                    session.run(&x, 2).unwrap();
                    for output in 0..2 {
                        let what = format!("{tier:?} {isa} {threads} threads, from the file {from_file}");
                        expected.assert_close(&what, output, session.output(output));
                    }
                    let planes = session.output(0);
                    assert_eq!(bits.get_or_insert_with(|| planes.to_vec()), planes, "{tier:?} {isa}");
                }
            }
        }
    }
}

/// A batch runs in parts; neither its size nor earlier runs change the results.
#[test]
fn batches_are_their_images() {
    let (size, n) = (64, 23);
    let bytes = pack(&checkpoint(inverted_residuals(size), 3, |_| (0.3, 16)), Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let x = numbers(4, 3 * size * size * n);
    let planes = |max_batch: usize, threads: usize, from_file: bool| {
        let mut options = options(Isa::best(), max_batch, threads);
        (options.from_file, options.small_bytes) = (from_file, 0);
        let mut session = Session::new(&model, &options).unwrap();
        session.run(&x, n).unwrap();
        (session.output(0).to_vec(), session.output(1).to_vec(), session.plan().activation_bytes)
    };
    let (one, classes, bytes_of_one) = planes(1, 1, false);
    for (max_batch, threads, from_file) in [(12, 1, false), (16, 3, false), (23, 1, true), (5, 2, true)] {
        let (found, found_classes, bytes) = planes(max_batch, threads, from_file);
        assert!(one == found, "batches of {max_batch}, {threads} threads, from the file {from_file}");
        for (a, b) in classes.iter().zip(&found_classes) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{a} {b}");
        }
        // Only inputs and results have memory for all images.
        assert!(bytes < bytes_of_one * max_batch, "{bytes} for {max_batch}, {bytes_of_one} for one");
    }
}

#[test]
fn the_least_budget_is_enough_and_named() {
    let bytes = pack(&checkpoint(inverted_residuals(32), 3, |_| (0.3, 16)), Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut options = options(Isa::best(), 1, 1);
    options.ram_budget = Some(0);
    let Err(RuntimeError::Budget { least, .. }) = Session::new(&model, &options) else {
        panic!("a budget of nothing")
    };
    options.ram_budget = Some(least);
    let session = Session::new(&model, &options).unwrap();
    assert!(session.plan().anonymous_bytes <= least);
}
