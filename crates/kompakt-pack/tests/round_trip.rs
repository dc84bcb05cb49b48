//! Packing and unpacking restores the content, in every tier.
#![allow(clippy::unwrap_used)]

use kompakt_format::{Container, Decoded, Tier};
use kompakt_graph::{Graph, networks};
use kompakt_model::Model;
use kompakt_pack::{
    About, InMemory, Layout, Options, PackError, Packed, Source,
    account::Account,
    order_units, reference,
    synthetic::{self, NumberChoice, Random, Recipe},
    unpack, write, write_to,
};
use std::sync::Arc;

const TIERS: [Tier; 3] = [Tier::Smallest, Tier::Stream, Tier::Direct];

fn lenet(name: &str) -> Graph {
    networks::by_name(name, &[1, 28, 28], 10).unwrap().unwrap()
}

fn recipe(density: f64, n_levels: usize, numbers: NumberChoice) -> Recipe {
    Recipe { density, n_levels, numbers, seed: 1 }
}

fn pack_with(model: &Model, tier: Tier, minimal: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model.clone()).unwrap();
    let options = Options { minimal, ..Options::new(tier) };
    let written = write(&mut source, &options, &path, &|_, _| {}).unwrap();
    let bytes = std::fs::read(path).unwrap();
    // A writer gets the bytes of the file.
    let mut taken = Vec::new();
    assert_eq!(write_to(&mut source, &options, &mut taken, &|_, _| {}).unwrap(), written);
    assert!(taken == bytes && written.bytes == bytes.len() as u64);
    bytes
}

fn pack(model: &Model, tier: Tier) -> Vec<u8> {
    pack_with(model, tier, false)
}

#[test]
fn every_tier_gives_the_model_back() {
    for numbers in [NumberChoice::F32, NumberChoice::F16, NumberChoice::Scaled] {
        for (density, n_levels) in [(0.08, 8), (1.0, 3), (0.3, 0), (1.0, 0), (0.01, 256)] {
            let graph = networks::mlp(&[1, 10, 10], &[40, 20], 10).unwrap();
            let mut model = synthetic::model(graph, recipe(density, n_levels, numbers)).unwrap();
            model.labels = ["a", "b"].map(String::from).to_vec();
            let mut hashes = Vec::new();
            for tier in TIERS {
                let bytes = pack(&model, tier);
                let container = Container::parse(&bytes).unwrap();
                hashes.push(container.content_hash());
                assert_eq!(unpack(&container, false, &|_, _| ()).unwrap(), model);
                let dense = unpack(&container, true, &|_, _| ()).unwrap();
                for (name, parameter) in &model.parameters {
                    assert_eq!(dense.parameters[name].to_f32(), parameter.to_f32(), "{name}");
                }
            }
            assert!(hashes.windows(2).all(|w| w[0] == w[1]));
        }
    }
}

/// Version 2 holds the same content in fewer bytes, there and back.
#[test]
fn the_compact_form_holds_the_same() {
    let compact = |source: &mut dyn Source, options: &Options| {
        let mut bytes = Vec::new();
        let written = write_to(source, options, &mut bytes, &|_, _| {}).unwrap();
        assert_eq!(written.bytes, bytes.len() as u64);
        (bytes, written.content_hash)
    };
    for numbers in [NumberChoice::F32, NumberChoice::F16, NumberChoice::Scaled] {
        for (density, n_levels) in [(0.08, 8), (1.0, 3), (0.3, 0), (1.0, 0), (0.01, 256)] {
            let graph = networks::mlp(&[1, 10, 10], &[40, 20], 10).unwrap();
            let model = synthetic::model(graph, recipe(density, n_levels, numbers)).unwrap();
            let minimal = pack_with(&model, Tier::Smallest, true);
            let first = Container::parse(&minimal).unwrap();
            let options = Options::new(Tier::Smallest).compact();
            let (bytes, hash) = compact(&mut InMemory::new(model.clone()).unwrap(), &options);
            assert_eq!(compact(&mut Packed::new(&first).unwrap(), &options).0, bytes);
            let container = Container::parse(&bytes).unwrap();
            container.verify().unwrap();
            assert!(container.is_compact() && !first.is_compact());
            assert_eq!((hash, container.content_hash()), (first.content_hash(), first.content_hash()));
            assert_eq!(unpack(&container, false, &|_, _| ()).unwrap(), model);
            assert_eq!(Account::of(&container).unwrap().bytes(), bytes.len());
            assert!(bytes.len() < minimal.len(), "{} of {}", bytes.len(), minimal.len());
            let back =
                compact(&mut Packed::new(&container).unwrap(), &Options::new(Tier::Smallest).minimal());
            assert!(back.0 == minimal);
        }
    }
}

