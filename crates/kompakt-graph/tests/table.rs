//! The table of operators and the JSON of [`Op`] agree on names, attributes, their order and their defaults.
//! Containers are written from the former and the interchange from the latter.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{
    BinaryFunction, Cell, Op, Padding, Pair, Reduction, UnaryFunction, Update,
    table::{Attribute, Default, Kind, OPERATORS, Operator, Value},
};
use serde_json::{Map, json};

/// A value that differs from every default and from those of the other attributes.
fn value(attribute: &Attribute, i: usize) -> Value {
    match attribute.kind {
        Kind::Size => Value::Size(3 + i),
        Kind::Bool => Value::Bool(attribute.default == Default::Bool(false)),
        Kind::Float => Value::Float(0.25 + i as f32),
        Kind::Floats => Value::Floats([0.5, i as f32]),
        Kind::Pair => Value::Pair(Pair { h: 2, w: 5 + i }),
        Kind::Padding => Value::Padding(Padding { top: 1, left: 2, bottom: 3, right: i }),
        Kind::Dims => Value::Dims(vec![4, i]),
        Kind::Indices => Value::Indices(vec![7, 8, i]),
    }
}

fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Size(n) => json!(n),
        Value::Bool(b) => json!(b),
        Value::Float(x) => json!(x),
        Value::Floats(xs) => json!(xs),
        Value::Pair(pair) => json!(pair),
        Value::Padding(padding) => json!(padding),
        Value::Dims(list) | Value::Indices(list) => json!(list),
    }
}

/// The name of the function with that number, where the attribute is one.
fn function(operator: &str, attribute: &str, n: usize) -> Option<serde_json::Value> {
    Some(match (operator, attribute) {
        ("unary", "function") => json!(UnaryFunction::ALL[n]),
        ("binary", "function") => json!(BinaryFunction::ALL[n]),
        ("reduce", "function") => json!(Reduction::ALL[n]),
        ("scatter", "update") => json!(Update::ALL[n]),
        ("recurrent", "cell") => json!(Cell::ALL[n]),
        _ => return None,
    })
}

/// The operator with such values, and its JSON as the table would have it.
fn by_table(operator: &Operator) -> (Op, Vec<Value>, Map<String, serde_json::Value>) {
    let values: Vec<Value> =
        operator.attributes.iter().enumerate().map(|(i, attribute)| value(attribute, i)).collect();
    let mut object = Map::from_iter([("op".to_string(), json!(operator.name))]);
    object.extend(operator.attributes.iter().zip(&values).map(|(a, v)| {
        let named = match v {
            Value::Size(n) => function(operator.name, a.name, *n),
            _ => None,
        };
        (a.name.to_string(), named.unwrap_or_else(|| as_json(v)))
    }));
    (operator.build(values.clone()).unwrap(), values, object)
}

#[test]
fn names_and_attributes_are_the_tables() {
    for operator in OPERATORS {
        let (op, _, expected) = by_table(operator);
        // As text: the order counts.
        assert_eq!(serde_json::to_string(&op).unwrap(), serde_json::to_string(&expected).unwrap());
        assert_eq!(serde_json::from_value::<Op>(expected.clone().into()).unwrap(), op);
        // Without attributes serde accepts any, and the reader of the interchange checks.
        if !operator.attributes.is_empty() {
            let mut unknown = expected;
            unknown.insert("unknown".into(), json!(1));
            assert!(serde_json::from_value::<Op>(unknown.into()).is_err(), "{}", operator.name);
        }
    }
}

#[test]
fn what_is_not_given_is_the_tables_default() {
    for operator in OPERATORS {
        let (_, values, object) = by_table(operator);
        for (i, attribute) in operator.attributes.iter().enumerate() {
            let what = format!("{}.{}", operator.name, attribute.name);
            let mut without = object.clone();
            without.shift_remove(attribute.name);
            let read = serde_json::from_value::<Op>(without.into());
            // A default that is another attribute's value is a container's: JSON says it.
            if matches!(attribute.default, Default::None | Default::Same(_)) {
                assert!(read.is_err(), "{what} may be left out");
                continue;
            }
            let default = attribute.default_value(&[]).unwrap();
            let found = read.unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(found.attributes()[i], default, "{what}");
            // What is written of an attribute at its default leads back to it.
            let mut values = values.clone();
            values[i] = default;
            let op = operator.build(values).unwrap();
            let written = serde_json::to_value(&op).unwrap();
            assert_eq!(serde_json::from_value::<Op>(written).unwrap(), op, "{what}");
        }
    }
}
