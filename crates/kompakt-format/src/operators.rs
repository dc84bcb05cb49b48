//! Nodes of the graph as CBOR.
//!
//! ```text
//! 7                       an operator without attributes, on the value before it
//! [0, 300]                linear, 300 units; attributes at the end that have their default are left out
//! [[1, 4], 11]            add, on the values 1 and 4 back
//! ```

use crate::{
    cbor::{Cbor, major},
    error::{FormatError, broken},
};
use alloc::{string::String, vec, vec::Vec};
use kompakt_graph::{
    MAX_INDICES, MAX_NODES, MAX_RANK, Node, Op, Padding, Pair,
    table::{Kind, Operator, Value},
};
use kompakt_words::words;

/// Reads one node; `value` is the number of the value it makes. The name is left empty.
pub(crate) fn node(cbor: &mut Cbor<'_>, value: usize) -> Result<Node, FormatError> {
    // An item of another kind than expected is not a node.
    read(cbor, value).map_err(|e| if e.rule == "F-7" { FormatError { rule: "F-11", ..e } } else { e })
}

fn read(cbor: &mut Cbor<'_>, value: usize) -> Result<Node, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        let code = cbor.uint()?;
        let op = Attributes::new(cbor, 0, offset).op(code)?;
        return Ok(Node { name: String::new(), op, inputs: vec![value.saturating_sub(1)] });
    }
    let n = cbor.array(MAX_NODES)?;
    match n {
        0 => return broken("F-11", offset, "a node of nothing"),
        1 => return broken("F-10", offset, "a node of one number is that number, not an array"),
        _ => {}
    }
    let (inputs, before) = match cbor.peek() {
        Some(major::ARRAY) => (operands(cbor, value)?, 2),
        _ => (vec![value.saturating_sub(1)], 1),
    };
    let code = cbor.uint()?;
    let mut attributes = Attributes::new(cbor, n.saturating_sub(before), offset);
    let op = attributes.op(code)?;
    attributes.finish()?;
    Ok(Node { name: String::new(), op, inputs })
}

/// Which values a node works on, as distances back from its own.
fn operands(cbor: &mut Cbor<'_>, value: usize) -> Result<Vec<usize>, FormatError> {
    let offset = cbor.offset();
    let distances = sizes(cbor, MAX_NODES)?;
    if distances == [1] || distances.is_empty() {
        return broken("F-10", offset, "the value before a node is its input without being listed");
    }
    let back = |&d: &usize| value.checked_sub(d).filter(|_| d > 0);
    match distances.iter().map(back).collect() {
        Some(inputs) => Ok(inputs),
        None => broken("F-11", offset, "a node works on a value that is not before it"),
    }
}

/// A list of at most `most` numbers.
pub(crate) fn sizes(cbor: &mut Cbor<'_>, most: usize) -> Result<Vec<usize>, FormatError> {
    let n = cbor.array(most)?;
    (0..n).map(|_| cbor.size()).collect()
}

/// A list with at most one number per dimension of a shape.
pub(crate) fn dims(cbor: &mut Cbor<'_>) -> Result<Vec<usize>, FormatError> {
    let offset = cbor.offset();
    let dims = sizes(cbor, MAX_RANK)?;
    if dims.is_empty() {
        return broken("F-7", offset, "a shape of no dimensions");
    }
    Ok(dims)
}

fn pair(cbor: &mut Cbor<'_>) -> Result<Pair, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        return Ok(Pair::square(cbor.size()?));
    }
    let [h, w] = exactly(cbor)?;
    if h == w {
        return broken("F-10", offset, "a height and a width that are equal are one number");
    }
    Ok(Pair { h, w })
}

fn padding(cbor: &mut Cbor<'_>) -> Result<Padding, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        return Ok(Padding::all(cbor.size()?));
    }
    let [top, left, bottom, right] = exactly(cbor)?;
    if [left, bottom, right] == [top; 3] {
        return broken("F-10", offset, "four paddings that are equal are one number");
    }
    Ok(Padding { top, left, bottom, right })
}

/// A list of `N` numbers.
fn exactly<const N: usize>(cbor: &mut Cbor<'_>) -> Result<[usize; N], FormatError> {
    let offset = cbor.offset();
    if cbor.array(usize::MAX)? != N {
        return broken("F-11", offset, words!("a number or a list of {N} is expected"));
    }
    let mut numbers = [0; N];
    for n in &mut numbers {
        *n = cbor.size()?;
    }
    Ok(numbers)
}

/// The attributes of one node, read in their order.
struct Attributes<'c, 'a> {
    cbor: &'c mut Cbor<'a>,
    left: usize,
    /// Whether the last one read has its default value.
    last_is_default: bool,
    offset: usize,
}

impl<'c, 'a> Attributes<'c, 'a> {
    fn new(cbor: &'c mut Cbor<'a>, left: usize, offset: usize) -> Self {
        Self { cbor, left, last_is_default: false, offset }
    }

    fn need<T>(
        &mut self,
        read: impl FnOnce(&mut Cbor<'a>) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let Some(left) = self.left.checked_sub(1) else {
            return broken("F-11", self.offset, "an operator lacks an attribute");
        };
        self.left = left;
        self.last_is_default = false;
        read(self.cbor)
    }

    fn or<T: PartialEq>(
        &mut self,
        default: T,
        read: impl FnOnce(&mut Cbor<'a>) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        if self.left == 0 {
            return Ok(default);
        }
        let value = self.need(read)?;
        self.last_is_default = value == default;
        Ok(value)
    }

    fn finish(self) -> Result<(), FormatError> {
        if self.left > 0 {
            return broken("F-11", self.offset, "an operator has more attributes than it knows");
        }
        if self.last_is_default {
            return broken("F-10", self.offset, "a last attribute that has its default is left out");
        }
        Ok(())
    }

    fn op(&mut self, code: u64) -> Result<Op, FormatError> {
        let Some(operator) = Operator::by_code(code) else {
            let problem = words!("operator {code} is unknown; the file needs a newer reader");
            return broken("F-11", self.offset, problem);
        };
        let mut values: Vec<Value> = Vec::with_capacity(operator.attributes.len());
        for attribute in operator.attributes {
            let value = match (attribute.kind, attribute.default_value(&values)) {
                (Kind::Floats, _) => Value::Floats([self.need(Cbor::f32)?, self.need(Cbor::f32)?]),
                (kind, None) => self.need(|cbor| value(cbor, kind))?,
                (kind, Some(default)) => self.or(default, |cbor| value(cbor, kind))?,
            };
            values.push(value);
        }
        match operator.build(values) {
            Some(op) => Ok(op),
            None => broken("F-11", self.offset, "an operator lacks an attribute"),
        }
    }
}

/// One attribute of that kind.
fn value(cbor: &mut Cbor<'_>, kind: Kind) -> Result<Value, FormatError> {
    Ok(match kind {
        Kind::Size => Value::Size(cbor.size()?),
        Kind::Bool => Value::Bool(cbor.bool()?),
        Kind::Float => Value::Float(cbor.f32()?),
        Kind::Floats => Value::Floats([cbor.f32()?, cbor.f32()?]),
        Kind::Pair => Value::Pair(pair(cbor)?),
        Kind::Padding => Value::Padding(padding(cbor)?),
        Kind::Dims => Value::Dims(dims(cbor)?),
        Kind::Indices => {
            let offset = cbor.offset();
            let indices = sizes(cbor, MAX_INDICES)?;
            if indices.is_empty() {
                return broken("F-11", offset, "a gather of nothing");
            }
            Value::Indices(indices)
        }
    })
}
