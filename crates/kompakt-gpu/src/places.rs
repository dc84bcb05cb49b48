//! Buffer assignment: values whose lifetimes do not overlap share a buffer.

use crate::steps::Lowered;
use kompakt_runtime::program::ValueId;

/// Buffers for the values of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Elements per image, for each buffer.
    pub(crate) lengths: Vec<usize>,
    /// The buffer of each value that a step reads or writes.
    pub(crate) of_value: Vec<Option<usize>>,
}

impl Places {
    /// Assigns each value a buffer from the step that writes it to the last that reads it. Inputs and outputs
    /// keep theirs.
    pub(crate) fn plan(lowered: &Lowered) -> Self {
        let mut last_use = vec![0; lowered.lens.len()];
        for (i, step) in lowered.steps.iter().enumerate() {
            step.reads.iter().chain([&step.writes]).for_each(|&v| last_use[v] = i);
        }
        lowered.outputs.iter().for_each(|&v| last_use[v] = usize::MAX);
        let mut places = Self { lengths: Vec::new(), of_value: vec![None; lowered.lens.len()] };
        let mut free: Vec<usize> = Vec::new();
        for &value in &lowered.inputs {
            places.of_value[value] = Some(places.add(lowered.lens[value]));
        }
        for (i, step) in lowered.steps.iter().enumerate() {
            if places.of_value[step.writes].is_none() {
                places.of_value[step.writes] = Some(places.claim(&mut free, lowered.lens[step.writes]));
            }
            let mut ended: Vec<ValueId> =
                step.reads.iter().chain([&step.writes]).copied().filter(|&v| last_use[v] == i).collect();
            ended.sort_unstable();
            ended.dedup();
            free.extend(ended.into_iter().filter_map(|v| places.of_value[v]));
        }
        places
    }

    fn add(&mut self, len: usize) -> usize {
        self.lengths.push(len);
        self.lengths.len() - 1
    }

    /// The smallest free buffer that is large enough, or the largest free one, enlarged, or a new one.
    fn claim(&mut self, free: &mut Vec<usize>, len: usize) -> usize {
        let fitting = (0..free.len()).filter(|&f| self.lengths[free[f]] >= len);
        let best = fitting
            .min_by_key(|&f| self.lengths[free[f]])
            .or_else(|| (0..free.len()).max_by_key(|&f| self.lengths[free[f]]));
        match best {
            Some(f) => {
                let buffer = free.swap_remove(f);
                self.lengths[buffer] = self.lengths[buffer].max(len);
                buffer
            }
            None => self.add(len),
        }
    }
}
