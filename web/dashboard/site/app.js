// The frame of the page: who is signed in, which page is shown, and the marks that
// all pages share.

import { call, explain, mayBeSignedIn, prepare, session, signOut, useCode } from "./api.js";
import { clockSpeed, setClock } from "./clock.js";
import { fill, h, svg, toast } from "./dom.js";
import { zone } from "./format.js";
import { live } from "./live.js";
import { showLogin } from "./pages/login.js";
import { showOverview } from "./pages/overview.js";
import { showTweets } from "./pages/tweets.js";
import { showTweet } from "./pages/tweet.js";
import { showAlerts } from "./pages/alerts.js";
import { showCosts } from "./pages/costs.js";
import { showDeadLetters } from "./pages/deadletters.js";
import { showZones } from "./pages/zones.js";

/**
 * @typedef {object} Me whoever is signed in
 * @property {string} kind
 * @property {string} name
 * @property {{id: string, name: string}[]} zones
 * @property {{refresh: boolean, operate: boolean}} may
 * @property {{now: string, speed: number}} clock
 * @property {string} version
 */

/**
 * @typedef {object} Visit a look at a page
 * @property {HTMLElement} root where the page goes
 * @property {Me} me
 * @property {URLSearchParams} query
 * @property {string} id of what the page is about; may be empty
 * @property {AbortSignal} ended when the visit is over
 */

/** @type {{path: RegExp, name: string, link: string, show: (v: Visit) => void | Promise<void>, hidden?: (me: Me) => boolean, inMenu: boolean}[]} */
export const pages = [
  { path: /^\/?$/, name: "Overview", link: "#/", show: showOverview, inMenu: true },
  { path: /^\/tweets$/, name: "Tweets", link: "#/tweets", show: showTweets, inMenu: true },
  { path: /^\/tweets\/([0-9a-f-]{36}|\d{1,20})$/, name: "Tweet", link: "#/tweets", show: showTweet, inMenu: false },
  { path: /^\/alerts$/, name: "Alerts", link: "#/alerts", show: showAlerts, inMenu: true },
  { path: /^\/zones$/, name: "Zones", link: "#/zones", show: showZones, inMenu: true },
  { path: /^\/cost$/, name: "Cost", link: "#/cost", show: showCosts, inMenu: true, hidden: (me) => !me.may.operate },
  { path: /^\/dead-letters$/, name: "Dead letters", link: "#/dead-letters", show: showDeadLetters, inMenu: true, hidden: (me) => !me.may.operate },
];

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const themeKey = "gorgone.theme";

/** @type {Me | null} */
let me = null;
/** @type {AbortController | null} */
let visit = null;
/** @type {HTMLElement} */
let main;

function applyTheme() {
  const chosen = localStorage.getItem(themeKey);
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  window.dispatchEvent(new Event("themechange"));
}

function isDark() {
  return (localStorage.getItem(themeKey) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

/** @param {string} d */
const icon = (d) => svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d }));

const sun = "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10Zm0-5v3m0 14v3M4.9 4.9l2.2 2.2m9.8 9.8 2.2 2.2M2 12h3m14 0h3M4.9 19.1l2.2-2.2m9.8-9.8 2.2-2.2";
const moon = "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z";
const door = "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9";

function themeButton() {
  const button = h("button", {
    type: "button", class: "icon-button", onclick: () => {
      localStorage.setItem(themeKey, isDark() ? "light" : "dark");
      applyTheme();
      draw();
    },
  });
  const draw = () => {
    const label = isDark() ? "Light colours" : "Dark colours";
    button.setAttribute("aria-label", label);
    button.title = label;
    fill(button, icon(isDark() ? sun : moon));
  };
  draw();
  return button;
}

