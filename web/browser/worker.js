// A Worker of the tests that runs a network itself: { url, threads, input } in, { threads, output } out.
import { load } from "/kompakt.js";

onmessage = async ({ data: { url, threads, input } }) => {
  const network = await load(url, { threads });
  const answer = { threads: network.threads, output: network.run(input) };
  // First, so that its own Worker ends before this one is terminated.
  network.free();
  postMessage(answer);
};
