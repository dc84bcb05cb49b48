//! Makes `fixtures/coders/adaptive-*` and `bad-adaptive-*`.

use super::*;
use kompakt_testing::trellis::follow;

fn good(name: &str, parts: &[Value]) {
    let case = json!({"parts": parts, "bytes": hex(&write(Models::Rich, parts))});
    save(&format!("adaptive-{name}"), COMMAND, case);
}

/// The same under quick models.
fn quick(name: &str, parts: &[Value]) {
    let case = json!({"models": "quick", "parts": parts, "bytes": hex(&write(Models::Quick, parts))});
    save(&format!("adaptive-quick-{name}"), COMMAND, case);
}

fn bad(name: &str, rule: &str, parts: &[Value], bytes: &[u8]) {
    let case = json!({"rule": rule, "parts": parts, "bytes": hex(bytes)});
    save(&format!("bad-adaptive-{rule}-{name}"), COMMAND, case);
}

fn list(kind: &str, ascending: bool, numbers: &[i64]) -> Value {
    json!({"part": kind, "ascending": ascending, "numbers": numbers})
}

fn count(kind: &str, ascending: bool, n: usize) -> Value {
    json!({"part": kind, "ascending": ascending, "count": n})
}

/// A tensor without its weights.
fn shape([rows, channels, taps]: [usize; 3], masked: bool, levels: usize, negative: usize) -> Value {
    json!({
        "part": "weights", "rows": rows, "channels": channels, "taps": taps, "masked": masked, "levels": levels,
        "negative": negative,
    })
}

/// Weights by a rule of thumb: the second half of the rows and every seventh column keep less; near signs are alike.
fn grown(size: [usize; 3], masked: bool, levels: usize, negative: usize, density: u64) -> Value {
    let mut seed = size.iter().product::<usize>() as u64 + levels as u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let [rows, channels, taps] = size;
    let mut before = 0;
    let mut weights = Vec::new();
    for row in 0..rows {
        for column in 0..channels * taps {
            let thin = if 2 * row > rows { 3 } else { 1 } * if column % 7 == 6 { 10 } else { 1 };
            let code = random(levels as u64).min(random(levels as u64)) as i64;
            let is_other = (code < negative as i64) != (before < negative as i64);
            let code = if is_other && random(3) > 0 { before } else { code };
            let is_kept = !masked || random(100 * thin) < density;
            before = if is_kept { code } else { before };
            weights.push(if is_kept { code } else { -1 });
        }
    }
    let mut part = shape(size, masked, levels, negative);
    part["weights"] = json!(weights);
    part
}

/// The same weights with codes that follow the trellis.
fn along_a_trellis(part: Value) -> Value {
    let mut tensor = Tensor::of(&part);
    let weights = &mut tensor.weights;
    let row_len = weights.view().row_len();
    follow(&mut weights.codes, weights.mask.as_deref(), row_len, weights.n_levels, weights.n_negative);
    let part = with(part, "weights", json!(tensor.list()));
    with(part, "trellis", json!(true))
}

fn with(mut part: Value, key: &str, value: Value) -> Value {
    part[key] = value;
    part
}

fn bits(numbers: &[f32]) -> Vec<i64> {
    numbers.iter().map(|n| n.to_bits().into()).collect()
}

#[test]
#[ignore = "writes the fixtures that the other tests read"]
fn write_all() {
    fs::create_dir_all(folder()).unwrap();
    write_lists();
    write_weights();
    write_bad();
}

fn write_lists() {
    let some = bits(&[0.5, -0.25, 0.0, -0.0, 3.0e-39, f32::MAX, f32::NAN, f32::NEG_INFINITY, 0.1]);
    let halves = [0x3800, 0xB400, 0, 0x8000, 1, 0x7BFF, 0x7E01, 0xFC00];
    let integers = [0, 1, -1, 5, -300, i64::from(i32::MAX), i64::from(i32::MIN), 1000, 1001];
    let short = bits(&[-0.5, -0.125, 0.0625, 0.25]);
    good(
        "lists",
        &[
            list("f32", false, &some),
            list("f16", false, &halves),
            list("integers", false, &integers),
            list("f32", false, &[]),
            list("f32", true, &short),
            list("integers", true, &[i64::from(i32::MIN), -70, -3, 0, 1, 900, i64::from(i32::MAX)]),
            list("integers", false, &[7, 7, 7]),
        ],
    );
    let curve = |n: i32| (0..n).map(move |i| (i - n / 2) as f32 * (1.0 + (i * i % 7) as f32 / 64.0) / 128.0);
    let mut long: Vec<f32> = curve(64).chain([-4.0e30, 1.0e-40, 7.0e37]).collect();
    long.sort_by(f32::total_cmp);
    let long: Vec<i64> = bits(&long).into_iter().filter(|&bits| bits != 1 << 31).collect();
    let halves: Vec<i64> =
        (0..20).map(|i| 0xB800 - 0x31 * i).chain((0..20).map(|i| 0x3000 + 8 * i * i)).collect();
    good("codebooks", &[list("f32", true, &long), list("f16", true, &halves), list("f32", true, &long)]);
}

