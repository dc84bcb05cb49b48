//! Golden files and the networks of the record, in every tier.

use super::adapter::{compare, files, gpu, session};
use kompakt_gpu::{Device, Gpu, GpuError, GpuExecutor, GpuOptions};
use kompakt_graph::{networks, table::OPERATORS};
use kompakt_runtime::{Model, SessionOptions};
use kompakt_testing::models::{TIERS, checkpoint, pack};
use std::collections::BTreeSet;

fn golden(gpu: &Gpu, folder: &str, tolerance: f32, half: bool) -> BTreeSet<&'static str> {
    let mut options = GpuOptions::default();
    options.half = half;
    let mut found = BTreeSet::new();
    for path in files(folder) {
        let model = Model::map(&path).unwrap();
        found.extend(model.container().unwrap().graph().nodes().iter().map(|node| node.op.name()));
        for (max_batch, batch) in [(1, 1), (2, 3), (9, 9)] {
            if half && !fits_half(gpu, &model, &options) {
                continue;
            }
            let mut session = session(gpu, &model, max_batch, &options);
            compare(&path.display().to_string(), &mut session, batch, tolerance);
        }
    }
    found
}

/// Networks that work with indices are refused, by name.
fn fits_half(gpu: &Gpu, model: &Model<'_>, options: &GpuOptions) -> bool {
    match GpuExecutor::new(gpu, model, 1, options) {
        Ok(_) => true,
        Err(GpuError::Unsupported(reasons)) => {
            assert!(reasons.iter().all(|reason| reason.contains("indices")), "{reasons:?}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// All operators of the format: the golden files have all of them, in each tier.
#[test]
fn golden_files() {
    let Some(gpu) = gpu() else { return };
    let found = golden(&gpu, "good", 1e-4, false);
    let all = OPERATORS.iter().filter(|o| o.code.is_some()).map(|o| o.name);
    let all: BTreeSet<&str> = all.collect();
    assert_eq!(found, all, "golden files have every operator");
    golden(&gpu, "compat/v1", 1e-4, false);
}

#[test]
fn golden_files_without_subgroups() {
    let Some(gpu) = gpu() else { return };
    golden(&gpu.without_subgroups(), "good", 1e-4, false);
}

#[test]
fn golden_files_in_half_precision() {
    let Some(gpu) = gpu().filter(|gpu| gpu.summary().has_f16) else { return };
    golden(&gpu, "good", 2e-2, true);
}

/// Networks of the paper and of the record, with the densities and levels that they were pruned and clustered to.
#[test]
fn networks_of_the_record() {
    let Some(gpu) = gpu() else { return };
    let lenet5 = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let lenet300 = networks::by_name("lenet-300-100", &[1, 28, 28], 10).unwrap().unwrap();
    let resnet = networks::cifar_resnet(&[3, 32, 32], 3, 10).unwrap();
    for (name, graph, kept, batches) in [
        ("lenet-300-100", lenet300, vec![(0.08, 64), (0.09, 64), (0.26, 64)], [1, 64]),
        ("lenet5", lenet5, vec![(0.66, 256), (0.12, 256), (0.08, 32), (0.19, 32)], [1, 64]),
        ("resnet-20", resnet, vec![(0.9, 16), (0.5, 16), (0.3, 0), (0.7, 8)], [1, 3]),
    ] {
        let mut next = kept.iter().cycle();
        let model = checkpoint(graph, 5, |_| *next.next().unwrap());
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let opened = Model::from_bytes(&bytes).unwrap();
            for batch in batches {
                let mut session = session(&gpu, &opened, batch, &GpuOptions::default());
                compare(&format!("{name} {tier:?} batch {batch}"), &mut session, batch, 1e-4);
            }
        }
    }
}

#[test]
fn several_sessions_share_a_device_and_threads() {
    let Some(gpu) = gpu() else { return };
    let paths: Vec<_> = files("good").into_iter().step_by(7).collect();
    std::thread::scope(|scope| {
        for path in &paths {
            let gpu = &gpu;
            scope.spawn(move || {
                let model = Model::map(path).unwrap();
                let mut sessions = [1, 2].map(|n| session(gpu, &model, n, &GpuOptions::default()));
                for _ in 0..3 {
                    sessions.iter_mut().for_each(|session| compare("shared", session, 2, 1e-4));
                }
            });
        }
    });
}

#[test]
fn a_device_is_chosen_by_name() {
    let Some(gpu) = gpu() else { return };
    let model = Model::map(&files("good")[0]).unwrap();
    let open = |device: &str| {
        let device: Device = device.parse().unwrap();
        kompakt_gpu::session(&model, &SessionOptions::default(), &device, &GpuOptions::default())
    };
    let opened = open(&format!("gpu:{}", gpu.summary().name)).unwrap();
    assert_eq!(opened.session.plan().device.as_ref().unwrap().name, gpu.summary().name);
    assert!(open("cpu").unwrap().session.plan().device.is_none());
    let error = open("gpu:no such thing").unwrap_err().to_string();
    assert!(error.contains(&gpu.summary().name), "says what there is: {error}");
    // Falls back where the GPU is a software adapter, and reports it; the choice is reported in any case.
    assert!(open("auto").unwrap().note.is_some());
    assert!(!kompakt_gpu::adapters().unwrap().is_empty());
}
