// Counts how the code of a commit is laid out, tests left out, and prints a row of a table.
//
//   node www/tools/counts.mjs COMMIT...
import { execFileSync } from "node:child_process";
import path from "node:path";

/** Lines of a function that should not be written twice; shorter ones, such as getters, are alike by nature. */
const WORTH_SHARING = 4;

const git = (/** @type {string[]} */ ...args) => execFileSync("git", args, { encoding: "utf8", maxBuffer: 1 << 28 });

/**
 * Rust's code without comments, and without what stands behind `#[cfg(test)]`.
 * @param {string} text
 */
function withoutTests(text) {
  const item = /^( *)#\[cfg\(test\)\]\n(?:\1#.*\n)*(?:.*[;,]\n|[\s\S]*?\n\1[})].*\n)/gm;
  return text.replace(item, "").replace(/ *\/\/.*$/gm, "");
}

/** @param {string} commit */
function read(commit) {
  const names = git("ls-tree", "-r", "--name-only", commit, "src", "www").split("\n");
  const wanted = names.filter((name) =>
    /^src\/.*\.rs$|^www\/(?:app|shared|workers|package)\/.*\.js$|^www\/sw\.js$/.test(name),
  );
  const own = wanted.filter((name) => !/(?:^|[/_])tests\.rs$|testing|\/golden|\/strings\//.test(name));
  return new Map(
    own.map((name) => {
      const text = git("show", `${commit}:${name}`);
      return [name, name.endsWith(".rs") ? withoutTests(text) : text];
    }),
  );
}

/**
 * The functions in a file, with their lines.
 * @param {string} text
 * @returns {{ name: string, lines: string[] }[]}
 */
function functions(text) {
  const lines = text.split("\n");
  const head =
    /^(\s*)(?:(?:pub(?:\([^)]*\))?|export|default|async|const|unsafe|static|get|set) )*(?:fn|function) (\w+)|^(\s+)(?:async |static |get |set )*(#?[a-z]\w*)\([^;]*\) \{$/;
  return lines.flatMap((line, start) => {
    const found = head.exec(line);
    const name = found?.[2] ?? found?.[4];
    if (!found || !name || /^(?:if|for|while|switch|catch|match|loop|else)$/.test(name)) return [];
    const indent = found[1] ?? found[3];
    const end = lines.findIndex((later, at) => at >= start && later.startsWith(`${indent}}`));
    const ownLine = /[;}]$/.test(line);
    return end < 0 || ownLine ? [] : [{ name, lines: lines.slice(start, end + 1) }];
  });
}

/**
 * Groups of Rust files that import from each other, over however many steps.
 * @param {Map<string, string>} files
 */
