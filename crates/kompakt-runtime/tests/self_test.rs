//! The loader runs the self-tests of a file, and detects wrong results.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_graph::networks;
use kompakt_pack::{InMemory, Options, write};
use kompakt_runtime::{Isa, Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::models::{TIERS, checkpoint};

fn with_self_tests(tier: Tier) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let mut source = InMemory::new(checkpoint(graph, 4, |_| (0.2, 16))).unwrap();
    source.add_self_tests(2).unwrap();
    write(&mut source, &Options::new(tier), &path, &|_, _| {}).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn self_tests_pass_in_every_tier_on_every_instruction_set() {
    for tier in TIERS {
        let bytes = with_self_tests(tier);
        let model = Model::from_bytes(&bytes).unwrap();
        for isa in Isa::available() {
            for from_file in [false, true] {
                let mut options = SessionOptions::default();
                (options.isa, options.from_file, options.small_bytes) = (isa, from_file, 0);
                assert_eq!(model.self_test(&options).unwrap(), 2);
            }
        }
    }
}

#[test]
fn one_element_that_is_off_fails() {
    let bytes = with_self_tests(Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let mut test = model.container().unwrap().self_tests().unwrap().remove(1);
    session.self_test(1, &test).unwrap();
    let largest = test.expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    test.expected[3] += 3e-5 * largest;
    match session.self_test(1, &test) {
        Err(RuntimeError::SelfTest { index: 1, off, .. }) => assert!(off > 1e-5 * largest),
        other => panic!("{other:?}"),
    }
    test.expected[3] = f32::NAN;
    assert!(session.self_test(1, &test).is_err());
}
