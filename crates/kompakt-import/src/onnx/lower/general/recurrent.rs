//! Recurrent layers: the input's contribution to the gates is a linear layer over all time steps, the rest
//! one operator per direction.

use super::super::{Act, Call, Lowering, Operand};
use crate::onnx::{builder::Value, proto::NodeProto, rules::Run, tensor::Tensor};
use kompakt_graph::{Cell, Op};

impl Lowering<'_> {
    pub(super) fn recurrent(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        if self.lead == 1 {
            return Err("times are in front of the batch".into());
        }
        let node = call.node;
        let kind = node.op_type.as_str();
        let n_gates = match kind {
            "LSTM" => 4,
            "GRU" => 3,
            _ => 1,
        };
        let is_batch_first = node.int("layout", 0) != 0;
        let mut x = self.value_of(call, 0)?;
        let &[first, second, inputs] = &x.dims[..] else { return Err(format!("an input of {:?}", x.dims)) };
        let [time, batch] = if is_batch_first { [second, first] } else { [first, second] };
        if is_batch_first {
            x.value = self.builder.transpose(x.value, vec![1, 0, 2])?;
        }
        let (w, r) = (call.needed(1)?.clone(), call.needed(2)?.clone());
        let &[n_directions, rows, columns] = &w.dims[..] else {
            return Err("a weight of other dimensions".into());
        };
        let hidden = rows / n_gates;
        if columns != inputs || hidden == 0 || r.dims != [n_directions, rows, hidden] || n_directions > 2 {
            return Err(format!("weights of {:?} and {:?} for {:?}", w.dims, r.dims, x.dims));
        }
        let b =
            call.constant(3)?.map(Tensor::to_floats).unwrap_or_else(|| vec![0.0; n_directions * 2 * rows]);
        if b.len() != n_directions * 2 * rows {
            return Err(format!("{} biases", b.len()));
        }
        if let Some(lengths) = call.constant(4)?.filter(|t| t.len() > 0)
            && lengths.to_floats().iter().any(|&n| n != time as f32)
        {
            return Err("sequences of different lengths".into());
        }
        if call.inputs.get(7).is_some_and(Option::is_some) {
            return Err("peepholes".into());
        }
        if node.attribute("clip").is_some() || node.int("input_forget", 0) != 0 {
            return Err("gates that are clipped or coupled".into());
        }
        let direction = node.text("direction");
        let (w, r) = (w.to_floats(), r.to_floats());
        let mut made = Vec::new();
        for d in 0..n_directions {
            let reverse = d == 1 || direction == "reverse";
            let cell = self.cell(call, kind, d)?;
            let part = |all: &[f32], n: usize| all[d * n..(d + 1) * n].to_vec();
            let weight = part(&w, rows * inputs);
            let biases = part(&b, 2 * rows);
            let name = (!node.name.is_empty()).then(|| format!("{}.input{d}", node.name));
            let flat = self.shaped(x.value, vec![time * batch, inputs])?;
            let gates = self.rows_layer(name.as_deref(), flat, weight, biases[..rows].to_vec())?;
            let gates = self.shaped(gates, vec![time, batch, rows])?;
            let mut states = Vec::new();
            for index in [5, 6] {
                states.push(self.first_state(
                    call,
                    index,
                    [d, n_directions, batch, hidden],
                    is_batch_first,
                )?);
            }
            self.n_parameters += (rows * (inputs + hidden + 2)) as u64;
            let op = Op::Recurrent { cell, hidden, reverse };
            let params =
                vec![("weight", part(&r, rows * hidden).into()), ("bias", biases[rows..].to_vec().into())];
            let name = (!node.name.is_empty()).then(|| format!("{}.state{d}", node.name));
            let y = self.builder.push(name.as_deref(), op, vec![gates, states[0], states[1]], params)?;
            made.push((y, cell, reverse));
        }
        self.outputs(&made, [time, batch, hidden], is_batch_first)
    }

    /// An LSTM of integer weights `[directions, in, out]`, a scale and a zero point for each direction or each column. Its
    /// inputs and states are not rounded to integers here, as its runtime does.
    pub(super) fn quantised_recurrent(&mut self, call: &Call<'_>) -> Result<Vec<Act>, String> {
        let weight = |index: usize, scale: usize| -> Result<Option<Operand>, String> {
            let w = call.needed(index)?;
            let &[directions, rows, columns] = &w.dims[..] else {
                return Err(format!("weights of {:?}", w.dims));
            };
            let (scales, zeros) = (call.needed(scale)?.to_floats(), call.needed(scale + 1)?.to_floats());
            let each = scales.len() / directions.max(1);
            if zeros.len() != scales.len()
                || scales.len() != each * directions
                || (each != 1 && each != columns)
            {
                return Err(format!("{} scales for weights of {:?}", scales.len(), w.dims));
            }
            let from = w.to_floats();
            let element = |j: usize| {
                let (d, out, k) = (j / (columns * rows), j / rows % columns, j % rows);
                let s = d * each + if each == 1 { 0 } else { out };
                (from[(d * rows + k) * columns + out] - zeros[s]) * scales[s]
            };
            let turned = Tensor::floats(vec![directions, columns, rows], (0..w.len()).map(element).collect());
            Ok(Some(Operand::Const(std::rc::Rc::new(turned))))
        };
        let mut inputs = call.inputs.clone();
        (inputs[1], inputs[2]) = (weight(1, 8)?, weight(2, 10)?);
        inputs.truncate(8);
        let node = NodeProto { op_type: "LSTM".into(), ..call.node.clone() };
        self.recurrent(&Call { node: &node, inputs })
    }

    /// All states, the last one of each direction, and the last cell state of an LSTM.
    fn outputs(
        &mut self,
        made: &[(Value, Cell, bool)],
        [time, batch, hidden]: [usize; 3],
        is_batch_first: bool,
    ) -> Result<Vec<Act>, String> {
        let (mut all, mut last, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for &(y, cell, reverse) in made {
            let n = cell.n_states() * hidden;
            let whole = Act { value: y, dims: vec![time, batch, n] };
            let h = self.cut(&whole, 2, Run { first: 0, n: hidden, step: 1 })?;
            let at = if reverse { 0 } else { time - 1 };
            let end = Run { first: at, n: 1, step: 1 };
            last.push(self.cut(&h, 0, end)?.value);
            if cell == Cell::Lstm {
                let c = self.cut(&whole, 2, Run { first: hidden, n: hidden, step: 1 })?;
                memory.push(self.cut(&c, 0, end)?.value);
            }
            // [time, batch, hidden] as one direction of [directions, time, batch, hidden].
            all.push(self.shaped(h.value, vec![1, time, batch, hidden])?);
        }
        let n = made.len();
        let join = |lowering: &mut Self, values: Vec<Value>| match values[..] {
            [one] => Ok(one),
            _ => lowering.builder.op(None, Op::Concat, values),
        };
        let y = join(self, all)?;
        let (order, dims) = if is_batch_first {
            (vec![2, 1, 0, 3], vec![batch, time, n, hidden])
        } else {
            (vec![1, 0, 2, 3], vec![time, n, batch, hidden])
        };
        let y = self.builder.transpose(y, order)?;
        let mut acts = vec![Act { value: y, dims }];
        for values in [last, memory] {
            if values.is_empty() {
                continue;
            }
            let value = join(self, values)?;
            let (value, dims) = if is_batch_first {
                (self.builder.transpose(value, vec![1, 0, 2])?, vec![batch, n, hidden])
            } else {
                (value, vec![n, batch, hidden])
            };
            acts.push(Act { value, dims });
        }
        Ok(acts)
    }

    /// The state before the first step of direction `d`: zeros if none is given.
    fn first_state(
        &mut self,
        call: &Call<'_>,
        index: usize,
        [d, n, batch, hidden]: [usize; 4],
        is_batch_first: bool,
    ) -> Result<Value, String> {
        if !matches!(call.inputs.get(index), Some(Some(_))) || (index == 6 && call.node.op_type != "LSTM") {
            self.ask(batch.saturating_mul(hidden))?;
            return self.computed(vec![0.0; batch * hidden], vec![batch, hidden]);
        }
        let mut state = match self.input(call, index)? {
            Operand::Act(act) => act.clone(),
            Operand::Const(tensor) => {
                let (tensor, dims) = (tensor.clone(), tensor.dims.clone());
                Act { value: self.constant(&tensor, dims.clone())?, dims }
            }
        };
        if is_batch_first {
            state.value = self.builder.transpose(state.value, vec![1, 0, 2])?;
        }
        state.dims = vec![n, batch, hidden];
        let own = self.cut(&state, 0, Run { first: d, n: 1, step: 1 })?;
        self.shaped(own.value, vec![batch, hidden])
    }

    fn cell(&self, call: &Call<'_>, kind: &str, d: usize) -> Result<Cell, String> {
        let names: Vec<String> = call
            .node
            .attribute("activations")
            .map(|a| a.strings.iter().map(|s| String::from_utf8_lossy(s).to_lowercase()).collect())
            .unwrap_or_default();
        let each = match kind {
            "LSTM" => 3,
            "GRU" => 2,
            _ => 1,
        };
        let own: Vec<&str> = names.iter().skip(d * each).take(each).map(String::as_str).collect();
        Ok(match (kind, &own[..]) {
            ("LSTM", [] | ["sigmoid", "tanh", "tanh"]) => Cell::Lstm,
            ("GRU", [] | ["sigmoid", "tanh"]) => {
                if call.node.int("linear_before_reset", 0) != 0 {
                    Cell::Gru
                } else {
                    Cell::GruResetFirst
                }
            }
            ("RNN", [] | ["tanh"]) => Cell::Tanh,
            ("RNN", ["relu"]) => Cell::Relu,
            _ => return Err(format!("the activations {own:?}")),
        })
    }
}
