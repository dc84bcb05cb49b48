// The opened file, downloaded in a tier of the visitor's choice.
import { make } from "./card.js";

/** `button` makes and downloads the file in the tier of `choice`, `said` says what came of it. */
export function offer(file, choice, button, said) {
  button.onclick = () => download(file, choice.value, button, said);
}

async function download(file, tier, button, said) {
  button.disabled = true;
  said.textContent = `Packing ${file.name} in tier ${tier} …`;
  // So that it is read before the page stands still.
  await new Promise((next) => setTimeout(next, 30));
  try {
    const { repack } = await import("./repack.js");
    const bytes = await repack(await file.arrayBuffer(), tier);
    const name = `${file.name.replace(/\.kompakt$/, "")}-${tier}.kompakt`;
    const href = URL.createObjectURL(new Blob([bytes]));
    make("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    said.textContent = `${name}: ${bytes.length.toLocaleString("en")} bytes, where the opened file has ${file.size.toLocaleString("en")}.`;
  } catch (error) {
    said.textContent = `${file.name} is not repacked: ${error.message}`;
  } finally {
    button.disabled = false;
  }
}
