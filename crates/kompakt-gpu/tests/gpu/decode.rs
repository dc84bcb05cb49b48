//! The tier `stream`, decoded on the GPU: at load, at every run, and broken.

use super::adapter::{compare, files, gpu, inputs, session};
use kompakt_format::{Container, SectionKind, Tier};
use kompakt_gpu::{Decode, Gpu, GpuExecutor, GpuOptions};
use kompakt_graph::networks;
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::models::{checkpoint, pack};

fn decoded(when: Decode) -> GpuOptions {
    let mut options = GpuOptions::default();
    options.decode = when;
    options
}

/// Kept weights of each layer, as the plan has them.
fn kept(session: &Session<'_>) -> Vec<(String, usize)> {
    session.plan().layers.iter().map(|layer| (layer.name.clone(), layer.n_kept)).collect()
}

/// Sparse and dense layers, of few and many levels: with the processor's decoder and both of the GPU's.
#[test]
fn every_place_of_decoding_answers_the_same() {
    let Some(gpu) = gpu() else { return };
    for (density, n_levels) in [(0.02, 256), (0.1, 2), (0.2, 16), (0.7, 8), (1.0, 100)] {
        let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
        let bytes = pack(&checkpoint(graph, 5, |_| (density, n_levels)), Tier::Stream);
        let model = Model::from_bytes(&bytes).unwrap();
        let by_host = session(&gpu, &model, 2, &decoded(Decode::Host));
        for gpu in [gpu.clone(), gpu.clone().without_subgroups()] {
            for when in [Decode::Load, Decode::Run] {
                let what = format!("{density} {n_levels} {when}");
                let mut session = session(&gpu, &model, 2, &decoded(when));
                assert_eq!(kept(&session), kept(&by_host), "{what}");
                let is_coded = session.plan().layers.iter().all(|layer| layer.form == "coded");
                assert_eq!(is_coded, when == Decode::Run, "{what}");
                for batch in [1, 3] {
                    compare(&what, &mut session, batch, 1e-4);
                }
            }
        }
    }
}

/// Golden files have linked codes, classes of rows, rows with nothing kept.
#[test]
fn golden_files_decoded_at_every_run() {
    let Some(gpu) = gpu() else { return };
    for path in files("good") {
        let model = Model::map(&path).unwrap();
        if model.container().unwrap().tier() == Tier::Stream {
            let mut session = session(&gpu, &model, 2, &decoded(Decode::Run));
            compare(&path.display().to_string(), &mut session, 3, 1e-4);
        }
    }
}

/// A layer that is large for its buffers is decoded in parts, and takes less video memory than one decoded at load.
#[test]
fn decoding_at_every_run_takes_less_memory() {
    let Some(gpu) = gpu().and_then(|_| Gpu::open(None, true).ok()) else { return };
    let graph = networks::mlp(&[2048], &[2048, 2048, 2048], 10).unwrap();
    let bytes = pack(&checkpoint(graph, 5, |_| (0.1, 16)), Tier::Stream);
    let model = Model::from_bytes(&bytes).unwrap();
    let total = |when| {
        let before = gpu.allocated_bytes();
        let mut session = session(&gpu, &model, 1, &decoded(when));
        let planned = session.plan().device.as_ref().unwrap().total_bytes();
        if let Some((before, after)) = before.zip(gpu.allocated_bytes()) {
            let off = (after - before).abs_diff(planned) as f64 / planned as f64;
            assert!(off < 0.1, "{when}: planned {planned}, allocated {}", after - before);
        }
        let all = inputs(&session, 1);
        session.run(&all[0], 1).unwrap();
        let before = gpu.allocated_bytes();
        compare(&when.to_string(), &mut session, 1, 1e-4);
        assert_eq!(gpu.allocated_bytes(), before, "a run allocates nothing");
        planned
    };
    let (load, run, host) = (total(Decode::Load), total(Decode::Run), total(Decode::Host));
    assert!(run < load, "{run} {load} {host}");
}

/// Whatever is done to a tile, the GPU refuses what the processor refuses, and answers the same to what it takes.
#[test]
fn changed_tiles_are_refused_as_by_the_processor() {
    let Some(gpu) = gpu() else { return };
    let graph = networks::mlp(&[60], &[40], 5).unwrap();
    let model = checkpoint(graph, 5, |name| if name.starts_with("fc1") { (0.15, 16) } else { (0.8, 8) });
    let bytes = pack(&model, Tier::Stream);
    let container = Container::parse(&bytes).unwrap();
    let is_tiles =
        |kind: &SectionKind| matches!(kind, SectionKind::StreamTiles { .. } | SectionKind::StreamTables);
    let sections: Vec<_> =
        container.sections().iter().filter(|s| is_tiles(&s.kind)).map(|s| (s.offset, s.length)).collect();
    assert!(sections.len() > 1);
    let (mut n_refused, mut n_taken) = (0, 0);
    for (offset, length) in sections {
        for at in (0..length).step_by((length / 24).max(1)) {
            let mut changed = bytes.clone();
            changed[offset + at] ^= 1 << (at % 8);
            // Checksums are not looked at here.
            let model = Model::from_bytes(&changed).unwrap();
            let on_cpu = Session::new(&model, &SessionOptions::default());
            for when in [Decode::Load, Decode::Run] {
                match (GpuExecutor::new(&gpu, &model, 1, &decoded(when)), &on_cpu) {
                    (Err(error), Err(expected)) => {
                        let error: RuntimeError = error.into();
                        assert_eq!(error.to_string(), expected.to_string(), "byte {at}");
                        n_refused += 1;
                    }
                    (Ok(executor), Ok(_)) => {
                        let mut session = Session::with_executor(&model, Box::new(executor)).unwrap();
                        compare(&format!("byte {at}"), &mut session, 1, 1e-4);
                        n_taken += 1;
                    }
                    (found, expected) => panic!("byte {at}: {found:?} on the GPU, {expected:?}"),
                }
            }
        }
    }
    assert!(n_refused > 20, "{n_refused} refused, {n_taken} taken");
}
