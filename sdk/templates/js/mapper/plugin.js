// Fields have other names at the cloud, by the setting `rename` ({"name": "title"}).

import { badSetting, body, error, isObject, outcome, settings } from "./selaras/selaras.js";

export const info = {
  describe: () => ({
    name: "{{name}}",
    version: "0.1.0",
    description: "Say in one sentence what {{name}} does",
    entityTypes: [],
    attrs: [],
  }),
};

export const mapper = {
  toCloud: (cx, document) => renamed(document, rules(cx)),
  toLocal: (cx, document) => renamed(document, rules(cx).map(([outlet, cloud]) => [cloud, outlet])),
};

/** The outlet's names and the cloud's. */
function rules(cx) {
  const { rename = Object.create(null) } = settings(cx, ["rename"]);
  if (!isObject(rename) || !Object.values(rename).every((name) => typeof name === "string")) {
    throw badSetting("rename", "`rename` is an object of the outlet's names and the cloud's");
  }
  return Object.entries(rename);
}

/** The document with its members under other names. What would not find its way back is refused. */
function renamed(document, rules) {
  if (document.deleted) return outcome.put(document);
  const names = new Map(rules);
  const taken = new Set(rules.map(([, to]) => to));
  const object = Object.create(null);
  for (const [name, value] of Object.entries(body(document))) {
    if (taken.has(name) && !names.has(name)) {
      throw error("field-name-taken", `\`${name}\` is what another field is called there`, { field: name });
    }
    object[names.get(name) ?? name] = value;
  }
  return outcome.put(document, object);
}
