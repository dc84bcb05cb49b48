//! `If`, `Loop` and `Scan`: the graphs inside a node become nodes of the network.
//!
//! ```text
//! If            known condition: the branch that is taken        else: both, and a choice between their results
//! Loop, Scan    known number of turns: the body, once for each turn
//! ```
//!
//! Names inside a graph hide those around it, and are forgotten after it.

use super::{Act, Lowering, Slot};
use crate::onnx::{
    error::Problem,
    fold,
    proto::{GraphProto, NodeProto},
    rules::{self, Run},
    tensor::Tensor,
};
use kompakt_graph::Op;
use std::rc::Rc;

/// The most nodes that bodies may become, those of all turns together.
const MOST_INNER_NODES: usize = 1 << 15;

/// What to do about a branch that depends on the input.
const ADVICE: &str = "; if an input alone decides, give its value: --input-value NAME=VALUE";

/// A problem of a branch that is lowered because it may be taken.
fn advised(problem: Problem) -> Problem {
    let text = format!("{} (in a branch that may be taken{ADVICE})", problem.problem);
    Problem { problem: text, ..problem }
}

/// Results of a graph, with their element types.
type Results<'a> = Vec<(Slot<'a>, i32)>;

pub(super) fn is_control(node: &NodeProto) -> bool {
    (node.domain.is_empty() || node.domain == "ai.onnx")
        && matches!(node.op_type.as_str(), "If" | "Loop" | "Scan")
}

/// The problems of a node's bodies, or of the node itself; none where an earlier node has failed.
pub(super) enum Failure {
    Inside(Vec<Problem>),
    Here(String),
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Here(problem)
    }
}

impl From<&str> for Failure {
    fn from(problem: &str) -> Self {
        Self::Here(problem.to_string())
    }
}

impl<'a> Lowering<'a> {
    /// The results of a node with graphs inside.
    pub(super) fn control(&mut self, node: &'a NodeProto) -> Result<Vec<Slot<'a>>, Vec<Problem>> {
        let made = match node.op_type.as_str() {
            "If" => self.branch(node),
            "Loop" => self.repeated(node),
            _ => self.scanned(node),
        };
        match made {
            Ok(results) => {
                for (name, (_, kind)) in node.output.iter().zip(&results) {
                    self.kinds.insert(name, *kind);
                }
                Ok(results.into_iter().map(|(slot, _)| slot).collect())
            }
            Err(Failure::Inside(problems)) => Err(problems),
            Err(Failure::Here(problem)) => {
                Err(vec![Problem { node: node.title().to_string(), operator: node.op_type.clone(), problem }])
            }
        }
    }

    /// Input `index` of a node; `None` where it is left out.
    fn slot(&self, node: &NodeProto, index: usize) -> Result<Option<Slot<'a>>, Failure> {
        match node.input.get(index).filter(|name| !name.is_empty()) {
            None => Ok(None),
            Some(name) => match self.slots.get(name.as_str()) {
                Some(Slot::Unknown { .. }) => Err(Failure::Inside(Vec::new())),
                Some(slot) => Ok(Some(slot.clone())),
                None => Err(Failure::Here(format!("nothing before it makes its input {name:?}"))),
            },
        }
    }

    fn kind_of_input(&self, node: &NodeProto, index: usize) -> i32 {
        let kind = node.input.get(index).and_then(|name| self.kinds.get(name.as_str()));
        kind.copied().unwrap_or(crate::onnx::proto::data_type::FLOAT)
    }

    /// A constant, if that is what a slot holds.
    fn known(&self, slot: &Slot<'a>) -> Result<Option<Rc<Tensor>>, String> {
        match slot {
            Slot::Const(tensor) => Ok(Some(tensor.clone())),
            Slot::Stored(proto) => {
                Tensor::read(proto, self.folder).map(|t| Some(Rc::new(t))).map_err(|e| e.to_string())
            }
            _ => Ok(None),
        }
    }

