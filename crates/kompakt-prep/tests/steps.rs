//! Steps against answers worked out by hand, and lists that must be refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use kompakt_prep::{Filter, Image, Number, PRESETS, Pipeline, PrepError, Step, byte_value, preset};

fn run(input: &[usize], step: Step, x: &[f32]) -> Vec<f32> {
    Pipeline::new(input, vec![step]).unwrap().apply_to(x)
}

fn resize(height: usize, width: usize, filter: Filter) -> Step {
    Step::Resize { height, width, filter }
}

#[test]
fn resizing_by_hand() {
    let x = [0.0, 1.0, 2.0, 3.0];
    assert_eq!(run(&[1, 2, 2], resize(1, 1, Filter::Area), &x), [1.5]);
    assert_eq!(run(&[1, 1, 4], resize(1, 2, Filter::Area), &x), [0.5, 2.5]);
    // Three cells over four pixels: 4/3 each.
    let thirds = run(&[1, 1, 4], resize(1, 3, Filter::Area), &x);
    assert_eq!(thirds, [0.25, 1.5, 2.75]);
    // Twice as wide: centres at -0.25 (clamped to 0), 0.25, 0.75, …
    assert_eq!(run(&[1, 1, 2], resize(1, 4, Filter::Bilinear), &[0.0, 1.0]), [0.0, 0.25, 0.75, 1.0]);
}

#[test]
fn a_median_drops_a_speck_and_keeps_an_edge() {
    let mut speck = [0.0; 25];
    speck[12] = 1.0;
    assert_eq!(run(&[1, 5, 5], Step::Median, &speck), [0.0; 25]);
    let edge: Vec<f32> = (0..25).map(|i| f32::from(u8::from(i % 5 > 1))).collect();
    assert_eq!(run(&[1, 5, 5], Step::Median, &edge), edge);
}

/// A bar of slope 1/2 stands upright afterwards, in the middle column, wherever it was.
#[test]
fn deskew_straightens_and_centres() {
    let mut bar = [0.0f32; 15 * 15];
    for row in 2..13 {
        let column = 3.0 + row as f32 / 2.0;
        let (left, share) = (column as usize, column.fract());
        bar[row * 15 + left] = 1.0 - share;
        bar[row * 15 + left + 1] = share;
    }
    let straight = run(&[1, 15, 15], Step::Deskew { max_shear: 1.0 }, &bar);
    for row in 2..13 {
        let total: f32 = straight[row * 15..][..15].iter().sum();
        let middle: f32 = straight[row * 15 + 6..][..3].iter().sum();
        assert!(
            (total - 1.0).abs() < 1e-5 && (middle - total).abs() < 1e-5,
            "row {row}: {middle} of {total}"
        );
    }
    let moved = run(&[1, 15, 15], Step::Center, &bar);
    let mass: f32 = moved.iter().sum();
    let column: f32 = moved.iter().enumerate().map(|(i, v)| (i % 15) as f32 * v).sum::<f32>() / mass;
    assert!((column - 7.0).abs() < 1e-4, "{column}");
    assert_eq!(run(&[1, 3, 3], Step::Center, &[0.0; 9]), [0.0; 9], "nothing to centre");
}

#[test]
fn a_crop_fills_what_the_margin_leaves() {
    let mut dot = [0.0f32; 100];
    for (r, c) in [(1, 6), (1, 7), (2, 6), (2, 7)] {
        dot[r * 10 + c] = 1.0;
    }
    let crop = Step::Crop { threshold: 0.5, margin: 2, height: 8, width: 8 };
    let y = run(&[1, 10, 10], crop, &dot);
    // Two pixels become four. Just outside, a quarter pixel from the box, a quarter of the light is left each way.
    assert_eq!(y[3 * 8 + 3], 1.0);
    assert_eq!(y[8 + 1], 0.0625);
    let left_to_right: Vec<f32> = y.chunks(8).map(|row| row.iter().sum()).collect();
    assert!(left_to_right[2..6].iter().all(|row| *row > 1.0), "{y:?}");
    assert_eq!(left_to_right[0], 0.0);
}

/// A ramp to the right has all its gradient along direction 0, a ramp down at 90 degrees to it.
#[test]
fn gradients_point_uphill() {
    let histogram = |x: &[f32]| {
        let step =
            Step::Gradients { orientations: 8, cells: vec![1], pixels: 0, locality: 0.0, roots: false };
        run(&[1, 9, 9], step, x)
    };
    let right: Vec<f32> = (0..81).map(|i| (i % 9) as f32 / 8.0 - 0.5).collect();
    let inner = |h: &[f32]| (0..8).max_by(|a, b| h[*a].total_cmp(&h[*b])).unwrap();
    let mut hill = vec![0.0f32; 81];
    for row in 3..6 {
        for column in 3..6 {
            hill[row * 9 + column] = right[row * 9 + column] + 0.5;
        }
    }
    // The hill falls to 0 to its right, more steeply than it rises: the steepest way is to the left.
    assert_eq!(inner(&histogram(&hill)), 4);
    // Full normalisation: the root mean square is 1.
    let squares: f32 = histogram(&hill).iter().map(|v| v * v).sum();
    assert!((squares / 8.0 - 1.0).abs() < 1e-5);
    assert_eq!(histogram(&[0.5; 81])[0], histogram(&[0.5; 81])[4], "a flat image is symmetric");
}

