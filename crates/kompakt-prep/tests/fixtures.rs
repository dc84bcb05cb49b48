//! `fixtures/prep/`: one file per step, with input and expected output, bit for bit.
//!
//! The files are checked by the Python reference too, which was written from the spec. After a step is added:
//! `KOMPAKT_WRITE_FIXTURES=1 cargo test -p kompakt-prep --test fixtures`.
#![expect(clippy::unwrap_used, reason = "tests")]

use kompakt_prep::{Filter, Number, Pipeline, Step, preset};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/prep")
}

/// Two strokes of a slanted seven, with soft edges, on `channels` planes of decreasing brightness.
fn seven(channels: usize, height: usize, width: usize) -> Vec<f32> {
    let (h, w) = (height as f32, width as f32);
    let stroke = |y: f32, x: f32| {
        let bar = (0.16 - (y - 0.25 * h).abs() / h) * f32::from(u8::from((0.25 * w..0.8 * w).contains(&x)));
        let stem = (0.2 - (x - 0.9 * w + 0.6 * y).abs() / w)
            * f32::from(u8::from((0.25 * h..0.85 * h).contains(&y)));
        (bar.max(stem).max(0.0) * 6.0).min(1.0)
    };
    let value = |i: usize| {
        let (c, at) = (i / (height * width), i % (height * width));
        let grey = stroke((at / width) as f32, (at % width) as f32) / (1 + c) as f32;
        (grey * 255.0).round() / 255.0
    };
    (0..channels * height * width).map(value).collect()
}

/// Name, input shape, steps.
fn cases() -> Vec<(&'static str, Vec<usize>, Vec<Step>)> {
    let resize = |height, width, filter| Step::Resize { height, width, filter };
    let normalize = |mean: &[f32], std: &[f32]| Step::Normalize { mean: mean.to_vec(), std: std.to_vec() };
    let crop = |height, width| Step::Crop { threshold: 0.2, margin: 1, height, width };
    let gradients = |orientations, cells: &[usize], pixels, locality, roots| Step::Gradients {
        orientations,
        cells: cells.to_vec(),
        pixels,
        locality,
        roots,
    };
    vec![
        ("invert", vec![1, 5, 4], vec![Step::Invert]),
        (
            "invert_vector",
            vec![7],
            vec![Step::Invert, normalize(&[0.5], &[0.25]), Step::Threshold { level: 0.1 }],
        ),
        ("grayscale", vec![3, 5, 4], vec![Step::Grayscale]),
        ("channels", vec![3, 3, 4], vec![Step::Channels { order: vec![2, 1, 0, 0] }]),
        ("normalize", vec![3, 4, 4], vec![normalize(&[0.1, 0.2, 0.3], &[0.5, 0.25, 2.0])]),
        ("median", vec![2, 6, 7], vec![Step::Median]),
        ("threshold", vec![1, 6, 7], vec![Step::Threshold { level: 0.5 }]),
        ("resize_bilinear_up", vec![1, 5, 6], vec![resize(12, 9, Filter::Bilinear)]),
        ("resize_bilinear_down", vec![2, 9, 8], vec![resize(4, 5, Filter::Bilinear)]),
        ("resize_area_down", vec![1, 9, 10], vec![resize(4, 5, Filter::Area)]),
        ("resize_area_up", vec![1, 3, 4], vec![resize(5, 6, Filter::Area)]),
        ("crop_larger", vec![1, 9, 8], vec![crop(14, 12)]),
        ("crop_smaller", vec![2, 16, 18], vec![crop(7, 9)]),
        ("center", vec![2, 9, 10], vec![Step::Center]),
        ("deskew", vec![1, 14, 14], vec![Step::Deskew { max_shear: 1.0 }]),
        ("deskew_limited", vec![2, 12, 10], vec![Step::Deskew { max_shear: 0.25 }]),
        ("gradients", vec![1, 12, 10], vec![gradients(8, &[3, 2], 5, 0.0, true)]),
        ("gradients_local", vec![1, 11, 11], vec![gradients(6, &[4], 0, 0.75, false)]),
        ("center_crop", vec![2, 9, 8], vec![Step::CenterCrop { height: 4, width: 5 }]),
        (
            "subtract",
            vec![2, 7, 6],
            vec![Step::Subtract { height: 2, width: 3, values: (0..12).map(|i| i as f32 / 16.0).collect() }],
        ),
        (
            "imagenet",
            vec![3, 16, 16],
            vec![
                Step::CenterCrop { height: 14, width: 14 },
                normalize(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
            ],
        ),
        (
            "photograph",
            vec![3, 20, 24],
            vec![
                Step::Invert,
                Step::Grayscale,
                Step::Median,
                crop(14, 14),
                Step::Center,
                Step::Threshold { level: 0.05 },
            ],
        ),
        ("features", vec![1, 28, 28], preset("features", &[1, 28, 28], &[], &[]).unwrap().steps().to_vec()),
    ]
}

fn numbers(step: &Step) -> Value {
    let (code, numbers) = step.to_numbers();
    let plain = |n: Number| match n {
        Number::Int(i) => json!(i),
        Number::Float(f) => json!(f64::from(f)),
    };
    json!([code, numbers.into_iter().map(plain).collect::<Vec<_>>()])
}

fn exact(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn fixture(input: &[usize], steps: Vec<Step>) -> Value {
    let pipeline = Pipeline::new(input, steps).unwrap();
    let x = match *input {
        [channels, height, width] => seven(channels, height, width),
        _ => (0..input[0]).map(|i| i as f32 / 8.0).collect(),
    };
    json!({
        "input": input,
        "steps": pipeline.steps(),
        "numbers": pipeline.steps().iter().map(numbers).collect::<Vec<_>>(),
        "hash": pipeline.hash_hex(),
        "output": pipeline.output_shape().dims(),
        "x": exact(&x),
        "y": exact(&pipeline.apply_to(&x)),
    })
}

/// One member a line.
fn text(fixture: &Value) -> String {
    let lines: Vec<String> =
        fixture.as_object().unwrap().iter().map(|(key, value)| format!("  {key:?}: {value}")).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

#[test]
fn fixtures_are_what_the_steps_make() {
    let write = std::env::var_os("KOMPAKT_WRITE_FIXTURES").is_some();
    for (name, input, steps) in cases() {
        let path = folder().join(format!("{name}.json"));
        let now = fixture(&input, steps);
        if write {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, text(&now)).unwrap();
        }
        let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(kept, now, "{name}");
    }
}