/** @param {Me} who */
function frame(who) {
  const status = h("span", { class: "live", role: "status" });
  const drawStatus = () => {
    const names = { live: "Live", connecting: "Connecting", away: "Reconnecting" };
    status.dataset.status = live.status;
    fill(status, h("span", { class: "live-dot", "aria-hidden": "true" }), h("span", { class: "live-word" }, names[live.status]));
  };
  drawStatus();
  live.addEventListener("status", drawStatus);
  const speed = clockSpeed();
  main = h("main", { id: "main", tabindex: "-1" });
  fill(app,
    h("a", { class: "skip", href: "#main", onclick: (/** @type {Event} */ e) => { e.preventDefault(); main.focus(); } }, "Skip to content"),
    h("header", { class: "bar" },
      h("a", { class: "brand", href: "#/" },
        svg("svg", { viewBox: "0 0 32 32", class: "brand-mark", "aria-hidden": "true" },
          svg("rect", { width: 32, height: 32, rx: 8 }), svg("path", { d: "M6 22l6-7 5 4 9-11" }), svg("circle", { cx: 26, cy: 8, r: 2.6 })),
        h("span", {}, "Gorgone")),
      h("nav", { "aria-label": "Pages" }, ...pages.filter((p) => p.inMenu && !p.hidden?.(who)).map((p) => h("a", { href: p.link, "data-page": p.name }, p.name))),
      h("div", { class: "bar-end" },
        speed === 1 ? null : h("span", { class: "chip", title: "Demonstration: time runs faster" }, `${speed}× time`),
        status, themeButton(),
        h("button", { type: "button", class: "icon-button", title: "Sign out", "aria-label": "Sign out", onclick: signOut }, icon(door)))),
    main,
    h("footer", {}, `Gorgone ${who.version} · times in ${zone()}`));
}

/** How far down each visited page was left: going back keeps its place. */
const places = new Map();
let place = "";
history.scrollRestoration = "manual";
window.addEventListener("scroll", () => places.set(place, window.scrollY), { passive: true });

/** How far down to begin: where the page was left if this is a step back to it. */
function beginAt() {
  const known = history.state?.place;
  place = known ?? String(Math.random());
  if (!known) history.replaceState({ place }, "");
  return known ? places.get(place) ?? 0 : 0;
}

/** Shows the page that the address names. */
function route() {
  visit?.abort();
  if (!me) return;
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const page = pages.find((p) => p.path.test(path) && !p.hidden?.(/** @type {Me} */ (me))) ?? pages[0];
  const id = page.path.exec(path)?.[1] ?? "";
  visit = new AbortController();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === page.link) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${page.name} · Gorgone`;
  const root = h("div", { class: "page" });
  fill(main, root);
  const y = beginAt();
  window.scrollTo(0, 0);
  const ended = visit.signal;
  Promise.resolve(page.show({ root, me, query: new URLSearchParams(query ?? ""), id, ended })).then(() => {
    if (!ended.aborted && y > 0) window.scrollTo(0, y);
  }, (err) => {
    if (ended.aborted) return;
    fill(root, h("div", { class: "empty" }, h("p", { class: "empty-title" }, "This page cannot be shown"), h("p", {}, explain(err)),
      h("button", { type: "button", class: "button", onclick: route }, "Try again")));
  });
}

async function enter() {
  me = (await call("/api/session")).data;
  setClock(/** @type {Me} */ (me).clock);
  live.start();
  frame(/** @type {Me} */ (me));
  if (!location.hash) history.replaceState(null, "", "#/");
  route();
}

function leave() {
  if (!me) return; // the login says what was wrong
  visit?.abort();
  live.stop();
  me = null;
  showLogin(app, enter);
}

async function start() {
  applyTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
  session.addEventListener("signedout", leave);
  window.addEventListener("hashchange", begin);
  await prepare();
  await begin();
}

/** Goes to where the address leads, by way of the login if it must. */
async function begin() {
  const code = /^#login=(.+)$/.exec(location.hash)?.[1];
  try {
    if (code) {
      history.replaceState(null, "", "#/"); // it is good once, and belongs in no history
      await useCode(code);
      await enter();
    } else if (me) {
      route();
    } else if (mayBeSignedIn()) {
      await enter();
    } else {
      showLogin(app, enter);
    }
  } catch (err) {
    showLogin(app, enter);
    const used = code ? "This link has been used or has expired. Run “gorgone dashboard” for a new one." : explain(err);
    toast(used, "bad");
  }
}

start().catch((err) => fill(app, h("div", { class: "empty" }, h("p", { class: "empty-title" }, "The server cannot be reached"), h("p", {}, String(err.message)))));
