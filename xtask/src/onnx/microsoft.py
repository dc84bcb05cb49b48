"""Operators of the domain com.microsoft, as ONNX Runtime's optimisers write them: `python microsoft.py OUT`; see network.py."""

import numpy as np
from network import RNG, main, network
from onnx import TensorProto

TOKENS, WIDTH, HEADS = 6, 16, 4


def part(n, op, *inputs, outputs=1, **attributes):
    return n.add(op, *inputs, outputs=outputs, domain="com.microsoft", **attributes)


def mask_of(n, batch, length):
    kept = RNG.integers(2, length + 1, batch)
    return n.input((np.arange(length)[None] < kept[:, None]).astype(np.int32), TensorProto.INT32)


def lengths(n, batch, length):
    return n.input(RNG.integers(2, length + 1, batch).astype(np.int32), TensorProto.INT32)


@network("Attention", 1, 2)
def attention(n, batch):
    x = n.floats(batch, TOKENS, WIDTH)
    return [part(n, "Attention", x, n.weight(WIDTH, 3 * WIDTH), n.weight(3 * WIDTH), num_heads=HEADS)]


@network("Attention, a mask of 0 and 1", 1, 3)
def attention_mask(n, batch):
    x = n.floats(batch, TOKENS, WIDTH)
    y = part(n, "Attention", x, n.weight(WIDTH, 3 * WIDTH), n.weight(3 * WIDTH), mask_of(n, batch, TOKENS), num_heads=HEADS)
    return [n.linear(y, WIDTH, WIDTH)]


@network("Attention, lengths", 1, 3)
def attention_lengths(n, batch):
    x = n.floats(batch, TOKENS, WIDTH)
    return [part(n, "Attention", x, n.weight(WIDTH, 3 * WIDTH), n.weight(3 * WIDTH), lengths(n, batch, TOKENS), num_heads=HEADS)]


