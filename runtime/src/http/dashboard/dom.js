// Building the page. Text only ever becomes text nodes: a document may hold anything.

function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

function replace(where, ...children) {
  where.replaceChildren(...children.flat(Infinity).filter((child) => child instanceof Node));
}

function notice(text, bad = false) {
  const place = document.getElementById("notice");
  place.className = bad ? "bad" : "";
  place.textContent = text;
}

// A button that cannot be pressed twice, and says what went wrong.
function button(label, act, kind = "") {
  const made = el("button", {
    type: "button", class: kind || null,
    click: async () => {
      made.disabled = true;
      try { await act(); } catch (error) { notice(error.message, true); }
      made.disabled = false;
    },
  }, label);
  return made;
}

// A table that becomes a list of cards on a phone. Rows are arrays of cells; the first cell names its row.
function table(caption, heads, rows, empty) {
  if (rows.length === 0) return el("p", { class: "soft" }, empty);
  const cell = (content, at) => el(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, "data-label": heads[at] }, el("div", {}, content));
  return el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", { class: row.differs ? "differs" : null }, row.map(cell)))));
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, shown.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function unfolds(label, text) {
  return el("details", {}, el("summary", {}, label), el("pre", { class: "document" }, text));
}

function when(stamp) {
  return stamp === null ? "–" : el("time", { datetime: stamp, title: stamp }, new Date(stamp).toLocaleString());
}

function bytes(count) {
  if (count === null) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = Number(count), at = 0;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${value.toFixed(at === 0 ? 0 : 1)} ${units[at]}`;
}

function field(label, properties, kind = "input") {
  const id = `field-${label.toLowerCase().replace(/\W+/g, "-")}`;
  const input = el(kind, { id, ...properties });
  return { input, shown: [el("label", { for: id }, label), input] };
}
