//! Open sizes as CBOR.
//!
//! ```text
//! [[["seq", 8, 2, 64, 1]],              one symbol: name, stored, least, most, step
//!  [[0, 0, 0, [1, 0]],                  dimension 0 of input 0 is 0 + 1 * symbol 0
//!   [2, 0, 0, [1, 1, 0]],               number 0 of the node that makes value 2 is 0 + 1 * dimension 0 of value 1
//!   [4, 0]]]                            number 0 of that of value 4 is the rest of a reshape
//! ```

use crate::{
    cbor::Cbor,
    error::{FormatError, broken},
};
use alloc::{string::ToString, vec::Vec};
use kompakt_graph::{Count, MAX_PLACES, MAX_SYMBOLS, MAX_TERMS, Place, Size, Sizes, Symbol};

/// Reads the value of key 8. Whether it fits the graph is checked with the graph.
pub(crate) fn sizes(cbor: &mut Cbor<'_>) -> Result<Sizes, FormatError> {
    let offset = cbor.offset();
    if cbor.array(usize::MAX)? != 2 {
        return broken("F-7", offset, "open sizes are symbols and places");
    }
    let n = cbor.array(MAX_SYMBOLS)?;
    let symbols = (0..n).map(|_| symbol(cbor)).collect::<Result<_, _>>()?;
    let n = cbor.array(MAX_PLACES)?;
    let places = (0..n).map(|_| place(cbor)).collect::<Result<_, _>>()?;
    Ok(Sizes { symbols, places })
}

fn symbol(cbor: &mut Cbor<'_>) -> Result<Symbol, FormatError> {
    let offset = cbor.offset();
    if cbor.array(usize::MAX)? != 5 {
        return broken("F-7", offset, "a symbol is a name and four numbers");
    }
    let name = cbor.text()?.to_string();
    let (stored, least, most, step) = (cbor.size()?, cbor.size()?, cbor.size()?, cbor.size()?);
    Ok(Symbol { name, stored, least, most, step })
}

fn place(cbor: &mut Cbor<'_>) -> Result<Place, FormatError> {
    let offset = cbor.offset();
    let n = cbor.array(usize::MAX)?;
    if n < 2 || n == 3 {
        return broken("F-7", offset, "a place is a value and a number, then a sum if it has one");
    }
    if n > MAX_TERMS.saturating_add(3) {
        return broken("F-15", offset, "too many terms of a sum");
    }
    let (value, number) = (cbor.size()?, cbor.size()?);
    if n == 2 {
        return Ok(Place { value, number, size: Size::Rest });
    }
    let offset = cbor.int()?;
    let terms: Vec<_> = (3..n).map(|_| term(cbor)).collect::<Result<_, _>>()?;
    Ok(Place { value, number, size: Size::Sum { offset, terms } })
}

fn term(cbor: &mut Cbor<'_>) -> Result<(i64, Count), FormatError> {
    let offset = cbor.offset();
    let n = cbor.array(usize::MAX)?;
    if n != 2 && n != 3 {
        return broken("F-7", offset, "a term is a factor and what it multiplies");
    }
    let factor = cbor.int()?;
    let count = match n {
        2 => Count::Symbol(cbor.size()?),
        _ => Count::Dimension { value: cbor.size()?, axis: cbor.size()? },
    };
    Ok((factor, count))
}
