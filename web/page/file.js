// A file that the visitor opens: facts about it, its answers to a picture or the camera, its time.
import { load } from "./kompakt.js";
import { make } from "./card.js";
import { compare, inWords, timed } from "./compare.js";
import { showInspection } from "./inspection.js";
import { offer } from "./tiers.js";

const at = (id) => document.getElementById(id);
/** More would fill a phone's memory. */
const MAX_BYTES = 500e6;
let network;
let stream;

async function open(file) {
  stopCamera();
  network?.free();
  network = undefined;
  at("opened").hidden = true;
  at("problem").textContent = "";
  for (const id of ["classes", "measured", "compared", "inspection", "downloaded"]) {
    at(id).replaceChildren();
  }
  try {
    if (file.size > MAX_BYTES) {
      throw new Error("the file is larger than 500 MB");
    }
    const bytes = await file.arrayBuffer();
    const start = performance.now();
    network = await load(bytes, { verify: true });
    const spent = performance.now() - start;
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    offer(file, at("tier"), at("download"), at("downloaded"));
    show(file, spent, Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""));
  } catch (error) {
    at("problem").textContent = `${file.name}: ${error.message}`;
  }
}

function show(file, spent, hash) {
  const { inputs, outputs, labels, bytes } = network.info;
  const port = ({ name, shape }) => `${name} [${shape.join(", ")}]`;
  const facts = {
    File: file.name,
    Size: `${bytes.toLocaleString("en")} bytes`,
    "SHA-256": hash,
    Checked: `checksums, payloads and content hash hold; ready after ${spent.toFixed(1)} ms`,
    Inputs: inputs.map(port).join("; "),
    Outputs: outputs.map(port).join("; "),
    Classes: labels.length ? labels.slice(0, 12).join(", ") + (labels.length > 12 ? ", …" : "") : "no names in the file",
  };
  at("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([key, value]) => [make("dt", { textContent: key }), make("dd", { textContent: value })]),
  );
  at("opened").hidden = false;
  const shown = network;
  showInspection(shown, at("inspection")).catch((error) => {
    if (network === shown) {
      at("problem").textContent = `${file.name} cannot be looked into: ${error.message}`;
    }
  });
}

function classify(image) {
  try {
    const classes = network.classify(image, 5);
    const line = ({ label, probability }) => make("li", { textContent: `${label}: ${(100 * probability).toFixed(1)} %` });
    at("classes").replaceChildren(...classes.map(line));
    at("problem").textContent = "";
    return true;
  } catch (error) {
    at("problem").textContent = error.message;
    return false;
  }
}

async function picture(file) {
  stopCamera();
  try {
    const image = await createImageBitmap(file);
    classify(image);
    image.close();
  } catch {
    at("problem").textContent = `${file.name} is not a picture that this browser can read`;
  }
}

async function camera() {
  if (stream) {
    stopCamera();
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    at("video").srcObject = stream;
    at("video").hidden = false;
    at("camera").textContent = "Stop the camera";
    await at("video").play();
    const frame = () => {
      if (stream && network && classify(at("video"))) {
        setTimeout(frame, 150);
      } else {
        stopCamera();
      }
    };
    frame();
  } catch (error) {
    stopCamera();
    at("problem").textContent = `no camera: ${error.message}`;
  }
}

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  at("video").hidden = true;
  at("camera").textContent = "Use the camera";
}

/** Mean over half a second: a browser's clock is too coarse for one run of a small network. */
async function measure() {
  const inputs = Object.fromEntries(
    network.info.inputs.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5)]),
  );
  const ours = await timed(() => network.run(inputs));
  const memory = (network.memoryBytes / 1e6).toFixed(1);
  at("measured").textContent =
    `${inWords(ours.each)} a run (mean of ${ours.n.toLocaleString("en")}); the loader has ${memory} MB of memory for all networks here.`;
  return ours;
}

/** Beside onnxruntime-web on the same network, which the visitor gives as ONNX. */
async function compareWith(file) {
  at("compared").textContent = "Measuring …";
  try {
    at("compared").textContent = await compare(network, await measure(), await file.arrayBuffer());
  } catch (error) {
    at("compared").textContent = error.message;
  }
}

export function watchFiles() {
  const chosen = (id, action) => at(id).addEventListener("change", (event) => event.target.files[0] && action(event.target.files[0]));
  chosen("file", open);
  chosen("picture", picture);
  chosen("onnx", compareWith);
  at("camera").addEventListener("click", camera);
  at("measure").addEventListener("click", measure);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (file?.type.startsWith("image/") && network) {
      picture(file);
    } else if (file) {
      open(file);
    }
  });
}
