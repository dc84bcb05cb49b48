//! Sizes that are given when a network is about to run: named dimensions of inputs, and what follows from them.
//!
//! ```text
//! symbol   seq: stored 128, from 1 to 512
//! place    input ids, dimension 0                = seq
//! place    node reshape1, number 0               = dimension 0 of value fc1
//! place    node reshape2, number 1               = the rest
//! ```
//!
//! A graph is stored at one size of each symbol. [`Graph::at`](crate::Graph::at) puts other sizes in: each place gets its number,
//! in the order of the values, and shapes are inferred as they are for any graph. Parameters have the same shapes at all sizes.
//!
//! The *numbers* of a node are those of its attributes that are sizes, pairs, paddings and dimensions, in the order of the
//! table of operators: a slice has its starts, then its ends, then its steps.

use crate::{
    error::GraphError,
    graph::ValueId,
    limits::{MAX_DIM, MAX_NAME_BYTES, MAX_SYMBOLS, MAX_TERMS},
    op::{Op, Padding, Pair},
    table::Value,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use kompakt_words::words;

/// A named size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// The size at which the graph is stored.
    pub stored: usize,
    /// The least size.
    pub least: usize,
    /// The greatest size.
    pub most: usize,
    /// The distance between two sizes: `least`, `least + step`, and so on.
    pub step: usize,
}

/// What a term counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// The size of that symbol.
    Symbol(usize),
    /// A dimension of an earlier value.
    Dimension {
        /// The value.
        value: ValueId,
        /// Its dimension.
        axis: usize,
    },
}

/// A number of a graph that follows from sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// `offset` and the sum of all `factor * count`.
    Sum {
        /// The constant part.
        offset: i64,
        /// At least one, ascending by their counts.
        terms: Vec<(i64, Count)>,
    },
    /// Of a reshape: what the other dimensions leave of the number of elements.
    Rest,
}

impl Size {
    /// One count as it is.
    pub fn of(count: Count) -> Self {
        Self::Sum { offset: 0, terms: Vec::from([(1, count)]) }
    }
}

/// A number of a graph, with what it follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// An input, or the value that a node makes.
    pub value: ValueId,
    /// The input's dimension, or the node's number.
    pub number: usize,
    /// What it is.
    pub size: Size,
}

/// The symbols of a graph, and all numbers that depend on them.
///
/// A graph is stored at one size of each symbol. [`Graph::at`](crate::Graph::at) puts other sizes in: each place gets its number, in
/// the order of the values, and shapes are inferred as they are for any graph. Parameters have the same shapes at all sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// The symbols.
    pub symbols: Vec<Symbol>,
    /// Ascending by value and number.
    pub places: Vec<Place>,
}

impl Symbol {
    /// Whether it may have this size.
    ///
    /// Errors: which sizes it may have.
    pub fn check(&self, size: usize) -> Result<(), GraphError> {
        let Self { name, least, most, step, .. } = self;
        let in_range = (*least..=*most).contains(&size);
        if in_range && (size - least).is_multiple_of(*step) {
            return Ok(());
        }
        let steps = if *step > 1 { words!(" in steps of {step}") } else { String::new() };
        let problem = words!("is {size}; it may be {least} to {most}{steps}");
        Err(GraphError::Size { name: name.clone(), problem })
    }
}

impl Sizes {
    /// The sizes at which the graph is stored.
    pub fn stored(&self) -> Vec<usize> {
        self.symbols.iter().map(|symbol| symbol.stored).collect()
    }

    /// One size per symbol: those that are given by name, others as stored.
    ///
    /// Errors: a name that no symbol has, a size that its symbol may not have.
    pub fn named(&self, given: &[(String, usize)]) -> Result<Vec<usize>, GraphError> {
        let mut sizes = self.stored();
        for (name, size) in given {
            let Some(index) = self.symbols.iter().position(|symbol| symbol.name == *name) else {
                let known: Vec<&str> = self.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
                let problem = words!("is none of the network's open sizes: {}", known.join(", "));
                return Err(GraphError::Size { name: name.clone(), problem });
            };
            self.symbols[index].check(*size)?;
            sizes[index] = *size;
        }
        Ok(sizes)
    }

