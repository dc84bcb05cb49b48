//! Operations that this machine runs in fewer passes than the program lists.
//!
//! ```text
//! transpose ─ softmax over the first axis ─ transpose back        softmax over that axis
//! transposes ─ concat along the first axis ─ transpose back       concat along that axis
//! ```

use crate::program::{Operation, OperationKind as Kind, Program};
use alloc::{vec, vec::Vec};

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
        if !are_inverse(axes, inverse) {
            continue;
        }
        let (axis, inputs) = (axes[axis], operations[first].inputs.clone());
        let name = operations[softmax].name.clone();
        program.operations[back] =
            Operation { name, kind: Kind::Softmax { axis }, inputs, output: program.operations[back].output };
        (is_gone[first], is_gone[softmax]) = (true, true);
    }
    let mut maker = vec![usize::MAX; program.values.len()];
    for (index, operation) in program.operations.iter().enumerate() {
        maker[operation.output] = index;
    }
    for concat in 0..program.operations.len() {
        let operations = &program.operations;
        let Kind::Concat { axis } = operations[concat].kind else { continue };
        let Some(back) = only_reader(&operations[concat]) else { continue };
        let Kind::Transpose { axes: inverse } = &operations[back].kind else { continue };
        let turned: Option<Vec<usize>> = operations[concat]
            .inputs
            .iter()
            .map(|&value| {
                let before = operations.get(maker[value])?;
                let Kind::Transpose { axes } = &before.kind else { return None };
                (are_inverse(axes, inverse) && only_reader(before) == Some(concat)).then_some(maker[value])
            })
            .collect();
        let Some(turned) = turned else { continue };
        // The transpose back takes dimension `d` from its input's `inverse[d]`.
        let Some(axis) = inverse.iter().position(|&from| from == axis) else { continue };
        let inputs = turned.iter().map(|&before| operations[before].inputs[0]).collect();
        let name = operations[concat].name.clone();
        program.operations[back] =
            Operation { name, kind: Kind::Concat { axis }, inputs, output: program.operations[back].output };
        turned.into_iter().chain([concat]).for_each(|index| is_gone[index] = true);
    }
    let mut is_gone = is_gone.into_iter();
    program.operations.retain(|_| !is_gone.next().unwrap_or(false));
    program
}

/// Whether a transpose undoes another.
fn are_inverse(axes: &[usize], inverse: &[usize]) -> bool {
    inverse.iter().enumerate().all(|(to, &from)| axes[from] == to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Input, Node, Op};

    #[test]
    fn a_concat_between_transposes_is_one_operation() {
        let input = |name: &str, shape: [usize; 3]| Input { name: name.into(), shape: shape.to_vec() };
        let inputs = vec![input("a", [2, 3, 4]), input("b", [2, 5, 4])];
        let node = |op, inputs: &[usize], name: &str| Node { name: name.into(), op, inputs: inputs.to_vec() };
        let turned = || Op::Transpose { axes: vec![1, 2, 0] };
        let nodes = |back: [usize; 3]| {
            vec![
                node(turned(), &[0], "c"),
                node(turned(), &[1], "d"),
                node(Op::Concat, &[2, 3], "e"),
                node(Op::Transpose { axes: back.to_vec() }, &[4], "f"),
            ]
        };
        let of = |back| {
            let graph = Graph::new(inputs.clone(), nodes(back), vec![5]).unwrap();
            simplify(&Program::new(&graph).unwrap())
        };
        let simple = of([2, 0, 1]);
        assert_eq!(simple.operations.len(), 1);
        assert_eq!(simple.operations[0].kind, Kind::Concat { axis: 2 });
        assert_eq!(simple.operations[0].inputs, simple.inputs);
        // Another order afterwards.
        assert_eq!(of([1, 2, 0]).operations.len(), 4);
    }

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
