// What is in a file, as pictures: bytes by layer and kind, and of one tensor its mask, its codebook and its first filters.
import { make } from "./card.js";

const KINDS = [["map", "map of kept weights"], ["codes", "codes"], ["numbers", "codebooks and values"], ["rest", "all else"]];
const MOST_FILTERS = 32;
/** Larger tensors would stop a phone for seconds. */
const MOST_WEIGHTS = 4e6;
const count = (n) => n.toLocaleString("en");

/** Shows the network's file in `place`, unless it was freed before that; it must not be freed while it is shown. */
export async function showInspection(network, place) {
  const found = await network.inspect();
  const tensors = found.tensors.map((tensor, index) => ({ ...tensor, index }));
  const most = Math.max(1, ...tensors.map(({ bytes }) => bytes));
  const other = found.others.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = tensors.map((tensor) => {
    const { map_bytes, codes_bytes, numbers_bytes, bytes } = tensor;
    const rest = Math.max(0, bytes - map_bytes - codes_bytes - numbers_bytes);
    return row(tensor.name, bytes, [map_bytes, codes_bytes, numbers_bytes, rest], most, facts(tensor));
  });
  rows.push(row("all else", other, [0, 0, 0, other], Math.max(most, other), found.others.map(({ name, bytes }) => `${name} ${bytes}`).join(", ")));
  const table = make(
    "table",
    {},
    make("caption", { textContent: `Where the ${count(found.bytes)} bytes are (tier ${found.tier}; bytes of one stream are split by entropy)` }),
    make("thead", {}, make("tr", {}, ...["Tensor", "Bytes", "", "What it is"].map((textContent) => make("th", { scope: "col", textContent })))),
    make("tbody", {}, ...rows),
  );
  table.querySelectorAll("thead th")[2].append(make("span", { className: "hidden", textContent: "Share" }));
  const legend = make("p", { className: "legend small" }, ...KINDS.map(([kind, name]) => make("span", { className: kind, textContent: name })));
  const shown = tensors.filter(({ n }) => n <= MOST_WEIGHTS);
  const choice = make("select", {}, ...shown.map(({ name, shape, index }) => make("option", { value: index, textContent: `${name} [${shape.join(", ")}]` })));
  const pictures = make("div", { className: "pictures" });
  const show = async () => {
    const tensor = tensors[choice.value];
    pictures.replaceChildren(...picturesOf(await network.weights(tensor.index, tensor.n), tensor, network.info.inputShape));
  };
  choice.addEventListener("change", show);
  const wrap = make("div", { className: "scroll", tabIndex: 0 }, table);
  wrap.setAttribute("role", "region");
  wrap.setAttribute("aria-label", "Bytes by tensor");
  place.replaceChildren(legend, wrap);
  if (shown.length) {
    place.append(make("label", { className: "file" }, "Look into ", choice), pictures);
    await show();
  }
}

function facts({ shape, n, n_kept, levels, coder }) {
  const kept = n_kept === n ? "all kept" : `${((100 * n_kept) / n).toFixed(1)} % kept`;
  return `[${shape.join(", ")}], ${kept}, ${levels ? `${levels.length} levels` : "a value each"}, ${coder}`;
}

function row(name, bytes, parts, most, what) {
  const bar = make("div", { className: "stack" });
  bar.setAttribute("aria-hidden", "true");
  parts.forEach((part, i) => {
    const piece = make("i", { className: KINDS[i][0] });
    piece.style.width = `${(100 * part) / most}%`;
    bar.append(piece);
  });
  const cells = [make("td", { className: "number", textContent: count(bytes) }), make("td", { className: "wide" }, bar), make("td", { textContent: what })];
  return make("tr", {}, make("th", { scope: "row", textContent: name }), ...cells);
}

