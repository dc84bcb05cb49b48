//! Masks, rules and schedules against their definitions.
#![allow(clippy::unwrap_used)]

use arbtest::arbtest;
use kompakt_graph::{Graph, networks};
use kompakt_model::{Block, Model, Parameter};
use kompakt_prune::{PruneError, Rule, Schedule, Target, largest, prune};

/// Weights whose spread differs between layers.
fn model(graph: Graph) -> Model {
    let mut state = 9u64;
    let mut number = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let parameters = graph
        .params()
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let values = (0..p.len()).map(|_| number().powi(3) / (1 + i) as f32).collect();
            (p.name.clone(), Parameter::dense(p.shape.clone(), values))
        })
        .collect();
    Model::new(graph, parameters).unwrap()
}

fn lenet300() -> Model {
    model(networks::mlp(&[1, 28, 28], &[300, 100], 10).unwrap())
}

fn densities(model: &Model) -> Vec<f64> {
    let density = |name: &str| model.parameters[name].n_kept() as f64 / model.parameters[name].len() as f64;
    model.graph.weights().map(|p| density(&p.name)).collect()
}

fn overall(model: &Model) -> f64 {
    let kept: usize = model.graph.weights().map(|p| model.parameters[&p.name].n_kept()).sum();
    let all: usize = model.graph.weights().map(|p| p.len()).sum();
    kept as f64 / all as f64
}

#[test]
fn the_largest_are_kept() {
    arbtest(|u| {
        let weights: Vec<f32> = (0..u.int_in_range(0..=30)?)
            .map(|_| Ok(f32::from(u.int_in_range(-4i8..=4)?)))
            .collect::<Result<_, _>>()?;
        let n = u.int_in_range(0..=40)?;
        // By definition: in order of decreasing magnitude, then of position.
        let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] != 0.0).collect();
        order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()).then(a.cmp(&b)));
        let mut expected = vec![false; weights.len()];
        order.into_iter().take(n).for_each(|i| expected[i] = true);
        assert_eq!(largest(&weights, n), expected);
        Ok(())
    })
    .budget_ms(500);
}

#[test]
fn the_papers_densities_give_the_papers_counts() {
    // Han 2015, table 2: fc1 8 %, fc2 9 %, fc3 26 % of 235 K, 30 K and 1 K: 8 % in all.
    let mut m = lenet300();
    let target = Target::paper(&m.graph).unwrap();
    prune(&mut m, &target, Block::SINGLE).unwrap();
    assert_eq!(densities(&m), [0.08, 0.09, 0.26]);
    assert!((overall(&m) - 0.08).abs() < 0.003);
    m.check().unwrap();
    let mut m = model(networks::lenet5(&[1, 28, 28], 10).unwrap());
    let target = Target::paper(&m.graph).unwrap();
    prune(&mut m, &target, Block::SINGLE).unwrap();
    assert_eq!(densities(&m), [0.66, 0.12, 0.08, 0.19]);
    let other = networks::mlp(&[4], &[3], 2).unwrap();
    assert!(matches!(Target::paper(&other), Err(PruneError::NoPaperDensities)));
}

#[test]
fn every_rule_meets_the_overall_density() {
    for rule in [Rule::Lamp, Rule::Global, Rule::Uniform, Rule::Erk] {
        for density in [0.9, 0.08, 0.01] {
            let mut m = lenet300();
            prune(&mut m, &Target::Overall { density, rule }, Block::SINGLE).unwrap();
            assert!((overall(&m) - density).abs() < 2e-5, "{rule} at {density}: {}", overall(&m));
            // Global may empty a layer; no other rule does.
            assert!(rule == Rule::Global || densities(&m).iter().all(|d| *d > 0.0));
        }
    }
}

