// The data of a page, and how numbers and elements are written: what pages of training and of exported programs
// have in common.
"use strict";
const $ = id => document.getElementById(id);
const D = JSON.parse($("data").textContent, (k, v) => v && typeof v === "object" && "#" in v ? Number(v["#"]) : v);
const root = document.documentElement, SVG = "http://www.w3.org/2000/svg";

const minus = s => s.replace(/-/g, "−");
const num = v => v == null ? "–" : Number.isNaN(v) ? "NaN" : !Number.isFinite(v) ? v > 0 ? "∞" : "−∞" : v === 0 ? "0" : minus(Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? v.toFixed(4) : v.toExponential(1).replace("+", ""));
const short = v => v == null ? "–" : !Number.isFinite(v) ? num(v) : v === 0 ? "0" : minus(Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? String(+v.toPrecision(3)) : v.toExponential(1).replace("+", ""));
const parse = t => { const v = Number(t.trim().replace(/[−–]/g, "-").replace(",", ".")); return t.trim() && Number.isFinite(v) ? v : NaN; };
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
const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };
const colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const em = () => parseFloat(getComputedStyle(root).fontSize);
function rgb(text) { const v = parseInt(text.slice(1), 16); return [v >> 16, v >> 8 & 255, v & 255]; }
