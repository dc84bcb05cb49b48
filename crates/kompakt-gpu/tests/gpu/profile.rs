//! Times of steps, from the device's timestamps.

use super::adapter::{files, gpu, inputs, session};
use kompakt_format::Tier;
use kompakt_gpu::{Decode, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::Model;
use kompakt_testing::models::{checkpoint, pack};

#[test]
fn every_step_is_timed() {
    let Some(gpu) = gpu().filter(|gpu| gpu.summary().has_timestamps) else { return };
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let bytes = pack(&checkpoint(graph, 5, |_| (0.3, 16)), Tier::Stream);
    let model = Model::from_bytes(&bytes).unwrap();
    for (decode, kinds) in [
        (Decode::Load, &["tile", "pool", "matrix_vector"][..]),
        (Decode::Run, &["decode", "tile", "pool", "matrix_vector"]),
    ] {
        let mut options = GpuOptions::default();
        options.decode = decode;
        let mut session = session(&gpu, &model, 1, &options);
        let x = inputs(&session, 1);
        let steps = session.profile(&[&x[0]], 1, 5).unwrap();
        for kind in kinds {
            assert!(steps.iter().any(|step| step.kind == *kind), "{decode} {kind}: {steps:?}");
        }
        for layer in ["conv1", "conv2", "fc1", "fc2"] {
            let of_layer: Vec<_> = steps.iter().filter(|step| step.name == layer).collect();
            assert_eq!(of_layer.len(), if decode == Decode::Run { 2 } else { 1 }, "{layer}: {steps:?}");
        }
        assert!(steps.iter().all(|step| step.least <= step.time), "{steps:?}");
        assert!(steps.iter().any(|step| !step.time.is_zero()), "{steps:?}");
    }
}

/// Streamed layers are timed too, and a batch in parts.
#[test]
fn steps_are_timed_in_the_least_memory() {
    let Some(gpu) = gpu().filter(|gpu| gpu.summary().has_timestamps) else { return };
    let path = &files("good")[0];
    let model = Model::map(path).unwrap();
    let mut options = GpuOptions::default();
    options.vram_budget = Some(0);
    let Err(kompakt_gpu::GpuError::Budget { least, .. }) =
        kompakt_gpu::GpuExecutor::new(&gpu, &model, 1, &options)
    else {
        return;
    };
    options.vram_budget = Some(least);
    let mut session = session(&gpu, &model, 1, &options);
    let x = inputs(&session, 1);
    assert!(!session.profile(&[&x[0]], 1, 2).unwrap().is_empty());
}
