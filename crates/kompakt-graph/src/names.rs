//! Default names of nodes.

use crate::op::Op;
use alloc::{format, string::String, vec::Vec};

/// The default names of a list of operators: the kind's stem and a count from 1, kind by kind.
///
/// `conv, pool, conv, pool, flatten, linear, relu, linear` become
/// `conv1, pool1, conv2, pool2, flatten1, fc1, relu1, fc2`. A network that uses these names need not store any.
pub fn default_names<'a>(ops: impl IntoIterator<Item = &'a Op>) -> Vec<String> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    let mut names = Vec::new();
    for op in ops {
        let stem = op.stem();
        let count = match counts.iter_mut().find(|(s, _)| *s == stem) {
            Some((_, count)) => count,
            None => {
                counts.push((stem, 0));
                let last = counts.len() - 1;
                &mut counts[last].1
            }
        };
        *count += 1;
        names.push(format!("{stem}{count}"));
    }
    names
}
