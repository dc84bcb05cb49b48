// A thread of the loader: a Worker that takes part in runs until it is sent away. `threads.js` starts it.

import { importsOf } from "./memory.js";

const port = globalThis.postMessage ? globalThis : process.getBuiltinModule("node:worker_threads").parentPort;

port.onmessage = async ({ data: { compiled, memory, stack, thread, epoch } }) => {
  try {
    const { exports } = await WebAssembly.instantiate(compiled, importsOf(memory));
    exports.__stack_pointer.value = stack;
    port.postMessage({ is: "ready" });
    try {
      exports.kompakt_work(thread, epoch);
    } catch {
      exports.__stack_pointer.value = stack;
      exports.kompakt_worker_failed();
    }
    port.postMessage({ is: "gone" });
  } catch (error) {
    port.postMessage({ is: "gone", why: String(error) });
  }
  port.close();
};
