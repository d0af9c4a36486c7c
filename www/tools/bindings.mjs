// The functions that an engine and its script have from each other, by short names: wasm-bindgen's are long, and many
// hold a hash, which no compression makes smaller.

/** Sections of a module: what it imports and exports, and those that only say who made it. */
const [CUSTOM, IMPORTS, EXPORTS] = [0, 2, 7];
/** Kind of an import or export: a function. */
const FUNCTION = 0;
/** How the script calls what an engine exports. */
const CALL = /\bwasm\.(\w+)/g;

/** @param {number} value */
function leb(value) {
  const bytes = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest ? low | 0x80 : low);
  } while (rest);
  return Buffer.from(bytes);
}

/** @param {Buffer} bytes */
function reader(bytes) {
  let at = 0;
  const number = () => {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte & 0x80);
    return value >>> 0;
  };
  const take = (/** @type {number} */ length) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  return {
    number,
    take,
    text: () => take(number()).toString(),
    byte: () => bytes[at++],
    more: () => at < bytes.length,
  };
}

/** @param {string} text */
const counted = (text) => [leb(Buffer.byteLength(text)), Buffer.from(text)];

/**
 * A script and the engines that it starts, which import the same.
 * @param {string} script
 * @param {Buffer[]} engines
 * @returns {{ script: string, engines: Buffer[] }}
 */
export function shortNames(script, engines) {
  /** @type {Map<string, string>} */
  const names = new Map();
  const short = (/** @type {string} */ name) => {
    if (!names.has(name)) names.set(name, `$${names.size.toString(36)}`);
    return /** @type {string} */ (names.get(name));
  };
  const called = new Set(Array.from(script.matchAll(CALL), ([, name]) => name));
  const renamed = engines.map((bytes) => {
    const { take, byte, number, more } = reader(bytes);
    const parts = [take(8)];
    while (more()) {
      const [kind, contents] = [byte(), take(number())];
      if (kind === CUSTOM) continue;
      let section = contents;
      if (kind === IMPORTS) section = imports(contents, short);
      if (kind === EXPORTS) section = exports(contents, (name) => (called.has(name) ? short(name) : name));
      parts.push(Buffer.from([kind]), leb(section.length), section);
    }
    return Buffer.concat(parts);
  });
  const text = script
    .replace(CALL, (call, name) => (names.has(name) ? `wasm.${names.get(name)}` : call))
    .replace(/(?<!\.)\b__wb\w+/g, (name) => names.get(name) ?? name);
  return { script: text, engines: renamed };
}

/**
 * @param {Buffer} section
 * @param {(name: string) => string} short
 */
function imports(section, short) {
  const { number, text, byte } = reader(section);
  const count = number();
  const parts = [leb(count)];
  for (let i = 0; i < count; i++) {
    const [from, name, kind] = [text(), text(), byte()];
    if (kind !== FUNCTION) throw new Error(`the engine imports ${name}, which is no function`);
    parts.push(...counted(from), ...counted(short(name)), Buffer.from([kind]), leb(number()));
  }
  return Buffer.concat(parts);
}

/**
 * @param {Buffer} section
 * @param {(name: string) => string} short
 */
function exports(section, short) {
  const { number, text, byte } = reader(section);
  const count = number();
  const parts = [leb(count)];
  for (let i = 0; i < count; i++) {
    const [name, kind] = [text(), byte()];
    parts.push(...counted(kind === FUNCTION ? short(name) : name), Buffer.from([kind]), leb(number()));
  }
  return Buffer.concat(parts);
}
