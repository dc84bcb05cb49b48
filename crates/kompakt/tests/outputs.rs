//! An output that names an input is refused by every command, before anything is read: by its name, through symbolic
//! and hard links, and as stdin.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "support/every_command.rs"]
mod every_command;
#[path = "support/program.rs"]
mod program;

use every_command::{command, every_command, fill};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

#[test]
fn an_output_that_is_an_input_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        for input in &call.inputs {
            let before = fs::read(folder.join(input)).unwrap();
            let (soft, hard) = (folder.join("soft"), folder.join("hard"));
            symlink(folder.join(input), &soft).unwrap();
            fs::hard_link(folder.join(input), &hard).unwrap();
            for output in [*input, "soft", "hard", &format!("./run/../{input}")] {
                let done = command(&call, folder, output).output().unwrap();
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                let what =
                    format!("{} {:?} {} {output}: {said}", call.program, call.arguments, call.output.0);
                let code = if call.program == "kompakt-prep" { 1 } else { 2 };
                assert_eq!(done.status.code(), Some(code), "{what}");
                assert!(said.contains("another name") && said.lines().count() == 1, "{what}");
                assert!(done.stdout.is_empty(), "{what}");
                assert!(fs::read(folder.join(input)).unwrap() == before, "{what}");
            }
            fs::remove_file(soft).unwrap();
            fs::remove_file(hard).unwrap();
        }
    }
}

#[test]
fn stdin_is_an_input_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    let before = fs::read(folder.join("dense.safetensors")).unwrap();
    for words in
        [&["cluster", "-q"][..], &["prune", "--density", "0.5", "-q"], &["pack", "-q"], &["compress", "-q"]]
    {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.current_dir(folder).args(words).args(["-o", "dense.safetensors"]);
        command.stdin(File::open(folder.join("dense.safetensors")).unwrap());
        assert_eq!(command.output().unwrap().status.code(), Some(2), "{words:?}");
    }
    assert!(fs::read(folder.join("dense.safetensors")).unwrap() == before);
}

#[test]
fn a_file_that_is_no_input_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        fs::write(folder.join(call.output.1), "old").unwrap();
        let done = command(&call, folder, call.output.1).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{} {:?}: {said}", call.program, call.arguments);
        assert!(fs::read(folder.join(call.output.1)).unwrap() != b"old", "{:?}", call.arguments);
        assert_eq!(hidden(folder), Vec::<String>::new(), "{:?}", call.arguments);
    }
}

#[test]
fn a_folder_is_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    for call in every_command() {
        let done = command(&call, folder, "run").output().unwrap();
        let code = if call.program == "kompakt-prep" { 1 } else { 4 };
        assert_eq!(done.status.code(), Some(code), "{:?}", call.arguments);
        assert!(String::from_utf8_lossy(&done.stderr).contains("is a folder"), "{:?}", call.arguments);
    }
}

/// An invalid output is refused before anything is read: here there are no inputs.
#[test]
fn a_folder_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("run")).unwrap();
    for call in every_command() {
        for (output, says) in [("run", "is a folder"), ("none/x", "none")] {
            let done = command(&call, folder, output).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let code = if call.program == "kompakt-prep" { 1 } else { 4 };
            assert_eq!(done.status.code(), Some(code), "{:?} {output}: {said}", call.arguments);
            assert!(
                said.contains(says) && said.lines().count() == 1,
                "{:?} {output}: {said}",
                call.arguments
            );
        }
    }
}

/// A missing input is reported before another is read: here the others are not readable.
#[test]
fn a_missing_input_is_named_before_another_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("run")).unwrap();
    let mut n_tried = 0;
    for call in every_command() {
        let named: Vec<&str> = call.inputs.iter().copied().filter(|i| call.arguments.contains(i)).collect();
        for missing in &named {
            for input in &named {
                fs::write(folder.join(input), "no model, and no data").unwrap();
            }
            fs::remove_file(folder.join(missing)).unwrap();
            let done = command(&call, folder, call.output.1).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let code = match (call.program, *missing) {
                ("kompakt-prep", _) => 1,
                // It may be a name.
                (_, "net.json") => 2,
                _ => 4,
            };
            assert_eq!(done.status.code(), Some(code), "{:?} without {missing}: {said}", call.arguments);
            assert!(said.contains(missing) && said.lines().count() == 1, "{:?}: {said}", call.arguments);
            n_tried += 1;
        }
    }
    assert!(n_tried > every_command().len());
}

/// An ONNX file whose weights are in the file `model.weights`: y = x w.
fn onnx_with_weights_beside() -> Vec<u8> {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
    }
    let text = |number, text: &str| field(number, text.as_bytes());
    let int = |number: u8, value: u8| vec![number << 3, value];
    let location = [text(1, "location"), text(2, "model.weights")].concat();
    let w = [int(1, 4), int(1, 4), int(2, 1), text(8, "w"), field(13, &location), int(14, 1)].concat();
    let node = [text(1, "x"), text(1, "w"), text(2, "y"), text(4, "MatMul")].concat();
    let dims = [field(1, &int(1, 1)), field(1, &int(1, 4))].concat();
    let port = |name| {
        let tensor = [int(1, 1), field(2, &dims)].concat();
        [text(1, name), field(2, &field(1, &tensor))].concat()
    };
    let graph = [field(1, &node), field(5, &w), field(11, &port("x")), field(12, &port("y"))].concat();
    [int(1, 8), field(7, &graph), field(8, &int(2, 13))].concat()
}

#[test]
fn weights_and_labels_beside_an_input_are_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    fs::write(folder.join("model.onnx"), onnx_with_weights_beside()).unwrap();
    fs::write(folder.join("model.weights"), [0; 64]).unwrap();
    let code = |words: &str| {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.current_dir(folder).args(words.split_whitespace()).output().unwrap().status.code()
    };
    assert_eq!(code("import model.onnx -o out.safetensors"), Some(0));
    assert_eq!(code("import model.onnx -o model.weights"), Some(2));
    assert_eq!(code("compress model.onnx -o model.weights"), Some(2));
    let data = "--data data-images-idx3-ubyte -o data-labels-idx1-ubyte";
    assert_eq!(code(&format!("compress dense.safetensors {data}")), Some(2));
    assert_eq!(fs::read(folder.join("model.weights")).unwrap(), [0; 64]);
}

/// The folder of a cache is made, or refused, before any work: a model that is none is found after it.
#[test]
fn a_cache_is_prepared_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fill(folder);
    let rate = |model: &str, cache: &str| {
        let mut command = program::program(env!("CARGO_BIN_EXE_kompakt"));
        command.current_dir(folder).args([
            "rate",
            model,
            "--target-size",
            "2000",
            "--steps",
            "100",
            "-q",
            "--copies",
            "1",
        ]);
        command.args(["--data", "data-images-idx3-ubyte", "-o", "t.safetensors", "--cache", cache]);
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, said) = rate("labels.txt", "labels.txt/folder");
    assert!(code == Some(4) && said.contains("--cache labels.txt/folder"), "{said}");
    let (code, said) = rate("dense.safetensors", "a/new/folder");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read_dir(folder.join("a/new/folder")).unwrap().count(), 1);
}

fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}
