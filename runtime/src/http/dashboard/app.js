// Which view is shown, and when it is looked at again.

const VIEWS = [
  { name: "status", title: "Status", draw: statusView, live: true },
  { name: "queue", title: "Queue", draw: queueView },
  { name: "failed", title: "Failed", draw: failedView },
  { name: "conflicts", title: "Conflicts", draw: conflictsView },
  { name: "parked", title: "Parked", draw: parkedView },
  { name: "plugins", title: "Plugins", draw: pluginsView, admin: true },
  { name: "logs", title: "Log", draw: logsView },
];
const EVERY_MS = 5000;

let drawn = 0;

function current() {
  const name = location.hash.replace("#", "");
  const role = session.read()?.role;
  const may = VIEWS.filter((view) => !view.admin || role === "admin");
  return { may, view: may.find((view) => view.name === name) ?? may[0] };
}

// Draws the current view anew. What comes late, of a view that is left, is thrown away.
async function refresh() {
  const mine = ++drawn;
  const main = document.getElementById("main");
  const { view } = current();
  try {
    const content = await view.draw();
    if (mine === drawn) replace(main, content);
  } catch (error) {
    if (mine === drawn && session.read()) notice(error.message, true);
  }
}

function show() {
  drawn += 1;
  const main = document.getElementById("main");
  const nav = document.getElementById("nav");
  const who = document.getElementById("who");
  const user = session.read();
  nav.hidden = who.hidden = !user || user.mustChange;
  if (!user) { document.title = "Selaras"; document.getElementById("outlet").textContent = ""; loginView(main); return; }
  if (user.mustChange) { passwordView(main); return; }
  if (user.role === "app") {
    replace(main, el("p", { class: "card" }, "This page is for admins and operators. Apps use the API."));
    nav.hidden = true;
  }
  const { may, view } = current();
  document.title = `${view.title} · Selaras`;
  replace(nav, el("ul", {}, may.map((one) => el("li", {}, el("a", { href: `#${one.name}`, "aria-current": one === view ? "page" : null }, one.title)))));
  replace(who, el("span", {}, `${user.name} (${user.role})`), button("Log out", logOut, "plain"));
  if (user.role !== "app") refresh();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
addEventListener("hashchange", () => {
  notice("");
  show();
  document.getElementById("main").focus();
});
setInterval(() => {
  const user = session.read();
  const idle = document.visibilityState !== "visible" || !user || user.mustChange || user.role === "app";
  if (!idle && current().view.live) refresh();
}, EVERY_MS);
show();
