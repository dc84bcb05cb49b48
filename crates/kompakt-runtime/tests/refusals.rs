//! Invalid input leads to errors, not to crashes.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_graph::networks;
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::models::{checkpoint, pack};
use kompakt_testing::numbers;

fn small(tier: Tier) -> Vec<u8> {
    let graph = networks::lenet5(&[1, 14, 14], 4);
    let graph = graph.unwrap_or_else(|_| networks::mlp(&[1, 14, 14], &[30], 4).unwrap());
    pack(&checkpoint(graph, 1, |_| (0.1, 16)), tier)
}

#[test]
fn inputs_of_another_length() {
    let bytes = small(Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let x = numbers(1, 14 * 14 * 2);
    assert!(session.run(&x, 2).is_ok());
    assert!(matches!(session.run(&x, 1), Err(RuntimeError::Input { expected: 196, found: 392, .. })));
    assert!(matches!(session.run(&x, usize::MAX), Err(RuntimeError::Input { .. })));
    assert!(matches!(session.run_all(&[&x, &x], 2), Err(RuntimeError::InputCount { expected: 1, found: 2 })));
    let n = session.output_shape().iter().product::<usize>();
    let mut y = vec![0.0; 2 * n];
    let short = session.run_all_into(&[&x], 2, &mut [&mut y[..n]]);
    assert!(
        matches!(short, Err(RuntimeError::Output { index: 0, expected, found }) if (expected, found) == (2 * n, n))
    );
    let none = session.run_all_into(&[&x], 2, &mut []);
    assert!(matches!(none, Err(RuntimeError::Output { index: 0, found: 0, .. })));
    assert!(session.run_all_into(&[&x], 2, &mut [&mut y]).is_ok());
    assert_eq!(session.run(&[], 0).unwrap(), &[0f32; 0]);
    assert!(session.run(&x, 2).is_ok(), "a refusal leaves the session as it was");
}

#[test]
fn files_that_are_not_there_or_not_ours() {
    assert!(matches!(Model::map("no/such/file"), Err(RuntimeError::Io { .. })));
    assert!(matches!(Model::read("no/such/file"), Err(RuntimeError::Io { .. })));
    assert!(matches!(Model::from_bytes(b""), Err(RuntimeError::Format(_))));
    assert!(matches!(Model::from_bytes(b"not a model at all, not even close"), Err(RuntimeError::Format(_))));
}

/// Any flipped or missing byte: an error, or a session that runs; never a panic.
#[test]
fn damaged_files() {
    for tier in kompakt_testing::models::TIERS {
        let bytes = small(tier);
        let x = numbers(1, 196);
        let open_and_run = |bytes: &[u8]| -> Result<(), RuntimeError> {
            let model = Model::from_bytes(bytes)?;
            let mut session = Session::new(&model, &SessionOptions::default())?;
            session.run(&x, 1).map(|_| ())
        };
        open_and_run(&bytes).unwrap();
        let stride = (bytes.len() / 300).max(1);
        for at in (0..bytes.len()).step_by(stride) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let _ = open_and_run(&damaged);
            assert!(
                Model::from_bytes(&damaged).and_then(|m| m.verify()).is_err(),
                "{tier:?}: a flip at {at}"
            );
            assert!(open_and_run(&bytes[..at]).is_err(), "{tier:?}: cut at {at}");
        }
    }
}

#[test]
fn mapped_and_read_files_answer_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    std::fs::write(&path, small(Tier::Direct)).unwrap();
    let x = numbers(1, 196);
    let answer = |model: &Model<'_>| {
        Session::new(model, &SessionOptions::default()).unwrap().run(&x, 1).unwrap().to_vec()
    };
    let (mapped, read) = (Model::map(&path).unwrap(), Model::read(&path).unwrap());
    assert!(mapped.is_mapped() && !read.is_mapped());
    assert_eq!(answer(&mapped), answer(&read));
}
