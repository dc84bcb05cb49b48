"""What exporters write for the same functions: `python spellings.py OUT`, with fixtures/onnx on PYTHONPATH.

Every spelling becomes two cases of the operator suite (see fixtures/onnx/make_cases.py), OUT/FUNCTION--SPELLING-N.safetensors:
the function by itself, and between layers that absorb scales and biases. What ONNX Runtime answers is in each.
"""

import sys
import zlib
from pathlib import Path

import make_cases
import numpy as np
import onnxruntime
from make_cases import Net, f32, ints, rand

TABLE = []


def spelling(function, name, opset=17, shape=(8, 6, 6)):
    """Registers `f(net, x)`, which returns its value for `x` of shape `[n, *shape]`."""

    def register(f):
        TABLE.append((function, name, opset, shape, f))
        return f

    return register


def clip(net, x, low, high):
    if net.opset < 11:
        return net.add("Clip", x, min=float(low), max=float(high))
    return net.add("Clip", x, np.float32(low), np.float32(high))


# Hard-swish and hard-sigmoid.
def ramp(net, x):
    return clip(net, net.add("Add", x, np.float32(3)), 0, 6)


for opset in (9, 11):
    spelling("hard-swish", f"PyTorch, operator set {opset}", opset)(lambda n, x: n.add("Div", n.add("Mul", x, ramp(n, x)), np.float32(6)))
    spelling("hard-sigmoid", f"PyTorch, operator set {opset}", opset)(lambda n, x: n.add("Div", ramp(n, x), np.float32(6)))
spelling("hard-swish", "PyTorch, operator set 14", 14)(lambda n, x: n.add("HardSwish", x))
spelling("hard-swish", "PyTorch, HardSigmoid and Mul", 13)(lambda n, x: n.add("Mul", x, n.add("HardSigmoid", x, alpha=1 / 6)))
spelling("hard-swish", "PaddlePaddle", 11)(lambda n, x: n.add("Div", n.add("Mul", x, n.add("Clip", n.add("Add", x, f32(3)), np.float32(0), np.float32(6))), f32(6)))
spelling("hard-swish", "PaddlePaddle, gate first", 11)(lambda n, x: n.add("Mul", n.add("Div", ramp(n, x), f32(6)), x))
spelling("hard-swish", "TensorFlow", 11)(lambda n, x: n.add("Mul", x, n.add("Mul", ramp(n, x), np.float32(1 / 6))))
spelling("hard-swish", "TensorFlow, Min of Relu", 12)(lambda n, x: n.add("Mul", n.add("Mul", n.add("Min", n.add("Relu", n.add("Add", x, np.float32(3))), np.float32(6)), np.float32(1 / 6)), x))
spelling("hard-swish", "scaled first", 11)(lambda n, x: n.add("Mul", n.add("Mul", x, np.float32(1 / 6)), ramp(n, x)))
spelling("hard-sigmoid", "PaddlePaddle", 11)(lambda n, x: n.add("HardSigmoid", x, alpha=0.2, beta=0.5))
spelling("hard-sigmoid", "TensorFlow", 11)(lambda n, x: clip(n, n.add("Add", n.add("Mul", x, np.float32(0.2)), np.float32(0.5)), 0, 1))
spelling("hard-sigmoid", "Mul by 1/6", 11)(lambda n, x: n.add("Mul", ramp(n, x), np.float32(1 / 6)))

# SiLU, Mish, ELU and their like.
spelling("SiLU", "PyTorch")(lambda n, x: n.add("Mul", x, n.add("Sigmoid", x)))
spelling("SiLU", "TensorFlow")(lambda n, x: n.add("Mul", n.add("Sigmoid", x), x))
spelling("SiLU", "PaddlePaddle, with a factor")(lambda n, x: n.add("Mul", x, n.add("Sigmoid", n.add("Mul", x, f32(1.5)))))
spelling("SiLU", "by division")(lambda n, x: n.add("Div", x, n.add("Add", n.add("Exp", n.add("Neg", x)), np.float32(1))))
spelling("Mish", "PyTorch, operator set 17")(lambda n, x: n.add("Mul", x, n.add("Tanh", n.add("Softplus", x))))
spelling("Mish", "operator set 18", 18)(lambda n, x: n.add("Mish", x))
for op in ("Elu", "Selu", "Celu", "Softplus", "Softsign"):
    spelling(op, op)(lambda n, x, op=op: n.add(op, x))

