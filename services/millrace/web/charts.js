// Two charts over the same steps of time, drawn as SVG: shares of clusters, stacked, and messages.

import { clock, colour, element, percent, printable, rate, swatch } from "./page.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 230, LEFT = 44, BOTTOM = 24, TOP = 8, FEWEST = 12;
const APART = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200]; // seconds between two times of the axis

function shape(name, attributes, ...children) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, printable(value));
  made.append(...children);
  return made;
}

// The place of every step and value in a figure of that width. A few steps don't fill it: bars would be walls.
function frame(figure, timeline, most) {
  const width = Math.max(280, figure.clientWidth), steps = timeline.messages.length;
  const step = (width - LEFT) / Math.max(FEWEST, steps);
  const gap = step > 6 ? 1 : 0;
  return {
    width, steps, step,
    left: (place) => width - step * (steps - place), // the newest step is at the right edge
    bar(place, low, high) {
      const x = this.left(place).toFixed(2), end = (this.left(place) + step - gap).toFixed(2);
      return `M${x},${this.y(low)}H${end}V${this.y(high)}H${x}Z`;
    },
    y: (value) => (HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (most ? value / most : 0)).toFixed(2),
  };
}

function axes(place, timeline, ticks, shown) {
  const made = [];
  for (const tick of ticks) {
    const y = place.y(tick);
    made.push(shape("line", { class: "grid", x1: LEFT, x2: place.width, y1: y, y2: y }));
    made.push(shape("text", { x: LEFT - 8, y: +y + 4, "text-anchor": "end" }, shown(tick)));
  }
  const first = Date.parse(timeline.from) / 1000, last = Date.parse(timeline.to) / 1000;
  const apart = (seconds) => place.step * seconds / timeline.step >= (seconds < 60 ? 84 : 64);
  const every = APART.find((seconds) => seconds >= timeline.step && apart(seconds)) ?? 86400;
  for (let at = Math.ceil(first / every) * every; at < last; at += every) {
    const x = place.left(0) + place.step * (at - first) / timeline.step;
    if (x < LEFT + 20 || x > place.width - 24) continue;
    made.push(shape("line", { class: "grid", x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 5 }));
    made.push(shape("text", { x: x.toFixed(1), y: HEIGHT - 5, "text-anchor": "middle" }, clock(1000 * at, every < 60)));
  }
  return made;
}

function draw(figure, place, label, parts, tip) {
  const mark = shape("rect", { class: "mark", y: TOP, height: HEIGHT - BOTTOM - TOP, width: place.step, visibility: "hidden" });
  const drawn = shape("svg", { viewBox: `0 0 ${place.width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label },
    ...parts, mark);
  const box = element("div", { class: "tip", hidden: "" });
  figure.replaceChildren(drawn, box);
  figure.onpointermove = (event) => {
    const x = event.clientX - figure.getBoundingClientRect().left;
    const at = Math.floor((x - place.left(0)) / place.step);
    if (at < 0 || at >= place.steps) return figure.onpointerleave();
    mark.setAttribute("x", place.left(at));
    mark.setAttribute("visibility", "visible");
    box.replaceChildren(...tip(at));
    box.hidden = false;
    const beside = x + 16 + box.offsetWidth > figure.clientWidth ? x - 16 - box.offsetWidth : x + 16;
    box.style.left = `${Math.max(0, beside)}px`;
  };
  figure.onpointerleave = () => {
    mark.setAttribute("visibility", "hidden");
    box.hidden = true;
  };
}

function when(timeline, at) {
  const first = Date.parse(timeline.from) + 1000 * timeline.step * at;
  return element("strong", {}, `${clock(first, true)}, ${timeline.step} s`);
}

const line = (first, text, value) => element("div", {}, first, element("span", {}, text), element("span", {}, value));

export function shares(figure, timeline) {
  const place = frame(figure, timeline, 1), last = place.steps - 1;
  const low = new Array(place.steps).fill(0), parts = [];
  for (const { cluster, label, pages } of timeline.clusters) {
    const paths = { solid: "", pale: "" };
    pages.forEach((count, at) => {
      if (!count || !timeline.messages[at]) return;
      const high = low[at] + count / timeline.messages[at];
      paths[timeline.open && at === last ? "pale" : "solid"] += place.bar(at, low[at], high);
      low[at] = high;
    });
    for (const [kind, d] of Object.entries(paths)) {
      if (d) parts.push(shape("path", { class: `${colour(cluster)} ${kind}`, d, "data-cluster": cluster, "aria-label": label }));
    }
  }
  const label = `Shares of ${timeline.clusters.length} clusters in ${place.steps} steps of ${timeline.step} seconds`;
  draw(figure, place, label, [...axes(place, timeline, [0, 0.25, 0.5, 0.75, 1], percent), ...parts], (at) => [
    when(timeline, at),
    ...timeline.clusters.filter((one) => one.pages[at]).reverse().map((one) =>
      line(swatch(one.cluster), one.label, percent(one.pages[at] / timeline.messages[at]))),
  ]);
}

export function messages(figure, timeline) {
  const rates = timeline.messages.map((count) => count / timeline.step);
  const ticks = scale(Math.max(...rates)), place = frame(figure, timeline, ticks.at(-1));
  const paths = { solid: "", pale: "" };
  rates.forEach((value, at) => {
    if (value) paths[timeline.open && at === place.steps - 1 ? "pale" : "solid"] += place.bar(at, 0, value);
  });
  const bars = Object.entries(paths).filter(([, d]) => d).map(([kind, d]) => shape("path", { class: `messages ${kind}`, d }));
  const label = `Pages a second in ${place.steps} steps of ${timeline.step} seconds, at most ${rate(Math.max(...rates))}`;
  draw(figure, place, label, [...axes(place, timeline, ticks, rate), ...bars], (at) => [
    when(timeline, at),
    line("", "pages", timeline.messages[at].toLocaleString("en")),
    line("", "a second", rate(rates[at])),
  ]);
}

// Round values from 0 to the first that is not below most: 1, 2 or 5 times a power of ten apart.
export function scale(most) {
  const rough = Math.max(most, 0.1) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const apart = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const count = Math.ceil(Math.max(most, 0.1) / apart);
  return Array.from({ length: count + 1 }, (_, at) => +(at * apart).toPrecision(6));
}
