//! Finds in which range each open size can change, by imports at other sizes.

use super::{DEFAULT_MOST, HeldSize, Open, rewritten::prove};
use crate::onnx::{
    error::OnnxError,
    fit::{Fitted, Obstacle, fit},
    import::{Imported, Source},
    options::ImportOptions,
    sample::Sample,
    tensor::Initialisers,
};
use kompakt_graph::{Count, MAX_DIM, Place, Size, Sizes, Symbol};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Steps between sizes that are tried.
const STEPS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// How many steps more than the stored size is tried.
const FURTHER: [usize; 3] = [1, 7, 20];

/// Least sizes that are tried.
const LEAST: [usize; 5] = [1, 2, 8, 32, 64];

/// See the [module page](self).
pub(super) struct Prover<'p> {
    source: &'p Source,
    options: &'p ImportOptions,
    pub(super) imported: &'p mut Imported,
    pub(super) all: Vec<Open>,
    /// Imports that were made, by their sizes.
    samples: RefCell<BTreeMap<Vec<usize>, Rc<Sample>>>,
    /// What these imports have read of the file.
    initialisers: Initialisers,
    /// Sizes that are the sum of two others.
    ties: BTreeMap<usize, (usize, usize)>,
}

/// Range and step of a symbol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    least: usize,
    most: usize,
    step: usize,
}

impl<'p> Prover<'p> {
    pub(super) fn new(
        source: &'p Source,
        options: &'p ImportOptions,
        imported: &'p mut Imported,
        all: Vec<Open>,
    ) -> Self {
        let (ties, samples) = (BTreeMap::new(), RefCell::default());
        Self { source, options, imported, all, samples, initialisers: Initialisers::default(), ties }
    }

    pub(super) fn stored(&self) -> Vec<usize> {
        self.all.iter().map(|open| open.stored).collect()
    }

    pub(super) fn held(&self, symbol: usize, obstacle: &Obstacle) -> HeldSize {
        let (node, operator, reason) = obstacle;
        let Open { name, stored, .. } = &self.all[symbol];
        HeldSize {
            name: name.clone(),
            size: *stored,
            reason: format!("node {node:?} ({operator}): {reason}"),
        }
    }

