//! The plan states the use of video memory, and a run does not exceed it.

use super::adapter::{files, gpu, inputs, session};
use kompakt_format::Tier;
use kompakt_gpu::{Gpu, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::Model;
use kompakt_testing::models::{checkpoint, pack};

#[test]
fn runs_after_the_first_allocate_nothing_on_the_device() {
    let Some(gpu) = gpu().and_then(|_| Gpu::open(None, true).ok()) else { return };
    for path in files("good").into_iter().step_by(5) {
        let model = Model::map(&path).unwrap();
        let mut session = session(&gpu, &model, 2, &GpuOptions::default());
        let all = inputs(&session, 3);
        let all: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        session.run_all(&all, 3).unwrap();
        let before = gpu.allocated_bytes();
        for _ in 0..5 {
            session.run_all(&all, 3).unwrap();
            assert_eq!(gpu.allocated_bytes(), before, "{}", path.display());
        }
    }
}

#[test]
fn the_plan_is_right_to_a_tenth() {
    let Some(gpu) = gpu().and_then(|_| Gpu::open(None, true).ok()) else { return };
    for (graph, max_batch) in [
        (networks::lenet5(&[1, 28, 28], 10).unwrap(), 1),
        (networks::lenet5(&[1, 28, 28], 10).unwrap(), 64),
        (networks::cifar_resnet(&[3, 32, 32], 3, 10).unwrap(), 4),
    ] {
        let model = checkpoint(graph, 5, |_| (0.3, 16));
        let bytes = pack(&model, Tier::Stream);
        let opened = Model::from_bytes(&bytes).unwrap();
        let before = gpu.allocated_bytes();
        let session = session(&gpu, &opened, max_batch, &GpuOptions::default());
        let Some((before, after)) = before.zip(gpu.allocated_bytes()) else { return };
        let planned = session.plan().device.as_ref().unwrap().total_bytes();
        let found = after - before;
        let off = found.abs_diff(planned) as f64 / found as f64;
        assert!(off < 0.1, "planned {planned}, allocated {found}");
    }
}
