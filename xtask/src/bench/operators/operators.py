"""Operators of transformers and recurrent networks beside ONNX Runtime: `python operators.py KOMPAKT LIBRARY TOOLS FOLDER ROUNDS [NAME…]`.

Each row is a small ONNX file with random weights, written here. ONNX Runtime runs it as it is, the loader as `kompakt import` and
`kompakt pack` make it: f32, nothing compressed. One thread each, by turns, the minimum of all calls. A table on stdout.
"""

import pathlib
import subprocess
import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

KOMPAKT, LIBRARY, TOOLS, FOLDER, ROUNDS = sys.argv[1:6]
sys.path.insert(0, TOOLS)
from wild import Packed  # noqa: E402

# Seconds of a turn.
TURN = 0.02
ROWS = []


def row(group, name):
    """Registers `f(net)`, which builds a network and returns its output."""

    def register(f):
        ROWS.append((group, name, f))
        return f

    return register


class Net:
    """Nodes, weights and inputs; every method returns the name of a value."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initial, self.inputs, self.feed = [], [], [], {}

    def const(self, array):
        name = f"c{len(self.initial)}"
        self.initial.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape, scale=None):
        scale = scale or shape[-1] ** -0.5
        return self.const((self.random.standard_normal(shape) * scale).astype(np.float32))

    def input(self, *shape, tokens=None):
        name, kind = f"x{len(self.inputs)}", TensorProto.INT64 if tokens else TensorProto.FLOAT
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        numbers = self.random.integers(0, tokens, shape) if tokens else self.random.standard_normal(shape).astype(np.float32)
        self.feed[name] = numbers
        return name

    def add(self, op, *inputs, outputs=1, **attributes):
        inputs = [i if isinstance(i, str) else self.const(i) for i in inputs]
        names = [f"v{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, i, o):
        return self.add("Add", self.add("MatMul", x, self.weight(i, o)), self.weight(o))

    def norm(self, x, n):
        return self.add("LayerNormalization", x, self.weight(n, scale=1.0), self.weight(n), axis=-1)

    def gelu(self, x):
        half = self.add("Mul", x, np.float32(0.5))
        return self.add("Mul", half, self.add("Add", self.add("Erf", self.add("Div", x, np.float32(2**0.5))), np.float32(1)))

    def scored(self, q, k, v, size, mask=None):
        """The mean of the values, by the softmax of the products of queries and keys."""
        scores = self.add("MatMul", q, self.add("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.add("Div", scores, np.float32(size**0.5))
        scores = self.add("Add", scores, mask) if mask else scores
        return self.add("MatMul", self.add("Softmax", scores, axis=-1), v)

    def attention(self, x, tokens, width, heads, mask=None, past=0):
        size = width // heads

        def divided(y):
            return self.add("Transpose", self.add("Reshape", y, np.array([0, tokens, heads, size])), perm=[0, 2, 1, 3])

        q, k, v = (divided(self.linear(x, width, width)) for _ in range(3))
        if past:
            k, v = (self.add("Concat", self.input(1, heads, past, size), new, axis=2) for new in (k, v))
        y = self.add("Transpose", self.scored(q, k, v, size, mask), perm=[0, 2, 1, 3])
        return self.linear(self.add("Reshape", y, np.array([0, tokens, width])), width, width)

    def recurrent(self, op, x, gates, i, hidden, both=False, **more):
        n = 2 if both else 1
        weights = [self.weight(n, gates * hidden, i), self.weight(n, gates * hidden, hidden), self.weight(n, 2 * gates * hidden)]
        direction = "bidirectional" if both else "forward"
        return self.add(op, x, *weights, hidden_size=hidden, direction=direction, **more)

    def model(self, output):
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "operator", self.inputs, outputs, self.initial)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@row("attention", "layer of ViT-tiny: 197 places, 192 wide, 3 heads")
def _(n):
    return n.attention(n.input(1, 197, 192), 197, 192, 3)


@row("attention", "layer of MiniLM with a mask: 128 tokens, 384 wide, 12 heads")
def _(n):
    x = n.input(1, 128, 384)
    mask = n.add("Mul", n.add("Sub", np.float32(1), n.add("Cast", n.input(1, 1, 1, 128, tokens=2), to=TensorProto.FLOAT)), np.float32(-10000))
    return n.attention(x, 128, 384, 12, mask)


@row("attention", "one token behind 256 in a cache: 512 wide, 8 heads")
def _(n):
    return n.attention(n.input(1, 1, 512), 1, 512, 8, past=256)


@row("attention", "products and softmax alone: 3 heads of 197 x 64")
def _(n):
    q, k, v = (n.input(1, 3, 197, 64) for _ in range(3))
    return n.scored(q, k, v, 64)


@row("attention", "the same, 12 heads of 128 x 32")
def _(n):
    q, k, v = (n.input(1, 12, 128, 32) for _ in range(3))
    return n.scored(q, k, v, 32)


@row("attention", "whole encoder block of ViT-tiny")
def _(n):
    x = n.input(1, 197, 192)
    x = n.add("Add", x, n.attention(n.norm(x, 192), 197, 192, 3))
    return n.add("Add", x, n.linear(n.gelu(n.linear(n.norm(x, 192), 192, 768)), 768, 192))


def chained(x, make):
    """Four of an operator one after another, so that what goes in and out counts little."""
    for _ in range(4):
        x = make(x)
    return x


@row("four after one another", "layer norm, 197 x 192")
def _(n):
    return chained(n.input(1, 197, 192), lambda x: n.norm(x, 192))


@row("four after one another", "layer norm, 512 x 768")
def _(n):
    return chained(n.input(1, 512, 768), lambda x: n.norm(x, 768))


@row("four after one another", "layer norm spelled out, 197 x 192")
def _(n):
    def norm(x):
        d = n.add("Sub", x, n.add("ReduceMean", x, axes=[-1]))
        variance = n.add("ReduceMean", n.add("Pow", d, np.float32(2)), axes=[-1])
        y = n.add("Div", d, n.add("Sqrt", n.add("Add", variance, np.float32(1e-5))))
        return n.add("Add", n.add("Mul", y, n.weight(192, scale=1.0)), n.weight(192))

    return chained(n.input(1, 197, 192), norm)


@row("four after one another", "instance norm, 32 channels of 56 x 56")
def _(n):
    return chained(n.input(1, 32, 56, 56), lambda x: n.add("InstanceNormalization", x, n.weight(32, scale=1.0), n.weight(32)))


@row("four after one another", "softmax, 12 x 128 x 128")
def _(n):
    return chained(n.input(1, 12, 128, 128), lambda x: n.add("Softmax", x, axis=-1))


@row("four after one another", "GELU, 197 x 768")
def _(n):
    return chained(n.input(1, 197, 768), n.gelu)


@row("four after one another", "heads to the front and back, 197 x 12 x 64")
def _(n):
    # A sum between them, so that none cancels another.
    def turned(x):
        return n.add("Transpose", n.add("Add", x, n.weight(64)), perm=[0, 2, 1, 3])

    return chained(n.input(1, 197, 12, 64), turned)


@row("once", "mean over 197 places, 192 wide")
def _(n):
    return n.add("ReduceMean", n.input(1, 197, 192), axes=[1])


@row("once", "embedding, 512 of 10000 rows, 384 wide")
def _(n):
    return n.add("Gather", n.weight(10000, 384), n.input(1, 512, tokens=10000))


def recurrences():
    for op, gates, more in [("LSTM", 4, {}), ("GRU", 3, {"linear_before_reset": 1}), ("GRU", 3, {}), ("RNN", 1, {})]:
        name = op + (", reset first" if op == "GRU" and not more else "")
        shapes = [(100, 1, 128, 128, False), (50, 1, 256, 256, True), (50, 8, 128, 256, False)]
        shapes += [(1, 1, 128, 128, False)] if op == "LSTM" else []
        for time, batch, i, hidden, both in shapes:
            steps = "one step" if time == 1 else f"{time} steps"
            text = f"{name}: {steps}, {i} to {hidden}" + (", both directions" if both else "") + (f", batch of {batch}" if batch > 1 else "")

            def build(n, op=op, gates=gates, more=more, sizes=(time, batch, i), hidden=hidden, both=both):
                return n.recurrent(op, n.input(*sizes), gates, sizes[2], hidden, both, **more)

            row("recurrence", text)(build)


recurrences()


def times(runs):
    """The least seconds of each, by turns."""
    least = [float("inf")] * len(runs)
    for run in runs:
        run()
    for _ in range(int(ROUNDS)):
        for i, run in enumerate(runs):
            end = time.perf_counter() + TURN
            while (start := time.perf_counter()) < end:
                run()
                least[i] = min(least[i], time.perf_counter() - start)
    return least


def measured(path, build, seed):
    """Milliseconds of both, and the largest difference as a part of the largest number."""
    net = Net(seed)
    data = net.model(build(net)).SerializeToString()
    path.with_suffix(".onnx").write_bytes(data)
    for command in (["import", path.with_suffix(".onnx"), "-o", path.with_suffix(".safetensors")], ["pack", path.with_suffix(".safetensors"), "-o", path.with_suffix(".kompakt")]):
        made = subprocess.run([KOMPAKT, *command], capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"kompakt {command[0]}: {made.stderr}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    theirs = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    ours = Packed(LIBRARY, path.with_suffix(".kompakt"))
    run = ours.prepared(net.feed)
    a, b = theirs.run(None, net.feed)[0], run()[0]
    off = np.abs(a.ravel() - b).max() / np.abs(a).max()
    return [1e3 * t for t in times([run, lambda: theirs.run(None, net.feed)])], off


def main():
    folder, only = pathlib.Path(FOLDER), sys.argv[6:]
    group = None
    for i, (of, name, build) in enumerate(ROWS):
        if only and not any(part in f"{of}: {name}" for part in only):
            continue
        (ours, theirs), off = measured(folder / f"{i}", build, i)
        if of != group:
            print(f"\n| {of} | kompakt | ONNX Runtime | ratio | difference |\n|---|---|---|---|---|")
            group = of
        print(f"| {name} | {ours:.3f} ms | {theirs:.3f} ms | {ours / theirs:.2f} | {off:.0e} |", flush=True)


if __name__ == "__main__":
    main()
