// The loader beside other engines in Chromium: node run.mjs NETWORKS PACKAGE MODULES RESULT.md ROUNDS (see `cargo xtask bench web`).
//   NETWORKS  a folder for each network: smallest.kompakt, stream.kompakt, model.onnx, model.json, weights.f32, input.f32, shape.json
//   PACKAGE   kompakt.js and dist/; MODULES  node_modules with what package.json names
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { CHROMIUM, serve } from "../server.mjs";

const [networks, packaged, modules, result, rounds] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
const here = fileURLToPath(new URL(".", import.meta.url));
const FOLDERS = { nets: networks, kompakt: packaged, npm: join(modules, "node_modules"), bench: here, "": here };
const NETWORKS = JSON.parse(readFileSync(join(networks, "networks.json"), "utf8"));
const ENGINES = ["kompakt", "kompakt, stream", "onnxruntime-web", "tfjs"];
/** The same code and memory form as `kompakt`: only its start and bytes differ. */
const TIMED = ENGINES.filter((name) => name !== "kompakt, stream");

const served = new Map();
const { origin, close } = await serve(FOLDERS, (url, path) => served.set(url, path));
const browser = await chromium.launch(CHROMIUM);

/** Runs in a fresh page: nothing is cached, nothing compiled. */
async function fresh(work, argument) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.goto(origin);
  const found = await tab.evaluate(work, argument);
  await context.close();
  return found;
}

/** Bytes after brotli at its best; kept beside the networks, as it takes a minute for the largest. */
const known = join(networks, "brotli.json");
const lengths = existsSync(known) ? JSON.parse(readFileSync(known, "utf8")) : {};
function brotli(path) {
  const bytes = readFileSync(path);
  const key = createHash("sha256").update(bytes).digest("hex");
  const quality = bytes.length > 20e6 ? 9 : 11;
  lengths[key] ??= brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: quality } }).length;
  writeFileSync(known, JSON.stringify(lengths));
  return lengths[key];
}

const rows = [];
try {
  for (const { name, title } of NETWORKS) {
    const starts = Object.fromEntries(ENGINES.map((engine) => [engine, Infinity]));
    const bytes = {};
    let expected;
    for (let round = 0; round < Math.max(3, rounds / 3); round++) {
      for (const engine of ENGINES) {
        served.clear();
        const { ms, answer } = await fresh(async ([engine, name]) => (await import("/bench/engines.js")).first(engine, name), [engine, name]);
        starts[engine] = Math.min(starts[engine], ms);
        expected ??= answer;
        const largest = Math.max(...expected.map(Math.abs));
        const off = Math.max(...expected.map((value, i) => Math.abs(value - answer[i]) / largest));
        assert.ok(off < 1e-4 && answer.length === expected.length, `${name}: ${engine} differs by ${off}`);
        const fetched = [...served].filter(([url]) => !/input\.f32|shape\.json|bench\/|index\.html|^\/$/.test(url));
        const sum = (isNetwork) => fetched.reduce((sum, [url, path]) => sum + (url.startsWith("/nets/") === isNetwork ? brotli(path) : 0), 0);
        bytes[engine] ??= { code: sum(false), network: sum(true) };
      }
    }
    const best = await fresh(async ([engines, name, rounds]) => (await import("/bench/engines.js")).times(engines, name, rounds, 60), [TIMED, name, Number(rounds)]);
    const times = Object.fromEntries(TIMED.map((engine, i) => [engine, best[i]]));
    rows.push({ title, starts, bytes, times });
    console.error(name, JSON.stringify(rows.at(-1)));
  }
} finally {
  await browser.close();
  close();
}

const number = (n) => n.toLocaleString("en");
const kB = (n) => `${number(Math.round(n / 1000))} kB`;
const ms = (t) => `${t < 10 ? t.toFixed(2) : t < 100 ? t.toFixed(1) : Math.round(t)} ms`;
const table = (head, lines) => [head, head.map((_, i) => (i ? "---:" : "---")), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
const of = (value, base) => `${(value / base).toFixed(2)}`;
const version = (name) => JSON.parse(readFileSync(join(modules, "node_modules", name, "package.json"), "utf8")).version;
const load = loadavg().map((n) => n.toFixed(1)).join(", ");
const text = `# In the browser

\`cargo xtask bench web\`: the loader beside onnxruntime-web and TensorFlow.js in the same pages, one thread, WebAssembly with 128-bit vectors.

Networks have seeded weights (the LeNets at Han 2015's densities, \`features\` like LeNet-300-100 on 716 prepared features; ResNet-18 and the
1x1 convolutions of MobileNetV2 and EfficientNet-Lite0 at 15 %, 32 levels; ReLU for ReLU6). Other engines get them dense, zeros included. All
answers agree to 1e-4 of the largest.

Versions: onnxruntime-web ${version("onnxruntime-web")} (\`ort.wasm\`, one thread), TensorFlow.js ${version("@tensorflow/tfjs-core")} (\`tfjs-core\`, \`tfjs-backend-wasm\`),
Chromium ${browser.version()}. Processor: ${cpus()[0].model}. Load of the machine: ${load}. Engines take turns; each figure is the shortest of
${rounds} turns (start: of ${Math.max(3, Math.ceil(rounds / 3))}), so that other work on the machine lengthens it least.

## Bytes over the wire

After brotli (level 11; level 9 above 20 MB): code and network. The goal is a tenth of onnxruntime-web.

${table(["network", "kompakt", "kompakt, stream", "onnxruntime-web", "tfjs", "kompakt / onnxruntime-web"], rows.map(({ title, bytes }) => {
  const both = ({ code, network }) => code + network;
  const cell = (engine) => `${kB(bytes[engine].code)} + ${kB(bytes[engine].network)}`;
  return [title, ...ENGINES.map(cell), of(both(bytes.kompakt), both(bytes["onnxruntime-web"]))];
}))}

## Start to the first answer

From nothing in the page to the first output: code and network are fetched (from this machine: no network time), compiled, the network
is prepared and run once. The goal is a third of onnxruntime-web.

${table(["network", "kompakt", "kompakt, stream", "onnxruntime-web", "tfjs", "best of kompakt / onnxruntime-web"], rows.map(({ title, starts }) =>
  [title, ...ENGINES.map((engine) => ms(starts[engine])), of(Math.min(starts.kompakt, starts["kompakt, stream"]), starts["onnxruntime-web"])]))}

## Time a run

Input given, output taken, batch 1. The goal is at most 0.8 of onnxruntime-web.

${table(["network", "kompakt", "onnxruntime-web", "tfjs", "kompakt / onnxruntime-web"], rows.map(({ title, times }) =>
  [title, ...TIMED.map((engine) => ms(times[engine])), of(times.kompakt, times["onnxruntime-web"])]))}
`;
const notes = join(here, "notes.md");
writeFileSync(result, existsSync(notes) ? `${text}\n${readFileSync(notes, "utf8")}` : text);
