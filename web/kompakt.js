// kompakt: runs a compressed neural network (.kompakt) in a browser, a Worker, Node or Deno.
//
//   load(source) ──► Network ──► classify(image)   classes and probabilities
//                            └─► run(numbers)      the network's output
//
// The loader is WebAssembly (kompakt.wasm, or kompakt-simd.wasm where the machine has 128-bit vectors); it is fetched once,
// from beside this file, when the first network is loaded. Nothing else is fetched, and no code is generated at run time. The
// words of errors are in kompakt.wasm alone: where a file is refused, that is fetched to say why.

/** An error of the loader, with its message. `status` is the C library's: "argument", "format", … */
export class KompaktError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "KompaktError";
    this.status = status;
  }
}

/** Names of `enum KompaktStatus` of the C library (kompakt.h), by number. */
export const STATUS = ["ok", "argument", "io", "format", "unsupported", "resources", "internal", "signature"];

/** A function of 128-bit vectors: `() -> v128`, which a machine without them refuses. */
const VECTORS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

// Each name as a whole, so that bundlers find the files.
const WITH_VECTORS = new URL("./dist/kompakt-simd.wasm", import.meta.url);
const WITH_WORDS = new URL("./dist/kompakt.wasm", import.meta.url);

/** The exports of the modules that are started, as promises. */
const started = new Map();

/** The exports of a module; made once for all networks. */
function loader(url = WebAssembly.validate(VECTORS) ? WITH_VECTORS : WITH_WORDS) {
  if (!started.has(url)) {
    const exports = instantiate(url).then(({ instance }) => instance.exports);
    exports.catch(() => started.delete(url)); // so that the next call can succeed
    started.set(url, exports);
  }
  return started.get(url);
}

async function instantiate(url) {
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return WebAssembly.instantiate(await readFile(url));
  }
  const response = await fetched(url);
  if ((response.headers.get("content-type") ?? "").startsWith("application/wasm")) {
    return WebAssembly.instantiateStreaming(response);
  }
  return WebAssembly.instantiate(await response.arrayBuffer());
}

async function fetched(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) {
    throw new KompaktError("io", `${url}: the server answered ${response.status} ${response.statusText}`);
  }
  return response;
}

/**
 * Opens a network. `source` is a URL or the bytes of a file (ArrayBuffer, or a view of one).
 * Options: `integrity` ("sha256-…", as in HTML), `signal` (AbortSignal), `maxBatch` (inputs per run, default 1),
 * `verify`: "checksums" (default: every checksum first), true (also decode everything once and compare it with the content
 * hash, which takes about as long as the start), false.
 */
export async function load(source, options = {}) {
  const bytes = await bytesOf(source, options);
  const wasm = await loader();
  try {
    return new Network(wasm, bytes, options);
  } catch (error) {
    throw error.message === NO_WORDS ? await inWords(error, bytes, options) : error;
  }
}

/** The message of an error of the module with vectors, which has no words. */
const NO_WORDS = "the loader refuses it; kompakt.wasm, which has the words for it, did not say why";

/** The error as the module with words has it, which is given the same bytes. */
async function inWords(error, bytes, options) {
  try {
    new Network(await loader(WITH_WORDS), bytes, options).free();
    return error;
  } catch (inWords) {
    return inWords instanceof KompaktError ? inWords : error;
  }
}

async function bytesOf(source, { integrity, signal }) {
  if (source instanceof ArrayBuffer) {
    source = new Uint8Array(source);
  }
  if (ArrayBuffer.isView(source)) {
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    if (integrity) {
      await checkIntegrity(bytes, integrity);
    }
    return bytes;
  }
  const base = globalThis.location?.href;
  const response = await fetched(new URL(source, base), { signal, integrity });
  return new Uint8Array(await response.arrayBuffer());
}

async function checkIntegrity(bytes, integrity) {
  const [, bits, expected] = /^sha(256|384|512)-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
  if (!bits) {
    throw new KompaktError("argument", `integrity ${integrity} is not sha256-, sha384- or sha512- and base64`);
  }
  const hash = new Uint8Array(await crypto.subtle.digest(`SHA-${bits}`, bytes));
  if (btoa(String.fromCharCode(...hash)) !== expected) {
    throw new KompaktError("io", `the file's ${bits}-bit hash is not that of integrity`);
  }
}

/** An open network. Its memory is freed by `free()`. */
export class Network {
  #wasm;
  #session = 0;
  #file;
  #input;
  #output;
  #maxBatch;

