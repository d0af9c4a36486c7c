// The documentation: what it names is there, else its build fails; and the site as visitors find it.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { build, buildDocs, faultsOfFile, faultsOfSite, faultsOfSources } from "../../www/tools/book.mjs";
import { serve } from "../../www/tools/serve.mjs";
import { accessible, launch, root, visit, WCAG } from "./support.mjs";
import { temporary } from "./temporary.mjs";

const MDBOOK = process.env.MDBOOK ?? "";
const TOML =
  '[book]\ntitle = "x"\n[build]\ncreate-missing = false\n[output.html]\ninput-404 = ""\n[output.html.print]\nenable = false\n';

/** @type {string} */
let site;
/** @type {{ url: string, close: () => Promise<void> }} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(MDBOOK, "MDBOOK must name mdBook: run this by ./build.sh test page docs");
  site = await temporary("site");
  assert.deepEqual(await buildDocs(MDBOOK, site), []);
  server = await serve(site, { bare: true });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/**
 * A folder with these files.
 * @param {Record<string, string>} files
 */
async function folder(files) {
  const made = await temporary("book");
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(made, name)), { recursive: true });
    await writeFile(path.join(made, name), text);
  }
  return made;
}

test("what a site names is there, or is named as a fault", async () => {
  const good = {
    "index.html":
      '<a href="a/b.html#here">1</a> <a href="#top">2</a> <img src="a/c.png"> <a href="https://x.org/y">3</a>',
    "a/b.html":
      '<h1 id="here">Title</h1> <a href="../index.html">1</a> <code>href="nowhere"</code> <!-- <img src="no"> -->',
    "a/c.png": "",
  };
  assert.deepEqual(await faultsOfSite(await folder(good)), []);
  const bad = {
    page: '<a href="a/d.html">',
    place: '<a href="a/b.html#there">',
    "place in itself": '<a href="#there">',
    picture: '<img alt="x > y" src="a/d.png">',
    unquoted: "<img src=a/d.png>",
    choice: '<img srcset="a/c.png 1x, a/d.png 2x">',
    outside: '<a href="../secret.html">',
    root: '<a href="/index.html">',
    "script from elsewhere": '<script src="https://x.org/y.js"></script>',
    "style from elsewhere": '<link rel="stylesheet" href="//x.org/y.css">',
    "without s": '<a href="http://x.org">',
  };
  for (const [what, html] of Object.entries(bad)) {
    const faults = await faultsOfSite(await folder({ ...good, "index.html": html }));
    assert.equal(faults.length, 1, `${what}: ${faults}`);
    assert.match(faults[0], /^index\.html: /);
  }
});

test("what chapters include is there, and every chapter can be found", async () => {
  const good = {
    "src/SUMMARY.md": "# Summary\n\n- [One](one.md)\n",
    "src/one.md": "# One\n\n{{#include ../part.txt}}\n{{#include ../part.txt:some}}\n",
    "part.txt": "a\n# ANCHOR: some\nb\n# ANCHOR_END: some\n",
  };
  assert.deepEqual(await faultsOfSources(await folder(good)), []);
  const cases = /** @type {const} */ ([
    [{ "src/one.md": "{{#include ../gone.txt}}" }, /includes \.\.\/gone\.txt, which is not there/],
    [{ "src/one.md": "{{#include ../part.txt:other}}" }, /there is no such part/],
    [{ "part.txt": "# ANCHOR: some\n" }, /there is no such part/],
    [{ "src/two.md": "# Two" }, /two\.md: not in SUMMARY\.md/],
  ]);
  for (const [change, expected] of cases) {
    const faults = await faultsOfSources(await folder({ ...good, ...change }));
    assert.equal(faults.length, 1, `${faults}`);
    assert.match(faults[0], expected);
  }
});

test("a link of README that leads nowhere is named", async () => {
  const made = await folder({ "a.md": "[1](b.md#x) [2](https://x.org) [3](#y)", "b.md": "" });
  assert.deepEqual(await faultsOfFile(path.join(made, "a.md")), []);
  await writeFile(path.join(made, "a.md"), "[1](c.md)");
  assert.deepEqual(await faultsOfFile(path.join(made, "a.md")), ["a.md: c.md is not there"]);
});

