//! Sizes that are given when a network is about to run.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Count, Graph, GraphError, Input, Node, Op, Pair, Place, Size, Sizes, Symbol};

fn symbol(name: &str, stored: usize, least: usize, most: usize, step: usize) -> Symbol {
    Symbol { name: name.into(), stored, least, most, step }
}

fn place(value: usize, number: usize, size: Size) -> Place {
    Place { value, number, size }
}

fn dimension(value: usize, axis: usize) -> Count {
    Count::Dimension { value, axis }
}

fn node(name: &str, op: Op, inputs: &[usize]) -> Node {
    Node { name: name.into(), op, inputs: inputs.to_vec() }
}

/// One head of attention: ids [seq], table [32, 6], reshape [seq, 2, 3], transpose [2, seq, 3], reshape [2 seq, 3].
fn heads(seq: usize) -> Graph {
    let nodes = vec![
        node("table", Op::Embedding { rows: 32, features: 6 }, &[0]),
        node("split", Op::Reshape { shape: vec![seq, 2, 3] }, &[1]),
        node("turn", Op::Transpose { axes: vec![1, 0, 2] }, &[2]),
        node("rows", Op::Reshape { shape: vec![2 * seq, 3] }, &[3]),
        node("first", Op::Slice { start: vec![0, 0], end: vec![2 * seq - 1, 3], step: vec![1, 1] }, &[4]),
    ];
    Graph::new(vec![Input { name: "ids".into(), shape: vec![seq] }], nodes, vec![5]).unwrap()
}

fn open() -> Sizes {
    Sizes {
        symbols: vec![symbol("seq", 8, 2, 64, 1)],
        places: vec![
            place(0, 0, Size::of(Count::Symbol(0))),
            place(2, 0, Size::of(dimension(1, 0))),
            place(4, 0, Size::Rest),
            place(5, 2, Size::Sum { offset: -1, terms: vec![(2, Count::Symbol(0))] }),
        ],
    }
}

fn at(graph: &Graph, size: usize) -> Result<Graph, GraphError> {
    graph.at(&[("seq".to_string(), size)])
}

#[test]
fn a_graph_at_another_size_is_the_graph_of_that_size() {
    let graph = heads(8).with_sizes(Some(open())).unwrap();
    for seq in [2, 3, 8, 64] {
        assert_eq!(at(&graph, seq).unwrap(), heads(seq));
    }
    assert_eq!(graph.at(&[]).unwrap(), heads(8));
}

#[test]
fn dimensions_follow_strided_layers() {
    let build = |h: usize| {
        let (h2, w2) = ((h - 1) / 2 + 1, 5);
        let kernel = Pair::square(3);
        let conv = Op::Conv2d {
            out_channels: 4,
            kernel,
            stride: Pair::square(2),
            padding: kompakt_graph::Padding::all(1),
            dilation: Pair::square(1),
            groups: 1,
            bias: true,
        };
        let resize = Op::Resize { size: Pair { h: 2 * h2, w: 10 }, step: [0.5; 2], offset: [0.0; 2] };
        let nodes = vec![
            node("conv", conv, &[0]),
            node("flat", Op::Reshape { shape: vec![4, h2 * w2] }, &[1]),
            node("image", Op::Reshape { shape: vec![4, h2, w2] }, &[2]),
            node("up", resize, &[3]),
        ];
        Graph::new(vec![Input { name: "x".into(), shape: vec![3, h, 9] }], nodes, vec![4]).unwrap()
    };
    let sizes = Sizes {
        symbols: vec![symbol("height", 16, 4, 40, 2)],
        places: vec![
            place(0, 1, Size::of(Count::Symbol(0))),
            place(2, 1, Size::Rest),
            place(3, 1, Size::of(dimension(1, 1))),
            place(4, 0, Size::Sum { offset: 0, terms: vec![(2, dimension(1, 1))] }),
        ],
    };
    let graph = build(16).with_sizes(Some(sizes)).unwrap();
    assert_eq!(graph.at(&[("height".into(), 22)]).unwrap(), build(22));
    let odd = graph.at(&[("height".into(), 21)]).unwrap_err();
    assert_eq!(odd.to_string(), "size \"height\" is 21; it may be 4 to 40 in steps of 2");
}

