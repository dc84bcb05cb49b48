//! Attributes of a node, by name.

use crate::onnx::proto::{AttributeProto, GraphProto, NodeProto};

impl NodeProto {
    pub(crate) fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|a| a.name == name)
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.attribute(name).and_then(|a| std::str::from_utf8(&a.s).ok()).unwrap_or("")
    }

    /// A list of sizes of exactly `n`, each at least `least`.
    pub(crate) fn sizes(
        &self,
        name: &str,
        n: usize,
        default: usize,
        least: usize,
    ) -> Result<Vec<usize>, String> {
        let Some(list) = self.ints(name) else { return Ok(vec![default; n]) };
        let sizes: Option<Vec<usize>> = list.iter().map(|&v| usize::try_from(v).ok()).collect();
        match sizes {
            Some(sizes) if sizes.len() == n && sizes.iter().all(|&s| s >= least && s < 1 << 28) => Ok(sizes),
            _ => Err(format!("{name} is {list:?}; {n} numbers of at least {least} are expected")),
        }
    }

    /// A graph inside the node.
    pub(crate) fn graph(&self, name: &str) -> Option<&GraphProto> {
        self.attribute(name).and_then(|a| a.g.as_deref())
    }

    /// Calls `f` with every name that the node reads, by its inputs or by graphs inside it; names that those graphs make
    /// themselves are among them.
    pub(crate) fn reads<'n>(&'n self, f: &mut impl FnMut(&'n str)) {
        self.input.iter().for_each(|name| f(name));
        let mut graphs: Vec<&GraphProto> = self.attribute.iter().filter_map(|a| a.g.as_deref()).collect();
        while let Some(graph) = graphs.pop() {
            graph.output.iter().for_each(|output| f(&output.name));
            for node in &graph.node {
                node.input.iter().for_each(|name| f(name));
                graphs.extend(node.attribute.iter().filter_map(|a| a.g.as_deref()));
            }
        }
    }

    /// The node's name, or that of its first output.
    pub(crate) fn title(&self) -> &str {
        if self.name.is_empty() { self.output.first().map_or("", String::as_str) } else { &self.name }
    }
}
