// Run by node after exact.js; says so at the end when nothing is wrong.

const equal = (left, right) => {
  if (left !== right) throw new Error(`${left}\nis not\n${right}`);
};
const compact = (text) => text.replace(/\n */g, "").replaceAll('": ', '":');

for (const text of [
  '{"price":9.80000019,"n":12345678901234567890,"e":1E400,"z":-0.10}',
  '{"2":"b","1":"a","__proto__":{"constructor":1}}',
  '[[],{},"\\u0000\\"\\\\é",true,false,null,"<img src=x>"]',
]) {
  equal(compact(printExact(parseExact(text))), compact(text));
}
equal(pick(parseExact('{"__proto__":{"a":[{"b":7}]}}'), "__proto__", "a", 0, "b").text, "7");
equal(pick(parseExact("{}"), "constructor"), null);
equal(parseExact(`"${"x".repeat(3e6)}"`).length, 3e6);
equal(parseExact(`"${"\\n".repeat(3e5)}"`).length, 3e5);
for (const bad of ["", "{", "[1,]", "[1 2]", '{"a"}', '{"a":1,}', "{a:1}", "01", "1.", "nul", "{} x", '"a', "[1]]"]) {
  let read = true;
  try { parseExact(bad); } catch { read = false; }
  equal(`${bad} ${read}`, `${bad} false`);
}
console.log("all as it should be");
