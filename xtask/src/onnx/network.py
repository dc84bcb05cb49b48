"""Small networks with random weights, and what ONNX Runtime answers: the builder, with fixtures/onnx on PYTHONPATH.

A module registers functions by `network`, and ends with `main(FUNCTION)`: each becomes cases OUT/FUNCTION--NAME-N.safetensors, one per
size at the first batch, and one per further batch at the first size. Integer inputs are written as floats, as the loader takes them.
"""

import sys
import zlib
from pathlib import Path

import make_cases
import numpy as np

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TABLE = []


class Random:
    """The generator of the case that is being made."""

    now = None

    def __getattr__(self, name):
        return getattr(self.now, name)


RNG = Random()


def network(name, *sizes, batches=(1,), opset=17):
    """Registers `f(net, size)`, which builds a network for a size and `net.batch`, and returns its outputs."""
    sizes = sizes or (0,)

    def register(f):
        TABLE.append((name, [(s, batches[0]) for s in sizes] + [(sizes[0], b) for b in batches[1:]], opset, f))
        return f

    return register


class Net:
    """Nodes, constants and inputs with what they are given; every method returns the name of a value."""

    def __init__(self, batch):
        self.batch = batch
        self.nodes, self.initial, self.inputs, self.arrays = [], [], [], []

    def name(self, kind):
        return f"{kind}{len(self.nodes) + len(self.initial) + len(self.inputs)}"

    def const(self, array):
        name = self.name("c")
        self.initial.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape, scale=None):
        return self.const(self.weights(*shape, scale=scale))

    def weights(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(max(shape[0], 1))
        return (RNG.standard_normal(shape) * scale).astype(np.float32)

    def input(self, array, kind=TensorProto.FLOAT):
        name = self.name("x")
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(array.shape)))
        self.arrays.append(array)
        return name

    def floats(self, *shape):
        return self.input(RNG.standard_normal(shape).astype(np.float32))

    def add(self, op, *inputs, outputs=1, **attributes):
        inputs = [i if isinstance(i, str) else self.const(i) for i in inputs]
        names = [self.name("v") + f"_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, i, o):
        return self.add("Add", self.add("MatMul", x, self.weight(i, o)), self.weight(o))

    def norm(self, x, n):
        return self.add("LayerNormalization", x, (1 + 0.1 * RNG.standard_normal(n)).astype(np.float32), self.weight(n), axis=-1)

    def gelu(self, x):
        half = self.add("Mul", x, np.float32(0.5))
        return self.add("Mul", half, self.add("Add", self.add("Erf", self.add("Div", x, np.float32(2**0.5))), np.float32(1)))

    def conv(self, x, i, o, k=3, stride=1, groups=1, rank=2, pad=None):
        pad = (k // 2 if pad is None else pad)
        w = self.weight(o, i // groups, *[k] * rank, scale=1 / np.sqrt(i // groups * k**rank))
        return self.add("Conv", x, w, self.weight(o), strides=[stride] * rank, pads=[pad] * 2 * rank, group=groups)

    def heads(self, x, tokens, n, size):
        return self.add("Transpose", self.add("Reshape", x, np.array([0, tokens, n, size])), perm=[0, 2, 1, 3])

    def attention(self, x, tokens, width, n, mask=None, past=None):
        q, k, v = (self.heads(self.linear(x, width, width), tokens, n, width // n) for _ in range(3))
        if past:
            k, v = (self.add("Concat", p, new, axis=2) for p, new in zip(past, (k, v)))
        scores = self.add("MatMul", q, self.add("Transpose", k, perm=[0, 1, 3, 2]))
        scores = self.add("Div", scores, np.float32((width / n) ** 0.5))
        if mask is not None:
            scores = self.add("Add", scores, mask)
        y = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        y = self.add("Reshape", self.add("Transpose", y, perm=[0, 2, 1, 3]), np.array([0, tokens, width]))
        return self.linear(y, width, width), k, v

    def block(self, x, tokens, width, n, **more):
        y, k, v = self.attention(self.norm(x, width), tokens, width, n, **more)
        x = self.add("Add", x, y)
        y = self.linear(self.gelu(self.linear(self.norm(x, width), width, 4 * width)), 4 * width, width)
        return self.add("Add", x, y), k, v


def main(function):
    out = Path(sys.argv[1])
    n_cases = 0
    for name, sizes, opset, f in TABLE:
        for i, (size, batch) in enumerate(sizes):
            Random.now = np.random.default_rng(zlib.crc32(f"{name} {i}".encode()))
            net = Net(batch)
            outputs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in f(net, size)]
            graph = helper.make_graph(net.nodes, "network", net.inputs, outputs, net.initial)
            opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
            model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
            data = model.SerializeToString()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            feeds = {v.name: a for v, a in zip(net.inputs, net.arrays)}
            tensors = {"model": ("U8", [len(data)], data)}
            for kind, arrays in [("input", net.arrays), ("output", session.run(None, feeds))]:
                for j, array in enumerate(arrays):
                    array = np.ascontiguousarray(array.astype(np.float32))
                    tensors[f"{kind}.{j}"] = ("F32", array.shape, array.tobytes())
            make_cases.safetensors(out / f"{function}--{name}-{i}.safetensors", tensors)
            n_cases += 1
    print(f"{n_cases} cases of {len(TABLE)} {function}s")
