//! LSTM, GRU and RNN, as the specification defines them: sequence by sequence, step by step and unit by unit.

use super::call::Call;
use crate::onnx::{proto::NodeProto, tensor::Tensor};
use std::rc::Rc;

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// An LSTM whose weights `[directions, in, out]` are integers with a scale and a zero point for each direction, or for each
/// column of it; its inputs and states stay floats.
pub(super) fn quantised(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let weight = |index: usize, scale: usize| -> Result<Option<Rc<Tensor>>, String> {
        let (w, scales, zeros) = (call.x(index)?, call.floats(scale)?, call.floats(scale + 1)?);
        let &[directions, rows, columns] = &w.dims[..] else {
            return Err("weights of other dimensions".into());
        };
        call.count(&w.dims)?;
        let values = w.to_floats();
        let mut real = Vec::with_capacity(values.len());
        for (d, column) in (0..directions).flat_map(|d| (0..columns).map(move |c| (d, c))) {
            let at = if scales.len() == directions { d } else { d * columns + column };
            let (scale, zero) = scales.get(at).zip(zeros.get(at)).ok_or("too few scales")?;
            real.extend((0..rows).map(|row| scale * (values[(d * rows + row) * columns + column] - zero)));
        }
        Ok(Some(Rc::new(Tensor::floats(vec![directions, columns, rows], real))))
    };
    let mut inputs = call.inputs.clone();
    if inputs.len() != 12 {
        return Err("too few inputs".into());
    }
    (inputs[1], inputs[2]) = (weight(1, 8)?, weight(2, 10)?);
    inputs.truncate(8);
    let node = NodeProto { op_type: "LSTM".into(), ..call.node.clone() };
    recurrent(&Call { node: &node, inputs, ..*call })
}

