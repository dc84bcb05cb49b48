//! From imports at several sizes to one network: every number that differs is expressed by the sizes, or named as what cannot be.

use crate::onnx::sample::Sample;
use kompakt_graph::{Count, Op, Size};
use std::collections::BTreeMap;

/// What differs between the imports.
#[derive(Debug, Default)]
pub(crate) struct Fitted {
    /// Numbers of values of the network: value, number, size.
    pub(crate) places: Vec<(usize, usize, Size)>,
    /// Constants of which a part is used, by node.
    pub(crate) constants: BTreeMap<usize, Part>,
    /// Lists of indices of which a part is used, by node.
    pub(crate) gathers: BTreeMap<usize, (Vec<usize>, Part)>,
}

/// The part of a longer constant that is used.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The shape of the longer one.
    pub(crate) shape: Vec<usize>,
    /// Its elements.
    pub(crate) values: Vec<f32>,
    /// Where the part begins and ends at the stored sizes.
    pub(crate) start: Vec<usize>,
    pub(crate) end: Vec<usize>,
    /// Which of these follow from sizes: a number of a slice, and its size.
    pub(crate) places: Vec<(usize, Size)>,
}

/// Why the imports are not one network: the node, its operator, the reason.
pub(crate) type Obstacle = (String, &'static str, String);

/// A number in every import.
type Series = Vec<usize>;

/// Fits imports at several sizes; the first is the one that is stored.
pub(crate) fn fit(samples: &[&Sample]) -> Result<Fitted, Obstacle> {
    let Some((base, others)) = samples.split_first() else { return Ok(Fitted::default()) };
    same_nodes(base, others)?;
    let mut fit = Fit { samples, known: BTreeMap::new(), fitted: Fitted::default() };
    for symbol in 0..base.sizes.len() {
        let series = samples.iter().map(|sample| sample.sizes[symbol]).collect();
        fit.learn(series, Count::Symbol(symbol));
    }
    for node in 0..base.graph.nodes().len() {
        fit.node(node).map_err(|reason| {
            let node = &base.graph.nodes()[node];
            (node.name.clone(), node.op.name(), reason)
        })?;
        fit.learn_shape(base.graph.value_of(node));
    }
    Ok(fit.fitted)
}

/// Errors: the first node that is another one in another import.
fn same_nodes(base: &Sample, others: &[&Sample]) -> Result<(), Obstacle> {
    for other in others {
        let (a, b) = (base.graph.nodes(), other.graph.nodes());
        let differs = a.iter().zip(b).find(|(a, b)| a.op.name() != b.op.name() || a.inputs != b.inputs);
        let differs = differs.map(|(a, _)| a).or((a.len() != b.len()).then(|| a.last()).flatten());
        if let Some(node) = differs {
            return Err((
                node.name.clone(),
                node.op.name(),
                "it is not the same operator at all sizes".into(),
            ));
        }
        if base.graph.outputs() != other.graph.outputs() {
            return Err(("outputs".into(), "output", "they are not the same at all sizes".into()));
        }
    }
    Ok(())
}

struct Fit<'s> {
    samples: &'s [&'s Sample],
    /// What is known to differ as these numbers do.
    known: BTreeMap<Series, Count>,
    fitted: Fitted,
}