# GELU.
ROOT2 = np.float32(np.sqrt(2))
spelling("GELU", "PyTorch, by Erf")(lambda n, x: n.add("Mul", n.add("Mul", x, n.add("Add", n.add("Erf", n.add("Div", x, ROOT2)), np.float32(1))), np.float32(0.5)))
spelling("GELU", "TensorFlow, by Erf")(lambda n, x: n.add("Mul", n.add("Mul", x, np.float32(0.5)), n.add("Add", n.add("Erf", n.add("Mul", x, 1 / ROOT2)), np.float32(1))))
spelling("GELU", "PaddlePaddle, by Erf")(lambda n, x: n.add("Mul", x, n.add("Mul", np.float32(0.5), n.add("Add", np.float32(1), n.add("Erf", n.add("Div", x, ROOT2))))))


@spelling("GELU", "PyTorch, by Tanh")
def gelu_tanh(n, x):
    cube = n.add("Mul", x, n.add("Mul", x, x))
    y = n.add("Add", x, n.add("Mul", cube, np.float32(0.044715)))
    y = n.add("Add", n.add("Tanh", n.add("Mul", y, np.float32(np.sqrt(2 / np.pi)))), np.float32(1))
    return n.add("Mul", n.add("Mul", x, np.float32(0.5)), y)


@spelling("GELU", "TensorFlow, by Tanh and Pow")
def gelu_pow(n, x):
    y = n.add("Add", x, n.add("Mul", n.add("Pow", x, np.float32(3)), np.float32(0.044715)))
    y = n.add("Add", np.float32(1), n.add("Tanh", n.add("Mul", np.float32(np.sqrt(2 / np.pi)), y)))
    return n.add("Mul", x, n.add("Mul", np.float32(0.5), y))


spelling("GELU", "operator set 20", 20)(lambda n, x: n.add("Gelu", x))
spelling("GELU", "operator set 20, tanh", 20)(lambda n, x: n.add("Gelu", x, approximate="tanh"))
spelling("GELU", "by Sigmoid")(lambda n, x: n.add("Mul", x, n.add("Sigmoid", n.add("Mul", x, np.float32(1.702)))))


# Norms over the last dimension, over an image, over groups of channels.
def centred(n, x, axes):
    return n.add("Sub", x, n.add("ReduceMean", x, axes=axes))


def affine(n, x, *shape):
    return n.add("Add", n.add("Mul", x, rand(*shape, scale=0.2) + 1), rand(*shape, scale=0.2))


@spelling("layer norm", "PyTorch, operator set 16", 16, (5, 12))
def layer_norm_pow(n, x):
    d = centred(n, x, [-1])
    v = n.add("ReduceMean", n.add("Pow", d, np.float32(2)), axes=[-1])
    return affine(n, n.add("Div", d, n.add("Sqrt", n.add("Add", v, np.float32(1e-5)))), 12)


@spelling("layer norm", "PyTorch, operator set 17", 17, (5, 12))
def layer_norm_op(n, x):
    return n.add("LayerNormalization", x, rand(12, scale=0.2) + 1, rand(12, scale=0.2))


@spelling("layer norm", "TensorFlow", 13, (5, 12))
def layer_norm_tf(n, x):
    mean = n.add("ReduceMean", x, axes=[2])
    d = n.add("Sub", x, mean)
    v = n.add("ReduceMean", n.add("Mul", d, d), axes=[2])
    r = n.add("Reciprocal", n.add("Sqrt", n.add("Add", v, np.float32(1e-3))))
    r = n.add("Mul", r, rand(12, scale=0.2) + 1)
    return n.add("Add", n.add("Mul", x, r), n.add("Sub", rand(12, scale=0.2), n.add("Mul", mean, r)))


@spelling("layer norm", "channels first, as in ConvNeXt", 16)
def layer_norm_channels(n, x):
    d = centred(n, x, [1])
    v = n.add("ReduceMean", n.add("Pow", d, np.float32(2)), axes=[1])
    return affine(n, n.add("Div", d, n.add("Sqrt", n.add("Add", v, np.float32(1e-6)))), 8, 1, 1)


