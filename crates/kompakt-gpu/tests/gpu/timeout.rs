//! A device that does not answer in time is an error, not a hang.

use super::adapter::{gpu, session};
use kompakt_format::Tier;
use kompakt_gpu::{Gpu, GpuError, GpuExecutor, GpuOptions, Network};
use kompakt_graph::networks;
use kompakt_runtime::Model;
use kompakt_testing::models::{checkpoint, pack};
use pollster::block_on;
use std::time::{Duration, Instant};

#[test]
fn a_device_that_does_not_answer_is_an_error() {
    // A separate device, which is left alone afterwards.
    let Some(gpu) = gpu().and_then(|_| Gpu::open(None, true).ok()) else { return };
    // Much to compute, little to upload.
    let graph = networks::cifar_resnet(&[3, 32, 32], 3, 10).unwrap();
    let bytes = pack(&checkpoint(graph, 5, |_| (0.5, 16)), Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    let x = vec![0.5; 64 * 3 * 32 * 32];
    let mut options = GpuOptions::default();
    let mut patient = session(&gpu, &model, 64, &options);
    let started = Instant::now();
    patient.run(&x, 64).unwrap();
    let needed = started.elapsed();

    // An upload takes far less than a run.
    options.timeout = Some(needed / 10);
    let mut hurried = block_on(Network::open(&gpu, &model, 64, &options)).unwrap();
    let started = Instant::now();
    let error = block_on(hurried.run_raw(&[&x], 64)).unwrap_err();
    assert!(matches!(error, GpuError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < needed, "{:?} of {needed:?}", started.elapsed());
    let said = error.to_string();
    assert!(said.contains("has not answered") && said.contains(&gpu.summary().name), "{said}");
    // Nothing hangs afterwards either: not another run, not the end of it.
    let _ = block_on(hurried.run_raw(&[&x], 64)).unwrap_err();
    drop(hurried);

    options.timeout = Some(Duration::ZERO);
    let found = GpuExecutor::new(&gpu, &model, 1, &options).map(|_| ());
    assert!(matches!(found, Ok(()) | Err(GpuError::Timeout { .. })), "{found:?}");
}