function circles(files) {
  /** @type {(name: string) => string} */
  const module = (name) => name.replace(/^src\//, "").replace(/(?:\/mod)?\.rs$/, "");
  const rust = new Map([...files].filter(([name]) => /^src\/(?!lib|bin)/.test(name)).map(([n, t]) => [module(n), t]));
  const edges = new Map(
    [...rust].map(([from, text]) => {
      const paths = [...text.matchAll(/(?<![\w:]|\(in )(crate|super|self)::((?:\w+::)*\{[^;]*?\};|[\w:]+)/g)].flatMap(
        ([, root, rest]) => flattened(rest).map((inner) => [root, ...inner]),
      );
      const inside = [...text.matchAll(/(?<![\w:])(?!crate|super|self)(\w+)(?=::)/g)].map(([, name]) => [
        "self",
        name,
      ]);
      const targets = [...paths, ...inside].map((parts) => {
        let at = parts[0] === "crate" ? "" : from;
        for (const part of parts) {
          if (part === "crate" || part === "self") continue;
          const inner = path.posix.join(at, part);
          if (part === "super") at = path.posix.dirname(at) === "." ? "" : path.posix.dirname(at);
          else if (rust.has(inner)) at = inner;
          else break;
        }
        return at;
      });
      return /** @type {[string, Set<string>]} */ ([from, new Set(targets.filter((at) => at && at !== from))]);
    }),
  );
  const reached = (/** @type {string} */ from) => {
    const seen = new Set();
    const next = [from];
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      for (const to of edges.get(at) ?? []) {
        if (!seen.has(to)) next.push(to);
        seen.add(to);
      }
    }
    return seen;
  };
  const reach = new Map([...edges.keys()].map((name) => [name, reached(name)]));
  const groups = [...reach].filter(([name, seen]) => seen.has(name));
  const together = groups.map(([name, seen]) =>
    [...seen]
      .filter((other) => reach.get(other)?.has(name))
      .sort()
      .join(" "),
  );
  return new Set(together).size;
}

/**
 * `{a::{B, c}, d}` as `a::B`, `a::c` and `d`, each in its parts.
 * @param {string} text
 * @returns {string[][]}
 */
function flattened(text) {
  const open = text.indexOf("{");
  if (open < 0) return text.trim() ? [text.trim().split("::").filter(Boolean)] : [];
  const [parts, from] = [/** @type {string[][]} */ ([]), text.slice(0, open).split("::").filter(Boolean)];
  let [depth, start] = [0, open + 1];
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth += 1;
    const closes = text[at] === "}" && --depth === 0;
    if (closes || (text[at] === "," && depth === 1)) {
      parts.push(
        ...flattened(
          text
            .slice(start, at)
            .replace(/\s+as \w+/, "")
            .trim(),
        ),
      );
      start = at + 1;
    }
  }
  return parts.map((inner) => [...from, ...inner]);
}

/**
 * How many things are in several files.
 * @param {[string, string][]} things with the file of each
 */
function repeated(things) {
  /** @type {Map<string, Set<string>>} */
  const where = new Map();
  for (const [thing, file] of things) where.set(thing, (where.get(thing) ?? new Set()).add(file));
  return [...where.values()].filter((files) => files.size > 1).length;
}

console.log("| commit | rooms | circles | names of several types | written twice | longest file | longest function |");
console.log("|---|---|---|---|---|---|---|");
for (const commit of process.argv.slice(2)) {
  const files = read(commit);
  const rooms = new Set([...files.keys()].map((name) => /^src\/(\w+)\/(?!.*bin)/.exec(name)?.[1]));
  for (const none of [undefined, "bin", "testing"]) rooms.delete(none);
  const all = [...files].flatMap(([file, text]) => functions(text).map((found) => ({ file, ...found })));
  const constants = [...files].flatMap(([file, text]) =>
    [...text.matchAll(/^(?:pub(?:\([^)]*\))? |export )?const \w+[^;]*;$/gm)].map(
      ([own]) => /** @type {[string, string]} */ ([own.replace(/^pub\S* |^export /, ""), file]),
    ),
  );
  const bodies = all
    .filter(({ lines }) => lines.length >= WORTH_SHARING)
    .map(
      ({ file, lines }) =>
        /** @type {[string, string]} */ ([lines.join(" ").replace(/^.*?(?=fn |function |\()|\s+/g, " "), file]),
    );
  const types = [...files].flatMap(([file, text]) =>
    [...text.matchAll(/^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) (\w+)|^(?:export )?class (\w+)/gm)].map(
      ([, type, name = type]) => /** @type {[string, string]} */ ([`${path.extname(file)} ${name}`, file]),
    ),
  );
  const length = (/** @type {string} */ text) => text.trimEnd().split("\n").length;
  const longest = [...files].sort(([, a], [, b]) => length(b) - length(a))[0];
  const longestFunction = all.sort((a, b) => b.lines.length - a.lines.length)[0];
  console.log(
    `| ${commit} | ${rooms.size} | ${circles(files)} | ${repeated(types)} | ${repeated([...bodies, ...constants])} | ` +
      `${length(longest[1])} (\`${longest[0]}\`) | ${longestFunction.lines.length} (\`${longestFunction.name}\`) |`,
  );
}
