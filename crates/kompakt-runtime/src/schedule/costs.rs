//! Chooses between the forms of a linear layer by cost ([`Costs`]) and size in bytes.

use super::forms::FormKind;
pub(crate) use kompakt_kernels::Costs;

/// A candidate form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) form: FormKind,
    pub(crate) bytes: usize,
    /// Nanoseconds per run.
    pub(crate) ns: f64,
}

/// The candidate with the lowest cost, or a smaller one that is only slightly slower.
pub(crate) fn best(candidates: &[Candidate]) -> Option<Candidate> {
    let least = candidates.iter().map(|c| c.ns).fold(f64::INFINITY, f64::min);
    candidates.iter().filter(|c| c.ns <= Costs::WORTH_BYTES * least).min_by_key(|c| c.bytes).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_kernels::{Isa, Levels, Part};

    #[test]
    fn dense_pays_from_some_density_on() {
        for isa in Isa::available() {
            let costs = Costs::of(isa);
            let n_levels = [8, 16, 31, 32, 63, 64, 200].into_iter();
            for (n_levels, in_steps) in n_levels.flat_map(|n| [(n, Part::None), (n, Part::All)]) {
                let from = costs.dense_from([1 << 10, 1 << 10], Levels { n: n_levels, in_steps });
                let n = 1 << 20;
                let choose = |density: f64| {
                    let n_kept = (n as f64 * density) as usize;
                    let sliced = costs.sliced([1 << 10, 1 << 10], n_kept, Some(n_levels));
                    let forms = [
                        Candidate { form: FormKind::Sliced, bytes: 3 * n_kept, ns: sliced },
                        Candidate {
                            form: FormKind::DenseCodes,
                            bytes: n,
                            ns: costs.dense_codes(n, Levels { n: n_levels + 1, in_steps }),
                        },
                    ];
                    best(&forms).map(|c| c.form)
                };
                assert_eq!(
                    choose((from * 0.99).min(1.0)),
                    Some(FormKind::Sliced),
                    "{isa}, {n_levels} levels"
                );
                if from < 0.3 {
                    assert_eq!(choose(from * 1.3), Some(FormKind::DenseCodes), "{isa}, {n_levels} levels");
                }
            }
        }
    }

    #[test]
    fn columns_pay_where_few_inputs_are_left() {
        for isa in Isa::available() {
            let below = Costs::of(isa).columns_below([300, 784], 18_816, Some(64));
            assert!((0.1..=1.0).contains(&below), "{isa}: {below}");
        }
    }
}
