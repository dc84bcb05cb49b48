import { load } from "kompakt";

onmessage = async ({ data: { url, image } }) => {
  const network = await load(url);
  const [{ label, probability }] = network.classify(image, 1);
  network.free();
  postMessage(`${label}, ${Math.round(100 * probability)} % sure`);
};