impl Fit<'_> {
    fn learn(&mut self, series: Series, count: Count) {
        if series.iter().any(|n| *n != series[0]) {
            self.known.entry(series).or_insert(count);
        }
    }

    fn dimension(&self, value: usize, axis: usize) -> Series {
        self.samples.iter().map(|sample| sample.graph.shape(value)[axis]).collect()
    }

    fn learn_shape(&mut self, value: usize) {
        for axis in 0..self.samples[0].graph.shape(value).len() {
            self.learn(self.dimension(value, axis), Count::Dimension { value, axis });
        }
    }

    fn node(&mut self, node: usize) -> Result<(), String> {
        let base = self.samples[0];
        let (value, op) = (base.graph.value_of(node), &base.graph.nodes()[node].op);
        let ops: Vec<&Op> = self.samples.iter().map(|sample| &sample.graph.nodes()[node].op).collect();
        if let Op::Constant { .. } = op {
            return self.constant(node);
        }
        if let Op::Gather { axis, .. } = op {
            let is_same = |op: &&Op| matches!(op, Op::Gather { axis: other, .. } if other == axis);
            if !ops.iter().all(is_same) {
                return Err("it works along another dimension at another size".into());
            }
            return self.gather(node, &ops);
        }
        if self.samples.iter().any(|sample| !base.has_parameters_of(sample, node)) {
            return Err("its weights depend on the size".into());
        }
        let numbers: Vec<Vec<usize>> = ops.iter().map(|op| op.numbers()).collect();
        for (other, numbers) in ops.iter().zip(&numbers) {
            if op.with_numbers(numbers).as_ref() != Some(*other) {
                return Err("it has an attribute that depends on the size and is not a size".into());
            }
        }
        let mut without = Vec::new();
        for number in 0..numbers[0].len() {
            let series: Series = numbers.iter().map(|numbers| numbers[number]).collect();
            if series.iter().all(|n| *n == series[0]) {
                continue;
            }
            if let Op::Linear { .. } | Op::Conv2d { .. } = op {
                return Err(format!("its padding or stride is {series:?} at different sizes"));
            }
            match self.size(&series, value) {
                Some(size) => self.fitted.places.push((value, number, size)),
                None => without.push((number, series)),
            }
        }
        let is_reshape = matches!(op, Op::Reshape { .. });
        match &without[..] {
            [] => Ok(()),
            [(number, _)] if is_reshape => {
                self.fitted.places.push((value, *number, Size::Rest));
                Ok(())
            }
            [(_, series), ..] => Err(format!("a size of it is {series:?}, which follows from no other")),
        }
    }

    /// A sum that has these values, of what is known before a value.
    fn size(&self, series: &Series, value: usize) -> Option<Size> {
        if let Some(count) = self.known.get(series) {
            return Some(Size::of(*count));
        }
        let affine = |(known, count): (&Series, &Count)| {
            let (factor, offset) = line(known, series)?;
            Some(Size::Sum { offset, terms: vec![(factor, *count)] })
        };
        let is_symbol = |(_, count): &(&Series, &Count)| matches!(count, Count::Symbol(_));
        let own = |axis: usize, of: usize| Count::Dimension { value: of, axis };
        let graph = &self.samples[0].graph;
        let of_inputs = || {
            let node = &graph.nodes()[graph.producer(value)?];
            let made = node.inputs.iter().filter(|&&input| graph.producer(input).is_some());
            made.flat_map(|&input| (0..graph.shape(input).len()).map(move |axis| (input, axis)))
                .find_map(|(input, axis)| affine((&self.dimension(input, axis), &own(axis, input))))
        };
        self.known
            .iter()
            .filter(is_symbol)
            .find_map(affine)
            .or_else(of_inputs)
            .or_else(|| self.known.iter().find_map(affine))
            .or_else(|| self.sum_of_symbols(series))
    }

    /// The sum of two symbols and a number.
    fn sum_of_symbols(&self, series: &Series) -> Option<Size> {
        let n = self.samples[0].sizes.len();
        let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        for (a, b) in pairs {
            let rest =
                |(sample, n): (&&Sample, &usize)| *n as i64 - sample.sizes[a] as i64 - sample.sizes[b] as i64;
            let mut offsets = self.samples.iter().zip(series).map(rest);
            let offset = offsets.next()?;
            if offsets.all(|other| other == offset) {
                return Some(Size::Sum { offset, terms: vec![(1, Count::Symbol(a)), (1, Count::Symbol(b))] });
            }
        }
        None
    }

    fn constant(&mut self, node: usize) -> Result<(), String> {
        let value = self.samples[0].graph.value_of(node);
        let all =
            || self.samples.iter().map(|sample| (sample.graph.shape(value), &sample.constants[&node][..]));
        let Some((first, rest)) = all().next().map(|first| (first, all().skip(1))) else { return Ok(()) };
        if rest.into_iter().all(|(shape, values)| shape == first.0 && is_equal(values, first.1)) {
            return Ok(());
        }
        let parts: Vec<(Vec<usize>, &[f32])> =
            all().map(|(shape, values)| (shape.to_vec(), values)).collect();
        let part = self.part(&parts, value)?;
        self.fitted.constants.insert(node, part);
        Ok(())
    }

    fn gather(&mut self, node: usize, ops: &[&Op]) -> Result<(), String> {
        let list = |op: &&Op| if let Op::Gather { indices, .. } = op { indices.clone() } else { Vec::new() };
        let lists: Vec<Vec<usize>> = ops.iter().map(list).collect();
        if lists.iter().all(|list| *list == lists[0]) {
            return Ok(());
        }
        let floats: Vec<Vec<f32>> =
            lists.iter().map(|list| list.iter().map(|&i| i as f32).collect()).collect();
        let parts: Vec<(Vec<usize>, &[f32])> = floats.iter().map(|f| (vec![f.len()], &f[..])).collect();
        let part = self.part(&parts, self.samples[0].graph.value_of(node))?;
        self.fitted.gathers.insert(node, (lists[0].clone(), part));
        Ok(())
    }

    /// Constants that are parts of the largest of them: along each dimension all of it, its beginning or its end.
    fn part(&self, parts: &[(Vec<usize>, &[f32])], value: usize) -> Result<Part, String> {
        let largest = parts.iter().max_by_key(|(shape, _)| shape.iter().product::<usize>());
        let Some((whole, values)) = largest else { return Err("it has no elements".into()) };
        let fits = |shape: &[usize]| {
            shape.len() == whole.len() && shape.iter().zip(whole).all(|(part, all)| part <= all)
        };
        if !parts.iter().all(|(shape, _)| fits(shape)) {
            return Err("its shape grows and shrinks with the size".into());
        }
        let rank = whole.len();
        let open: Vec<usize> =
            (0..rank).filter(|&d| parts.iter().any(|(shape, _)| shape[d] != whole[d])).collect();
        let mut sizes = Vec::new();
        for &d in &open {
            let series: Series = parts.iter().map(|(shape, _)| shape[d]).collect();
            let size = self.size(&series, value);
            sizes.push(size.ok_or_else(|| format!("its length is {series:?}, which follows from no other"))?);
        }
        // Each open dimension from its beginning or to its end.
        for choice in 0..1usize << open.len() {
            let is_end = |d: usize| open.iter().position(|&o| o == d).is_some_and(|i| choice >> i & 1 == 1);
            let start = |shape: &[usize]| -> Vec<usize> {
                (0..rank).map(|d| if is_end(d) { whole[d] - shape[d] } else { 0 }).collect()
            };
            if !parts.iter().all(|(shape, part)| is_equal(&cut(values, whole, &start(shape), shape), part)) {
                continue;
            }
            let start = start(&parts[0].0);
            let end = start.iter().zip(&parts[0].0).map(|(start, n)| start + n).collect();
            let place = |(&d, size): (&usize, &Size)| match (is_end(d), size) {
                (true, Size::Sum { offset, terms }) => {
                    let terms = terms.iter().map(|(factor, count)| (-factor, *count)).collect();
                    (d, Size::Sum { offset: whole[d] as i64 - offset, terms })
                }
                _ => (rank + d, size.clone()),
            };
            let places = open.iter().zip(&sizes).map(place).collect();
            return Ok(Part { shape: whole.clone(), values: values.to_vec(), start, end, places });
        }
        Err("its elements depend on the size".into())
    }
}

/// `factor` and `offset` of `y = factor x + offset`, if all points are on a line with a whole factor.
fn line(x: &[usize], y: &[usize]) -> Option<(i64, i64)> {
    let at = |i: usize| (x[i] as i64, y[i] as i64);
    let (x0, y0) = at(0);
    let other = (1..x.len()).find(|&i| x[i] != x[0])?;
    let (x1, y1) = at(other);
    let factor = (y1 - y0) / (x1 - x0);
    let offset = y0 - factor * x0;
    let is_on = |i: usize| at(i).1 == factor * at(i).0 + offset;
    (factor != 0 && (0..x.len()).all(is_on)).then_some((factor, offset))
}

fn is_equal(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The elements of a part of a tensor.
fn cut(values: &[f32], whole: &[usize], start: &[usize], shape: &[usize]) -> Vec<f32> {
    let n: usize = shape.iter().product();
    let mut out = Vec::with_capacity(n);
    let mut index = vec![0; shape.len()];
    for _ in 0..n {
        let at = (0..shape.len()).fold(0, |at, d| at * whole[d] + start[d] + index[d]);
        out.push(values[at]);
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    out
}
