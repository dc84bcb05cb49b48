//! Fuses scales, biases and ReLUs into the operation before them where nothing else reads the intermediate
//! value.
//!
//! ```text
//! conv1 ─ scale1 ─ relu1 ─ fc1        conv1 (scale and relu in its epilogue) ─ fc1
//! ```
//!
//! A GELU that is spelled out, `x (1 + erf(x / sqrt 2)) / 2` in any order of factors, is one operation.

use super::{Affine, Binary, Operation, OperationKind as Kind, Program, Unary, ValueId};
use alloc::{vec, vec::Vec};
use kompakt_graph::UnaryFunction;

/// The same program, fused.
pub(super) fn fuse(mut program: Program) -> Program {
    let n_reads = program.n_reads();
    let mut reader = vec![0; program.values.len()];
    for (index, operation) in program.operations.iter().enumerate() {
        operation.inputs.iter().for_each(|&value| reader[value] = index);
    }
    let mut chains = Chains { n_reads, reader, is_fused: vec![false; program.operations.len()] };
    for index in 0..program.operations.len() {
        if !chains.is_fused[index] {
            chains.extend(&mut program.operations, index, &program.values);
        }
    }
    for index in 0..program.operations.len() {
        if !chains.is_fused[index] {
            chains.gelu(&mut program.operations, index);
        }
    }
    let mut is_fused = chains.is_fused.into_iter();
    program.operations.retain(|_| !is_fused.next().unwrap_or(false));
    program
}

/// The readers of values, and which operations have been fused so far.
struct Chains {
    n_reads: Vec<usize>,
    /// The last operation that reads a value.
    reader: Vec<usize>,
    is_fused: Vec<bool>,
}

impl Chains {
    /// Fuses the operations after operation `index` into it, as far as possible.
    fn extend(&mut self, operations: &mut [Operation], index: usize, values: &[super::Value]) {
        let Operation { kind, inputs, output, .. } = &operations[index];
        let (mut kind, mut output) = (kind.clone(), *output);
        match &mut kind {
            Kind::Linear { epilogue, .. } | Kind::Convolution { epilogue, .. } => {
                while let Some(next) = self.only_reader(output) {
                    match operations[next].kind {
                        Kind::Affine { affine, relu: false }
                            if epilogue.affine.is_none() && !epilogue.relu =>
                        {
                            epilogue.affine = Some(affine);
                        }
                        Kind::Unary(Unary::Relu) => epilogue.relu = true,
                        _ => break,
                    }
                    output = self.take(operations, next);
                }
            }
            Kind::Affine { affine: Affine::ScaleBias { .. } | Affine::BatchNorm { .. }, relu } => {
                output = self.take_relus(operations, output, relu);
            }
            Kind::Binary { operator: Binary::Add, relu }
                if values[inputs[0]].shape == values[inputs[1]].shape =>
            {
                output = self.take_relus(operations, output, relu);
            }
            _ => {}
        }
        (operations[index].kind, operations[index].output) = (kind, output);
    }

    /// Fuses a GELU whose error function is operation `erf`.
    fn gelu(&mut self, operations: &mut [Operation], erf: usize) -> Option<()> {
        let scale = |op: &Operation| match op.kind {
            Kind::Unary(Unary::Scale { factor, offset }) => Some([factor, offset]),
            _ => None,
        };
        let is_half = |op: &Operation| scale(op) == Some([0.5, 0.0]);
        let Kind::Unary(Unary::Function(UnaryFunction::Erf)) = operations[erf].kind else { return None };
        let before = operations.iter().position(|op| op.output == operations[erf].inputs[0])?;
        let [factor, offset] = scale(&operations[before])?;
        if offset != 0.0 || (factor - core::f32::consts::FRAC_1_SQRT_2).abs() > 1e-6 {
            return None;
        }
        let (x, mut gone) = (operations[before].inputs[0], vec![before, erf]);
        (self.only_reader(operations[before].output)? == erf).then_some(())?;
        let plus = self.only_reader(operations[erf].output)?;
        gone.push(plus);
        // 1 + erf, or half of it.
        let mut n_halves = match scale(&operations[plus])? {
            [1.0, 1.0] => 0,
            [0.5, 0.5] => 1,
            _ => return None,
        };
        let mut next = self.only_reader(operations[plus].output)?;
        if is_half(&operations[next]) {
            (n_halves, next) = (n_halves + 1, {
                gone.push(next);
                self.only_reader(operations[next].output)?
            });
        }
        // Times x, or half of it.
        let Kind::Binary { operator: Binary::Mul, relu: false } = operations[next].kind else { return None };
        let so_far = operations[*gone.last()?].output;
        let &[a, b] = &operations[next].inputs[..] else { return None };
        let other = if a == so_far { b } else { a };
        if other != x {
            let half = operations.iter().position(|op| op.output == other)?;
            (is_half(&operations[half]) && operations[half].inputs[0] == x && self.n_reads[other] == 1)
                .then_some(())?;
            (n_halves, next) = (n_halves + 1, {
                gone.push(half);
                next
            });
        }
        let mut last = next;
        if n_halves == 0 {
            last = self.only_reader(operations[next].output).filter(|&half| is_half(&operations[half]))?;
            (n_halves, _) = (1, gone.push(next));
        }
        if n_halves != 1 {
            return None;
        }
        gone.into_iter().for_each(|index| self.is_fused[index] = true);
        let name = operations[erf].name.clone();
        let kind = Kind::Unary(Unary::Function(UnaryFunction::Gelu));
        operations[last] = Operation { name, kind, inputs: vec![x], output: operations[last].output };
        Some(())
    }

