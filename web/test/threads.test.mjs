// Networks on several threads, in Node: the same answers as on one, Workers that come and go, and one thread where there can be no others.
// Run by `cargo xtask web`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { load } from "../kompakt.js";

const ROOT = new URL("../../", import.meta.url);
const STACK_BYTES = 1 << 20;
const product = (shape) => shape.reduce((a, b) => a * b, 1);
const inputOf = (n) => Float32Array.from({ length: n }, (_, i) => ((i * 37) % 101) / 101);
const read = (name) => {
  const path = name.replace("/networks/", "/web/page/networks/").replace("/made/", "/target/web/made/").slice(1);
  return new Uint8Array(readFileSync(new URL(path, ROOT)));
};
const SMALL = read("/fixtures/good/perceptron-stream.kompakt");
const LARGE = read("/made/large.kompakt");

/** Workers that run, and what they were told. */
const running = new Map();

class Watched extends Worker {
  constructor(...options) {
    super(...options);
    this.on("exit", () => running.delete(this));
  }

  postMessage(told) {
    running.set(this, told);
    if (told.stack >= STACK_BYTES) new Uint8Array(told.memory.buffer, told.stack - STACK_BYTES, STACK_BYTES).fill(0);
    super.postMessage(told);
  }
}

/** As if this machine had four processors. */
Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: 4 }, configurable: true });
globalThis.Worker = Watched;

/** Returns when it is so; fails after 30 seconds. */
async function until(isSo, what) {
  for (const start = Date.now(); !isSo(); await sleep(1)) {
    assert.ok(Date.now() - start < 30_000, what);
  }
}

afterEach(async () => {
  mock.restoreAll();
  globalThis.Worker = Watched;
  delete globalThis.crossOriginIsolated;
  await until(() => running.size === 0, "Workers end when the last network is freed");
});

test("networks answer as on one thread, to the bit", async () => {
  const answers = JSON.parse(readFileSync(process.env.KOMPAKT_ANSWERS, "utf8"));
  assert.ok("/made/large.kompakt" in answers);
  const kept = await load(SMALL, { threads: 4 }); // so that Workers stay
  for (const name of Object.keys(answers)) {
    const [one, three] = [await load(read(name), { threads: 1, maxBatch: 2 }), await load(read(name), { threads: 3, maxBatch: 2 })];
    assert.deepEqual([one.threads, three.threads], [1, 3]);
    assert.deepEqual(three.info, one.info);
    const input = inputOf(5 * product(one.info.inputShape));
    assert.deepEqual(three.run(input), one.run(input), name);
    one.free();
    three.free();
  }
  kept.free();
});

test("Workers take part, and need a small part of their stacks", async (t) => {
  const network = await load(LARGE, { threads: 4 });
  assert.equal(running.size, 3);
  const input = inputOf(product(network.info.inputShape));
  const expected = network.run(input);
  /** Bytes of stack that each has touched. */
  const depths = () => [...running.values()].map(({ memory, stack }) => {
    const bytes = new Uint8Array(memory.buffer, stack - STACK_BYTES, STACK_BYTES);
    const first = bytes.findIndex((byte) => byte !== 0);
    return first < 0 ? 0 : STACK_BYTES - first;
  });
  await until(() => {
    assert.deepEqual(network.run(input), expected);
    return depths().every((depth) => depth > 256);
  }, "each takes chunks");
  t.diagnostic(`stacks: ${depths().join(", ")} bytes`);
  assert.ok(depths().every((depth) => depth < STACK_BYTES / 8));
  network.free();
});

test("networks of several inputs are run on several threads", async () => {
  const bytes = read("/fixtures/good/every-operator.kompakt");
  const [one, two] = [await load(bytes, { threads: 1 }), await load(bytes, { threads: 2 })];
  const given = Object.fromEntries(one.info.inputs.map(({ name, shape }) => [name, inputOf(product(shape))]));
  assert.deepEqual(two.run(given), one.run(given));
  assert.deepEqual(await two.inspect(), await one.inspect());
  one.free();
  two.free();
});

