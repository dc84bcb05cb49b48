//! Layers over integers: the loader's int8 activations, to the bit where the loader has the same layers in integers.

use super::{NAME, c, numbers, run, rust};
use kompakt_format::{Container, Tier, ValueRange, ranged_values};
use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_micro::{Activations, Input, MicroError, Options, c_source, rust_crate};
use kompakt_model::Model as Checkpoint;
use kompakt_pack::{InMemory, write_to};
use kompakt_runtime::{Isa, Model, Session, SessionOptions};
use kompakt_testing::models::{checkpoint, pack};

const INT8: Options = Options { input: Input::Floats, activations: Activations::Int8 };

/// Convolutions, one of them depthwise if asked for, then linear layers.
fn network(has_depthwise: bool) -> Graph {
    let conv = |channels, kernel, stride, groups| Op::Conv2d {
        out_channels: channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(kernel / 2),
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let linear = |out_features, bias| Op::Linear { out_features, bias };
    let mut ops = vec![conv(16, 3, 1, 1), Op::Relu, conv(24, 3, 2, 2), Op::Relu, conv(16, 1, 1, 1)];
    ops.extend(has_depthwise.then(|| conv(16, 3, 1, 16)));
    ops.extend([Op::Flatten, linear(60, true), Op::Relu, linear(10, false)]);
    Graph::chain(&[5, 12, 12], ops).unwrap()
}

/// The file of a model with the ranges that its values have for an input.
fn calibrated(model: &Checkpoint, x: &[f32]) -> Vec<u8> {
    let values = ranged_values(&model.graph);
    let (inputs, nodes, _) = model.graph.clone().into_parts();
    let mut probe = model.clone();
    probe.graph = Graph::new(inputs, nodes, values[1..].to_vec()).unwrap();
    let bytes = pack(&probe, Tier::Direct);
    let file = Model::from_bytes(&bytes).unwrap();
    let mut session = Session::new(&file, &SessionOptions::default()).unwrap();
    session.run(x, 1).unwrap();
    let bound = |(i, &value): (usize, &usize)| {
        let all = if i == 0 { x } else { session.output(i - 1) };
        let (low, high) = all.iter().fold((0f32, 0f32), |(l, h), &v| (l.min(v), h.max(v)));
        ValueRange { value, low, high }
    };
    let ranges = values.iter().enumerate().map(bound).collect();
    let mut source = InMemory::new(model.clone()).unwrap();
    source.set_ranges(ranges).unwrap();
    let mut bytes = Vec::new();
    write_to(&mut source, &kompakt_pack::Options::new(Tier::Direct), &mut bytes, &|_, _| ()).unwrap();
    bytes
}

/// Squared difference over squared size.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let error: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    error / a.iter().map(|a| a * a).sum::<f32>()
}

#[test]
fn integers_are_those_of_the_loader() {
    let x: Vec<f32> = numbers(4, 5 * 12 * 12).iter().map(|v| v + 0.3).collect();
    let mut n_exact = 0;
    for (has_depthwise, density, n_levels) in
        [(false, 0.3, 16), (false, 1.0, 3), (true, 0.5, 0), (false, 0.6, 0), (true, 1.0, 256)]
    {
        let what = format!("depthwise {has_depthwise}, density {density}, {n_levels} levels");
        let bytes = calibrated(&checkpoint(network(has_depthwise), 3, |_| (density, n_levels)), &x);
        let container = Container::parse(&bytes).unwrap();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let c = c::program(folders[0].path(), &c_source(&container, NAME, INT8).unwrap(), 1, 1);
        let rust = rust::program(folders[1].path(), &rust_crate(&container, NAME, INT8).unwrap(), 1, 1);
        let found = run(&c, std::slice::from_ref(&x));
        assert_eq!(found, run(&rust, std::slice::from_ref(&x)), "{what}: C and Rust");

        let model = Model::from_bytes(&bytes).unwrap();
        let floats = Session::new(&model, &SessionOptions::default()).unwrap().run(&x, 1).unwrap().to_vec();
        let quantised = difference(&floats, &found);
        assert!(quantised > 0.0 && quantised < 1e-2, "{what}: off by {quantised:e} from floats");
        let largest = found.iter().fold(0f32, |most, y| most.max(y.abs()));
        for isa in Isa::available() {
            let mut options = SessionOptions::default();
            (options.isa, options.activations) = (isa, kompakt_runtime::Activations::Int8);
            let mut session = Session::new(&model, &options).unwrap();
            let loader = session.run(&x, 1).unwrap().to_vec();
            let off = loader.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // The loader leaves layers in floats where these are faster; depthwise ones always.
            let n_floats = session.plan().layers.iter().filter(|layer| layer.int8_error.is_none()).count();
            eprintln!("{what} on {isa}: {n_floats} layers in floats, off by {off:e} of {largest:e}");
            if n_floats == 0 {
                // The same integers: only the last product and sum may be rounded once or twice.
                assert!(off <= 1e-6 * largest, "{what} on {isa}: off by {off:e} of {largest:e}");
                n_exact += 1;
            }
        }
    }
    // Without vectors the loader prefers floats.
    assert!(n_exact > 0 || Isa::best() == Isa::SCALAR, "no network has all its layers in integers");
}

#[test]
fn a_file_without_ranges_is_refused() {
    let bytes = pack(&checkpoint(network(false), 3, |_| (1.0, 3)), Tier::Direct);
    let container = Container::parse(&bytes).unwrap();
    let error = c_source(&container, NAME, INT8).unwrap_err();
    assert!(
        matches!(error, MicroError::NoRanges) && error.to_string().contains("kompakt calibrate"),
        "{error}"
    );
}
