//! Linear layers over the last of several dimensions, which files spell as convolutions of one place between transposes.
//!
//! ```text
//! [places, in] ─ transpose ─ reshape ─ conv2d 1 x 1 ─ reshape ─ transpose ─ add a constant     linear over [places, in],
//!                                                                                              with the constant as bias
//! ```
//!
//! Afterwards [`OperationKind::Linear`](Kind::Linear) also occurs with more dimensions than the batch and the features.

use crate::program::{Binary, Epilogue, Operation, OperationKind as Kind, Program, Unary, ValueId};
use alloc::{vec, vec::Vec};
use kompakt_graph::Pair;

/// The most places: of more, a convolution runs in tiles that stay in cache.
const MAX_PLACES: usize = 4096;

/// The same program, with such layers as one operation each.
pub(super) fn multiply(mut program: Program) -> Program {
    let mut rewrite = Rewrite::new(&program);
    for index in 0..program.operations.len() {
        rewrite.layer(&mut program, index);
    }
    for index in 0..program.operations.len() {
        rewrite.bias(&mut program, index);
    }
    let mut is_gone = rewrite.is_gone.into_iter();
    program.operations.retain(|_| !is_gone.next().unwrap_or(false));
    program
}

/// Who makes and who reads each value.
struct Rewrite {
    n_reads: Vec<usize>,
    /// The operation that makes a value; none for inputs.
    maker: Vec<Option<usize>>,
    /// The last operation that reads a value.
    reader: Vec<usize>,
    is_gone: Vec<bool>,
}

impl Rewrite {
    fn new(program: &Program) -> Self {
        let n_values = program.values.len();
        let (mut maker, mut reader) = (vec![None; n_values], vec![usize::MAX; n_values]);
        for (index, operation) in program.operations.iter().enumerate() {
            maker[operation.output] = Some(index);
            operation.inputs.iter().for_each(|&value| reader[value] = index);
        }
        Self { n_reads: program.n_reads(), maker, reader, is_gone: vec![false; program.operations.len()] }
    }

    fn only_reader(&self, value: ValueId) -> Option<usize> {
        (self.n_reads[value] == 1).then(|| self.reader[value])
    }

    /// Rewrites operation `conv` if it is such a layer.
    fn layer(&mut self, program: &mut Program, conv: usize) -> Option<()> {
        let operations = &program.operations;
        let Kind::Convolution { weight, window, epilogue } = operations[conv].kind else { return None };
        let one = Pair { h: 1, w: 1 };
        let padding = [window.padding.top, window.padding.left, window.padding.bottom, window.padding.right];
        if window.kernel != one || window.stride != one || window.groups != 1 || padding != [0; 4] {
            return None;
        }
        let shape = |value: ValueId| program.values[value].shape.without_batch();
        let (from, to) = (shape(operations[conv].inputs[0])?, shape(operations[conv].output)?);
        let n_places = from[1..].iter().product::<usize>();
        // Backwards to the transpose.
        let mut before = Vec::new();
        let mut first = self.maker[operations[conv].inputs[0]]?;
        while operations[first].kind == Kind::Reshape {
            before.push(first);
            first = self.maker[operations[first].inputs[0]]?;
        }
        before.push(first);
        let Kind::Transpose { axes } = &operations[first].kind else { return None };
        let x = operations[first].inputs[0];
        is_turned(&shape(x)?, axes, n_places).then_some(())?;
        (shape(x)?.last() == Some(&from[0]) && n_places <= MAX_PLACES).then_some(())?;
        // Forwards to the one back.
        let mut after = Vec::new();
        let mut last = self.only_reader(operations[conv].output)?;
        while operations[last].kind == Kind::Reshape {
            after.push(last);
            last = self.only_reader(operations[last].output)?;
        }
        let Kind::Transpose { axes } = &operations[last].kind else { return None };
        is_turned(&shape(operations[last].inputs[0])?, axes, to[0]).then_some(())?;
        (shape(operations[last].output)?.last() == Some(&to[0])).then_some(())?;
        // The places may be divided into dimensions in another way before and after.
        let name = operations[conv].name.clone();
        for index in after.into_iter().chain([conv]) {
            self.is_gone[index] = true;
        }
        // What else reads the transposed input keeps it.
        self.n_reads[operations[conv].inputs[0]] -= 1;
        for index in before {
            if self.n_reads[operations[index].output] > 0 {
                break;
            }
            self.is_gone[index] = true;
            self.n_reads[operations[index].inputs[0]] -= 1;
        }
        self.n_reads[x] += 1;
        let output = operations[last].output;
        let kind = Kind::Linear { weight, epilogue };
        program.operations[last] = Operation { name, kind, inputs: vec![x], output };
        Some(())
    }

