//! Networks for programs that may not wait answer as sessions do, and keep nothing of the file.

use super::adapter::{files, gpu, session};
use kompakt_format::Tier;
use kompakt_gpu::{GpuError, GpuExecutor, GpuOptions, Network};
use kompakt_graph::networks;
use kompakt_runtime::{Model, RuntimeError};
use kompakt_testing::{
    models::{checkpoint, pack},
    numbers,
};
use pollster::block_on;

#[test]
fn networks_answer_as_sessions() {
    let Some(gpu) = gpu() else { return };
    let mut n_prepared = 0;
    for path in files("good").into_iter().step_by(4) {
        let bytes = std::fs::read(&path).unwrap();
        let model = Model::from_bytes(&bytes).unwrap();
        let mut network = block_on(Network::open(&gpu, &model, 2, &GpuOptions::default())).unwrap();
        let mut session = session(&gpu, &model, 2, &GpuOptions::default());
        assert_eq!((network.inputs(), network.outputs()), (session.inputs(), session.outputs()));
        assert_eq!(network.raw_shape(), session.raw_shape());
        n_prepared += usize::from(session.pipeline().is_some());
        let raw: Vec<Vec<f32>> = match session.pipeline() {
            Some(_) => vec![numbers(7, network.raw_shape().iter().product::<usize>() * 3)],
            None => {
                network.inputs().iter().zip(1..).map(|(port, seed)| numbers(seed, port.len * 3)).collect()
            }
        };
        let raw: Vec<&[f32]> = raw.iter().map(Vec::as_slice).collect();
        session.run_all_raw(&raw, 3).unwrap();
        let expected: Vec<Vec<f32>> =
            (0..session.outputs().len()).map(|i| session.output(i).to_vec()).collect();
        drop(session);
        drop(model);
        drop(bytes);
        let found = block_on(network.run_raw(&raw, 3)).unwrap();
        // Bit by bit, because answers may be NaN.
        let bits = |all: &[Vec<f32>]| -> Vec<Vec<u32>> {
            all.iter().map(|one| one.iter().map(|v| v.to_bits()).collect()).collect()
        };
        assert_eq!(bits(found), bits(&expected), "{}", path.display());
        let error = block_on(network.run_raw(&raw, 2)).unwrap_err();
        assert!(matches!(error, GpuError::Runtime(RuntimeError::Input { .. })), "{error}");
        let error = block_on(network.run_raw(&[], 1)).unwrap_err();
        assert!(matches!(error, GpuError::Runtime(RuntimeError::InputCount { .. })), "{error}");
    }
    assert!(n_prepared > 0);
}

#[test]
fn what_would_need_the_file_is_refused() {
    let Some(gpu) = gpu() else { return };
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let bytes = pack(&checkpoint(graph, 5, |_| (0.4, 16)), Tier::Stream);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut options = GpuOptions::default();
    options.vram_budget = Some(0);
    let Err(GpuError::Budget { least, .. }) = GpuExecutor::new(&gpu, &model, 1, &options) else {
        panic!("nothing fits no memory");
    };
    options.vram_budget = Some(least);
    let error = block_on(Network::open(&gpu, &model, 1, &options)).unwrap_err();
    assert!(error.to_string().contains("streamed"), "{error}");
}
