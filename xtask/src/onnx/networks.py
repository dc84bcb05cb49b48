"""Typical networks, small and with random weights: `python networks.py OUT`, with fixtures/onnx on PYTHONPATH; see network.py.

Each is made at two sizes, and at the first one also for a batch of three.
"""

import numpy as np
from network import RNG, main
from network import network as of_one
from onnx import TensorProto


def network(name, *sizes):
    return of_one(name, *sizes, batches=(1, 3))


@network("ViT-tiny", 32, 48)
def vit(n, side):
    width, tokens = 48, (side // 8) ** 2
    x = n.conv(n.floats(n.batch, 3, side, side), 3, width, 8, 8, pad=0)
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, width, tokens])), perm=[0, 2, 1])
    x = n.add("Concat", n.const(np.repeat(n.weights(1, 1, width), n.batch, 0)), x, axis=1)
    x = n.add("Add", x, n.weight(1, tokens + 1, width))
    for _ in range(2):
        x, _, _ = n.block(x, tokens + 1, width, 3)
    return [n.linear(n.add("Gather", n.norm(x, width), np.int64(0), axis=1), width, 10)]


@network("DeiT, two heads", 32, 48)
def deit(n, side):
    width, tokens = 48, (side // 8) ** 2
    x = n.conv(n.floats(n.batch, 3, side, side), 3, width, 8, 8, pad=0)
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, width, tokens])), perm=[0, 2, 1])
    x = n.add("Concat", n.const(np.zeros((n.batch, 2, width), np.float32)), x, axis=1)
    x, _, _ = n.block(n.add("Add", x, n.weight(1, tokens + 2, width)), tokens + 2, width, 3)
    a, b = (n.linear(n.add("Gather", x, np.int64(i), axis=1), width, 10) for i in range(2))
    return [n.add("Div", n.add("Add", a, b), np.float32(2))]


@network("MobileViT block", 16, 24)
def mobilevit(n, side):
    x = n.add("Mul", *(lambda y: (y, n.add("Sigmoid", y)))(n.conv(n.floats(n.batch, 8, side, side), 8, 24)))
    h = side // 2
    y = n.add("Reshape", x, np.array([n.batch, 24, h, 2, h, 2]))
    y = n.add("Transpose", y, perm=[0, 3, 5, 2, 4, 1])
    y = n.add("Reshape", y, np.array([n.batch * 4, h * h, 24]))
    y, _, _ = n.block(y, h * h, 24, 2)
    y = n.add("Transpose", n.add("Reshape", y, np.array([n.batch, 2, 2, h, h, 24])), perm=[0, 5, 3, 1, 4, 2])
    y = n.add("Reshape", y, np.array([n.batch, 24, side, side]))
    return [n.conv(n.add("Concat", x, y, axis=1), 48, 8)]


@network("BERT-tiny with a mask", 12, 20)
def bert(n, tokens):
    width = 32
    ids = n.input(RNG.integers(0, 100, (n.batch, tokens)), TensorProto.INT64)
    mask = n.input((np.arange(tokens)[None] < tokens - 5 * (np.arange(n.batch)[:, None] % 2)).astype(np.int64), TensorProto.INT64)
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


