//! The program as a process: its output, resuming after a kill, its refusals.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

#[path = "support/program.rs"]
mod program;

use kompakt_model::{Model, ModelFile};
use program::program;
use std::{
    fs::File,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn command(arguments: &str) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_kompakt-train"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(arguments: &str) -> Output {
    command(arguments).output().unwrap()
}

/// The model that a run writes to stdout.
fn trained(arguments: &str) -> Vec<u8> {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn model(bytes: &[u8]) -> Model {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    ModelFile::open(File::open(file.path()).unwrap(), None).unwrap().into_model().unwrap()
}

const SMALL: &str = "--net mlp --hidden 24 --data digits --epochs 3 --batch 32";

#[test]
fn a_model_with_its_record_comes_out() {
    let bytes = trained(&format!("{SMALL} --augment none --lr 5e-3 --epochs 8 --dropout 0.1 -q"));
    let model = model(&bytes);
    assert_eq!(model.graph.n_parameters(), 28 * 28 * 24 + 24 + 240 + 10);
    assert!(model.graph.nodes().iter().all(|n| n.op.name() != "dropout"));
    assert_eq!(model.labels.len(), 10);
    let record = &model.provenance[0];
    assert_eq!(record.program, "kompakt-train");
    assert_eq!((record.options["optimizer"].as_str(), record.seed), ("adam:0.9:0.999:0.00000001", Some(1)));
    assert!(record.measured["validation_error"] < 0.12, "{:?}", record.measured);
}

#[test]
fn threads_change_no_byte_and_seeds_do() {
    let one = trained(&format!("{SMALL} --threads 1"));
    assert!(one == trained(&format!("{SMALL} --threads 2")));
    assert!(one != trained(&format!("{SMALL} --seed 2")));
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let options = "--net lenet5 --data digits --epochs 4 --batch 64 --limit 600 -q";
    let whole = trained(options);
    let with_state = format!("{options} --checkpoint {}", state.display());
    let mut killed = command(&with_state).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !state.exists() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(state.exists());
    assert!(trained(&with_state) == whole);
    // A finished run returns immediately, and another run does not use its state.
    assert!(trained(&with_state) == whole);
    let other = run(&format!("{with_state} --lr 0.1"));
    assert_eq!(other.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&other.stderr).contains("delete it"));
}

#[test]
fn the_interchange_goes_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("model.safetensors");
    let output = run(&format!("{SMALL} --epochs 1 -o {}", to.display()));
    assert!(output.status.success() && output.stdout.is_empty());
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(talk.contains("epoch 1/1") && talk.contains("validation error"), "{talk}");
    assert!(to.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("no/such/folder/model");
    let started = Instant::now();
    let output = run(&format!("{SMALL} --epochs 1000 -o {}", nowhere.display()));
    assert_eq!(output.status.code(), Some(4));
    assert!(started.elapsed() < Duration::from_secs(20), "refused before training");
}

#[test]
fn preprocessing_is_recorded() {
    let model = model(&trained(&format!("{SMALL} --epochs 1 --prep deskew")));
    assert!(model.preprocessing.unwrap().to_string().contains("deskew"));
}

#[test]
fn mistakes_are_refused_with_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let no_graph = write("broken.json", "{\"nodes\":");
    for (arguments, code, says) in [
        ("--net nonsense --data digits", 2, "nonsense"),
        ("--net lenet5 --hidden 3 --data digits", 2, "--hidden"),
        ("--net mlp --data digits --batch 0", 2, "batch"),
        ("--net mlp --data digits --optimizer rmsprop", 2, "optimiser"),
        ("--net mlp --data digits --dropout 1", 2, "dropout"),
        ("--net mlp --data digits --prep sharpen", 2, "--prep"),
        ("--net mlp --data no-such-data", 4, "no-such-data"),
        (&format!("--net {no_graph} --data digits"), 3, "broken.json"),
        ("--net mlp --data digits --lr 1e30 --optimizer sgd", 1, "diverged"),
    ] {
        let output = run(arguments);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {talk}");
        assert!(talk.contains(says), "{arguments}: {talk}");
        assert!(output.stdout.is_empty());
    }
    assert!(Path::new(&no_graph).exists());
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_written_to_and_stays_one() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read(pipe).unwrap())
    };
    assert!(run(&format!("{SMALL} --epochs 1 -o {}", pipe.display())).status.success());
    assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(reader.join().unwrap() == trained(&format!("{SMALL} --epochs 1")));
}

#[test]
fn principal_components_are_a_first_layer() {
    let bytes = trained(&format!("{SMALL} --pca 20 --epochs 1 --lr 1e-9 --augment none -q"));
    let model = model(&bytes);
    assert_eq!(model.graph.n_parameters(), 784 * 20 + 20 + 20 * 24 + 24 + 240 + 10);
    assert_eq!(model.graph.shape(0), [1, 28, 28]);
    // Hardly trained at all, its rows are still orthonormal.
    let weights = &model.parameters["pca.weight"].to_f32();
    for (i, a) in weights.chunks(784).enumerate() {
        for (j, b) in weights.chunks(784).enumerate() {
            let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!((product - f32::from(u8::from(i == j))).abs() < 1e-3, "{i} {j}: {product}");
        }
    }
    let refused = run(&format!("{SMALL} --pca 785"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--pca"));
}

#[test]
fn a_network_learns_from_teachers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let teachers: Vec<String> = (1..3).map(|seed| path(&format!("{seed}"))).collect();
    for (seed, teacher) in teachers.iter().enumerate() {
        std::fs::write(teacher, trained(&format!("{SMALL} --epochs 6 --seed {seed} -q"))).unwrap();
    }
    let taught = format!("--teacher {} --distill 0.9 --temperature 2", teachers.join(" "));
    let student = "--net mlp --hidden 8 --data digits --epochs 6 --batch 32 --lr 5e-3 -q";
    let bytes = trained(&format!("{student} {taught}"));
    let plain = model(&trained(student));
    let record = &model(&bytes).provenance[0];
    assert_eq!((record.options["distill"].as_str(), record.options["temperature"].as_str()), ("0.9", "2"));
    assert_eq!(record.options["teachers"].len(), 33);
    let error = |record: &kompakt_model::StageRecord| record.measured["validation_error"];
    assert!(error(record) < error(&plain.provenance[0]), "{:?}", record.measured);

    let refused = |arguments: String| {
        let output = run(&arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(format!("{student} --distill 0.5")).contains("--teacher"));
    assert!(refused(format!("{student} --prep deskew {taught}")).contains("preprocessing"));
    assert!(refused(format!("{student} --distill 2 --teacher {}", teachers[0])).contains("distill"));

    // What came from elsewhere does not say how its images are prepared.
    let mut foreign = model(&std::fs::read(&teachers[0]).unwrap());
    foreign.provenance.clear();
    foreign.write(std::path::Path::new(&teachers[0])).unwrap();
    trained(&format!("{student} --prep deskew --teacher {}", teachers[0]));
}