    /// Of sizes of which no one can change by itself: those that are the sum of two others follow from them. Whether there are any.
    pub(super) fn tie(&mut self) -> bool {
        let n = self.all.len();
        for sum in 0..n {
            let is_free = |i: usize| i != sum && !self.ties.contains_key(&i);
            let pair = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).find(|&(a, b)| {
                let total = self.all[a].stored + self.all[b].stored;
                is_free(a) && is_free(b) && total == self.all[sum].stored
            });
            if let Some(pair) = pair {
                self.ties.insert(sum, pair);
            }
        }
        !self.ties.is_empty()
    }

    /// The import at these sizes, which is made once.
    fn sample(&self, sizes: &[usize]) -> Result<Rc<Sample>, Obstacle> {
        let mut sizes = sizes.to_vec();
        for (&sum, &(a, b)) in &self.ties {
            sizes[sum] = sizes[a] + sizes[b];
        }
        if let Some(sample) = self.samples.borrow().get(&sizes) {
            return Ok(sample.clone());
        }
        let sample = Rc::new(self.import(&sizes)?);
        self.samples.borrow_mut().insert(sizes, sample.clone());
        Ok(sample)
    }

    fn import(&self, sizes: &[usize]) -> Result<Sample, Obstacle> {
        let mut options = self.options.clone();
        options.input_shapes.clear();
        for (index, port) in self.imported.inputs.iter().enumerate() {
            let mut shape = port.rest.clone();
            for (open, size) in self.all.iter().zip(sizes) {
                for &(_, axis) in open.places.iter().filter(|(input, _)| *input == index) {
                    shape[axis] = *size;
                }
            }
            if let (true, Some(batch)) = (self.imported.has_batch, self.imported.batch) {
                shape.insert(0, batch);
            }
            if !shape.is_empty() {
                options.input_shapes.push((port.name.clone(), shape));
            }
        }
        for (name, shape) in &self.options.input_shapes {
            if self.options.input_values.iter().any(|(fixed, _)| fixed == name) {
                options.input_shapes.push((name.clone(), shape.clone()));
            }
        }
        let lead = usize::from(self.imported.has_batch);
        match self.source.sample_as(&options, lead, &self.initialisers, sizes.to_vec()) {
            Ok(sample) => Ok(sample),
            Err(OnnxError::Unsupported(problems)) => {
                let first = &problems[0];
                Err((first.node.clone(), "import", format!("at sizes {sizes:?}: {}", first.problem)))
            }
            Err(error) => Err(("inputs".into(), "import", format!("at sizes {sizes:?}: {error}"))),
        }
    }

    /// The sample that has another size of one symbol.
    fn at(&self, symbol: usize, size: usize) -> Result<Rc<Sample>, Obstacle> {
        let mut sizes = self.stored();
        sizes[symbol] = size;
        self.sample(&sizes)
    }

    /// The symbols that can change while all others keep their stored size.
    pub(super) fn each(&self, base: &Sample, held: &mut Vec<HeldSize>) -> Vec<(usize, Range)> {
        let mut found = Vec::new();
        for symbol in (0..self.all.len()).filter(|symbol| !self.ties.contains_key(symbol)) {
            match self.alone(symbol, base) {
                Ok(range) => found.push((symbol, range)),
                Err(obstacle) => held.push(self.held(symbol, &obstacle)),
            }
        }
        found
    }

    /// Range and step of one symbol.
    fn alone(&self, symbol: usize, base: &Sample) -> Result<Range, Obstacle> {
        let Open { name, stored, .. } = &self.all[symbol];
        let stored = *stored;
        let given = self.options.max_sizes.iter().find(|(given, _)| given == name).map(|(_, most)| *most);
        let mut candidates = match given {
            Some(most) => vec![most],
            None => vec![4 * stored, DEFAULT_MOST, 2 * stored, stored + 32, stored],
        };
        candidates.retain(|most| (stored..=MAX_DIM).contains(most));
        candidates.sort_unstable();
        candidates.dedup();
        let mut samples: Vec<Rc<Sample>> = Vec::new();
        let mut most = stored;
        let mut problem = None;
        for &candidate in candidates.iter().rev().filter(|candidate| **candidate > stored) {
            match self.at(symbol, candidate).and_then(|sample| fit(&[base, &sample]).map(|_| sample)) {
                Ok(sample) => {
                    most = candidate;
                    samples.push(sample);
                    break;
                }
                Err(obstacle) => problem = Some(obstacle),
            }
        }
        if let (Some(given), Some(obstacle)) = (given, &problem)
            && given > stored
        {
            return Err(obstacle.clone());
        }
        let fits = |samples: &[Rc<Sample>], next: &[Rc<Sample>]| -> Result<(), Obstacle> {
            let others = samples.iter().chain(next).map(Rc::as_ref);
            let all: Vec<&Sample> = std::iter::once(base).chain(others).collect();
            fit(&all).map(|_| ())
        };
        let mut range = Err(problem.unwrap_or_else(|| ("inputs".into(), "import", "it is too small".into())));
        for step in STEPS {
            // Further ones where there is room, else nearer ones.
            let sizes = FURTHER.iter().map(|n| n * step).filter_map(|more| match stored + more {
                size if size <= most => Some(size),
                _ => stored.checked_sub(more).filter(|size| *size > 0),
            });
            let next: Result<Vec<Rc<Sample>>, Obstacle> = sizes.map(|size| self.at(symbol, size)).collect();
            let tried = next.and_then(|next| fits(&samples, &next).map(|()| next));
            match tried {
                Ok(next) if next.is_empty() => break,
                Ok(next) => {
                    samples.extend(next);
                    range = Ok(step);
                    break;
                }
                Err(obstacle) => range = Err(obstacle),
            }
        }
        let step = range?;
        most -= (most - stored) % step;
        let mut least = samples.iter().map(|sample| sample.sizes[symbol]).fold(stored, usize::min);
        for candidate in LEAST {
            // The next of the same steps.
            let size = candidate + (stored.saturating_sub(candidate)) % step;
            if size >= least {
                break;
            }
            if self.at(symbol, size).and_then(|sample| fits(&samples, &[sample])).is_ok() {
                least = size;
                break;
            }
        }
        Ok(Range { least, most, step })
    }

    /// All symbols at once: what the network is, and that it is that at each symbol's bounds and at all together.
    pub(super) fn together(
        &self,
        base: &Sample,
        found: &[(usize, Range)],
    ) -> Result<(Sizes, Fitted), Obstacle> {
        let mut all = Vec::new();
        let near = |range: &Range, stored: usize, steps: usize| {
            let more = stored + steps * range.step;
            if more <= range.most { more } else { stored.saturating_sub(steps * range.step).max(range.least) }
        };
        for &(symbol, range) in found {
            for size in [range.most, range.least, near(&range, self.all[symbol].stored, 1)] {
                if size != self.all[symbol].stored {
                    all.push(self.at(symbol, size)?.again());
                }
            }
        }
        type Pick<'a> = &'a dyn Fn(usize, &Range, usize) -> usize;
        let picks: [Pick<'_>; 3] =
            [&|_, range, _| range.most, &|_, range, _| range.least, &|i, range, stored| {
                near(range, stored, 2 * i + 1)
            }];
        for pick in picks.iter().filter(|_| found.len() > 1) {
            let mut sizes = self.stored();
            for (i, (symbol, range)) in found.iter().enumerate() {
                sizes[*symbol] = pick(i, range, self.all[*symbol].stored);
            }
            all.push(self.sample(&sizes)?.again());
        }
        // Only symbols that are found count.
        let order: Vec<usize> = found.iter().map(|(symbol, _)| *symbol).collect();
        let narrow = |sample: &Sample| order.iter().map(|&symbol| sample.sizes[symbol]).collect::<Vec<_>>();
        let mut base = base.again();
        base.sizes = narrow(&base);
        for sample in &mut all {
            sample.sizes = narrow(sample);
        }
        let samples: Vec<&Sample> = std::iter::once(&base).chain(&all).collect();
        let fitted = fit(&samples)?;
        let sizes = self.sizes(found);
        prove(&samples, &sizes, &fitted)?;
        Ok((sizes, fitted))
    }

    /// The symbols, and which dimensions of inputs they are.
    fn sizes(&self, found: &[(usize, Range)]) -> Sizes {
        let symbol = |(symbol, range): &(usize, Range)| Symbol {
            name: self.all[*symbol].name.clone(),
            stored: self.all[*symbol].stored,
            least: range.least,
            most: range.most,
            step: range.step,
        };
        let number = |wanted: usize| found.iter().position(|(symbol, _)| *symbol == wanted);
        let mut places = Vec::new();
        for (index, open) in self.all.iter().enumerate() {
            let size = match (number(index), self.ties.get(&index)) {
                (Some(own), _) => Size::of(Count::Symbol(own)),
                (None, Some(&(a, b))) => {
                    let ends = [a, b].map(|part| (number(part), self.all[part].stored as i64));
                    let offset = ends.iter().filter(|(own, _)| own.is_none()).map(|(_, stored)| stored).sum();
                    let own = ends.iter().filter_map(|(own, _)| *own);
                    let terms: Vec<(i64, Count)> = own.map(|own| (1, Count::Symbol(own))).collect();
                    if terms.is_empty() {
                        continue;
                    }
                    Size::Sum { offset, terms }
                }
                _ => continue,
            };
            for &(input, axis) in &open.places {
                places.push(Place { value: input, number: axis, size: size.clone() });
            }
        }
        places.sort_by_key(|place| (place.value, place.number));
        Sizes { symbols: found.iter().map(symbol).collect(), places }
    }
}
