// One thread and several, beside onnxruntime-web, in Chromium: node threads.mjs NETWORKS PACKAGE MODULES THREADS ROUNDS
// (see `cargo xtask bench web --threads`). Prints a table.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CHROMIUM, ISOLATED, serve } from "../server.mjs";

const [networks, packaged, modules, threads, rounds] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
const here = fileURLToPath(new URL(".", import.meta.url));
const folders = { nets: networks, kompakt: packaged, npm: join(modules, "node_modules"), bench: here, "": here };
const ENGINES = ["kompakt", "onnxruntime-web"];
const THREADS = [1, Number(threads)];

const { origin, close } = await serve(folders, undefined, ISOLATED);
const browser = await chromium.launch(CHROMIUM);

/** A page with both engines on that many threads, which onnxruntime-web has once for a page. */
async function page(network, threads) {
  const tab = await (await browser.newContext()).newPage();
  await tab.goto(origin);
  const answers = await tab.evaluate(async ([engines, network, threads]) => {
    const { prepare } = await import("/bench/engines.js");
    return prepare(engines, network, threads);
  }, [ENGINES, network, threads]);
  return { tab, answers };
}

console.log(`| network | ${THREADS.flatMap((n) => ENGINES.map((engine) => `${engine}, ${n}`)).join(" | ")} | kompakt, ${threads} / 1 | kompakt / onnxruntime-web, ${threads} |`);
console.log(`| --- |${" ---: |".repeat(6)}`);
try {
  for (const { name, title } of JSON.parse(readFileSync(join(networks, "networks.json"), "utf8"))) {
    const pages = [];
    for (const n of THREADS) pages.push(await page(name, n));
    const expected = pages[0].answers[0];
    const largest = Math.max(...expected.map(Math.abs));
    for (const answer of pages.flatMap(({ answers }) => answers)) {
      assert.ok(answer.every((value, i) => Math.abs(value - expected[i]) < 1e-4 * largest) && answer.length === expected.length, name);
    }
    const best = pages.map(() => ENGINES.map(() => Infinity));
    for (let round = 0; round < Number(rounds); round++) {
      for (const [p, { tab }] of pages.entries()) {
        for (const e of ENGINES.keys()) {
          const ms = await tab.evaluate(async (e) => (await import("/bench/engines.js")).turn(e, 200), e);
          best[p][e] = Math.min(best[p][e], ms);
        }
      }
    }
    for (const { tab } of pages) await tab.context().close();
    const [one, several] = best;
    const cells = [...one, ...several].map((ms) => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`);
    console.log(`| ${[title, ...cells, (several[0] / one[0]).toFixed(2), (several[0] / several[1]).toFixed(2)].join(" | ")} |`);
  }
  console.log(`\nProcessor: ${cpus()[0].model}, ${cpus().length} cores. Load of the machine: ${loadavg().map((n) => n.toFixed(1)).join(", ")}.`);
  console.log(`Engines and pages take turns; the shortest of ${rounds}. Chromium ${browser.version()}.`);
} finally {
  await browser.close();
  close();
}
