//! Centroids against brute force: every way to cut a few values, every centroid for a value.
#![allow(clippy::unwrap_used)]

use arbtest::{arbitrary, arbtest};
use kompakt_cluster::{CentroidInit, Distribution, entropy_constrained, k_means, k_means_exact};

/// A few values with repeats, some close together, some far away; none zero.
fn values(u: &mut arbitrary::Unstructured) -> arbitrary::Result<Vec<f32>> {
    let n = u.int_in_range(1..=11)?;
    (0..n)
        .map(|_| {
            let step = u.int_in_range(-20i8..=20)?;
            let scale = *u.choose(&[1.0f32, 0.01, 7.5])?;
            Ok(if step == 0 { 0.125 } else { f32::from(step) * scale })
        })
        .collect()
}

/// Squared error of weighted values when each takes its nearest centroid.
fn error(pairs: &[(f32, f64)], centroids: &[f64]) -> f64 {
    let nearest = |v: f32| {
        centroids.iter().map(|c| (f64::from(v) - c).powi(2)).min_by(f64::total_cmp).unwrap_or(f64::INFINITY)
    };
    pairs.iter().map(|&(v, w)| w * nearest(v)).sum()
}

/// Least squared error over every way to cut the sorted values into `k` runs or fewer.
fn brute_force(pairs: &[(f32, f64)], k: usize) -> f64 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = sorted.len();
    let mut best = f64::INFINITY;
    for cuts in 0u32..1 << (n - 1) {
        if cuts.count_ones() as usize >= k {
            continue;
        }
        let (mut total, mut start) = (0.0, 0);
        for end in 1..=n {
            if end == n || cuts >> (end - 1) & 1 == 1 {
                let run = &sorted[start..end];
                let weight: f64 = run.iter().map(|p| p.1).sum();
                let mean = run.iter().map(|p| f64::from(p.0) * p.1).sum::<f64>() / weight;
                total += run.iter().map(|p| p.1 * (f64::from(p.0) - mean).powi(2)).sum::<f64>();
                start = end;
            }
        }
        best = best.min(total);
    }
    best
}

