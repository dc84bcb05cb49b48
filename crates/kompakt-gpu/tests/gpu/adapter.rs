//! The GPU under test, and the comparison with the loader's results.

use kompakt_gpu::{Gpu, GpuExecutor, GpuOptions};
use kompakt_runtime::{Model, Session, SessionOptions};
use kompakt_testing::numbers;
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The GPU of this machine, or a software adapter; `None`, with a note, where there is none and none is
/// required.
#[expect(clippy::print_stderr, reason = "what is not tested is said")]
pub(crate) fn gpu() -> Option<Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || match Gpu::open(None, true) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var("CI").is_ok_and(|value| value == "true") => panic!("{error}"),
        Err(error) => {
            eprintln!("not tested here: no adapter: {error}");
            None
        }
    };
    GPU.get_or_init(open).clone()
}

/// The files of a folder of `fixtures`.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder);
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|e| e == "kompakt")).collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

/// A session on the GPU.
pub(crate) fn session<'m>(
    gpu: &Gpu,
    model: &'m Model<'m>,
    max_batch: usize,
    options: &GpuOptions,
) -> Session<'m> {
    let executor = GpuExecutor::new(gpu, model, max_batch, options).unwrap();
    Session::with_executor(model, Box::new(executor)).unwrap()
}

/// Inputs for a batch.
pub(crate) fn inputs(session: &Session<'_>, batch: usize) -> Vec<Vec<f32>> {
    session.inputs().iter().zip(1..).map(|(port, seed)| numbers(seed, port.len * batch)).collect()
}

/// Runs both and compares all outputs, to `tolerance` of the largest.
pub(crate) fn compare(what: &str, on_gpu: &mut Session<'_>, batch: usize, tolerance: f32) {
    let model = on_gpu.model();
    let mut on_cpu = Session::new(model, &SessionOptions::default()).unwrap();
    let inputs = inputs(&on_cpu, batch);
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    on_gpu.run_all(&inputs, batch).unwrap();
    on_cpu.run_all(&inputs, batch).unwrap();
    for (i, port) in on_cpu.outputs().iter().enumerate() {
        let (found, expected) = (on_gpu.output(i), on_cpu.output(i));
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
        for (at, (f, e)) in found.iter().zip(expected).enumerate() {
            let is_near = (f - e).abs() <= tolerance * largest || f == e;
            assert!(
                is_near,
                "{what}: {}, element {at}: {f} on the GPU, {e} on the CPU, largest {largest}",
                port.name
            );
        }
    }
}
