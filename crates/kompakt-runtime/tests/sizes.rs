//! Sessions at other sizes than those at which a file is stored, against the reference in f64.
#![allow(clippy::unwrap_used)]

use kompakt_pack::reference;
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};
use std::path::Path;

/// A text of 4 to 16 words in steps of 2.
fn open(tier: &str) -> Model<'static> {
    let path = format!("../../fixtures/good/open-sizes-{tier}.kompakt");
    Model::map(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn seq(size: usize) -> Vec<(String, usize)> {
    vec![("seq".into(), size)]
}

fn words(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7 % 10) as f32).collect()
}

/// The outputs for one text, in f64, of the graph at its length.
fn expected(model: &Model<'_>, text: &[f32]) -> Vec<Vec<f64>> {
    let container = model.container().unwrap();
    let graph = container.graph().at(&seq(text.len())).unwrap();
    let dense = |d: &kompakt_format::Decoded| d.to_f32().iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let parameters: Vec<Vec<f64>> = container.decode().unwrap().iter().map(dense).collect();
    let input = text.iter().map(|&v| f64::from(v)).collect();
    reference::evaluate(&graph, vec![input], &|i| &parameters[i])
        .into_iter()
        .map(|value| value.data)
        .collect()
}

fn check(session: &Session<'_>, model: &Model<'_>, text: &[f32]) {
    for (index, expected) in expected(model, text).iter().enumerate() {
        let found = session.output(index);
        assert_eq!(found.len(), expected.len());
        let is_near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= 1e-5 * b.abs().max(1.0);
        assert!(found.iter().zip(expected).all(is_near), "{found:?} {expected:?}");
    }
}

#[test]
fn a_session_follows_its_input() {
    for tier in ["smallest", "stream", "direct"] {
        let model = open(tier);
        let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
        assert_eq!(session.sizes(), [6]);
        for n in [6, 16, 4, 10, 6] {
            session.run(&words(n), 1).unwrap();
            assert_eq!((session.sizes(), session.input_shape()), (&[n][..], &[n][..]));
            check(&session, &model, &words(n));
        }
        // Two texts of 8.
        session.run(&[words(8), words(8)].concat(), 2).unwrap();
        assert_eq!(session.output(1).len(), 2 * expected(&model, &words(8))[1].len());
        assert_eq!(model.self_test(&SessionOptions::default()).unwrap(), 2);
    }
}

#[test]
fn plans_of_other_sizes_answer_as_new_ones() {
    for tier in ["smallest", "stream", "direct"] {
        let model = open(tier);
        for (idle_bytes, ram_budget) in [(64 << 20, None), (0, None), (64 << 20, Some(1 << 20))] {
            let mut options = SessionOptions::default();
            (options.idle_bytes, options.ram_budget) = (idle_bytes, ram_budget);
            let mut session = Session::new(&model, &options).unwrap();
            // Back to a size before there are too many others, and after.
            for n in [6, 8, 6, 10, 12, 14, 16, 6, 8, 8] {
                session.resize(&seq(n)).unwrap();
                assert!(session.output(0).is_empty() || session.sizes() == [n]);
                session.run(&words(n), 1).unwrap();
                options.sizes = seq(n);
                let mut new = Session::new(&model, &options).unwrap();
                new.run(&words(n), 1).unwrap();
                assert_eq!(session.plan(), new.plan());
                for index in 0..session.outputs().len() {
                    assert_eq!(session.output(index), new.output(index), "{tier} {n}");
                }
            }
            options.sizes.clear();
        }
    }
}

#[test]
fn sizes_are_given() {
    let model = open("direct");
    let symbol = &model.open_sizes()[0];
    assert_eq!((symbol.name.as_str(), symbol.least, symbol.most, symbol.step), ("seq", 4, 16, 2));
    let mut options = SessionOptions::default();
    options.sizes = seq(12);
    let mut session = Session::new(&model, &options).unwrap();
    assert_eq!(session.outputs()[1].shape, [3, 13, 4]);
    session.resize(&seq(4)).unwrap();
    assert_eq!(session.outputs()[1].shape, [3, 5, 4]);
    session.resize_to(&[&[14]]).unwrap();
    session.run(&words(14), 1).unwrap();
    check(&session, &model, &words(14));
    let model = open("direct").at(&seq(8)).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    assert_eq!(session.sizes(), [8]);
    session.run(&words(8), 1).unwrap();
    check(&session, &model, &words(8));
}

#[test]
fn sizes_that_are_not_possible_leave_the_session_as_it_is() {
    let model = open("stream");
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    for size in [0, 2, 7, 18, 1 << 40] {
        let error = session.resize(&seq(size)).unwrap_err();
        assert_eq!(error.to_string(), format!("size \"seq\" is {size}; it may be 4 to 16 in steps of 2"));
    }
    assert!(matches!(session.resize(&[("width".into(), 8)]), Err(RuntimeError::Sizes(_))));
    assert!(matches!(session.run(&words(7), 1), Err(RuntimeError::Sizes(_))));
    assert!(matches!(session.run(&words(7), 2), Err(RuntimeError::Input { .. })));
    assert!(matches!(session.resize_to(&[&[8], &[8]]), Err(RuntimeError::InputCount { .. })));
    session.run(&words(6), 1).unwrap();
    check(&session, &model, &words(6));
    let mut options = SessionOptions::default();
    options.sizes = seq(18);
    assert!(matches!(Session::new(&model, &options), Err(RuntimeError::Sizes(_))));
    assert!(open("stream").at(&seq(5)).is_err());
}

#[test]
fn networks_of_fixed_sizes_say_so() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/worked-example.kompakt");
    let model = Model::map(path).unwrap();
    assert!(model.open_sizes().is_empty());
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let error = session.resize(&seq(8)).unwrap_err().to_string();
    assert_eq!(error, "size \"seq\" is given, but all sizes of the network are fixed");
    session.resize(&[]).unwrap();
    assert!(matches!(session.run(&words(3), 1), Err(RuntimeError::Input { .. })));
}
