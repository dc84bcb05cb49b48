// The loader and the page in Chromium: node web/browser/run.mjs PAGE ANSWERS SCREENSHOTS (three paths).
// KOMPAKT_MODULES names a folder with the packages of package.json; PAGE holds web/page, the scripts of web/ and web/dist.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CHROMIUM, ISOLATED, serve } from "../server.mjs";

const [page, answers, screenshots] = process.argv.slice(2);
const modules = createRequire(join(process.env.KOMPAKT_MODULES, "package.json"));
const { chromium } = modules("playwright-core");
const AXE = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");
const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const folders = { "": page, fixtures, made: join(dirname(answers), "made"), browser: fileURLToPath(new URL(".", import.meta.url)) };
const { origin, close: stop } = await serve(folders);
/** The same, where pages are cross-origin isolated. */
const { origin: isolated, close: stopIsolated } = await serve(folders, undefined, ISOLATED);
const browser = await chromium.launch(CHROMIUM);

/** A page whose errors and requests to other hosts are failures. */
async function visit(options, at = origin) {
  const context = await browser.newContext(options);
  const tab = await context.newPage();
  const problems = [];
  tab.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  tab.on("pageerror", (error) => problems.push(String(error)));
  tab.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(at)) {
      problems.push(`asks ${request.url()}`);
    }
  });
  await tab.goto(at);
  await tab.locator("article").nth(1).waitFor();
  return { tab, close: () => (assert.deepEqual(problems, []), context.close()) };
}

async function accessible(tab, what) {
  const found = await tab.evaluate(`${AXE}; axe.run()`);
  assert.deepEqual(found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `axe, ${what}`);
}

async function theLoader() {
  const { tab, close } = await visit();
  const wrong = await tab.evaluate(async (answers) => {
    const { load } = await import("/kompakt.js");
    const wrong = [];
    for (const [name, { shape, output }] of Object.entries(answers)) {
      const network = await load(name);
      const n = shape.reduce((a, b) => a * b, 1);
      const found = network.run(Float32Array.from({ length: n }, (_, i) => ((i * 37) % 101) / 101));
      const largest = Math.max(1e-30, ...output.map(Math.abs));
      const off = Math.max(...output.map((value, i) => Math.abs(value - found[i]) / largest));
      if (!(off <= 1e-5) || found.length !== output.length) wrong.push([name, off]);
      network.free();
    }
    return wrong;
  }, JSON.parse(readFileSync(answers, "utf8")));
  assert.deepEqual(wrong, []);

  const bad = readdirSync(join(fixtures, "bad")).filter((name) => name.endsWith(".kompakt"));
  const accepted = await tab.evaluate(async (names) => {
    const { load } = await import("/kompakt.js");
    const accepted = [];
    for (const name of names) {
      const error = await load(`/fixtures/bad/${name}`, { verify: true }).then(() => "loaded", (error) => error);
      if (error.name !== "KompaktError" || error.status === "internal") accepted.push([name, String(error)]);
      // By checksums alone some are accepted; they do no harm.
      const found = await load(`/fixtures/bad/${name}`).then((network) => network.free(), (error) => error);
      if (found && (found.name !== "KompaktError" || found.status === "internal")) accepted.push([name, String(found)]);
    }
    return accepted;
  }, bad);
  assert.deepEqual(accepted, []);

  const [early, late] = await tab.evaluate(async () => {
    const { load } = await import("/kompakt.js");
    const bytes = await (await fetch("/fixtures/good/perceptron-stream.kompakt")).arrayBuffer();
    const used = [];
    for (let i = 0; i < 1000; i++) {
      const network = await load(bytes);
      network.run(new Float32Array(network.info.inputShape.reduce((a, b) => a * b, 1)));
      used.push(network.memoryBytes);
      network.free();
    }
    return [used[20], used[999]];
  });
  assert.equal(late, early);
  await close();
  console.log(`${Object.keys(JSON.parse(readFileSync(answers, "utf8"))).length} networks answer, ${bad.length} hostile files throw, 1,000 loads keep ${late} bytes`);
}

