//! The functions that generated source calls, in both languages.
//!
//! They are written in files of `src/c` and `src/rust`, each behind a line with `== NAME`. A network's source has those
//! that it calls, and those that they call.

use std::collections::{BTreeMap, BTreeSet};

/// A language of generated source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Rust,
}

const C: &[&str] = &[
    include_str!("c/layers.c"),
    include_str!("c/channels.c"),
    include_str!("c/pools.c"),
    include_str!("c/elementwise.c"),
    include_str!("c/movement.c"),
    include_str!("c/general.c"),
    include_str!("c/functions.c"),
    include_str!("c/prep.c"),
];

const RUST: &[&str] = &[
    include_str!("rust/layers.rs"),
    include_str!("rust/channels.rs"),
    include_str!("rust/pools.rs"),
    include_str!("rust/elementwise.rs"),
    include_str!("rust/movement.rs"),
    include_str!("rust/general.rs"),
    include_str!("rust/functions.rs"),
    include_str!("rust/prep.rs"),
];

/// Each function with those that it calls, callees before callers; then the bytes of its code and its stack frame on a
/// Cortex-M4F, as gcc 12 makes them with `-Os -fno-inline`.
const FUNCTIONS: &[(&str, &[&str], usize, usize)] = &[
    ("weights", &[], 250, 56),
    ("next_weight", &["weights"], 20, 8),
    ("linear", &["next_weight"], 106, 80),
    ("geometry", &[], 58, 12),
    ("convolution", &["next_weight", "geometry"], 422, 176),
    ("bytes", &[], 0, 0),
    ("quantize", &[], 88, 0),
    ("linear_int8", &["weights", "bytes"], 128, 88),
    ("convolution_int8", &["weights", "geometry", "bytes"], 416, 168),
    ("scale_bias", &[], 62, 20),
    ("prelu", &[], 66, 20),
    ("pools", &[], 38, 8),
    ("max_pool", &["pools"], 186, 64),
    ("average_pool", &["pools"], 284, 88),
    ("global_average_pool", &[], 64, 16),
    ("relu", &[], 44, 0),
    ("clip", &[], 48, 0),
    ("leaky_relu", &[], 34, 0),
    ("scale", &[], 28, 0),
    ("hard_sigmoid_of", &[], 50, 0),
    ("hard_sigmoid", &["hard_sigmoid_of"], 42, 8),
    ("hard_swish", &["hard_sigmoid_of"], 46, 8),
    ("exponential", &[], 248, 0),
    ("logarithm", &[], 160, 8),
    ("sigmoid", &["exponential"], 44, 8),
    ("silu", &["exponential"], 44, 8),
    ("hyperbolic_tangent_of", &["exponential"], 144, 8),
    ("hyperbolic_tangent", &["hyperbolic_tangent_of"], 28, 8),
    ("softmax", &["exponential"], 144, 32),
    ("log_softmax", &["exponential", "logarithm"], 156, 32),
    ("local_response_norm", &["exponential", "logarithm"], 200, 64),
    ("zero", &[], 12, 0),
    ("copy", &[], 114, 72),
    ("gather", &[], 84, 48),
    ("pairwise", &[], 132, 80),
    ("resize", &[], 368, 96),
    ("root", &[], 158, 40),
    ("prep_invert", &[], 28, 0),
    ("prep_grayscale", &[], 156, 48),
    ("prep_channels", &[], 42, 24),
    ("prep_normalize", &[], 130, 56),
    ("prep_threshold", &[], 44, 0),
    ("prep_median", &[], 198, 88),
    ("prep_bilinear", &[], 586, 160),
    ("prep_area", &[], 720, 208),
    ("prep_warp", &[], 712, 120),
    ("prep_deskew", &["prep_warp"], 720, 168),
    ("prep_crop", &["prep_warp"], 436, 120),
    ("prep_gradients", &["root"], 1288, 240),
    ("prep_center_crop", &[], 106, 48),
    ("prep_subtract", &["prep_bilinear"], 64, 40),
    ("double_of", &[], 6, 0),
    ("not_a_number", &["double_of"], 12, 0),
    ("infinity", &["double_of"], 12, 0),
    ("wide_exp", &["double_of", "infinity"], 332, 40),
    ("wide_log", &["double_of", "infinity", "not_a_number"], 392, 48),
    ("wide_sine", &["not_a_number"], 776, 40),
    ("wide_atan", &[], 368, 48),
    ("wide_erf", &["wide_exp"], 324, 56),
    ("absolute_of", &[], 16, 0),
    ("sign_of", &[], 24, 0),
    ("truncate_of", &[], 80, 0),
    ("floor_of", &["truncate_of"], 30, 8),
    ("ceiling_of", &["truncate_of"], 30, 8),
    ("round_of", &["floor_of"], 104, 8),
    ("square_root_of", &["root", "not_a_number"], 76, 8),
    ("reciprocal_of", &[], 10, 0),
    ("exponential_of", &["wide_exp"], 32, 8),
    ("logarithm_of", &["wide_log"], 32, 8),
    ("sine_of", &["wide_sine"], 34, 8),
    ("cosine_of", &["wide_sine"], 34, 8),
    ("tangent_of", &["wide_sine"], 76, 24),
    ("wide_asin", &["wide_atan", "root", "not_a_number"], 150, 24),
    ("arcsine_of", &["wide_asin"], 32, 8),
    ("arccosine_of", &["wide_asin"], 52, 8),
    ("arctangent_of", &["wide_atan"], 32, 8),
    ("hyperbolic_sine_of", &["wide_exp"], 228, 32),
    ("hyperbolic_cosine_of", &["wide_exp"], 76, 24),
    ("area_sine_of", &["absolute_of", "wide_log", "root"], 176, 32),
    ("area_cosine_of", &["wide_log", "root", "not_a_number"], 116, 24),
    ("area_tangent_of", &["wide_log"], 152, 24),
    ("error_function_of", &["wide_erf"], 32, 8),
    ("gelu_of", &["wide_erf"], 100, 24),
    ("softplus_of", &["wide_exp", "wide_log"], 176, 32),
    ("not_of", &[], 28, 0),
    ("is_nan_of", &[], 28, 0),
    ("is_infinite_of", &[], 48, 0),
    ("add_of", &[], 6, 0),
    ("subtract_of", &[], 6, 0),
    ("multiply_of", &[], 6, 0),
    ("divide_of", &[], 6, 0),
    ("power_of", &["truncate_of", "wide_exp", "wide_log", "not_a_number"], 320, 32),
    ("maximum_of", &[], 26, 0),
    ("minimum_of", &[], 26, 0),
    ("modulo_of", &[], 184, 40),
    ("remainder_of", &["not_a_number"], 288, 48),
    ("equal_of", &[], 28, 0),
    ("less_of", &[], 28, 0),
    ("less_or_equal_of", &[], 28, 0),
    ("greater_of", &[], 28, 0),
    ("greater_or_equal_of", &[], 28, 0),
    ("and_of", &[], 44, 0),
    ("or_of", &[], 44, 0),
    ("xor_of", &[], 52, 0),
    ("from_bytes", &[], 44, 0),
    ("move_floats", &[], 10, 0),
    ("unary", &[], 36, 24),
    ("offset_of", &[], 44, 16),
    ("select_values", &["offset_of"], 100, 32),
    ("reduce", &["offset_of"], 358, 72),
    ("mat_mul", &["offset_of"], 176, 64),
    ("row_of", &["truncate_of"], 108, 24),
    ("embedding", &["next_weight", "row_of"], 184, 96),
    ("take_at", &["row_of"], 90, 48),
    ("scatter", &["row_of"], 188, 40),
    ("top_k", &[], 248, 72),
    ("recurrent", &["linear", "exponential", "hyperbolic_tangent_of"], 702, 152),
];

