//! The header fits the code, and a program in C gets what one in Rust gets.
#![allow(clippy::unwrap_used)]

use kompakt_runtime::{Model, Port, Session, SessionOptions};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
};

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    let mut text = Vec::new();
    cbindgen::generate(package()).unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_header_is_what_cbindgen_makes() {
    let path = package().join("include/kompakt.h");
    assert_eq!(fs::read_to_string(path).unwrap(), header(), "run the ignored test `write_the_header`");
}

#[test]
#[ignore = "writes include/kompakt.h"]
fn write_the_header() {
    fs::write(package().join("include/kompakt.h"), header()).unwrap();
}

/// A C example, compiled against the library that was built with this test. Tests run at once, so each writes a program
/// of its own: one that is being linked cannot be run.
fn example(name: &str) -> Option<PathBuf> {
    static PROGRAMS: AtomicUsize = AtomicUsize::new(0);
    let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let program = libraries.join(format!("kompakt-capi-{name}-{number}"));
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(package().join(format!("examples/{name}.c")))
        .arg("-I")
        .arg(package().join("include"))
        .arg(libraries.join("libkompakt_capi.so"))
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .output()
        .ok()?;
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(program)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "names of libraries and options of cc are those of Linux")]
fn the_example_in_c_sees_what_rust_sees() {
    let program = example("classify").unwrap();
    let run = |argument: &Path| -> Output { Command::new(&program).arg(argument).output().unwrap() };
    let path = package().join("../../fixtures/good/perceptron-smallest.kompakt");
    let model = Model::map(&path).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let grey = vec![0.5; session.raw_shape().iter().product()];
    let best = session.classify(&grey, 1).unwrap()[0];
    let label = model.labels().get(best.class).map_or("-", String::as_str);
    let found = run(&path);
    assert!(found.status.success());
    let expected = format!("{} {label} {:.6}\n", best.class, best.probability);
    assert_eq!(String::from_utf8_lossy(&found.stdout), expected);

    let refused = run(Path::new("absent.kompakt"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("absent.kompakt"), "{refused:?}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "names of libraries and options of cc are those of Linux")]
fn all_outputs_reach_c_with_their_names() {
    let path = package().join("../../fixtures/good/convolutions-stream.kompakt");
    let model = Model::map(&path).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let grey = vec![0.5; session.raw_shape().iter().product()];
    session.run_raw(&grey, 1).unwrap();
    let line = |(i, port): (usize, &Port)| {
        let dims: String = port.shape.iter().map(|d| format!(" {d}")).collect();
        let values: String = session.output(i).iter().map(|v| format!(" {v:.6}")).collect();
        format!("{}{dims}:{values}\n", port.name)
    };
    assert_eq!(session.outputs().len(), 2);
    let expected: String = session.outputs().iter().enumerate().map(line).collect();
    let found = Command::new(example("outputs").unwrap()).arg(&path).output().unwrap();
    assert!(found.status.success(), "{found:?}");
    assert_eq!(String::from_utf8_lossy(&found.stdout), expected);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "names of libraries and options of cc are those of Linux")]
fn a_session_is_resized_from_c() {
    let path = package().join("../../fixtures/good/open-sizes-stream.kompakt");
    let model = Model::map(&path).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    session.resize(&[("seq".into(), 10)]).unwrap();
    session.run(&[0.5; 10], 1).unwrap();
    let program = example("outputs").unwrap();
    let found = Command::new(&program).arg(&path).arg("10").output().unwrap();
    assert!(found.status.success(), "{found:?}");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let values: String = session.output(1).iter().map(|v| format!(" {v:.6}")).collect();
    assert!(text.contains(&format!("padded 3 11 4:{values}\n")), "{text}");
    let refused = Command::new(&program).arg(&path).arg("11").output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(error, "outputs: size \"seq\" is 11; it may be 4 to 16 in steps of 2\n");
}
