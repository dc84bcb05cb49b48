"""Sizes that are given when the network is about to run. spec/format.md, "Open sizes"."""

from math import prod

from .graph import MAX_DIM, OPERATORS, check_limits, is_int, is_size, output_shape, parameters_of
from .refused import Refused, need

MAX_SYMBOLS, MAX_PLACES, MAX_TERMS = 16, 1 << 16, 4
KINDS = {op: attributes for op, _, attributes in OPERATORS.values()}


class Symbol:
    """A named size: as stored, least, most, step."""

    def __init__(self, name, stored, least, most, step):
        self.name, self.stored, self.least, self.most, self.step = name, stored, least, most, step

    def allows(self, size):
        return self.least <= size <= self.most and (size - self.least) % self.step == 0


class Place:
    """A dimension of an input, or a number of the node that makes a value. terms: None for the rest of a reshape; else
    pairs of a factor and (symbol,) or (value, axis)."""

    def __init__(self, value, number, offset, terms):
        self.value, self.number, self.offset, self.terms = value, number, offset, terms


def size(item, at):
    need(is_size(item), "F-7", at, "no number of at least 0")
    return item


def integer(item, at):
    need(is_int(item), "F-7", at, "no whole number")
    need(-(2**63) <= item < 2**63, "F-6", at, "a number beyond 64 bits")
    return item


def listed(item, at):
    need(isinstance(item, list), "F-7", at, "no array")
    return item


def read(item, at):
    """The value of key 8 as symbols and places; rules F-7 and F-15."""
    need(len(listed(item, at)) == 2, "F-7", at, "no symbols and places")
    symbols, places = [], []
    need(len(listed(item[0], at)) <= MAX_SYMBOLS, "F-15", at, "too many symbols")
    for entry in item[0]:
        need(len(listed(entry, at)) == 5 and isinstance(entry[0], str), "F-7", at, "no symbol")
        symbols.append(Symbol(entry[0], *[size(n, at) for n in entry[1:]]))
    need(len(listed(item[1], at)) <= MAX_PLACES, "F-15", at, "too many places")
    for entry in item[1]:
        need(len(listed(entry, at)) >= 2 and len(entry) != 3, "F-7", at, "no place")
        need(len(entry) <= MAX_TERMS + 3, "F-15", at, "too many terms")
        value, number = size(entry[0], at), size(entry[1], at)
        if len(entry) == 2:
            places.append(Place(value, number, None, None))
            continue
        offset, terms = integer(entry[2], at), []
        for term in entry[3:]:
            need(len(listed(term, at)) in (2, 3), "F-7", at, "no term")
            terms.append((integer(term[0], at), tuple(size(n, at) for n in term[1:])))
        places.append(Place(value, number, offset, terms))
    return symbols, places


def numbers_of(node):
    """The numbers of a node's attributes that a size can replace."""
    numbers = []
    for name, kind, _ in KINDS[node.op]:
        value = getattr(node, name)
        numbers += [value] if kind == "size" else list(value) if kind in ("pair", "padding", "sizes") else []
    return numbers


def with_numbers(node, numbers):
    """The node's attributes with other numbers."""
    numbers, changed = iter(numbers), {}
    for name, kind, _ in KINDS[node.op]:
        if kind == "size":
            changed[name] = next(numbers)
        elif kind in ("pair", "padding", "sizes"):
            changed[name] = tuple(next(numbers) for _ in getattr(node, name))
    return changed


def evaluate(place, sizes, shapes):
    """The sum of a place; AssertionError if it has none."""
    total = place.offset
    for factor, count in place.terms:
        if len(count) == 1:
            total += factor * sizes[count[0]]
        else:
            assert count[1] < len(shapes[count[0]]), "a dimension that is not there"
            total += factor * shapes[count[0]][count[1]]
    assert 0 <= total <= MAX_DIM, "a size below 0 or beyond every dimension"
    return total