/// The definitions of these functions and all that they call.
pub(crate) fn text(language: Language, called: &BTreeSet<&'static str>) -> String {
    let needed = with_callees(called);
    let mut text = match language {
        Language::C => String::new(),
        Language::Rust => section(language, "floats").unwrap_or_default().to_string() + "\n",
    };
    for (name, ..) in FUNCTIONS.iter().filter(|(name, ..)| needed.contains(name)) {
        text += section(language, name).unwrap_or_default();
        text.push('\n');
    }
    text
}

/// These functions and all that they call.
fn with_callees(called: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let mut needed = called.clone();
    for (name, callees, ..) in FUNCTIONS.iter().rev() {
        if needed.contains(name) {
            needed.extend(*callees);
        }
    }
    needed
}

/// Bytes of code of arithmetic in double precision, which a Cortex-M4F does not have.
const DOUBLES: usize = 3_400;
/// Bytes of stack below a function that calls it.
const DOUBLES_STACK: usize = 40;

/// About how many bytes of code these functions are, with all that they call, and about how much stack they need.
pub(crate) fn estimate(called: &BTreeSet<&'static str>) -> (usize, usize) {
    let needed = with_callees(called);
    let (mut code, mut uses_doubles) = (0, false);
    // The deepest stack from each function down.
    let mut stacks: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, callees, bytes, frame) in FUNCTIONS.iter().filter(|(name, ..)| needed.contains(name)) {
        let has_doubles = section(Language::C, name).is_some_and(|text| text.contains("double"));
        let below = callees.iter().filter_map(|callee| stacks.get(callee)).max().copied().unwrap_or(0);
        stacks.insert(name, frame + below.max(if has_doubles { DOUBLES_STACK } else { 0 }));
        code += bytes;
        uses_doubles |= has_doubles;
    }
    (code + if uses_doubles { DOUBLES } else { 0 }, stacks.into_values().max().unwrap_or(0))
}

/// The text of one function.
fn section(language: Language, name: &str) -> Option<&'static str> {
    let (files, head) = match language {
        Language::C => (C, format!("/* == {name} */\n")),
        Language::Rust => (RUST, format!("// == {name}\n")),
    };
    let (_, after) = files.iter().find_map(|file| file.split_once(&head))?;
    let end = match language {
        Language::C => after.find("/* == "),
        Language::Rust => after.find("// == "),
    };
    Some(&after[..end.unwrap_or(after.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_there_in_both_languages_and_follows_what_it_calls() {
        for (i, (name, callees, ..)) in FUNCTIONS.iter().enumerate() {
            for language in [Language::C, Language::Rust] {
                assert!(section(language, name).is_some(), "{name} in {language:?}");
            }
            for callee in *callees {
                assert!(FUNCTIONS[..i].iter().any(|(known, ..)| known == callee), "{name} calls {callee}");
            }
        }
    }
}
