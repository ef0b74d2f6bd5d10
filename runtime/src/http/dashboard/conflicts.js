// Conflicts: both sides beside what they last agreed on, and a person's decision.

// Members of the documents, each with its text at the three sides.
function compared(conflict) {
  const sides = ["base", "local", "cloud"].map((side) => pick(conflict, side, "data"));
  const names = new Set(sides.flatMap((side) => (side instanceof Map ? [...side.keys()] : [])));
  const text = (side, name) => (side instanceof Map && side.has(name) ? printExact(side.get(name)) : null);
  return [...names].map((name) => {
    const [base, local, cloud] = sides.map((side) => text(side, name));
    const cell = (value, isChanged) => [el("pre", {}, value ?? "–"), isChanged ? el("span", { class: "soft" }, "changed") : null];
    const known = sides[0] instanceof Map;
    const row = [name, cell(base, false), cell(local, known && local !== base), cell(cloud, known && cloud !== base)];
    row.differs = local !== cloud;
    return row;
  });
}

function side(name, conflict, key) {
  const of = pick(conflict, key);
  if (of === null) return [name, "not known"];
  const by = pick(of, "modified_by");
  const at = pick(of, "modified_at");
  return [name, [pick(of, "deleted") ? "deleted, " : "", `version ${pick(of, "version")}`, by === null ? "" : ` by ${by}`, at === null ? "" : [", ", when(at)]]];
}

function openConflict(conflict) {
  const id = pick(conflict, "id");
  const decide = async (text) => {
    await call(ROUTES.resolve, { id, body: text });
    notice("It is decided.");
    await refresh();
  };
  const tail = () => `,"rev":${pick(conflict, "rev")},"notes":${JSON.stringify(notes.input.value)}}`;
  const notes = field(`Notes on ${id}`, { maxlength: 1000 });
  const merged = field(`Document of both sides for ${id}`, { spellcheck: "false" }, "textarea");
  const start = pick(conflict, "local", "data") ?? pick(conflict, "cloud", "data");
  merged.input.value = printExact(start ?? new Map());
  const byHand = el("details", {}, el("summary", {}, "Merge by hand"), merged.shown, el("div", { class: "buttons" },
    button("Give this to both sides", async () => {
      try { parseExact(merged.input.value); } catch (error) { throw new Error(`The document cannot be read: ${error.message}.`); }
      // As it is written: no number passes through JavaScript.
      await decide(`{"strategy":"merged","data":${merged.input.value}${tail()}`);
    })));
  return el("section", { class: "card", "aria-label": `Conflict ${id}` },
    el("h3", {}, entity(conflict)),
    facts([["Why it waits", pick(conflict, "reason")], ["Error", pick(conflict, "error")], side("Outlet", conflict, "local"), side("Cloud", conflict, "cloud")]),
    table("Both sides, and what they last agreed on", ["Field", "Agreed", "Outlet", "Cloud"], compared(conflict), "Neither side has a document."),
    notes.shown,
    el("div", { class: "buttons" },
      button("Keep the outlet's", () => decide(`{"strategy":"local_wins"${tail()}`)),
      button("Take the cloud's", () => decide(`{"strategy":"cloud_wins"${tail()}`))),
    byHand);
}

async function conflictsView() {
  const open = await call(ROUTES.conflicts, { query: { status: "open", limit: "20" } });
  const found = pick(open, "data") ?? [];
  const heads = ["Entity", "Decided", "Decision", "By", "Why"];
  const row = (one) => [entity(one), when(pick(one, "resolved_at")), pick(one, "decision"), pick(one, "resolved_by") ?? pick(one, "strategy"), pick(one, "notes") || pick(one, "reason")];
  return [
    el("h2", {}, "Conflicts"),
    found.length === 0 ? el("p", { class: "soft" }, "No conflict waits for a decision.") : found.map(openConflict),
    pick(open, "next_cursor") === null ? null : el("p", {}, "More wait: they come up when these are decided."),
    el("h2", {}, "Decided"),
    await paged(ROUTES.conflicts, { status: "resolved" }, heads, row, { caption: "Conflicts that were decided, newest first", empty: "None was decided yet." }),
  ];
}