    /// Adds a constant, and a ReLU, to the layer of operation `index`.
    fn bias(&mut self, program: &mut Program, index: usize) -> Option<()> {
        let operations = &program.operations;
        let Kind::Linear { weight, mut epilogue } = operations[index].kind else { return None };
        let mut output = operations[index].output;
        let n_features = |value: ValueId| {
            let shape = program.values[value].shape.without_batch()?;
            Some((shape.iter().product::<usize>(), *shape.last()?, shape.len()))
        };
        let (_, features, rank) = n_features(output)?;
        if self.is_gone[index] || rank < 2 {
            return None;
        }
        let mut name = None;
        if let Some(add) = self.only_reader(output)
            && let Kind::Binary { operator: Binary::Add, relu } = operations[add].kind
            && let (Epilogue { bias: None, affine: None, relu: false }, &[a, b]) =
                (epilogue, &operations[add].inputs[..])
            && let other = if a == output { b } else { a }
            && let Some(maker) = self.maker[other]
            && let Kind::Constant { value } = operations[maker].kind
            && n_features(other).is_some_and(|(n, last, _)| n == features && last == features)
            && program.values[operations[add].output].shape == program.values[output].shape
        {
            (epilogue.bias, epilogue.relu) = (Some(value), relu);
            (output, name) = (operations[add].output, Some(add));
            self.is_gone[add] = true;
            self.n_reads[other] -= 1;
            self.is_gone[maker] |= self.n_reads[other] == 0;
        }
        if let Some(relu) = self.only_reader(output)
            && operations[relu].kind == Kind::Unary(Unary::Relu)
        {
            (epilogue.relu, output, name) = (true, operations[relu].output, Some(relu));
            self.is_gone[relu] = true;
        }
        name?;
        let operation = &mut program.operations[index];
        (operation.kind, operation.output) = (Kind::Linear { weight, epilogue }, output);
        Some(())
    }
}

/// Whether `axes`, which count the batch, bring the last dimensions of `shape` before the `n` elements of the first.
fn is_turned(shape: &[usize], axes: &[usize], n: usize) -> bool {
    let all =
        |axes: &mut dyn Iterator<Item = usize>| -> Vec<usize> { axes.filter(|&d| shape[d] != 1).collect() };
    (0..=shape.len()).any(|cut| {
        shape[..cut].iter().product::<usize>() == n
            && all(&mut axes[1..].iter().map(|axis| axis - 1)) == all(&mut (cut..shape.len()).chain(0..cut))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Input, Node, Op, Padding};

    /// A layer of 4 to 5 features at 6 places, with a constant and a ReLU.
    fn spelled_out(back: [usize; 2], outputs: Vec<usize>) -> Program {
        let conv = Op::Conv2d {
            out_channels: 5,
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: false,
        };
        let ops = [
            (Op::Transpose { axes: vec![1, 0] }, vec![0]),
            (Op::Reshape { shape: vec![4, 6, 1] }, vec![1]),
            (conv, vec![2]),
            (Op::Reshape { shape: vec![5, 6] }, vec![3]),
            (Op::Transpose { axes: back.to_vec() }, vec![4]),
            (Op::Constant { shape: vec![1, back.map(|axis| [5, 6][axis])[1]] }, vec![0]),
            (Op::Add, vec![5, 6]),
            (Op::Relu, vec![7]),
        ];
        let node =
            |(i, (op, inputs)): (usize, (Op, Vec<usize>))| Node { name: alloc::format!("n{i}"), op, inputs };
        let nodes = ops.into_iter().enumerate().map(node).collect();
        let input = Input { name: "x".into(), shape: vec![6, 4] };
        Program::new(&Graph::new(vec![input], nodes, outputs).unwrap()).unwrap()
    }

    #[test]
    fn a_convolution_between_transposes_is_a_linear_layer() {
        let all = multiply(spelled_out([1, 0], vec![8]));
        assert_eq!(all.operations.len(), 1, "{all:?}");
        let Kind::Linear { epilogue, .. } = all.operations[0].kind else { panic!("{all:?}") };
        assert!(epilogue.relu && epilogue.bias.is_some() && all.operations[0].inputs == [0]);
        // The sums are an output, and so is the turned input.
        let kept = multiply(spelled_out([1, 0], vec![8, 5, 2]));
        assert_eq!(kept.operations.len(), 6, "{kept:?}");
        // No transpose back.
        let other = spelled_out([0, 1], vec![8]);
        assert_eq!(multiply(other.clone()), other);
    }

    #[test]
    fn transposes_that_bring_the_features_to_the_front() {
        assert!(is_turned(&[6, 4], &[0, 2, 1], 6) && !is_turned(&[6, 4], &[0, 1, 2], 6));
        assert!(is_turned(&[2, 3, 4], &[0, 3, 1, 2], 6) && !is_turned(&[2, 3, 4], &[0, 3, 2, 1], 6));
        assert!(is_turned(&[1, 6, 4], &[0, 3, 2, 1], 6) && is_turned(&[5, 2, 3], &[0, 2, 3, 1], 5));
    }
}
