//! A node with its inputs.

use crate::onnx::{
    proto::NodeProto,
    tensor::{Tensor, is_sane},
};
use std::{cell::Cell, path::Path, rc::Rc};

/// The most elements that a value may have.
pub(super) const MAX_ELEMENTS: usize = 1 << 27;

/// The cost of an element, in multiplications of a matrix product.
const ELEMENT: u64 = 8;

/// See the [module page](self).
pub(super) struct Call<'c> {
    pub(super) node: &'c NodeProto,
    /// One per input; `None` where it is left out.
    pub(super) inputs: Vec<Option<Rc<Tensor>>>,
    pub(super) opset: i64,
    pub(super) folder: Option<&'c Path>,
    /// Multiplications that may still be done.
    pub(super) budget: &'c Cell<u64>,
}

impl Call<'_> {
    /// Input `index`.
    pub(super) fn x(&self, index: usize) -> Result<&Tensor, String> {
        self.optional(index).ok_or_else(|| format!("input {index} is missing"))
    }

    /// Input `index`, if it is there.
    pub(super) fn optional(&self, index: usize) -> Option<&Tensor> {
        self.inputs.get(index).and_then(|i| i.as_deref())
    }

    /// Input `index` as f32.
    pub(super) fn floats(&self, index: usize) -> Result<Vec<f32>, String> {
        self.x(index).map(Tensor::to_floats)
    }

    /// Integers in attribute `name`, or in input `index`; an empty input counts as none.
    pub(super) fn list(&self, name: &str, index: usize) -> Result<Option<Vec<i64>>, String> {
        if let Some(list) = self.node.ints(name) {
            return Ok(Some(list.to_vec()));
        }
        match self.optional(index) {
            None => Ok(None),
            Some(tensor) => {
                let ints = tensor.as_ints().ok_or_else(|| format!("{name} are not whole numbers"))?;
                Ok(Some(ints.to_vec()))
            }
        }
    }

    /// Charges for work. Errors: the budget is exceeded.
    pub(super) fn pay(&self, multiplications: u64) -> Result<(), String> {
        match self.budget.get().checked_sub(multiplications) {
            Some(left) if left > 0 => {
                self.budget.set(left);
                Ok(())
            }
            _ => {
                self.budget.set(0);
                Err("too much work".into())
            }
        }
    }

    /// Number of elements of a result of this shape, charged to the budget. Errors: too many.
    pub(super) fn count(&self, dims: &[usize]) -> Result<usize, String> {
        let n = is_sane(dims).then(|| dims.iter().product());
        let n = n.filter(|&n| n <= MAX_ELEMENTS).ok_or_else(|| format!("{dims:?} is too large"))?;
        self.pay(n as u64 * ELEMENT)?;
        Ok(n)
    }
}

/// `axis` counted from the front, for `rank` dimensions.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(from_front) {
        Ok(a) if a < rank => Ok(a),
        _ => Err(format!("axis {axis} of {rank} dimensions")),
    }
}

/// Axes counted from the front.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    list.iter().map(|&a| axis(a, rank)).collect()
}

/// Integers of at least 0.
pub(super) fn sizes(list: &[i64]) -> Result<Vec<usize>, String> {
    list.iter().map(|&v| usize::try_from(v).map_err(|_| format!("a size of {v}"))).collect()
}
