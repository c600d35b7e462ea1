// Small helpers of the page. Text is only ever set as text: titles come from foreign pages.

export const $ = (id) => document.getElementById(id);

// The classes of runtime/text.py: what nobody sees, or what turns text around, is shown as an escape.
const UNPRINTABLE = new RegExp("(?!\\n)[" +
  "\\u0000-\\u001f\\u007f-\\u009f" +
  "\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
  "\\ud800-\\udfff\\ue000-\\uf8ff\\ufffe\\uffff" +
  "\\u{e0000}-\\u{e0fff}\\u{f0000}-\\u{10ffff}" +
  "]|(?<![^\\u0000-\\u024f])[\\u200c\\u200d]|[\\u200c\\u200d](?![^\\u0000-\\u024f])", "gu");

export const printable = (text) => String(text).replace(UNPRINTABLE, (one) => {
  const code = one.codePointAt(0), digits = code.toString(16);
  return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
});
const shown = (child) => child instanceof Node ? child : printable(child);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, key === "href" ? value : printable(value));
  made.append(...children.map(shown));
  return made;
}

export const colour = (cluster) => `c${cluster % 10}`;
export const swatch = (cluster) => element("span", { class: `swatch ${colour(cluster)}`, "aria-hidden": "true" });

export const whole = (number) => Math.round(number).toLocaleString("en");
export const rate = (number) => number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 });
export const percent = (share) => `${(100 * share).toFixed(share && share < 0.0995 ? 1 : 0)}%`;

export function clock(milliseconds, seconds) {
  const parts = { hour: "2-digit", minute: "2-digit", hour12: false };
  return new Date(milliseconds).toLocaleTimeString("en-GB", seconds ? { ...parts, second: "2-digit" } : parts);
}

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

// A link to a page that somebody else has written: only where it is one, and without a way back to here.
export function link(url, title) {
  let target = null;
  try {
    target = new URL(url);
  } catch { /* shown as text */ }
  const text = title || url;
  if (!target || !["http:", "https:"].includes(target.protocol)) return element("span", { title: url }, text);
  return element("a", { href: target.href, title: url, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
}