/// What the compact form cannot hold is written in version 1.
#[test]
fn the_compact_form_is_for_small_networks() {
    let graph = networks::mlp(&[1, 10, 10], &[40, 20], 10).unwrap();
    let model = synthetic::model(graph, recipe(0.3, 8, NumberChoice::F16)).unwrap();
    let layout = Layout { pool_elements: 1000, own_from: 500, ..Layout::default() };
    for options in
        [Options { layout, ..Options::new(Tier::Smallest).compact() }, Options::new(Tier::Direct).compact()]
    {
        let minimal = Options { compact: false, ..options.clone() };
        let files = [options, minimal].map(|options| {
            let mut bytes = Vec::new();
            write_to(&mut InMemory::new(model.clone()).unwrap(), &options, &mut bytes, &|_, _| {}).unwrap();
            bytes
        });
        assert!(files[0] == files[1] && !Container::parse(&files[0]).unwrap().is_compact());
    }
}

#[test]
fn repacking_changes_nothing_but_the_tier() {
    let model = synthetic::model(lenet("lenet5"), recipe(0.08, 8, NumberChoice::F32)).unwrap();
    let files = TIERS.map(|tier| pack(&model, tier));
    let folder = tempfile::tempdir().unwrap();
    for from in &files {
        for (tier, to) in TIERS.into_iter().zip(&files) {
            let container = Container::parse(from).unwrap();
            let path = folder.path().join("again");
            let mut source = Packed::new(&container).unwrap();
            write(&mut source, &Options::new(tier), &path, &|_, _| {}).unwrap();
            assert_eq!(&std::fs::read(&path).unwrap(), to);
        }
    }
}

/// A model whose large dense tensors are compressed already.
struct Compressed(InMemory, &'static [u8]);

impl Source for Compressed {
    fn about(&self) -> &About {
        self.0.about()
    }
    fn parameter(&mut self, index: usize) -> Result<Arc<Decoded>, PackError> {
        self.0.parameter(index)
    }
    fn compressed(&self, _: usize) -> Option<(&[u8], usize)> {
        Some((self.1, 1000))
    }
}

#[test]
fn what_is_compressed_is_taken_over() {
    let model = synthetic::model(lenet("lenet5"), recipe(1.0, 0, NumberChoice::F32)).unwrap();
    let layout = Layout { raw_from: 10_000, ..Layout::default() };
    let packed = |options: Options| {
        let mut source = Compressed(InMemory::new(model.clone()).unwrap(), b"taken over");
        let mut bytes = Vec::new();
        write_to(&mut source, &Options { layout, ..options }, &mut bytes, &|_, _| {}).unwrap();
        bytes.windows(10).filter(|part| part == b"taken over").count()
    };
    for tier in TIERS {
        assert_eq!(packed(Options::new(tier)), 2);
        assert_eq!(packed(Options::new(tier).unpacked()), 0);
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let model = synthetic::model(lenet("lenet5"), recipe(0.1, 4, NumberChoice::F32)).unwrap();
    for tier in TIERS {
        let with = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| pack(&model, tier))
        };
        assert_eq!(with(1), with(3));
    }
}

/// 64 bytes and 12 per layer with parameters, for everything critical except payloads.
#[test]
fn a_small_file_pays_little_for_its_container() {
    for (name, layers) in [("lenet-300-100", 3), ("lenet5", 4)] {
        let model = synthetic::model(lenet(name), recipe(0.03, 4, NumberChoice::Scaled)).unwrap();
        let bytes = pack_with(&model, Tier::Smallest, true);
        let account = Account::of(&Container::parse(&bytes).unwrap()).unwrap();
        let overhead: usize = account.others.iter().map(|r| r.bytes).sum();
        println!("{name}: {} bytes, {overhead} of them container", bytes.len());
        assert!(overhead <= 64 + 12 * layers, "{name}: {overhead}");
    }
}

