"""Typical networks, small and with random weights: `python networks.py OUT`, with fixtures/onnx on PYTHONPATH.

Each becomes cases OUT/network--NAME-N.safetensors, one per length or size, beside those of spellings.py; what ONNX Runtime answers is in
each. Integer inputs are written as floats, as the loader takes them.
"""

import sys
import zlib
from pathlib import Path

import make_cases
import numpy as np

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = None
TABLE = []


def network(name, *sizes, opset=17):
    """Registers `f(net, size)`, which builds a network for each size and returns its outputs."""

    def register(f):
        TABLE.append((name, sizes or (0,), opset, f))
        return f

    return register


class Net:
    """Nodes, constants and inputs with what they are given; every method returns the name of a value."""

    def __init__(self):
        self.nodes, self.initial, self.inputs, self.arrays = [], [], [], []

    def name(self, kind):
        return f"{kind}{len(self.nodes) + len(self.initial) + len(self.inputs)}"

    def const(self, array):
        name = self.name("c")
        self.initial.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(max(shape[0], 1))
        return self.const((RNG.standard_normal(shape) * scale).astype(np.float32))

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


@network("ViT-tiny", 32, 48)
def vit(n, side):
    width, tokens = 48, (side // 8) ** 2
    x = n.conv(n.floats(1, 3, side, side), 3, width, 8, 8, pad=0)
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, width, tokens])), perm=[0, 2, 1])
    x = n.add("Concat", n.weight(1, 1, width), x, axis=1)
    x = n.add("Add", x, n.weight(1, tokens + 1, width))
    for _ in range(2):
        x, _, _ = n.block(x, tokens + 1, width, 3)
    return [n.linear(n.add("Gather", n.norm(x, width), np.int64(0), axis=1), width, 10)]


@network("DeiT, two heads", 32)
def deit(n, side):
    width, tokens = 48, (side // 8) ** 2
    x = n.conv(n.floats(2, 3, side, side), 3, width, 8, 8, pad=0)
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, width, tokens])), perm=[0, 2, 1])
    x = n.add("Concat", n.const(np.zeros((2, 2, width), np.float32)), x, axis=1)
    x, _, _ = n.block(n.add("Add", x, n.weight(1, tokens + 2, width)), tokens + 2, width, 3)
    a, b = (n.linear(n.add("Gather", x, np.int64(i), axis=1), width, 10) for i in range(2))
    return [n.add("Div", n.add("Add", a, b), np.float32(2))]


@network("MobileViT block", 16, 24)
def mobilevit(n, side):
    x = n.add("Mul", *(lambda y: (y, n.add("Sigmoid", y)))(n.conv(n.floats(1, 8, side, side), 8, 24)))
    h = side // 2
    y = n.add("Reshape", x, np.array([24, h, 2, h, 2]))
    y = n.add("Transpose", y, perm=[2, 4, 1, 3, 0])
    y = n.add("Reshape", y, np.array([4, h * h, 24]))
    y, _, _ = n.block(y, h * h, 24, 2)
    y = n.add("Transpose", n.add("Reshape", y, np.array([2, 2, h, h, 24])), perm=[4, 2, 0, 3, 1])
    y = n.add("Reshape", y, np.array([1, 24, side, side]))
    return [n.conv(n.add("Concat", x, y, axis=1), 48, 8)]


@network("BERT-tiny with a mask", 12, 20)
def bert(n, tokens):
    width = 32
    ids = n.input(RNG.integers(0, 100, (2, tokens)), TensorProto.INT64)
    mask = n.input((np.arange(tokens)[None] < [[tokens], [tokens - 5]]).astype(np.int64), TensorProto.INT64)
    x = n.add("Add", n.add("Gather", n.weight(100, width, scale=1.0), ids), n.weight(tokens, width))
    x = n.norm(x, width)
    bias = n.add("Cast", n.add("Unsqueeze", mask, np.array([1, 2])), to=TensorProto.FLOAT)
    bias = n.add("Mul", n.add("Sub", np.float32(1), bias), np.float32(-10000))
    for _ in range(2):
        x, _, _ = n.block(x, tokens, width, 4, mask=bias)
    weights = n.add("Unsqueeze", n.add("Cast", mask, to=TensorProto.FLOAT), np.array([2]))
    total = n.add("ReduceSum", n.add("Mul", x, weights), np.array([1]), keepdims=0)
    mean = n.add("Div", total, n.add("ReduceSum", weights, np.array([1]), keepdims=0))
    length = n.add("ReduceL2", mean, axes=[1], keepdims=1)
    return [n.add("Div", mean, length), n.add("Tanh", n.linear(n.add("Gather", x, np.int64(0), axis=1), width, width))]


