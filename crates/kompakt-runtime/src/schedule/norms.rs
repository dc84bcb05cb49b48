//! Norms over the last dimensions, which programs spell out, as one operation each.
//!
//! ```text
//! x ─ mean ─ sub ─┬─ mul ─ mean ─ + eps ─ sqrt ─ div ─ mul, add of constants      norm of x
//!  └─────────┘    └─────────────────────────────┘
//! ```
//!
//! Without the first mean it is a root mean square norm; a scale and a bias of each channel may stand for the constants.

use crate::program::{Affine, Binary, OperationKind as Kind, ParameterId, Program, Unary, ValueId};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use kompakt_graph::{Reduction, UnaryFunction};

/// A norm of each row of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Norm {
    /// Elements of a row: the product of some last dimensions.
    pub(super) len: usize,
    /// Whether the mean of a row is subtracted first.
    pub(super) is_centred: bool,
    /// The term added to the mean square.
    pub(super) eps: f32,
    /// The factors of a row's elements.
    pub(super) scale: Option<ParameterId>,
    /// The terms added to them.
    pub(super) shift: Option<ParameterId>,
    /// A scale and a bias for each index of the first dimension.
    pub(super) affine: Option<Affine>,
}

/// The same program, where operations that make a value of the second result stand for a norm of their input.
pub(super) fn fuse(mut program: Program) -> (Program, BTreeMap<ValueId, Norm>) {
    let found = Finder::new(&program).all();
    let mut norms = BTreeMap::new();
    for Found { first, last, x, norm } in found {
        let name = program.operations[first].name.clone();
        let operation = &mut program.operations[last];
        (operation.name, operation.kind, operation.inputs) = (name, Kind::Reshape, vec![x]);
        norms.insert(operation.output, norm);
    }
    if !norms.is_empty() {
        remove_unread(&mut program);
    }
    (program, norms)
}

/// Removes operations whose values nothing reads.
fn remove_unread(program: &mut Program) {
    let mut n_reads = program.n_reads();
    let mut is_gone = vec![false; program.operations.len()];
    for (operation, is_gone) in program.operations.iter().zip(&mut is_gone).rev() {
        if n_reads[operation.output] == 0 {
            *is_gone = true;
            operation.inputs.iter().for_each(|&value| n_reads[value] -= 1);
        }
    }
    let mut is_gone = is_gone.into_iter();
    program.operations.retain(|_| !is_gone.next().unwrap_or(false));
}

/// A norm of `x`, and its first and last operation.
struct Found {
    first: usize,
    last: usize,
    x: ValueId,
    norm: Norm,
}

struct Finder<'p> {
    program: &'p Program,
    n_reads: Vec<usize>,
    /// The operation that makes a value; none for inputs.
    maker: Vec<Option<usize>>,
    /// The last operation that reads a value.
    reader: Vec<usize>,
}

impl<'p> Finder<'p> {
    fn new(program: &'p Program) -> Self {
        let n_values = program.values.len();
        let (mut maker, mut reader) = (vec![None; n_values], vec![usize::MAX; n_values]);
        for (index, operation) in program.operations.iter().enumerate() {
            maker[operation.output] = Some(index);
            operation.inputs.iter().for_each(|&value| reader[value] = index);
        }
        Self { program, n_reads: program.n_reads(), maker, reader }
    }

    fn all(&self) -> Vec<Found> {
        (0..self.program.operations.len()).filter_map(|index| self.norm(index)).collect()
    }

    /// The operation that makes a value.
    fn made(&self, value: ValueId) -> Option<(&'p Kind, &'p [ValueId])> {
        let operation = &self.program.operations[self.maker[value]?];
        Some((&operation.kind, &operation.inputs))
    }

    /// The value before all reshapes.
    fn unshaped(&self, mut value: ValueId) -> ValueId {
        while let Some((Kind::Reshape, inputs)) = self.made(value) {
            value = inputs[0];
        }
        value
    }

