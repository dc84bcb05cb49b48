"""Networks as .tflite files, for LiteRT: written operator by operator with the schema that its package carries, so that
no converter (and no TensorFlow) is needed.

Activations are NHWC; a flattened one keeps that order and the weights after it are put into it. A ReLU goes into the
layer before it, padding that `SAME` does not mean into a PAD. With `dynamic`, weights of convolutions and linear layers
are int8, one scale per output channel, and LiteRT quantizes activations as it goes.
"""

import json
from collections import Counter

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPS = schema.BuiltinOperator
# The operators' versions that read per-channel int8 weights beside f32 activations.
VERSIONS = {OPS.FULLY_CONNECTED: 9, OPS.CONV_2D: 5, OPS.DEPTHWISE_CONV_2D: 6}
VALID, SAME, RELU = schema.Padding.VALID, schema.Padding.SAME, schema.ActivationFunctionType.RELU


class Writer:
    def __init__(self, dynamic):
        self.dynamic, self.tensors, self.operators, self.codes = dynamic, [], [], []
        self.buffers = [schema.BufferT()]

    def tensor(self, name, shape, data=None, scales=None, axis=0):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, [int(d) for d in shape]
        tensor.type, tensor.buffer = schema.TensorType.FLOAT32, 0
        if data is None:
            tensor.shapeSignature = [-1] + tensor.shape[1:]
        else:
            types = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32"}
            tensor.type = getattr(schema.TensorType, types[str(data.dtype)])
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(data).view(np.uint8).ravel()
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if scales is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.astype(np.float32)
            tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
            tensor.quantization.quantizedDimension = axis
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def weight(self, name, data, axis=0):
        """A weight whose output channels are along `axis`."""
        if not self.dynamic:
            return self.tensor(name, data.shape, data.astype(np.float32))
        others = tuple(i for i in range(data.ndim) if i != axis)
        scales = np.maximum(np.abs(data).max(axis=others) / 127, 1e-12)
        shape = [-1 if i == axis else 1 for i in range(data.ndim)]
        codes = np.clip(np.rint(data / scales.reshape(shape)), -127, 127).astype(np.int8)
        return self.tensor(name, data.shape, codes, scales, axis)

    def operator(self, code, inputs, output, options=None, kind=None):
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes.index(code), inputs, [output]
        if options is not None:
            operator.builtinOptions, operator.builtinOptionsType = options, getattr(schema.BuiltinOptions, kind)
        self.operators.append(operator)

    def write(self, path, input, output):
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [input], [output]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
            entry.version = VERSIONS.get(code, 1)
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(builder.Output())


