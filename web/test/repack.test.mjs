// Files in another tier: the bytes of the fixtures, which this machine's writer made. Run by `cargo xtask web`.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { TIERS, repack } from "../repack.js";

const FIXTURES = new URL("../../fixtures/", import.meta.url);
const read = (path) => new Uint8Array(readFileSync(new URL(path, FIXTURES)));
/** A guard against growth. */
const MAX_BROTLI_BYTES = 168_000;

test("every tier of a file is made of every other, byte for byte", async (t) => {
  const names = readdirSync(new URL("good/", FIXTURES));
  // Not the perceptrons, whose tiles are cut otherwise than by default.
  const all = (kind) => kind !== "perceptron" && TIERS.every((tier) => names.includes(`${kind}-${tier}.kompakt`));
  const kinds = [...new Set(names.map((name) => name.split("-").slice(0, -1).join("-")))].filter(all);
  assert.ok(kinds.length >= 9, kinds.join());
  for (const kind of kinds) {
    for (const from of TIERS) {
      for (const to of TIERS) {
        const made = await repack(read(`good/${kind}-${from}.kompakt`), to);
        assert.ok(Buffer.from(made).equals(read(`good/${kind}-${to}.kompakt`)), `${kind}: ${from} to ${to}`);
      }
    }
  }
  t.diagnostic(kinds.join());
});

test("broken files and unknown tiers are refused in words", async () => {
  for (const name of readdirSync(new URL("bad/", FIXTURES)).filter((name) => name.endsWith(".kompakt"))) {
    await assert.rejects(repack(read(`bad/${name}`), "stream"), (error) => error.name === "KompaktError" && error.message.length > 10, name);
  }
  await assert.rejects(repack(new Uint8Array(0), "stream"), { name: "KompaktError", status: "format" });
  await assert.rejects(repack(read("good/dense-stream.kompakt"), "tiny"), { status: "argument", message: /no tier tiny/ });
});

test(`the encoders import nothing and are at most ${MAX_BROTLI_BYTES} bytes after brotli`, async (t) => {
  const bytes = readFileSync(new URL("../dist/kompakt-repack.wasm", import.meta.url));
  const small = brotliCompressSync(bytes).length;
  t.diagnostic(`${bytes.length} bytes, ${small} after brotli`);
  assert.deepEqual(WebAssembly.Module.imports(await WebAssembly.compile(bytes)), []);
  assert.ok(small <= MAX_BROTLI_BYTES, `${small} bytes`);
});