  /** Use `load`. */
  constructor(wasm, bytes, { maxBatch = 1, verify = "checksums" }) {
    this.#wasm = wasm;
    this.#maxBatch = maxBatch;
    this.#file = this.#allocate(bytes.byteLength);
    new Uint8Array(wasm.memory.buffer).set(bytes, this.#file.at);
    const options = this.#allocate(16 + 4);
    try {
      // struct kompakt_options of the C library: three sizes, three flags; then the place for the session.
      const memory = new DataView(wasm.memory.buffer);
      memory.setUint32(options.at, 0, true);
      memory.setUint32(options.at + 4, maxBatch, true);
      memory.setUint32(options.at + 8, 0, true);
      memory.setUint32(options.at + 12, 0, true);
      memory.setUint8(options.at + 12, 1);
      memory.setUint8(options.at + 13, verify === true ? 1 : 0);
      const place = options.at + 16;
      if (verify === "checksums") {
        this.#check(wasm.kompakt_check(this.#file.at, bytes.byteLength));
      }
      this.#check(wasm.kompakt_open_bytes(this.#file.at, bytes.byteLength, options.at, place));
      this.#session = new DataView(wasm.memory.buffer).getUint32(place, true);
      this.#input = this.#allocate(4 * maxBatch * wasm.kompakt_input_len(this.#session));
      this.#output = this.#allocate(4 * maxBatch * wasm.kompakt_output_len(this.#session));
    } catch (error) {
      this.free();
      throw error;
    } finally {
      this.#release(options);
    }
  }

  /** Names and shapes of inputs and outputs, without the batch; names of the classes, if the file has any. */
  get info() {
    const wasm = this.#open();
    const labels = Array.from({ length: wasm.kompakt_n_labels(this.#session) }, (_, i) =>
      this.#text(wasm.kompakt_label(this.#session, i)),
    );
    const [inputs, outputs] = [this.#ports("input"), this.#ports("output")];
    return { inputs, outputs, inputShape: inputs[0].shape, outputShape: outputs[0].shape, labels, bytes: this.#file.n };
  }

  /**
   * Runs raw inputs: the file's preprocessing, then the network. One input as an array returns the first output,
   * `[batch, inputShape...]` ─► `[batch, outputShape...]`; inputs by name, `{ name: array }`, return all outputs by name.
   */
  run(input) {
    return ArrayBuffer.isView(input) ? this.#call("kompakt_run", input) : this.#callByName(input);
  }

  /** As `run`, with probabilities as output. */
  predict(input) {
    return this.#call("kompakt_predict", input);
  }

  /**
   * The `top` most probable classes of one image, best first: `[{ label, index, probability }]`.
   * `image`: the network's own numbers, or ImageData, a canvas, an image or a video, which is scaled to the network's size.
   */
  classify(image, top = 5) {
    const { inputShape, labels } = this.info;
    const input = ArrayBuffer.isView(image) ? image : numbersOf(image, inputShape);
    const probabilities = Array.from(this.predict(input), (probability, index) => ({
      label: labels[index] ?? String(index),
      index,
      probability,
    }));
    return probabilities.sort((a, b) => b.probability - a.probability || a.index - b.index).slice(0, top);
  }

  /**
   * What is in the file and where its bytes are: `{ tier, content_hash, bytes, preprocessing, nodes, others, tensors }`. Rows of
   * `others` and `tensors` add up to the file; tensors that share one stream have shares of it in proportion to their entropy.
   */
  inspect() {
    const wasm = this.#open();
    this.#check(wasm.kompakt_inspect(this.#file.at, this.#file.n));
    const inspection = JSON.parse(this.#text(wasm.kompakt_inspection()));
    for (const tensor of inspection.tensors) {
      // They come as the bits of 32-bit floats.
      tensor.levels &&= Array.from(new Float32Array(Uint32Array.from(tensor.levels).buffer));
    }
    return inspection;
  }

  /** The values of tensor `index` of `inspect()`, which has `n`; NaN for a weight that is not kept. */
  weights(index, n) {
    const wasm = this.#open();
    const values = this.#allocate(4 * n);
    try {
      this.#check(wasm.kompakt_weights(this.#file.at, this.#file.n, index, values.at, n));
      return new Float32Array(wasm.memory.buffer, values.at, n).slice();
    } finally {
      this.#release(values);
    }
  }

  /** Bytes of the loader's memory, for all networks together; it does not shrink. */
  get memoryBytes() {
    return this.#wasm.memory.buffer.byteLength;
  }

  /** Frees the network's memory. It cannot be used afterwards. */
  free() {
    if (this.#session) {
      this.#wasm.kompakt_close(this.#session);
      this.#session = 0;
    }
    for (const memory of [this.#file, this.#input, this.#output]) {
      this.#release(memory);
    }
    this.#file = this.#input = this.#output = undefined;
  }

  [Symbol.dispose ?? Symbol("dispose")]() {
    this.free();
  }

  #call(name, input) {
    const wasm = this.#open();
    const nInput = wasm.kompakt_input_len(this.#session);
    const nOutput = wasm.kompakt_output_len(this.#session);
    const batch = input.length / nInput;
    if (!Number.isInteger(batch)) {
      throw new KompaktError("argument", `${input.length} numbers are not a multiple of the network's ${nInput}`);
    }
    const output = new Float32Array(batch * nOutput);
    for (let done = 0; done < batch; done += this.#maxBatch) {
      const n = Math.min(this.#maxBatch, batch - done);
      const part = input.subarray(done * nInput, (done + n) * nInput);
      new Float32Array(wasm.memory.buffer, this.#input.at, part.length).set(part);
      this.#check(wasm[name](this.#session, this.#input.at, n, this.#output.at));
      output.set(new Float32Array(wasm.memory.buffer, this.#output.at, n * nOutput), done * nOutput);
    }
    return output;
  }

  #open() {
    if (!this.#session) {
      throw new KompaktError("argument", "the network was freed");
    }
    return this.#wasm;
  }

  #callByName(arrays) {
    const wasm = this.#open();
    const { inputs, outputs } = this.info;
    const missing = inputs.find(({ name }) => !ArrayBuffer.isView(arrays[name]));
    if (missing) {
      throw new KompaktError("argument", `input ${missing.name} is missing`);
    }
    const batch = arrays[inputs[0].name].length / product(inputs[0].shape);
    const wrong = inputs.find(({ name, shape }) => arrays[name].length !== batch * product(shape));
    if (wrong || !Number.isInteger(batch)) {
      const { name, shape } = wrong ?? inputs[0];
      throw new KompaktError("argument", `input ${name} has ${arrays[name].length} numbers, its shape is [${shape}]`);
    }
    const room = ({ shape }) => this.#allocate(4 * batch * product(shape));
    const [from, to] = [inputs.map(room), outputs.map(room)];
    const table = this.#allocate(4 * (from.length + to.length));
    const places = [...from, ...to].map(({ at }) => at);
    try {
      inputs.forEach(({ name }, i) => {
        new Float32Array(wasm.memory.buffer, from[i].at, arrays[name].length).set(arrays[name]);
      });
      new Uint32Array(wasm.memory.buffer, table.at, places.length).set(places);
      this.#check(wasm.kompakt_run_all(this.#session, table.at, batch, table.at + 4 * from.length));
      const output = ({ n, at }) => new Float32Array(wasm.memory.buffer, at, n / 4).slice();
      return Object.fromEntries(outputs.map(({ name }, i) => [name, output(to[i])]));
    } finally {
      [...from, ...to, table].forEach((memory) => this.#release(memory));
    }
  }

  /** Names and shapes of the inputs or outputs. */
  #ports(which) {
    const wasm = this.#wasm;
    const dims = this.#allocate(4 * 8);
    const ports = Array.from({ length: wasm[`kompakt_n_${which}s`](this.#session) }, (_, i) => {
      const n = wasm[`kompakt_${which}_shape_at`](this.#session, i, dims.at, 8);
      const shape = Array.from(new Uint32Array(wasm.memory.buffer, dims.at, n));
      return { name: this.#text(wasm[`kompakt_${which}_name`](this.#session, i)), shape };
    });
    this.#release(dims);
    return ports;
  }

  #check(status) {
    if (status !== 0) {
      throw new KompaktError(STATUS[status] ?? "internal", this.#text(this.#wasm.kompakt_last_error()) || NO_WORDS);
    }
  }

  /** A text of UTF-8 that ends in a zero. */
  #text(at) {
    const memory = new Uint8Array(this.#wasm.memory.buffer);
    return new TextDecoder().decode(memory.subarray(at, memory.indexOf(0, at)));
  }

  #allocate(n) {
    const at = this.#wasm.kompakt_allocate(n);
    if (at === 0) {
      throw new KompaktError("resources", `no memory for ${n} bytes`);
    }
    return { at, n };
  }

  #release(memory) {
    if (memory) {
      this.#wasm.kompakt_release(memory.at, memory.n);
    }
  }
}

function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}

/** An image as numbers of 0 to 1 in the network's shape: `[height, width]`, `[1, height, width]` or `[3, height, width]`. */
function numbersOf(image, shape) {
  const [channels, height, width] = shape.length === 2 ? [1, ...shape] : shape;
  if (shape.length < 2 || shape.length > 3 || (channels !== 1 && channels !== 3)) {
    throw new KompaktError("argument", `a network with inputs of shape [${shape}] does not take images`);
  }
  const { data } = pixelsOf(image, width, height);
  const numbers = new Float32Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    if (channels === 1) {
      numbers[i] = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
    } else {
      numbers.set([r / 255], i);
      numbers.set([g / 255], height * width + i);
      numbers.set([b / 255], 2 * height * width + i);
    }
  }
  return numbers;
}

/** The image's pixels at that size. */
function pixelsOf(image, width, height) {
  if (image.data && image.width === width && image.height === height) {
    return image;
  }
  if (typeof OffscreenCanvas === "undefined") {
    throw new KompaktError("argument", `an image must be ${width} x ${height} where there is no canvas to scale it`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (image.data) {
    const whole = new OffscreenCanvas(image.width, image.height);
    whole.getContext("2d").putImageData(image, 0, 0);
    image = whole;
  }
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
