//! Open sizes as JSON, the member `sizes` of a graph.
//!
//! ```json
//! {"symbols": [{"name": "seq", "stored": 8, "least": 2, "most": 64, "step": 1}],
//!  "places": [{"value": "ids", "number": 0, "offset": 0, "terms": [{"factor": 1, "symbol": "seq"}]},
//!             {"value": "reshape1", "number": 0, "offset": 0, "terms": [{"factor": 1, "value": "fc1", "axis": 0}]},
//!             {"value": "reshape2", "number": 0}]}
//! ```
//!
//! A place without terms is the rest of a reshape.

use kompakt_graph::{Count, Graph, Place, Size, Sizes, Symbol};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    symbols: Vec<SymbolEntry>,
    places: Vec<PlaceEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SymbolEntry {
    name: String,
    stored: usize,
    least: usize,
    most: usize,
    step: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceEntry {
    value: String,
    number: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    terms: Vec<TermEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermEntry {
    factor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    axis: Option<usize>,
}

/// Reads the open sizes of a graph.
///
/// Errors: what is wrong, in one line.
pub(crate) fn read(value: &Value, graph: &Graph) -> Result<Sizes, String> {
    let document: Document =
        serde_json::from_value(value.clone()).map_err(|error| format!("sizes: {error}"))?;
    let symbol = |s: &SymbolEntry| Symbol {
        name: s.name.clone(),
        stored: s.stored,
        least: s.least,
        most: s.most,
        step: s.step,
    };
    let symbols: Vec<Symbol> = document.symbols.iter().map(symbol).collect();
    let values: std::collections::BTreeMap<&str, usize> = (0..graph.inputs().len() + graph.nodes().len())
        .map(|value| (graph.value_name(value), value))
        .collect();
    let value_of = |name: &str| {
        values.get(name).copied().ok_or_else(|| format!("sizes: {name:?} is no input and no node"))
    };
    let term = |term: &TermEntry| -> Result<(i64, Count), String> {
        let count = match (&term.symbol, &term.value, term.axis) {
            (Some(name), None, None) => {
                let index = symbols.iter().position(|symbol| symbol.name == *name);
                Count::Symbol(index.ok_or_else(|| format!("sizes: {name:?} is no symbol"))?)
            }
            (None, Some(name), Some(axis)) => Count::Dimension { value: value_of(name)?, axis },
            _ => return Err("sizes: a term has a symbol, or a value and an axis".into()),
        };
        Ok((term.factor, count))
    };
    let place = |place: &PlaceEntry| -> Result<Place, String> {
        let terms = place.terms.iter().map(term).collect::<Result<Vec<_>, _>>()?;
        let size = match (terms.is_empty(), place.offset) {
            (true, None) => Size::Rest,
            (true, Some(_)) => return Err("sizes: an offset without terms".into()),
            (false, offset) => Size::Sum { offset: offset.unwrap_or(0), terms },
        };
        Ok(Place { value: value_of(&place.value)?, number: place.number, size })
    };
    let places = document.places.iter().map(place).collect::<Result<_, _>>()?;
    Ok(Sizes { symbols, places })
}

/// Writes the open sizes of a graph.
pub(crate) fn write(sizes: &Sizes, graph: &Graph) -> Value {
    let name = |value: usize| graph.value_name(value).to_string();
    let term = |&(factor, count): &(i64, Count)| match count {
        Count::Symbol(symbol) => {
            TermEntry { factor, symbol: Some(sizes.symbols[symbol].name.clone()), value: None, axis: None }
        }
        Count::Dimension { value, axis } => {
            TermEntry { factor, symbol: None, value: Some(name(value)), axis: Some(axis) }
        }
    };
    let place = |place: &Place| {
        let (offset, terms) = match &place.size {
            Size::Rest => (None, Vec::new()),
            Size::Sum { offset, terms } => (Some(*offset), terms.iter().map(term).collect()),
        };
        PlaceEntry { value: name(place.value), number: place.number, offset, terms }
    };
    let symbol = |s: &Symbol| SymbolEntry {
        name: s.name.clone(),
        stored: s.stored,
        least: s.least,
        most: s.most,
        step: s.step,
    };
    let document = Document {
        symbols: sizes.symbols.iter().map(symbol).collect(),
        places: sizes.places.iter().map(place).collect(),
    };
    serde_json::to_value(document).unwrap_or_default()
}
