//! Running sums, triangles, one element of each row, and sums of products by their letters.

use super::{
    call::{Call, axis},
    walk::{self, around, strides},
};
use crate::onnx::tensor::{Data, Tensor};
use std::collections::BTreeMap;

pub(super) fn running(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let a = call.x(1)?.as_ints().and_then(|v| v.first().copied()).ok_or("its axis")?;
    let (outer, n, inner) = around(&x.dims, axis(a, x.dims.len())?);
    let (excludes, reverse) = (call.node.int("exclusive", 0) != 0, call.node.int("reverse", 0) != 0);
    let values = x.to_floats();
    let mut y = vec![0.0; values.len()];
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let mut sum = 0.0f64;
        for step in 0..n {
            let at = (o * n + if reverse { n - 1 - step } else { step }) * inner + i;
            let next = sum + f64::from(values[at]);
            y[at] = if excludes { sum } else { next } as f32;
            sum = next;
        }
    }
    Ok(match &x.data {
        Data::Floats(_) => Tensor::floats(x.dims.clone(), y),
        Data::Ints(_) => Tensor::ints(x.dims.clone(), y.into_iter().map(|v| v as i64).collect()),
    })
}

/// The upper or lower triangle of each matrix, the rest 0.
pub(super) fn triangle(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let &[.., h, w] = &x.dims[..] else { return Err(format!("{:?} is not a matrix", x.dims)) };
    let k = call.optional(1).and_then(|t| t.as_ints()).and_then(|v| v.first().copied()).unwrap_or(0);
    let is_upper = call.node.int("upper", 1) != 0;
    let keeps = |j: usize| {
        let (row, column) = ((j / w % h.max(1)) as i64, (j % w.max(1)) as i64);
        if is_upper { column - row >= k } else { column - row <= k }
    };
    let data = match &x.data {
        Data::Floats(v) => Data::Floats((0..v.len()).map(|j| if keeps(j) { v[j] } else { 0.0 }).collect()),
        Data::Ints(v) => Data::Ints((0..v.len()).map(|j| if keeps(j) { v[j] } else { 0 }).collect()),
    };
    Ok(Tensor { dims: x.dims.clone(), data })
}

/// 1 at the first of the largest elements of an axis, else 0.
pub(super) fn hard_max(call: &Call<'_>) -> Result<Tensor, String> {
    let x = call.x(0)?;
    call.count(&x.dims)?;
    let is_old = call.opset < 13;
    let a = axis(call.node.int("axis", if is_old { 1 } else { -1 }), x.dims.len())?;
    let (outer, n, inner) = match is_old {
        true => (x.dims[..a].iter().product(), x.dims[a..].iter().product(), 1),
        false => around(&x.dims, a),
    };
    let values = x.to_floats();
    let mut y = vec![0.0; values.len()];
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let place = |k: usize| (o * n + k) * inner + i;
        let best = (0..n).fold(0, |best, k| if values[place(k)] > values[place(best)] { k } else { best });
        y[place(best)] = 1.0;
    }
    Ok(Tensor::floats(x.dims.clone(), y))
}

/// For every index of the letters of the result, the sum over all others of the product of one element of each input.
pub(super) fn einsum(call: &Call<'_>) -> Result<Tensor, String> {
    let text: String = call.node.text("equation").chars().filter(|c| !c.is_whitespace()).collect();
    if text.contains('.') || text.is_empty() {
        return Err("an equation with dots".into());
    }
    let (from, to) = match text.split_once("->") {
        Some((from, to)) => (from.to_string(), to.to_string()),
        None => {
            let mut once: Vec<char> =
                text.chars().filter(|&c| c != ',' && text.matches(c).count() == 1).collect();
            once.sort_unstable();
            (text.clone(), once.into_iter().collect())
        }
    };
    let terms: Vec<Vec<char>> = from.split(',').map(|term| term.chars().collect()).collect();
    if terms.len() != call.inputs.len() {
        return Err(format!("{} terms for {} inputs", terms.len(), call.inputs.len()));
    }
    let mut sizes: BTreeMap<char, usize> = BTreeMap::new();
    for (i, term) in terms.iter().enumerate() {
        let dims = &call.x(i)?.dims;
        if dims.len() != term.len() {
            return Err(format!("{dims:?} for {term:?}"));
        }
        for (&letter, &size) in term.iter().zip(dims) {
            if *sizes.entry(letter).or_insert(size) != size {
                return Err(format!("{letter:?} has two sizes"));
            }
        }
    }
    let to: Vec<char> = to.chars().collect();
    let inner: Vec<char> = sizes.keys().copied().filter(|letter| !to.contains(letter)).collect();
    let letters = [&to[..], &inner].concat();
    let dims = letters
        .iter()
        .map(|l| sizes.get(l).copied().ok_or("a letter of no input"))
        .collect::<Result<Vec<_>, _>>()?;
    let all = dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).ok_or("too much work")?;
    call.pay(all.saturating_mul(4 * (1 + terms.len() as u64)))?;
    let n = call.count(&dims[..to.len()])?;
    // How far each letter moves in each input.
    let values = (0..terms.len()).map(|i| call.floats(i)).collect::<Result<Vec<_>, _>>()?;
    let mut steps = Vec::new();
    for (i, term) in terms.iter().enumerate() {
        let own = strides(&call.x(i)?.dims);
        let of = |letter: &char| {
            term.iter().zip(&own).filter(|(l, _)| *l == letter).map(|(_, s)| s).sum::<usize>()
        };
        steps.push(letters.iter().map(of).collect::<Vec<usize>>());
    }
    let mut y = vec![0.0f64; n];
    let out = strides(&dims[..to.len()]);
    walk::each(&dims, |index| {
        let at: usize = index.iter().zip(&out).map(|(i, s)| i * s).sum();
        let product = values
            .iter()
            .zip(&steps)
            .map(|(v, steps)| f64::from(v[index.iter().zip(steps).map(|(i, s)| i * s).sum::<usize>()]));
        y[at] += product.product::<f64>();
    });
    Ok(Tensor::floats(dims[..to.len()].to_vec(), y.into_iter().map(|v| v as f32).collect()))
}