#[test]
fn rules_follow_their_formulas() {
    let at = |rule| {
        let mut m = lenet300();
        prune(&mut m, &Target::Overall { density: 0.08, rule }, Block::SINGLE).unwrap();
        m
    };
    for d in densities(&at(Rule::Uniform)) {
        assert!((d - 0.08).abs() < 1e-3);
    }
    // Evci 2020: the last layer is full at this density, the others as (in + out) / (in out).
    let erk = densities(&at(Rule::Erk));
    assert_eq!(erk[2], 1.0);
    let expected = ((784.0 + 300.0) / (784.0 * 300.0)) / ((300.0 + 100.0) / (300.0 * 100.0));
    assert!((erk[0] / erk[1] - expected).abs() < 1e-3);
    // Global: no weight kept anywhere is smaller than one pruned anywhere.
    let global = at(Rule::Global);
    let before = lenet300();
    let (mut least_kept, mut most_pruned) = (f32::INFINITY, 0f32);
    for p in before.graph.weights() {
        let mask = global.parameters[&p.name].mask().unwrap();
        for (w, kept) in before.parameters[&p.name].to_f32().iter().zip(mask) {
            if *kept { least_kept = least_kept.min(w.abs()) } else { most_pruned = most_pruned.max(w.abs()) }
        }
    }
    assert!(least_kept >= most_pruned);
}

#[test]
fn lamp_follows_its_formula() {
    // Two layers, one weight on each side of the threshold. Scores, by Lee 2021, equation 3:
    // a: 4 -> 16/16 = 1, 3 -> 9/25, 1 -> 1/26; b: 1 -> 1, 0.9 -> 0.81/1.81 = 0.4475, 0.1 -> 0.01/1.82.
    let graph = Graph::chain(
        &[3],
        vec![
            kompakt_graph::Op::Linear { out_features: 1, bias: false },
            kompakt_graph::Op::Linear { out_features: 3, bias: false },
        ],
    )
    .unwrap();
    let parameters =
        [("fc1.weight", vec![1, 3], vec![3.0, -4.0, 1.0]), ("fc2.weight", vec![3, 1], vec![0.9, 0.1, -1.0])]
            .into_iter()
            .map(|(name, shape, values)| (name.to_string(), Parameter::dense(shape, values)))
            .collect();
    let mut m = Model::new(graph, parameters).unwrap();
    prune(&mut m, &Target::Overall { density: 0.5, rule: Rule::Lamp }, Block::SINGLE).unwrap();
    assert_eq!(m.parameters["fc1.weight"].mask().unwrap(), [false, true, false]);
    assert_eq!(m.parameters["fc2.weight"].mask().unwrap(), [true, false, true]);
}

#[test]
fn quality_is_a_threshold_in_deviations() {
    let m = lenet300();
    let weights: Vec<Vec<f32>> = m.graph.weights().map(|p| m.parameters[&p.name].to_f32()).collect();
    let views: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let target = Target::from_quality(&views, &[1.0, 0.5, 0.0]).unwrap();
    let mut pruned = m.clone();
    prune(&mut pruned, &target, Block::SINGLE).unwrap();
    for ((p, weights), quality) in m.graph.weights().zip(&weights).zip([1.0, 0.5, 0.0]) {
        let n = weights.len() as f64;
        let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
        let deviation = (weights.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n).sqrt();
        let above = weights.iter().filter(|w| f64::from(w.abs()) >= quality * deviation).count();
        assert!(pruned.parameters[&p.name].n_kept().abs_diff(above) <= 1);
    }
    assert!(matches!(Target::from_quality(&views, &[-1.0, 0.0, 0.0]), Err(PruneError::Quality(_))));
}

#[test]
fn pruning_twice_keeps_a_subset() {
    let mut m = lenet300();
    prune(&mut m, &Target::Layers(vec![0.3; 3]), Block::SINGLE).unwrap();
    let first: Vec<bool> = m.parameters["fc1.weight"].mask().unwrap().to_vec();
    prune(&mut m, &Target::Layers(vec![0.1; 3]), Block::SINGLE).unwrap();
    let second = m.parameters["fc1.weight"].mask().unwrap();
    assert!(first.iter().zip(second).all(|(a, b)| *a || !*b));
    // Asking for more than there is keeps what there is.
    prune(&mut m, &Target::Layers(vec![0.5; 3]), Block::SINGLE).unwrap();
    assert_eq!(densities(&m), [0.1; 3]);
    m.check().unwrap();
}

