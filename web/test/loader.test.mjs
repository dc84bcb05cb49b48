// The package in Node: answers of this machine's loader, refusals, memory, sizes. Run by `cargo xtask web`.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";
import { KompaktError, load } from "../kompakt.js";

const ROOT = new URL("../../", import.meta.url);
const fixture = (name) => new Uint8Array(readFileSync(new URL(`fixtures/${name}`, ROOT)));
const product = (shape) => shape.reduce((a, b) => a * b, 1);
/** The input for which `cargo xtask web` asked this machine's loader. */
const inputOf = (n) => Float32Array.from({ length: n }, (_, i) => ((i * 37) % 101) / 101);

// Guards against growth; the goal is 200,000. The module with vectors has 201,742 bytes, 1,490 of them to decode codes that follow a
// trellis, the one with threads 203,033: 31 % of the code (before
// compression) are kernels (at opt-level s they would take 1.5 to 3.8 times the time on convolutional networks), 26 % the runtime, 13 % the
// format, 7 % core, 6 % the graph.
// They have no words for errors and do not look into files; the other one has and does.
// They hold for a compiler that comes with the standard library's source: see `xtask/src/web.rs`.
const MAX_BROTLI_BYTES = { "kompakt.wasm": 239_500, "kompakt-simd.wasm": 202_500, "kompakt-threads.wasm": 203_500 };
/** The one with threads: the memory, and how to sleep. */
const IMPORTS = { "kompakt-threads.wasm": ["env.memory", "workers.wait", "workers.notify"] };

for (const [name, most] of Object.entries(MAX_BROTLI_BYTES)) {
  const imports = IMPORTS[name] ?? [];
  test(`${name} imports ${imports.join(", ") || "nothing"} and is at most ${most} bytes after brotli`, async (t) => {
    const bytes = readFileSync(new URL(`../dist/${name}`, import.meta.url));
    const small = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
    t.diagnostic(`${name}: ${bytes.length} bytes, ${small.length} after brotli`);
    const found = WebAssembly.Module.imports(await WebAssembly.compile(bytes)).map(({ module, name }) => `${module}.${name}`);
    assert.deepEqual(found.sort(), [...imports].sort());
    assert.ok(small.length <= most, `${small.length} bytes`);
  });
}

test("networks answer as this machine's loader does", async () => {
  const answers = JSON.parse(readFileSync(process.env.KOMPAKT_ANSWERS, "utf8"));
  assert.ok(Object.keys(answers).length >= 10);
  for (const [name, { shape, output }] of Object.entries(answers)) {
    const path = name.replace("/networks/", "/web/page/networks/").replace("/made/", "/target/web/made/").slice(1);
    const network = await load(new Uint8Array(readFileSync(new URL(path, ROOT))));
    assert.deepEqual(network.info.inputShape, shape, name);
    const found = network.run(inputOf(product(shape)));
    assert.equal(found.length, output.length, name);
    const largest = Math.max(1e-30, ...output.map(Math.abs));
    output.forEach((value, i) => assert.ok(Math.abs(value - found[i]) <= 1e-5 * largest, `${name} ${i}: ${found[i]}, not ${value}`));
    network.free();
  }
});

test("a network of several inputs is run by their names", async () => {
  const network = await load(fixture("good/every-operator.kompakt"));
  const { inputs, outputs } = network.info;
  assert.ok(inputs.length > 1);
  const given = Object.fromEntries(inputs.map(({ name, shape }) => [name, inputOf(product(shape))]));
  const found = network.run(given);
  assert.deepEqual(Object.keys(found), outputs.map(({ name }) => name));
  outputs.forEach(({ name, shape }) => assert.equal(found[name].length, product(shape)));
  assert.throws(() => network.run({ [inputs[0].name]: given[inputs[0].name] }), /is missing/);
  network.free();
});

