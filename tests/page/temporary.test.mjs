// Tests leave nothing behind, however they end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { test } from "node:test";

const MODULE = new URL("temporary.mjs", import.meta.url).href;

for (const [how, end] of [
  ["passes", ""],
  ["throws", "throw new Error('a fault');"],
  ["ends itself", "process.exit(3);"],
  ["is ended by a signal", "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);"],
]) {
  test(`a folder is gone when its process ${how}`, async () => {
    const script = `
      import { writeFileSync } from "node:fs";
      import { temporary } from ${JSON.stringify(MODULE)};
      const folder = await temporary("test");
      writeFileSync(folder + "/file", "something");
      process.stdout.write(folder + "\\n", () => { ${end} });
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(child, "exit");
    const folder = String((await once(child.stdout, "data"))[0]).trim();
    assert.match(folder, /sdic-test-\w+$/);
    await ended;
    await assert.rejects(access(folder), { code: "ENOENT" });
  });
}
