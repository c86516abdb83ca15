// Signing in: by e-mail where there is a Supabase project, or with a token.

import { explain, prepare, usePassword, useToken } from "../api.js";
import { fill, h } from "../dom.js";

/**
 * @param {HTMLElement} root
 * @param {() => Promise<void>} enter
 */
export async function showLogin(root, enter) {
  const settings = await prepare();
  const fault = h("p", { class: "fault", role: "alert" });

  /**
   * @param {SubmitEvent} e
   * @param {() => Promise<void> | void} sign
   */
  const submit = async (e, sign) => {
    e.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (e.submitter);
    button.disabled = true;
    fault.textContent = "";
    try {
      await sign();
      await enter();
    } catch (/** @type {any} */ err) {
      const message = err.status === 401 ? "These credentials are not valid." : err.status === 403 ? "You do not have access to any zone. Ask an administrator." : explain(err);
      document.querySelector(".login .fault")?.replaceChildren(message);
    } finally {
      button.disabled = false;
    }
  };
  const email = h("input", { type: "email", name: "email", autocomplete: "username", required: true });
  const password = h("input", { type: "password", name: "password", autocomplete: "current-password", required: true });
  const token = h("input", { type: "password", name: "token", autocomplete: "off", spellcheck: "false", required: true, placeholder: "gorgone_… or an access token" });

  const byPassword = h("form", { onsubmit: (/** @type {SubmitEvent} */ e) => submit(e, () => usePassword(email.value, password.value)) },
    h("label", {}, "E-mail", email), h("label", {}, "Password", password),
    h("button", { class: "button primary", type: "submit" }, "Sign in"));
  const byToken = h("form", { onsubmit: (/** @type {SubmitEvent} */ e) => submit(e, () => useToken(token.value.trim())) },
    h("label", {}, "Token", token),
    h("button", { class: settings.supabase_key ? "button" : "button primary", type: "submit" }, "Use token"));

  fill(root, h("main", { class: "login", id: "main" },
    h("h1", {}, "Gorgone"),
    h("p", { class: "muted" }, "Fresh engagement metrics for tweets."),
    fault,
    settings.supabase_key ? byPassword : null,
    settings.supabase_key ? h("div", { class: "or" }, "or") : null,
    byToken,
    settings.local ? h("p", { class: "hint" }, "On this machine: run ", h("code", {}, "gorgone dashboard"), " and open the link it prints.") : null));
  document.title = "Sign in · Gorgone";
}
