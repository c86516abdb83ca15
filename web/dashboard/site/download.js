// Files that the page makes itself.

import { h } from "./dom.js";

/**
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const link = h("a", { download: name });
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * One picture of several charts, as they stand, with a title above and the names of
 * their lines.
 * @param {string} title
 * @param {import("./chart.js").Chart[]} charts
 * @returns {Promise<Blob>}
 */
export function picture(title, charts) {
  const drawn = charts.map((c) => c.drawn()).filter((d) => d !== null);
  const scale = devicePixelRatio || 1;
  const [edge, head] = [16 * scale, 30 * scale];
  const wide = Math.max(...drawn.map((d) => d.canvas.width), 300 * scale);
  const across = drawn.length > 2 && wide < 700 * scale ? 2 : 1;
  const rows = Array.from({ length: Math.ceil(drawn.length / across) }, (_, i) => drawn.slice(i * across, (i + 1) * across));
  const heights = rows.map((row) => Math.max(...row.map((d) => d.canvas.height)) + head);
  const canvas = h("canvas", { width: across * (wide + edge) + edge, height: 2 * head + edge + heights.reduce((sum, n) => sum + n, 0) });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const write = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ ink, bold = false) => {
    pen.fillStyle = ink;
    pen.font = `${bold ? "600 " : ""}${13 * scale}px ${colour("--font")}`;
    pen.fillText(text, x, y);
    return x + pen.measureText(text).width;
  };
  pen.fillStyle = colour("--card");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  write(title, edge, head, colour("--text"), true);
  let top = 1.5 * head;
  rows.forEach((row, i) => {
    row.forEach((d, j) => {
      let x = edge + j * (wide + edge);
      pen.drawImage(d.canvas, x, top + head);
      for (const l of d.lines) x = write(`— ${l.label}`, x, top + 0.7 * head, colour(`--c${l.colour}`)) + edge;
    });
    top += heights[i];
  });
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture could be made"))), "image/png"));
}
