//! The order of hidden units: how the old parameters are put into the new file's order before they are compared.

use crate::error::DeltaError;
use kompakt_entropy::{MaskedCodesBuf, smallest::PatchStream};
use kompakt_format::{Decoded, Numbers};

/// Units of one layer.
const MAX_UNITS: u32 = 1 << 16;

/// Orders, and which parameters each is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    /// Entry `i` is the old index of what is `i`-th in the new file.
    pub(crate) orders: Vec<Vec<u32>>,
    /// For each parameter the orders (counted from 1; 0: none) of its rows and of its channels.
    pub(crate) uses: Vec<[u32; 2]>,
}

impl Moves {
    /// Writes them, or reads them for so many parameters.
    pub(crate) fn code(
        stream: &mut PatchStream<'_>,
        moves: Option<&Self>,
        n_parameters: usize,
    ) -> Result<Self, DeltaError> {
        let empty = Self::default();
        let moves = moves.unwrap_or(&empty);
        let n_orders = stream.integer(moves.orders.len() as u32)?;
        let mut found = Self::default();
        if n_orders == 0 {
            return Ok(found);
        }
        if n_orders as usize > n_parameters {
            return Err(DeltaError::damaged("E-7", "more orders than parameters"));
        }
        for i in 0..n_orders as usize {
            let order = moves.orders.get(i).map_or(&[][..], Vec::as_slice);
            let n = stream.integer(order.len() as u32)?;
            if n > MAX_UNITS {
                return Err(DeltaError::damaged("E-7", "an order of more than 65536 units"));
            }
            let mut order = order.to_vec();
            order.resize(n as usize, 0);
            stream.permutation(&mut order)?;
            found.orders.push(order);
        }
        for i in 0..n_parameters {
            let [rows, channels] = moves.uses.get(i).copied().unwrap_or_default();
            let uses = [stream.integer(rows)?, stream.integer(channels)?];
            if uses.iter().any(|&order| order > n_orders) {
                return Err(DeltaError::damaged("E-7", "an order that is not there"));
            }
            found.uses.push(uses);
        }
        Ok(found)
    }

    /// Puts old parameter `index`, whose first dimension is `rows`, into the new order.
    pub(crate) fn apply(&self, index: usize, old: &mut Decoded, rows: usize) -> Result<(), DeltaError> {
        let [own, channels] = self.uses.get(index).copied().unwrap_or_default();
        for (order, outer) in [(own, 1), (channels, rows)] {
            let Some(order) = (order as usize).checked_sub(1).and_then(|i| self.orders.get(i)) else {
                continue;
            };
            reorder(old, outer, order)?;
        }
        Ok(())
    }
}

/// Puts the middle dimension of `[outer, order.len(), inner]` into an order.
pub(crate) fn reorder(old: &mut Decoded, outer: usize, order: &[u32]) -> Result<(), DeltaError> {
    match old {
        Decoded::Shared { weights: MaskedCodesBuf { mask, codes, .. }, .. } => {
            list(codes, outer, order)?;
            mask.as_mut().map_or(Ok(()), |mask| list(mask, outer, order))
        }
        Decoded::Dense { numbers, mask: None } => match numbers {
            Numbers::F32(values) => list(values, outer, order),
            Numbers::F16(bits) => list(bits, outer, order),
            Numbers::Scaled { integers, .. } => list(integers, outer, order),
        },
        Decoded::Dense { mask: Some(mask), .. } => {
            // The kept values go with their places.
            let mut mask = mask.clone();
            let mut values = old.to_f32();
            list(&mut values, outer, order)?;
            list(&mut mask, outer, order)?;
            let kept = values.into_iter().zip(&mask).filter(|(_, kept)| **kept).map(|(value, _)| value);
            *old = Decoded::Dense { numbers: Numbers::F32(kept.collect()), mask: Some(mask) };
            Ok(())
        }
    }
}

fn list<T: Copy>(list: &mut [T], outer: usize, order: &[u32]) -> Result<(), DeltaError> {
    let block = list.len() / outer.max(1);
    if order.is_empty() || outer * block != list.len() || !block.is_multiple_of(order.len()) {
        return Err(DeltaError::damaged("E-7", "an order does not fit its parameter"));
    }
    let inner = block / order.len();
    for block in list.chunks_exact_mut(block.max(1)) {
        let before = block.to_vec();
        for (to, &unit) in block.chunks_exact_mut(inner.max(1)).zip(order) {
            to.copy_from_slice(&before[unit as usize * inner..][..inner]);
        }
    }
    Ok(())
}
