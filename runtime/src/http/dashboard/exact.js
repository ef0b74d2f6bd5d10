// JSON as it was written. Numbers keep their text, since documents pass byte for byte and JavaScript's numbers would
// round them; members keep their order. Objects become Maps, so that no name in a document means anything here.

class Exact {
  constructor(text) { this.text = text; }
  valueOf() { return Number(this.text); }
  toString() { return this.text; }
}

function parseExact(text) {
  const token = /[ \t\n\r]*(?:([{}[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)|(true|false|null))/y;
  const next = () => {
    const found = token.exec(text);
    if (!found) throw new SyntaxError("this is not JSON");
    return found;
  };
  const value = ([, mark, string, number, word]) => {
    if (string !== undefined) return JSON.parse(string);
    if (number !== undefined) return new Exact(number);
    if (word !== undefined) return JSON.parse(word);
    if (mark === "[") return list();
    if (mark === "{") return members();
    throw new SyntaxError("this is not JSON");
  };
  const list = () => {
    const found = [];
    for (let at = next(); at[1] !== "]"; at = next()) {
      if (found.length > 0) { if (at[1] !== ",") throw new SyntaxError("a comma is missing"); at = next(); }
      found.push(value(at));
    }
    return found;
  };
  const members = () => {
    const found = new Map();
    for (let at = next(); at[1] !== "}"; at = next()) {
      if (found.size > 0) { if (at[1] !== ",") throw new SyntaxError("a comma is missing"); at = next(); }
      const name = value(at);
      if (typeof name !== "string" || next()[1] !== ":") throw new SyntaxError("a name is missing");
      found.set(name, value(next()));
    }
    return found;
  };
  const whole = value(next());
  if (text.slice(token.lastIndex).trim() !== "") throw new SyntaxError("something follows the JSON");
  return whole;
}

function printExact(value, indent = "") {
  const deeper = indent + "  ";
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((one) => deeper + printExact(one, deeper)).join(",\n")}\n${indent}]`;
  }
  if (value instanceof Map) {
    if (value.size === 0) return "{}";
    const lines = [...value].map(([name, one]) => `${deeper}${JSON.stringify(name)}: ${printExact(one, deeper)}`);
    return `{\n${lines.join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value ?? null);
}

// The value at a path of names and places; null where there is none.
function pick(value, ...path) {
  for (const step of path) {
    value = value instanceof Map ? value.get(step) : Array.isArray(value) ? value[step] : undefined;
  }
  return value ?? null;
}