@spelling("layer norm", "over channels, by Transpose", 17)
def layer_norm_transposed(n, x):
    y = n.add("LayerNormalization", n.add("Transpose", x, perm=[0, 2, 3, 1]), rand(8) + 1, rand(8))
    return n.add("Transpose", y, perm=[0, 3, 1, 2])


@spelling("RMS norm", "PyTorch", 16, (5, 12))
def rms_norm(n, x):
    v = n.add("ReduceMean", n.add("Pow", x, np.float32(2)), axes=[-1])
    r = n.add("Reciprocal", n.add("Sqrt", n.add("Add", v, np.float32(1e-6))))
    return n.add("Mul", n.add("Mul", x, r), rand(12, scale=0.2) + 1)


spelling("RMS norm", "operator set 23", 23, (5, 12))(lambda n, x: n.add("RMSNormalization", x, rand(12) + 1))
spelling("instance norm", "PyTorch")(lambda n, x: n.add("InstanceNormalization", x, rand(8) + 1, rand(8)))


@spelling("instance norm", "TensorFlow", 13)
def instance_norm(n, x):
    d = centred(n, x, [2, 3])
    v = n.add("ReduceMean", n.add("Mul", d, d), axes=[2, 3])
    return affine(n, n.add("Div", d, n.add("Sqrt", n.add("Add", v, np.float32(1e-3)))), 8, 1, 1)


@spelling("group norm", "PyTorch, operator set 17")
def group_norm(n, x):
    y = n.add("InstanceNormalization", n.add("Reshape", x, ints(0, 4, -1)), np.ones(4, np.float32), np.zeros(4, np.float32))
    return affine(n, n.add("Reshape", y, n.add("Shape", x)), 8, 1, 1)


spelling("group norm", "operator set 21", 21)(lambda n, x: n.add("GroupNormalization", x, rand(8) + 1, rand(8), num_groups=4))


# Squeeze and excite.
@spelling("squeeze and excite", "PyTorch")
def se_torch(n, x):
    return n.squeeze_excite(x, 8, gate="Sigmoid")


@spelling("squeeze and excite", "PaddlePaddle")
def se_paddle(n, x):
    s = n.add("Conv", n.add("GlobalAveragePool", x), rand(2, 8, 1, 1))
    s = n.add("Relu", n.add("Add", s, rand(1, 2, 1, 1)))
    s = n.add("Add", n.add("Conv", s, rand(8, 2, 1, 1)), rand(1, 8, 1, 1))
    return n.add("Mul", x, n.add("HardSigmoid", s, alpha=0.2))


@spelling("squeeze and excite", "TensorFlow, image last", 13)
def se_tf(n, x):
    y = n.add("Transpose", x, perm=[0, 2, 3, 1])
    s = n.add("Reshape", n.add("ReduceMean", y, axes=[1, 2], keepdims=0), ints(-1, 1, 1, 8))
    s = n.add("Transpose", s, perm=[0, 3, 1, 2])
    s = n.add("Relu", n.add("Conv", s, rand(2, 8, 1, 1), rand(2)))
    s = n.add("Sigmoid", n.add("Conv", s, rand(8, 2, 1, 1), rand(8)))
    y = n.add("Mul", n.add("Transpose", s, perm=[0, 2, 3, 1]), y)
    return n.add("Transpose", y, perm=[0, 3, 1, 2])


@spelling("squeeze and excite", "by Gemm")
def se_gemm(n, x):
    s = n.linear(n.add("Flatten", n.add("GlobalAveragePool", x)), 8, 2)
    s = n.add("Sigmoid", n.linear(n.add("Relu", s), 2, 8))
    return n.add("Mul", x, n.add("Unsqueeze", s, ints(2, 3)))


# Channel shuffle and pixel shuffle.
@spelling("channel shuffle", "PyTorch, sizes by Shape", 11)
def shuffle_shape(n, x):
    size = lambda i: n.add("Unsqueeze", n.add("Gather", n.add("Shape", x), np.int64(i)), axes=[0])
    half = n.add("Unsqueeze", n.add("Div", n.add("Gather", n.add("Shape", x), np.int64(1)), np.int64(2)), axes=[0])
    y = n.add("Reshape", x, n.add("Concat", size(0), ints(2), half, size(2), size(3), axis=0))
    y = n.add("Transpose", y, perm=[0, 2, 1, 3, 4])
    return n.add("Reshape", y, n.add("Concat", size(0), ints(-1), size(2), size(3), axis=0))