    fn take_relus(&mut self, operations: &[Operation], mut output: ValueId, relu: &mut bool) -> ValueId {
        while let Some(next) = self.only_reader(output) {
            if !matches!(operations[next].kind, Kind::Unary(Unary::Relu)) {
                break;
            }
            *relu = true;
            output = self.take(operations, next);
        }
        output
    }

    fn take(&mut self, operations: &[Operation], index: usize) -> ValueId {
        self.is_fused[index] = true;
        operations[index].output
    }

    fn only_reader(&self, value: ValueId) -> Option<usize> {
        (self.n_reads[value] == 1).then(|| self.reader[value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Input, Node, Op};

    fn program(ops: Vec<Op>) -> Program {
        Program::new(&Graph::chain(&[4], ops).unwrap()).unwrap()
    }

    #[test]
    fn a_spelled_out_gelu_is_one_operation() {
        let scale = |factor, offset| Op::Scale { factor, offset };
        let erf = || Op::Unary { function: UnaryFunction::Erf };
        // Value 0 is x, value i + 1 is made by node i.
        let spellings = [
            vec![
                (scale(0.707_106_77, 0.0), vec![0]),
                (erf(), vec![1]),
                (scale(1.0, 1.0), vec![2]),
                (Op::Mul, vec![0, 3]),
                (scale(0.5, 0.0), vec![4]),
            ],
            vec![
                (scale(0.707_106_77, 0.0), vec![0]),
                (erf(), vec![1]),
                (scale(0.5, 0.5), vec![2]),
                (Op::Mul, vec![3, 0]),
            ],
            vec![
                (scale(0.5, 0.0), vec![0]),
                (scale(0.707_106_77, 0.0), vec![0]),
                (erf(), vec![2]),
                (scale(1.0, 1.0), vec![3]),
                (Op::Mul, vec![1, 4]),
            ],
            vec![
                (scale(0.707_106_77, 0.0), vec![0]),
                (erf(), vec![1]),
                (scale(1.0, 1.0), vec![2]),
                (scale(0.5, 0.0), vec![3]),
                (Op::Mul, vec![0, 4]),
            ],
        ];
        for (number, spelling) in spellings.into_iter().enumerate() {
            for (factor, is_gelu) in [(0.707_106_77, true), (0.7, false)] {
                let mut nodes = Vec::new();
                for (i, (mut op, inputs)) in spelling.clone().into_iter().enumerate() {
                    if let Op::Scale { factor: f, .. } = &mut op
                        && *f > 0.6
                        && *f < 1.0
                    {
                        *f = factor;
                    }
                    nodes.push(Node { name: alloc::format!("n{i}"), op, inputs });
                }
                let last = nodes.len();
                let input = Input { name: "x".into(), shape: vec![4] };
                let program = Program::new(&Graph::new(vec![input], nodes, vec![last]).unwrap()).unwrap();
                let kind = &program.operations()[0].kind;
                let gelu = Kind::Unary(Unary::Function(UnaryFunction::Gelu));
                assert_eq!(
                    *kind == gelu && program.operations().len() == 1,
                    is_gelu,
                    "{number}: {program:?}"
                );
            }
        }
    }

    #[test]
    fn epilogues_hold_one_affine_and_relus() {
        let linear = || Op::Linear { out_features: 4, bias: true };
        let dropout = || Op::Dropout { p: 0.5 };
        let fused = program(vec![linear(), dropout(), Op::ScaleBias, Op::Relu, Op::Relu, linear()]);
        assert_eq!(fused.operations().len(), 2);
        let Kind::Linear { epilogue, .. } = fused.operations()[0].kind else { panic!("{fused:?}") };
        assert!(epilogue.relu && epilogue.bias.is_some());
        assert_eq!(epilogue.affine, Some(Affine::ScaleBias { weight: 2, bias: 3 }));
        assert_eq!(fused.operations()[1].inputs, [fused.operations()[0].output]);
        // A scale after the ReLU, and a second scale, stay separate operations.
        for ops in [vec![linear(), Op::Relu, Op::ScaleBias], vec![linear(), Op::ScaleBias, Op::ScaleBias]] {
            assert_eq!(program(ops).operations().len(), 2);
        }
    }
}
