// The folder that the build makes: only in its own place, complete, with hashes and with what hosts need.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { packed, visitBytes } from "../../benches/bytes.mjs";
import { assemble, seal } from "../../www/tools/assemble.mjs";
import { CACHING, ISOLATION, PRIVACY } from "../../www/tools/policy.mjs";
import { root, weightsLike } from "./support.mjs";
import { temporary } from "./temporary.mjs";

/** @type {string} */
let weights;
/** @type {string} */
let folder;

before(async () => {
  weights = await weightsLike("tests/golden/tiny");
  folder = await temporary("page");
  await assemble(folder, { weights });
});

async function shell() {
  const text = await readFile(path.join(folder, "shell.js"), "utf8");
  return JSON.parse(text.replace(/^self\.SHELL = |;\n$/g, ""));
}

test("a folder that was not made here is refused, and nothing in it is touched", async () => {
  const other = await temporary("other");
  await writeFile(path.join(other, "thesis.txt"), "years of work");
  await assert.rejects(assemble(other, { weights }), /holds files that were not put there/);
  assert.deepEqual(await readdir(other), ["thesis.txt"]);
  assert.equal(await readFile(path.join(other, "thesis.txt"), "utf8"), "years of work");
});

test("a folder that was made here is brought up to date", async () => {
  await writeFile(path.join(folder, "left-over.txt"), "of an earlier build");
  const spoiled = path.join(folder, "app/main.js");
  const good = await readFile(spoiled);
  await writeFile(spoiled, Buffer.from(good).fill(" "));
  const before = await shell();
  await assemble(folder, { weights });
  assert.ok(!(await readdir(folder)).includes("left-over.txt"));
  assert.deepEqual(await readFile(spoiled), good);
  assert.deepEqual(await shell(), before);
});

test("every file of the shell has its hash in the list, and the manifest is among them", async () => {
  const { version, files, onUse } = await shell();
  const all = { ...files, ...onUse };
  for (const [name, integrity] of Object.entries(all)) {
    const hash = createHash("sha256")
      .update(await readFile(path.join(folder, name)))
      .digest("base64");
    assert.equal(integrity, `sha256-${hash}`, name);
  }
  const there = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const names = there.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  const code = names.filter((name) => /^(index\.html|sw\.js|(app|on-use|shared|workers|styles|pkg)\/.*)$/.test(name));
  assert.deepEqual(
    code.filter((name) => !(name in all)),
    [],
  );
  assert.ok("weights/manifest.json" in files && "weights/face/face.safetensors" in files);
  const index = await readFile(path.join(folder, "index.html"), "utf8");
  assert.match(index, new RegExp(`<meta name="version" content="${version}" />`));
  assert.doesNotMatch(index, /modulepreload/, "modules that Chromium may abort, and then never asks for again");
});

