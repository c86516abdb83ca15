// Server-sent events, read with fetch so that a bearer token can go with them.
// What was missed during a break comes after it.

import { credentials, signedOut } from "./api.js";

const silence = 40_000; // the server gives a sign of life every 15 s
const firstPause = 500;
const longestPause = 15_000;

/** @typedef {"connecting" | "live" | "away"} LiveStatus */

class Live extends EventTarget {
  /** @type {AbortController | null} */
  #reading = null;
  #lastID = "";
  /** @type {LiveStatus} */
  status = "away";

  start() {
    if (this.#reading) return;
    this.#reading = new AbortController();
    this.#run(this.#reading.signal);
  }

  stop() {
    this.#reading?.abort();
    this.#reading = null;
    this.#lastID = "";
  }

  /**
   * Calls f with the data of each event of a kind, until the returned function is
   * called.
   * @param {string} kind
   * @param {(data: any) => void} f
   */
  on(kind, f) {
    const listener = (/** @type {Event} */ e) => f(/** @type {CustomEvent} */ (e).detail);
    this.addEventListener(kind, listener);
    return () => this.removeEventListener(kind, listener);
  }

  /** @param {LiveStatus} status */
  #set(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }

  /** @param {AbortSignal} stop */
  async #run(stop) {
    let pause = firstPause;
    while (!stop.aborted) {
      this.#set("connecting");
      try {
        await this.#read(stop, () => (pause = firstPause));
      } catch {
        // It comes back below, whatever it was.
      }
      if (stop.aborted) return;
      this.#set("away");
      await new Promise((done) => setTimeout(done, pause * (0.5 + Math.random() / 2)));
      pause = Math.min(pause * 2, longestPause);
    }
  }

  /**
   * @param {AbortSignal} stop
   * @param {() => void} stands
   */
  async #read(stop, stands) {
    const own = new AbortController();
    const end = () => own.abort();
    stop.addEventListener("abort", end);
    let watch = setTimeout(end, silence);
    try {
      const headers = await credentials();
      headers["Accept"] = "text/event-stream";
      if (this.#lastID) headers["Last-Event-ID"] = this.#lastID;
      const res = await fetch("/api/twitter/engagement/events", { headers, signal: own.signal, cache: "no-store" });
      if (res.status === 401) signedOut();
      if (!res.ok || !res.body) throw new Error(`status ${res.status}`);
      const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(end, silence);
        text += value;
        const parts = text.split("\n\n");
        text = parts.pop() ?? "";
        for (const part of parts) {
          if (this.#take(part)) {
            stands();
            this.#set("live");
          }
        }
      }
    } finally {
      clearTimeout(watch);
      stop.removeEventListener("abort", end);
      own.abort();
    }
  }

  /**
   * Passes one event on. It reports whether it was the server's greeting.
   * @param {string} text
   */
  #take(text) {
    let kind = "message";
    let data = "";
    for (const line of text.split("\n")) {
      const [name, ...rest] = line.split(": ");
      const value = rest.join(": ");
      if (name === "event") kind = value;
      else if (name === "data") data += value;
      else if (name === "id") this.#lastID = value;
    }
    if (data === "") return false;
    this.dispatchEvent(new CustomEvent(kind, { detail: JSON.parse(data) }));
    return kind === "hello";
  }
}

export const live = new Live();
