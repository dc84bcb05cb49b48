// A network as ONNX-like nodes, run by TensorFlow.js: layers in its own layout (NHWC), activations fused where it can.
// What it is given is dense: `model` from model.json, `weights` all parameters as one Float32Array.

/** Returns `run(input)`, which resolves to the output's numbers. */
export function build(tf, model, weights) {
  const parameters = new Map();
  let at = 0;
  for (const { name, shape } of model.parameters) {
    const n = shape.reduce((a, b) => a * b, 1);
    parameters.set(name, { shape, values: weights.subarray(at, at + n) });
    at += n;
  }
  const steps = fused(model.nodes).map((node) => step(tf, node, parameters));
  const [input, output] = [model.input.name, model.output.name];
  const { shape } = model.input;
  const isImage = shape.length === 3;
  return async (numbers) => {
    const y = tf.tidy(() => {
      const values = new Map();
      const x = tf.tensor(numbers, [1, ...shape]);
      values.set(input, isImage ? tf.transpose(x, [0, 2, 3, 1]) : x);
      for (const { inputs, output, apply } of steps) {
        values.set(output, apply(...inputs.map((name) => values.get(name))));
      }
      return values.get(output);
    });
    const result = await y.data();
    y.dispose();
    return result;
  };
}

/** Nodes, with a ReLU as part of the layer before it where nothing else reads that layer. */
function fused(nodes) {
  const readers = new Map();
  nodes.forEach(({ inputs }) => inputs.forEach((name) => readers.set(name, (readers.get(name) ?? 0) + 1)));
  const kept = [];
  for (const node of nodes) {
    const before = kept.find(({ output }) => output === node.inputs[0]);
    if (node.op === "Relu" && before && readers.get(before.output) === 1 && ["Conv", "Gemm"].includes(before.op)) {
      Object.assign(before, { output: node.output, activation: "relu" });
    } else {
      kept.push({ ...node });
    }
  }
  return kept;
}

function step(tf, { op, inputs, output, attributes, activation }, parameters) {
  const [x, weight, bias] = inputs;
  const explicit = ([top, left, bottom, right]) => [[0, 0], [top, bottom], [left, right], [0, 0]];
  const parameter = (name) => tf.tensor(parameters.get(name).values, parameters.get(name).shape);
  const one = (apply) => ({ inputs: [x], output, apply });
  switch (op) {
    case "Gemm": {
      const w = tf.transpose(parameter(weight));
      const b = bias && parameter(bias);
      return one((x) => tf.fused.matMul({ a: x, b: w, bias: b, activation }));
    }
    case "Conv": {
      const isDepthwise = attributes.group > 1;
      const filter = tf.transpose(parameter(weight), isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
      const { strides, pads } = attributes;
      const rest = { filter, strides, pad: explicit(pads), bias: bias && parameter(bias), activation };
      return one((x) => (isDepthwise ? tf.fused.depthwiseConv2d({ x, ...rest }) : tf.fused.conv2d({ x, ...rest })));
    }
    case "MaxPool":
      return one((x) => {
        const { kernel_shape, strides, pads, ceil_mode } = attributes;
        // Caffe's rounding up: what hangs over is padding, which no maximum takes.
        const over = (n, k, s) => (ceil_mode ? (s - ((n - k) % s)) % s : 0);
        const [top, left, bottom, right] = pads;
        const more = [over(x.shape[1] + top + bottom, kernel_shape[0], strides[0]), over(x.shape[2] + left + right, kernel_shape[1], strides[1])];
        return tf.maxPool(x, kernel_shape, strides, explicit([top, left, bottom + more[0], right + more[1]]));
      });
    case "GlobalAveragePool":
      return one((x) => tf.mean(x, [1, 2], true));
    case "Relu":
      return one((x) => tf.relu(x));
    case "Add":
      return { inputs, output, apply: (a, b) => tf.add(a, b) };
    case "Flatten":
      return one((x) => tf.reshape(x.rank === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x, [1, -1]));
    default:
      throw new Error(`no ${op}`);
  }
}