    /// A value; a constant becomes one where the file's values have no batch.
    fn value_in(&mut self, slot: &Slot<'a>) -> Result<Act, String> {
        match slot {
            Slot::Act(act) => Ok(act.clone()),
            Slot::Turned(_) => Err("its batch is not the first dimension".into()),
            other => match self.known(other)? {
                Some(tensor) if self.lead == 0 => {
                    let value = self.computed(tensor.to_floats(), tensor.dims.clone())?;
                    Ok(Act { value, dims: tensor.dims.clone() })
                }
                _ => Err("a constant among values of a batch".into()),
            },
        }
    }

    /// Lowers a graph inside a node, whose inputs are `fed`.
    fn inner(&mut self, graph: &'a GraphProto, fed: Results<'a>) -> Result<Results<'a>, Failure> {
        if fed.len() != graph.input.len() || !graph.sparse_initializer.is_empty() {
            return Err(
                format!("its graph has {} inputs where there are {}", graph.input.len(), fed.len()).into()
            );
        }
        self.inner_nodes += graph.node.len() + 1;
        if self.inner_nodes > MOST_INNER_NODES {
            return Err(format!(
                "its turns become more than {MOST_INNER_NODES} nodes; export the model with fewer turns, or without the loop"
            )
            .into());
        }
        let inside = graph.input.iter().map(|input| input.name.as_str());
        let inside = inside.chain(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
        let inside = inside.chain(graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)));
        let hidden: Vec<_> =
            inside.map(|name| (name, self.slots.get(name).cloned(), self.kinds.get(name).copied())).collect();
        for tensor in &graph.initializer {
            self.kinds.insert(&tensor.name, tensor.data_type);
            self.set(&tensor.name, Slot::Stored(tensor));
        }
        for (input, (slot, kind)) in graph.input.iter().zip(fed) {
            self.kinds.insert(&input.name, kind);
            self.set(&input.name, slot);
        }
        let problems: Vec<Problem> = graph.node.iter().flat_map(|node| self.node(node)).collect();
        let results: Option<Results<'a>> = graph
            .output
            .iter()
            .map(|output| {
                let kind = self.kinds.get(output.name.as_str()).copied();
                Some((self.slots.get(output.name.as_str())?.clone(), kind.unwrap_or_default()))
            })
            .collect();
        // The first of two entries of a name holds what was there before.
        for (name, slot, kind) in hidden.into_iter().rev() {
            match slot {
                Some(slot) => self.slots.insert(name, slot),
                None => self.slots.remove(name),
            };
            match kind {
                Some(kind) => self.kinds.insert(name, kind),
                None => self.kinds.remove(name),
            };
        }
        if !problems.is_empty() {
            return Err(Failure::Inside(problems));
        }
        results.ok_or_else(|| "no node inside it makes one of its results".into())
    }

    fn branch(&mut self, node: &'a NodeProto) -> Result<Results<'a>, Failure> {
        let condition = self.slot(node, 0)?.ok_or("its condition is missing")?;
        let graph = |name: &str| node.graph(name).ok_or_else(|| format!("it has no {name}"));
        let (then, other) = (graph("then_branch")?, graph("else_branch")?);
        if let Some(known) = self.known(&condition)? {
            let is_true = known.scalar().ok_or("its condition is not one number")? != 0.0;
            return self.inner(if is_true { then } else { other }, Vec::new());
        }
        if self.lead == 1 {
            return Err(format!("its condition depends on the input{ADVICE}").into());
        }
        let condition = self.value_in(&condition)?;
        let mut both = Vec::new();
        for branch in [then, other] {
            both.push(self.inner(branch, Vec::new()).map_err(|failure| match failure {
                Failure::Inside(problems) => Failure::Inside(problems.into_iter().map(advised).collect()),
                here => here,
            })?);
        }
        let (Some(other), Some(then)) = (both.pop(), both.pop()) else {
            return Err("it has no branches".into());
        };
        let mut results = Vec::new();
        for ((a, kind), (b, _)) in then.into_iter().zip(other) {
            if matches!((&a, &b), (Slot::Unknown { .. }, _) | (_, Slot::Unknown { .. })) {
                return Err(Failure::Inside(Vec::new()));
            }
            if let (Some(x), Some(y)) = (self.known(&a)?, self.known(&b)?)
                && x == y
            {
                results.push((a, kind));
                continue;
            }
            let (a, b) = (self.value_in(&a)?, self.value_in(&b)?);
            if a.dims != b.dims {
                let problem = format!(
                    "its condition depends on the input, and its branches make {:?} and {:?}{ADVICE}",
                    a.dims, b.dims
                );
                return Err(problem.into());
            }
            let rank = self.builder.shape(a.value).len();
            let choice = self.builder.reshape(condition.value, vec![1; rank])?;
            let value = self.builder.op(None, Op::Select, vec![choice, a.value, b.value])?;
            results.push((Slot::Act(Act { value, dims: a.dims }), kind));
        }
        Ok(results)
    }

    fn repeated(&mut self, node: &'a NodeProto) -> Result<Results<'a>, Failure> {
        let body = node.graph("body").ok_or("it has no body")?;
        let number = |lowering: &Self, slot: Slot<'a>, what: &str| match lowering.known(&slot)? {
            Some(tensor) => tensor
                .to_floats()
                .first()
                .map(|&v| f64::from(v))
                .ok_or_else(|| format!("{what} is no number")),
            None => Err(format!(
                "{what} depends on the input; only loops of a known number of turns are supported"
            )),
        };
        let most = match self.slot(node, 0)? {
            Some(slot) => Some(number(self, slot, "the number of its turns")?),
            None => None,
        };
        let mut goes_on = match self.slot(node, 1)? {
            Some(slot) => number(self, slot, "whether it begins")? != 0.0,
            None => true,
        };
        let mut carried = Vec::new();
        for index in 2..node.input.len() {
            let slot = self.slot(node, index)?.ok_or("one of its values is missing")?;
            carried.push((slot, self.kind_of_input(node, index)));
        }
        let n_results =
            body.output.len().checked_sub(1 + carried.len()).ok_or("its body makes too few values")?;
        let mut turns: Vec<Results<'a>> = Vec::new();
        while goes_on && most.is_none_or(|most| (turns.len() as f64) < most) {
            let (int64, bool) = (crate::onnx::proto::data_type::INT64, crate::onnx::proto::data_type::BOOL);
            let turn = Slot::Const(Rc::new(Tensor::ints(vec![], vec![turns.len() as i64])));
            let truth = Slot::Const(Rc::new(Tensor::ints(vec![], vec![1])));
            let fed = [(turn, int64), (truth, bool)].into_iter().chain(carried).collect();
            let mut made = self.inner(body, fed)?;
            if made.iter().any(|(slot, _)| matches!(slot, Slot::Unknown { .. })) {
                return Err(Failure::Inside(Vec::new()));
            }
            goes_on = number(self, made.remove(0).0, "whether it goes on")? != 0.0;
            turns.push(made.split_off(made.len() - n_results));
            carried = made;
        }
        for i in 0..n_results {
            carried.push(self.stacked(turns.iter().map(|made| made[i].clone()).collect(), 0)?);
        }
        Ok(carried)
    }

    fn scanned(&mut self, node: &'a NodeProto) -> Result<Results<'a>, Failure> {
        if self.opset < 9 {
            return Err("in operator set 8 it goes along a batch".into());
        }
        let body = node.graph("body").ok_or("it has no body")?;
        let mut all = Vec::new();
        for index in 0..node.input.len() {
            let slot = self.slot(node, index)?.ok_or("one of its values is missing")?;
            all.push((slot, self.kind_of_input(node, index)));
        }
        let n_scanned = usize::try_from(node.int("num_scan_inputs", 0)).unwrap_or(0);
        let n_states = all.len().checked_sub(n_scanned).ok_or("it has too few inputs")?;
        let scanned = all.split_off(n_states);
        let mut states = all;
        let n_results = body.output.len().checked_sub(n_states).ok_or("its body makes too few values")?;
        let of = |name: &str, i: usize| node.ints(name).and_then(|list| list.get(i).copied()).unwrap_or(0);
        let mut sizes = Vec::new();
        for (i, (slot, _)) in scanned.iter().enumerate() {
            let dims = match slot {
                Slot::Act(act) => act.dims.clone(),
                other => self.known(other)?.ok_or("its batch is not the first dimension")?.dims.clone(),
            };
            let axis = rules::axis(of("scan_input_axes", i), dims.len())?;
            sizes.push((axis, dims[axis]));
        }
        let n = sizes.first().map_or(0, |(_, n)| *n);
        if sizes.iter().any(|(_, other)| *other != n) {
            return Err("its inputs are not equally long".into());
        }
        let mut turns: Vec<Results<'a>> = Vec::new();
        for turn in 0..n {
            let mut fed = states;
            for (i, ((slot, kind), (axis, _))) in scanned.iter().zip(&sizes).enumerate() {
                let at = if of("scan_input_directions", i) != 0 { n - 1 - turn } else { turn };
                fed.push((self.part_of(slot, *axis, at)?, *kind));
            }
            let mut made = self.inner(body, fed)?;
            turns.push(made.split_off(n_states));
            states = made;
        }
        for i in 0..n_results {
            let mut results: Results<'a> = turns.iter().map(|made| made[i].clone()).collect();
            if of("scan_output_directions", i) != 0 {
                results.reverse();
            }
            states.push(self.stacked(results, of("scan_output_axes", i))?);
        }
        Ok(states)
    }

    /// Index `at` of a dimension, which goes.
    fn part_of(&mut self, slot: &Slot<'a>, axis: usize, at: usize) -> Result<Slot<'a>, String> {
        if let Some(tensor) = self.known(slot)? {
            let mut part = fold::along(&tensor, axis, &[at]);
            fold::take(Some(part.len()), &mut self.budget)?;
            part.dims.remove(axis);
            return Ok(Slot::Const(Rc::new(part)));
        }
        let x = self.value_in(slot)?;
        let part = self.cut(&x, axis, Run { first: at, n: 1, step: 1 })?;
        let mut dims = part.dims.clone();
        dims.remove(axis);
        Ok(Slot::Act(self.view(&part, dims)?))
    }

    /// The results of all turns along a new dimension.
    fn stacked(&mut self, turns: Results<'a>, at: i64) -> Result<(Slot<'a>, i32), String> {
        let kind = turns.first().ok_or("it makes no turn, and nothing of what its turns would make")?.1;
        let known = turns.iter().map(|(slot, _)| self.known(slot)).collect::<Result<Option<Vec<_>>, _>>()?;
        if let Some(known) = known {
            let axis = rules::axis(at, known[0].dims.len() + 1)?;
            let wide = |tensor: &Rc<Tensor>| {
                let mut dims = tensor.dims.clone();
                dims.insert(axis.min(dims.len()), 1);
                tensor.reshaped(dims)
            };
            fold::take(Some(known.iter().map(|t| t.len()).sum()), &mut self.budget)?;
            let parts: Vec<Tensor> = known.iter().map(wide).collect();
            return Ok((Slot::Const(Rc::new(fold::concat(&parts.iter().collect::<Vec<_>>(), axis)?)), kind));
        }
        let mut parts: Vec<Act> = Vec::new();
        for (slot, _) in &turns {
            let x = self.value_in(slot)?;
            let axis = rules::axis(at, x.dims.len() + 1)?;
            let mut dims = x.dims.clone();
            dims.insert(axis, 1);
            parts.push(self.view(&x, dims)?);
        }
        let axis = rules::axis(at, parts[0].dims.len())?;
        if parts.iter().any(|part| part.dims != parts[0].dims) {
            return Err("its turns make results of different shapes".into());
        }
        let whole = match &parts[..] {
            [one] => one.clone(),
            _ => self.joined(&parts.iter().collect::<Vec<_>>(), axis)?,
        };
        Ok((Slot::Act(whole), kind))
    }
}