    fn shape(&self, value: ValueId) -> Option<Vec<usize>> {
        self.program.values[value].shape.without_batch()
    }

    /// The norm whose division is operation `div`.
    fn norm(&self, div: usize) -> Option<Found> {
        let operation = &self.program.operations[div];
        let Kind::Binary { operator: Binary::Div, relu: false } = operation.kind else { return None };
        let &[d, root] = &operation.inputs[..] else { return None };
        let (Kind::Unary(Unary::Function(UnaryFunction::Sqrt)), inputs) = self.made(self.unshaped(root))?
        else {
            return None;
        };
        let (&Kind::Unary(Unary::Scale { factor: 1.0, offset: eps }), inputs) =
            self.made(self.unshaped(inputs[0]))?
        else {
            return None;
        };
        let (square, len) = self.mean_of(inputs[0])?;
        let (Kind::Binary { operator: Binary::Mul, relu: false }, factors) = self.made(square)? else {
            return None;
        };
        (factors[0] == factors[1] && factors[0] == d).then_some(())?;
        let mut first = self.maker[square]?;
        let (mut x, mut is_centred) = (d, false);
        if let Some((Kind::Binary { operator: Binary::Sub, relu: false }, inputs)) = self.made(d)
            && let Some((of, len_of_mean)) = self.mean_of(inputs[1])
            && self.unshaped(inputs[0]) == of
            && len_of_mean == len
            && self.is_by_row(inputs[1], inputs[0], len)
        {
            (x, is_centred) = (inputs[0], true);
            first = self.maker[d]?;
        }
        let is_of_x = self.shape(x)? == self.shape(operation.output)?;
        (is_of_x && self.is_by_row(root, x, len)).then_some(())?;
        let norm = Norm { len, is_centred, eps, scale: None, shift: None, affine: None };
        let mut found = Found { first, last: div, x, norm };
        self.extend(&mut found);
        Some(found)
    }

    /// Takes up the operations after a norm: factors and terms of a row's elements, or of the first dimension's indices.
    fn extend(&self, found: &mut Found) -> Option<()> {
        loop {
            let value = self.program.operations[found.last].output;
            let next = (self.n_reads[value] == 1).then(|| self.reader[value])?;
            let operation = &self.program.operations[next];
            let norm = &mut found.norm;
            let is_plain = norm.shift.is_none() && norm.affine.is_none();
            match &operation.kind {
                Kind::Binary { operator: Binary::Mul, relu: false } if is_plain && norm.scale.is_none() => {
                    norm.scale = Some(self.by_element(&operation.inputs, value, norm.len)?);
                }
                Kind::Binary { operator: Binary::Add, relu: false } if is_plain => {
                    norm.shift = Some(self.by_element(&operation.inputs, value, norm.len)?);
                }
                Kind::Affine { affine, relu: false } if is_plain && norm.scale.is_none() => {
                    // Rows are within the first dimension.
                    let n_elements: usize = self.shape(value)?[1..].iter().product();
                    n_elements.is_multiple_of(norm.len).then_some(())?;
                    norm.affine = Some(*affine);
                }
                _ => return None,
            }
            found.last = next;
        }
    }

    /// The constant that is combined with `value`, if it has one number for each element of a row of `len`.
    fn by_element(&self, inputs: &[ValueId], value: ValueId, len: usize) -> Option<ParameterId> {
        let other = *inputs.iter().find(|&&input| input != value)?;
        let (&Kind::Constant { value: numbers }, _) = self.made(self.unshaped(other))? else { return None };
        let (shape, to) = (self.shape(other)?, self.shape(value)?);
        let n_different = shape.iter().zip(&to).take_while(|(a, b)| **a == 1 || a != b).count();
        let is_row = shape.len() == to.len()
            && shape[n_different..] == to[n_different..]
            && shape[..n_different].iter().all(|&size| size == 1)
            && to[n_different..].iter().product::<usize>() == len;
        is_row.then_some(numbers)
    }

