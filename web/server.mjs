// A server of files on this machine, for the tests and the bench: folders by the first part of the path.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** What Chromium needs to run without a user, a sandbox and requests of its own. */
export const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
};

/** Headers with which a page is cross-origin isolated, so that threads may share memory. */
export const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/**
 * Serves `folders` (`{ name: folder }` as `/name/…`; the name "" is the root) on a free port. `found(url, path)` hears of every
 * file that was sent. `headers` go with every file. Resolves to `{ origin, close }`.
 */
export async function serve(folders, found = () => {}, headers = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname)).slice(1);
    const [name, ...rest] = path.split("/");
    const file = name && Object.hasOwn(folders, name) ? join(folders[name], ...rest) : join(folders[""], path || "index.html");
    try {
      const bytes = await readFile(file);
      found(`/${path}`, file);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { ...headers, "content-type": type, "content-length": bytes.length }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
