// The page of the API's paths: reads openapi.json, lists what it says by subject, and sends a request on demand.

import { $, element } from "./page.js";

const KEY = "millrace-key", DEPTH = 6, LONGEST = 100_000;
let api = null;

const headers = () => sessionStorage.getItem(KEY) ? { "X-API-Key": sessionStorage.getItem(KEY) } : {};

async function start() {
  const answer = await fetch("openapi.json", { headers: headers(), cache: "no-store" });
  $("ask").hidden = answer.status !== 401;
  if (answer.status === 401) {
    $("refused").textContent = sessionStorage.getItem(KEY) ? "This key was not accepted." : "";
    sessionStorage.removeItem(KEY);
    return $("key").focus();
  }
  api = await answer.json();
  $("version").textContent = api.info.version;
  $("paths").replaceChildren(...subjects().map(([name, operations]) => element("section", { class: "panel" },
    element("h2", {}, name), ...operations)));
}

function subjects() {
  const found = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = operation.tags?.[0] ?? "other";
      found.set(name, [...(found.get(name) ?? []), shown(path, method, operation)]);
    }
  }
  return [...found];
}

// Drawn when it is opened: hundreds of forms would only cost time.
function shown(path, method, operation) {
  const details = element("details", { class: "operation", "data-path": path, "data-method": method },
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), ` ${path} `,
      element("span", { class: "quiet" }, operation.summary ?? "")));
  details.ontoggle = () => details.open && details.children.length === 1 && details.append(form(path, method, operation));
  return details;
}

function form(path, method, operation) {
  const fields = (operation.parameters ?? []).map((parameter) => [parameter, element("input", {
    placeholder: example(parameter.schema, 0) ?? "", ...(parameter.required && { required: "" }) })]);
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema && element("textarea", { "aria-label": "body", spellcheck: "false" },
    JSON.stringify(example(schema, 0), null, 2));
  const answer = element("pre", { hidden: "", "aria-live": "polite" });
  const made = element("form", {},
    ...fields.map(([{ name, description }, input]) => element("label", { class: "field" }, name, input,
      element("span", { class: "quiet" }, description ? ` ${description}` : ""))),
    ...(body ? [body] : []), element("button", {}, "Send"),
    element("p", { class: "quiet" }, statuses(operation)), answer);
  made.onsubmit = (event) => {
    event.preventDefault();
    send(path, method, fields, body, answer);
  };
  return made;
}

const statuses = (operation) => Object.entries(operation.responses ?? {})
  .map(([status, { description }]) => `${status}: ${description}`).join(" ");

async function send(path, method, fields, body, answer) {
  const query = new URLSearchParams();
  let target = path;
  for (const [{ name, in: place }, input] of fields) {
    if (place === "path") target = target.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(name, input.value);
  }
  answer.hidden = false;
  answer.replaceChildren("...");
  const stop = new AbortController(), late = setTimeout(() => stop.abort(), 5000); // a stream of events has no end
  try {
    const options = { method: method.toUpperCase(), headers: headers(), signal: stop.signal };
    if (body) Object.assign(options, { body: body.value, headers: { ...headers(), "Content-Type": "application/json" } });
    const reply = await fetch(`${target.slice(1)}${query.size ? `?${query}` : ""}`, options);
    answer.replaceChildren(element("span", {}, `${reply.status}\n${indented(await reply.text())}`));
  } catch (error) {
    answer.replaceChildren(element("span", {}, String(error)));
  } finally {
    clearTimeout(late);
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, LONGEST);
  } catch {
    return text.slice(0, LONGEST);
  }
}

// A value that fits a schema, as far as a reader needs one to begin from.
function example(schema, depth) {
  if (!schema || depth > DEPTH) return null;
  if (schema.$ref) return example(schema.$ref.slice(2).split("/").reduce((inner, name) => inner?.[name], api), depth + 1);
  const given = schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (given !== undefined) return given;
  const choice = (schema.oneOf ?? schema.anyOf)?.find((one) => one.type !== "null");
  if (choice && !schema.properties) return example(choice, depth + 1);
  if (schema.properties) {
    const wanted = schema.required ?? Object.keys(schema.properties);
    return Object.fromEntries(wanted.map((name) => [name, example(schema.properties[name], depth + 1)]));
  }
  if (schema.type === "array") return [example(schema.items, depth + 1)].filter((one) => one !== null);
  return { string: "text", integer: 1, number: 1, boolean: true, object: {} }[schema.type] ?? null;
}

$("ask").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("key").value.trim());
  $("key").value = "";
  start();
};
start();
