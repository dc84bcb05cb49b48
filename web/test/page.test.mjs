// The page's bytes, as a browser with vectors fetches them. Run by `cargo xtask web`.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";

const MAX_BYTES = 300_000;
const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }).length;

test(`the page is at most ${MAX_BYTES} bytes after brotli, networks and loader included`, (t) => {
  const page = process.env.KOMPAKT_PAGE;
  const files = readdirSync(page, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  // For machines without vectors, for files that are looked into or downloaded in another tier, and for several threads.
  const later = ["kompakt.wasm", "kompakt-repack.wasm", "repack.js", "kompakt-threads.wasm", "worker.js"];
  const fetched = files.filter(({ name }) => !later.includes(name));
  const total = fetched.reduce((sum, { parentPath, path, name }) => sum + brotli(readFileSync(join(parentPath ?? path, name))), 0);
  t.diagnostic(`${fetched.length} files, ${total} bytes after brotli`);
  assert.ok(total <= MAX_BYTES, `${total} bytes`);
});
