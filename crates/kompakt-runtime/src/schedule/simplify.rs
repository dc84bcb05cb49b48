//! Operations that this machine runs in fewer passes than the program lists.
//!
//! ```text
//! transpose ─ softmax over the first axis ─ transpose back        softmax over that axis
//! ```

use crate::program::{Operation, OperationKind as Kind, Program};
use alloc::vec;

/// The same program with fewer operations.
pub(super) fn simplify(program: &Program) -> Program {
    let mut program = program.clone();
    let n_reads = program.n_reads();
    let mut reader = vec![usize::MAX; program.values.len()];
    for (index, operation) in program.operations.iter().enumerate() {
        operation.inputs.iter().for_each(|&value| reader[value] = index);
    }
    let only_reader =
        |operation: &Operation| (n_reads[operation.output] == 1).then(|| reader[operation.output]);
    let mut is_gone = vec![false; program.operations.len()];
    for first in 0..program.operations.len() {
        let operations = &program.operations;
        let Kind::Transpose { axes } = &operations[first].kind else { continue };
        let Some(softmax) = only_reader(&operations[first]) else { continue };
        let Kind::Softmax { axis } = operations[softmax].kind else { continue };
        let Some(back) = only_reader(&operations[softmax]) else { continue };
        let Kind::Transpose { axes: inverse } = &operations[back].kind else { continue };
        if inverse.iter().enumerate().any(|(to, &from)| axes[from] != to) {
            continue;
        }
        let (axis, inputs) = (axes[axis], operations[first].inputs.clone());
        let name = operations[softmax].name.clone();
        program.operations[back] =
            Operation { name, kind: Kind::Softmax { axis }, inputs, output: program.operations[back].output };
        (is_gone[first], is_gone[softmax]) = (true, true);
    }
    let mut is_gone = is_gone.into_iter();
    program.operations.retain(|_| !is_gone.next().unwrap_or(false));
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Op};

    #[test]
    fn a_softmax_between_transposes_is_one_operation() {
        let turned = |axes: [usize; 3]| Op::Transpose { axes: axes.to_vec() };
        let graph =
            Graph::chain(&[2, 3, 4], vec![turned([2, 0, 1]), Op::Softmax, turned([1, 2, 0])]).unwrap();
        let simple = simplify(&Program::new(&graph).unwrap());
        assert_eq!(simple.operations.len(), 1);
        assert_eq!(simple.operations[0].kind, Kind::Softmax { axis: 3 });
        // Another order afterwards.
        let graph =
            Graph::chain(&[2, 3, 4], vec![turned([2, 0, 1]), Op::Softmax, turned([2, 0, 1])]).unwrap();
        assert_eq!(simplify(&Program::new(&graph).unwrap()).operations.len(), 3);
    }
}
