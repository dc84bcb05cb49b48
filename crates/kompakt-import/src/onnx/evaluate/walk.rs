//! Elements in row-major order.

use crate::onnx::tensor::{Data, Tensor};

/// How far neighbours along each dimension are apart.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for d in (1..dims.len()).rev() {
        strides[d - 1] = strides[d] * dims[d];
    }
    strides
}

/// Calls `f` with every index of `dims`, the last dimension fastest.
pub(super) fn each(dims: &[usize], mut f: impl FnMut(&[usize])) {
    if dims.contains(&0) {
        return;
    }
    let mut index = vec![0; dims.len()];
    loop {
        f(&index);
        let mut d = dims.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            if index[d] < dims[d] {
                break;
            }
            index[d] = 0;
        }
    }
}

/// A tensor of shape `dims` whose element at an index is element `source(index)` of `x`.
pub(super) fn rearranged(x: &Tensor, dims: Vec<usize>, source: impl Fn(&[usize]) -> usize) -> Tensor {
    let mut places = Vec::with_capacity(dims.iter().product());
    each(&dims, |index| places.push(source(index)));
    let data = match &x.data {
        Data::Floats(v) => Data::Floats(places.iter().map(|&p| v[p]).collect()),
        Data::Ints(v) => Data::Ints(places.iter().map(|&p| v[p]).collect()),
    };
    Tensor { dims, data }
}

/// The shape of an operator on several shapes: aligned at their last dimensions, those of 1 repeated.
pub(super) fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for shape in shapes {
        for (d, &size) in shape.iter().enumerate() {
            let to = &mut dims[rank - shape.len() + d];
            if *to == 1 {
                *to = size;
            } else if size != 1 && size != *to {
                return Err(format!("{shapes:?} differ where none is 1"));
            }
        }
    }
    Ok(dims)
}

/// `x` repeated to `dims`, which its shape broadcasts to.
pub(super) fn spread(x: &Tensor, dims: &[usize]) -> Tensor {
    if x.dims == dims {
        return x.clone();
    }
    let (shift, steps) = (dims.len() - x.dims.len(), strides(&x.dims));
    let place = |index: &[usize]| -> usize {
        let along = |(d, step): (usize, &usize)| if x.dims[d] == 1 { 0 } else { index[shift + d] * step };
        steps.iter().enumerate().map(along).sum()
    };
    rearranged(x, dims.to_vec(), place)
}

/// The product of dimensions before, at and after `axis`.
pub(super) fn around(dims: &[usize], axis: usize) -> (usize, usize, usize) {
    (dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product())
}
