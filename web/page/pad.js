// The drawing area: white strokes on black, and the digit in it as a network of MNIST's digits expects it.

const SIZE = 280;
const SCALE = SIZE / 28;
/** Digits as strokes on a grid of 28, for visitors who only look. */
const EXAMPLES = [
  [[[8, 7], [13, 5], [18, 7], [19, 10], [16, 13], [12, 14], [17, 15], [20, 18], [18, 22], [13, 24], [8, 22]]],
  [[[8, 6], [20, 6], [15, 14], [12, 24]]],
  [[[8, 9], [11, 5], [16, 5], [19, 9], [17, 14], [12, 19], [8, 23], [21, 23]]],
  [[[14, 5], [9, 9], [8, 16], [11, 22], [16, 22], [20, 16], [19, 9], [14, 5]]],
];

/** `changed` is called after every change of the drawing. */
export class Pad {
  #canvas;
  #context;
  #changed;
  #last;
  #pen = { x: 140, y: 60, down: false };
  #example = 0;

  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#changed = changed;
    Object.assign(this.#context, { lineWidth: 20, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#last = undefined;
      this.#to(this.#at(event));
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && this.#to(this.#at(event)));
    canvas.addEventListener("pointerup", () => (this.#last = undefined));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    this.clear();
  }

  clear() {
    this.#context.fillStyle = "#000";
    this.#context.fillRect(0, 0, SIZE, SIZE);
    this.#last = undefined;
    this.#pen.down = false;
    this.#changed();
  }

  example() {
    this.clear();
    for (const stroke of EXAMPLES[this.#example++ % EXAMPLES.length]) {
      this.#last = undefined;
      stroke.forEach(([x, y]) => this.#to([x * SCALE, y * SCALE], false));
    }
    this.#last = undefined;
    this.#changed();
  }

  /** `[28, 28]`, 0 to 1: scaled into 20 x 20 pixels, its centre of mass in the middle; nothing for an empty area. */
  digit() {
    const { data } = this.#context.getImageData(0, 0, SIZE, SIZE);
    let [left, top, right, bottom, sum, mx, my] = [SIZE, SIZE, -1, -1, 0, 0, 0];
    for (let i = 0; i < SIZE * SIZE; i++) {
      const value = data[4 * i];
      if (value > 30) {
        const [x, y] = [i % SIZE, Math.floor(i / SIZE)];
        [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
        [sum, mx, my] = [sum + value, mx + value * x, my + value * y];
      }
    }
    if (sum === 0) {
      return undefined;
    }
    const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
    const context = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
    context.fillRect(0, 0, 28, 28);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#canvas, 14 - (mx / sum) * scale, 14 - (my / sum) * scale, SIZE * scale, SIZE * scale);
    const pixels = context.getImageData(0, 0, 28, 28).data;
    return Float32Array.from({ length: 784 }, (_, i) => pixels[4 * i] / 255);
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
  }

  #to([x, y], tell = true) {
    const [fromX, fromY] = this.#last ?? [x, y];
    this.#context.beginPath();
    this.#context.moveTo(fromX, fromY);
    this.#context.lineTo(x, y);
    this.#context.stroke();
    this.#last = [x, y];
    if (tell) {
      this.#changed();
    }
  }

  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const pen = this.#pen;
    if (step) {
      pen.x = Math.min(SIZE - 10, Math.max(10, pen.x + step[0] * SCALE));
      pen.y = Math.min(SIZE - 10, Math.max(10, pen.y + step[1] * SCALE));
    } else if (event.key === " ") {
      pen.down = !pen.down;
      this.#last = undefined;
    } else if (event.key === "Escape") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    if (pen.down) {
      this.#to([pen.x, pen.y]);
    }
  }
}
