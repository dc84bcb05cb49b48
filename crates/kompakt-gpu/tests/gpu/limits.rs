//! What exceeds a device's limits is split or refused by name; a lost device is an error.

use super::adapter::{compare, gpu, session};
use kompakt_format::Tier;
use kompakt_gpu::{Gpu, GpuError, GpuExecutor, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::{Model, Session};
use kompakt_testing::models::{TIERS, checkpoint, pack};

#[test]
fn layers_and_batches_over_a_limit_are_split() {
    let Some(gpu) = gpu() else { return };
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let model = checkpoint(graph, 5, |_| (0.4, 16));
    for tier in TIERS {
        let bytes = pack(&model, tier);
        let opened = Model::from_bytes(&bytes).unwrap();
        // conv1 writes 46 kB per image; fc1 has 400,000 weights.
        let small = gpu.clone().with_max_binding_bytes(100_000);
        let mut session = session(&small, &opened, 64, &GpuOptions::default());
        assert_eq!(session.plan().max_batch, 2);
        compare(&format!("{tier:?}"), &mut session, 5, 1e-4);
    }
}

#[test]
fn what_cannot_be_split_is_refused_by_name() {
    let Some(gpu) = gpu() else { return };
    let model = checkpoint(networks::lenet5(&[1, 28, 28], 10).unwrap(), 5, |_| (0.4, 16));
    let bytes = pack(&model, Tier::Direct);
    let opened = Model::from_bytes(&bytes).unwrap();
    let small = gpu.with_max_binding_bytes(20_000);
    match GpuExecutor::new(&small, &opened, 1, &GpuOptions::default()) {
        Err(error @ GpuError::Limit { .. }) => {
            let text = error.to_string();
            assert!(text.contains("value") && text.contains("20000"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_is_lost_is_an_error() {
    // A separate device.
    if gpu().is_none() {
        return;
    }
    let gpu = Gpu::open(None, true).unwrap();
    let model = checkpoint(networks::mlp(&[4], &[3], 2).unwrap(), 1, |_| (1.0, 4));
    let bytes = pack(&model, Tier::Direct);
    let opened = Model::from_bytes(&bytes).unwrap();
    let mut session: Session<'_> = session(&gpu, &opened, 1, &GpuOptions::default());
    session.run(&[0.5; 4], 1).unwrap();
    gpu.destroy();
    for _ in 0..2 {
        let error = session.run(&[0.5; 4], 1).unwrap_err().to_string();
        assert!(error.contains(&gpu.summary().name), "{error}");
    }
    assert!(GpuExecutor::new(&gpu, &opened, 1, &GpuOptions::default()).is_err());
}
