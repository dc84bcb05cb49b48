//! Recurrent layers in ONNX.

use super::{Writer, int, text};
use kompakt_graph::{Cell, Node, Op};

impl Writer<'_> {
    /// An operator with a matrix of ones for its input weights: the gates' inputs are already computed.
    pub(super) fn recurrent(
        &mut self,
        (index, node): (usize, &Node),
        inputs: &[String],
        cell: Cell,
        hidden: usize,
        reverse: bool,
        from: &[usize],
    ) -> Result<(), String> {
        let gates = cell.n_gates() * hidden;
        let parameter = |name: &str| {
            let name = format!("{}.{name}", node.name);
            self.model
                .parameters
                .get(&name)
                .map(kompakt_model::Parameter::to_f32)
                .ok_or("a parameter is missing")
        };
        let (weight, bias) = (parameter("weight")?, parameter("bias")?);
        // [n, time, batch, gates] as [time, n batch, gates].
        let turned = self.between(
            node,
            "Transpose",
            vec![inputs[0].clone()],
            vec![super::ints("perm", vec![1, 0, 2, 3])],
        );
        let shape = self.int_list(node, vec![from[0] as i64, -1, gates as i64]);
        let x = self.between(node, "Reshape", vec![turned, shape], vec![]);
        let identity: Vec<f32> =
            (0..gates * gates).map(|i| f32::from(u8::from(i / gates == i % gates))).collect();
        let w = self.floats(node, &[1, gates, gates], &identity);
        let r = self.floats(node, &[1, gates, hidden], &weight);
        let both: Vec<f32> = vec![0.0; gates].into_iter().chain(bias).collect();
        let b = self.floats(node, &[1, 2 * gates], &both);
        let state = |writer: &mut Self, name: &String| {
            let shape = writer.int_list(node, vec![1, -1, hidden as i64]);
            writer.between(node, "Reshape", vec![name.clone(), shape], vec![])
        };
        let mut input = vec![x, w, r, b, String::new(), state(self, &inputs[1])];
        let mut attributes = vec![int("hidden_size", hidden as i64)];
        if reverse {
            attributes.push(text("direction", "reverse"));
        }
        let op = match cell {
            Cell::Lstm => {
                if !self.memory_is_read_at_the_end(index, hidden, if reverse { 0 } else { from[0] - 1 }) {
                    return Err("the memory of an LSTM is read at times before its last".into());
                }
                input.push(state(self, &inputs[2]));
                "LSTM"
            }
            Cell::Gru => {
                attributes.push(int("linear_before_reset", 1));
                "GRU"
            }
            Cell::GruResetFirst => "GRU",
            Cell::Tanh => "RNN",
            Cell::Relu => {
                let names = super::AttributeProto {
                    name: "activations".into(),
                    strings: vec!["Relu".into()],
                    r#type: 8,
                    ..Default::default()
                };
                attributes.push(names);
                "RNN"
            }
        };
        let mut y = self.between(node, op, input, attributes);
        if cell == Cell::Lstm {
            // The last memory, [1, n batch, hidden], stands behind the states of all times.
            let memory = self.fresh(node);
            if let Some(made) = self.nodes.last_mut() {
                made.output.extend([String::new(), memory.clone()]);
            }
            let front = self.int_list(node, vec![0]);
            let wide = self.between(node, "Unsqueeze", vec![memory, front], vec![]);
            let times = self.int_list(node, vec![from[0] as i64, 1, 1, 1]);
            let repeated = self.between(node, "Expand", vec![wide, times], vec![]);
            y = self.between(node, "Concat", vec![y, repeated], vec![int("axis", 3)]);
        }
        // [time, 1, n batch, states] back.
        let states = (cell.n_states() * hidden) as i64;
        let shape = self.int_list(node, vec![from[0] as i64, -1, from[1] as i64, states]);
        let y = self.between(node, "Reshape", vec![y, shape], vec![]);
        self.push(
            "Transpose",
            node.name.clone(),
            vec![y],
            node.name.clone(),
            vec![super::ints("perm", vec![1, 0, 2, 3])],
        );
        Ok(())
    }

    /// Whether of the memories that a node returns behind its states only that of time `last` is read.
    fn memory_is_read_at_the_end(&self, index: usize, hidden: usize, last: usize) -> bool {
        let graph = self.graph();
        let is_last =
            |op: &Op| matches!(op, Op::Slice { start, end, .. } if start[0] == last && end[0] == last + 1);
        let value = graph.value_of(index);
        if graph.shape(value)[0] == 1 {
            return true;
        }
        let is_inside = |value: usize| !graph.outputs().contains(&value);
        is_inside(value)
            && graph.consumers(value).all(|reader| match &graph.nodes()[reader].op {
                Op::Slice { end, .. } if end[2] <= hidden => true,
                op if is_last(op) => true,
                Op::Slice { .. } => {
                    let part = graph.value_of(reader);
                    is_inside(part) && graph.consumers(part).all(|next| is_last(&graph.nodes()[next].op))
                }
                _ => false,
            })
    }
}
