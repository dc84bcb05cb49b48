// kompakt/webgpu in Chromium, on a GPU in software: node web/browser/webgpu.mjs WEB ANSWERS (two paths).
// KOMPAKT_MODULES names a folder with the packages of package.json; WEB is this package's folder, with dist/webgpu in it.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const [web, answersPath] = process.argv.slice(2);
const { chromium } = createRequire(join(process.env.KOMPAKT_MODULES, "package.json"))("playwright-core");
const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  if (path === "/") {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>kompakt/webgpu</title><link rel=\"icon\" href=\"data:,\">");
    return;
  }
  try {
    const bytes = await readFile(path.startsWith("/fixtures/") ? join(fixtures, path.slice(10)) : join(web, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const flags = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...flags, ...software] });

try {
  const tab = await (await browser.newContext()).newPage();
  const problems = [];
  tab.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  tab.on("pageerror", (error) => problems.push(String(error)));
  await tab.goto(`http://127.0.0.1:${server.address().port}`);
  const adapter = await tab.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter && [adapter.info.vendor, adapter.info.architecture, adapter.info.description].join(" ");
  });
  assert.ok(adapter, "this browser has no adapter");

  const all = Object.entries(JSON.parse(readFileSync(answersPath, "utf8")));
  const answers = Object.fromEntries(all.filter(([name]) => name.startsWith("/fixtures/")));
  let worst = 0;
  for (const options of [{}, { decode: "run", maxBatch: 2, timeout: 600_000 }, { decode: "host" }]) {
    for (const [name, answer] of Object.entries(answers)) {
      if (options.decode && !name.includes("stream")) continue;
      const off = await tab.evaluate(
        async ([name, { shape, output }, options]) => {
          const { load } = await import("/webgpu.js");
          const network = await load(name, options);
          const n = shape.reduce((a, b) => a * b, 1);
          const one = Float32Array.from({ length: n }, (_, i) => ((i * 37) % 101) / 101);
          const twice = new Float32Array([...one, ...one]);
          const [found, both] = await Promise.all([network.run(one), network.run(twice)]);
          const largest = Math.max(1e-3, ...output.map(Math.abs));
          const off = (all) => Math.max(...all.map((value, i) => Math.abs(value - output[i % output.length]) / largest));
          const same = found.length === output.length && both.length === 2 * output.length;
          await network.free();
          return same ? Math.max(off(Array.from(found)), off(Array.from(both))) : Infinity;
        },
        [name, answer, options],
      );
      assert.ok(off <= 1e-4, `${name} ${JSON.stringify(options)}: off by ${off}; ${problems.slice(0, 3).join("; ")}`);
      worst = Math.max(worst, off);
    }
  }

  const bad = readdirSync(join(fixtures, "bad")).filter((name) => name.endsWith(".kompakt"));
  const accepted = await tab.evaluate(async (names) => {
    const { load, KompaktError } = await import("/webgpu.js");
    const accepted = [];
    for (const name of names) {
      const error = await load(`/fixtures/bad/${name}`).then(() => "loaded", (error) => error);
      if (!(error instanceof KompaktError) || error.status === "internal") accepted.push([name, String(error)]);
    }
    return accepted;
  }, bad);
  assert.deepEqual(accepted, []);

  const said = await tab.evaluate(async () => {
    const { load } = await import("/webgpu.js");
    const network = await load("/fixtures/good/perceptron-stream.kompakt");
    const say = (promise) => promise.then(() => "none", (error) => `${error.status}: ${error.message}`);
    const all = [await say(network.run(new Float32Array(3))), await say(network.run({}))];
    await network.free();
    const never = await say(load("/fixtures/good/perceptron-stream.kompakt", { timeout: 0 }));
    return [...all, await say(network.run(new Float32Array(3))), never];
  });
  assert.match(said[0], /^argument: 3 numbers/);
  assert.match(said[1], /^argument: .*Float32Array/);
  assert.match(said[2], /^argument: .*freed/);
  assert.match(said[3], /^argument: .*positive number of milliseconds/);
  assert.deepEqual(problems, []);
  const n = Object.keys(answers).length;
  console.log(`${adapter.trim()}: ${n} networks answer within ${worst.toExponential(1)}, ${bad.length} hostile files throw`);
} finally {
  await browser.close();
  server.close();
}