#[test]
fn exact_equals_every_partition_tried() {
    arbtest(|u| {
        let pairs: Vec<(f32, f64)> = values(u)?
            .into_iter()
            .map(|v| Ok((v, f64::from(u.int_in_range(1..=5u8)?) * 0.5)))
            .collect::<arbitrary::Result<_>>()?;
        let k = u.int_in_range(1..=6)?;
        let centroids = k_means_exact(&Distribution::weighted(pairs.iter().copied()), k);
        assert!(centroids.len() <= k && centroids.windows(2).all(|w| w[0] < w[1]));
        let (found, best) = (error(&pairs, &centroids), brute_force(&pairs, k));
        let scale: f64 = pairs.iter().map(|(v, w)| w * f64::from(*v).powi(2)).sum();
        assert!((found - best).abs() <= 1e-12 * scale, "{pairs:?} in {k}: {found}, best {best}");
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn a_weight_counts_as_repetition() {
    let once = Distribution::weighted([(1.0, 3.0), (2.0, 1.0), (5.0, 2.0), (9.0, 1.0)]);
    let repeated = Distribution::new([1.0, 5.0, 1.0, 2.0, 9.0, 5.0, 1.0]);
    for k in 1..=4 {
        for (a, b) in k_means_exact(&once, k).into_iter().zip(k_means_exact(&repeated, k)) {
            assert!((a - b).abs() < 1e-12);
        }
    }
}

/// Samples that look like pruned weights: two Laplacian lobes with a gap around zero.
fn pruned_weights(n: usize) -> Vec<f32> {
    let mut state = 1u64;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let u = ((state >> 33) as f64 + 0.5) / f64::from(1u32 << 31);
            let magnitude = 0.05 - 0.04 * (1.0 - (2.0 * u - 1.0).abs()).ln();
            (if u < 0.5 { -magnitude } else { magnitude }) as f32
        })
        .collect()
}

#[test]
fn exact_is_never_beaten_by_any_start() {
    let pairs: Vec<(f32, f64)> = pruned_weights(4_000).into_iter().map(|v| (v, 1.0)).collect();
    let d = Distribution::weighted(pairs.iter().copied());
    for k in [1, 2, 3, 8, 50] {
        let exact = error(&pairs, &k_means_exact(&d, k));
        for init in [CentroidInit::Forgy, CentroidInit::Density, CentroidInit::Linear] {
            let centroids = k_means(&d, k, init, 7);
            assert_eq!(centroids.len(), k);
            assert!(centroids.windows(2).all(|w| w[0] < w[1]));
            let lloyd = error(&pairs, &centroids);
            assert!(exact <= lloyd * (1.0 + 1e-9), "{k} levels, {init}: exact {exact}, k-means {lloyd}");
        }
    }
}

#[test]
fn k_means_ends_where_every_centroid_is_the_mean_of_its_values() {
    arbtest(|u| {
        let values = values(u)?;
        let k = u.int_in_range(1..=5)?;
        let init = *u.choose(&[CentroidInit::Forgy, CentroidInit::Density, CentroidInit::Linear])?;
        let mut distinct = values.clone();
        distinct.sort_by(f32::total_cmp);
        distinct.dedup();
        let centroids = k_means(&Distribution::new(values.iter().copied()), k, init, u.arbitrary()?);
        assert_eq!(centroids.len(), k.min(distinct.len()));
        let distance = |v: f32, i: usize| (f64::from(v) - centroids[i]).abs();
        let nearest =
            |v: f32| (0..centroids.len()).min_by(|&i, &j| distance(v, i).total_cmp(&distance(v, j))).unwrap();
        let is_tie = |v: f32, i: usize, j: usize| i != j && (distance(v, i) - distance(v, j)).abs() < 1e-9;
        if values.iter().any(|&v| (0..centroids.len()).any(|j| is_tie(v, nearest(v), j))) {
            // Halfway between two centroids, rounding decides.
            return Ok(());
        }
        for (i, c) in centroids.iter().enumerate() {
            let mine: Vec<f64> = values.iter().filter(|v| nearest(**v) == i).map(|&v| f64::from(v)).collect();
            assert!(!mine.is_empty());
            assert!((mine.iter().sum::<f64>() / mine.len() as f64 - c).abs() < 1e-9);
        }
        Ok(())
    })
    .budget_ms(1_000);
}

#[test]
fn every_start_puts_centroids_where_the_paper_says() {
    // One outlier: linear reaches it, density (by rank) does not. One round shows it, k-means hides it, so
    // the values are such that the start is already converged.
    let d = Distribution::new([1.0, 2.0, 3.0, 4.0]);
    assert_eq!(k_means(&d, 4, CentroidInit::Linear, 0), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(k_means(&d, 4, CentroidInit::Density, 0), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(k_means(&d, 4, CentroidInit::Forgy, 0), [1.0, 2.0, 3.0, 4.0]);
    let skewed: Vec<f32> = (1..=99).map(|i| i as f32 * 0.001).chain([10.0]).collect();
    let d = Distribution::new(skewed);
    let linear = k_means(&d, 2, CentroidInit::Linear, 0);
    assert!((linear[1] - 10.0).abs() < 1e-6, "{linear:?}");
}

/// Squared error plus price times code length, each value taking the level that is best for it.
fn objective(values: &[f32], centroids: &[f64], price: f64, lengths: &[f64]) -> f64 {
    let cost = |v: f32, i: usize| (f64::from(v) - centroids[i]).powi(2) + price * lengths[i];
    values.iter().map(|&v| (0..centroids.len()).map(|i| cost(v, i)).min_by(f64::total_cmp).unwrap()).sum()
}

fn lengths_of(values: &[f32], centroids: &[f64]) -> Vec<f64> {
    let mut counts = vec![0.0f64; centroids.len()];
    for &v in values {
        let distance = |i: &usize| (f64::from(v) - centroids[*i]).powi(2);
        let nearest = (0..centroids.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
        counts[nearest] += 1.0;
    }
    counts.iter().map(|c| -(c / values.len() as f64).log2()).collect()
}

#[test]
fn a_price_on_bits_buys_shorter_codes() {
    let values = pruned_weights(4_000);
    let d = Distribution::new(values.iter().copied());
    let exact = k_means_exact(&d, 32);
    let mut entropy_before = f64::INFINITY;
    for lambda in [0.0, 0.001, 0.01, 0.1] {
        let found = entropy_constrained(&d, 32, lambda);
        let price = lambda * d.mean_square();
        let ours = objective(&values, &found.centroids, price, &found.lengths);
        let theirs = objective(&values, &exact, price, &lengths_of(&values, &exact));
        assert!(ours <= theirs * (1.0 + 1e-9), "lambda {lambda}: {ours} against {theirs}");
        let entropy: f64 = found.lengths.iter().map(|l| (-l).exp2() * l).sum();
        assert!(entropy <= entropy_before + 1e-9);
        entropy_before = entropy;
    }
    assert!(entropy_before < 2.0);
}
