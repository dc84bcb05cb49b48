//! `If`, `Loop` and `Scan`: graphs inside a node, evaluated turn by turn.

use super::{
    Evaluator, Scope,
    call::{Call, axis},
    layout, stored,
};
use crate::onnx::{
    proto::{GraphProto, NodeProto},
    tensor::{Data, Tensor},
};
use std::{collections::BTreeMap, rc::Rc};

/// What a node of an inner graph costs, in multiplications.
const NODE: u64 = 10_000;

fn is_true(tensor: &Tensor) -> Result<bool, String> {
    tensor.scalar().map(|v| v != 0.0).ok_or_else(|| "a condition that is not one number".into())
}

/// The results of all turns as one tensor, with a new dimension `at`.
fn stacked(turns: &[Rc<Tensor>], at: i64) -> Result<Tensor, String> {
    let first = turns.first().ok_or("no turn makes its result")?;
    let at = axis(at, first.dims.len() + 1)?;
    if turns.iter().any(|t| t.dims != first.dims || t.is_float() != first.is_float()) {
        return Err("turns make results of different shapes".into());
    }
    let (outer, inner) =
        (first.dims[..at].iter().product::<usize>(), first.dims[at..].iter().product::<usize>());
    fn joined<T: Copy>(parts: &[&[T]], outer: usize, inner: usize) -> Vec<T> {
        (0..outer)
            .flat_map(|o| parts.iter().flat_map(move |p| p[o * inner..][..inner].iter().copied()))
            .collect()
    }
    let data = match first.data {
        Data::Floats(_) => {
            let parts: Vec<Vec<f32>> = turns.iter().map(|t| t.to_floats()).collect();
            Data::Floats(joined(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>(), outer, inner))
        }
        Data::Ints(_) => {
            let parts: Vec<&[i64]> = turns.iter().filter_map(|t| t.as_ints()).collect();
            Data::Ints(joined(&parts, outer, inner))
        }
    };
    let mut dims = first.dims.clone();
    dims.insert(at, turns.len());
    Ok(Tensor { dims, data })
}

impl<'a> Evaluator<'a> {
    /// The outputs of a graph inside a node.
    fn inner(
        &self,
        graph: &'a GraphProto,
        call: &Call<'_>,
        fed: Vec<Rc<Tensor>>,
        around: &Scope<'_, 'a>,
    ) -> Result<Vec<Rc<Tensor>>, String> {
        if fed.len() != graph.input.len() {
            return Err(format!("{} inputs of its graph, which has {}", fed.len(), graph.input.len()));
        }
        let mut scope = Scope { around: Some(around), values: BTreeMap::new() };
        for (name, tensor) in stored(graph) {
            let value = self.read(&tensor)?;
            call.count(&value.dims)?;
            scope.values.insert(name, value);
        }
        scope.values.extend(graph.input.iter().map(|input| input.name.as_str()).zip(fed));
        call.pay(NODE)?;
        for node in &graph.node {
            call.pay(NODE)?;
            let made = self.node(node, &scope, call.budget);
            let made =
                made.map_err(|e| format!("node {:?} ({}) inside it: {e}", node.title(), node.op_type))?;
            for (name, tensor) in node.output.iter().zip(made).filter(|(name, _)| !name.is_empty()) {
                scope.values.insert(name, Rc::new(tensor));
            }
        }
        graph.output.iter().map(|output| self.value(&output.name, &scope)).collect()
    }

    /// One of two graphs.
    pub(super) fn branch(
        &self,
        node: &'a NodeProto,
        call: &Call<'_>,
        scope: &Scope<'_, 'a>,
    ) -> Result<Vec<Tensor>, String> {
        let name = if is_true(call.x(0)?)? { "then_branch" } else { "else_branch" };
        let graph = node.graph(name).ok_or_else(|| format!("it has no {name}"))?;
        let made = self.inner(graph, call, Vec::new(), scope)?;
        Ok(made.iter().map(|tensor| (**tensor).clone()).collect())
    }

