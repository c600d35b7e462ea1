// The live page of a workload's pages: follows the events and shows the newest.

import * as charts from "./charts.js";
import { $, element, printable, rate, span, whole } from "./page.js";
import { follow } from "./stream.js";
import * as tables from "./tables.js";

const workload = location.pathname.split("/").at(-2);
const KEY = "millrace-key";
let newest = null, heard = 0, following = null;

const COMMANDS = `millrace generate ${workload} --rows 20000 --out pages.csv
millrace ingest ${workload} pages.csv && millrace train ${workload}
millrace generate ${workload} --rows 100000 --seed 8 --out more.csv
millrace ingest ${workload} more.csv --rate 200/s --random-pauses`;

function start() {
  following?.abort();
  following = new AbortController();
  state("connecting");
  const path = `live/events?minutes=${$("minutes").value}`;
  follow(path, () => sessionStorage.getItem(KEY), told, state, following.signal);
}

function state(name, detail = "") {
  $("state").dataset.state = name;
  $("state").textContent = printable(name === "key" ? "needs a key" : detail || name);
  if (name === "key") {
    $("refused").textContent = sessionStorage.getItem(KEY) ? "This key was not accepted." : "";
    sessionStorage.removeItem(KEY);
    $("board").hidden = $("empty").hidden = true;
  }
  $("ask").hidden = name !== "key";
  if (name === "key") $("key").focus();
}

function told(event) {
  newest = event;
  heard = performance.now();
  show();
}

function show() {
  if (!newest) return;
  const { timeline, clusters } = newest, some = timeline.messages.length > 0;
  $("board").hidden = !some && !clusters.clusters.length; // clusters as they were trained, before any page
  $("empty").hidden = some;
  facts();
  tables.clusters($("clusters").tBodies[0], clusters.clusters);
  for (const id of ["shares", "messages"]) $(id).closest("section").hidden = !some;
  if (!some) return;
  charts.shares($("shares"), timeline);
  charts.messages($("messages"), timeline);
  tables.legend($("legend"), timeline);
  tables.numbers($("numbers"), timeline);
}

// Population stability index: below 0.1 the shares are as they were, above 0.25 they are others (the usual reading).
const DRIFT = [[0.1, "good", "as trained"], [0.25, "warn", "shifting"], [Infinity, "bad", "shifted: train anew"]];

function facts() {
  const { status, clusters } = newest, passed = (performance.now() - heard) / 1000;
  const old = status.watermark_age === null ? null : status.watermark_age + passed;
  const [, kind, said] = DRIFT.find(([limit]) => (status.psi ?? 0) < limit);
  const inertia = status.inertia_ratio === null ? "" : `, inertia ×${status.inertia_ratio.toFixed(2)}`;
  const found = [
    ["Pages a second", status.rows_per_second === null ? "–" : rate(status.rows_per_second), "in the last batch"],
    ["Newest page", old === null ? "–" : `${span(old)} ago`, old > 300 ? "the stream stands still" : "watermark", old > 300 && "warn"],
    ["Drift", status.psi === null ? "–" : `PSI ${status.psi.toFixed(3)}`, status.psi === null ? "not measured yet" : said + inertia,
      status.psi !== null && kind],
    ["Pages", whole(status.pages), `in ${clusters.clusters.length} clusters`],
    ["Model version", status.version ?? "–", clusters.model, "version"],
  ];
  $("facts").replaceChildren(...found.map(([name, value, small, kind]) => element("div", {},
    element("dt", {}, name), element("dd", kind ? { class: kind } : {}, value, element("small", {}, small)))));
}

document.title = `${workload}, live – Millrace`;
$("workload").textContent = workload;
$("commands").textContent = COMMANDS;
$("minutes").onchange = start;
$("numbers").ontoggle = () => newest && tables.numbers($("numbers"), newest.timeline);
$("ask").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value.trim());
  $("key").value = "";
  start();
};
// Nobody looks at a hidden page: its place is for another one.
document.onvisibilitychange = () => document.hidden ? following?.abort() : start();
new ResizeObserver(show).observe(document.querySelector("main"));
setInterval(() => newest && facts(), 1000);
start();
