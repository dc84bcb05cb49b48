//! Plans: the choices follow the cost table, and nothing else.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_graph::networks;
use kompakt_kernels::Isa;
use kompakt_runtime::{Model, Session, SessionOptions};
use kompakt_testing::models::{checkpoint, pack};

fn options(isa: Isa) -> SessionOptions {
    let mut options = SessionOptions::default();
    options.isa = isa;
    options
}

#[test]
fn the_same_file_and_options_give_the_same_plan_and_bits() {
    let x: Vec<f32> = (0..784).map(|i| (i * 7 % 11) as f32 - 3.0).collect();
    for (density, tier) in
        [(0.1, Tier::Stream), (0.5, Tier::Direct), (0.5, Tier::Stream), (1.0, Tier::Smallest)]
    {
        let graph = networks::mlp(&[1, 28, 28], &[100, 60], 10).unwrap();
        let bytes = pack(&checkpoint(graph, 1, |_| (density, 16)), tier);
        for isa in Isa::available() {
            let [first, second] = [0, 1].map(|_| {
                let model = Model::from_bytes(&bytes).unwrap();
                let mut session = Session::new(&model, &options(isa)).unwrap();
                let y = session.run(&x, 1).unwrap().to_vec();
                (session.plan().clone(), y)
            });
            assert_eq!(first, second, "{isa}");
            for layer in &first.0.layers {
                let cost = |form: &str| layer.costs.iter().find(|c| c.0 == form).map(|c| c.1);
                let least = layer.costs.iter().map(|c| c.1).fold(f64::INFINITY, f64::min);
                assert!(cost(layer.form).unwrap() <= 1.1 * least, "{isa}: {layer:?}");
                if density == 1.0 {
                    assert_eq!(layer.form, "dense codes", "{isa}");
                }
            }
        }
    }
}

#[test]
fn tiers_have_the_same_forms() {
    for density in [0.05, 0.15, 0.2, 0.25, 0.3, 0.6, 0.8, 0.97] {
        let linear = networks::mlp(&[1, 28, 28], &[80], 10).unwrap();
        let convolutional = networks::lenet5(&[1, 28, 28], 10).unwrap();
        for (graph, max_batch) in [(linear.clone(), 1), (linear, 20), (convolutional, 1)] {
            let model = checkpoint(graph, 2, |_| (density, 30));
            let files = [Tier::Stream, Tier::Direct, Tier::Smallest].map(|tier| pack(&model, tier));
            for isa in Isa::available() {
                let [stream, direct, smallest] = files.each_ref().map(|bytes| {
                    let model = Model::from_bytes(bytes).unwrap();
                    let mut options = options(isa);
                    options.max_batch = max_batch;
                    let session = Session::new(&model, &options).unwrap();
                    session.plan().layers.iter().map(|l| l.form).collect::<Vec<_>>()
                });
                assert_eq!(stream, direct, "{isa}, density {density}");
                assert_eq!(direct, smallest, "{isa}, density {density}");
            }
        }
    }
}

#[test]
fn convolutions_are_weighed_too() {
    // Skipping zeros is faster where most weights are pruned, and never where none is.
    for isa in Isa::available() {
        let [sparse, dense] = [0.05, 1.0].map(|density| {
            let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
            let bytes = pack(&checkpoint(graph, 1, |_| (density, 16)), Tier::Direct);
            let model = Model::from_bytes(&bytes).unwrap();
            Session::new(&model, &options(isa)).unwrap().plan().clone()
        });
        assert_eq!((sparse.layers[0].form, sparse.layers[1].form), ("taps", "taps"), "{isa}");
        if isa.name() != "scalar" {
            assert_eq!(dense.layers[1].form, "panels", "{isa}");
        }
        for plan in [&sparse, &dense] {
            let sum: f64 = plan.layers.iter().map(|layer| layer.ns).sum();
            assert!(plan.layers.iter().all(|layer| layer.ns > 0.0 && layer.dense_ns > 0.0), "{isa}");
            assert!((plan.ns() - sum).abs() <= 1e-9 * sum, "{isa}");
        }
        assert!(sparse.ns() < 0.6 * dense.ns(), "{isa}: {} and {}", sparse.ns(), dense.ns());
        let ratio = sparse.dense_ns() / dense.dense_ns();
        assert!((0.99..1.01).contains(&ratio), "{isa}: the dense network is the same: {ratio}");
    }
}

#[test]
fn small_layers_stay_in_memory_where_the_others_run_from_the_file() {
    let x: Vec<f32> = (0..784).map(|i| (i * 7 % 11) as f32 - 3.0).collect();
    for (sizes, large) in [([300, 100], 0), ([6000, 40], 1)] {
        let graph = networks::mlp(&[1, 28, 28], &sizes, 10).unwrap();
        for tier in [Tier::Stream, Tier::Direct] {
            let bytes = pack(&checkpoint(graph.clone(), 5, |_| (0.08, 64)), tier);
            let model = Model::from_bytes(&bytes).unwrap();
            for isa in Isa::available() {
                let run = |from_file, small_bytes, ram_budget| {
                    let mut options = options(isa);
                    (options.from_file, options.small_bytes) = (from_file, small_bytes);
                    options.ram_budget = ram_budget;
                    let mut session = Session::new(&model, &options).unwrap();
                    let y = session.run(&x, 1).unwrap().to_vec();
                    let is_from_file = session.plan().layers.iter().map(|l| l.form == "from the file");
                    (is_from_file.collect::<Vec<bool>>(), session.plan().anonymous_bytes, y)
                };
                let small_bytes = SessionOptions::default().small_bytes;
                let [in_memory, none, some] =
                    [(false, 0), (true, 0), (true, small_bytes)].map(|(file, small)| run(file, small, None));
                assert_eq!((in_memory.0, none.0), (vec![false; 3], vec![true; 3]), "{isa}");
                assert_eq!(some.0, [[false; 3], [true, false, false]][large], "{isa}");
                assert!(some.1 <= none.1 * 51 / 50 + small_bytes, "{isa}: {} and {}", some.1, none.1);
                assert_eq!((&in_memory.2, &none.2), (&some.2, &some.2), "{isa}, {tier:?}");
                // A budget is a limit all the same; what is planned for is a little more than what is taken.
                let budget = none.1 * 51 / 50 + 20_000;
                let limited = run(true, small_bytes, Some(budget));
                assert!(limited.1 <= budget, "{isa}: {} of {budget}", limited.1);
            }
        }
    }
}