#[test]
fn schedules_hit_their_marks() {
    let gradual = Schedule::Gradual { ramp: 0.5 };
    assert_eq!(gradual.density(0.0, 1.0, 0.2), 1.0);
    assert!((gradual.density(0.25, 1.0, 0.2) - (0.2 + 0.8 * 0.125)).abs() < 1e-12);
    assert_eq!([0.5, 0.9, 1.0].map(|p| gradual.density(p, 1.0, 0.2)), [0.2; 3]);
    let rounds = Schedule::Iterative { rounds: 2 };
    assert!((rounds.density(0.0, 1.0, 0.04) - 0.2).abs() < 1e-12);
    assert!((rounds.density(0.49, 1.0, 0.04) - 0.2).abs() < 1e-12);
    assert!((rounds.density(0.5, 1.0, 0.04) - 0.04).abs() < 1e-12);
    assert_eq!(Schedule::OneShot.density(0.0, 1.0, 0.1), 0.1);
    assert!(Schedule::Iterative { rounds: 0 }.check().is_err());
    assert!(Schedule::Gradual { ramp: 0.0 }.check().is_err());
}

#[test]
fn impossible_shares_are_refused() {
    for density in [0.0, -0.1, 1.1, f64::NAN] {
        let target = Target::Overall { density, rule: Rule::Lamp };
        assert!(matches!(prune(&mut lenet300(), &target, Block::SINGLE), Err(PruneError::Density(_))));
    }
    assert!(matches!(
        prune(&mut lenet300(), &Target::Layers(vec![0.5]), Block::SINGLE),
        Err(PruneError::Count { .. })
    ));
    assert!(matches!(
        prune(&mut lenet300(), &Target::Layers(vec![0.5, 2.0, 0.5]), Block::SINGLE),
        Err(PruneError::Density(_))
    ));
}

#[test]
fn blocks_are_kept_whole_by_their_norms() {
    let graph = || networks::lenet5(&[1, 28, 28], 10).unwrap();
    let block = Block::of_inputs(4).unwrap();
    let before = model(graph());
    for target in
        [Target::Layers(vec![0.6, 0.1, 0.1, 0.2]), Target::Overall { density: 0.1, rule: Rule::Lamp }]
    {
        let mut m = before.clone();
        prune(&mut m, &target, block).unwrap();
        assert!((overall(&m) - 0.1).abs() < 0.005, "{}", overall(&m));
        for p in m.graph.weights() {
            let (weights, mask) =
                (before.parameters[&p.name].to_f32(), m.parameters[&p.name].mask().unwrap());
            assert!(block.divides(&p.shape, mask), "{}", p.name);
            // By definition: no dropped block has a larger root mean square than a kept one.
            let (rows, channels, taps) = (p.shape[0], p.shape[1], p.shape[2..].iter().product::<usize>());
            let (mut least_kept, mut most_dropped) = (f64::INFINITY, 0.0f64);
            for (row, first, tap) in (0..rows)
                .flat_map(|r| (0..channels).step_by(4).flat_map(move |c| (0..taps).map(move |t| (r, c, t))))
            {
                let at: Vec<usize> =
                    (first..channels.min(first + 4)).map(|c| (row * channels + c) * taps + tap).collect();
                let norm = at.iter().map(|&i| f64::from(weights[i]).powi(2)).sum::<f64>() / at.len() as f64;
                if mask[at[0]] {
                    least_kept = least_kept.min(norm)
                } else {
                    most_dropped = most_dropped.max(norm)
                }
            }
            assert!(least_kept >= most_dropped * (1.0 - 1e-6), "{}: {least_kept} {most_dropped}", p.name);
        }
    }
}