    /// What a value is the mean of, over so many elements of its last dimensions.
    fn mean_of(&self, value: ValueId) -> Option<(ValueId, usize)> {
        let (kind, inputs) = self.made(self.unshaped(value))?;
        let from = self.shape(inputs[0])?;
        let n_kept = match kind {
            Kind::GlobalAveragePool => 1,
            Kind::Reduce { function: Reduction::Mean, axes } => {
                let first = axes.first()? - 1;
                let are_last = (first..from.len()).all(|d| from[d] == 1 || axes.contains(&(d + 1)));
                are_last.then_some(first)?
            }
            _ => return None,
        };
        Some((self.unshaped(inputs[0]), from[n_kept..].iter().product()))
    }

    /// Whether a value has one number for each row of `len` elements of `x`, with which it is combined.
    fn is_by_row(&self, value: ValueId, x: ValueId, len: usize) -> bool {
        let (Some(shape), Some(to)) = (self.shape(value), self.shape(x)) else { return false };
        let n_rows: usize = shape.iter().product();
        let n_same = shape.iter().zip(&to).take_while(|(a, b)| a == b).count();
        shape.len() == to.len()
            && shape[n_same..].iter().all(|&size| size == 1)
            && n_rows * len == to.iter().product::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use kompakt_graph::{BinaryFunction, Graph, Input, Node, Op};

    /// A layer norm of 5 rows of 6, whose mean square is taken of value `square_of`, `function` its root.
    fn spelled_out(square_of: usize, function: UnaryFunction, outputs: Vec<usize>) -> Program {
        let mean = || Op::Reduce { function: Reduction::Mean, axes: vec![1] };
        let ops = [
            (mean(), vec![0]),                                           // 1
            (Op::Sub, vec![0, 1]),                                       // 2
            (Op::Mul, vec![square_of, 2]),                               // 3
            (mean(), vec![3]),                                           // 4
            (Op::Scale { factor: 1.0, offset: 0.25 }, vec![4]),          // 5
            (Op::Unary { function }, vec![5]),                           // 6
            (Op::Div, vec![2, 6]),                                       // 7
            (Op::Constant { shape: vec![1, 6] }, vec![0]),               // 8
            (Op::Mul, vec![7, 8]),                                       // 9
            (Op::Add, vec![9, 8]),                                       // 10
            (Op::Binary { function: BinaryFunction::Max }, vec![10, 8]), // 11
        ];
        let node = |(i, (op, inputs)): (usize, (Op, Vec<usize>))| Node { name: format!("n{i}"), op, inputs };
        let nodes = ops.into_iter().enumerate().map(node).collect();
        let input = Input { name: "x".into(), shape: vec![5, 6] };
        Program::new(&Graph::new(vec![input], nodes, outputs).unwrap()).unwrap()
    }

    #[test]
    fn a_spelled_out_layer_norm_is_one_operation() {
        let (program, norms) = fuse(spelled_out(2, UnaryFunction::Sqrt, vec![11]));
        assert_eq!(program.operations.len(), 3, "{program:?}");
        let norm = norms.values().next().unwrap();
        assert!(norm.len == 6 && norm.is_centred && norm.eps == 0.25 && norm.affine.is_none());
        assert!(norm.scale.is_some() && norm.shift.is_some());
        // What else reads a part of it keeps that part.
        let (program, norms) = fuse(spelled_out(2, UnaryFunction::Sqrt, vec![11, 4]));
        assert!(program.operations.len() == 7 && norms.len() == 1, "{program:?}");
        // The product of two values is no square, and the exponential no root.
        for other in
            [spelled_out(0, UnaryFunction::Sqrt, vec![11]), spelled_out(2, UnaryFunction::Exp, vec![11])]
        {
            assert_eq!(fuse(other.clone()), (other, BTreeMap::new()));
        }
    }
}
