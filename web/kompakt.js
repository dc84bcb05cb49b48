// kompakt: runs a compressed neural network (.kompakt) in a browser, a Worker, Node or Deno.
//
//   load(source) ──► Network ──► classify(image)   classes and probabilities
//                            └─► run(numbers)      the network's output
//
// The loader is WebAssembly (dist/kompakt-simd.wasm, or dist/kompakt.wasm where the machine has no 128-bit vectors); it is fetched
// once, from beside this file, when the first network is loaded. Nothing else is fetched, and no code is generated at run time. The
// words of errors, and what looks into a file, are in kompakt.wasm alone: it is fetched where a file is refused, and by `inspect`.
// Networks on several threads have a module of their own (`threads.js`).

import { numbersOf } from "./images.js";
import { KompaktError, NO_WORDS, fastest, fetched, inWords } from "./module.js";
import { atMost, threadsFor, whyNot, withThreads } from "./threads.js";

export { KompaktError, STATUS } from "./module.js";

/**
 * Opens a network. `source` is a URL or the bytes of a file (ArrayBuffer, or a view of one).
 * Options: `integrity` ("sha256-…", as in HTML), `signal` (AbortSignal), `maxBatch` (inputs per run, default 1),
 * `verify`: "checksums" (default: every checksum first), true (also decode everything once and compare it with the content
 * hash, which takes about as long as the start), false.
 * `threads`: how many run the network, at most as many as there are processors; by default several for large files alone. Where there
 * can be one only, it is one (`network.threads`), with a warning if more were asked for.
 */
export async function load(source, options = {}) {
  const threads = threadsOf(options);
  // At the same time: the loader is compiled while the file is fetched, but where its length decides which loader.
  const file = opened(source, options);
  const started = loaderFor(threads ?? threadsFor((await file).length), options);
  const both = await Promise.allSettled([file.then(({ bytes }) => bytes()), started]);
  const failed = both.find(({ status }) => status === "rejected");
  const [bytes, { module, n, end } = {}] = both.map(({ value }) => value);
  if (failed) {
    end?.();
    throw failed.reason;
  }
  try {
    return new Network(module, bytes, { ...options, threads: n }, end);
  } catch (error) {
    throw error.message === NO_WORDS ? await explained(error, bytes, options) : error;
  }
}

/** Threads that are asked for and possible; undefined where the file's length decides. */
function threadsOf({ threads }) {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new KompaktError("argument", `threads: ${threads} is not a number from 1`);
  }
  const why = whyNot();
  if (why && threads > 1) {
    warn(threads, why);
  }
  return why ? 1 : threads && atMost(threads);
}

function warn(threads, why) {
  console.warn(`kompakt: a network runs on one thread instead of ${threads}: ${why}`);
}

/** The fastest loader with that many threads, or with one if it cannot be: `{ module, n, end }`, for `Network`. */
async function loaderFor(n, { threads }) {
  if (n > 1) {
    try {
      return { n, ...(await withThreads(n)) };
    } catch (error) {
      if (threads) warn(threads, error.message);
    }
  }
  return { n: 1, module: await fastest(), end() {} };
}

/** The error as the module with words has it, which is given the same bytes. */
async function explained(error, bytes, options) {
  try {
    new Network(await inWords(), bytes, { ...options, threads: 1 }).free();
    return error;
  } catch (same) {
    return same instanceof KompaktError ? same : error;
  }
}

