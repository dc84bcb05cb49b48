// kompakt/repack: a packed file (.kompakt) in another tier, as `kompakt repack` writes it.
//
//   repack(bytes, "stream") ──► bytes
//
// Encoders are WebAssembly of their own (dist/kompakt-repack.wasm), fetched when this is called. It takes seconds where a
// network has millions of weights: then call it in a Worker.

import { KompaktError, Module, instantiate } from "./module.js";

export { KompaktError };

/** In the order of their codes. */
export const TIERS = ["smallest", "stream", "direct"];

const ENCODERS = new URL("./dist/kompakt-repack.wasm", import.meta.url);

/**
 * The same content in that tier. `bytes`: an ArrayBuffer, or a view of one; they are checked first, down to the content hash.
 */
export async function repack(bytes, tier) {
  const code = TIERS.indexOf(tier);
  if (code < 0) {
    throw new KompaktError("argument", `there is no tier ${tier}, only ${TIERS.join(", ")}`);
  }
  const file = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
  // An instance for one file, as memory of WebAssembly does not shrink.
  const module = new Module((await instantiate(ENCODERS)).exports);
  const { wasm } = module;
  const at = wasm.kompakt_input(file.length);
  if (at === 0) {
    throw new KompaktError("resources", `no memory for ${file.length} bytes`);
  }
  module.bytes.set(file, at);
  module.check(wasm.kompakt_repack(code));
  const from = wasm.kompakt_output();
  return module.bytes.slice(from, from + wasm.kompakt_output_len());
}
