// The page: a drawing, the networks that look at it, and a file of the visitor's own.
import { Card } from "./card.js";
import { watchFiles } from "./file.js";
import { load } from "./kompakt.js";
import { Pad } from "./pad.js";

const NETWORKS = [
  ["networks/features.kompakt", "Gradient features"],
  ["networks/lenet5.kompakt", "Convolutions"],
];
const at = (id) => document.getElementById(id);

let cards = [];
let pending = false;
/** Once a frame at most. */
const changed = () => {
  if (!pending) {
    pending = true;
    requestAnimationFrame(show);
  }
};
const pad = new Pad(at("pad"), changed);
at("clear").addEventListener("click", () => pad.clear());
at("example").addEventListener("click", () => pad.example());
watchFiles();

let speaking;
function show() {
  pending = false;
  const digit = pad.digit();
  const words = cards.map((card) => card.show(digit)).join(" ");
  clearTimeout(speaking);
  speaking = setTimeout(() => (at("said").textContent = words), 400); // when the pen rests
}

try {
  cards = await Promise.all(NETWORKS.map(async ([url, title]) => new Card(await load(new URL(url, import.meta.url)), title)));
  at("networks").append(...cards.map((card) => card.element));
  pad.example();
} catch (error) {
  at("said").textContent = `The networks cannot be loaded: ${error.message}`;
}
