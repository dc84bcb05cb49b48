// Images as numbers for a network.
import { KompaktError } from "./module.js";

/** An image as numbers of 0 to 1 in the network's shape: `[height, width]`, `[1, height, width]` or `[3, height, width]`. */
export function numbersOf(image, shape) {
  const [channels, height, width] = shape.length === 2 ? [1, ...shape] : shape;
  if (shape.length < 2 || shape.length > 3 || (channels !== 1 && channels !== 3)) {
    throw new KompaktError("argument", `a network with inputs of shape [${shape}] does not take images`);
  }
  const { data } = pixelsOf(image, width, height);
  const numbers = new Float32Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    if (channels === 1) {
      numbers[i] = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
    } else {
      numbers.set([r / 255], i);
      numbers.set([g / 255], height * width + i);
      numbers.set([b / 255], 2 * height * width + i);
    }
  }
  return numbers;
}

/** The image's pixels at that size. */
function pixelsOf(image, width, height) {
  if (image.data && image.width === width && image.height === height) {
    return image;
  }
  if (typeof OffscreenCanvas === "undefined") {
    throw new KompaktError("argument", `an image must be ${width} x ${height} where there is no canvas to scale it`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (image.data) {
    const whole = new OffscreenCanvas(image.width, image.height);
    whole.getContext("2d").putImageData(image, 0, 0);
    image = whole;
  }
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
