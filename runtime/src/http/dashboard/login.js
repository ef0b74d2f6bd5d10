// Logging in, and the first login's new password.

function loginView(main) {
  const name = field("User name", { autocomplete: "username", required: true, autocapitalize: "none" });
  const password = field("Password", { type: "password", autocomplete: "current-password", required: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const body = JSON.stringify({ username: name.input.value, password: password.input.value });
      const data = pick(await call(ROUTES.login, { body }), "data");
      const user = pick(data, "user");
      session.keep({
        token: pick(data, "token"), name: pick(user, "username"), role: pick(user, "role"),
        mustChange: pick(user, "must_change_password") === true,
      });
      notice("");
      show();
    } catch (error) { password.input.value = ""; notice(error.message, true); }
  };
  replace(main, el("form", { class: "card narrow", submit }, el("h2", {}, "Log in"),
    name.shown, password.shown, el("div", { class: "buttons" }, el("button", { type: "submit" }, "Log in"))));
  name.input.focus();
}

function passwordView(main) {
  const old = field("Current password", { type: "password", autocomplete: "current-password", required: true });
  const first = field("New password", { type: "password", autocomplete: "new-password", required: true, minlength: 8 });
  const again = field("New password again", { type: "password", autocomplete: "new-password", required: true });
  const submit = async (event) => {
    event.preventDefault();
    if (first.input.value !== again.input.value) { notice("The two new passwords differ.", true); return; }
    try {
      const body = JSON.stringify({ current_password: old.input.value, new_password: first.input.value });
      await call(ROUTES.password, { body });
      session.end();
      notice("The password is changed. Log in with the new one.");
      show();
    } catch (error) { notice(error.message, true); }
  };
  replace(main, el("form", { class: "card narrow", submit }, el("h2", {}, "Choose a password"),
    el("p", {}, "The one you logged in with is for the first login only."),
    old.shown, first.shown, again.shown,
    el("div", { class: "buttons" }, el("button", { type: "submit" }, "Change it"), button("Log out", logOut, "plain"))));
  old.input.focus();
}

async function logOut() {
  try { await call(ROUTES.logout); } finally { session.end(); notice(""); show(); }
}