function picturesOf(weights, tensor, inputShape) {
  const rows = tensor.shape.length > 1 ? tensor.shape[0] : 1;
  const cols = tensor.n / rows;
  const kept = `${count(tensor.n_kept)} of ${count(tensor.n)}`;
  const pictures = [figure(mask(weights, rows, cols), `Mask: ${kept} weights are kept, ${rows} by ${cols}`, "mask")];
  if (tensor.levels) {
    pictures.push(figure(codebook(weights, tensor.levels), `Codebook: ${tensor.levels.length} levels, and how often each is used`, "codebook"));
  }
  const tiles = filters(tensor.shape, inputShape);
  if (tiles) {
    const n = Math.min(MOST_FILTERS, rows);
    const largest = weights.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1e-30);
    const list = Array.from({ length: n }, (_, i) => filter(weights.subarray(i * cols, i * cols + tiles[0] * tiles[1]), tiles, largest));
    const all = make("div", { className: "filters" }, ...list);
    all.setAttribute("role", "img");
    pictures.push(figure(all, `First ${n} filters: orange is positive, blue negative`, "filters"));
  }
  return pictures;
}

function figure(content, caption) {
  content.setAttribute("role", "img");
  content.setAttribute("aria-label", caption);
  return make("figure", {}, content, make("figcaption", { textContent: caption }));
}

/** Height and width of one filter: of a convolution its window, of a layer on pixels the image. */
function filters(shape, inputShape) {
  if (shape.length === 4 && shape[2] * shape[3] > 1) {
    return shape.slice(2);
  }
  const [height, width] = inputShape.slice(-2);
  const channels = inputShape.length === 3 ? inputShape[0] : 1;
  return shape.length === 2 && inputShape.length > 1 && shape[1] === channels * height * width ? [height, width] : undefined;
}

/** A pixel for each weight, or for as many as fit; bright is kept. */
function mask(weights, rows, cols) {
  const [height, width] = [Math.min(rows, 256), Math.min(cols, 512)];
  const [all, kept] = [new Uint32Array(height * width), new Uint32Array(height * width)];
  for (let r = 0; r < rows; r++) {
    const line = Math.floor((r * height) / rows) * width;
    for (let c = 0; c < cols; c++) {
      const at = line + Math.floor((c * width) / cols);
      all[at]++;
      kept[at] += Number.isNaN(weights[r * cols + c]) ? 0 : 1;
    }
  }
  return paint(width, height, (i) => {
    const share = kept[i] / Math.max(1, all[i]);
    return [30 + 225 * share, 30 + 124 * share, 30 + 62 * share];
  });
}

/** Levels as lines on an axis, as high as they are used. */
function codebook(weights, levels) {
  const uses = new Map(levels.map((level) => [Math.fround(level), 0]));
  weights.forEach((value) => uses.has(value) && uses.set(value, uses.get(value) + 1));
  const most = Math.max(1, ...uses.values());
  const [low, high] = [Math.min(0, ...levels), Math.max(0, ...levels)];
  const canvas = make("canvas", { width: 512, height: 160, className: "plot" });
  const context = canvas.getContext("2d");
  context.fillStyle = "#1e1e1e";
  context.fillRect(0, 0, 512, 160);
  const x = (value) => 8 + (496 * (value - low)) / Math.max(1e-30, high - low);
  context.fillStyle = "#8a8a8a";
  context.fillRect(x(0), 0, 1, 160);
  context.fillStyle = "#ff9a5c";
  for (const [value, n] of uses) {
    const height = 4 + (140 * n) / most;
    context.fillRect(x(value) - 1, 156 - height, 3, height);
  }
  return canvas;
}

function filter(values, [height, width], largest) {
  return paint(width, height, (i) => {
    const value = (Number.isNaN(values[i]) ? 0 : values[i]) / largest;
    return value > 0 ? [30 + 225 * value, 30 + 124 * value, 30] : [30, 30 - 110 * value, 30 - 225 * value];
  });
}

function paint(width, height, colour) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.set([...colour(i), 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
