// What the module and its types say of the C library is what the library's header says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { STATUS } from "../kompakt.js";

const text = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("statuses are those of the header, by number", () => {
  const found = [...text("crates/kompakt-capi/include/kompakt.h").matchAll(/KOMPAKT_STATUS_(\w+) = (\d+)/g)];
  assert.ok(found.length >= 8);
  for (const [, name, number] of found) {
    assert.equal(STATUS[number], name.toLowerCase());
  }
  assert.equal(STATUS.length, found.length);
  const [, types] = /readonly status: ([^;]+);/.exec(text("web/kompakt.d.ts"));
  assert.deepEqual(types.split(" | ").map((word) => JSON.parse(word)), STATUS.slice(1));
});
