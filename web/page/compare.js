// The network beside onnxruntime-web, on the visitor's machine and only when asked. Nothing is fetched from elsewhere: its files
// lie in the folder ort/ beside the page if whoever serves the page has put them there, and the model is one that the visitor chooses
// (`kompakt export FILE.kompakt -o FILE.onnx`).

const RUNTIME = new URL("./ort/ort.wasm.min.mjs", import.meta.url);
const HOW = "onnxruntime-web is not here. Put ort.wasm.min.mjs, ort-wasm-simd-threaded.mjs and ort-wasm-simd-threaded.wasm of its npm package into the folder ort/ beside this page.";

/** Milliseconds a run (mean over half a second, after a first), for `run()`, which may be asynchronous. */
export async function timed(run) {
  await run();
  const start = performance.now();
  let n = 0;
  let spent = 0;
  do {
    await run();
    n++;
    spent = performance.now() - start;
  } while (spent < 500);
  return { each: spent / n, n };
}

export const inWords = (ms) => (ms < 0.1 ? `${(1000 * ms).toFixed(0)} µs` : `${ms.toFixed(2)} ms`);

/** Time, start and memory of both, in a sentence. `model`: bytes of the network as ONNX. */
export async function compare(network, ours, model) {
  // The module makes its memory itself; this is how to learn of it.
  const { Memory } = WebAssembly;
  let memory;
  WebAssembly.Memory = function (description) {
    memory = new Memory(description);
    return memory;
  };
  WebAssembly.Memory.prototype = Memory.prototype;
  try {
    const start = performance.now();
    const ort = await import(RUNTIME).catch(() => {
      throw new Error(HOW);
    });
    Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL("./ort/", import.meta.url).href });
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    const [name] = session.inputNames;
    const dims = session.inputMetadata[0].shape.map((n) => (typeof n === "number" && n > 0 ? n : 1));
    const numbers = new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5);
    const run = async () => session.run({ [name]: new ort.Tensor("float32", numbers, dims) });
    await run();
    const ready = performance.now() - start;
    const theirs = await timed(run);
    await session.release();
    const MB = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
    return `onnxruntime-web: ${inWords(theirs.each)} a run, first answer after ${ready.toFixed(0)} ms, ${memory ? MB(memory.buffer.byteLength) : "unknown"} of memory. kompakt: ${inWords(ours.each)}, ${MB(network.memoryBytes)}; ${(ours.each / theirs.each).toFixed(2)} of its time.`;
  } finally {
    WebAssembly.Memory = Memory;
  }
}
