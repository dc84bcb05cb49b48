// One network that watches the drawing: its answer, its probabilities, and which parts of the picture they depend on.

/** A new element with these properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export class Card {
  element;
  #network;
  #title;
  #answer = make("span", { className: "answer", textContent: "–" });
  #bars;
  #looks = make("canvas", { className: "looks", width: 28, height: 28 });
  #time = make("p", { className: "small", textContent: "Waiting for a digit." });

  constructor(network, title) {
    this.#network = network;
    this.#title = title;
    this.#looks.setAttribute("role", "img");
    this.#looks.setAttribute("aria-label", "The digit, with the parts that the answer depends on in orange");
    this.#bars = Array.from({ length: 10 }, (_, digit) => make("span", { className: "bar" }, make("i"), String(digit)));
    const bars = make("div", { className: "bars" }, ...this.#bars);
    bars.setAttribute("aria-hidden", "true"); // the status line says it in words
    this.element = make(
      "article",
      {},
      make("div", { className: "head" }, make("h2", { textContent: `${title}, ${network.info.bytes.toLocaleString("en")} bytes` }), this.#answer),
      make("div", { className: "body" }, bars, make("figure", {}, this.#looks, make("figcaption", { textContent: "What it looks at" }))),
      this.#time,
    );
  }

  /** Shows what the network thinks of `[28, 28]` numbers, or nothing; returns it in words. */
  show(digit) {
    if (!digit) {
      this.#answer.textContent = "–";
      this.#draw(new Float32Array(10), -1);
      this.#looks.getContext("2d").clearRect(0, 0, 28, 28);
      this.#time.textContent = "Waiting for a digit.";
      return "";
    }
    const start = performance.now();
    const probabilities = this.#network.predict(digit);
    const spent = performance.now() - start;
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.#answer.textContent = String(best);
    this.#draw(probabilities, best);
    this.#look(digit, best, probabilities[best]);
    const percent = `${Math.round(100 * probabilities[best])} %`;
    this.#time.textContent = `${percent} sure, after ${spent < 0.1 ? "less than 0.1" : spent.toFixed(1)} ms.`;
    return `${this.#title}: ${best}, ${percent}.`;
  }

  #draw(probabilities, best) {
    this.#bars.forEach((bar, digit) => {
      bar.classList.toggle("best", digit === best);
      bar.firstChild.style.height = `${Math.max(1, 84 * probabilities[digit])}px`;
    });
  }

  /** By occlusion: how much less probable the answer becomes when four by four pixels are black. */
  #look(digit, best, probability) {
    const drops = new Float32Array(49);
    for (let cell = 0; cell < 49; cell++) {
      const [top, left] = [4 * Math.floor(cell / 7), 4 * (cell % 7)];
      const hidden = digit.slice();
      let ink = 0;
      for (let y = top; y < top + 4; y++) {
        for (let x = left; x < left + 4; x++) {
          ink += hidden[28 * y + x];
          hidden[28 * y + x] = 0;
        }
      }
      drops[cell] = ink > 0 ? Math.max(0, probability - this.#network.predict(hidden)[best]) : 0;
    }
    const most = Math.max(1e-6, ...drops);
    const context = this.#looks.getContext("2d");
    const image = context.createImageData(28, 28);
    for (let i = 0; i < 784; i++) {
      const weight = drops[7 * Math.floor(i / 112) + Math.floor((i % 28) / 4)] / most;
      const ink = digit[i];
      image.data.set([40 * weight + 200 * ink + 15 * weight * ink, 20 * weight + ink * (200 - 80 * weight), ink * (200 - 150 * weight), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }
}
