//! Recurrent layers in ONNX.

use super::{Writer, int, text};
use kompakt_graph::{Cell, Node};

impl Writer<'_> {
    /// An operator with a matrix of ones for its input weights: the gates' inputs are already computed.
    pub(super) fn recurrent(
        &mut self,
        node: &Node,
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
        let input = vec![x, w, r, b, String::new(), state(self, &inputs[1])];
        let mut attributes = vec![int("hidden_size", hidden as i64)];
        if reverse {
            attributes.push(text("direction", "reverse"));
        }
        let op = match cell {
            Cell::Lstm => {
                // All c are needed, but the operator returns only the last.
                return Err("an LSTM whose memory at all times may be asked for".into());
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
        let y = self.between(node, op, input, attributes);
        // [time, 1, n batch, hidden] back.
        let shape = self.int_list(node, vec![from[0] as i64, -1, from[1] as i64, hidden as i64]);
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
}
