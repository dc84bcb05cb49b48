//! From the classes of a data set to the outputs of a network: one rule for everything that reads labels.
//!
//! ```text
//! all names known to the network ──► by name
//! else class numbers (numbers of a list, of IDX and NumPy files; folders whose names are numbers) ──► as they are
//! else as many classes as outputs, and the network names none ──► in the order of their names
//! else refused
//! ```

use crate::{
    dataset::{Dataset, Labelling},
    error::DataError,
    listing::is_number,
};
use std::collections::BTreeMap;

/// How many names an error shows.
const SHOWN: usize = 3;

impl Dataset {
    /// The same images with the network's class numbers as labels.
    ///
    /// `names` are what the network calls its `n_outputs` classes, or nothing. Names are matched exactly; if that leaves
    /// some out, without regard to case, spaces, underscores and hyphens. Images without labels stay as they are.
    ///
    /// Errors: [`DataError::Classes`] for a label beyond the outputs, a name that the network does not have or has twice,
    /// and names for a network that has other classes and names none.
    pub fn for_network(self, names: &[String], n_outputs: usize) -> Result<Self, DataError> {
        if self.labelling() == Labelling::Unlabelled {
            return Ok(self);
        }
        let (labels, classes) = self.network_labels(names, n_outputs)?;
        let labels: Result<Vec<u16>, _> = labels.into_iter().map(u16::try_from).collect();
        let labels =
            labels.map_err(|_| DataError::Classes("a class above 65535; labels are 16 bits".into()))?;
        self.relabelled(labels, classes)
    }

    /// The network's class number of every image, and what the network's classes are called.
    ///
    /// Errors: as [`Dataset::for_network`].
    pub fn network_labels(
        &self,
        names: &[String],
        n_outputs: usize,
    ) -> Result<(Vec<usize>, Vec<String>), DataError> {
        let used = self.used_classes();
        let outputs = outputs(&used, names, n_outputs, self)?;
        let labels = self.labels().iter().map(|label| outputs[label]).collect();
        let mut classes: Vec<String> =
            (0..n_outputs).map(|i| names.get(i).cloned().unwrap_or_else(|| i.to_string())).collect();
        if names.is_empty() {
            for (label, output) in &outputs {
                classes[*output] = self.classes()[usize::from(*label)].clone();
            }
        }
        Ok((labels, classes))
    }

    /// The classes of which there are images.
    fn used_classes(&self) -> Vec<u16> {
        let mut used = self.labels().to_vec();
        used.sort_unstable();
        used.dedup();
        used
    }
}

