// Where sync stands.

async function statusView() {
  const data = pick(await call(ROUTES.status), "data");
  const at = (...path) => pick(data, ...path);
  document.getElementById("outlet").textContent = at("outlet_code") ?? "";
  const online = at("online") === null ? "not asked yet" : at("online") ? "answers" : "does not answer";
  const tile = (name, value, bad = false) => el("div", {}, el("dt", {}, name), el("dd", { class: bad ? "bad" : null }, value));
  const problems = pick(data, "plugin_problems") ?? [];
  return [
    el("h2", {}, "Status"),
    el("dl", { class: "tiles" },
      tile("Cloud", online, at("online") === false),
      tile("Sync", at("sync_enabled") ? (at("running") ? "running" : "on") : "off", !at("sync_enabled")),
      tile("Waiting", at("pending_count")),
      tile("Failed", at("failed_count"), Number(at("failed_count")) > 0),
      tile("Conflicts", at("conflict_count"), Number(at("conflict_count")) > 0),
      tile("Parked", at("parked_count"), Number(at("parked_count")) > 0),
      tile("Synced", at("total_synced"))),
    el("div", { class: "card" }, facts([
      ["Last sync", when(at("last_sync_at"))],
      ["Next run", when(at("next_run_at"))],
      ["Oldest waiting", when(at("oldest_pending_at"))],
      ["Last error", at("last_error")],
      ["Clock", at("clock_offset_ms") === null ? "not compared yet" : `the cloud's less this machine's: ${at("clock_offset_ms")} ms`],
      ["Fetching again", at("resync") === null ? null : printExact(at("resync"))],
      ["Store", at("store", "state")],
      ["Store's error", at("store", "error")],
      ["Disk", `${bytes(at("store", "free_bytes"))} free, ${bytes(at("store", "bytes_on_disk"))} used by the store`],
      ["New changes", at("store", "accepts_changes") ? "are taken" : "are refused"],
      ["Last backup", when(at("store", "last_backup", "at"))],
      ["Backup's error", at("store", "backup_error")],
      ["Went back", at("store", "rewound", "detail")],
      ["Request limit", at("rate", "requests_per_minute") === null ? "none known" : `${at("rate", "requests_per_minute")} a minute`],
    ])),
    problems.length === 0 ? null : el("div", { class: "card" }, el("h3", {}, "Plugins with problems"),
      el("ul", {}, problems.map((one) => el("li", {}, `${pick(one, "plugin")}: ${pick(one, "problem")}`)))),
    el("div", { class: "buttons" }, button("Sync now", async () => {
      notice("A run is going…");
      const report = pick(await call(ROUTES.trigger, { query: { wait: "true" } }), "data");
      notice(`The run ended: ${pick(report, "status")}. ${pick(report, "error") ?? ""}`, pick(report, "status") === "failed");
      await refresh();
    })),
  ];
}