@spelling("channel shuffle", "constant sizes")
def shuffle(n, x):
    y = n.add("Transpose", n.add("Reshape", x, ints(-1, 4, 2, 6, 6)), perm=[0, 2, 1, 3, 4])
    return n.add("Reshape", y, ints(-1, 8, 6, 6))


@spelling("channel shuffle", "TensorFlow, image last")
def shuffle_last(n, x):
    y = n.add("Reshape", n.add("Transpose", x, perm=[0, 2, 3, 1]), ints(-1, 6, 6, 2, 4))
    y = n.add("Reshape", n.add("Transpose", y, perm=[0, 1, 2, 4, 3]), ints(-1, 6, 6, 8))
    return n.add("Transpose", y, perm=[0, 3, 1, 2])


spelling("pixel shuffle", "PyTorch, DepthToSpace")(lambda n, x: n.add("DepthToSpace", x, blocksize=2, mode="CRD"))
spelling("pixel shuffle", "TensorFlow, DepthToSpace")(lambda n, x: n.add("DepthToSpace", x, blocksize=2))


@spelling("pixel shuffle", "PyTorch, by Reshape", 9)
def pixel_shuffle(n, x):
    y = n.add("Transpose", n.add("Reshape", x, ints(-1, 2, 2, 2, 6, 6)), perm=[0, 1, 4, 2, 5, 3])
    return n.add("Reshape", y, ints(-1, 2, 12, 12))


spelling("pixel unshuffle", "SpaceToDepth")(lambda n, x: n.add("SpaceToDepth", x, blocksize=2))


@spelling("pixel unshuffle", "by Slice, as YOLOv5's focus")
def focus(n, x):
    part = lambda i, axis: (lambda y: n.add("Slice", y, ints(i), ints(2**62), ints(axis), ints(2)))
    parts = [part(j, 3)(part(i, 2)(x)) for j in (0, 1) for i in (0, 1)]
    return n.add("Concat", *parts, axis=1)


# Padding "same".
conv3 = {"kernel_shape": [3, 3], "strides": [2, 2]}
for mode in ("SAME_UPPER", "SAME_LOWER"):
    spelling("padding same", f"TensorFlow, {mode}")(lambda n, x, mode=mode: n.add("Conv", x, rand(4, 8, 3, 3), auto_pad=mode, **conv3))
spelling("padding same", "PyTorch, Pad before Conv")(lambda n, x: n.add("Conv", n.add("Pad", x, ints(0, 0, 0, 0, 0, 0, 1, 1)), rand(4, 8, 3, 3), **conv3))
spelling("padding same", "PyTorch, Pad of operator set 9", 9)(lambda n, x: n.add("Conv", n.add("Pad", x, pads=[0, 0, 0, 0, 0, 0, 1, 1]), rand(4, 8, 3, 3), **conv3))
spelling("padding same", "of a pool")(lambda n, x: n.add("MaxPool", x, auto_pad="SAME_UPPER", **conv3))
spelling("padding same", "of a mean")(lambda n, x: n.add("AveragePool", x, auto_pad="SAME_UPPER", **conv3))


@spelling("padding same", "PyTorch, Pad with its sizes computed", 11)
def computed_pad(n, x):
    pads = n.add("Concat", ints(0, 0, 1, 1), n.add("ConstantOfShape", ints(4), value=make_cases.helper.make_tensor("z", 7, [1], [0])), axis=0)
    pads = n.add("Reshape", pads, ints(-1, 2))
    pads = n.add("Slice", pads, ints(-1), ints(-(2**62)), ints(0), ints(-1))
    pads = n.add("Reshape", n.add("Transpose", pads, perm=[1, 0]), ints(-1))
    return n.add("Pad", x, n.add("Cast", pads, to=7), np.float32(0))


