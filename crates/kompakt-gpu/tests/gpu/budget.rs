//! Budgets for video memory: layers that do not fit are streamed at every run, and the results stay the same.

use super::adapter::{compare, files, gpu, session};
use kompakt_gpu::{GpuError, GpuExecutor, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::Model;
use kompakt_testing::models::{TIERS, checkpoint, pack};

fn with_budget(bytes: u64) -> GpuOptions {
    let mut options = GpuOptions::default();
    options.vram_budget = Some(bytes);
    options
}

fn least(gpu: &kompakt_gpu::Gpu, model: &Model<'_>, max_batch: usize) -> u64 {
    match GpuExecutor::new(gpu, model, max_batch, &with_budget(0)) {
        Err(GpuError::Budget { least, .. }) => least,
        other => panic!("a budget of nothing: {other:?}"),
    }
}

#[test]
fn layers_that_do_not_fit_are_brought_at_every_run() {
    let Some(gpu) = gpu() else { return };
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let model = checkpoint(graph, 5, |name| if name.starts_with("fc1") { (0.3, 32) } else { (0.7, 16) });
    for tier in TIERS {
        let bytes = pack(&model, tier);
        let opened = Model::from_bytes(&bytes).unwrap();
        for max_batch in [1, 16] {
            let all = session(&gpu, &opened, max_batch, &GpuOptions::default());
            let needed = all.plan().device.clone().unwrap();
            let least = least(&gpu, &opened, max_batch);
            assert!(least < needed.total_bytes(), "{least} {needed:?}");
            for budget in [least, (least + needed.total_bytes()) / 2, needed.total_bytes() + 4096] {
                let mut limited = session(&gpu, &opened, max_batch, &with_budget(budget));
                let plan = limited.plan().clone();
                let device = plan.device.unwrap();
                assert!(device.total_bytes() <= budget + 1024, "{tier:?} {budget}: {device:?}");
                let n_streamed = plan.layers.iter().filter(|layer| layer.form == "streamed").count();
                assert_eq!(n_streamed > 0, budget < needed.total_bytes(), "{budget} of {needed:?}");
                for batch in [1, max_batch, 3] {
                    compare(&format!("{tier:?} in {budget} bytes"), &mut limited, batch, 1e-4);
                }
            }
        }
    }
}

#[test]
fn golden_files_in_the_least_memory() {
    let Some(gpu) = gpu() else { return };
    for path in files("good") {
        let model = Model::map(&path).unwrap();
        let GpuError::Budget { least, .. } = (match GpuExecutor::new(&gpu, &model, 2, &with_budget(0)) {
            Err(error) => error,
            // Networks without layers have nothing to stream.
            Ok(_) => continue,
        }) else {
            panic!("{}", path.display())
        };
        let mut limited = session(&gpu, &model, 2, &with_budget(least));
        compare(&path.display().to_string(), &mut limited, 3, 1e-4);
    }
}
