//! Plans: what the table of costs decides, and that it decides alone.
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
        let graph = networks::mlp(&[1, 28, 28], &[80], 10).unwrap();
        let model = checkpoint(graph, 2, |_| (density, 30));
        for isa in Isa::available() {
            let [stream, direct, smallest] = [Tier::Stream, Tier::Direct, Tier::Smallest].map(|tier| {
                let bytes = pack(&model, tier);
                let model = Model::from_bytes(&bytes).unwrap();
                let session = Session::new(&model, &options(isa)).unwrap();
                session.plan().layers.iter().map(|l| l.form).collect::<Vec<_>>()
            });
            assert_eq!(stream, direct, "{isa}, density {density}");
            assert_eq!(direct, smallest, "{isa}, density {density}");
        }
    }
}