test("by default large networks are run on half of the processors, and small ones on one", async () => {
  const [small, large, many] = [await load(SMALL), await load(LARGE), await load(SMALL, { threads: 100 })];
  assert.deepEqual([small.threads, large.threads, many.threads], [1, 2, 4]);
  for (const network of [small, large, many]) network.free();
  for (const threads of [0, 1.5, -2, NaN, "2"]) {
    await assert.rejects(load(SMALL, { threads }), { name: "KompaktError", status: "argument" });
  }
});

test("Workers stay until the last network that needs them is freed", async () => {
  const [a, b] = await Promise.all([load(SMALL, { threads: 2 }), load(LARGE, { threads: 3 })]);
  assert.equal(running.size, 2);
  const input = inputOf(product(a.info.inputShape));
  const expected = a.run(input);
  b.free();
  b.free();
  await sleep(50);
  assert.equal(running.size, 2);
  assert.deepEqual(a.run(input), expected);
  a.free();
});

test("a file that is refused leaves no Workers", async () => {
  const changed = SMALL.slice();
  changed[changed.length - 7] ^= 1;
  await assert.rejects(load(changed, { threads: 2 }), { name: "KompaktError", status: "format" });
  await assert.rejects(load("http://127.0.0.1:1/none.kompakt", { threads: 2 }));
});

test("where memory cannot be shared there is one thread, with a warning if more were asked for", async () => {
  const warn = mock.method(console, "warn", () => {});
  globalThis.crossOriginIsolated = false;
  const quiet = await load(LARGE);
  assert.deepEqual([quiet.threads, warn.mock.callCount()], [1, 0]);
  const network = await load(LARGE, { threads: 2 });
  assert.deepEqual([network.threads, warn.mock.callCount()], [1, 1]);
  assert.match(warn.mock.calls[0].arguments[0], /one thread instead of 2: the page is not cross-origin isolated/);
  const input = inputOf(product(network.info.inputShape));
  assert.deepEqual(network.run(input), quiet.run(input));
  quiet.free();
  network.free();
});

test("where Workers cannot be started there is one thread", async () => {
  const warn = mock.method(console, "warn", () => {});
  const refused = class {
    constructor() {
      throw new Error("not here");
    }
  };
  const notFound = class extends Watched {
    constructor() {
      super(new URL("./nothing.js", import.meta.url));
    }
  };
  for (const [Class, why] of [[refused, /not here/], [notFound, /nothing\.js/]]) {
    globalThis.Worker = Class;
    const network = await load(LARGE, { threads: 3 });
    assert.equal(network.threads, 1);
    assert.match(warn.mock.calls.at(-1).arguments[0], why);
    network.run(inputOf(product(network.info.inputShape)));
    network.free();
    await until(() => running.size === 0, "they end");
  }
  globalThis.Worker = Watched;
  const network = await load(LARGE, { threads: 3 });
  assert.equal(network.threads, 3);
  network.free();
});

test("a Worker that traps ends the run that it took part in, and no other", async () => {
  // A stack on which no kernel fits.
  globalThis.Worker = class extends Watched {
    postMessage(told) {
      super.postMessage({ ...told, stack: 256 });
    }
  };
  const network = await load(LARGE, { threads: 2 });
  globalThis.Worker = Watched;
  const input = inputOf(product(network.info.inputShape));
  let trap;
  await until(() => {
    try {
      network.run(input);
    } catch (error) {
      trap = error;
    }
    return trap;
  }, "it takes part");
  assert.ok(trap instanceof WebAssembly.RuntimeError);
  await until(() => running.size === 0, "it is gone");
  const [other, one] = [await load(LARGE, { threads: 2 }), await load(LARGE, { threads: 1 })];
  assert.equal(running.size, 1);
  const expected = one.run(input);
  for (let i = 0; i < 50; i++) assert.deepEqual(other.run(input), expected);
  assert.deepEqual(network.run(input), expected);
  for (const open of [network, other, one]) open.free();
});

test("loads and frees keep neither Workers nor memory", async () => {
  const used = [];
  for (let i = 0; i < 50; i++) {
    const network = await load(SMALL, { threads: 3 });
    network.run(inputOf(product(network.info.inputShape)));
    used.push(network.memoryBytes);
    network.free();
    assert.ok(running.size <= 8, `${running.size} Workers`);
  }
  assert.ok(used[49] <= used[10] + 2 * STACK_BYTES, `${used[10]} bytes, then ${used[49]}`);
});