# Upsampling.
for name, opset, more in (
    ("PyTorch, nearest", 13, {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    ("PyTorch, linear", 13, {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}),
    ("PyTorch, linear, corners aligned", 13, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    ("PyTorch, cubic", 13, {"mode": "cubic", "coordinate_transformation_mode": "pytorch_half_pixel", "cubic_coeff_a": -0.75}),
    ("TensorFlow, nearest", 13, {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}),
    ("TensorFlow, linear", 13, {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}),
):
    spelling("upsampling", name, opset)(lambda n, x, more=more: n.add("Resize", x, "", f32(1, 1, 2, 2), **more))
spelling("upsampling", "PyTorch, operator set 9", 9)(lambda n, x: n.add("Upsample", x, f32(1, 1, 2, 2), mode="nearest"))
spelling("upsampling", "PyTorch, operator set 9, linear", 9)(lambda n, x: n.add("Upsample", x, f32(1, 1, 2, 2), mode="linear"))
spelling("upsampling", "by ConvTranspose")(lambda n, x: n.add("ConvTranspose", x, rand(8, 4, 4, 4), strides=[2, 2], pads=[1] * 4))
spelling("upsampling", "by Expand")(lambda n, x: n.add("Reshape", n.add("Expand", n.add("Reshape", x, ints(-1, 8, 6, 1, 6, 1)), ints(1, 1, 1, 2, 1, 2)), ints(-1, 8, 12, 12)))


@spelling("upsampling", "PyTorch, sizes by Shape", 11)
def resize_shape(n, x):
    shape = n.add("Slice", n.add("Shape", x), ints(0), ints(2), ints(0))
    sizes = n.add("Mul", n.add("Cast", n.add("Slice", n.add("Shape", x), ints(2), ints(4), ints(0)), to=1), f32(2, 2))
    sizes = n.add("Cast", n.add("Floor", sizes), to=7)
    sizes = n.add("Concat", shape, sizes, axis=0)
    return n.add("Resize", x, f32(), f32(), sizes, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


# Linear layers: batch norms behind them, biases as Adds, weights transposed.
def bn1(n, c):
    return [rand(c, scale=0.2) + 1, rand(c), rand(c), np.abs(rand(c)) + 0.5]


spelling("batch norm behind a linear layer", "PyTorch", shape=(12,))(lambda n, x: n.add("BatchNormalization", n.linear(x, 12, 7), *bn1(n, 7)))
spelling("batch norm behind a linear layer", "MatMul, Add", shape=(12,))(lambda n, x: n.add("BatchNormalization", n.add("Add", n.add("MatMul", x, rand(12, 7)), rand(7)), *bn1(n, 7)))
spelling("batch norm behind a linear layer", "TensorFlow, by Mul and Add", shape=(12,))(lambda n, x: affine(n, n.add("Add", n.add("MatMul", x, rand(12, 7)), rand(7)), 7))


@spelling("batch norm behind a linear layer", "PyTorch, as an image", 11, (12,))
def bn_unsqueezed(n, x):
    y = n.add("BatchNormalization", n.add("Unsqueeze", n.linear(x, 12, 7), axes=[2]), *bn1(n, 7))
    return n.add("Squeeze", y, axes=[2])


spelling("batch norm before a layer", "PyTorch", shape=(12,))(lambda n, x: n.linear(n.add("BatchNormalization", x, *bn1(n, 12)), 12, 7))
spelling("bias as an Add", "CNTK, convolution")(lambda n, x: n.add("Add", n.add("Conv", x, rand(4, 8, 3, 3), auto_pad="SAME_UPPER"), rand(4, 1, 1)))
spelling("bias as an Add", "TensorFlow, image last")(lambda n, x: n.add("Add", n.add("Transpose", n.add("Conv", x, rand(4, 8, 3, 3)), perm=[0, 2, 3, 1]), rand(4)))
spelling("bias as an Add", "CNTK, linear layer", 9, (12,))(lambda n, x: n.add("Add", rand(1, 7), n.add("MatMul", x, rand(12, 7))))
spelling("bias as an Add", "of Gemm without one", 13, (12,))(lambda n, x: n.add("Add", n.add("Gemm", x, rand(12, 7)), rand(7)))
spelling("bias as a Sub", "of a convolution")(lambda n, x: n.add("Sub", n.add("Conv", x, rand(4, 8, 3, 3)), rand(1, 4, 1, 1)))
spelling("transposed weights", "PyTorch, Transpose before MatMul", 13, (5, 12))(lambda n, x: n.add("MatMul", x, n.add("Transpose", rand(7, 12), perm=[1, 0])))
spelling("transposed weights", "Gemm, transB", 13, (12,))(lambda n, x: n.add("Gemm", x, rand(7, 12), transB=1))
spelling("transposed weights", "CNTK, Reshape before MatMul", 9)(lambda n, x: n.add("MatMul", n.add("Reshape", x, ints(-1, 288)), n.add("Reshape", rand(8, 6, 6, 5), ints(288, 5))))
spelling("transposed weights", "Conv, kernel last")(lambda n, x: n.add("Conv", x, n.add("Transpose", rand(3, 3, 8, 4), perm=[3, 2, 0, 1])))
spelling("weights on the left", "MatMul", 13, (12, 5))(lambda n, x: n.add("MatMul", rand(7, 12), x))
spelling("weights on the left", "Gemm of a transposed image", 13, (12, 5))(lambda n, x: n.add("Transpose", n.add("MatMul", n.add("Transpose", x, perm=[0, 2, 1]), rand(12, 7)), perm=[0, 2, 1]))

# Constants behind other nodes.
spelling("constants", "PyTorch, behind Identity")(lambda n, x: n.add("Conv", x, n.add("Identity", rand(4, 8, 3, 3)), n.add("Identity", rand(4))))
spelling("constants", "behind Cast from half")(lambda n, x: n.add("Conv", x, n.add("Cast", rand(4, 8, 3, 3).astype(np.float16), to=1)))
spelling("constants", "behind DequantizeLinear")(lambda n, x: n.add("Conv", x, n.add("DequantizeLinear", make_cases.RNG.integers(-127, 127, (4, 8, 3, 3)).astype(np.int8), f32(0.01)[0], np.int8(0))))
spelling("constants", "behind Unsqueeze")(lambda n, x: n.add("Add", x, n.add("Unsqueeze", rand(8), ints(1, 2))))
spelling("constants", "behind Squeeze and Mul")(lambda n, x: n.add("Conv", x, n.add("Mul", rand(4, 8, 3, 3), rand(4, 1, 1, 1))))
spelling("constants", "PyTorch, weight norm", 13)(lambda n, x: n.add("Conv", x, n.add("Div", rand(4, 8, 3, 3), n.add("Sqrt", np.abs(rand(4, 1, 1, 1)) + 1))))


# One and two values.
@spelling("attention", "PyTorch, one head", 13, (6, 8))
def attention(n, x):
    q, k, v = (n.add("Add", n.add("MatMul", x, rand(8, 8)), rand(8)) for _ in range(3))
    scores = n.add("Div", n.add("MatMul", q, n.add("Transpose", k, perm=[0, 2, 1])), np.float32(8**0.5))
    return n.add("MatMul", n.add("Softmax", scores, axis=-1), v)


@spelling("attention", "PyTorch, two heads", 13, (6, 8))
def attention_heads(n, x):
    heads = lambda y, *perm: n.add("Transpose", n.add("Reshape", y, ints(-1, 6, 2, 4)), perm=perm)
    q, k, v = (n.add("MatMul", x, rand(8, 8)) for _ in range(3))
    scores = n.add("MatMul", n.add("Mul", heads(q, 0, 2, 1, 3), np.float32(0.5)), heads(k, 0, 2, 3, 1))
    y = n.add("MatMul", n.add("Softmax", scores, axis=-1), heads(v, 0, 2, 1, 3))
    return n.add("MatMul", n.add("Reshape", n.add("Transpose", y, perm=[0, 2, 1, 3]), ints(-1, 6, 8)), rand(8, 8))


def three(n, x, apart):
    """Queries, keys and values from one product, the batch moved behind them for a while."""
    y = n.add("Transpose", n.add("Reshape", n.linear3(x, 8, 24), ints(-1, 6, 3, 2, 4)), perm=[2, 0, 3, 1, 4])
    q, k, v = apart(y)
    scores = n.add("Mul", n.add("MatMul", q, n.add("Transpose", k, perm=[0, 1, 3, 2])), np.float32(0.5))
    y = n.add("MatMul", n.add("Softmax", scores, axis=-1), v)
    return n.add("Reshape", n.add("Transpose", y, perm=[0, 2, 1, 3]), ints(-1, 6, 8))


Net.linear3 = lambda n, x, i, o: n.add("Add", n.add("MatMul", x, rand(i, o)), rand(o))
spelling("attention", "PyTorch, three in one, by Gather", 13, (6, 8))(lambda n, x: three(n, x, lambda y: [n.add("Gather", y, np.int64(i), axis=0) for i in range(3)]))
spelling("attention", "PyTorch, three in one, by Split", 13, (6, 8))(lambda n, x: three(n, x, lambda y: [n.add("Squeeze", p, ints(0)) for p in n.add("Split", y, ints(1, 1, 1), outputs=3, axis=0)]))
spelling("attention", "PaddlePaddle, three in one, by Slice", 11, (6, 8))(lambda n, x: three(n, x, lambda y: [n.add("Squeeze", n.add("Slice", y, ints(i), ints(i + 1), ints(0)), axes=[0]) for i in range(3)]))

for op in ("Sqrt", "Exp", "Reciprocal", "Abs", "Log"):
    spelling("one value", op)(lambda n, x, op=op: n.add(op, n.add("Add", n.add("Sigmoid", x), np.float32(0.5))))
spelling("one value", "Pow 0.5")(lambda n, x: n.add("Pow", n.add("Sigmoid", x), np.float32(0.5)))
spelling("one value", "Pow 3")(lambda n, x: n.add("Pow", x, np.float32(3)))
spelling("one value", "1 / x")(lambda n, x: n.add("Div", np.float32(1), n.add("Add", n.add("Sigmoid", x), np.float32(0.5))))
for op in ("Max", "Min"):
    spelling("two values", op)(lambda n, x, op=op: n.add(op, x, n.add("Tanh", x)))
for op in ("ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
    spelling("reductions", op)(lambda n, x, op=op: n.add(op, x, axes=[2, 3], keepdims=0))
spelling("reductions", "ReduceMax over channels")(lambda n, x: n.add("ReduceMax", x, axes=[1]))
spelling("reductions", "norm of a vector, L2", 13, (12,))(lambda n, x: n.add("Div", x, n.add("ReduceL2", x, axes=[1])))
spelling("one-dimensional", "Conv", 13, (8, 20))(lambda n, x: n.add("Conv", x, rand(4, 8, 5), rand(4), pads=[2, 2], strides=[2]))
spelling("one-dimensional", "ConvTranspose", 13, (8, 20))(lambda n, x: n.add("ConvTranspose", x, rand(8, 4, 4), strides=[2], pads=[1, 1]))
spelling("one-dimensional", "pools", 13, (8, 20))(lambda n, x: n.add("AveragePool", n.add("MaxPool", x, kernel_shape=[3], strides=[1]), kernel_shape=[2], strides=[2]))
spelling("one-dimensional", "GlobalAveragePool", 13, (8, 20))(lambda n, x: n.add("GlobalAveragePool", x))


def between(f, shape):
    """The function by itself, and between layers."""

    def alone(net):
        return f(net, net.input(*shape))

    def layered(net):
        x = net.input(*shape)
        if len(shape) == 3:
            x = net.bn(net.conv(x, shape[0], shape[0], 3), shape[0])
        elif len(shape) == 1:
            x = net.linear(x, shape[0], shape[0])
        else:
            x = net.add("Add", net.add("MatMul", x, rand(shape[1], shape[1])), rand(shape[1]))
        y = f(net, x)
        return net.add("Relu", net.add("Add", net.add("Mul", y, np.float32(0.5)), np.float32(0.25)))

    return alone, layered


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.safetensors"):
        old.unlink()
    for function, name, opset, shape, f in TABLE:
        for i, build in enumerate(between(f, shape)):
            make_cases.RNG = np.random.default_rng(zlib.crc32(f"{function} {name} {i}".encode()))
            net = Net(opset)
            y = build(net)
            model = net.model(y)
            model.ir_version = 10 if opset > 21 else 8
            data = model.SerializeToString()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            feeds = {v.name: a for v, a in zip(net.inputs, net.arrays)}
            tensors = {"model": ("U8", [len(data)], data)}
            for j, array in enumerate(net.arrays):
                tensors[f"input.{j}"] = ("F32", array.shape, array.tobytes())
            for j, array in enumerate(session.run(None, feeds)):
                tensors[f"output.{j}"] = ("F32", array.shape, np.ascontiguousarray(array).tobytes())
            make_cases.safetensors(out / f"{function}--{name.replace('/', ' over ')}-{i}.safetensors", tensors)
    print(f"{len(TABLE)} spellings of {len({t[0] for t in TABLE})} functions")


main()
