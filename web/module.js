// The loader as WebAssembly: a module with vectors, which has no words for errors and does not look into a file, and one without
// vectors, which has and does. Each is fetched from beside this file when it is first needed. `threads.js` has a third.

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

/** The modules that are started, as promises. */
const started = new Map();

/** The module that runs networks fastest on this machine. */
export const fastest = () => module(WebAssembly.validate(VECTORS) ? WITH_VECTORS : WITH_WORDS);

/** The module that has words for errors, and looks into files. */
export const inWords = () => module(WITH_WORDS);

/** A module; made once for all networks. */
function module(url) {
  if (!started.has(url)) {
    const made = instantiate(url).then(({ exports }) => new Module(exports));
    made.catch(() => started.delete(url)); // so that the next call can succeed
    started.set(url, made);
  }
  return started.get(url);
}

/** A new instance of a module. */
export const instantiate = async (url) => WebAssembly.instantiate(await compile(url));

/** What is at the URL, compiled. */
export async function compile(url) {
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return WebAssembly.compile(await readFile(url));
  }
  const response = await fetched(url);
  if ((response.headers.get("content-type") ?? "").startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

/** A response that is one; else an error. */
export async function fetched(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) {
    throw new KompaktError("io", `${url}: the server answered ${response.status} ${response.statusText}`);
  }
  return response;
}

/** The message of an error of the module with vectors, which has no words. */
export const NO_WORDS = "the loader refuses it; kompakt.wasm, which has the words for it, did not say why";

/** What is exported, and its memory. */
export class Module {
  #memory;

  constructor(wasm, memory = wasm.memory) {
    this.wasm = wasm;
    this.#memory = memory;
  }

  /** All of its memory; made anew after each call, as it moves when it grows. */
  get bytes() {
    return new Uint8Array(this.#memory.buffer);
  }

  get view() {
    return new DataView(this.#memory.buffer);
  }

  floats(at, n) {
    return new Float32Array(this.#memory.buffer, at, n);
  }

  allocate(n) {
    const at = this.wasm.kompakt_allocate(n);
    if (at === 0) {
      throw new KompaktError("resources", `no memory for ${n} bytes`);
    }
    return { at, n };
  }

  /** Memory with these bytes in it, which are not its own: it may move. */
  copy(bytes) {
    const memory = this.allocate(bytes.byteLength);
    this.bytes.set(bytes, memory.at);
    return memory;
  }

  release(memory) {
    if (memory) {
      this.wasm.kompakt_release(memory.at, memory.n);
    }
  }

  check(status) {
    if (status !== 0) {
      throw new KompaktError(STATUS[status] ?? "internal", this.text(this.wasm.kompakt_last_error()) || NO_WORDS);
    }
  }

  /** A text of UTF-8 that ends in a zero. */
  text(at) {
    const memory = this.bytes;
    // A copy, as memory that threads share is not decoded.
    return new TextDecoder().decode(memory.slice(at, memory.indexOf(0, at)));
  }
}
