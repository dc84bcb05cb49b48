//! Parameters before and after: the interchange's invariants, and the paper's figures.
#![allow(clippy::unwrap_used)]

use arbtest::arbtest;
use kompakt_cluster::{
    CentroidInit, ClusterError, Method, NumberFormat, Options, cluster, in_groups, paper_ratio, settle, share,
};
use kompakt_graph::{Graph, Op};
use kompakt_model::{Model, Numbers, Parameter};
use std::collections::BTreeMap;

const METHODS: [Method; 5] = [
    Method::KMeans(CentroidInit::Forgy),
    Method::KMeans(CentroidInit::Density),
    Method::KMeans(CentroidInit::Linear),
    Method::Exact,
    Method::EntropyConstrained { lambda: 0.01 },
];

#[test]
fn the_papers_formula_gives_the_papers_figure() {
    // Han 2015, figure 3: a 4 x 4 layer with four shared values of 32 bits: 16 * 32 / (4 * 32 + 2 * 16) = 3.2.
    assert!((paper_ratio(16, 4, 32) - 3.2).abs() < 1e-12);
}

#[test]
fn the_papers_example_layer_is_shared_as_in_its_figure() {
    // The weights of figure 3 and its four centroids.
    let weights = vec![
        2.09, -0.98, 1.48, 0.09, 0.05, -0.14, -1.08, 2.12, -0.91, 1.92, 0.0001, -1.03, 1.87, 0.0001, 1.53,
        1.49,
    ];
    let layer = Parameter::dense(vec![4, 4], weights);
    let (shared, report) = share("w", &layer, Method::Exact, 4, NumberFormat::F32, 0).unwrap();
    let Parameter::Shared { codebook, codes, mask, .. } = &shared else { panic!("not shared") };
    for (found, expected) in codebook.to_f32().into_iter().zip([-1.0, 0.0, 1.5, 2.0]) {
        assert!((found - expected).abs() < 5e-3, "{found} where the paper has {expected}");
    }
    assert_eq!(codes, &[3, 0, 2, 1, 1, 1, 0, 3, 0, 3, 1, 0, 3, 1, 2, 2]);
    assert_eq!(mask, &None);
    assert!((report.paper_ratio - 3.2).abs() < 1e-12);
    assert_eq!(report.bits, 2);
}

