//! Principal components against their definition and against a case solved by hand.

use kompakt_prep::pca::{Covariance, Pca};

fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / 16_777_216.0 - 0.5
    }
}

/// Points on a line through (1, 2) in direction (3, 4) / 5.
#[test]
fn a_line_has_one_component() {
    let mut samples = Covariance::new(2);
    for t in [-2.0f32, -1.0, 0.0, 1.0, 2.0] {
        samples.add(&[1.0 + 0.6 * t, 2.0 + 0.8 * t]);
    }
    let pca = Pca::fit(&samples, 1);
    let layer = pca.linear(false);
    assert!((layer.weight[0] - 0.6).abs() < 1e-6 && (layer.weight[1] - 0.8).abs() < 1e-6, "{layer:?}");
    assert!((layer.bias[0] + 2.2).abs() < 1e-6);
    assert!((pca.variances()[0] - 2.0).abs() < 1e-6);
    assert!((pca.explained() - 1.0).abs() < 1e-6);
}

/// Outputs of the layer are uncorrelated over the samples, have the reported variances, in decreasing order,
/// and rows of the weight are orthonormal: what defines principal components.
#[test]
fn outputs_are_uncorrelated_with_falling_variance() {
    const D: usize = 40;
    const N: usize = 500;
    let mut random = numbers(1);
    let mix: Vec<f32> = (0..D * D).map(|_| random()).collect();
    let data: Vec<Vec<f32>> = (0..N)
        .map(|_| {
            let z: Vec<f32> = (0..D).map(|i| random() / (1 + i % 7) as f32).collect();
            (0..D).map(|i| (0..D).map(|j| mix[i * D + j] * z[j]).sum::<f32>() + 0.1 * i as f32).collect()
        })
        .collect();
    let mut samples = Covariance::new(D);
    data.iter().for_each(|x| samples.add(x));
    let pca = Pca::fit(&samples, D);
    assert!(pca.variances().is_sorted_by(|a, b| a >= b));
    let layer = pca.linear(false);
    let outputs: Vec<Vec<f64>> = data
        .iter()
        .map(|x| {
            let row =
                |k: usize| (0..D).map(|j| f64::from(layer.weight[k * D + j]) * f64::from(x[j])).sum::<f64>();
            (0..D).map(|k| row(k) + f64::from(layer.bias[k])).collect()
        })
        .collect();
    for a in 0..D {
        for b in 0..D {
            let covariance = outputs.iter().map(|y| y[a] * y[b]).sum::<f64>() / N as f64;
            let expected = if a == b { pca.variances()[a] } else { 0.0 };
            assert!((covariance - expected).abs() < 1e-5, "{a} {b}: {covariance} {expected}");
            let product: f64 =
                (0..D).map(|j| f64::from(layer.weight[a * D + j]) * f64::from(layer.weight[b * D + j])).sum();
            assert!((product - f64::from(u8::from(a == b))).abs() < 1e-5);
        }
    }
    let total: f64 = (0..D)
        .map(|j| {
            let mean = data.iter().map(|x| f64::from(x[j])).sum::<f64>() / N as f64;
            data.iter().map(|x| (f64::from(x[j]) - mean).powi(2)).sum::<f64>() / N as f64
        })
        .sum();
    assert!((total - pca.variances().iter().sum::<f64>()).abs() < 1e-6 * total);
}

/// Constant pixels, equal variances, a single feature: nothing is divided by zero.
#[test]
fn degenerate_samples_are_finite() {
    for (d, samples) in
        [(1, vec![vec![1.0]]), (3, vec![vec![1.0, 1.0, 1.0]; 4]), (2, vec![vec![1.0, 0.0], vec![0.0, 1.0]])]
    {
        let mut covariance = Covariance::new(d);
        samples.iter().for_each(|x| covariance.add(x));
        let layer = Pca::fit(&covariance, d + 3).linear(true);
        assert_eq!(layer.bias.len(), d);
        assert!(layer.weight.iter().chain(&layer.bias).all(|v| v.is_finite()), "{layer:?}");
    }
}