test("a broken link between chapters fails the build", async () => {
  const files = {
    "book.toml": TOML,
    "src/SUMMARY.md": "# Summary\n\n- [One](index.md)\n- [Two](two.md)\n",
    "src/index.md": "# One\n\n[there](two.md#the-place)\n",
    "src/two.md": "# Two\n\n## The place\n",
  };
  const out = await temporary("site");
  assert.deepEqual(await build(MDBOOK, out, await folder(files)), []);
  const broken = await folder({ ...files, "src/two.md": "# Two\n\n## Another place\n" });
  assert.deepEqual(await build(MDBOOK, out, broken), [
    "index.html: two.html#the-place: there is no such place in that page",
  ]);
});

test("a folder with other files is left alone", async () => {
  const other = await folder({ "thesis.txt": "years of work" });
  await assert.rejects(buildDocs(MDBOOK, other), /holds files that were not put there/);
  assert.deepEqual(await readdir(other), ["thesis.txt"]);
});

/** The chapters, as the book lists them. */
async function chapters() {
  const summary = await readFile(path.join(root, "docs/src/SUMMARY.md"), "utf8");
  const names = [...summary.matchAll(/\]\(([^)]+)\.md\)/g)].map(([, name]) => `${name}.html`);
  assert.ok(names.length > 10);
  return names;
}

test("every chapter fits a phone and a screen, in light and dark, and loads nothing from elsewhere", async () => {
  const sizes = [
    { width: 320, height: 640 },
    { width: 390, height: 844 },
    { width: 1280, height: 860 },
  ];
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const viewport of sizes) {
      const { context, page, problems } = await visit(browser, server.url, { viewport, colorScheme });
      for (const name of await chapters()) {
        await page.goto(new URL(name, server.url).href);
        await page.evaluate(() => scrollTo(999, 0));
        const { wide, moved, outside, cut, blank, plain, theme } = await page.evaluate(() => ({
          wide: document.documentElement.scrollWidth - innerWidth,
          moved: scrollX,
          outside: [...document.querySelectorAll("main *")]
            .filter(
              (each) => !each.closest(".table-wrapper *, pre *") && each.getBoundingClientRect().right > innerWidth,
            )
            .map((each) => each.outerHTML.slice(0, 80)),
          // Moved to its end, a table shows its last column.
          cut: [...document.querySelectorAll("main table")]
            .filter((table) => {
              const around = /** @type {Element} */ (table.closest(".table-wrapper") ?? table.parentElement);
              around.scrollLeft = around.scrollWidth;
              const last = /** @type {Element} */ (table.querySelector("tr")?.lastElementChild);
              return last.getBoundingClientRect().right > around.getBoundingClientRect().right + 1;
            })
            .map((table) => table.textContent?.trim().slice(0, 80)),
          blank: [...document.images].filter((image) => !image.naturalWidth || !image.alt).map((image) => image.src),
          plain: document.querySelectorAll("main pre > code:not(.hljs)").length,
          theme: document.documentElement.className,
        }));
        assert.ok(wide <= 0, `${name} is ${wide} pixels too wide at ${viewport.width}`);
        assert.equal(moved, 0, `${name} moves aside at ${viewport.width}`);
        assert.deepEqual(outside, [], `${name} at ${viewport.width}`);
        assert.deepEqual(cut, [], `tables of ${name} at ${viewport.width}`);
        assert.deepEqual(blank, [], `pictures of ${name}`);
        assert.equal(plain, 0, `code of ${name} that mdBook's script has not coloured`);
        assert.match(theme, colorScheme === "dark" ? /\bayu\b/ : /\blight\b/);
        // What surrounds the chapter is mdBook's own.
        if (viewport.width < 500) await accessible(page, `${name}, ${colorScheme}`, { part: "main", tags: WCAG });
      }
      assert.deepEqual(problems, []);
      await context.close();
    }
  }
});

test("a word is found by the search, and leads to its chapter", async () => {
  const { context, page, problems } = await visit(browser, server.url);
  await page.getByRole("button", { name: "Toggle Searchbar" }).click();
  await page.getByRole("searchbox").pressSequentially("spline");
  await page.locator("#mdbook-searchresults a").first().click();
  await page.waitForURL(/method\.html/);
  assert.deepEqual(problems, []);
  await context.close();
});