#[test]
fn every_result_is_a_valid_parameter_that_keeps_its_zeros() {
    arbtest(|u| {
        let n = u.int_in_range(1..=40)?;
        let scale = *u.choose(&[1.0f32, 1e-3, 1e5, 1e-38])?;
        let mut values: Vec<f32> =
            (0..n).map(|_| Ok(f32::from(u.arbitrary::<i8>()?) * scale)).collect::<Result<_, _>>()?;
        let mask: Vec<bool> = (0..n).map(|_| u.arbitrary()).collect::<Result<_, _>>()?;
        values.iter_mut().zip(&mask).filter(|(_, kept)| !**kept).for_each(|(v, _)| *v = 0.0);
        let kept: Vec<bool> = values.iter().map(|v| *v != 0.0).collect();
        let mask = u.arbitrary::<bool>()?.then_some(mask);
        let layer = Parameter::Dense { shape: vec![n], values: Numbers::F32(values), mask };
        let format =
            *u.choose(&[NumberFormat::F32, NumberFormat::F16, NumberFormat::Int(2), NumberFormat::Int(8)])?;
        let k = u.int_in_range(1..=20)?;
        for method in METHODS {
            let (shared, report) = share("w", &layer, method, k, format, 3).unwrap();
            shared.check("w").unwrap();
            let Parameter::Shared { codebook, codes, .. } = &shared else { panic!("not shared") };
            assert!(codebook.len() <= k);
            assert_eq!(shared.to_f32().iter().map(|v| *v != 0.0).collect::<Vec<_>>(), kept);
            let used = |entry: usize| (0..n).any(|i| kept[i] && usize::from(codes[i]) == entry);
            assert!(!kept.contains(&true) || (0..codebook.len()).all(used), "an entry that nothing uses");
            assert_eq!(report.n_levels, codebook.len());
        }
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn few_values_need_no_rounding() {
    let layer = Parameter::dense(vec![6], vec![0.5, -0.25, 0.5, 0.0, 0.125, -0.25]);
    for method in METHODS {
        let (shared, report) = share("w", &layer, method, 256, NumberFormat::F32, 0).unwrap();
        if matches!(method, Method::EntropyConstrained { .. }) {
            continue;
        }
        assert_eq!(shared.to_f32(), layer.to_f32());
        assert_eq!((report.n_levels, report.mse), (3, 0.0));
    }
}

#[test]
fn centroids_that_meet_share_an_entry_and_none_becomes_zero() {
    let settled = settle(&[1.0, -1.0, 1e-9, 1.0001, -1e-9, 0.0], NumberFormat::Int(8));
    assert_eq!(settled.entry_of, [3, 0, 2, 3, 1, 2]);
    let Numbers::Scaled { integers, .. } = &settled.codebook else { panic!("not scaled") };
    assert_eq!(integers, &[-127, -1, 1, 127]);

    for format in [NumberFormat::F32, NumberFormat::F16, NumberFormat::Int(4)] {
        let settled = settle(&[0.0, -0.0, 2.0, 1e-45], format);
        let values = settled.codebook.to_f32();
        assert!(values.iter().all(|v| *v != 0.0) && values.windows(2).all(|w| w[0] < w[1]), "{values:?}");
    }
}

#[test]
fn formats_read_as_they_are_written() {
    for text in ["f32", "f16", "int2", "int8", "int24"] {
        assert_eq!(text.parse::<NumberFormat>().unwrap().to_string(), text);
    }
    for text in ["", "f64", "int", "int1", "int25", "8"] {
        assert!(text.parse::<NumberFormat>().is_err());
    }
    let numbers = Numbers::F32(vec![1.0, -0.5, 0.1]);
    for format in [NumberFormat::F32, NumberFormat::F16, NumberFormat::Int(6), NumberFormat::Int(12)] {
        assert_eq!(NumberFormat::of(&format.round(&numbers)), format);
    }
    // 1e6 has no f16: the format changes, not the value.
    assert_eq!(NumberFormat::F16.round(&Numbers::F32(vec![1e6])), Numbers::F32(vec![1e6]));
}

fn two_layers() -> Model {
    let graph = Graph::chain(
        &[40],
        vec![
            Op::Linear { out_features: 30, bias: true },
            Op::Relu,
            Op::Linear { out_features: 5, bias: false },
        ],
    )
    .unwrap();
    let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin() + 1e-3).collect();
    let parameters = BTreeMap::from([
        ("fc1.weight".into(), Parameter::dense(vec![30, 40], wave(1200, 0.7))),
        ("fc1.bias".into(), Parameter::dense(vec![30], wave(30, 0.3))),
        ("fc2.weight".into(), Parameter::dense(vec![5, 30], wave(150, 1.1))),
    ]);
    Model::new(graph, parameters).unwrap()
}

fn options() -> Options {
    Options {
        method: Method::KMeans(CentroidInit::Forgy),
        n_levels: vec![16, 4],
        codebook_format: NumberFormat::F16,
        bias_format: NumberFormat::Int(8),
        seed: 5,
    }
}

#[test]
fn a_model_is_shared_layer_by_layer_whatever_the_threads() {
    let on_threads = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| cluster(two_layers(), &options()).unwrap())
    };
    let (model, reports) = on_threads(1);
    assert_eq!(on_threads(2), (model.clone(), reports.clone()));
    model.check().unwrap();
    assert!(model.is_clustered());
    assert_eq!(reports.iter().map(|r| r.n_levels).collect::<Vec<_>>(), [16, 4]);
    let Parameter::Dense { values, .. } = &model.parameters["fc1.bias"] else { panic!("a shared bias") };
    assert_eq!(NumberFormat::of(values), NumberFormat::Int(8));
    let record = &model.provenance[0];
    assert_eq!(record.options["levels"], "fc1=16,fc2=4");
    assert_eq!(record.input, Some(two_layers().content_hash()));
    assert_eq!(record.seed, Some(5));
}

#[test]
fn what_cannot_be_done_is_said() {
    let (model, _) = cluster(two_layers(), &options()).unwrap();
    assert!(matches!(cluster(model, &options()), Err(ClusterError::AlreadyShared { .. })));
    let with =
        |n_levels: &[usize]| cluster(two_layers(), &Options { n_levels: n_levels.to_vec(), ..options() });
    assert!(matches!(with(&[16]), Err(ClusterError::Count { .. })));
    assert!(matches!(with(&[16, 257]), Err(ClusterError::Levels { .. })));
    assert!(matches!(with(&[0, 1]), Err(ClusterError::Levels { .. })));
    let method = Method::EntropyConstrained { lambda: -1.0 };
    assert!(matches!(cluster(two_layers(), &Options { method, ..options() }), Err(ClusterError::Lambda(_))));
}

#[test]
fn groups_hold_the_rows_of_their_layer_in_order() {
    let graph = kompakt_graph::networks::lenet5(&[1, 28, 28], 10).unwrap();
    let values = |n: usize| (0..n).map(|i| i as f32 + 1.0).collect();
    let parameters =
        graph.params().iter().map(|p| (p.name.clone(), Parameter::dense(p.shape.clone(), values(p.len()))));
    let model = Model::new(graph.clone(), parameters.collect()).unwrap();
    let grouped = in_groups(&model, &[3, 1, 7, 10]).unwrap();
    grouped.check().unwrap();
    for (name, n) in [("conv1", 3), ("fc1", 7), ("fc2", 10)] {
        for kind in ["weight", "bias"] {
            let parts = (0..n).flat_map(|i| grouped.parameters[&format!("{name}.{i}.{kind}")].to_f32());
            assert_eq!(parts.collect::<Vec<_>>(), model.parameters[&format!("{name}.{kind}")].to_f32());
        }
    }
    let scores = |model: &Model| model.graph.shape(model.graph.outputs()[0]).to_vec();
    assert_eq!(scores(&grouped), scores(&model));
}