/// The output of each class in use.
fn outputs(
    used: &[u16],
    names: &[String],
    n_outputs: usize,
    data: &Dataset,
) -> Result<BTreeMap<u16, usize>, DataError> {
    let called = |label: &u16| data.classes()[usize::from(*label)].as_str();
    let refused = |message: String| Err(DataError::Classes(message));
    let mut unknown = Vec::new();
    let mut found = BTreeMap::new();
    for label in used {
        match places(called(label), names)[..] {
            [] => unknown.push(called(label)),
            [output] if output < n_outputs => {
                found.insert(*label, output);
            }
            [output] => {
                return refused(format!(
                    "class {:?} is number {output} of the network's names, but it has {n_outputs} outputs",
                    called(label)
                ));
            }
            [first, second, ..] => {
                return refused(format!(
                    "class {:?} is the name of outputs {first} and {second} of the network: name the classes by number",
                    called(label)
                ));
            }
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let is_numbered = data.labelling() == Labelling::Numbered;
    if is_numbered || used.iter().all(|label| is_number(called(label))) {
        return by_number(used, n_outputs, |label| match is_numbered {
            true => Some(usize::from(*label)),
            false => called(label).parse().ok(),
        });
    }
    if names.is_empty() && data.n_classes() == n_outputs {
        return Ok(used.iter().map(|&label| (label, usize::from(label))).collect());
    }
    let some = |all: &[&str]| {
        let rest = if all.len() > SHOWN { ", …" } else { "" };
        all.iter().take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ") + rest
    };
    if names.is_empty() {
        return refused(format!(
            "the data has {} classes ({}), the network has {n_outputs} outputs and does not say what they are called: give \
             their names with --labels, or name the classes by number",
            data.n_classes(),
            some(&data.classes().iter().map(String::as_str).collect::<Vec<_>>())
        ));
    }
    refused(format!(
        "the network has no class {} (it has {}): give its names as the data has them with --labels, or name the classes by \
         number",
        some(&unknown),
        some(&names.iter().map(String::as_str).collect::<Vec<_>>())
    ))
}

/// Class numbers, all of them outputs.
fn by_number(
    used: &[u16],
    n_outputs: usize,
    number: impl Fn(&u16) -> Option<usize>,
) -> Result<BTreeMap<u16, usize>, DataError> {
    let beyond = used.iter().find(|label| number(label).is_none_or(|n| n >= n_outputs));
    if let Some(label) = beyond {
        let label = number(label).map_or("above 2^64".into(), |n| n.to_string());
        return Err(DataError::Classes(format!(
            "label {label} is beyond the network's {n_outputs} outputs (0 to {})",
            n_outputs.saturating_sub(1)
        )));
    }
    Ok(used.iter().filter_map(|label| Some((*label, number(label)?))).collect())
}

/// Which of the network's classes a name may mean.
fn places(class: &str, names: &[String]) -> Vec<usize> {
    let all = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        names.iter().enumerate().filter(|(_, name)| same(name)).map(|(i, _)| i).collect()
    };
    let exact = all(&|name| name == class);
    if !exact.is_empty() {
        return exact;
    }
    let class = plain(class);
    all(&|name| plain(name) == class)
}

/// A name in lower case, with one kind of gap between words.
fn plain(name: &str) -> String {
    name.trim()
        .chars()
        .map(|c| if c == '_' || c == '-' { ' ' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Values;

    fn data(labels: &[u16], classes: &[&str], labelling: Labelling) -> Dataset {
        let classes = classes.iter().map(|c| (*c).to_string()).collect();
        let values = Values::Bytes(vec![0; labels.len()]);
        Dataset::new(&[1], values, labels.to_vec(), classes).unwrap().labelled(labelling)
    }

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    fn labels(data: Dataset, names: &[String], n: usize) -> Result<Vec<u16>, String> {
        data.for_network(names, n).map(|d| d.labels().to_vec()).map_err(|e| e.to_string())
    }

    #[test]
    fn some_of_the_classes_are_found_by_name() {
        let some = data(&[0, 1, 1], &["Dog", "snow_leopard"], Labelling::Named);
        let network = ["cat", "snow leopard", "dog"].map(String::from);
        assert_eq!(labels(some, &network, 3).unwrap(), [2, 1, 1]);
        let other = data(&[0, 1], &["dog", "emu"], Labelling::Named);
        assert!(labels(other, &network, 3).unwrap_err().contains("no class \"emu\""));
        let twice = data(&[0], &["crane"], Labelling::Named);
        assert!(labels(twice, &names("crane heron crane"), 3).unwrap_err().contains("outputs 0 and 2"));
    }

    #[test]
    fn numbers_are_class_numbers() {
        let list = data(&[3, 7], &["0", "1", "2", "3", "4", "5", "6", "7"], Labelling::Numbered);
        assert_eq!(labels(list.clone(), &[], 10).unwrap(), [3, 7]);
        assert_eq!(labels(list.clone(), &names("a b c d e f g h i j"), 10).unwrap(), [3, 7]);
        assert!(labels(list, &[], 7).unwrap_err().contains("label 7 is beyond the network's 7 outputs"));
        let folders = data(&[0, 1, 2], &["0", "10", "2"], Labelling::Named);
        assert_eq!(labels(folders.clone(), &[], 11).unwrap(), [0, 10, 2]);
        assert!(labels(folders, &[], 10).unwrap_err().contains("label 10"));
    }

    #[test]
    fn names_without_a_counterpart_are_taken_in_order_only_if_all_are_there() {
        let all = data(&[0, 1, 2], &["a", "b", "c"], Labelling::Named);
        assert_eq!(labels(all.clone(), &[], 3).unwrap(), [0, 1, 2]);
        assert!(labels(all.clone(), &[], 4).unwrap_err().contains("3 classes (\"a\", \"b\", \"c\")"));
        assert!(labels(all, &names("x y z"), 3).unwrap_err().contains("--labels"));
    }
}
