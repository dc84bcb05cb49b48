//! Merges histograms that differ less than a table costs.

use super::wire::Coded;
use crate::rans::log2;
use alloc::vec::Vec;

/// The maximum number of clusters of one kind.
const MAX_CLUSTERS: usize = 512;

/// Merged counts, and their cost.
struct Cluster {
    counts: Vec<u64>,
    /// Of the symbols and the table, in 2^-16 bits.
    cost: u64,
    members: Vec<usize>,
}

/// Groups `counts` so that symbols and tables together take least, as far as merging two at a time finds it.
///
/// Returns the groups' counts, and the group of each. Those with nothing to count join group 0, if there is one.
pub(super) fn cluster(counts: &[Vec<u64>]) -> (Vec<Vec<u64>>, Vec<usize>) {
    let mut clusters: Vec<Cluster> = Vec::new();
    for (i, counts) in counts.iter().enumerate().filter(|(_, counts)| counts.iter().any(|&n| n > 0)) {
        let new = Cluster::new(counts.clone(), [i].into());
        let best = clusters.iter().enumerate().map(|(c, old)| (saving(old, &new), c)).max();
        match best {
            Some((saving, c)) if saving > 0 || clusters.len() == MAX_CLUSTERS => {
                let old = clusters.swap_remove(c);
                clusters.push(merged(old, new));
            }
            _ => clusters.push(new),
        }
    }
    let mut clusters = merge_pairs(clusters);
    clusters.sort_by_key(|cluster| cluster.members.iter().copied().min());
    let mut group_of = alloc::vec![0; counts.len()];
    for (group, cluster) in clusters.iter().enumerate() {
        cluster.members.iter().for_each(|&member| group_of[member] = group);
    }
    (clusters.into_iter().map(|cluster| cluster.counts).collect(), group_of)
}

impl Cluster {
    fn new(counts: Vec<u64>, members: Vec<usize>) -> Self {
        let cost = cost(&counts);
        Self { counts, cost, members }
    }
}

/// The cost of `counts` with their own table, in 2^-16 bits.
pub(super) fn cost(counts: &[u64]) -> u64 {
    Coded::of_counts(counts)
        .map_or(0, |coded| coded.histogram.cost(counts).unwrap_or(0) + (coded.n_bits << 16))
}

/// The entropy of `counts`, in 2^-16 bits.
pub(super) fn entropy(counts: &[u64]) -> u64 {
    let total: u64 = counts.iter().sum();
    let parts: u64 = counts.iter().map(|&n| n * u64::from(log2(n))).sum();
    (total * u64::from(log2(total))).saturating_sub(parts)
}

fn sum(a: &[u64], b: &[u64]) -> Vec<u64> {
    let at = |counts: &[u64], i: usize| counts.get(i).copied().unwrap_or(0);
    (0..a.len().max(b.len())).map(|i| at(a, i) + at(b, i)).collect()
}

/// The saving of a merge, in 2^-16 bits; negative if it costs.
fn saving(a: &Cluster, b: &Cluster) -> i64 {
    let both = sum(&a.counts, &b.counts);
    let apart = a.cost + b.cost;
    // The entropy alone is a cheap bound.
    let least = entropy(&both);
    let together = if least >= apart { least } else { cost(&both) };
    apart as i64 - together as i64
}

/// Merges the pair that saves most, repeatedly, as long as one saves anything.
fn merge_pairs(clusters: Vec<Cluster>) -> Vec<Cluster> {
    let mut clusters: Vec<Option<Cluster>> = clusters.into_iter().map(Some).collect();
    let of = |clusters: &[Option<Cluster>], a: usize, b: usize| match (&clusters[a], &clusters[b]) {
        (Some(a), Some(b)) => saving(a, b),
        _ => i64::MIN,
    };
    // savings[b][a] for a < b.
    let mut savings: Vec<Vec<i64>> =
        (0..clusters.len()).map(|b| (0..b).map(|a| of(&clusters, a, b)).collect()).collect();
    loop {
        let pairs =
            savings.iter().enumerate().flat_map(|(b, row)| row.iter().zip(0..).map(move |(s, a)| (*s, a, b)));
        let Some((_, a, b)) = pairs.max().filter(|&(saving, ..)| saving > 0) else { break };
        let (Some(first), Some(second)) = (clusters[a].take(), clusters[b].take()) else { break };
        clusters[a] = Some(merged(first, second));
        for other in 0..clusters.len() {
            if other < b {
                savings[b][other] = i64::MIN;
            } else if other > b {
                savings[other][b] = i64::MIN;
            }
            if other != a {
                savings[a.max(other)][a.min(other)] = of(&clusters, a.min(other), a.max(other));
            }
        }
    }
    clusters.into_iter().flatten().collect()
}

fn merged(a: Cluster, b: Cluster) -> Cluster {
    let mut members = a.members;
    members.extend(b.members);
    Cluster::new(sum(&a.counts, &b.counts), members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn likes_join_and_unlikes_stay_apart() {
        let counts = [vec![1000, 10, 10], vec![10, 10, 1000], vec![0, 0], vec![980, 12, 8], vec![9, 12, 990]];
        let (groups, group_of) = cluster(&counts);
        assert_eq!(groups, [[1980, 22, 18], [19, 22, 1990]]);
        assert_eq!(group_of, [0, 1, 0, 0, 1]);
    }

    #[test]
    fn entropies() {
        assert_eq!(entropy(&[4, 4]), 8 << 16);
        assert_eq!(entropy(&[7]), 0);
        assert_eq!(entropy(&[]), 0);
    }
}