@network("Attention, causal with a past", 3)
def attention_past(n, past):
    x = n.floats(1, TOKENS, WIDTH)
    before = n.floats(2, 1, HEADS, past, WIDTH // HEADS)
    return part(n, "Attention", x, n.weight(WIDTH, 3 * WIDTH), n.weight(3 * WIDTH), "", before, outputs=2, num_heads=HEADS, unidirectional=1)


@network("Attention, values of another size and a bias of scores", 2)
def attention_sizes(n, batch):
    x, bias = n.floats(batch, TOKENS, WIDTH), n.floats(batch, HEADS, TOKENS, TOKENS)
    w, b = n.weight(WIDTH, 2 * WIDTH + 8), n.weight(2 * WIDTH + 8)
    return [part(n, "Attention", x, w, b, "", "", bias, num_heads=HEADS, qkv_hidden_sizes=[WIDTH, WIDTH, 8])]


@network("MultiHeadAttention", 1, 2)
def multi_head(n, batch):
    q, k, v = n.floats(batch, TOKENS, WIDTH), n.floats(batch, 9, WIDTH), n.floats(batch, 9, WIDTH)
    return [part(n, "MultiHeadAttention", q, k, v, n.weight(3 * WIDTH), mask_of(n, batch, 9), num_heads=HEADS)]


@network("MultiHeadAttention, past", 3)
def multi_head_past(n, past):
    q, k, v = (n.floats(1, TOKENS, WIDTH) for _ in range(3))
    before = [n.floats(1, HEADS, past, WIDTH // HEADS) for _ in range(2)]
    return part(n, "MultiHeadAttention", q, k, v, "", "", "", *before, outputs=3, num_heads=HEADS, scale=0.4)


@network("QAttention", 1, 2)
def quantised(n, batch):
    x = n.input(RNG.integers(0, 255, (batch, TOKENS, WIDTH)).astype(np.uint8), TensorProto.UINT8)
    w = n.const(RNG.integers(-100, 100, (WIDTH, 3 * WIDTH)).astype(np.int8))
    scale, zero = np.float32(0.02), np.uint8(120)
    return [part(n, "QAttention", x, w, n.weight(3 * WIDTH), scale, np.float32(0.01), "", zero, np.int8(0), num_heads=HEADS)]


@network("DynamicQuantizeMatMul", 1)
def dynamic(n, batch):
    x, w = n.floats(batch, TOKENS, WIDTH), n.const(RNG.integers(-100, 100, (WIDTH, 8)).astype(np.int8))
    return [part(n, "DynamicQuantizeMatMul", x, w, np.full(8, 0.01, np.float32), np.zeros(8, np.int8), n.weight(8))]


@network("MatMulIntegerToFloat", 1, 2)
def to_float(n, batch):
    x = n.input(RNG.integers(0, 255, (batch, TOKENS, WIDTH)).astype(np.uint8), TensorProto.UINT8)
    w = n.const(RNG.integers(-100, 100, (WIDTH, 8)).astype(np.int8))
    return [part(n, "MatMulIntegerToFloat", x, w, np.float32(0.02), np.float32(0.01), np.uint8(110), np.int8(3), n.weight(8))]


@network("EmbedLayerNormalization", 1, 2)
def embedded(n, batch):
    ids = n.input(RNG.integers(0, 40, (batch, TOKENS)).astype(np.int32), TensorProto.INT32)
    segments = n.input(RNG.integers(0, 2, (batch, TOKENS)).astype(np.int32), TensorProto.INT32)
    tables = [n.weight(rows, WIDTH, scale=1.0) for rows in (40, 12, 2)]
    scale, shift = (1 + n.weights(WIDTH)), n.weight(WIDTH)
    y = part(n, "EmbedLayerNormalization", ids, segments, *tables, scale, shift, mask_of(n, batch, TOKENS), outputs=2)
    return [part(n, "Attention", y[0], n.weight(WIDTH, 3 * WIDTH), n.weight(3 * WIDTH), y[1], num_heads=HEADS)]


@network("EmbedLayerNormalization without segments", 2)
def embedded_alone(n, batch):
    ids = n.input(RNG.integers(0, 40, (batch, TOKENS)).astype(np.int32), TensorProto.INT32)
    tables = [n.weight(rows, WIDTH, scale=1.0) for rows in (40, 12)]
    return part(n, "EmbedLayerNormalization", ids, "", *tables, "", n.weight(WIDTH), n.weight(WIDTH), outputs=2)[:1]


@network("SkipLayerNormalization", 1, 2)
def skip(n, batch):
    x, other = n.floats(batch, TOKENS, WIDTH), n.floats(batch, TOKENS, WIDTH)
    scale = 1 + n.weights(WIDTH)
    y = part(n, "SkipLayerNormalization", x, other, scale, n.weight(WIDTH), n.weight(WIDTH), outputs=4)
    return [y[0], y[3]]


@network("SkipSimplifiedLayerNormalization", 2)
def skip_simple(n, batch):
    x, other = n.floats(batch, TOKENS, WIDTH), n.floats(batch, TOKENS, WIDTH)
    y = part(n, "SkipSimplifiedLayerNormalization", x, other, 1 + n.weights(WIDTH), outputs=4, epsilon=1e-6)
    return [y[0], y[3]]


for op, has_bias in [("BiasGelu", True), ("FastGelu", True), ("FastGelu", False), ("Gelu", False), ("QuickGelu", False)]:

    @network(op + (" with a bias" if has_bias and op == "FastGelu" else ""), 2)
    def gelu(n, batch, op=op, has_bias=has_bias):
        x = n.floats(batch, TOKENS, WIDTH)
        return [part(n, op, x, n.weight(WIDTH)) if has_bias else part(n, op, x)]


@network("FusedMatMul", 1, 2)
def fused(n, batch):
    a, b = n.floats(batch, 3, WIDTH, TOKENS), n.floats(batch, 3, 5, WIDTH)
    return [part(n, "FusedMatMul", a, b, transA=1, transB=1, alpha=0.25)]


@network("FusedMatMul with weights", 2)
def fused_weights(n, batch):
    x = n.floats(batch, TOKENS, WIDTH)
    return [part(n, "FusedMatMul", x, n.weight(8, WIDTH), transB=1, alpha=0.5)]


@network("RotaryEmbedding", 1, 2)
def rotary(n, batch):
    x = n.floats(batch, TOKENS, WIDTH)
    positions = n.input(np.stack([RNG.permutation(TOKENS) for _ in range(batch)]).astype(np.int64), TensorProto.INT64)
    angles = np.outer(np.arange(12), np.arange(WIDTH // HEADS // 2) + 1.0).astype(np.float32) / 5
    return [part(n, "RotaryEmbedding", x, positions, np.cos(angles), np.sin(angles))]


@network("RotaryEmbedding of heads, pairs side by side", 1)
def rotary_heads(n, batch):
    x = n.floats(batch, HEADS, TOKENS, 8)
    angles = np.outer(np.arange(12), np.arange(4) + 1.0).astype(np.float32) / 5
    return [part(n, "RotaryEmbedding", x, np.array([2]), np.cos(angles), np.sin(angles), interleaved=1)]


main("com.microsoft")
