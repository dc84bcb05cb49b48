//! No operator is forgotten: across the workspace, a `match` over operators has no wildcard arm that does
//! something.
//!
//! A wildcard may refuse (`None`, `break`, an error, …): a new operator is then refused or not optimised
//! until it is handled. Anything else would silently be applied to operators that it was not written for.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a wildcard arm may evaluate to, as the start of its body.
const REFUSALS: [&str; 12] = [
    "None",
    "return None",
    "return Ok(None)",
    "break",
    "continue",
    "false",
    "return false",
    "Err(",
    "return Err(",
    "bail!(",
    "return found",
    "panic!(",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The text with comments and the insides of literals blanked out, as long as before.
fn code_only(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes[i..].starts_with(b"//") => {
                bytes[i..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| i + n)
            }
            b'"' => {
                let mut end = i + 1;
                while end < bytes.len() && bytes[end] != b'"' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            b'\'' if bytes.get(i + 1) == Some(&b'\\') => i + 4,
            b'\'' if bytes.get(i + 2) == Some(&b'\'') => i + 3,
            _ => {
                i += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        code[i..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        i = end;
    }
    code
}

/// The arms of the match whose block begins at `open`: patterns with guards, and bodies.
fn arms(code: &[u8], open: usize) -> Vec<(String, String)> {
    let text = |from: usize, to: usize| String::from_utf8_lossy(&code[from..to]).trim().to_string();
    let (mut depth, mut start, mut pattern) = (0usize, open + 1, None);
    let mut found = Vec::new();
    let mut i = open;
    while i < code.len() {
        match code[i] {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                // A block ends its arm without a comma.
                let ends_block = depth == 1 && code[i] == b'}' && pattern.is_some();
                if depth == 0 || ends_block {
                    if let Some(pattern) = pattern.take() {
                        found.push((pattern, text(start, if depth == 0 { i } else { i + 1 })));
                    }
                    start = i + 1;
                }
                if depth == 0 {
                    return found;
                }
            }
            b',' if depth == 1 => {
                if let Some(pattern) = pattern.take() {
                    found.push((pattern, text(start, i)));
                }
                start = i + 1;
            }
            b'=' if depth == 1 && code.get(i + 1) == Some(&b'>') => {
                pattern = Some(text(start, i));
                (start, i) = (i + 2, i + 1);
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Wildcard arms that do something, of matches with an arm that names an operator.
fn problems(text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found = Vec::new();
    for at in (0..code.len()).filter(|&at| code[at..].starts_with(b"match ")) {
        let mut depth = 0usize;
        let open = (at..code.len()).find(|&i| match code[i] {
            b'(' | b'[' => {
                depth += 1;
                false
            }
            b')' | b']' => {
                depth = depth.saturating_sub(1);
                false
            }
            b'{' => depth == 0,
            _ => false,
        });
        let Some(open) = open else { continue };
        let arms = arms(&code, open);
        if !arms.iter().any(|(pattern, _)| pattern.trim_start_matches(['&', '(']).starts_with("Op::")) {
            continue;
        }
        let is_word = |p: &str| p.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !p.contains("::");
        for (pattern, body) in arms.iter().filter(|(pattern, _)| is_word(pattern)) {
            let body = body.trim_start_matches(['{', ' ', '\n']);
            if !REFUSALS.iter().any(|refusal| body.starts_with(refusal)) {
                let line = code[..at].iter().filter(|&&b| b == b'\n').count() + 1;
                found.push(format!("line {line}: {pattern} => {}", body.lines().next().unwrap_or("")));
            }
        }
    }
    found
}

#[test]
fn a_wildcard_over_operators_only_refuses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    ["crates", "xtask"].iter().for_each(|folder| sources(&root.join(folder), &mut files));
    assert!(files.len() > 200, "sources are missing");
    let mut found = Vec::new();
    for file in files.iter().filter(|f| !f.ends_with("tests/wildcards.rs")) {
        let problems = problems(&fs::read_to_string(file).unwrap());
        found.extend(problems.into_iter().map(|p| format!("{}: {p}", file.display())));
    }
    assert!(found.is_empty(), "name the operators instead:\n{}", found.join("\n"));
}

#[test]
fn the_search_finds_what_it_should() {
    let wrong = |arm: &str| problems(&format!("fn f() {{ match x.op {{ Op::Relu => 1, {arm} }} }}")).len();
    assert_eq!(wrong("_ => 2,"), 1);
    assert_eq!(wrong("other => other.name()"), 1);
    assert_eq!(wrong("Op::Linear { .. } => { 3 } _ => { x.clone() }"), 1);
    assert_eq!(wrong("_ => return None,"), 0);
    assert_eq!(wrong("Op::Tanh | Op::Sigmoid => 2, // _ => 3"), 0);
    assert_eq!(problems("match n { 1 => 2, _ => 3 }").len(), 0);
}
