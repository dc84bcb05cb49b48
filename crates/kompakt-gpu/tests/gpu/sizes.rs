//! Sessions at other sizes keep their weights in video memory, and answer as on the processor.

use super::adapter::{files, gpu, inputs, session};
use kompakt_gpu::{Decode, Gpu, GpuError, GpuExecutor, GpuOptions};
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};

fn seq(size: usize) -> Vec<(String, usize)> {
    vec![("seq".into(), size)]
}

/// Runs texts of other lengths, one after another, and compares with the processor.
fn follows(gpu: &Gpu, options: &GpuOptions) {
    let mut n_files = 0;
    for path in files("good") {
        let model = Model::map(&path).unwrap();
        if model.open_sizes().iter().all(|symbol| symbol.name != "seq") {
            continue;
        }
        n_files += 1;
        let mut on_gpu = session(gpu, &model, 2, options);
        let mut on_cpu = Session::new(&model, &SessionOptions::default()).unwrap();
        let weights = |session: &Session<'_>| -> Vec<(String, usize)> {
            let layers = &session.plan().layers;
            layers.iter().map(|layer| (layer.name.clone(), layer.anonymous_bytes)).collect()
        };
        let before = weights(&on_gpu);
        for n in [6, 16, 4, 10, 10, 6] {
            on_cpu.resize(&seq(n)).unwrap();
            let all: Vec<f32> = (0..2 * n).map(|i| (i * 7 % 10) as f32).collect();
            for (batch, words) in [(1, &all[..n]), (2, &all[..])] {
                // Two texts of one length may be taken for one of twice the length.
                on_gpu.resize(&seq(n)).unwrap();
                on_gpu.run_all(&[words], batch).unwrap();
                on_cpu.run_all(&[words], batch).unwrap();
                assert_eq!((on_gpu.sizes(), on_gpu.input_shape()), (on_cpu.sizes(), on_cpu.input_shape()));
                for index in 0..on_cpu.outputs().len() {
                    let (found, expected) = (on_gpu.output(index), on_cpu.output(index));
                    assert_eq!(found.len(), expected.len());
                    let largest = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
                    let is_near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-4 * largest);
                    assert!(is_near, "{} at {n}: {found:?} {expected:?}", path.display());
                }
            }
            if options.vram_budget.is_none() {
                assert_eq!(weights(&on_gpu), before);
            }
        }
    }
    assert!(n_files > 2);
}

#[test]
fn a_session_follows_its_input() {
    let Some(gpu) = gpu() else { return };
    let mut options = GpuOptions::default();
    for decode in [Decode::Load, Decode::Run, Decode::Host] {
        options.decode = decode;
        follows(&gpu, &options);
    }
    options.vram_budget = Some(1 << 20);
    follows(&gpu, &options);
}

#[test]
fn other_sizes_take_memory_for_values_only() {
    let Some(gpu) = gpu().and_then(|_| Gpu::open(None, true).ok()) else { return };
    let path = files("good").into_iter().find(|p| p.ends_with("open-sizes-direct.kompakt")).unwrap();
    let [model, there] = [6, 16].map(|n| Model::map(&path).unwrap().at(&seq(n)).unwrap());
    let mut resized = session(&gpu, &model, 1, &GpuOptions::default());
    let before = gpu.allocated_bytes();
    for n in [16, 6, 16, 6] {
        resized.resize(&seq(n)).unwrap();
    }
    // Perhaps fewer: what loading needed is freed with the sizes that it was for. Perhaps a few more: the driver frees small
    // buffers when it is next asked for something.
    let most = before.map(|bytes| bytes + 1024);
    assert!(gpu.allocated_bytes() <= most, "{:?} of {before:?}", gpu.allocated_bytes());
    resized.resize(&seq(16)).unwrap();
    let made = session(&gpu, &there, 1, &GpuOptions::default());
    let [found, expected] = [&resized, &made].map(|session| {
        let device = session.plan().device.as_ref().unwrap();
        (device.weight_bytes, device.activation_bytes, device.staging_bytes)
    });
    assert_eq!(found, expected);
}

#[test]
fn sizes_that_are_not_possible_leave_a_session_as_it_is() {
    let Some(gpu) = gpu() else { return };
    let path = files("good").into_iter().find(|p| p.ends_with("open-sizes-stream.kompakt")).unwrap();
    let model = Model::map(path).unwrap();
    let run = |session: &mut Session<'_>| {
        let all = inputs(session, 1);
        let all: Vec<&[f32]> = all.iter().map(Vec::as_slice).collect();
        session.run_all(&all, 1)
    };
    let mut on_gpu = session(&gpu, &model, 1, &GpuOptions::default());
    for size in [0, 2, 7, 18] {
        assert!(matches!(on_gpu.resize(&seq(size)), Err(RuntimeError::Sizes(_))));
    }
    run(&mut on_gpu).unwrap();
    // A budget for short texts, which long ones exceed: then it is as it was.
    let mut options = GpuOptions::default();
    options.vram_budget = Some(0);
    let Err(GpuError::Budget { least, .. }) = GpuExecutor::new(&gpu, &model, 1, &options) else {
        panic!("nothing fits no memory");
    };
    options.vram_budget = Some(least);
    let mut small = session(&gpu, &model, 1, &options);
    let error = small.resize(&seq(16)).unwrap_err().to_string();
    assert!(error.contains("least possible"), "{error}");
    assert_eq!(small.sizes(), [6]);
    run(&mut small).unwrap();
    small.resize(&seq(4)).unwrap();
    run(&mut small).unwrap();
    // Sizes are an option, too.
    let mut given = SessionOptions::default();
    given.sizes = seq(12);
    let device = format!("gpu:{}", gpu.summary().name).parse().unwrap();
    let opened = kompakt_gpu::session(&model, &given, &device, &GpuOptions::default()).unwrap();
    assert_eq!(opened.session.sizes(), [12]);
}
