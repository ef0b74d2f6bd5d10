// The helpers of plugins in JavaScript, asked by node in a new project.
import assert from "node:assert";
import { Decimal, MAX_DEPTH, body, isObject, outcome, parse, print, settings, verdict } from "./selaras/selaras.js";

const fails = (code, ask) => assert.throws(ask, (thrown) => thrown.code === code || assert.fail(JSON.stringify(thrown)));

const text = '{"a":[1.10,-0,1e400,9007199254740993],"b":{"__proto__":"é\\u0022\\n"},"c":[],"d":{},"e":null,"f":true}';
assert.equal(print(parse(text)), text.replace("\\u0022", '\\"'));
assert.equal(print(parse(' { "2" : 1 , "1" : [ ] } ')), '{"1":[],"2":1}');
for (const bad of ["", "{", '{"a":1}x', '{"a":01}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', "[1,]", "{'a':1}", '"\t"', "nul", "+1", ".5"]) {
  fails("invalid-document", () => parse(bad));
}
const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);
assert.ok(parse(nested(MAX_DEPTH)));
fails("invalid-document", () => parse(nested(MAX_DEPTH + 2)));
fails("invalid-document", () => body({ body: "[]" }));

assert.equal(new Decimal("10.50").scaled(2), 1050n);
assert.equal(new Decimal("-105e-1").scaled(2), -1050n);
assert.equal(new Decimal("0e9999").scaled(0), 0n);
assert.equal(new Decimal("1e9999").scaled(0), undefined);
assert.equal(new Decimal("10.505").scaled(2), undefined);
for (const [scaled, places, shown] of [[1050n, 2, "10.50"], [-5n, 2, "-0.05"], [7n, 0, "7"], [0n, 3, "0.000"]]) {
  assert.equal(Decimal.fromScaled(scaled, places).text, shown);
}
assert.throws(() => new Decimal("1."), TypeError);
assert.throws(() => print({ a: 0.1 }), TypeError);
assert.throws(() => print({ a: undefined }), TypeError);
assert.equal(print({ a: 10n, b: 3, c: new Decimal("1.0") }), '{"a":10,"b":3,"c":1.0}');
assert.ok(isObject(parse("{}")) && !isObject(parse("1")) && !isObject(parse("[]")) && !isObject(null));

assert.deepEqual({ ...settings({ settings: "" }, []) }, {});
fails("invalid-settings", () => settings({ settings: '{"feild":1}' }, ["field"]));
assert.deepEqual(verdict.merge({ a: 1n }, "why"), { decision: { tag: "merge", val: '{"a":1}' }, reason: "why", attrs: [] });
assert.deepEqual(outcome.put({ body: "{}", version: 1 }, { a: "b" }), { tag: "put", val: { body: '{"a":"b"}', version: 1 } });
console.log("all as it should be");
