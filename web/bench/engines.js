// The engines of the bench, each from nothing to a function that runs a network: `start(network)` resolves to `run(input)`.
// They are fetched when they are started, so that a page that starts one has fetched that one alone. `threads` is one for all of a page.

let threads = 1;

const read = async (path) => (await fetch(path)).arrayBuffer();

/** A script that makes a global. */
function script(src) {
  return new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject }));
  });
}

async function kompakt(file) {
  const { load } = await import("/kompakt/kompakt.js");
  const network = await load(file, { threads });
  return async (input) => network.run(input);
}

export const ENGINES = {
  "kompakt": (network) => kompakt(`/nets/${network}/smallest.kompakt`),
  "kompakt, stream": (network) => kompakt(`/nets/${network}/stream.kompakt`),

  async "onnxruntime-web"(network) {
    const ort = await import("/npm/onnxruntime-web/dist/ort.wasm.min.mjs");
    Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths: "/npm/onnxruntime-web/dist/" });
    const session = await ort.InferenceSession.create(await read(`/nets/${network}/model.onnx`), { executionProviders: ["wasm"] });
    const { shape } = await (await fetch(`/nets/${network}/shape.json`)).json();
    const [name] = session.inputNames;
    return async (input) => {
      const found = await session.run({ [name]: new ort.Tensor("float32", input, [1, ...shape]) });
      return found[session.outputNames[0]].data;
    };
  },

  async "tfjs"(network) {
    await script("/npm/@tensorflow/tfjs-core/dist/tf-core.min.js");
    await script("/npm/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js");
    const { tf } = globalThis;
    tf.wasm.setWasmPaths("/npm/@tensorflow/tfjs-backend-wasm/dist/");
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    await tf.setBackend("wasm");
    await tf.ready();
    const { build } = await import("/bench/tfjs.js");
    const model = await (await fetch(`/nets/${network}/model.json`)).json();
    return build(tf, model, new Float32Array(await read(`/nets/${network}/weights.f32`)));
  },
};

/** Milliseconds from nothing to the first answer, which is returned as well. */
export async function first(engine, network) {
  const input = new Float32Array(await read(`/nets/${network}/input.f32`));
  const before = performance.now();
  const run = await ENGINES[engine](network);
  const answer = Array.from(await run(input));
  return { ms: performance.now() - before, answer };
}

/** Shortest milliseconds a run of each engine; they take turns of about `turn` ms. */
export async function times(engines, network, rounds, turn) {
  const input = new Float32Array(await read(`/nets/${network}/input.f32`));
  const runs = [];
  for (const engine of engines) {
    const run = await ENGINES[engine](network);
    for (let i = 0; i < 3; i++) await run(input);
    runs.push(run);
  }
  const best = engines.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of runs.entries()) {
      const start = performance.now();
      let n = 0;
      do {
        // Several at a time, as the clock is coarse.
        const before = performance.now();
        let k = 0;
        do {
          await run(input);
          k++;
        } while (performance.now() - before < 2);
        best[i] = Math.min(best[i], (performance.now() - before) / k);
        n += k;
      } while (performance.now() - start < turn);
    }
  }
  return best;
}

const prepared = { input: undefined, runs: [] };

/** Engines made ready on that many threads, for `turn`; resolves to their answers. */
export async function prepare(engines, network, nThreads) {
  threads = nThreads;
  prepared.input = new Float32Array(await read(`/nets/${network}/input.f32`));
  for (const engine of engines) prepared.runs.push(await ENGINES[engine](network));
  const answers = [];
  for (const run of prepared.runs) answers.push(Array.from(await run(prepared.input)));
  return answers;
}

/** Shortest milliseconds a run of the engine of that index, of those in about `turn` ms. */
export async function turn(index, ms) {
  let best = Infinity;
  for (const start = performance.now(); performance.now() - start < ms; ) {
    const before = performance.now();
    await prepared.runs[index](prepared.input);
    best = Math.min(best, performance.now() - before);
  }
  return best;
}