@network("GPT block with a cache", 7)
def gpt(n, past):
    width, heads, tokens = 32, 4, 3
    ids = n.input(RNG.integers(0, 50, (1, tokens)), TensorProto.INT64)
    keys, values = (n.floats(1, heads, past, width // heads) for _ in range(2))
    positions = n.add("Gather", n.weight(64, width), np.arange(past, past + tokens)[None])
    x = n.add("Add", n.add("Gather", n.weight(50, width), ids), positions)
    causal = np.triu(np.full((tokens, past + tokens), -1e9, np.float32), past + 1)
    x, k, v = n.block(x, tokens, width, heads, mask=causal, past=(keys, values))
    return [n.add("LogSoftmax", n.linear(n.norm(x, width), width, 50), axis=-1), k, v]


@network("wav2vec-like", 400, 560)
def wav2vec(n, length):
    x = n.floats(1, 1, length)
    for i, (a, b, k, s) in enumerate([(1, 16, 10, 5), (16, 24, 3, 2), (24, 24, 3, 2)]):
        x = n.conv(x, a, b, k, s, rank=1, pad=0)
        length = (length - k) // s + 1
        if i == 0:
            scale, shift = n.weight(b), n.weight(b)
            x = n.add("InstanceNormalization", x, scale, shift)
        x = n.gelu(x)
    x = n.norm(n.add("Transpose", x, perm=[0, 2, 1]), 24)
    x, _, _ = n.block(x, length, 24, 2)
    return [n.linear(x, 24, 30)]


def recurrent(op, gates, **more):
    def build(n, length):
        hidden, two = 12, 2
        ids = n.input(RNG.integers(0, 40, (1, length)), TensorProto.INT64)
        x = n.add("Transpose", n.add("Gather", n.weight(40, 10, scale=1.0), ids), perm=[1, 0, 2])
        weights = [n.weight(two, gates * hidden, 10), n.weight(two, gates * hidden, hidden), n.weight(two, 2 * gates * hidden)]
        y = n.add(op, x, *weights, outputs=1, hidden_size=hidden, direction="bidirectional", **more)
        y = n.add("Reshape", n.add("Transpose", y, perm=[2, 0, 1, 3]), np.array([1, length, two * hidden]))
        return [n.add("LogSoftmax", n.linear(y, two * hidden, 9), axis=-1)]

    return build


network("LSTM tagger", 9, 15)(recurrent("LSTM", 4))
network("GRU tagger", 9, 15)(recurrent("GRU", 3, linear_before_reset=1))
network("GRU tagger, reset first", 9)(recurrent("GRU", 3))
network("RNN tagger", 9)(recurrent("RNN", 1))


@network("CRNN", 64, 96)
def crnn(n, width):
    x = n.add("Relu", n.conv(n.floats(1, 1, 16, width), 1, 12, stride=2))
    x = n.add("Relu", n.conv(x, 12, 24, stride=2))
    x = n.add("MaxPool", x, kernel_shape=[4, 1], strides=[4, 1])
    x = n.add("Transpose", n.add("Squeeze", x, np.array([2])), perm=[2, 0, 1])
    weights = [n.weight(2, 64, 24), n.weight(2, 64, 16), n.weight(2, 128)]
    y = n.add("LSTM", x, *weights, hidden_size=16, direction="bidirectional")
    y = n.add("Reshape", n.add("Transpose", y, perm=[0, 2, 1, 3]), np.array([width // 4, 1, 32]))
    return [n.add("Softmax", n.linear(y, 32, 11), axis=2)]


@network("YOLOv8-n shape with decoding", 64, 96)
def yolo(n, side):
    silu = lambda y: n.add("Mul", y, n.add("Sigmoid", y))
    x = silu(n.conv(n.floats(1, 3, side, side), 3, 8, stride=2))
    x = silu(n.conv(x, 8, 16, stride=2))
    a, b = n.add("Split", silu(n.conv(x, 16, 16, 1)), np.array([8, 8]), outputs=2, axis=1)
    x = silu(n.conv(n.add("Concat", a, b, n.add("Add", b, silu(n.conv(b, 8, 8))), axis=1), 24, 16, 1))
    deep = silu(n.conv(x, 16, 16, stride=2))
    up = n.add("Resize", deep, "", np.array([1, 1, 2, 2], np.float32), mode="nearest")
    levels = [(n.conv(n.add("Concat", x, up, axis=1), 32, 4 * 4 + 5), side // 4, 4), (n.conv(deep, 16, 4 * 4 + 5), side // 8, 8)]
    flat = [n.add("Reshape", y, np.array([1, 21, -1])) for y, _, _ in levels]
    y = n.add("Concat", *flat, axis=2)
    boxes, classes = n.add("Split", y, np.array([16, 5]), outputs=2, axis=1)
    boxes = n.add("Reshape", boxes, np.array([1, 4, 4, -1]))
    boxes = n.add("Softmax", n.add("Transpose", boxes, perm=[0, 2, 1, 3]), axis=1)
    boxes = n.add("Conv", boxes, np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))
    boxes = n.add("Squeeze", boxes, np.array([1]))
    low, high = n.add("Split", boxes, np.array([2, 2]), outputs=2, axis=1)
    grid = np.concatenate([np.stack(np.meshgrid(np.arange(k) + 0.5, np.arange(k) + 0.5)).reshape(2, -1) for _, k, _ in levels], 1)
    strides = np.concatenate([np.full(k * k, s) for _, k, s in levels])
    a = n.add("Sub", grid[None].astype(np.float32), low)
    b = n.add("Add", grid[None].astype(np.float32), high)
    centre = n.add("Div", n.add("Add", a, b), np.float32(2))
    boxes = n.add("Mul", n.add("Concat", centre, n.add("Sub", b, a), axis=1), strides[None].astype(np.float32))
    return [n.add("Concat", boxes, n.add("Sigmoid", classes), axis=1)]


@network("ConvNeXt", 32, 48)
def convnext(n, side):
    x = n.conv(n.floats(2, 3, side, side), 3, 16, 4, 4, pad=0)
    for _ in range(2):
        y = n.add("Transpose", n.conv(x, 16, 16, 7, groups=16), perm=[0, 2, 3, 1])
        y = n.linear(n.gelu(n.linear(n.norm(y, 16), 16, 64)), 64, 16)
        y = n.add("Mul", n.weight(16), y)
        x = n.add("Add", x, n.add("Transpose", y, perm=[0, 3, 1, 2]))
    return [n.linear(n.norm(n.add("Flatten", n.add("GlobalAveragePool", x)), 16), 16, 10)]


@network("EfficientFormer block", 16)
def efficientformer(n, side):
    x = n.floats(1, 16, side, side)
    y = n.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=0)
    x = n.add("Add", x, n.add("Mul", n.add("Sub", y, x), n.weight(16, 1, 1)))
    x = n.conv(n.gelu(n.conv(x, 16, 32, 1)), 32, 16, stride=2)
    tokens = (side // 2) ** 2
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, 16, tokens])), perm=[0, 2, 1])
    x, _, _ = n.block(x, tokens, 16, 2)
    return [n.linear(n.add("ReduceMean", x, axes=[1], keepdims=0), 16, 10)]


def main():
    global RNG
    out = Path(sys.argv[1])
    n_cases = 0
    for name, sizes, opset, f in TABLE:
        for i, size in enumerate(sizes):
            RNG = np.random.default_rng(zlib.crc32(f"{name} {i}".encode()))
            net = Net()
            outputs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in f(net, size)]
            graph = helper.make_graph(net.nodes, "network", net.inputs, outputs, net.initial)
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
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
            make_cases.safetensors(out / f"network--{name}-{i}.safetensors", tensors)
            n_cases += 1
    print(f"{n_cases} cases of {len(TABLE)} networks")


main()
