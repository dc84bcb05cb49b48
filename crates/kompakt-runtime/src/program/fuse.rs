//! Fuses scales, biases and ReLUs into the operation before them where nothing else reads the intermediate
//! value.
//!
//! ```text
//! conv1 ─ scale1 ─ relu1 ─ fc1        conv1 (scale and relu in its epilogue) ─ fc1
//! ```

use super::{Affine, Binary, Operation, OperationKind as Kind, Program, Unary, ValueId};
use alloc::{vec, vec::Vec};

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
    use kompakt_graph::{Graph, Op};

    fn program(ops: Vec<Op>) -> Program {
        Program::new(&Graph::chain(&[4], ops).unwrap()).unwrap()
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