def check_symbols(symbols, places, n_inputs):
    assert symbols, "no symbols"
    for index, s in enumerate(symbols):
        assert 1 <= len(s.name.encode()) <= 255, "a bad name"
        assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in s.name), "a bad name"
        assert s.name not in [other.name for other in symbols[:index]], "a name twice"
        assert 1 <= s.least <= s.most <= MAX_DIM and s.step >= 1 and (s.most - s.least) % s.step == 0, "no range"
        assert s.allows(s.stored), "a stored size that is not possible"
        used = [p for p in places if p.value < n_inputs and p.terms and any(count == (index,) for _, count in p.terms)]
        assert used, "a symbol that is the size of nothing"


def check(open_sizes, graph, at):
    """Rule F-31."""
    symbols, places = open_sizes
    n_inputs, sizes = graph.n_inputs, [s.stored for s in symbols]
    try:
        check_symbols(symbols, places, n_inputs)
        order = [(p.value, p.number) for p in places]
        assert all(a < b for a, b in zip(order, order[1:])), "places not ascending"
        rests = [p.value for p in places if p.terms is None]
        assert len(rests) == len(set(rests)), "the rest twice"
        for place in places:
            assert place.value < len(graph.shapes), "a value that is not there"
            if place.value < n_inputs:
                numbers, op = list(graph.shapes[place.value]), None
            else:
                node = graph.nodes[place.value - n_inputs]
                numbers, op = numbers_of(node), node.op
            assert place.number < len(numbers), "a number that is not there"
            if place.terms is None:
                assert op == "reshape", "the rest of something else than a reshape"
                continue
            check_sum(place, symbols, n_inputs)
            assert evaluate(place, sizes, graph.shapes) == numbers[place.number], "not as it is stored"
    except AssertionError as error:
        raise Refused("F-31", at, str(error)) from None


def check_sum(place, symbols, n_inputs):
    assert place.terms and abs(place.offset) <= MAX_DIM, "no sum"
    ranks = [(len(count), count) for _, count in place.terms]
    assert all(a < b for a, b in zip(ranks, ranks[1:])), "terms not ascending"
    for factor, count in place.terms:
        assert factor != 0 and abs(factor) <= MAX_DIM, "no factor"
        if len(count) == 1:
            assert count[0] < len(symbols), "a symbol that is not there"
        else:
            assert n_inputs <= count[0] < place.value, "a value that is not before"


def shapes_at(open_sizes, graph, sizes):
    """The shapes of all values at these sizes; AssertionError where the network cannot work at them."""
    symbols, places = open_sizes
    assert len(sizes) == len(symbols) and all(s.allows(n) for s, n in zip(symbols, sizes)), "not possible"
    shapes = [list(shape) for shape in graph.shapes[: graph.n_inputs]]
    of = {}
    for place in places:
        of.setdefault(place.value, []).append(place)
        if place.value < graph.n_inputs:
            shapes[place.value][place.number] = evaluate(place, sizes, shapes)
    shapes = [tuple(shape) for shape in shapes]
    for index, node in enumerate(graph.nodes):
        numbers, rest = numbers_of(node), None
        for place in of.get(graph.n_inputs + index, []):
            if place.terms is None:
                rest, numbers[place.number] = place.number, 1
            else:
                numbers[place.number] = evaluate(place, sizes, shapes)
        if rest is not None:
            elements = prod(shapes[node.inputs[0]])
            assert prod(numbers) and elements % prod(numbers) == 0, "no whole number of elements"
            numbers[rest] = elements // prod(numbers)
        changed = type(node)(node.op, node.stem, node.inputs, {**vars(node), **with_numbers(node, numbers)})
        shape = output_shape(changed, [shapes[v] for v in node.inputs])
        check_limits(shape)
        own = [(p.role, p.shape) for p in parameters_of(index, changed, shapes[node.inputs[0]])]
        assert own == [(p.role, p.shape) for p in graph.parameters if p.node == index], "a parameter of another shape"
        shapes.append(shape)
    return shapes


def summary(open_sizes, graph):
    """In the form of fixtures/good/*.json."""
    symbols, places = open_sizes
    return {
        "symbols": [[s.name, s.stored, s.least, s.most, s.step] for s in symbols],
        "places": [
            [p.value, p.number] + ([] if p.terms is None else [p.offset] + [[f, *count] for f, count in p.terms])
            for p in places
        ],
        "greatest": [list(shape) for shape in shapes_at(open_sizes, graph, [s.most for s in symbols])],
    }
