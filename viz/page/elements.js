// What all pages have in common: the data, how numbers are written, how elements are made.
"use strict";
const $ = id => document.getElementById(id);
const D = JSON.parse($("data").textContent, (k, v) => v && typeof v === "object" && "#" in v ? Number(v["#"]) : v);
const root = document.documentElement, SVG = "http://www.w3.org/2000/svg";

// ---- numbers: what style.py writes in a picture --------------------------------------------------------------------
const minus = s => s.replace(/-/g, "−");
const special = v => typeof v === "string" ? v : v === true ? "True" : v === false ? "False" : v !== v ? "NaN" : v === Infinity ? "∞" : v === -Infinity ? "−∞" : v === 0 ? "0" : "";
const scientific = v => minus(v.toExponential(1).replace("+", ""));
const plain = v => Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5;
const num = v => v == null ? "–" : special(v) || (plain(v) ? minus(v.toFixed(4)) : scientific(v));
const short = v => v == null ? "–" : special(v) || (plain(v) ? minus(String(+v.toPrecision(3))) : scientific(v));
const parse = text => {
  const [a, b, ...rest] = text.trim().replace(/[−–]/g, "-").replace(/,/g, ".").split("/");
  if (rest.length || !a.trim() || b !== undefined && !b.trim()) return NaN;
  const v = b === undefined ? Number(a) : Number(a) / Number(b);
  return Number.isFinite(v) ? v : NaN;
};

// ---- elements -----------------------------------------------------------------------------------------------------
function h(tag, given, ...inner) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(given || {})) k.startsWith("on") ? e.addEventListener(k.slice(2), v) : e.setAttribute(k, v);
  e.append(...inner.flat(3).filter(x => x != null && x !== ""));
  return e;
}
function s(tag, given, ...inner) {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(given)) e.setAttribute(k, v);
  e.append(...inner);
  return e;
}
const put = (e, text) => { if (e && e.textContent !== text) e.textContent = text; };
