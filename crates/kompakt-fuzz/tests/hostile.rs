//! Hostile ONNX models are refused in one line that names the place, quickly, and in memory that a limit bounds.

#[path = "support/counting.rs"]
mod counting;

use counting::peak;
use kompakt_fuzz::hostile_models;
use kompakt_import::onnx::{ImportOptions, import, import_checked};
use std::time::{Duration, Instant};

/// What a refusal may hold in addition to a multiple of the file: constants of 2^26 elements that nodes may compute, of eight
/// bytes each, and as many numbers of a node being lowered.
const MAX_HELD: usize = 800 << 20;
/// The same for a file that asks for one thing that is too large.
const MAX_HELD_BY_ONE: usize = 16 << 20;
const HELD_PER_BYTE: usize = 64;

/// The longest error: it lists the nodes that it is about.
const MAX_MESSAGE: usize = 20_000;

const MAX_TIME: Duration = Duration::from_secs(20);

#[test]
fn hostile_models_are_refused_in_little_memory() {
    let Ok(folder) = tempfile::tempdir() else { panic!("no temporary folder") };
    let path = folder.path().join("model.onnx");
    let mut wrong = Vec::new();
    for hostile in hostile_models() {
        assert!(std::fs::write(&path, &hostile.bytes).is_ok(), "cannot write");
        let start = Instant::now();
        let (result, held) = peak(|| import(&path, &ImportOptions::default()));
        let time = start.elapsed();
        let name = hostile.name;
        let text = match result {
            Ok(_) => {
                wrong.push(format!("{name}: it is imported"));
                continue;
            }
            Err(error) => error.to_string(),
        };
        let is_one = hostile.bytes.len() < 100_000 && !text.contains("limit for a file");
        let bound = HELD_PER_BYTE * hostile.bytes.len() + if is_one { MAX_HELD_BY_ONE } else { MAX_HELD };
        println!(
            "{name}: {} kB held for {} kB, {time:.1?}: {}",
            held / 1000,
            hostile.bytes.len() / 1000,
            text.lines().next().unwrap_or("")
        );
        if !text.contains(hostile.says) {
            wrong.push(format!("{name}: {text:.300}"));
        }
        if held > bound || time > MAX_TIME || text.len() > MAX_MESSAGE {
            wrong.push(format!("{name}: {held} bytes held, {time:?}, a message of {} bytes", text.len()));
        }
        if !text.contains("of the model's nodes") && text.contains('\n') {
            wrong.push(format!("{name}: more than one line: {text}"));
        }
        if hostile.bytes.len() > 100_000 {
            continue;
        }
        let mut run = |_: &_, _: &[Vec<f32>], _: usize| Err(String::new());
        assert!(import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ()).is_err(), "{name}");
    }
    assert!(wrong.is_empty(), "{} models:\n{}", wrong.len(), wrong.join("\n"));
}
