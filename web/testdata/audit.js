// What is wrong with the layout of the page as it stands: one line a fault. It knows
// nothing of any page: what a reader could not read or reach is a fault on all of them.
(() => {
  const problems = new Set();
  const width = document.documentElement.clientWidth;
  const phone = width < 721;
  const name = (el) => {
    const words = (el.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 30);
    const parent = el.parentElement;
    return `${parent.tagName.toLowerCase()}.${parent.className} > ${el.tagName.toLowerCase()}.${el.className?.baseVal ?? el.className} “${words}”`;
  };
  const say = (what, el) => problems.add(`${what}: ${name(el)}`);
  const styles = new Map();
  const style = (el) => styles.get(el) ?? (styles.set(el, getComputedStyle(el)), styles.get(el));
  const shown = (el) => el.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !el.closest(".visually-hidden, .skip, .uplot, svg, option");
  const clips = (el) => style(el).overflowX !== "visible";
  const ellipsis = (el) => style(el).textOverflow === "ellipsis" || style(el).webkitLineClamp !== "none";
  const fixed = (el) => el.closest(".bar, #toasts, dialog") !== null;

  if (document.documentElement.scrollWidth > width) problems.add(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  const texts = [];
  for (const el of document.body.querySelectorAll("*")) {
    const box = el.getBoundingClientRect();
    if (!shown(el) || box.width <= 1 || box.height <= 1) continue;
    let clipped = false;
    for (let up = el.parentElement; up; up = up.parentElement) clipped ||= clips(up);
    if (!clipped && (box.right > width + 1 || box.left < -1)) say(`${Math.round(box.left)} to ${Math.round(box.right)} of ${width} pixels`, el);

    const words = [...el.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== "");
    const display = style(el).display;
    const boxed = display !== "inline" && el.clientWidth > 0 && !el.matches("select, option, input, textarea");
    // Half a word, or half a number, that nobody can scroll to.
    if (boxed && el.scrollWidth > el.clientWidth + 1 && !/auto|scroll/.test(style(el).overflowX)) {
      const own = words.length > 0 || [...el.children].some((c) => style(c).display === "inline");
      if (own && !ellipsis(el)) say(`${el.scrollWidth} pixels of text in ${el.clientWidth}`, el);
    }
    if (el.matches("td, th") && el.textContent.trim() !== "") {
      const text = el.matches(".cell-text") || el.querySelector("[dir=auto]") !== null || el.matches("[dir=auto]");
      const least = text ? Math.min(200, 0.6 * width) : 24;
      if (box.width < least) say(`a column of ${Math.round(box.width)} pixels, want ${Math.round(least)}`, el);
    }
    // What people wrote: accents may be stacked as high as they like, inside a box that cuts them.
    if (el.matches("[dir=auto]")) {
      let cut = false;
      for (let up = el; up && !up.matches("main"); up = up.parentElement) cut ||= style(up).overflowY !== "visible" && up.getBoundingClientRect().height < box.height + 40;
      if (!cut) say("nothing cuts what is painted outside of its lines", el);
      if (box.height > 1200) say(`${Math.round(box.height)} pixels high`, el);
      if (!el.matches("td, th") && box.width < Math.min(150, 0.4 * width) && el.scrollWidth > el.clientWidth + 1) say(`a text in ${Math.round(box.width)} pixels`, el);
    }
    if (words.length === 0) continue;
    const lines = new Map();
    for (const word of words) {
      const range = document.createRange();
      range.selectNodeContents(word);
      for (const r of range.getClientRects()) {
        if (r.width < 1) continue;
        lines.set(Math.round(r.top), r);
        if (!clipped && !clips(el)) texts.push({ el, r, on: fixed(el) });
      }
    }
    if (lines.size > 4 && box.width < 110 && !ellipsis(el)) say(`${lines.size} lines in ${Math.round(box.width)} pixels`, el);
    const size = parseFloat(style(el).fontSize);
    if (size < 11.5) say(`letters of ${size} pixels`, el);
    if (phone && el.matches("button, .button, nav a") && !el.closest("td") && box.height < 26) say(`a button ${Math.round(box.height)} pixels high`, el);
  }
  for (const svg of document.querySelectorAll("td svg")) {
    const [inner, cell] = [svg.getBoundingClientRect(), svg.closest("td").getBoundingClientRect()];
    if (inner.width > 0 && (inner.right > cell.right + 1 || inner.left < cell.left - 1)) say(`a drawing of ${Math.round(inner.width)} pixels in a cell of ${Math.round(cell.width)}`, svg);
  }
  for (let i = 0; i < texts.length; i++) {
    const a = texts[i];
    for (let j = i + 1; j < texts.length; j++) {
      const b = texts[j];
      if (a.on !== b.on || a.el.contains(b.el) || b.el.contains(a.el)) continue;
      const [dx, dy] = [Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left), Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top)];
      if (dx > 2 && dy > 6) say(`it lies upon ${name(b.el)}`, a.el);
    }
  }
  return [...problems];
})()