#[test]
fn sizes_outside_of_their_range_are_refused() {
    let graph = heads(8).with_sizes(Some(open())).unwrap();
    for size in [0, 1, 65, 1 << 40, usize::MAX] {
        let error = at(&graph, size).unwrap_err().to_string();
        assert_eq!(error, format!("size \"seq\" is {size}; it may be 2 to 64"));
    }
    let error = graph.at(&[("length".into(), 4)]).unwrap_err().to_string();
    assert_eq!(error, "size \"length\" is none of the network's open sizes: seq");
    let error = at(&heads(8), 4).unwrap_err().to_string();
    assert_eq!(error, "size \"seq\" is given, but all sizes of the network are fixed");
}

#[test]
fn sizes_follow_from_shapes() {
    let sizes = open();
    assert_eq!(sizes.fitting(&[Some(&[5])], &[8]).unwrap(), [5]);
    assert_eq!(sizes.fitting(&[None], &[8]).unwrap(), [8]);
    assert!(sizes.fitting(&[Some(&[65])], &[8]).is_err());
    let mut two = sizes.clone();
    two.places.insert(1, place(0, 1, Size::Sum { offset: 1, terms: vec![(2, Count::Symbol(0))] }));
    assert_eq!(two.fitting(&[Some(&[5, 11])], &[8]).unwrap(), [5]);
    assert!(two.fitting(&[Some(&[5, 12])], &[8]).is_err());
}

#[test]
fn sizes_that_are_not_sound_are_refused() {
    let with = |change: &dyn Fn(&mut Sizes)| {
        let mut sizes = open();
        change(&mut sizes);
        heads(8).with_sizes(Some(sizes)).unwrap_err().to_string()
    };
    let first = |sizes: &mut Sizes, term: (i64, Count)| {
        sizes.places[1].size = Size::Sum { offset: 0, terms: vec![term] };
    };
    for (change, part) in [
        (&(|s: &mut Sizes| s.symbols.clear()) as &dyn Fn(&mut Sizes), "are 0 symbols"),
        (&|s| s.symbols[0].step = 5, "cannot be 2 to 64 in steps of 5"),
        (&|s| s.symbols[0].stored = 65, "is 65; it may be 2 to 64"),
        (&|s| s.symbols[0].most = 1 << 29, "cannot be"),
        (&|s| s.symbols[0].name = "a\nb".into(), "is not the name"),
        (&|s| s.symbols.push(s.symbols[0].clone()), "is used twice"),
        (&|s| s.symbols.push(symbol("other", 1, 1, 1, 1)), "is the size of no dimension"),
        (&|s| s.places.swap(1, 2), "not sorted"),
        (&|s| s.places[3].value = 77, "which is not there"),
        (&|s| s.places[1].number = 2, "different numbers"),
        (&|s| s.places[1].number = 9, "number 9 cannot be computed"),
        (&|s| s.places[3].size = Size::Rest, "no whole number"),
        (&|s| first(s, (0, dimension(1, 0))), "no sum"),
        (&|s| first(s, (1, dimension(2, 0))), "no sum"),
        (&|s| first(s, (1, Count::Symbol(1))), "no sum"),
        (&|s| first(s, (1, dimension(1, 7))), "cannot be computed"),
        (&|s| first(s, (-1, dimension(1, 0))), "cannot be computed"),
    ] {
        let error = with(change);
        assert!(error.contains(part), "{error} (expected: {part})");
    }
}

#[test]
fn parameters_do_not_depend_on_sizes() {
    let graph = Graph::new(
        vec![Input { name: "x".into(), shape: vec![4] }],
        vec![node("fc", Op::Linear { out_features: 2, bias: true }, &[0])],
        vec![1],
    );
    let sizes = Sizes {
        symbols: vec![symbol("n", 4, 1, 8, 1)],
        places: vec![place(0, 0, Size::of(Count::Symbol(0)))],
    };
    let graph = graph.unwrap().with_sizes(Some(sizes)).unwrap();
    let error = graph.at(&[("n".into(), 5)]).unwrap_err().to_string();
    assert!(error.contains("parameter whose shape depends"), "{error}");
}
