//! Which layers stay in video memory where it is limited.

use crate::{
    GpuError,
    adapter::Gpu,
    block::Block,
    coded::Coded,
    layer::LAYER_WORDS,
    steps::{Lowered, Table, Work},
    streamed::Slots,
    weights,
};
use kompakt_runtime::Model;

/// See the [module page](self).
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// For each step, whether its weights are streamed at every run.
    is_streamed: Vec<bool>,
    /// The largest block of those, if there are any.
    pub(crate) slot_bytes: Option<u64>,
}

/// The smallest slot in bytes: blocks of this size are worth streaming one by one.
const LEAST_SLOT: u64 = 1 << 14;

/// The memory that a layer needs.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    step: usize,
    /// In video memory, if resident.
    resident: u64,
    /// The largest block, if streamed.
    largest: u64,
}

impl Budget {
    /// Chooses the layers that stay. `fixed`: bytes of everything else but tables; `coded`: the layers that the GPU decodes,
    /// which stay.
    ///
    /// Errors: [`GpuError::Budget`] with the smallest budget that works, broken sections.
    pub(crate) fn plan(
        gpu: &Gpu,
        budget: Option<u64>,
        fixed: u64,
        lowered: &Lowered,
        coded: Option<&Coded>,
        model: &Model<'_>,
        max_batch: usize,
    ) -> Result<Self, GpuError> {
        let Some(budget) = budget else { return Ok(Self::default()) };
        let mut fixed = fixed + table_bytes(lowered) + coded.map_or(0, Coded::resident_bytes);
        let left = budget.saturating_sub(fixed);
        let limit = (left / 16).clamp(LEAST_SLOT, gpu.max_binding_bytes().max(LEAST_SLOT));
        // Sections that are decoded as a whole can be taken once; these are not the ones that are run.
        let mut parameters = model.parameters()?;
        let mut sizes = Vec::new();
        for (step, work) in lowered.steps.iter().map(|step| &step.work).enumerate() {
            let Work::Layer(layer) = work else { continue };
            if coded.is_some_and(|coded| coded.has(step)) {
                continue;
            }
            let by_tile = layer.suits_tile(max_batch);
            let mut size = Size { step, ..Size::default() };
            let measure = |block: Block, size: &mut Size| {
                let bytes = 4 * block.words.len().max(4) as u64;
                (size.resident, size.largest) = (size.resident + bytes, size.largest.max(bytes));
                Ok(())
            };
            let max_words =
                weights::max_words(if layer.is_whole() { gpu.max_binding_bytes() } else { limit });
            weights::blocks(&mut parameters, layer.weight, by_tile, max_words, &mut |b| {
                measure(b, &mut size)
            })?;
            if layer.is_whole() {
                fixed += size.resident;
            } else {
                sizes.push(size);
            }
        }
        let left = budget.saturating_sub(fixed);
        let mut this = Self { is_streamed: vec![false; lowered.steps.len()], slot_bytes: None };
        let mut resident: u64 = sizes.iter().map(|size| size.resident).sum();
        if fixed <= budget && resident <= left {
            return Ok(this);
        }
        let slot = sizes.iter().map(|size| size.largest).max().unwrap_or(0);
        let least = fixed + Slots::bytes_for(slot);
        if least > budget {
            return Err(GpuError::Budget { budget, least, max_batch });
        }
        // Streams as few bytes as possible: the smallest layer that makes the rest fit, or else the largest,
        // repeatedly.
        let room = budget - least;
        sizes.sort_by_key(|size| size.resident);
        while resident > room {
            let excess = resident - room;
            let index = sizes.iter().position(|size| size.resident >= excess).unwrap_or(sizes.len() - 1);
            let size = sizes.remove(index);
            this.is_streamed[size.step] = true;
            resident -= size.resident;
        }
        this.slot_bytes = Some(slot);
        Ok(this)
    }

    /// Whether the weights of a step are streamed at every run.
    pub(crate) fn is_streamed(&self, step: usize) -> bool {
        self.is_streamed.get(step).copied().unwrap_or(false)
    }
}

/// Bytes of tables, scales, shifts and shader parameters.
fn table_bytes(lowered: &Lowered) -> u64 {
    let of_step = |step: &crate::steps::Step| {
        let words = match &step.work {
            // A layer of more than one block has its parameters more than once.
            Work::Layer(layer) => 2 * layer.n_rows() + 3 * LAYER_WORDS,
            Work::Plain { words, table, .. } => {
                words.len()
                    + match table {
                        Table::None => 0,
                        Table::Empty => 4,
                        Table::Indices(indices) => indices.len(),
                        Table::Affine(_) | Table::Numbers(_) => 2 * words[1] as usize,
                    }
            }
        };
        4 * words as u64
    };
    lowered.steps.iter().map(of_step).sum()
}
