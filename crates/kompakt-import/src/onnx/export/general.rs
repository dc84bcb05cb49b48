//! Functions, reductions and look-ups in ONNX: booleans and indices, which are floats here, are cast there
//! and back.

use super::{BOOL, Writer, int, sizes};
use crate::onnx::proto::{AttributeProto, NodeProto, data_type};
use kompakt_graph::{BinaryFunction, Node, Reduction, UnaryFunction, Update};

const FLOAT: i64 = data_type::FLOAT as i64;
const INT64: i64 = data_type::INT64 as i64;

impl Writer<'_> {
    /// The last of several nodes that implement one.
    fn last(&mut self, node: &Node, op: &str, input: Vec<String>, attributes: Vec<AttributeProto>) {
        self.push(op, node.name.clone(), input, node.name.clone(), attributes);
    }

    /// A value cast to booleans.
    fn truths(&mut self, node: &Node, x: String) -> String {
        self.between(node, "Cast", vec![x], vec![int("to", BOOL)])
    }

    /// A value cast to integers.
    pub(super) fn whole(&mut self, node: &Node, x: &str) -> String {
        self.between(node, "Cast", vec![x.to_string()], vec![int("to", INT64)])
    }

    /// A node whose result is not floats.
    fn cast(
        &mut self,
        node: &Node,
        op: &str,
        input: Vec<String>,
        attributes: Vec<AttributeProto>,
    ) -> Result<(), String> {
        let made = self.between(node, op, input, attributes);
        self.last(node, "Cast", vec![made], vec![int("to", FLOAT)]);
        Ok(())
    }

    pub(super) fn unary(
        &mut self,
        node: &Node,
        mut input: Vec<String>,
        function: UnaryFunction,
    ) -> Result<(), String> {
        let op = match function {
            UnaryFunction::Abs => "Abs",
            UnaryFunction::Sign => "Sign",
            UnaryFunction::Floor => "Floor",
            UnaryFunction::Ceil => "Ceil",
            UnaryFunction::Round => "Round",
            UnaryFunction::Sqrt => "Sqrt",
            UnaryFunction::Reciprocal => "Reciprocal",
            UnaryFunction::Exp => "Exp",
            UnaryFunction::Log => "Log",
            UnaryFunction::Sin => "Sin",
            UnaryFunction::Cos => "Cos",
            UnaryFunction::Tan => "Tan",
            UnaryFunction::Asin => "Asin",
            UnaryFunction::Acos => "Acos",
            UnaryFunction::Atan => "Atan",
            UnaryFunction::Sinh => "Sinh",
            UnaryFunction::Cosh => "Cosh",
            UnaryFunction::Asinh => "Asinh",
            UnaryFunction::Acosh => "Acosh",
            UnaryFunction::Atanh => "Atanh",
            UnaryFunction::Erf => "Erf",
            UnaryFunction::Softplus => "Softplus",
            UnaryFunction::Truncate => {
                let sign = self.between(node, "Sign", input.clone(), vec![]);
                let size = self.between(node, "Abs", input, vec![]);
                let size = self.between(node, "Floor", vec![size], vec![]);
                self.last(node, "Mul", vec![sign, size], vec![]);
                return Ok(());
            }
            UnaryFunction::Gelu => {
                // Gelu exists only in operator sets later than the exported one.
                let x = input[0].clone();
                let root = self.floats(node, &[], &[std::f32::consts::FRAC_1_SQRT_2]);
                let inner = self.between(node, "Mul", vec![x.clone(), root], vec![]);
                let erf = self.between(node, "Erf", vec![inner], vec![]);
                let one = self.floats(node, &[], &[1.0]);
                let share = self.between(node, "Add", vec![erf, one], vec![]);
                let product = self.between(node, "Mul", vec![x, share], vec![]);
                let half = self.floats(node, &[], &[0.5]);
                self.last(node, "Mul", vec![product, half], vec![]);
                return Ok(());
            }
            UnaryFunction::Not => {
                input = vec![self.truths(node, input.remove(0))];
                return self.cast(node, "Not", input, vec![]);
            }
            UnaryFunction::IsNan => return self.cast(node, "IsNaN", input, vec![]),
            UnaryFunction::IsInfinite => return self.cast(node, "IsInf", input, vec![]),
        };
        self.last(node, op, input, vec![]);
        Ok(())
    }

    pub(super) fn binary(
        &mut self,
        node: &Node,
        input: Vec<String>,
        function: BinaryFunction,
    ) -> Result<(), String> {
        let op = match function {
            BinaryFunction::Pow => "Pow",
            BinaryFunction::Max => "Max",
            BinaryFunction::Min => "Min",
            BinaryFunction::Modulo => {
                let (a, b) = (input[0].clone(), input[1].clone());
                let quotient = self.between(node, "Div", input, vec![]);
                let whole = self.between(node, "Floor", vec![quotient], vec![]);
                let taken = self.between(node, "Mul", vec![whole, b], vec![]);
                self.last(node, "Sub", vec![a, taken], vec![]);
                return Ok(());
            }
            BinaryFunction::Remainder => {
                self.last(node, "Mod", input, vec![int("fmod", 1)]);
                return Ok(());
            }
            BinaryFunction::Equal => return self.cast(node, "Equal", input, vec![]),
            BinaryFunction::Less => return self.cast(node, "Less", input, vec![]),
            BinaryFunction::LessOrEqual => return self.cast(node, "LessOrEqual", input, vec![]),
            BinaryFunction::Greater => return self.cast(node, "Greater", input, vec![]),
            BinaryFunction::GreaterOrEqual => return self.cast(node, "GreaterOrEqual", input, vec![]),
            BinaryFunction::And | BinaryFunction::Or | BinaryFunction::Xor => {
                let input = input.into_iter().map(|x| self.truths(node, x)).collect();
                let op = match function {
                    BinaryFunction::And => "And",
                    BinaryFunction::Or => "Or",
                    _ => "Xor",
                };
                return self.cast(node, op, input, vec![]);
            }
        };
        self.last(node, op, input, vec![]);
        Ok(())
    }

    pub(super) fn reduce(
        &mut self,
        node: &Node,
        mut input: Vec<String>,
        function: Reduction,
        axes: &[usize],
        from: &[usize],
    ) -> Result<(), String> {
        let list: Vec<i64> = axes.iter().map(|&axis| axis as i64 + 1).collect();
        let op = match function {
            Reduction::Sum => {
                input.push(self.int_list(node, list));
                self.last(node, "ReduceSum", input, vec![]);
                return Ok(());
            }
            Reduction::ArgMax | Reduction::ArgMin => {
                let &[axis] = axes else {
                    // Adjacent dimensions are merged.
                    return Err(format!("a place among dimensions {axes:?} of {from:?}"));
                };
                let op = if function == Reduction::ArgMax { "ArgMax" } else { "ArgMin" };
                return self.cast(node, op, input, vec![int("axis", axis as i64 + 1)]);
            }
            Reduction::Mean => "ReduceMean",
            Reduction::Max => "ReduceMax",
            Reduction::Min => "ReduceMin",
            Reduction::Product => "ReduceProd",
        };
        input.push(self.int_list(node, list));
        self.last(node, op, input, vec![]);
        Ok(())
    }

    /// Along an axis, image by image: all images are concatenated, and indices offset accordingly.
    pub(super) fn take(
        &mut self,
        node: &Node,
        inputs: &[String],
        axis: usize,
        from: &[usize],
        to: &[usize],
    ) -> Result<(), String> {
        // [n, before, size, after] and [n, 1, k, 1]: GatherElements needs the indices repeated.
        let (size, after) = (from[axis] as i64, from[axis + 1..].iter().product::<usize>() as i64);
        let before = from[..axis].iter().product::<usize>() as i64;
        let k = to.iter().product::<usize>() as i64 / (before * after);
        let shape = self.int_list(node, vec![0, before, size, after]);
        let x = self.between(node, "Reshape", vec![inputs[0].clone(), shape], vec![]);
        let whole = self.whole(node, &inputs[1]);
        let shape = self.int_list(node, vec![-1, 1, k, 1]);
        let indices = self.between(node, "Reshape", vec![whole, shape], vec![]);
        let repeats = self.int_list(node, vec![1, before, k, after]);
        let indices = self.between(node, "Expand", vec![indices, repeats], vec![]);
        let taken = self.between(node, "GatherElements", vec![x, indices], vec![int("axis", 2)]);
        let shape = self.int_list(node, std::iter::once(0).chain(sizes(to)).collect());
        self.last(node, "Reshape", vec![taken, shape], vec![]);
        Ok(())
    }

    /// Rows of each image: indices are repeated along the rows.
    pub(super) fn scatter(
        &mut self,
        node: &Node,
        inputs: &[String],
        update: Update,
        from: &[usize],
    ) -> Result<(), String> {
        let whole = self.whole(node, &inputs[1]);
        let last = self.int_list(node, vec![2]);
        let indices = self.between(node, "Unsqueeze", vec![whole, last], vec![]);
        let repeats = self.int_list(node, vec![1, 1, from[1] as i64]);
        let indices = self.between(node, "Expand", vec![indices, repeats], vec![]);
        let reduction = match update {
            Update::Set => "none",
            Update::Add => "add",
            Update::Multiply => "mul",
            Update::Max => "max",
            Update::Min => "min",
        };
        let attributes = vec![int("axis", 1), super::text("reduction", reduction)];
        self.last(node, "ScatterElements", vec![inputs[0].clone(), indices, inputs[2].clone()], attributes);
        Ok(())
    }

    pub(super) fn top_k(
        &mut self,
        node: &Node,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
        indices: bool,
    ) -> Result<(), String> {
        let other = self.fresh(node);
        let own = if indices { self.fresh(node) } else { node.name.clone() };
        let output = if indices { vec![other, own.clone()] } else { vec![own.clone(), other] };
        let (op_type, name) = ("TopK".to_string(), own.clone());
        self.nodes.push(NodeProto { input, output, name, op_type, attribute, domain: String::new() });
        if indices {
            self.last(node, "Cast", vec![own], vec![int("to", FLOAT)]);
        }
        Ok(())
    }
}
