//! `spec/preprocessing.md` agrees with the code: codes, names, limits and rules.
#![expect(clippy::unwrap_used, reason = "tests")]

use kompakt_prep::{
    MAX_CELLS, MAX_ELEMENTS, MAX_NUMBERS, MAX_ORIENTATIONS, MAX_SIDE, MAX_STEPS, Number, Step,
};
use std::fs;

fn spec() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/preprocessing.md")).unwrap()
}

/// A step for a code, with whatever numbers it takes.
fn any_step(code: u8) -> Option<Step> {
    let ones = [Number::Int(1); 8];
    (0..=ones.len()).find_map(|n| Step::from_numbers(code, &ones[..n]).ok())
}

/// Rows `| 10 | `deskew` | …`.
#[test]
fn the_table_of_codes_is_the_code() {
    let spec = spec();
    let rows: Vec<(u8, &str)> = spec
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?.parse().ok()?, cells.next()?.trim_matches('`')))
        })
        .collect();
    let steps: Vec<(u8, Step)> = (0..=u8::MAX).filter_map(|code| Some((code, any_step(code)?))).collect();
    assert_eq!(rows, steps.iter().map(|(code, step)| (*code, step.name())).collect::<Vec<_>>());
    for (code, step) in steps {
        assert!(spec.contains(&format!("**{} `{}`.**", step.rule(), step.name())), "{code}");
    }
}

#[test]
fn the_limits_are_the_codes() {
    let spec = spec().replace('\n', " ");
    assert!(spec.contains(&format!(
        "At most {MAX_STEPS} steps; at most {MAX_NUMBERS} numbers a step; each of channels, height, width 1 to {MAX_SIDE}"
    )));
    assert!(spec.contains(&format!("at most 2^{} elements", MAX_ELEMENTS.ilog2())));
    assert!(spec.contains(&format!("is 3 to {MAX_ORIENTATIONS}, `cells` has at most {MAX_CELLS} entries")));
}

/// Every rule but those on arithmetic and raw values, which no list of steps can break, has an error that cites it.
#[test]
fn errors_cite_rules_that_exist() {
    let spec = spec();
    let message = |code, numbers: &[Number]| Step::from_numbers(code, numbers).unwrap_err().to_string();
    let list = |input: &[usize], steps| kompakt_prep::Pipeline::new(input, steps).unwrap_err().to_string();
    let crop = Step::Crop { threshold: 0.0, margin: 3, height: 5, width: 5 };
    for (rule, message) in [
        ("P-2", message(99, &[])),
        ("P-2", message(6, &[])),
        ("P-4", list(&[2, 2], vec![])),
        ("P-6", list(&[9], vec![Step::Invert; 17])),
        ("P-11", list(&[2, 4, 4], vec![Step::Grayscale])),
        ("P-12", list(&[1, 4, 4], vec![Step::Channels { order: vec![1] }])),
        ("P-13", list(&[9], vec![Step::Normalize { mean: vec![0.0], std: vec![0.0] }])),
        ("P-14", list(&[9], vec![Step::Median])),
        ("P-15", list(&[9], vec![Step::Threshold { level: f32::INFINITY }])),
        ("P-17", list(&[1, 4, 4], vec![crop])),
        ("P-18", list(&[9], vec![Step::Center])),
        ("P-19", list(&[1, 4, 4], vec![Step::Deskew { max_shear: -1.0 }])),
        ("P-21", list(&[1, 4, 4], vec![Step::CenterCrop { height: 5, width: 4 }])),
        ("P-22", list(&[2, 4, 4], vec![Step::Subtract { height: 1, width: 1, values: vec![0.0] }])),
    ] {
        assert!(message.contains(&format!("({rule})")), "{rule}: {message}");
        assert!(spec.contains(&format!("**{rule} ")), "{rule} is not in the text");
    }
}
