// The outlet's API. Every route that the page uses is here, and a test holds them to the table of routes.

const ROUTES = {
  login: "POST /api/v1/auth/login",
  logout: "POST /api/v1/auth/logout",
  password: "POST /api/v1/auth/password",
  status: "GET /api/v1/sync/status",
  trigger: "POST /api/v1/sync/trigger",
  queue: "GET /api/v1/sync/queue",
  failed: "GET /api/v1/sync/failed",
  retry: "POST /api/v1/sync/retry/{id}",
  retryAll: "POST /api/v1/sync/retry",
  conflicts: "GET /api/v1/sync/conflicts",
  resolve: "POST /api/v1/sync/resolve/{id}",
  parked: "GET /api/v1/sync/parked",
  retryParked: "POST /api/v1/sync/parked/{id}/retry",
  logs: "GET /api/v1/sync/logs",
  plugins: "GET /api/v1/plugins",
};

// The login lives as long as the tab.
const session = {
  read() { return JSON.parse(sessionStorage.getItem("selaras") ?? "null"); },
  keep(value) { sessionStorage.setItem("selaras", JSON.stringify(value)); },
  end() { sessionStorage.removeItem("selaras"); },
};

class Refused extends Error {
  constructor(status, code, message) { super(message); this.status = status; this.code = code; }
}

// Asks, and answers the whole answer. `body` is JSON text.
async function call(route, { id = null, query = {}, body = null } = {}) {
  const [method, template] = route.split(" ");
  const path = template.replace("{id}", id === null ? "" : encodeURIComponent(id));
  const params = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null)).toString();
  const headers = {};
  const token = session.read()?.token;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== null) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(params ? `${path}?${params}` : path, { method, headers, body, cache: "no-store", credentials: "omit" });
  } catch {
    throw new Refused(0, "unreachable", "The outlet does not answer. It may be stopped, or starting again.");
  }
  let json;
  try { json = parseExact(await answer.text()); } catch { json = null; }
  if (answer.ok && json !== null) return json;
  const refused = new Refused(answer.status, pick(json, "error") ?? "", pick(json, "message") ?? `The outlet answered ${answer.status}.`);
  if (token && answer.status === 401) { session.end(); show(); }
  if (token && refused.code === "password_change_required") { session.keep({ ...session.read(), mustChange: true }); show(); }
  throw refused;
}