/** On three threads in an isolated page, in a Worker of such a page, and in a page that is not isolated: to the same bits. */
async function theThreads() {
  const networks = Object.keys(JSON.parse(readFileSync(answers, "utf8"))).filter((name) => /large|lenet5|convolutions/.test(name));
  assert.ok(networks.length >= 3);
  const found = [];
  for (const at of [isolated, origin]) {
    const { tab, close } = await visit({}, at);
    const warnings = [];
    tab.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
    // The package's; a terminated one that had one of its own stays in the list.
    const workers = () => tab.workers().map((worker) => worker.url()).filter((url) => !url.endsWith("/browser/worker.js"));
    const ended = async () => {
      for (let i = 0; i < 1000 && workers().length > 0; i++) await tab.waitForTimeout(10);
      assert.deepEqual(workers(), []);
    };
    await tab.evaluate(() => Object.defineProperty(navigator, "hardwareConcurrency", { value: 4 }));
    found.push(await tab.evaluate(async (networks) => {
      const { load } = await import("/kompakt.js");
      const results = { isIsolated: crossOriginIsolated, threads: [], outputs: [] };
      for (const name of networks) {
        const [one, three] = [await load(name, { threads: 1 }), await load(name, { threads: 3 })];
        const input = Float32Array.from({ length: one.info.inputShape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 37) % 101) / 101);
        const expected = one.run(input);
        for (let i = 0; i < 20; i++) {
          const output = three.run(input);
          if (!output.every((value, k) => value === expected[k])) throw new Error(`${name} differs on ${three.threads} threads`);
        }
        results.threads.push(one.threads, three.threads);
        results.outputs.push([...expected]);
        one.free();
        three.free();
      }
      const [small, large] = [await load("/fixtures/good/perceptron-stream.kompakt"), await load("/made/large.kompakt")];
      results.threads.push(small.threads, large.threads);
      const input = new Float32Array(large.info.inputShape.reduce((a, b) => a * b, 1)).fill(0.5);
      results.outputs.push([...large.run(input)]);
      small.free();
      large.free();
      // In a Worker, which may wait but need not.
      const worker = new Worker("/browser/worker.js", { type: "module" });
      const heard = new Promise((resolve, reject) => Object.assign(worker, { onmessage: resolve, onerror: reject }));
      worker.postMessage({ url: "/made/large.kompakt", threads: 2, input });
      const { threads, output } = (await heard).data;
      worker.terminate();
      results.threads.push(threads);
      results.outputs.push([...output]);
      return results;
    }, networks));
    await ended();
    if (at === isolated) {
      assert.deepEqual(warnings, []);
      const [early, late] = await tab.evaluate(async () => {
        const { load } = await import("/kompakt.js");
        const bytes = await (await fetch("/fixtures/good/perceptron-stream.kompakt")).arrayBuffer();
        const used = [];
        for (let i = 0; i < 30; i++) {
          const network = await load(bytes, { threads: 2 });
          network.run(new Float32Array(network.info.inputShape.reduce((a, b) => a * b, 1)));
          used.push(network.memoryBytes);
          network.free();
        }
        return [used[10], used[29]];
      });
      assert.ok(late <= early + 2 ** 21, `${early} bytes, then ${late}`);
      await ended();
    } else {
      assert.ok(warnings.length >= networks.length && warnings.every((text) => /not cross-origin isolated/.test(text)), warnings.join("\n"));
    }
    await close();
  }
  const [shared, alone] = found;
  assert.ok(shared.isIsolated && !alone.isIsolated);
  const pairs = (n) => networks.flatMap(() => [1, n]);
  assert.deepEqual(shared.threads, [...pairs(3), 1, 2, 2]);
  assert.deepEqual(alone.threads, [...pairs(1), 1, 1, 1]);
  assert.deepEqual(shared.outputs, alone.outputs);
  console.log(`${networks.length} networks on three threads, where pages are isolated: as on one`);
}

/** A file that comes only once the loader was asked for: one does not wait for the other. */
async function theStart() {
  const context = await browser.newContext();
  const tab = await context.newPage();
  const asked = tab.waitForRequest(/\.wasm$/);
  await tab.route("**/networks/features.kompakt", async (route) => (await asked, route.continue()));
  await tab.goto(`${origin}/page.css`); // a document that loads nothing
  await tab.evaluate(async () => (await (await import("/kompakt.js")).load("/networks/features.kompakt")).free());
  await context.close();
  console.log("the loader is fetched while the network is");
}