def write(folder, weights, path, dynamic):
    """`model.json` and its `weights` (by name) as a file."""
    model = json.loads((folder / "model.json").read_text())
    to, nodes = Writer(dynamic), model["nodes"]
    uses = Counter(v for node in nodes for v in node["inputs"])
    shape = model["input"]["shape"]
    if len(shape) == 3:
        shape = [shape[1], shape[2], shape[0]]
    # For each value its tensor, its shape without the batch, and how many channels it had before it was flattened.
    values = {model["input"]["name"]: (to.tensor("input", [1, *shape]), shape, None)}
    first, skip = values[model["input"]["name"]][0], set()
    for at, node in enumerate(nodes):
        if at in skip:
            continue
        op, attributes, output = node["op"], node["attributes"], node["output"]
        x, shape, channels = values[node["inputs"][0]]
        relu = next((i for i, n in enumerate(nodes) if n["op"] == "Relu" and n["inputs"] == [output]), None)
        fused = relu is not None and uses[output] == 1 and op in ("Conv", "Gemm", "Add")
        if fused:
            skip.add(relu)
            output = nodes[relu]["output"]
        act = RELU if fused else 0
        bias = [to.tensor(n, weights[n].shape, weights[n].astype(np.float32)) for n in node["inputs"][2:]]
        if op in ("Conv", "MaxPool"):
            (kh, kw), (sh, sw) = attributes["kernel_shape"], attributes["strides"]
            top, left, bottom, right = attributes["pads"]
            padding = VALID
            if (sh, sw) == (1, 1) and (top, left, bottom, right) == ((kh - 1) // 2, (kw - 1) // 2, kh // 2, kw // 2):
                padding = SAME if top + left else VALID
            padded = [shape[0] + top + bottom, shape[1] + left + right, shape[2]]
            if padding == VALID and top + left + bottom + right:
                # Zeros do for a maximum too: all pools come after a ReLU.
                pads = to.tensor("pads", [4, 2], np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
                y = to.tensor(node["name"] + ".padded", [1, *padded])
                to.operator(OPS.PAD, [x, pads], y, schema.PadOptionsT(), "PadOptions")
                x = y
            size = [(padded[0] - kh) // sh + 1, (padded[1] - kw) // sw + 1]
        if op == "Conv":
            w = weights[node["inputs"][1]].transpose(0, 2, 3, 1)
            out, group = w.shape[0], attributes["group"]
            if group > 1 and group == out:
                options, kind, code = schema.DepthwiseConv2DOptionsT(), "DepthwiseConv2DOptions", OPS.DEPTHWISE_CONV_2D
                options.depthMultiplier = 1
                w = to.weight(node["name"], np.ascontiguousarray(w.transpose(3, 1, 2, 0)), 3)
            else:
                options, kind, code = schema.Conv2DOptionsT(), "Conv2DOptions", OPS.CONV_2D
                w = to.weight(node["name"], np.ascontiguousarray(w))
            options.padding, options.strideH, options.strideW = padding, sh, sw
            options.dilationHFactor = options.dilationWFactor = 1
            options.fusedActivationFunction = act
            shape = [*size, out]
            y = to.tensor(output, [1, *shape])
            to.operator(code, [x, w, *bias], y, options, kind)
        elif op == "MaxPool":
            options = schema.Pool2DOptionsT()
            options.padding, options.strideH, options.strideW = padding, sh, sw
            options.filterHeight, options.filterWidth = kh, kw
            shape = [*size, shape[2]]
            y = to.tensor(output, [1, *shape])
            to.operator(OPS.MAX_POOL_2D, [x], y, options, "Pool2DOptions")
        elif op == "Gemm":
            w = weights[node["inputs"][1]]
            if channels:
                w = w.reshape(len(w), channels, -1).transpose(0, 2, 1).reshape(len(w), -1)
            options = schema.FullyConnectedOptionsT()
            options.fusedActivationFunction, options.asymmetricQuantizeInputs = act, dynamic
            shape, channels = [len(w)], None
            y = to.tensor(output, [1, *shape])
            w = to.weight(node["name"], np.ascontiguousarray(w))
            to.operator(OPS.FULLY_CONNECTED, [x, w, *(bias or [-1])], y, options, "FullyConnectedOptions")
        elif op == "Flatten":
            channels, shape = shape[-1], [int(np.prod(shape))]
            y = to.tensor(output, [1, *shape])
            sizes = to.tensor("sizes", [2], np.array([-1, *shape], np.int32))
            to.operator(OPS.RESHAPE, [x, sizes], y, schema.ReshapeOptionsT(), "ReshapeOptions")
        elif op == "Add":
            options = schema.AddOptionsT()
            options.fusedActivationFunction = act
            y = to.tensor(output, [1, *shape])
            to.operator(OPS.ADD, [x, values[node["inputs"][1]][0]], y, options, "AddOptions")
        elif op == "GlobalAveragePool":
            options = schema.ReducerOptionsT()
            options.keepDims = True
            shape = [1, 1, shape[2]]
            y = to.tensor(output, [1, *shape])
            axes = to.tensor("axes", [2], np.array([1, 2], np.int32))
            to.operator(OPS.MEAN, [x, axes], y, options, "ReducerOptions")
        elif op == "Relu":
            y = to.tensor(output, [1, *shape])
            to.operator(OPS.RELU, [x], y)
        else:
            raise ValueError(f"{op} is not written")
        values[output] = (y, shape, channels)
    to.write(path, first, values[model["output"]["name"]][0])
