// The queue, what failed, what is parked, the plugins and the log. Each shows the first page and goes on when asked.

// A list that loads page after page into one table.
async function paged(route, query, heads, row, words) {
  const place = el("div", { class: "card" });
  const rows = [];
  let cursor = null;
  const load = async () => {
    const answer = await call(route, { query: { ...query, limit: "50", cursor } });
    rows.push(...(pick(answer, "data") ?? []).map(row));
    cursor = pick(answer, "next_cursor");
    replace(place, table(words.caption, heads, rows, words.empty),
      cursor === null ? null : el("div", { class: "buttons" }, button("More", load, "plain")));
  };
  await load();
  return place;
}

function entity(row) {
  return [pick(row, "entity_type"), " ", el("strong", {}, pick(row, "entity_id") ?? pick(row, "cloud_id") ?? "?")];
}

function tries(row) {
  return `${pick(row, "retry_count")} of ${pick(row, "max_retries")}`;
}

function payload(row, name) {
  const document = pick(row, name);
  return document === null ? "–" : unfolds("Show", printExact(document));
}

async function queueView() {
  const heads = ["Entity", "Does", "State", "Since", "Tries", "Problem", "Document"];
  const row = (one) => [entity(one), pick(one, "operation"), pick(one, "status"), when(pick(one, "created_at")), tries(one), pick(one, "error_message") ?? "–", payload(one, "payload")];
  return [el("h2", {}, "Queue"), await paged(ROUTES.queue, {}, heads, row, { caption: "Changes on their way to the cloud, in order", empty: "Nothing waits." })];
}

async function failedView() {
  const again = (id) => button("Retry", async () => { await call(ROUTES.retry, { id }); notice("It is in the queue again."); await refresh(); }, "plain");
  const heads = ["Entity", "Does", "Since", "Problem", "Document", "Again"];
  const row = (one) => [entity(one), pick(one, "operation"), when(pick(one, "created_at")), pick(one, "error_message") ?? "–", payload(one, "payload"), again(pick(one, "id"))];
  return [
    el("h2", {}, "Failed"),
    await paged(ROUTES.failed, {}, heads, row, { caption: "Changes out of retries", empty: "Nothing failed." }),
    el("div", { class: "buttons" }, button("Retry all", async () => { await call(ROUTES.retryAll, { body: "{}" }); notice("They are in the queue again."); await refresh(); })),
  ];
}

async function parkedView() {
  const again = (id) => button("Try again", async () => {
    const answer = pick(await call(ROUTES.retryParked, { id }), "data");
    notice(`It is ${pick(answer, "outcome")}.`);
    await refresh();
  }, "plain");
  const ways = { to_local: "from the cloud", to_cloud: "to the cloud" };
  const heads = ["Entity", "Way", "Plugin", "Problem", "Since", "Document", "Again"];
  const row = (one) => [entity(one), ways[pick(one, "direction")] ?? "–", pick(one, "plugin", "name") ?? "–", `${pick(one, "error_code")}: ${pick(one, "error")}`, when(pick(one, "at")), payload(one, "document"), again(pick(one, "id"))];
  return [el("h2", {}, "Parked"), await paged(ROUTES.parked, {}, heads, row, { caption: "Documents that a plugin could not handle, kept whole", empty: "Nothing is parked." })];
}

async function pluginsView() {
  const heads = ["Plugin", "Kind", "Version", "State", "Bound to", "Calls", "Failed", "Median", "99 of 100", "Problem"];
  const row = (one) => [
    el("strong", { title: pick(one, "digest") }, pick(one, "name")), pick(one, "kind") ?? "–", pick(one, "version"), pick(one, "state"),
    (pick(one, "bound_types") ?? []).join(", ") || "–", pick(one, "calls"), pick(one, "errors"),
    `${pick(one, "p50_us")} µs`, `${pick(one, "p99_us")} µs`, pick(one, "problem") ?? "–",
  ];
  return [el("h2", {}, "Plugins"), await paged(ROUTES.plugins, {}, heads, row, { caption: "Rules and mappings, with what they cost since they were loaded", empty: "There are no plugins." })];
}

async function logsView() {
  const heads = ["Began", "Way", "Ended", "Took", "How many", "Type", "Error", "Details"];
  const row = (one) => [when(pick(one, "started_at")), pick(one, "sync_type"), pick(one, "status"), `${pick(one, "duration_ms")} ms`, pick(one, "entity_count"), pick(one, "entity_type") ?? "several", pick(one, "error_message") ?? "–", payload(one, "details")];
  return [el("h2", {}, "Log"), await paged(ROUTES.logs, {}, heads, row, { caption: "Runs that did something, newest first", empty: "No run has done anything yet." })];
}