#[test]
fn the_presets_have_the_shapes_that_are_promised() {
    let shape = |name: &str, input: &[usize]| {
        let channels = if input.len() == 3 { input[0] } else { 1 };
        let (mean, std) = (vec![0.1; channels], vec![0.5; channels]);
        preset(name, input, &mean, &std).map(|p| p.output_shape().dims())
    };
    assert_eq!(shape("features", &[1, 28, 28]).unwrap(), [716]);
    assert_eq!(shape("features", &[3, 32, 32]).unwrap(), [716]);
    assert_eq!(shape("features", &[1, 8, 8]).unwrap(), [716]);
    for name in PRESETS {
        assert!(shape(name, &[1, 28, 28]).is_ok());
    }
    assert!(matches!(shape("features", &[784]), Err(PrepError::Step { .. })));
    assert!(matches!(shape("blur", &[1, 28, 28]), Err(PrepError::UnknownPreset(_))));
}

#[test]
fn bytes_become_values_once() {
    let image = Image::from_bytes([1, 1, 3], &[0, 51, 255]).unwrap();
    assert_eq!(image.data(), [0.0, 0.2, 1.0]);
    assert!((0..=255u8).all(|b| byte_value(b) == (f64::from(b) / 255.0) as f32), "one rounding");
    assert!(Image::from_bytes([1, 1, 3], &[0; 4]).is_err());
}

#[test]
fn json_is_strict_and_canonical() {
    let text = r#"{"input":[1,28,28],"steps":[{"step":"deskew","max_shear":1.0},{"step":"median"}]}"#;
    let pipeline: Pipeline = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&pipeline).unwrap(), text);
    for wrong in [
        r#"{"input":[1,28,28],"steps":[{"step":"deskew"}]}"#,
        r#"{"input":[1,28,28],"steps":[{"step":"deskew","max_shear":1.0,"more":1}]}"#,
        r#"{"input":[28,28],"steps":[]}"#,
        r#"{"input":[784],"steps":[{"step":"median"}]}"#,
    ] {
        assert!(serde_json::from_str::<Pipeline>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_hash_tells_steps_and_shapes_apart() {
    let hash = |input: &[usize], shear: f32| {
        Pipeline::new(input, vec![Step::Deskew { max_shear: shear }]).unwrap().hash()
    };
    assert_eq!(hash(&[1, 28, 28], 1.0), hash(&[1, 28, 28], 1.0));
    assert_ne!(hash(&[1, 28, 28], 1.0), hash(&[1, 28, 28], 0.5));
    assert_ne!(hash(&[1, 28, 28], 1.0), hash(&[1, 28, 29], 1.0));
    // An integer in place of a float gives the same step, so the same hash.
    let step = Step::from_numbers(10, &[Number::Int(1)]).unwrap();
    assert_eq!(Pipeline::new(&[1, 28, 28], vec![step]).unwrap().hash(), hash(&[1, 28, 28], 1.0));
}

#[test]
fn mistakes_name_the_step() {
    let message = |input: &[usize], steps: Vec<Step>| Pipeline::new(input, steps).unwrap_err().to_string();
    let two = vec![Step::Invert, Step::Grayscale];
    assert!(message(&[2, 4, 4], two).contains("step 1 (grayscale): 2 planes"));
    assert!(message(&[1, 4, 4], vec![Step::Invert; 17]).contains("17 steps"));
    assert!(message(&[1, 4097, 4], vec![]).contains("longer than 4096"));
    assert!(message(&[1, 4, 4], vec![Step::Channels { order: vec![] }]).contains("a dimension is 0"));
    let nan = Step::Threshold { level: f32::NAN };
    assert!(message(&[1, 4, 4], vec![nan]).contains("level is NaN"));
    let crop = Step::Crop { threshold: 0.0, margin: usize::MAX, height: 4, width: 4 };
    assert!(message(&[1, 4, 4], vec![crop]).contains("margin"));
}

/// Any code and any numbers: an error, or a step that reads back as the same numbers and runs.
#[test]
fn no_numbers_panic() {
    arbtest::arbtest(|u| {
        let code = u.int_in_range(0..=13u8)?;
        let count = u.int_in_range(0..=8usize)?;
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(match u.int_in_range(0..=5u8)? {
                0 => Number::Int(u.arbitrary()?),
                1 => Number::Float(u.arbitrary()?),
                2 => Number::Float(u.int_in_range(0..=16u8)? as f32 / 8.0),
                _ => Number::Int(u.int_in_range(0..=12)?),
            });
        }
        let Ok(step) = Step::from_numbers(code, &numbers) else { return Ok(()) };
        let (again, same) = step.to_numbers();
        assert_eq!(again, code);
        let once = Step::from_numbers(code, &same);
        assert!(once.is_ok() && format!("{once:?}") == format!("{:?}", Ok::<_, PrepError>(step.clone())));
        for input in [vec![1, 5, 4], vec![3, 4, 6], vec![9]] {
            let Ok(pipeline) = Pipeline::new(&input, vec![step.clone(), step.clone()]) else { continue };
            if pipeline.output_shape().len() > 1 << 16 {
                continue;
            }
            let x: Vec<f32> = (0..pipeline.input_shape().len()).map(|i| (i * 7 % 11) as f32 / 10.0).collect();
            assert_eq!(pipeline.apply_to(&x).len(), pipeline.output_shape().len());
            let bad: Vec<f32> = x.iter().map(|v| if *v > 0.5 { f32::NAN } else { f32::INFINITY }).collect();
            pipeline.apply_to(&bad);
        }
        Ok(())
    });
}
