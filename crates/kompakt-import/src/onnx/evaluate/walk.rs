//! Elements in row-major order.

use crate::onnx::tensor::{Data, Tensor};
use std::borrow::Cow;

/// Row-major strides.
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

/// The broadcast shape of several shapes: aligned at their last dimensions, those of 1 repeated.
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

/// A tensor of shape `dims` whose element at an index is the element of `x` at the sum of `index * steps`.
pub(super) fn strided(x: &Tensor, dims: Vec<usize>, steps: &[usize]) -> Tensor {
    fn gathered<T: Copy>(from: &[T], dims: &[usize], steps: &[usize]) -> Vec<T> {
        let mut out = Vec::with_capacity(dims.iter().product());
        // Adjacent dimensions with a uniform stride are merged.
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (&n, &step) in dims.iter().zip(steps).filter(|(n, _)| **n != 1) {
            match runs.last_mut() {
                Some((many, pace)) if *pace == n * step => (*many, *pace) = (*many * n, step),
                _ => runs.push((n, step)),
            }
        }
        let (n, step) = runs.pop().unwrap_or((1, 0));
        let (outer, paces): (Vec<usize>, Vec<usize>) = runs.into_iter().unzip();
        if n == 0 {
            return out;
        }
        each(&outer, |index| {
            let at: usize = index.iter().zip(&paces).map(|(i, pace)| i * pace).sum();
            match step {
                0 => out.resize(out.len() + n, from[at]),
                1 => out.extend_from_slice(&from[at..][..n]),
                _ => out.extend(from[at..].iter().step_by(step).take(n)),
            }
        });
        out
    }
    let data = match &x.data {
        Data::Floats(v) => Data::Floats(gathered(v, &dims, steps)),
        Data::Ints(v) => Data::Ints(gathered(v, &dims, steps)),
    };
    Tensor { dims, data }
}

/// `x` broadcast to `dims`.
pub(super) fn spread<'x>(x: &'x Tensor, dims: &[usize]) -> Cow<'x, Tensor> {
    if x.dims == dims {
        return Cow::Borrowed(x);
    }
    let mut steps = vec![0; dims.len() - x.dims.len()];
    steps.extend(strides(&x.dims).iter().zip(&x.dims).map(|(&step, &n)| if n == 1 { 0 } else { step }));
    Cow::Owned(strided(x, dims.to_vec(), &steps))
}

/// The product of dimensions before, at and after `axis`.
pub(super) fn around(dims: &[usize], axis: usize) -> (usize, usize, usize) {
    (dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_transposed() {
        let x = Tensor::ints(vec![2, 1, 3], (0..6).collect());
        let ints = |t: &Tensor| t.as_ints().unwrap().to_vec();
        let whole = spread(&x, &[2, 2, 2, 3]);
        let (first, second) = ([0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]);
        assert_eq!(ints(&whole), [first, second, first, second].concat());
        assert_eq!(ints(&spread(&Tensor::ints(vec![2, 1], vec![7, 8]), &[2, 3])), [7, 7, 7, 8, 8, 8]);
        assert_eq!(ints(&strided(&x, vec![3, 2], &[1, 3])), [0, 3, 1, 4, 2, 5]);
        assert_eq!(ints(&spread(&Tensor::ints(vec![1], vec![7]), &[2, 0])), Vec::<i64>::new());
    }
}
