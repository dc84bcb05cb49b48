"""The network: nodes of the directory, shapes of all values, parameters. spec/format.md, "Graph"; interchange.md."""

import struct
from math import prod

from .cbor import Float
from .refused import Refused, need

MAX_NODES, MAX_RANK, MAX_DIM, MAX_ELEMENTS = 1 << 16, 6, 1 << 28, 1 << 34
MAX_HINT_STEPS = 64
MAX_INDICES = 1 << 16
HIGHEST = (2 - 2.0**-23) * 2.0**127  # the highest finite f32
REQUIRED = object()

# code: name, stem of default names, attributes with kind and default
OPERATORS = {
    0: ("linear", "fc", [("units", "size", REQUIRED), ("bias", "bool", True)]),
    1: (
        "conv2d",
        "conv",
        [
            ("channels", "size", REQUIRED),
            ("kernel", "pair", REQUIRED),
            ("stride", "pair", (1, 1)),
            ("padding", "padding", (0, 0, 0, 0)),
            ("dilation", "pair", (1, 1)),
            ("groups", "size", 1),
            ("bias", "bool", True),
        ],
    ),
    2: ("batch_norm", "bn", [("eps", "float", 9.999999747378752e-06)]),
    3: ("scale_bias", "scale", []),
    4: (
        "max_pool",
        "pool",
        [
            ("kernel", "pair", REQUIRED),
            ("stride", "pair", "kernel"),
            ("padding", "padding", (0, 0, 0, 0)),
            ("ceil", "bool", False),
        ],
    ),
    5: (
        "avg_pool",
        "pool",
        [
            ("kernel", "pair", REQUIRED),
            ("stride", "pair", "kernel"),
            ("padding", "padding", (0, 0, 0, 0)),
            ("ceil", "bool", False),
            ("padding_counts", "bool", True),
        ],
    ),
    6: ("global_avg_pool", "pool", []),
    7: ("relu", "relu", []),
    8: ("sigmoid", "sigmoid", []),
    9: ("tanh", "tanh", []),
    10: ("softmax", "softmax", []),
    11: ("add", "add", []),
    12: ("concat", "concat", []),
    13: ("flatten", "flatten", []),
    14: ("reshape", "reshape", [("shape", "sizes", REQUIRED)]),
    15: ("slice", "slice", [(name, "sizes", REQUIRED) for name in ("start", "end", "step")]),
    16: ("pad", "pad", [(name, "sizes", REQUIRED) for name in ("before", "after")]),
    17: ("mul", "mul", []),
    18: ("sub", "sub", []),
    19: ("div", "div", []),
    20: ("scale", "scale", [("factor", "float", 1.0), ("offset", "float", 0.0)]),
    21: ("clip", "clip", [("low", "float", -HIGHEST), ("high", "float", HIGHEST)]),
    22: ("leaky_relu", "leaky_relu", [("slope", "float", REQUIRED)]),
    23: ("prelu", "prelu", []),
    24: ("hard_sigmoid", "hard_sigmoid", [("slope", "float", REQUIRED), ("offset", "float", REQUIRED)]),
    25: ("hard_swish", "hard_swish", []),
    26: ("silu", "silu", []),
    27: ("log_softmax", "log_softmax", []),
    28: ("transpose", "transpose", [("axes", "sizes", REQUIRED)]),
    29: ("gather", "gather", [("axis", "size", REQUIRED), ("indices", "indices", REQUIRED)]),
    30: (
        "resize",
        "resize",
        [("size", "pair", REQUIRED)]
        + [(name, "float", REQUIRED) for name in ("step_v", "step_h", "offset_v", "offset_h")],
    ),
    31: (
        "local_response_norm",
        "lrn",
        [("size", "size", REQUIRED)] + [(name, "float", REQUIRED) for name in ("alpha", "beta", "bias_term")],
    ),
    32: ("spread", "spread", [("step", "pair", REQUIRED)]),
    33: ("unary", "unary", [("function", "size", REQUIRED)]),
    34: ("binary", "binary", [("function", "size", REQUIRED)]),
    35: ("select", "select", []),
    36: ("reduce", "reduce", [("function", "size", REQUIRED), ("axes", "sizes", REQUIRED)]),
    37: ("mat_mul", "matmul", []),
    38: ("constant", "constant", [("shape", "sizes", REQUIRED)]),
    39: ("embedding", "embedding", [("rows", "size", REQUIRED), ("features", "size", REQUIRED)]),
    40: ("take", "take", [("axis", "size", REQUIRED)]),
    41: ("scatter", "scatter", [("function", "size", REQUIRED)]),
    42: (
        "top_k",
        "topk",
        [("axis", "size", REQUIRED), ("k", "size", REQUIRED), ("largest", "bool", True), ("indices", "bool", False)],
    ),
    43: ("recurrent", "rnn", [("function", "size", REQUIRED), ("hidden", "size", REQUIRED), ("reverse", "bool", False)]),
}
# operator: how many functions it has, by number from 0
FUNCTIONS = {"unary": 27, "binary": 13, "reduce": 7, "scatter": 5, "recurrent": 5}
# by the function of a recurrent layer
GATES, STATES = (4, 3, 3, 1, 1), (2, 1, 1, 1, 1)
ELEMENTWISE = ("relu", "sigmoid", "tanh", "scale", "clip", "leaky_relu", "hard_sigmoid", "hard_swish", "silu")