async function thePage(name, options) {
  const { tab, close } = await visit(options);
  const said = () => tab.locator(".answer").allTextContents();
  await tab.waitForFunction(() => [...document.querySelectorAll(".answer")].every((a) => a.textContent === "3"));
  await tab.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  await accessible(tab, name);
  for (const digit of ["7", "2", "0"]) {
    await tab.click("#example");
    await tab.waitForFunction((digit) => [...document.querySelectorAll(".answer")].every((a) => a.textContent === digit), digit);
  }
  // A one, by keyboard.
  await tab.focus("#pad");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press(" ");
  for (let i = 0; i < 15; i++) await tab.keyboard.press("ArrowDown");
  await tab.waitForFunction(() => document.querySelector("#said").textContent.includes(": 1,"));
  // A one, by pointer.
  await tab.click("#clear");
  await tab.waitForFunction(() => [...document.querySelectorAll(".answer")].every((a) => a.textContent === "–"));
  const box = await tab.locator("#pad").boundingBox();
  await tab.mouse.move(box.x + box.width / 2, box.y + 0.2 * box.height);
  await tab.mouse.down();
  await tab.mouse.move(box.x + box.width / 2, box.y + 0.8 * box.height, { steps: 12 });
  await tab.mouse.up();
  await tab.waitForFunction(() => document.querySelector("#said").textContent.includes(": 1,"));
  assert.equal((await said())[0], "1");

  await tab.setInputFiles("#file", join(fixtures, "bad/F-25-another-content-hash.kompakt"));
  await tab.waitForFunction(() => document.querySelector("#problem").textContent.includes("F-25-another-content-hash.kompakt: "));
  await tab.setInputFiles("#file", join(page, "networks/features.kompakt"));
  await tab.locator("#opened").waitFor();
  const picture = await tab.locator("#pad").screenshot();
  await tab.setInputFiles("#picture", { name: "digit.png", mimeType: "image/png", buffer: picture });
  await tab.locator("#classes li").nth(4).waitFor();
  await tab.click("#measure");
  await tab.waitForFunction(() => document.querySelector("#measured").textContent.includes("s a run (mean"));
  assert.equal(await tab.locator("#problem").textContent(), "");
  // What the file holds: rows add up to it, and pictures follow the chosen tensor.
  const file = readFileSync(join(page, "networks/lenet5.kompakt"));
  await tab.setInputFiles("#file", { name: "lenet5.kompakt", mimeType: "application/octet-stream", buffer: file });
  await tab.locator("#inspection .filters canvas").first().waitFor();
  const bytes = await tab.locator("#inspection .number").allTextContents();
  assert.equal(bytes.reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0), file.length);
  assert.ok((await tab.locator("#inspection .filters canvas").count()) >= 8);
  const drawn = () => tab.evaluate(() => new Set(document.querySelector(".pictures canvas").getContext("2d").getImageData(0, 0, 5, 5).data).size);
  assert.ok((await drawn()) > 1);
  await tab.selectOption("#inspection select", { index: 4 });
  await tab.locator("#inspection .filters").waitFor({ state: "detached" });
  assert.match(await tab.locator("#inspection figcaption").first().textContent(), /^Mask: /);
  await tab.selectOption("#inspection select", { index: 0 });
  // In another tier, which opens and answers the same.
  await tab.selectOption("#tier", "stream");
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.click("#download")]);
  assert.equal(download.suggestedFilename(), "lenet5-stream.kompakt");
  const repacked = readFileSync(await download.path());
  await tab.waitForFunction((n) => document.querySelector("#downloaded").textContent.includes(`: ${n} bytes`), repacked.length.toLocaleString("en"));
  const agree = await tab.evaluate(async ([a, b]) => {
    const { load } = await import("/kompakt.js");
    const networks = await Promise.all([a, b].map((bytes) => load(Uint8Array.from(bytes), { verify: true })));
    const [one, other] = networks.map((network) => network.predict(new Float32Array(784).fill(0.3)));
    const { tier } = await networks[1].inspect();
    return tier === "stream" && one.every((p, i) => Math.abs(p - other[i]) < 1e-6);
  }, [[...file], [...repacked]]);
  assert.ok(agree);
  await accessible(tab, `${name}, with a file`);
  await tab.screenshot({ path: join(screenshots, `${name}-file.png`), fullPage: true });
  await close();
  console.log(`page, ${name}: clicked through, no findings`);
}

try {
  await theLoader();
  await theStart();
  await theThreads();
  await thePage("light", { colorScheme: "light", viewport: { width: 1200, height: 800 } });
  await thePage("dark", { colorScheme: "dark", viewport: { width: 1200, height: 800 } });
  await thePage("phone", { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 });
} finally {
  await browser.close();
  stop();
  stopIsolated();
}
