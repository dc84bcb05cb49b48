// A network that a Worker runs, bundled by Vite.
import digits from "../../web/page/networks/features.kompakt?url";

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => (document.querySelector("#answer").textContent = data);

// A one: a white line on black, 28 by 28.
const image = new Float32Array(784);
for (let y = 5; y < 23; y++) {
  image.fill(1, 28 * y + 13, 28 * y + 15);
}
worker.postMessage({ url: new URL(digits, location.href).href, image });
