// Helpers for Selaras plugins in JavaScript. `JSON.parse` makes floating point of every number, so documents are read and
// written here: an object has no prototype, and a number is a `Decimal`, which keeps its digits.

/** How deep a document may nest. */
export const MAX_DEPTH = 128;

/** A number as the text it came as. */
export class Decimal {
  constructor(text) {
    if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text)) throw new TypeError(`not a JSON number: ${text}`);
    this.text = text;
  }

  toString() {
    return this.text;
  }

  /** The number times 10^places as a BigInt, exactly; undefined when it has more decimals, or an exponent over 1000. */
  scaled(places) {
    const [, sign, whole, decimals = "", exponent = "0"] = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(this.text);
    const shift = Number(exponent) - decimals.length + places;
    const digits = BigInt(whole + decimals);
    if (digits === 0n) return 0n;
    if (Math.abs(shift) > 1000) return undefined;
    const power = 10n ** BigInt(Math.abs(shift));
    if (shift < 0 && digits % power !== 0n) return undefined;
    const scaled = shift < 0 ? digits / power : digits * power;
    return sign ? -scaled : scaled;
  }

  /** The number whose `scaled(places)` is this BigInt: `Decimal.fromScaled(1050n, 2)` is 10.50. */
  static fromScaled(scaled, places) {
    const digits = String(scaled < 0n ? -scaled : scaled).padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places);
    const decimals = places > 0 ? "." + digits.slice(digits.length - places) : "";
    return new Decimal((scaled < 0n ? "-" : "") + whole + decimals);
  }
}

/** What a plugin throws to say that it cannot: `throw error("invalid-price", "…", { field: "price" })`. */
export function error(code, message, { retryable = false, field } = {}) {
  return { code, message, retryable, field: field ?? null };
}

/** The value of a JSON text. Throws `invalid-document` when it is none, or has a name twice. */
export function parse(text) {
  return new Reader(text).whole();
}

/** The object of a document's body. Throws `invalid-document` when it is none. */
export function body(document) {
  const value = parse(document.body);
  if (!isObject(value)) throw error("invalid-document", "the document is not a JSON object");
  return value;
}

/** Whether a parsed value is an object. */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Decimal);
}

/** The JSON text of a value. A JavaScript number has to be a safe integer; other numbers are a `Decimal` or a BigInt. */
export function print(value) {
  if (value instanceof Decimal || typeof value === "bigint") return String(value);
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not exact: use a Decimal`);
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(print).join(",")}]`;
  if (typeof value === "object") {
    return `{${Object.keys(value).map((name) => `${JSON.stringify(name)}:${print(value[name])}`).join(",")}}`;
  }
  throw new TypeError(`a ${typeof value} has no JSON`);
}

/** The settings, of which only these may be there. Throws `invalid-settings`. */
export function settings(cx, known) {
  const all = cx.settings === "" ? Object.create(null) : parse(cx.settings);
  for (const name of Object.keys(all)) {
    if (!known.includes(name)) throw badSetting(name, `there is no setting \`${name}\`; there are: ${known.join(", ")}`);
  }
  return all;
}

/** The error of a setting that cannot be used. */
export function badSetting(name, message) {
  return error("invalid-settings", message, { field: name });
}

/** The answers of a strategy, each with its reason, in words an admin understands. */
export const verdict = {
  /** The outlet's document stands and is pushed. */
  keepLocal: (reason) => ({ decision: { tag: "keep-local" }, reason, attrs: [] }),
  /** The cloud's document replaces it. */
  takeCloud: (reason) => ({ decision: { tag: "take-cloud" }, reason, attrs: [] }),
  /** A third document, as an object. */
  merge: (object, reason) => ({ decision: { tag: "merge", val: print(object) }, reason, attrs: [] }),
  /** The entity is deleted on both sides. */
  remove: (reason) => ({ decision: { tag: "delete" }, reason, attrs: [] }),
  /** A person decides. */
  defer: (reason) => ({ decision: { tag: "defer" }, reason, attrs: [] }),
};

/** The answers of a mapper. */
export const outcome = {
  /** The document with this object as its body; without one, as it is. */
  put: (document, object) => ({ tag: "put", val: object === undefined ? document : { ...document, body: print(object) } }),
  /** Do not sync it. */
  skip: (reason) => ({ tag: "skip", val: reason }),
};

const NUMBER = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const STRING = /"([^"\\\u0000-\u001f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  whole() {
    const value = this.value(0);
    if (this.peek() !== undefined) this.fail("something follows the value");
    return value;
  }

  value(depth) {
    if (depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH}`);
    switch (this.peek()) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return new Decimal(this.token(NUMBER, "a value"));
    }
  }

  object(depth) {
    const object = Object.create(null);
    this.at++;
    if (this.peek() === "}") {
      this.at++;
      return object;
    }
    for (;;) {
      if (this.peek() !== '"') this.fail("a name is expected");
      const name = this.string();
      if (name in object) this.fail(`the name ${JSON.stringify(name)} is there twice`);
      if (this.peek() !== ":") this.fail("`:` is expected");
      this.at++;
      object[name] = this.value(depth + 1);
      const next = this.peek();
      this.at++;
      if (next === "}") return object;
      if (next !== ",") this.fail("`,` or `}` is expected");
    }
  }

  array(depth) {
    const array = [];
    this.at++;
    if (this.peek() === "]") {
      this.at++;
      return array;
    }
    for (;;) {
      array.push(this.value(depth + 1));
      const next = this.peek();
      this.at++;
      if (next === "]") return array;
      if (next !== ",") this.fail("`,` or `]` is expected");
    }
  }

  string() {
    return JSON.parse(this.token(STRING, "a string"));
  }

  word(word, value) {
    if (!this.text.startsWith(word, this.at)) this.fail("a value is expected");
    this.at += word.length;
    return value;
  }

  token(pattern, what) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) this.fail(`${what} is expected`);
    this.at = pattern.lastIndex;
    return found[0];
  }

  peek() {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
    return this.text[this.at];
  }

  fail(what) {
    throw error("invalid-document", `not the JSON of a document: ${what}, at character ${this.at + 1}`);
  }
}