    /// A graph as often as a number and a condition say: values that it hands on to the next turn, then results of each.
    pub(super) fn repeated(
        &self,
        node: &'a NodeProto,
        call: &Call<'_>,
        scope: &Scope<'_, 'a>,
    ) -> Result<Vec<Tensor>, String> {
        let graph = node.graph("body").ok_or("it has no body")?;
        let most = call.optional(0).map(|t| t.as_ints().and_then(|v| v.first().copied()).unwrap_or(0));
        let mut goes_on = call.optional(1).map_or(Ok(true), is_true)?;
        let mut carried =
            call.inputs.iter().skip(2).cloned().collect::<Option<Vec<_>>>().ok_or("a value is missing")?;
        let mut turns: Vec<Vec<Rc<Tensor>>> = Vec::new();
        let mut turn = 0i64;
        while goes_on && most.is_none_or(|most| turn < most) {
            let counters = [Tensor::ints(vec![], vec![turn]), Tensor::ints(vec![], vec![1])];
            let fed = counters.into_iter().map(Rc::new).chain(carried.iter().cloned()).collect();
            let mut made = self.inner(graph, call, fed, scope)?;
            if made.len() <= carried.len() {
                return Err("its body makes too few values".into());
            }
            goes_on = is_true(&made.remove(0))?;
            turns.push(made.split_off(carried.len()));
            carried = made;
            turn += 1;
        }
        let n_results = graph.output.len().saturating_sub(1 + carried.len());
        let mut all: Vec<Tensor> = carried.iter().map(|tensor| (**tensor).clone()).collect();
        for i in 0..n_results {
            all.push(stacked(&turns.iter().map(|made| made[i].clone()).collect::<Vec<_>>(), 0)?);
        }
        Ok(all)
    }

    /// A graph for each slice of some inputs: states that it hands on to the next turn, then results of each.
    pub(super) fn scanned(
        &self,
        node: &'a NodeProto,
        call: &Call<'_>,
        scope: &Scope<'_, 'a>,
    ) -> Result<Vec<Tensor>, String> {
        if call.opset < 9 {
            return Err("Scan of operator set 8".into());
        }
        let graph = node.graph("body").ok_or("it has no body")?;
        let all = call.inputs.iter().cloned().collect::<Option<Vec<_>>>().ok_or("a value is missing")?;
        let n_scanned = usize::try_from(node.int("num_scan_inputs", 0)).unwrap_or(0);
        let n_states = all.len().checked_sub(n_scanned).ok_or("too few inputs")?;
        let of = |name: &str, i: usize| node.ints(name).and_then(|list| list.get(i).copied()).unwrap_or(0);
        let (mut states, scanned) = (all[..n_states].to_vec(), &all[n_states..]);
        let mut axes = Vec::new();
        for (i, x) in scanned.iter().enumerate() {
            axes.push(axis(of("scan_input_axes", i), x.dims.len())?);
        }
        let n = scanned.first().map_or(0, |x| x.dims[axes[0]]);
        let n_results = graph.output.len().checked_sub(n_states).ok_or("its body makes too few values")?;
        let mut turns: Vec<Vec<Rc<Tensor>>> = Vec::new();
        for turn in 0..n {
            let mut fed = states.clone();
            for (i, x) in scanned.iter().enumerate() {
                let at = if of("scan_input_directions", i) != 0 { n - 1 - turn } else { turn };
                if x.dims[axes[i]] != n {
                    return Err("inputs of different lengths".into());
                }
                let mut part = layout::taken(call, x, axes[i], &[at])?;
                part.dims.remove(axes[i]);
                fed.push(Rc::new(part));
            }
            states = self.inner(graph, call, fed, scope)?;
            turns.push(states.split_off(n_states));
        }
        let mut made: Vec<Tensor> = states.iter().map(|tensor| (**tensor).clone()).collect();
        for i in 0..n_results {
            let mut results: Vec<_> = turns.iter().map(|made| made[i].clone()).collect();
            if of("scan_output_directions", i) != 0 {
                results.reverse();
            }
            made.push(stacked(&results, of("scan_output_axes", i))?);
        }
        Ok(made)
    }
}
