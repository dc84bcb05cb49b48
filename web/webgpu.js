// kompakt/webgpu: runs a compressed neural network (.kompakt) on the GPU of a browser, its weights compressed in video memory.
//
//   load(source) ──► Network ──► await run(numbers)   the network's output
//
// The loader is WebAssembly of its own (dist/webgpu), fetched from beside this file when the first network is loaded. It needs
// WebGPU (`navigator.gpu`); where there is none, `load` says so, and the loader of "kompakt" runs on the processor.

import { KompaktError } from "./kompakt.js";

export { KompaktError };

let started;
let device;

/** The module; made once. */
function module() {
  started ??= start().catch((error) => {
    started = undefined; // so that the next call can succeed
    throw error;
  });
  return started;
}

async function start() {
  const loader = await import("./dist/webgpu/kompakt_webgpu.js");
  await loader.default({ module_or_path: new URL("./dist/webgpu/kompakt_webgpu_bg.wasm", import.meta.url) });
  return loader;
}

/** Whether the browser has a GPU for programs. */
export async function isAvailable() {
  return Boolean(await globalThis.navigator?.gpu?.requestAdapter());
}

/** The GPU, which all networks share, until it is lost. */
async function opened() {
  device ??= module()
    .then((loader) => loader.Device.open())
    .catch((error) => {
      device = undefined;
      throw error;
    });
  return device;
}

/** Errors of the module as the loader's. */
async function translated(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error?.status === "internal") {
      device = undefined; // perhaps lost: the next network asks for it again
    }
    throw error?.status ? new KompaktError(error.status, error.message) : error;
  }
}

/**
 * Opens a network. `source` is a URL or the bytes of a file (ArrayBuffer, or a view of one).
 * Options: `maxBatch` (inputs per run, default 1), `half` (16-bit values between layers, default false), `decode` (where weights
 * of the tier `stream` are decoded: "load", "run" or "host"), `verify` (check every checksum first, default true), `timeout` (the milliseconds
 * that the GPU may take to answer, default a minute, ten where it is software), `integrity` and `signal` (for a URL).
 */
export async function load(source, options = {}) {
  const { maxBatch = 1, half = false, decode = "load", verify = true, timeout, integrity, signal } = options;
  if (!["load", "run", "host"].includes(decode)) {
    throw new KompaktError("argument", `${decode} is no place to decode: load, run or host`);
  }
  if (timeout !== undefined && !(timeout > 0 && timeout < Infinity)) {
    throw new KompaktError("argument", `${timeout} is no time to wait: a positive number of milliseconds`);
  }
  const [bytes, gpu] = await Promise.all([bytesOf(source, { integrity, signal }), translated(opened())]);
  return new Network(await translated(gpu.load(bytes, maxBatch, half, decode, verify, timeout)));
}

async function bytesOf(source, options) {
  if (source instanceof ArrayBuffer) {
    return new Uint8Array(source);
  }
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  const url = new URL(source, globalThis.location?.href);
  const response = await fetch(url, options);
  if (!response.ok) {
    throw new KompaktError("io", `${url}: the server answered ${response.status} ${response.statusText}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** An open network. Its memory is freed by `free()`. */
export class Network {
  #network;
  /** The last run: one at a time. */
  #last = Promise.resolve();
  /** Names and shapes of inputs and outputs, without the batch; names of the classes, if the file has any. */
  info;
  /** Bytes of video memory. */
  memoryBytes;

  /** Use `load`. */
  constructor(network) {
    this.#network = network;
    const ports = (names, shape) => names.map((name, i) => ({ name, shape: Array.from(shape(i)) }));
    const inputs = ports(network.inputNames(), (i) => network.inputShape(i));
    const outputs = ports(network.outputNames(), (i) => network.outputShape(i));
    const [inputShape, outputShape] = [inputs[0].shape, outputs[0].shape];
    this.info = { inputs, outputs, inputShape, outputShape, labels: network.labels(), bytes: network.fileBytes };
    this.memoryBytes = network.memoryBytes;
  }

  /**
   * Runs raw inputs: the file's preprocessing, then the network. One input as an array gives the first output,
   * `[batch, outputShape...]`; inputs by name, as an object, give all outputs by name. Runs of a network take turns.
   */
  async run(inputs) {
    this.#open();
    const isOne = ArrayBuffer.isView(inputs);
    const given = this.info.inputs.map(({ name }) => (isOne ? inputs : inputs[name]));
    for (const [i, input] of given.entries()) {
      if (!(input instanceof Float32Array) || (isOne && i > 0)) {
        const names = this.info.inputs.map(({ name }) => name).join(", ");
        throw new KompaktError("argument", `the network needs a Float32Array for each of its inputs: ${names}`);
      }
    }
    const batch = given[0].length / this.info.inputShape.reduce((a, b) => a * b, 1);
    if (!Number.isInteger(batch)) {
      throw new KompaktError("argument", `${given[0].length} numbers are no batch of shape ${this.info.inputShape}`);
    }
    const outputs = await this.#turn((network) => translated(network.run(given, batch)));
    return isOne ? outputs[0] : Object.fromEntries(this.info.outputs.map(({ name }, i) => [name, outputs[i]]));
  }

  /** Frees the memory, after the run that is under way. */
  free() {
    const freed = this.#turn((network) => network?.free());
    this.#network = undefined;
    return freed;
  }

  #open() {
    if (!this.#network) {
      throw new KompaktError("argument", "the network was freed");
    }
    return this.#network;
  }

  /** Does the work after what was begun before it. */
  #turn(work) {
    const network = this.#network;
    const turn = this.#last.then(() => work(network));
    this.#last = turn.catch(() => {});
    return turn;
  }
}