/// All outputs: every state, the last ones, and for an LSTM the last cell state.
pub(super) fn recurrent(call: &Call<'_>) -> Result<Vec<Tensor>, String> {
    let kind = call.node.op_type.as_str();
    let is_batch_first = call.node.int("layout", 0) != 0;
    let x = call.x(0)?;
    let (w, r) = (call.x(1)?, call.x(2)?);
    let (&[first, second, inputs], &[directions, rows, columns], &[_, _, hidden]) =
        (&x.dims[..], &w.dims[..], &r.dims[..])
    else {
        return Err(format!("shapes {:?}, {:?} and {:?}", x.dims, w.dims, r.dims));
    };
    let [time, batch] = if is_batch_first { [second, first] } else { [first, second] };
    let gates = match kind {
        "LSTM" => 4,
        "GRU" => 3,
        _ => 1,
    };
    if columns != inputs || rows != gates * hidden || r.dims != [directions, rows, hidden] {
        return Err(format!("weights of {:?} and {:?}", w.dims, r.dims));
    }
    let unknown =
        ["clip", "activation_alpha", "activation_beta"].iter().any(|a| call.node.attribute(a).is_some());
    if unknown || call.node.int("input_forget", 0) != 0 || call.optional(7).is_some() {
        return Err("clips, peepholes or coupled gates".into());
    }
    let names: Vec<String> = match call.node.attribute("activations") {
        Some(a) => a.strings.iter().map(|s| String::from_utf8_lossy(s).to_lowercase()).collect(),
        None => Vec::new(),
    };
    let usual = match kind {
        "LSTM" => vec!["sigmoid", "tanh", "tanh"],
        "GRU" => vec!["sigmoid", "tanh"],
        _ => vec!["tanh"],
    };
    let is_relu = kind == "RNN" && names.iter().all(|n| n == "relu") && !names.is_empty();
    if !is_relu
        && !names.chunks(usual.len()).all(|own| own.iter().map(String::as_str).eq(usual.iter().copied()))
    {
        return Err(format!("activations {names:?}"));
    }
    call.pay((time * batch * directions * rows * (inputs + hidden)) as u64)?;
    call.count(&[time, directions, batch, hidden])?;
    let wide = |t: &Tensor| -> Vec<f64> { t.to_floats().iter().map(|&v| f64::from(v)).collect() };
    let (x, w, r) = (wide(x), wide(w), wide(r));
    let b = call.optional(3).map_or_else(|| vec![0.0; directions * 2 * rows], wide);
    let zeros = || vec![0.0; directions * batch * hidden];
    let [h0, c0] = [5, 6].map(|i| call.optional(i).map_or_else(zeros, wide));
    let lengths = call.optional(4).map(|t| t.to_floats());
    if lengths.is_some_and(|l| l.iter().any(|&n| n != time as f32)) {
        return Err("sequences of different lengths".into());
    }
    let state = |d: usize, b: usize| {
        if is_batch_first { (b * directions + d) * hidden } else { (d * batch + b) * hidden }
    };
    let (mut y, mut last_h, mut last_c) = (vec![0.0; time * directions * batch * hidden], zeros(), zeros());
    for (d, n) in (0..directions).flat_map(|d| (0..batch).map(move |n| (d, n))) {
        let mut h = h0[state(d, n)..][..hidden].to_vec();
        let mut c = c0[state(d, n)..][..hidden].to_vec();
        let reverse = d == 1 || call.node.text("direction") == "reverse";
        for step in 0..time {
            let t = if reverse { time - 1 - step } else { step };
            let from = if is_batch_first { n * time + t } else { t * batch + n } * inputs;
            let input = |row: usize| {
                let weights = &w[(d * rows + row) * inputs..][..inputs];
                weights.iter().zip(&x[from..]).map(|(w, x)| w * x).sum::<f64>() + b[d * 2 * rows + row]
            };
            let state_part = |row: usize, h: &[f64]| {
                let weights = &r[(d * rows + row) * hidden..][..hidden];
                weights.iter().zip(h).map(|(r, h)| r * h).sum::<f64>() + b[(d * 2 + 1) * rows + row]
            };
            let before = h.clone();
            let gate = |k: usize, i: usize| input(k * hidden + i) + state_part(k * hidden + i, &before);
            let reset: Vec<f64> = match kind {
                "GRU" => (0..hidden).map(|i| logistic(gate(1, i))).collect(),
                _ => Vec::new(),
            };
            let less: Vec<f64> = before.iter().zip(&reset).map(|(h, r)| h * r).collect();
            for i in 0..hidden {
                h[i] = match kind {
                    "LSTM" => {
                        c[i] = logistic(gate(2, i)) * c[i] + logistic(gate(0, i)) * gate(3, i).tanh();
                        logistic(gate(1, i)) * c[i].tanh()
                    }
                    "GRU" => {
                        let (z, row) = (logistic(gate(0, i)), 2 * hidden + i);
                        let inner = match call.node.int("linear_before_reset", 0) {
                            0 => state_part(row, &less),
                            _ => reset[i] * state_part(row, &before),
                        };
                        (1.0 - z) * (input(row) + inner).tanh() + z * before[i]
                    }
                    _ if is_relu => gate(0, i).max(0.0),
                    _ => gate(0, i).tanh(),
                };
            }
            let to = if is_batch_first {
                (n * time + t) * directions + d
            } else {
                (t * directions + d) * batch + n
            };
            y[to * hidden..][..hidden].copy_from_slice(&h);
        }
        last_h[state(d, n)..][..hidden].copy_from_slice(&h);
        last_c[state(d, n)..][..hidden].copy_from_slice(&c);
    }
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
    let (all, last) = if is_batch_first {
        (vec![batch, time, directions, hidden], vec![batch, directions, hidden])
    } else {
        (vec![time, directions, batch, hidden], vec![directions, batch, hidden])
    };
    let mut made = vec![Tensor::floats(all, narrow(y)), Tensor::floats(last.clone(), narrow(last_h))];
    if kind == "LSTM" {
        made.push(Tensor::floats(last, narrow(last_c)));
    }
    Ok(made)
}
