//! Files written here from the layout, independently of the reader: weights first, then entries, then bytes.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_import::han::{HanError, read, squeezenet};
use kompakt_model::Parameter;

/// Deterministic values.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

fn network() -> Graph {
    let conv = |out_channels, groups| Op::Conv2d {
        out_channels,
        kernel: Pair::square(3),
        stride: Pair::square(1),
        padding: Padding::default(),
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let ops =
        vec![conv(8, 1), Op::Relu, conv(6, 2), Op::Flatten, Op::Linear { out_features: 10, bias: true }];
    Graph::chain(&[1, 9, 9], ops).unwrap()
}

/// A layer of random weights, nine in ten of them zero, with its codebook (first entry zero, in no order).
struct RandomLayer {
    weights: Vec<f32>,
    bias: Vec<f32>,
    codebook: Vec<f32>,
}

fn layer(shape: &[usize], n_codes: usize, numbers: &mut Numbers) -> RandomLayer {
    let codebook: Vec<f32> = (0..n_codes)
        .map(|i| if i == 0 { 0.0 } else { numbers.below(2000) as f32 / 1000.0 - 0.99951 })
        .collect();
    let len = shape.iter().product();
    let one = |numbers: &mut Numbers| {
        if numbers.below(40) == 0 { codebook[1 + numbers.below(n_codes as u64 - 1) as usize] } else { 0.0 }
    };
    let weights = (0..len).map(|_| one(numbers)).collect();
    RandomLayer { weights, bias: (0..shape[0]).map(|i| i as f32 - 2.0).collect(), codebook }
}

/// Positions with their preceding zeros, as text of four bits each: the reverse of how the reader works.
fn encode(layers: &[(RandomLayer, usize)]) -> Vec<u8> {
    let (mut head, mut body) = (Vec::new(), Vec::new());
    for (layer, bits) in layers {
        let (mut codes, mut gaps) = (String::new(), String::new());
        let mut n = 0u32;
        let mut entry = |code: usize, zeros: usize| {
            codes += &if *bits == 8 { format!("{code:02x}") } else { format!("{code:x}") };
            gaps += &format!("{zeros:x}");
            n += 1;
        };
        let mut zeros = 0;
        for w in &layer.weights {
            if *w == 0.0 {
                zeros += 1;
                if zeros == 16 {
                    entry(0, 15);
                    zeros = 0;
                }
                continue;
            }
            entry(layer.codebook.iter().position(|c| c == w).unwrap(), zeros);
            zeros = 0;
        }
        head.extend_from_slice(&n.to_le_bytes());
        layer.codebook.iter().chain(&layer.bias).for_each(|v| body.extend_from_slice(&v.to_le_bytes()));
        let pairs = |text: &str, turned: bool| -> Vec<u8> {
            let text = if text.len().is_multiple_of(2) { text.to_string() } else { format!("{text}0") };
            let digit = |i: usize| u8::from_str_radix(&text[i..=i], 16).unwrap();
            (0..text.len() / 2)
                .map(|i| {
                    if turned {
                        digit(2 * i) + 16 * digit(2 * i + 1)
                    } else {
                        16 * digit(2 * i) + digit(2 * i + 1)
                    }
                })
                .collect()
        };
        body.extend(pairs(&codes, *bits == 4));
        body.extend(pairs(&gaps, true));
    }
    [head, body].concat()
}

fn made(graph: &Graph) -> Vec<(RandomLayer, usize)> {
    let mut numbers = Numbers(5);
    graph
        .weights()
        .map(|p| {
            if p.shape.len() == 4 {
                (layer(&p.shape, 256, &mut numbers), 8)
            } else {
                (layer(&p.shape, 16, &mut numbers), 4)
            }
        })
        .collect()
}

#[test]
fn weights_codebooks_and_biases_come_out_as_they_went_in() {
    let graph = network();
    let layers = made(&graph);
    let bytes = encode(&layers);
    let model = read(&bytes, graph.clone()).unwrap();
    for (param, (layer, bits)) in graph.weights().zip(&layers) {
        let found = &model.parameters[&param.name];
        assert_eq!(found.to_f32(), layer.weights, "{}", param.name);
        let Parameter::Shared { codebook, .. } = found else { panic!("{} is not shared", param.name) };
        assert!(codebook.len() < 1 << bits);
        assert_eq!(found.n_kept(), layer.weights.iter().filter(|w| **w != 0.0).count());
        assert_eq!(model.parameters[&param.name.replace("weight", "bias")].to_f32(), layer.bias);
    }
}

#[test]
fn damaged_files_and_other_networks_are_refused() {
    let graph = network();
    let layers = made(&graph);
    let bytes = encode(&layers);
    for n in [0, 5, 11, 12, 100, bytes.len() - 1] {
        assert!(matches!(read(&bytes[..n], graph.clone()), Err(HanError::Length { .. })), "{n}");
    }
    let longer = [bytes.clone(), vec![0]].concat();
    assert!(matches!(read(&longer, graph.clone()), Err(HanError::Length { .. })));
    let mut many = bytes.clone();
    many[..12].fill(0xff);
    assert!(matches!(read(&many, graph.clone()), Err(HanError::Length { .. })));
    let mut beyond = bytes.clone();
    beyond[bytes.len() - 20..].fill(0xff);
    assert!(matches!(read(&beyond, graph.clone()), Err(HanError::Layer { .. })));
    let mut infinite = bytes.clone();
    infinite[12..16].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert!(matches!(read(&infinite, graph.clone()), Err(HanError::Layer { .. })));
    let other = Graph::chain(&[4], vec![Op::Linear { out_features: 2, bias: true }]).unwrap();
    assert!(matches!(read(&bytes, other), Err(HanError::Length { .. })));
    let bare = Graph::chain(&[4], vec![Op::Linear { out_features: 2, bias: false }]).unwrap();
    assert!(matches!(read(&bytes, bare), Err(HanError::Network(_))));
    arbtest::arbtest(|u| {
        let mut changed = bytes.clone();
        for _ in 0..u.int_in_range(1..=4)? {
            let at = u.choose_index(changed.len())?;
            changed[at] = u.arbitrary()?;
        }
        let _ = read(&changed, graph.clone());
        Ok(())
    });
}

/// 1,248,424 parameters are in the paper's table (with biases); all of them are in 26 layers.
#[test]
fn the_published_network_has_the_published_size() {
    let (graph, steps) = squeezenet().unwrap();
    assert_eq!(graph.n_parameters(), 1_248_424);
    assert_eq!(graph.weights().count(), 26);
    assert_eq!(graph.shape(graph.outputs()[0]), [1000]);
    assert_eq!(steps["steps"].as_array().unwrap().len(), 2);
    let layers: Vec<(RandomLayer, usize)> =
        graph.weights().map(|p| (layer(&p.shape, 256, &mut Numbers(p.len() as u64)), 8)).collect();
    let model = read(&encode(&layers), graph.clone()).unwrap();
    let (last, _) = layers.last().unwrap();
    assert_eq!(model.parameters["conv_final.weight"].to_f32(), last.weights);
}