#[test]
fn accounts_add_up_to_the_byte() {
    for n_levels in [8, 0] {
        let mut model = synthetic::model(lenet("lenet5"), recipe(0.08, n_levels, NumberChoice::F16)).unwrap();
        model.labels = (0..10).map(|d| d.to_string()).collect();
        for tier in TIERS {
            for minimal in [false, true] {
                let bytes = pack_with(&model, tier, minimal);
                let account = Account::of(&Container::parse(&bytes).unwrap()).unwrap();
                assert_eq!(account.bytes(), bytes.len());
                assert_eq!(account.ancillary_bytes() == 0, minimal);
            }
        }
    }
}

fn logits(model: &Model, seed: u64) -> Vec<f64> {
    let graph = &model.graph;
    let mut random = Random::new(seed);
    let n = graph.inputs()[0].shape.iter().product();
    let x = (0..n).map(|_| random.unit()).collect();
    let parameters: Vec<Vec<f64>> =
        model.in_order().map(|(_, p)| p.to_f32().into_iter().map(f64::from).collect()).collect();
    reference::evaluate(graph, vec![x], &|i| &parameters[i]).remove(0).data
}

/// A block as in MobileNet: depthwise channels in the middle, which cannot be reordered.
fn depthwise() -> Graph {
    use kompakt_graph::{Op, Padding, Pair};
    let conv = |out_channels, kernel, groups| Op::Conv2d {
        out_channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(1),
        padding: Padding::default(),
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let ops =
        vec![conv(24, 3, 1), Op::Relu, conv(24, 3, 24), Op::Relu, conv(16, 1, 1), Op::Relu, Op::Flatten];
    let ops = ops.into_iter().chain([Op::Linear { out_features: 10, bias: true }]).collect();
    Graph::chain(&[3, 8, 8], ops).unwrap()
}

#[test]
fn another_order_of_units_is_the_same_function() {
    let resnet = networks::cifar_resnet(&[3, 8, 8], 1, 10).unwrap();
    for graph in [lenet("lenet5"), lenet("lenet-300-100"), resnet, depthwise()] {
        let model = synthetic::model(graph, recipe(0.1, 4, NumberChoice::F32)).unwrap();
        let mut ordered = model.clone();
        order_units(&mut ordered);
        assert_ne!(model, ordered);
        for (a, b) in logits(&model, 7).into_iter().zip(logits(&ordered, 7)) {
            assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0), "{a} {b}");
        }
    }
}

#[test]
fn idle_nodes_are_left_out() {
    use kompakt_graph::Op;
    let ops = vec![
        Op::Identity,
        Op::Linear { out_features: 6, bias: true },
        Op::Dropout { p: 0.5 },
        Op::Relu,
        Op::Linear { out_features: 3, bias: false },
        Op::Identity,
    ];
    let model =
        synthetic::model(Graph::chain(&[5], ops).unwrap(), recipe(0.5, 2, NumberChoice::F32)).unwrap();
    let bytes = pack(&model, Tier::Smallest);
    let back = unpack(&Container::parse(&bytes).unwrap(), false, &|_, _| ()).unwrap();
    assert_eq!(back.graph.nodes().len(), 3);
    assert_eq!(back.parameters, model.parameters);
    assert_eq!(logits(&back, 3), logits(&model, 3));
}

#[test]
fn self_tests_hold_what_the_network_makes() {
    let model = synthetic::model(lenet("lenet-300-100"), recipe(0.1, 4, NumberChoice::F32)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model).unwrap();
    source.add_self_tests(2).unwrap();
    write(&mut source, &Options::new(Tier::Direct), &path, &|_, _| {}).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let container = Container::parse(&bytes).unwrap();
    let parameters: Vec<Vec<f64>> =
        container.decode().unwrap().iter().map(|d| d.to_f32().into_iter().map(f64::from).collect()).collect();
    let tests = container.self_tests().unwrap();
    assert_eq!(tests.iter().map(|t| t.seed).collect::<Vec<_>>(), [0, 1]);
    for test in tests {
        let x = kompakt_format::self_test_input(test.seed, 784).into_iter().map(f64::from).collect();
        let y = reference::evaluate(container.graph(), vec![x], &|i| &parameters[i]).remove(0);
        for (a, b) in y.data.iter().zip(&test.expected) {
            assert!((a - f64::from(*b)).abs() <= 1e-6 * a.abs().max(1e-3));
        }
    }
}
