// Calls to the server, with the credentials of whoever looks at the page: the
// cookie of a local session, which no script can read, or a bearer token, which is
// kept for this tab only.

/**
 * @typedef {{token: string, refresh?: string, expires?: number}} Login
 * @typedef {{version: string, local: boolean, supabase_url?: string, supabase_key?: string}} Settings
 */

const loginKey = "gorgone.login";
const localKey = "gorgone.local";

/** An answer that is not a success. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number} retryAfter seconds; 0: not said
   */
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Tells of "signedout". */
export const session = new EventTarget();

/** @type {Settings} */
let settings = { version: "", local: false };

/** @type {Set<string>} */
let routes = new Set();

/**
 * Fetches. Without an answer it is an ApiError, too.
 * @param {string} url
 * @param {RequestInit} [o]
 */
async function reach(url, o) {
  try {
    return await fetch(url, o);
  } catch (/** @type {any} */ err) {
    throw err.name === "AbortError" ? err : new ApiError(0, "unreachable", "the server cannot be reached", 0);
  }
}

/** Reads what the login page offers, and which routes this server has. */
export async function prepare() {
  settings = await (await reach("/assets/settings.json")).json();
  const description = await (await reach("/openapi.json")).json();
  routes = new Set(Object.keys(description.paths));
  return settings;
}

/** @param {string} path as the description of the interface writes it */
export const hasRoute = (path) => routes.has(path);

/** @returns {Login | null} */
function login() {
  const text = sessionStorage.getItem(loginKey);
  return text ? JSON.parse(text) : null;
}

/** Whether it makes sense to ask who we are. */
export const mayBeSignedIn = () => login() !== null || (settings.local && localStorage.getItem(localKey) !== null);

/** @param {string} token */
export function useToken(token) {
  sessionStorage.setItem(loginKey, JSON.stringify({ token }));
}

/** @param {string} code of the local login */
export async function useCode(code) {
  sessionStorage.removeItem(loginKey);
  await call("/api/session/local", { method: "POST", body: { code } });
  localStorage.setItem(localKey, "1");
}

/**
 * @param {string} email
 * @param {string} password
 */
export async function usePassword(email, password) {
  keepSupabase(await supabase("password", { email, password }));
}

/** @param {{access_token: string, refresh_token: string, expires_in: number}} s */
function keepSupabase(s) {
  sessionStorage.setItem(loginKey, JSON.stringify({ token: s.access_token, refresh: s.refresh_token, expires: Date.now() + s.expires_in * 1000 }));
}

/**
 * @param {string} grant
 * @param {Record<string, string>} body
 */
async function supabase(grant, body) {
  const res = await reach(`${settings.supabase_url}/auth/v1/token?grant_type=${grant}`, {
    method: "POST",
    headers: { apikey: settings.supabase_key ?? "", "Content-Type": "application/json" },
    body: JSON.stringify(body),
    credentials: "omit",
  });
  const answer = await res.json().catch(() => ({}));
  if (!res.ok) throw new ApiError(res.status, "supabase", answer.msg ?? answer.error_description ?? "the login was refused", 0);
  return answer;
}

/** @type {Promise<void> | null} */
let renewing = null;

/** The headers that say who we are; a session that is about to end is renewed. */
export async function credentials() {
  let l = login();
  if (l?.refresh && l.expires && l.expires - Date.now() < 60_000) {
    renewing ??= supabase("refresh_token", { refresh_token: l.refresh })
      .then(keepSupabase)
      .finally(() => (renewing = null));
    await renewing.catch(() => signedOut());
    l = login();
  }
  return /** @type {Record<string, string>} */ (l ? { Authorization: `Bearer ${l.token}` } : {});
}

function forget() {
  sessionStorage.removeItem(loginKey);
  localStorage.removeItem(localKey);
}

export function signedOut() {
  forget();
  session.dispatchEvent(new Event("signedout"));
}

export async function signOut() {
  await call("/api/session/end", { method: "POST" }).catch(() => {});
  signedOut();
}

/**
 * Asks the server, and returns what it answers. An answer other than a success is
 * an ApiError.
 * @param {string} path
 * @param {{method?: string, body?: any, signal?: AbortSignal, onResponse?: (r: Response) => void}} [o]
 * @returns {Promise<any>}
 */
export async function call(path, o = {}) {
  const headers = await credentials();
  if (o.body !== undefined) headers["Content-Type"] = "application/json";
  const res = await reach(path, {
    method: o.method ?? "GET", headers, signal: o.signal, cache: "no-store",
    body: o.body === undefined ? undefined : JSON.stringify(o.body),
  });
  o.onResponse?.(res);
  const answer = await res.json().catch(() => ({}));
  if (res.ok) return answer;
  if (res.status === 401 && path !== "/api/session/local") signedOut();
  throw new ApiError(res.status, answer.code ?? "", answer.error ?? `the server answered ${res.status}`, Number(res.headers.get("Retry-After") ?? 0));
}

/**
 * An error as a sentence for people.
 * @param {any} err
 */
export function explain(err) {
  if (!(err instanceof ApiError)) {
    if (err.name !== "AbortError") console.error(err); // a fault of this page, and none of the server
    return `This page failed: ${err.message}`;
  }
  const text = err.message.charAt(0).toUpperCase() + err.message.slice(1);
  return err.retryAfter ? `${text} (try again in ${err.retryAfter} s)` : `${text}.`;
}