fn write_weights() {
    let image = with(grown([12, 35, 1], true, 7, 3, 30), "grid", json!([5, 7]));
    let producer: Vec<u32> = (0..12).map(|i| 18 - i).collect();
    let line = with(grown([5, 12, 1], true, 4, 2, 60), "producer", json!(producer));
    good("image-and-line", &[image.clone(), line.clone()]);
    quick("image-and-line", &[image, line]);
    let kernel = with(grown([8, 6, 9], true, 40, 19, 40), "grid", json!([3, 3]));
    let kernels = [kernel, grown([4, 3, 4], true, 256, 100, 50)];
    good("kernels", &kernels);
    quick("kernels", &kernels);
    let all_kept = [grown([9, 11, 1], false, 16, 8, 0), grown([3, 4, 1], false, 2, 0, 0)];
    good("all-kept", &all_kept);
    quick("all-kept", &all_kept);
    let one_sign = [grown([6, 10, 1], true, 5, 0, 30), grown([6, 10, 1], true, 5, 5, 30)];
    good("one-sign", &one_sign);
    quick("one-sign", &one_sign);
    let nothing = [grown([20, 50, 1], true, 2, 1, 0), grown([1, 1, 1], true, 1, 0, 100)];
    good("nothing", &nothing);
    quick("nothing", &nothing);
    let image = with(grown([12, 35, 1], true, 9, 4, 50), "grid", json!([5, 7]));
    let kernel = with(grown([20, 3, 9], true, 100, 47, 40), "grid", json!([3, 3]));
    let line = grown([11, 5, 1], false, 6, 2, 0);
    let after = grown([6, 7, 1], true, 5, 2, 60);
    let trellises = [along_a_trellis(image), along_a_trellis(kernel), along_a_trellis(line), after];
    good("trellises", &trellises);
    quick("trellises", &trellises);
    // Beyond the spans of rows and columns, in a tensor of one column too.
    quick("spans", &[grown([40, 37, 1], true, 6, 3, 30), grown([30, 1, 1], true, 200, 90, 60)]);
}

fn write_bad() {
    let fits = shape([2, 6, 1], true, 4, 2);
    let bytes = write(Models::Rich, &[grown([2, 6, 1], true, 4, 2, 50)]);
    bad("levels", "A-1", &[with(fits.clone(), "levels", json!(257))], &bytes);
    bad("negative", "A-1", &[with(fits.clone(), "negative", json!(5))], &bytes);
    bad("producer", "A-1", &[with(fits.clone(), "producer", json!([1, 2]))], &bytes);
    bad("trellis", "A-1", &[with(shape([2, 6, 1], true, 4, 1), "trellis", json!(true))], &bytes);
    bad("grid", "A-1", &[with(fits.clone(), "grid", json!([2, 2]))], &bytes);
    bad("empty-grid", "A-1", &[with(fits.clone(), "grid", json!([0, 1]))], &bytes);
    bad("grid-of-a-kernel", "A-1", &[with(shape([2, 2, 3], true, 4, 2), "grid", json!([1, 2]))], &bytes);
    let long = grown([4, 60, 1], true, 4, 2, 50);
    let right = write(Models::Rich, std::slice::from_ref(&long));
    let asked = [shape([4, 60, 1], true, 4, 2)];
    bad("cut", "A-2", &asked, &right[..right.len() / 4]);
    bad("nothing", "A-2", &[count("f32", false, 9)], &[0xff; 3]);
    bad("more", "A-3", &asked, &[&right[..], &[0]].concat());
    // Another last byte may be the right one of other weights.
    let is_wrong = |bytes: &Vec<u8>| {
        matches!(read(Models::Rich, &asked, bytes), Err(EntropyError::Stream { rule: "A-3", .. }))
    };
    let others =
        (1..=255).map(|flips| [&right[..right.len() - 1], &[right[right.len() - 1] ^ flips]].concat());
    bad("last-byte", "A-3", &asked, &others.into_iter().find(is_wrong).unwrap());
    // The second number, which is not asked for, has bits that the first one has not.
    bad(
        "spared",
        "A-4",
        &[count("f32", false, 1)],
        &write(Models::Rich, &[list("f32", false, &bits(&[0.5, 0.1]))]),
    );
    let beyond = write(Models::Rich, &[list("integers", false, &[i64::from(i32::MAX), 5, 5])]);
    bad("integer", "A-5", &[count("integers", true, 2)], &beyond);
    // The first gap, a size of six ones after one number.
    let lone = write(Models::Rich, &[list("f32", false, &bits(&[f32::MAX]))]);
    bad("gap", "A-5", &[count("f32", true, 40)], &[&lone[..], &[0xff; 40]].concat());
    bad(
        "minus-zero",
        "A-6",
        &[count("f16", true, 1)],
        &write(Models::Rich, &[list("f16", false, &[0x8000])]),
    );
}