    /// The sizes at which inputs have these shapes; `None` for an input whose shape is unknown. Symbols that no known
    /// shape determines keep their size in `before`.
    ///
    /// Errors: no sizes give these shapes, or sizes that symbols may not have.
    pub fn fitting(&self, shapes: &[Option<&[usize]>], before: &[usize]) -> Result<Vec<usize>, GraphError> {
        let mut sizes = before.to_vec();
        let mut is_known = alloc::vec![false; sizes.len()];
        let inputs = || self.places.iter().take_while(|place| place.value < shapes.len());
        let given = |place: &Place| shapes[place.value].and_then(|shape| shape.get(place.number)).copied();
        for place in inputs() {
            let (Some(found), Size::Sum { offset, terms }) = (given(place), &place.size) else { continue };
            let [(factor, Count::Symbol(symbol))] = terms[..] else { continue };
            let Some(rest) = i64::try_from(found).ok().and_then(|found| found.checked_sub(*offset)) else {
                continue;
            };
            if !is_known[symbol] && rest % factor == 0 && rest / factor > 0 {
                (sizes[symbol], is_known[symbol]) = ((rest / factor) as usize, true);
            }
        }
        for (symbol, size) in self.symbols.iter().zip(&sizes) {
            symbol.check(*size)?;
        }
        for place in inputs() {
            if let Some(found) = given(place)
                && self.evaluate(&place.size, &sizes, &[]) != Some(found)
            {
                let names = place.size.symbols().map(|s| self.symbols[s].name.as_str()).collect::<Vec<_>>();
                let problem = words!(
                    "gives dimension {} of input {} another size than {found}",
                    place.number,
                    place.value
                );
                return Err(GraphError::Size { name: names.join(", "), problem });
            }
        }
        Ok(sizes)
    }

    /// The same for another numbering of the values: `new` holds the new number of each.
    pub fn renumbered(&self, new: &[ValueId]) -> Self {
        let count = |count: Count| match count {
            Count::Symbol(_) => count,
            Count::Dimension { value, axis } => Count::Dimension { value: new[value], axis },
        };
        let place = |place: &Place| Place {
            value: new[place.value],
            number: place.number,
            size: match &place.size {
                Size::Rest => Size::Rest,
                Size::Sum { offset, terms } => Size::Sum {
                    offset: *offset,
                    terms: terms.iter().map(|&(factor, of)| (factor, count(of))).collect(),
                },
            },
        };
        Self { symbols: self.symbols.clone(), places: self.places.iter().map(place).collect() }
    }

    /// The value of a sum; `None` below 1 or beyond every dimension, or if a value is not there.
    pub(crate) fn evaluate(&self, size: &Size, sizes: &[usize], shapes: &[Vec<usize>]) -> Option<usize> {
        let Size::Sum { offset, terms } = size else { return None };
        let mut sum = *offset;
        for (factor, count) in terms {
            let n = match *count {
                Count::Symbol(symbol) => *sizes.get(symbol)?,
                Count::Dimension { value, axis } => *shapes.get(value)?.get(axis)?,
            };
            sum = sum.checked_add(factor.checked_mul(i64::try_from(n).ok()?)?)?;
        }
        // A start of a slice, or a padding, may be 0.
        usize::try_from(sum).ok().filter(|n| *n <= MAX_DIM)
    }