/** The file: its length, as far as it is known, and a function that gets its bytes. */
async function opened(source, { integrity, signal }) {
  if (source instanceof ArrayBuffer) {
    source = new Uint8Array(source);
  }
  if (ArrayBuffer.isView(source)) {
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    if (integrity) {
      await checkIntegrity(bytes, integrity);
    }
    return { length: bytes.length, bytes: () => bytes };
  }
  const base = globalThis.location?.href;
  const response = await fetched(new URL(source, base), { signal, integrity });
  const length = Number(response.headers.get("content-length"));
  return { length, bytes: async () => new Uint8Array(await response.arrayBuffer()) };
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
  #module;
  #session = 0;
  #file;
  #input;
  #output;
  #maxBatch;
  #threads;
  #end;

  /** Use `load`. `end` is called when the network is freed. */
  constructor(module, bytes, { maxBatch = 1, verify = "checksums", threads = 1 }, end = () => {}) {
    const { wasm } = module;
    this.#module = module;
    this.#maxBatch = maxBatch;
    this.#threads = threads;
    this.#end = end;
    let options;
    try {
      this.#file = module.copy(bytes);
      options = module.allocate(16 + 4);
      // struct kompakt_options of the C library: three sizes, three flags; then the place for the session.
      const memory = module.view;
      memory.setUint32(options.at, threads, true);
      memory.setUint32(options.at + 4, maxBatch, true);
      memory.setUint32(options.at + 8, 0, true);
      memory.setUint32(options.at + 12, 0, true);
      memory.setUint8(options.at + 12, 1);
      memory.setUint8(options.at + 13, verify === true ? 1 : 0);
      const place = options.at + 16;
      if (verify === "checksums") {
        module.check(wasm.kompakt_check(this.#file.at, bytes.byteLength));
      }
      module.check(wasm.kompakt_open_bytes(this.#file.at, bytes.byteLength, options.at, place));
      this.#session = module.view.getUint32(place, true);
      this.#input = module.allocate(4 * maxBatch * wasm.kompakt_input_len(this.#session));
      this.#output = module.allocate(4 * maxBatch * wasm.kompakt_output_len(this.#session));
    } catch (error) {
      this.free();
      throw error;
    } finally {
      module.release(options);
    }
  }

  /** Names and shapes of inputs and outputs, without the batch; names of the classes, if the file has any. */
  get info() {
    const { wasm } = this.#open();
    const labels = Array.from({ length: wasm.kompakt_n_labels(this.#session) }, (_, i) =>
      this.#module.text(wasm.kompakt_label(this.#session, i)),
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
    return this.#inspected((module, file) => {
      module.check(module.wasm.kompakt_inspect(file.at, file.n));
      const inspection = JSON.parse(module.text(module.wasm.kompakt_inspection()));
      for (const tensor of inspection.tensors) {
        // They come as the bits of 32-bit floats.
        tensor.levels &&= Array.from(new Float32Array(Uint32Array.from(tensor.levels).buffer));
      }
      return inspection;
    });
  }

  /** The values of tensor `index` of what `inspect` found, which has `n`; NaN for a weight that is not kept. */
  weights(index, n) {
    return this.#inspected((module, file) => {
      const values = module.allocate(4 * n);
      try {
        module.check(module.wasm.kompakt_weights(file.at, file.n, index, values.at, n));
        return module.floats(values.at, n).slice();
      } finally {
        module.release(values);
      }
    });
  }

  /** What `look` sees in the file, which the module that can look into it is given for as long as that takes. */
  async #inspected(look) {
    const module = await inWords();
    const own = this.#open();
    if (module === own) {
      return look(module, this.#file);
    }
    const { at, n } = this.#file;
    const file = module.copy(own.bytes.subarray(at, at + n));
    try {
      return look(module, file);
    } finally {
      module.release(file);
    }
  }

  /** Threads that run it, this one among them. */
  get threads() {
    return this.#threads;
  }

  /** Bytes of the loader's memory, for all networks together; it does not shrink. Not of the module that looks into files. */
  get memoryBytes() {
    return this.#module.bytes.byteLength;
  }

  /** Frees the network's memory. It cannot be used afterwards. */
  free() {
    if (this.#session) {
      this.#module.wasm.kompakt_close(this.#session);
      this.#session = 0;
    }
    for (const memory of [this.#file, this.#input, this.#output]) {
      this.#module.release(memory);
    }
    this.#file = this.#input = this.#output = undefined;
    this.#end();
    this.#end = () => {};
  }

  [Symbol.dispose ?? Symbol("dispose")]() {
    this.free();
  }

  #call(name, input) {
    const { wasm } = this.#open();
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
      this.#module.floats(this.#input.at, part.length).set(part);
      this.#module.check(wasm[name](this.#session, this.#input.at, n, this.#output.at));
      output.set(this.#module.floats(this.#output.at, n * nOutput), done * nOutput);
    }
    return output;
  }

  #open() {
    if (!this.#session) {
      throw new KompaktError("argument", "the network was freed");
    }
    return this.#module;
  }

  #callByName(arrays) {
    const module = this.#open();
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
    const room = ({ shape }) => module.allocate(4 * batch * product(shape));
    const [from, to] = [inputs.map(room), outputs.map(room)];
    const table = module.allocate(4 * (from.length + to.length));
    const places = [...from, ...to].map(({ at }) => at);
    try {
      inputs.forEach(({ name }, i) => module.floats(from[i].at, arrays[name].length).set(arrays[name]));
      places.forEach((place, i) => module.view.setUint32(table.at + 4 * i, place, true));
      module.check(module.wasm.kompakt_run_all(this.#session, table.at, batch, table.at + 4 * from.length));
      const output = ({ n, at }) => module.floats(at, n / 4).slice();
      return Object.fromEntries(outputs.map(({ name }, i) => [name, output(to[i])]));
    } finally {
      [...from, ...to, table].forEach((memory) => module.release(memory));
    }
  }

  /** Names and shapes of the inputs or outputs. */
  #ports(which) {
    const module = this.#module;
    const { wasm } = module;
    const dims = module.allocate(4 * 8);
    const ports = Array.from({ length: wasm[`kompakt_n_${which}s`](this.#session) }, (_, i) => {
      const n = wasm[`kompakt_${which}_shape_at`](this.#session, i, dims.at, 8);
      const shape = Array.from({ length: n }, (_, d) => module.view.getUint32(dims.at + 4 * d, true));
      return { name: module.text(wasm[`kompakt_${which}_name`](this.#session, i)), shape };
    });
    module.release(dims);
    return ports;
  }
}

function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}