class Node:
    """op: name; inputs: numbers of values; the attributes as members."""

    def __init__(self, op, stem, inputs, attributes):
        self.op, self.stem, self.inputs, self.name = op, stem, inputs, None
        self.__dict__.update(attributes)


class Parameter:
    """One tensor of the network: its node, what it is for, its shape."""

    def __init__(self, node, role, shape):
        self.node, self.role, self.shape, self.name = node, role, shape, None
        self.rows, self.cols = shape[0], prod(shape[1:])


def is_int(item):
    return isinstance(item, int) and not isinstance(item, bool)


def is_size(item):
    return is_int(item) and item >= 0


def is_sizes(item):
    return isinstance(item, list) and item and all(is_size(n) for n in item)


def f32(value):
    """The single-precision number nearest to a value."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def attribute(kind, item, at):
    """One attribute as a value; rules F-10 and F-11."""
    wrong = Refused("F-11", at, f"an attribute is not a {kind}")
    if kind == "size" and is_size(item):
        return item
    if kind == "bool" and isinstance(item, bool):
        return item
    if kind == "float" and isinstance(item, Float) and -HIGHEST <= item <= HIGHEST and f32(item) == item:
        return float(item)
    most = {"sizes": MAX_RANK, "indices": MAX_INDICES}.get(kind)
    if most and isinstance(item, list):
        need(len(item) <= most, "F-15", at, f"more than {most} numbers")
    if most and is_sizes(item):
        return tuple(item)
    n = {"pair": 2, "padding": 4}.get(kind)
    if n and is_size(item):
        return (item,) * n
    if n and is_sizes(item) and len(item) == n:
        need(len(set(item)) > 1, "F-10", at, "equal numbers are one number")
        return tuple(item)
    raise wrong


def read_node(item, value, at):
    """The node that makes the value of that number."""
    inputs = [value - 1]
    if is_size(item):
        item = [item]
    else:
        need(isinstance(item, list) and item, "F-11", at, "no node")
        need(len(item) > 1, "F-10", at, "a node of one number is no array")
        if isinstance(item[0], list):
            distances, item = item[0], item[1:]
            need(all(is_size(d) for d in distances), "F-11", at, "no inputs")
            need(distances != [1] and distances, "F-10", at, "the value before is the input without being listed")
            need(all(1 <= d <= value for d in distances), "F-11", at, "an input that is not before")
            inputs = [value - d for d in distances]
    need(item and is_size(item[0]) and item[0] in OPERATORS, "F-11", at, "an unknown operator")
    op, stem, known = OPERATORS[item[0]]
    given = item[1:]
    attributes, last_is_default = {}, False
    for i, (name, kind, default) in enumerate(known):
        default = attributes.get(default, default) if isinstance(default, str) else default
        if i < len(given):
            attributes[name] = attribute(kind, given[i], at)
            last_is_default = attributes[name] == default
        else:
            need(default is not REQUIRED, "F-11", at, f"{op} lacks {name}")
            attributes[name] = default
    need(len(given) <= len(known), "F-11", at, "more attributes than the operator has")
    need(attributes.get("function", 0) < FUNCTIONS.get(op, 1), "F-11", at, f"{op} has no such function")
    need(not last_is_default, "F-10", at, "a last attribute that has its default is left out")
    return Node(op, stem, inputs, attributes)


def window(size, before, after, kernel, stride, dilation, ceil):
    """How many windows fit along one dimension, as in PyTorch."""
    assert kernel and stride and dilation, "a window of nothing"
    room = size + before + after - dilation * (kernel - 1) - 1
    assert room >= 0, "a window that does not fit"
    n = room // stride + 1
    if ceil and room % stride and n * stride < size + before:
        n += 1
    return n


def repeated(x, y):
    """The shape of an operator on two values, each repeated along the dimensions where it is 1 and the other is not."""
    fits = len(x) == len(y) and all(a == b or 1 in (a, b) for a, b in zip(x, y))
    assert fits, "shapes differ where neither is 1"
    return tuple(map(max, x, y))


def output_shape(node, shapes):
    """The shape that a node makes; AssertionError if it cannot work on what it is given."""
    x = shapes[0]
    pairwise = node.op in ("add", "mul", "sub", "div", "binary")
    if node.op == "concat":
        arity = len(shapes) >= 2
    else:
        wanted = 2 if pairwise or node.op in ("mat_mul", "take") else 3 if node.op in ("select", "scatter", "recurrent") else 1
        arity = len(shapes) == wanted
    assert arity, f"{node.op} has {len(shapes)} inputs"
    if node.op == "linear":
        assert len(x) == 1, "linear works on a vector"
        return (node.units,)
    if node.op in ("conv2d", "max_pool", "avg_pool", "global_avg_pool"):
        assert len(x) == 3, f"{node.op} works on an image"
        if node.op == "global_avg_pool":
            return (x[0], 1, 1)
        top, left, bottom, right = node.padding
        dilation, ceil, channels = (1, 1), False, x[0]
        if node.op == "conv2d":
            dilation, channels = node.dilation, node.channels
            assert node.groups and x[0] % node.groups == 0 and channels % node.groups == 0, "groups do not divide"
        else:
            ceil = node.ceil
            assert max(top, bottom) < node.kernel[0] and max(left, right) < node.kernel[1], "padding beyond the window"
        h = window(x[1], top, bottom, node.kernel[0], node.stride[0], dilation[0], ceil)
        w = window(x[2], left, right, node.kernel[1], node.stride[1], dilation[1], ceil)
        return (channels, h, w)
    if pairwise:
        return repeated(x, shapes[1])
    if node.op == "select":
        return repeated(x, repeated(shapes[1], shapes[2]))
    if node.op == "reduce":
        assert list(node.axes) == sorted(set(node.axes)) and node.axes[-1] < len(x), "no ascending dimensions"
        return tuple(1 if d in node.axes else n for d, n in enumerate(x))
    if node.op == "mat_mul":
        y = shapes[1]
        assert len(x) >= 2 and len(y) >= 2 and x[-1] == y[-2], "no matrices that can be multiplied"
        return (*repeated(x[:-2], y[:-2]), x[-2], y[-1])
    if node.op == "constant":
        return node.shape
    if node.op == "embedding":
        return (*x, node.features)
    if node.op == "take":
        assert node.axis < len(x), "a dimension that is not there"
        return (*x[: node.axis], *shapes[1], *x[node.axis + 1 :])
    if node.op == "scatter":
        assert len(x) == 2 and len(shapes[1]) == 1 and shapes[2] == (shapes[1][0], x[1]), "no rows for indices"
        return x
    if node.op == "recurrent":
        width = GATES[node.function] * node.hidden
        assert len(x) == 3 and x[2] == width and shapes[1] == shapes[2] == (x[1], node.hidden), "no sequence and states"
        return (x[0], x[1], STATES[node.function] * node.hidden)
    if node.op == "top_k":
        assert node.axis < len(x) and 1 <= node.k <= x[node.axis], "fewer elements than are asked for"
        return (*x[: node.axis], node.k, *x[node.axis + 1 :])
    if node.op == "concat":
        assert all(len(s) == len(x) and s[1:] == x[1:] for s in shapes), "shapes differ beyond the first dimension"
        return (sum(s[0] for s in shapes), *x[1:])
    if node.op == "flatten":
        return (prod(x),)
    if node.op == "reshape":
        check_limits(node.shape)
        assert prod(node.shape) == prod(x), "another number of elements"
        return node.shape
    if node.op == "slice":
        assert len(x) == len(node.start) == len(node.end) == len(node.step), "one number a dimension"
        parts = list(zip(node.start, node.end, node.step, x))
        assert all(start < end <= dim and step for start, end, step, dim in parts), "not a part"
        return tuple(-(-(end - start) // step) for start, end, step, _ in parts)
    if node.op == "pad":
        assert len(x) == len(node.before) == len(node.after), "one number a dimension"
        return tuple(b + d + a for b, d, a in zip(node.before, x, node.after))
    if node.op == "batch_norm":
        assert node.eps >= 0, "eps below 0"
    if node.op == "transpose":
        assert sorted(node.axes) == list(range(len(x))), "no order of the dimensions"
        return tuple(x[axis] for axis in node.axes)
    if node.op == "gather":
        assert node.axis < len(x) and max(node.indices) < x[node.axis], "an index outside its dimension"
        return (*x[: node.axis], len(node.indices), *x[node.axis + 1 :])
    if node.op == "resize":
        assert len(x) == 3 and min(node.step_v, node.step_h) >= 0, "no image, or a step below 0"
        return (x[0], *node.size)
    if node.op == "spread":
        assert len(x) == 3 and min(node.step) >= 1, "no image, or a distance of 0"
        return (x[0], (x[1] - 1) * node.step[0] + 1, (x[2] - 1) * node.step[1] + 1)
    if node.op == "local_response_norm":
        assert node.size >= 1 and node.alpha >= 0 and node.bias_term > 0, "no divisor above 0"
    if node.op == "clip":
        assert node.low <= node.high, "no range"
    return x


def check_limits(shape):
    assert 1 <= len(shape) <= MAX_RANK, "a shape of 0 or more than 6 dimensions"
    assert all(1 <= d <= MAX_DIM for d in shape) and prod(shape) <= MAX_ELEMENTS, "a dimension of 0 or beyond the limits"


def parameters_of(index, node, x):
    """The parameters of a node that works on shape x."""
    bias = lambda n: [("bias", (n,))] if node.bias else []
    if node.op == "linear":
        own = [("weight", (node.units, x[0]))] + bias(node.units)
    elif node.op == "conv2d":
        own = [("weight", (node.channels, x[0] // node.groups, *node.kernel))] + bias(node.channels)
    elif node.op == "batch_norm":
        own = [(role, (x[0],)) for role in ("weight", "bias", "running_mean", "running_var")]
    elif node.op == "prelu":
        own = [("weight", (x[0],))]
    elif node.op == "constant":
        own = [("value", node.shape)]
    elif node.op == "recurrent":
        rows = GATES[node.function] * node.hidden
        own = [("weight", (rows, node.hidden)), ("bias", (rows,))]
    elif node.op == "embedding":
        own = [("weight", (node.rows, node.features))]
    elif node.op == "scale_bias":
        own = [(role, (x[0],)) for role in ("weight", "bias")]
    else:
        own = []
    return [Parameter(index, role, shape) for role, shape in own]


class Graph:
    """Inputs, nodes, outputs; shapes of all values; parameters in order. Rule F-12."""

    def __init__(self, inputs, nodes, outputs, names, at):
        self.inputs, self.nodes = inputs, nodes
        self.n_inputs = len(inputs)
        last = len(inputs) + len(nodes) - 1
        need(outputs != [last], "F-10", at, "the last value is the output without being listed")
        self.outputs = [last] if outputs is None else outputs
        self.shapes, self.parameters = [tuple(s) for s in inputs], []
        try:
            assert 1 <= len(nodes) <= MAX_NODES, "no nodes, or too many"
            for shape in self.shapes:
                check_limits(shape)
            for index, node in enumerate(nodes):
                shape = output_shape(node, [self.shapes[v] for v in node.inputs])
                check_limits(shape)
                own = parameters_of(index, node, self.shapes[node.inputs[0]])
                for parameter in own:
                    check_limits(parameter.shape)
                self.shapes.append(shape)
                self.parameters += own
            assert self.outputs and all(v <= last for v in self.outputs), "an output that is not there"
            self.name(names)
        except AssertionError as error:
            raise Refused("F-12", at, str(error)) from None

    def name(self, names):
        n = len(self.inputs)
        if names is None:
            names = ["input"] if n == 1 else [f"input{i + 1}" for i in range(n)]
            counts = {}
            for node in self.nodes:
                counts[node.stem] = counts.get(node.stem, 0) + 1
                names.append(f"{node.stem}{counts[node.stem]}")
        assert len(names) == n + len(self.nodes) == len(set(names)), "not one name for each input and node"
        for name in names:
            assert 1 <= len(name.encode()) <= 255 and not any(c < " " or "\x7f" <= c <= "\x9f" for c in name), "a bad name"
        self.names = names
        for node, name in zip(self.nodes, names[n:]):
            node.name = name
        for parameter in self.parameters:
            parameter.name = f"{self.nodes[parameter.node].name}.{parameter.role}"

    def hints(self, index):
        """(producer's number or None, span, grid or None) of a weight. spec/format.md, "The pool"."""
        node = self.nodes[self.parameters[index].node]
        value, span, grid, producer = node.inputs[0], 1, None, None
        for _ in range(MAX_HINT_STEPS):
            if value < self.n_inputs:
                break
            maker = self.nodes[value - self.n_inputs]
            before = maker.inputs[0]
            if maker.op in ("linear", "conv2d"):
                place = value - self.n_inputs
                producer = next(i for i, p in enumerate(self.parameters) if p.node == place and p.role == "weight")
                break
            if maker.op == "flatten":
                rest = self.shapes[before][1:]
                span *= prod(rest)
                if len(rest) == 2:
                    grid = rest
            elif maker.op not in ("batch_norm", "scale_bias", "max_pool", "avg_pool", "global_avg_pool", *ELEMENTWISE):
                break
            value = before
        if node.op == "conv2d":
            grid = node.kernel
            if node.groups > 1:
                producer = None
        if grid is None or tuple(grid) == (1, 1):
            grid = None
        return producer, span, grid