    /// Checks what does not depend on the graph.
    pub(crate) fn check(&self, n_inputs: usize, n_values: usize) -> Result<(), GraphError> {
        let wrong = |problem: String| Err(GraphError::Structure(words!("has open sizes that {problem}")));
        if self.symbols.is_empty() || self.symbols.len() > MAX_SYMBOLS {
            return wrong(words!("are {} symbols; 1 to {MAX_SYMBOLS} are possible", self.symbols.len()));
        }
        for (index, symbol) in self.symbols.iter().enumerate() {
            let Symbol { name, stored, least, most, step } = symbol;
            let is_name =
                !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
            let is_twice = self.symbols.iter().take(index).any(|other| other.name == *name);
            if !is_name || is_twice {
                let problem = if is_twice { "is used twice" } else { "is not the name of a size" };
                return Err(GraphError::Size { name: name.clone(), problem: problem.to_string() });
            }
            let is_range = *least >= 1 && *most <= MAX_DIM && *step >= 1 && least <= most;
            if !is_range || !(most - least).is_multiple_of(*step) {
                let problem = words!("cannot be {least} to {most} in steps of {step}");
                return Err(GraphError::Size { name: name.clone(), problem });
            }
            symbol.check(*stored)?;
            let is_used = |place: &Place| place.value < n_inputs && place.size.symbols().any(|s| s == index);
            if !self.places.iter().any(is_used) {
                let problem = "is the size of no dimension of an input".to_string();
                return Err(GraphError::Size { name: name.clone(), problem });
            }
        }
        if !self.places.is_sorted_by(|a, b| (a.value, a.number) < (b.value, b.number)) {
            return wrong("are not sorted, or a number has two".to_string());
        }
        let rests = self.places.iter().filter(|place| place.size == Size::Rest).map(|place| place.value);
        if !rests.is_sorted_by(|a, b| a < b) {
            return wrong("are the rest of one value twice".to_string());
        }
        for place in &self.places {
            if place.value < n_inputs && place.size == Size::Rest {
                return wrong("are the rest of an input".to_string());
            }
            if place.value >= n_values {
                return wrong(words!("belong to value {}, which is not there", place.value));
            }
            let Size::Sum { offset, terms } = &place.size else { continue };
            let is_small = |n: i64| n.unsigned_abs() <= MAX_DIM as u64;
            let is_term = |&(factor, count): &(i64, Count)| {
                factor != 0
                    && is_small(factor)
                    && match count {
                        Count::Symbol(symbol) => symbol < self.symbols.len(),
                        Count::Dimension { value, .. } => value < place.value && place.value >= n_inputs,
                    }
            };
            let is_ascending = terms.is_sorted_by(|(_, a), (_, b)| a < b);
            if !(1..=MAX_TERMS).contains(&terms.len())
                || !is_small(*offset)
                || !is_ascending
                || !terms.iter().all(is_term)
            {
                return wrong(words!("are no sum of symbols and dimensions before value {}", place.value));
            }
        }
        Ok(())
    }
}

impl Size {
    /// The symbols of a sum.
    fn symbols(&self) -> impl Iterator<Item = usize> + '_ {
        let terms = if let Self::Sum { terms, .. } = self { &terms[..] } else { &[] };
        terms.iter().filter_map(|(_, count)| match count {
            Count::Symbol(symbol) => Some(*symbol),
            Count::Dimension { .. } => None,
        })
    }
}

impl Op {
    /// The numbers of its attributes that a size can replace: sizes, pairs (height first), paddings (top, left, bottom,
    /// right) and dimensions, in the order of the table.
    pub fn numbers(&self) -> Vec<usize> {
        let mut numbers = Vec::new();
        for value in self.attributes() {
            match value {
                Value::Size(n) => numbers.push(n),
                Value::Pair(Pair { h, w }) => numbers.extend([h, w]),
                Value::Padding(Padding { top, left, bottom, right }) => {
                    numbers.extend([top, left, bottom, right]);
                }
                Value::Dims(dims) => numbers.extend(dims),
                Value::Bool(_) | Value::Float(_) | Value::Floats(_) | Value::Indices(_) => {}
            }
        }
        numbers
    }

    /// The operator with other numbers; `None` if they are not as many, or the operator cannot have them.
    pub fn with_numbers(&self, numbers: &[usize]) -> Option<Self> {
        let mut numbers = numbers.iter().copied();
        let mut attributes = self.attributes();
        for value in &mut attributes {
            match value {
                Value::Size(n) => *n = numbers.next()?,
                Value::Pair(pair) => *pair = Pair { h: numbers.next()?, w: numbers.next()? },
                Value::Padding(padding) => {
                    *padding = Padding {
                        top: numbers.next()?,
                        left: numbers.next()?,
                        bottom: numbers.next()?,
                        right: numbers.next()?,
                    };
                }
                Value::Dims(dims) => {
                    for dim in dims {
                        *dim = numbers.next()?;
                    }
                }
                Value::Bool(_) | Value::Float(_) | Value::Floats(_) | Value::Indices(_) => {}
            }
        }
        numbers.next().is_none().then_some(())?;
        self.operator().build(attributes)
    }
}
