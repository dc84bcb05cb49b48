// Networks on several threads: a module whose memory is shared (dist/kompakt-threads.wasm), and Workers that take part in runs.
//
//   the page: one instance for all networks ◄── memory ──► worker.js: an instance and a stack of its own for each other thread
//
// Workers are started when a network first needs them, and sent away when the last network that does is freed.

import { importsOf, sharedMemory } from "./memory.js";
import { Module, compile } from "./module.js";

// As a whole, so that bundlers find the file.
const WITH_THREADS = new URL("./dist/kompakt-threads.wasm", import.meta.url);

/** Bytes of a Worker's stack: as many as the module gives its own thread. */
const STACK_BYTES = 1 << 20;

/** Files of this length and more are run on several threads if nothing is said of them. */
const LARGE_BYTES = 500_000;

const node = (name) => globalThis.process?.getBuiltinModule?.(`node:${name}`);
const processors = () => globalThis.navigator?.hardwareConcurrency ?? node("os")?.availableParallelism() ?? 1;

/** A Worker that runs `worker.js`. */
function newWorker() {
  if (globalThis.Worker) {
    // In these words bundlers find the script.
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  }
  const { url } = import.meta; // which in Node they need not
  return new (node("worker_threads").Worker)(new URL("./worker.js", url));
}

/** Why networks run on one thread here; undefined where they need not. */
export function whyNot() {
  // Where there are no pages, nothing says whether they are isolated.
  if (typeof SharedArrayBuffer !== "function" || globalThis.crossOriginIsolated === false) {
    return "the page is not cross-origin isolated";
  }
  return globalThis.Worker || node("worker_threads") ? undefined : "there are no Workers here";
}

/** As many threads as were asked for, if there is a processor for each. */
export const atMost = (threads) => Math.min(threads, processors());

/** Threads for a file of that length of which nothing is said: half of the processors and four at most, if it is large. */
export const threadsFor = (bytes) => (bytes >= LARGE_BYTES ? Math.min(4, Math.ceil(processors() / 2)) : 1);

/** The module, as a promise of `{ compiled, memory, module }`; and those, once they are there. */
let starting;
let loader;

/** Networks that need Workers. */
let users = 0;
/** How often Workers were sent away, and those started since: by their thread's number, as promises that they are ready. */
let epoch = 0;
let workers = new Map();

/**
 * `{ module, end }`: the module, with Workers for `n` threads in all, until `end` is called.
 * Throws where memory cannot be shared or Workers cannot be started.
 */
export async function withThreads(n) {
  users++;
  let isUser = true;
  const end = () => {
    users -= isUser ? 1 : 0;
    if (isUser && users === 0) sendAway();
    isUser = false;
  };
  try {
    starting ??= start();
    await starting;
    const threads = Array.from({ length: n - 1 }, (_, i) => i + 1);
    for (const thread of threads) {
      if (!workers.has(thread)) workers.set(thread, startWorker(thread));
    }
    await Promise.all(threads.map((thread) => workers.get(thread)));
    return { module: loader.module, end };
  } catch (error) {
    end();
    throw error;
  }
}

async function start() {
  try {
    const compiled = await compile(WITH_THREADS);
    const memory = sharedMemory();
    const { exports } = await WebAssembly.instantiate(compiled, importsOf(memory));
    loader = { compiled, memory, module: new Module(exports, memory) };
  } catch (error) {
    starting = undefined; // so that the next call can succeed
    throw error;
  }
}

/** Starts a Worker; resolves when it is ready. */
function startWorker(thread) {
  const { compiled, memory, module } = loader;
  const [mine, stack] = [workers, module.allocate(STACK_BYTES)];
  return new Promise((resolve, reject) => {
    let isGone = false;
    const gone = (why) => {
      if (isGone) return;
      isGone = true;
      mine.delete(thread); // so that the next network that needs it starts another
      module.release(stack);
      reject(new Error(`a Worker did not start: ${why}`));
    };
    try {
      const worker = newWorker();
      const heard = ({ is, why }) => {
        if (is === "gone") return gone(why);
        worker.unref?.(); // Node does not stay for it.
        resolve();
      };
      listen(worker, heard, gone);
      worker.postMessage({ compiled, memory, stack: stack.at + stack.n, thread, epoch });
    } catch (error) {
      // After the promise is in the map.
      queueMicrotask(() => gone(error));
    }
  });
}

/** Hears a Worker's messages, or that it failed. */
function listen(worker, heard, failed) {
  if (worker.on) {
    worker.on("message", heard).on("error", failed);
    return;
  }
  worker.onmessage = ({ data }) => heard(data);
  worker.onerror = (event) => {
    event.preventDefault();
    failed(event.message ?? "its script cannot be loaded");
  };
}

/** Sends all Workers away. Those that are started afterwards are of the next epoch. */
function sendAway() {
  workers = new Map();
  if (loader) {
    epoch = loader.module.wasm.kompakt_send_workers_away() >>> 0;
  }
}
