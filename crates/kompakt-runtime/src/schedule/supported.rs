//! Checks that a program can run here: f32 values whose first dimension is the batch, and no operation along
//! it.

use crate::program::{DataType, OperationKind as Kind, Program};
use alloc::{string::String, vec::Vec};
use kompakt_words::words;

/// The shape of each value, without the batch.
pub(super) fn shapes(program: &Program) -> Result<Vec<Vec<usize>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut shapes = Vec::new();
    for value in &program.values {
        match value.shape.without_batch() {
            Some(shape) if value.data_type == DataType::F32 && !shape.is_empty() => shapes.push(shape),
            _ => problems.push(words!(
                "value {:?} is {:?} of shape {:?}; here values are f32, the batch first and the rest fixed",
                value.name,
                value.data_type,
                value.shape.dims()
            )),
        }
    }
    if problems.is_empty() { Ok(shapes) } else { Err(problems) }
}

/// Why an operation cannot run here, if it acts along the batch, or does along another axis what is supported
/// only along the first after it.
pub(super) fn along_the_batch(kind: &Kind) -> Option<&'static str> {
    let is_fine = match kind {
        Kind::LogSoftmax { axis } => *axis == 1,
        Kind::Softmax { axis }
        | Kind::Concat { axis }
        | Kind::Gather { axis, .. }
        | Kind::Take { axis }
        | Kind::TopK { axis, .. } => *axis > 0,
        Kind::Reduce { axes, .. } => !axes.contains(&0),
        Kind::Slice { start, step } => start[0] == 0 && step[0] == 1,
        Kind::Pad { before } => before[0] == 0,
        Kind::Transpose { axes } => axes[0] == 0,
        Kind::Linear { .. }
        | Kind::Convolution { .. }
        | Kind::MaxPool(_)
        | Kind::AveragePool { .. }
        | Kind::GlobalAveragePool
        | Kind::Affine { .. }
        | Kind::Prelu { .. }
        | Kind::Unary(_)
        | Kind::Binary { .. }
        | Kind::Reshape
        | Kind::Resize { .. }
        | Kind::Spread { .. }
        | Kind::LocalResponseNorm { .. }
        | Kind::Select
        | Kind::MatMul
        | Kind::Constant { .. }
        | Kind::Embedding { .. }
        | Kind::Scatter { .. }
        | Kind::Recurrent { .. } => true,
    };
    (!is_fine).then_some("works along an axis that it cannot work along here")
}

#[cfg(test)]
mod tests {
    use super::super::compile::compile;
    use super::*;
    use crate::program::{Dim, Shape, Symbol};
    use alloc::{collections::BTreeMap, vec};
    use kompakt_graph::{Graph, Op};

    #[test]
    fn what_is_not_run_here_is_refused_by_name() {
        let graph = Graph::chain(&[4], vec![Op::Softmax, Op::Relu]).unwrap();
        let mut program = Program::new(&graph).unwrap();
        assert!(compile(&program, &BTreeMap::new(), false, true).is_ok());
        program.operations[0].kind = Kind::Softmax { axis: 0 };
        let problems = compile(&program, &BTreeMap::new(), false, true).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(graph.value_name(1)), "{problems:?}");
        program.values[0].data_type = DataType::I64;
        program.values[2].shape = Shape::new(vec![Dim::Open(Symbol(0)), Dim::Open(Symbol(1))]).unwrap();
        assert_eq!(compile(&program, &BTreeMap::new(), false, true).unwrap_err().len(), 2);
    }
}