test("what a file holds adds up to it", async () => {
  for (const name of ["every-operator.kompakt", "convolutions-stream.kompakt", "perceptron-direct.kompakt"]) {
    const network = await load(fixture(`good/${name}`));
    const { bytes, others, tensors } = await network.inspect();
    assert.equal([...others, ...tensors].reduce((sum, row) => sum + row.bytes, 0), bytes, name);
    assert.equal(bytes, network.info.bytes);
    for (const [i, { n, n_kept }] of tensors.entries()) {
      assert.equal((await network.weights(i, n)).filter((value) => !Number.isNaN(value)).length, n_kept);
    }
    await assert.rejects(network.weights(tensors.length, 1), { name: "KompaktError", status: "argument", message: /no such parameter/ });
    network.free();
    await assert.rejects(network.inspect(), { name: "KompaktError", message: "the network was freed" });
  }
});

test("batches are run in parts and give the same answers", async () => {
  const bytes = fixture("good/convolutions-stream.kompakt");
  const [one, three] = [await load(bytes), await load(bytes, { maxBatch: 3 })];
  const n = product(one.info.inputShape);
  const input = inputOf(5 * n);
  assert.equal(one.info.outputShape.length >= 1, true);
  const [a, b] = [one.run(input), three.run(input)];
  a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) <= 1e-6));
  assert.deepEqual(Array.from(a.subarray(0, a.length / 5)), Array.from(one.run(input.subarray(0, n))));
  one.free();
  three.free();
});

test("classes come with their names, best first", async () => {
  const network = await load(fixture("good/perceptron-stream.kompakt"));
  const [height, width] = network.info.inputShape.slice(-2);
  const image = { width, height, data: new Uint8ClampedArray(4 * width * height).fill(200) };
  for (const input of [image, inputOf(product(network.info.inputShape))]) {
    const top = network.classify(input, 3);
    assert.equal(top.length, 3);
    assert.ok(top[0].probability >= top[1].probability && top[1].probability >= top[2].probability);
    assert.equal(top[0].label, network.info.labels[top[0].index]);
  }
  assert.throws(() => network.classify({ width: 2, height: 2, data: new Uint8ClampedArray(16) }), KompaktError);
  network.free();
});

test("what is refused is refused with the loader's own words, and nothing traps", async () => {
  for (const name of readdirSync(new URL("fixtures/bad/", ROOT)).filter((name) => name.endsWith(".kompakt"))) {
    for (const verify of [true, "checksums"]) {
      const error = await load(fixture(`bad/${name}`), { verify }).then(
        (network) => network.free(),
        (error) => error,
      );
      if (verify === true || error) {
        assert.ok(error instanceof KompaktError, `${name}: ${error}`);
        assert.ok(error.message.length > 10 && error.status !== "internal", `${name}: ${error.message}`);
        assert.doesNotMatch(error.message, /did not say why/, name);
      }
    }
  }
  await assert.rejects(load(new Uint8Array(0)), KompaktError);
  const changed = fixture("good/perceptron-stream.kompakt");
  changed[changed.length - 7] ^= 1;
  await assert.rejects(load(changed), { name: "KompaktError", status: "format" });
});

test("wrong lengths and freed networks are errors", async () => {
  const network = await load(fixture("good/perceptron-direct.kompakt"));
  assert.throws(() => network.run(new Float32Array(3)), { name: "KompaktError", status: "argument" });
  network.free();
  network.free();
  assert.throws(() => network.run(new Float32Array(3)), { name: "KompaktError", message: "the network was freed" });
});

test("a network is fetched, and its hash is looked at", async () => {
  const bytes = fixture("good/perceptron-direct.kompakt");
  const server = createServer((request, response) => {
    response.writeHead(request.url === "/net.kompakt" ? 200 : 404).end(bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("base64");
  try {
    (await load(`${url}net.kompakt`, { integrity: `sha256-${hash}` })).free();
    (await load(bytes, { integrity: `sha256-${hash}` })).free();
    await assert.rejects(load(bytes.slice(1), { integrity: `sha256-${hash}` }), { status: "io" });
    await assert.rejects(load(`${url}other`), { status: "io" });
  } finally {
    server.close();
  }
});

test("a thousand loads and frees do not grow memory", async () => {
  const bytes = fixture("good/perceptron-stream.kompakt");
  const used = [];
  for (let i = 0; i < 1000; i++) {
    const network = await load(bytes);
    network.run(inputOf(product(network.info.inputShape)));
    network.free();
    used.push(network.memoryBytes);
  }
  assert.equal(used[999], used[20]);
});
