// Memory that threads share, and what a module with such memory imports.

/** Pages of 64 KiB that there are at first, and that there may be at most: some phones do not reserve 4 GiB. */
const FIRST = 32;
const MOST = [65536, 16384];

/** New memory. Throws where none can be shared, or reserved. */
export function sharedMemory() {
  for (const maximum of MOST) {
    try {
      return new WebAssembly.Memory({ initial: FIRST, maximum, shared: true });
    } catch (error) {
      if (maximum === MOST.at(-1)) throw error;
    }
  }
}

/** What an instance on that memory imports: the memory, and how its thread sleeps and wakes others. */
export function importsOf(memory) {
  // Made for the first pages, where the module's own numbers are.
  const words = new Int32Array(memory.buffer);
  const wait = (at, value) => void Atomics.wait(words, at / 4, value);
  const notify = (at) => void Atomics.notify(words, at / 4);
  return { env: { memory }, workers: { wait, notify } };
}