test("what is kept when it is first used is rare, and nothing else needs it", async () => {
  const { files, onUse } = await shell();
  const rare =
    /^(pkg\/webgpu|on-use|shared\/strings)\/|^workers\/(convert|mirror)\.js$|^styles\/mirror\.css$|\.webmanifest$/;
  assert.deepEqual(
    Object.keys(onUse).filter((name) => !rare.test(name)),
    [],
  );
  for (const name of Object.keys(files).filter((name) => name.endsWith(".js"))) {
    const text = await readFile(path.join(folder, name), "utf8");
    for (const [, address] of text.matchAll(/(?:\bfrom|\bimport)\s*["'`](\.[^"'`]+\.js)["'`]/g)) {
      const needed = path.posix.join(path.posix.dirname(name), address);
      assert.ok(needed in files, `${name} needs ${needed}`);
    }
  }
});

test("index.html names files that are kept, and code can be left as it was written", async () => {
  const readable = await temporary("readable");
  await assemble(readable, { weights, readable: true });
  const sources = (await readdir(readable, { recursive: true })).filter((name) =>
    /^((app|shared|workers|styles)\/.*|sw)\.(js|css)$/.test(name),
  );
  assert.ok(sources.length > 100, `${sources.length} files`);
  for (const name of sources)
    assert.deepEqual(await readFile(path.join(readable, name)), await readFile(path.join(root, "www", name)), name);
  const index = await readFile(path.join(folder, "index.html"), "utf8");
  for (const [, name] of index.matchAll(/(?:src|href)="((?:app|shared|styles)\/[^"]+)"/g))
    assert.ok(name in (await shell()).files, name);
  assert.equal(index.match(/rel="stylesheet"/g)?.length, 1);
});

test("a visit loads at most 1.2 MB of code, gzipped, the engine for the processor included", async () => {
  const { total, parts } = await visitBytes(folder);
  assert.ok(total <= 1_200_000, `${total} bytes: ${JSON.stringify(parts)}`);
});

test("the engine for graphics cards is at most 3.7 MB, gzipped", async () => {
  const bytes = await packed(path.join(folder, "pkg/webgpu/sdic_bg.wasm"));
  assert.ok(bytes <= 3_700_000, `${bytes} bytes`);
});

test("a changed file makes another version", async () => {
  const { version } = await shell();
  const file = path.join(folder, "styles/page.css");
  const text = await readFile(file);
  await writeFile(file, `${text}\n`);
  await seal(folder);
  assert.notEqual((await shell()).version, version);
  await writeFile(file, text);
  await seal(folder);
  assert.equal((await shell()).version, version);
});

test("every example configuration sends every header", async () => {
  const examples = ["_headers", "vercel.json", "hosting/nginx.conf", "hosting/apache.htaccess", "hosting/Caddyfile"];
  for (const name of examples) {
    const text = await readFile(path.join(folder, name), "utf8");
    for (const [header, value] of Object.entries({ ...PRIVACY, ...ISOLATION, ...CACHING })) {
      assert.ok(text.includes(header) && text.includes(value), `${header} in ${name}`);
    }
  }
});

test("the container file copies what is there, and serves at the port of its configuration", async () => {
  const text = await readFile(path.join(folder, "hosting/Containerfile"), "utf8");
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  const steps = lines.map((line) => line.split(/\s+/));
  assert.equal(steps[0][0], "FROM");
  const copied = steps.filter(([verb]) => verb === "COPY");
  assert.deepEqual(
    copied.map(([, , to]) => to),
    ["/etc/nginx/conf.d/default.conf", "/srv/sdic"],
  );
  for (const [, from] of copied) await stat(path.join(folder, from));
  const conf = await readFile(path.join(folder, copied[0][1]), "utf8");
  const port = steps.find(([verb]) => verb === "EXPOSE")?.[1];
  assert.match(conf, new RegExp(`listen ${port};`));
  assert.match(conf, /root \/srv\/sdic;/);
});

test("the notices name every crate that is compiled in, and the weights", async () => {
  const notices = await readFile(path.join(folder, "notices.txt"), "utf8");
  const crates = await readFile(path.join(folder, "notices/crates.txt"), "utf8");
  const flags = [
    "--locked",
    "--edges",
    "normal",
    "--target",
    "wasm32-unknown-unknown",
    "--no-default-features",
    "--features",
    "wgpu",
  ];
  const { stdout } = await promisify(execFile)("cargo", ["tree", ...flags, "--prefix", "none", "--format", "{p}"], {
    cwd: root,
  });
  const compiled = new Set(stdout.split("\n").filter((line) => line && !/\((proc-macro|\*|\/)/.test(line)));
  assert.ok(compiled.size > 100, `${compiled.size} crates`);
  const unnamed = [...compiled].filter((line) => !crates.includes(`  ${line.replace(" v", " ").split(" (")[0]}`));
  assert.deepEqual(unnamed, []);
  assert.match(crates, /Permission is hereby granted, free of charge/);
  assert.match(crates, /TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION/);
  for (const name of [
    "notices/crates.txt",
    "notices/rust-library.html",
    "weights/face/LICENSE",
    "weights/face/NOTICE",
  ]) {
    assert.ok(notices.includes(name), name);
    assert.ok((await readFile(path.join(folder, name))).length > 100, name);
  }
});
