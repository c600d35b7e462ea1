// What the charts can't say: the clusters in words, and every number for those who read tables.

import { clock, element, link, percent, swatch, whole } from "./page.js";

export function clusters(body, found) {
  body.replaceChildren(...found.map((one) => element("tr", { "data-cluster": one.cluster },
    element("th", { scope: "row" }, swatch(one.cluster), `${one.label} `, element("span", { class: "count" }, `#${one.cluster}`)),
    element("td", { class: "number", "data-name": "Pages" }, whole(one.size)),
    element("td", { class: "number", "data-name": "Last hour" }, percent(one.share)),
    element("td", { "data-name": "Words" }, ...counted(one.words)),
    element("td", { "data-name": "Hosts" }, ...counted(one.hosts.slice(0, 5))),
    element("td", { "data-name": "Examples" }, element("ul", {},
      ...one.examples.slice(0, 3).map((page) => element("li", {}, link(page.url, page.title))))),
  )));
}

function counted(pairs) {
  return pairs.flatMap(([text, count], place) => [
    place ? ", " : "", text, element("span", { class: "count" }, ` ${whole(count)}`)]);
}

export function legend(list, timeline) {
  list.replaceChildren(...timeline.clusters.map((one) =>
    element("li", { title: one.label }, swatch(one.cluster), element("span", {}, one.label))));
}

export function numbers(details, timeline) {
  details.querySelector("div")?.remove();
  if (!details.open) return;
  const head = ["From", "All", ...timeline.clusters.map((one) => one.label)];
  const first = Date.parse(timeline.from);
  const rows = timeline.messages.map((count, at) => [
    clock(first + 1000 * timeline.step * at, true), whole(count), ...timeline.clusters.map((one) => whole(one.pages[at]))]);
  details.append(element("div", { class: "wide" }, element("table", {},
    element("caption", { class: "quiet" }, `Pages in steps of ${timeline.step} seconds, the newest first`),
    element("thead", {}, element("tr", {}, ...head.map((text, at) =>
      element("th", { scope: "col", ...(at && { class: "number" }) }, text)))),
    element("tbody", {}, ...rows.reverse().map(([when, ...counts]) => element("tr", {},
      element("th", { scope: "row" }, when), ...counts.map((one) => element("td", { class: "number" }, one)))))))); 
}
