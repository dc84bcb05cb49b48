// A Worker of the tests that runs a network itself: { url, threads, input } in, { threads, output } out.
import { load } from "/kompakt.js";

onmessage = async ({ data: { url, threads, input } }) => {
  const network = await load(url, { threads });
  postMessage({ threads: network.threads, output: network.run(input) });
  network.free();
};
