// The count of stock is the shop's; everything else is the cloud's.

import { badSetting, body, settings, verdict } from "./selaras/selaras.js";

export const info = {
  describe: () => ({
    name: "{{name}}",
    version: "0.1.0",
    description: "Say in one sentence what {{name}} does",
    entityTypes: [],
    attrs: [],
  }),
};

export const strategy = {
  resolve(cx, conflict) {
    const { field = "stock" } = settings(cx, ["field"]);
    if (typeof field !== "string") throw badSetting("field", "`field` is the name of a field");
    if (conflict.local.deleted || conflict.cloud.deleted) {
      return verdict.defer("One side deleted it, which a person should look at.");
    }
    const local = body(conflict.local);
    const merged = body(conflict.cloud);
    if (!(field in local)) return verdict.takeCloud("The shop counted nothing.");
    merged[field] = local[field];
    return verdict.merge(merged, "The shop's count, and the cloud's everything else.");
  },
};