@network("GPT block with a cache", 7, 12)
def gpt(n, past):
    width, heads, tokens = 32, 4, 3
    ids = n.input(RNG.integers(0, 50, (n.batch, tokens)), TensorProto.INT64)
    keys, values = (n.floats(n.batch, heads, past, width // heads) for _ in range(2))
    positions = n.add("Gather", n.weight(64, width), np.arange(past, past + tokens)[None])
    x = n.add("Add", n.add("Gather", n.weight(50, width), ids), positions)
    causal = np.triu(np.full((tokens, past + tokens), -1e9, np.float32), past + 1)
    x, k, v = n.block(x, tokens, width, heads, mask=causal, past=(keys, values))
    return [n.add("LogSoftmax", n.linear(n.norm(x, width), width, 50), axis=-1), k, v]


@network("wav2vec-like", 400, 560)
def wav2vec(n, length):
    x = n.floats(n.batch, 1, length)
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
        ids = n.input(RNG.integers(0, 40, (n.batch, length)), TensorProto.INT64)
        x = n.add("Transpose", n.add("Gather", n.weight(40, 10, scale=1.0), ids), perm=[1, 0, 2])
        weights = [n.weight(two, gates * hidden, 10), n.weight(two, gates * hidden, hidden), n.weight(two, 2 * gates * hidden)]
        y = n.add(op, x, *weights, outputs=1, hidden_size=hidden, direction="bidirectional", **more)
        y = n.add("Reshape", n.add("Transpose", y, perm=[2, 0, 1, 3]), np.array([n.batch, length, two * hidden]))
        return [n.add("LogSoftmax", n.linear(y, two * hidden, 9), axis=-1)]

    return build


network("LSTM tagger", 9, 15)(recurrent("LSTM", 4))
network("GRU tagger", 9, 15)(recurrent("GRU", 3, linear_before_reset=1))
network("GRU tagger, reset first", 9, 15)(recurrent("GRU", 3))
network("RNN tagger", 9, 15)(recurrent("RNN", 1))


@network("CRNN", 64, 96)
def crnn(n, width):
    x = n.add("Relu", n.conv(n.floats(n.batch, 1, 16, width), 1, 12, stride=2))
    x = n.add("Relu", n.conv(x, 12, 24, stride=2))
    x = n.add("MaxPool", x, kernel_shape=[4, 1], strides=[4, 1])
    x = n.add("Transpose", n.add("Squeeze", x, np.array([2])), perm=[2, 0, 1])
    weights = [n.weight(2, 64, 24), n.weight(2, 64, 16), n.weight(2, 128)]
    y = n.add("LSTM", x, *weights, hidden_size=16, direction="bidirectional")
    y = n.add("Reshape", n.add("Transpose", y, perm=[0, 2, 1, 3]), np.array([width // 4, n.batch, 32]))
    return [n.add("Softmax", n.linear(y, 32, 11), axis=2)]


def decoded(n, levels):
    """Boxes and classes of all places: of each level its map, side and stride."""
    flat = [n.add("Reshape", y, np.array([n.batch, 21, -1])) for y, _, _ in levels]
    y = n.add("Concat", *flat, axis=2)
    boxes, classes = n.add("Split", y, np.array([16, 5]), outputs=2, axis=1)
    boxes = n.add("Reshape", boxes, np.array([n.batch, 4, 4, -1]))
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


@network("YOLOv8-n shape with decoding", 64, 96)
def yolo(n, side):
    silu = lambda y: n.add("Mul", y, n.add("Sigmoid", y))
    x = silu(n.conv(n.floats(n.batch, 3, side, side), 3, 8, stride=2))
    x = silu(n.conv(x, 8, 16, stride=2))
    a, b = n.add("Split", silu(n.conv(x, 16, 16, 1)), np.array([8, 8]), outputs=2, axis=1)
    x = silu(n.conv(n.add("Concat", a, b, n.add("Add", b, silu(n.conv(b, 8, 8))), axis=1), 24, 16, 1))
    deep = silu(n.conv(x, 16, 16, stride=2))
    up = n.add("Resize", deep, "", np.array([1, 1, 2, 2], np.float32), mode="nearest")
    levels = [(n.conv(n.add("Concat", x, up, axis=1), 32, 4 * 4 + 5), side // 4, 4), (n.conv(deep, 16, 4 * 4 + 5), side // 8, 8)]
    return decoded(n, levels)


@network("ConvNeXt", 32, 48)
def convnext(n, side):
    x = n.conv(n.floats(n.batch, 3, side, side), 3, 16, 4, 4, pad=0)
    for _ in range(2):
        y = n.add("Transpose", n.conv(x, 16, 16, 7, groups=16), perm=[0, 2, 3, 1])
        y = n.linear(n.gelu(n.linear(n.norm(y, 16), 16, 64)), 64, 16)
        y = n.add("Mul", n.weight(16), y)
        x = n.add("Add", x, n.add("Transpose", y, perm=[0, 3, 1, 2]))
    return [n.linear(n.norm(n.add("Flatten", n.add("GlobalAveragePool", x)), 16), 16, 10)]


@network("EfficientFormer block", 16, 24)
def efficientformer(n, side):
    x = n.floats(n.batch, 16, side, side)
    y = n.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=0)
    x = n.add("Add", x, n.add("Mul", n.add("Sub", y, x), n.weight(16, 1, 1)))
    x = n.conv(n.gelu(n.conv(x, 16, 32, 1)), 32, 16, stride=2)
    tokens = (side // 2) ** 2
    x = n.add("Transpose", n.add("Reshape", x, np.array([0, 16, tokens])), perm=[0, 2, 1])
    x, _, _ = n.block(x, tokens, 16, 2)
    return [n.linear(n.add("ReduceMean", x, axes=[1], keepdims=0), 16, 10)]


@network("YOLO11-n shape with decoding", 64, 96)
def yolo11(n, side):
    silu = lambda y: n.add("Mul", y, n.add("Sigmoid", y))

    def bottleneck(x, c, shortcut=True):
        y = silu(n.conv(silu(n.conv(x, c, c // 2)), c // 2, c))
        return n.add("Add", x, y) if shortcut else y

    # A cross-stage block whose inner block is one of 3 convolutions, or a bottleneck.
    def c3k2(x, i, o, inner):
        a, b = n.add("Split", silu(n.conv(x, i, o, 1)), np.array([o // 2, o // 2]), outputs=2, axis=1)
        c = o // 2
        if inner:
            left = bottleneck(bottleneck(silu(n.conv(b, c, c // 2, 1)), c // 2), c // 2)
            y = silu(n.conv(n.add("Concat", left, silu(n.conv(b, c, c // 2, 1)), axis=1), c, c, 1))
        else:
            y = bottleneck(b, c)
        return silu(n.conv(n.add("Concat", a, b, y, axis=1), 3 * c, o, 1))

    def pooled(x, c):
        x = silu(n.conv(x, c, c // 2, 1))
        all = [x]
        for _ in range(3):
            all.append(n.add("MaxPool", all[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
        return silu(n.conv(n.add("Concat", *all, axis=1), 2 * c, c, 1))

    # Attention over the places of a picture, with a depthwise convolution for their order.
    def attended(x, c, k):
        a, b = n.add("Split", silu(n.conv(x, c, c, 1)), np.array([c // 2, c // 2]), outputs=2, axis=1)
        c, heads, size = c // 2, 2, c // 4
        qkv = n.add("Reshape", n.conv(b, c, 2 * c, 1), np.array([n.batch, heads, 2 * size, k * k]))
        q, key, v = n.add("Split", qkv, np.array([size // 2, size // 2, size]), outputs=3, axis=2)
        scores = n.add("MatMul", n.add("Transpose", q, perm=[0, 1, 3, 2]), key)
        scores = n.add("Softmax", n.add("Mul", scores, np.float32((size // 2) ** -0.5)), axis=-1)
        y = n.add("MatMul", v, n.add("Transpose", scores, perm=[0, 1, 3, 2]))
        y = n.add("Reshape", y, np.array([n.batch, c, k, k]))
        y = n.add("Add", y, n.conv(n.add("Reshape", v, np.array([n.batch, c, k, k])), c, c, groups=c))
        b = n.add("Add", b, n.conv(y, c, c, 1))
        b = n.add("Add", b, n.conv(silu(n.conv(b, c, 2 * c, 1)), 2 * c, c, 1))
        return silu(n.conv(n.add("Concat", a, b, axis=1), 2 * c, 2 * c, 1))

    x = silu(n.conv(silu(n.conv(n.floats(n.batch, 3, side, side), 3, 8, stride=2)), 8, 16, stride=2))
    x = c3k2(x, 16, 16, False)
    deep = c3k2(silu(n.conv(x, 16, 32, stride=2)), 32, 32, True)
    deep = attended(pooled(deep, 32), 32, side // 8)
    up = n.add("Resize", deep, "", np.array([1, 1, 2, 2], np.float32), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = c3k2(n.add("Concat", up, x, axis=1), 48, 16, False)
    levels = []
    for y, c, stride in [(x, 16, 4), (deep, 32, 8)]:
        boxes = n.conv(silu(n.conv(y, c, 16)), 16, 4 * 4, 1)
        classes = silu(n.conv(silu(n.conv(y, c, c, groups=c)), c, 16, 1))
        classes = n.conv(silu(n.conv(silu(n.conv(classes, 16, 16, groups=16)), 16, 16, 1)), 16, 5, 1)
        levels.append((n.add("Concat", boxes, classes, axis=1), side // stride, stride))
    return decoded(n, levels)


def volume(n, x, i, o):
    """Two convolutions of volumes, each with an instance norm."""
    for a, b in [(i, o), (o, o)]:
        x = n.add("InstanceNormalization", n.conv(x, a, b, rank=3), (1 + 0.1 * RNG.standard_normal(b)).astype(np.float32), n.weight(b))
        x = n.add("LeakyRelu", x, alpha=0.01)
    return x


@network("U-Net 3-D", 16, 24)
def unet(n, side):
    wide = volume(n, n.floats(n.batch, 1, side, side, 8), 1, 6)
    deep = volume(n, n.add("MaxPool", wide, kernel_shape=[2] * 3, strides=[2] * 3), 6, 12)
    deepest = volume(n, n.conv(deep, 12, 12, stride=2, rank=3), 12, 12)
    up = n.add("ConvTranspose", deepest, n.weight(12, 12, 2, 2, 2, scale=0.2), n.weight(12), kernel_shape=[2] * 3, strides=[2] * 3)
    y = volume(n, n.add("Concat", deep, up, axis=1), 24, 12)
    up = n.add("ConvTranspose", y, n.weight(12, 6, 2, 2, 2, scale=0.2), n.weight(6), kernel_shape=[2] * 3, strides=[2] * 3)
    y = volume(n, n.add("Concat", wide, up, axis=1), 12, 6)
    return [n.add("Softmax", n.conv(y, 6, 3, 1, rank=3), axis=1)]


@of_one("boxes without overlaps", 30, 60)
def boxes(n, count):
    corners = n.floats(1, count, 4)
    boxes = n.add("Concat", corners, n.add("Add", corners, np.float32(1.5)), axis=2)
    boxes = n.add("Slice", boxes, np.array([0]), np.array([4]), np.array([2]))
    scores = n.add("Sigmoid", n.floats(1, 3, count))
    chosen = n.add("NonMaxSuppression", boxes, scores, np.array([8]), np.array([0.4], np.float32), np.array([0.3], np.float32))
    place = n.add("Gather", chosen, np.int64(2), axis=1)
    found = n.add("Gather", n.add("Squeeze", boxes, np.array([0])), place, axis=0)
    sure = n.add("GatherND", scores, chosen)
    found = n.add("Concat", found, n.add("Unsqueeze", sure, np.array([1])), axis=1)
    return [n.add("Cast", chosen, to=TensorProto.FLOAT), n.add("Mul", found, np.float32(2))]


@of_one("places that are not zero", 5, 8)
def places(n, side):
    x = n.add("Relu", n.floats(1, side, side))
    where = n.add("Transpose", n.add("NonZero", n.add("Greater", x, np.float32(0.5))), perm=[1, 0])
    return [n.add("Cast", where, to=TensorProto.FLOAT), n.add("GatherND", x, where)]


main("network")
