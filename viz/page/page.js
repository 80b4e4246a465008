// The stepper's page: everything shown is a function of the data, the step `at`, and a few switches.
// User strings reach the page as text nodes only. OPS (the formulas) stands above this script.
"use strict";
const $ = id => document.getElementById(id);
const D = JSON.parse($("data").textContent, (k, v) => v && typeof v === "object" && "#" in v ? Number(v["#"]) : v);
const root = document.documentElement, N = D.nodes, S = D.steps, SVG = "http://www.w3.org/2000/svg";
const FIRST = S.findIndex(s => s.k === "seed");
const PRODUCTS = 64;

let at = 0, timer = 0, tool = "", picked = -1, lone = -1, cell = -1, quiz = !!D.quiz, found = "";
const answers = new Map();
const asked = new Set(D.quiz ? D.quiz.ask : S.flatMap((s, k) => s.c != null ? [k] : []));

// ---- numbers: what style.py writes in a picture --------------------------------------------------------------------
const minus = s => s.replace(/-/g, "−");
const special = v => typeof v === "string" ? v : v === true ? "True" : v === false ? "False" : v !== v ? "NaN" : v === Infinity ? "∞" : v === -Infinity ? "−∞" : v === 0 ? "0" : "";
const scientific = v => minus(v.toExponential(1).replace("+", ""));
const plain = v => Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5;
const num = v => v == null ? "–" : special(v) || (plain(v) ? minus(v.toFixed(4)) : scientific(v));
const short = v => v == null ? "–" : special(v) || (plain(v) ? minus(String(+v.toPrecision(3))) : scientific(v));
const exact = v => special(v) || (plain(v) ? minus(v.toFixed(6)) : minus(v.toExponential(5).replace("+", "")));
const signed = v => v < 0 ? `(${num(v)})` : num(v);
const shape = n => n.s ? `(${n.s.join(", ")}${n.s.length === 1 ? "," : ""})` : "";
const parse = text => {
  const [a, b, ...rest] = text.trim().replace(/[−–]/g, "-").replace(/,/g, ".").split("/");
  if (rest.length || !a.trim() || b !== undefined && !b.trim()) return NaN;
  const v = b === undefined ? Number(a) : Number(a) / Number(b);
  return Number.isFinite(v) ? v : NaN;
};

// ---- state: values, and what each step brings; recomputed only when a leaf is changed ------------------------------
const start = { V: N.map(n => n.v), steps: S, check: S.map(s => s.check) };
let now = start;
const changed = new Map();

function forward(leaves) {
  const V = N.map(n => n.v);
  for (const [i, v] of leaves) V[i] = v;
  N.forEach((n, i) => { if (n.op) V[i] = OPS[n.op].f(...n.i.map(j => V[j]), n.a || {}); });
  return V;
}

// Backward again, in the order of the steps: each contribution is g times the op's derivative.
function recompute() {
  if (!changed.size) { now = start; return; }
  const V = forward(changed), G = [], left = [];
  G[D.root] = 1;
  for (const s of S) if (s.k === "left") G[s.n] = left[s.n] = s.left;
  const slope = (s, g) => {
    const n = N[s.from];
    return OPS[n.op].d[s.p](g, V[s.from], ...n.i.map(j => V[j]), n.a || {});
  };
  const steps = S.map(s => {
    if (s.k !== "c") return s;
    const c = slope(s, G[s.from]), old = G[s.n] ?? null;
    G[s.n] = old === null ? c : old + c;
    return { ...s, c, old, new: G[s.n], l: slope(s, 1) };
  });
  const check = steps.map(s => s.k === "c" ? difference(s.n, V, G[s.n] - (left[s.n] || 0)) : null);
  now = { V, steps, check };
}

function difference(i, V, analytic) {
  const h = 1e-5, moved = e => {
    const W = V.slice();
    W[i] += e;
    for (let k = i + 1; k < N.length; k++) if (N[k].op) W[k] = OPS[N[k].op].f(...N[k].i.map(j => W[j]), N[k].a || {});
    return W[D.root];
  };
  const finite = (moved(h) - moved(-h)) / 2 / h, error = Math.abs(analytic - finite);
  return [analytic, finite, error, +(error <= 1e-5 * Math.max(1, Math.abs(analytic))), "the derivative"];
}

// What is known at step k: values that exist, gradients so far, contributions given.
function known(k) {
  const seen = new Set(), grads = new Map(), given = new Map();
  const last = hidden(k) ? k - 1 : k;
  for (let j = 0; j <= k; j++) {
    const s = now.steps[j];
    if (s.k === "leaf" || s.k === "op") seen.add(s.n);
    else if (s.k === "left") grads.set(s.n, { v: s.left, done: false });
    else if (s.k === "seed") grads.set(s.n, { v: 1, done: true });
    else if (j <= last) {
      const before = grads.get(s.n);
      grads.set(s.n, { v: s.new ?? (before ? add(before.v, s.A) : s.A), done: s.last });
      if (s.e) given.set(s.e, s.c ?? s.A);
    }
  }
  N.forEach((n, i) => { if (n.r === "constant") seen.add(i); });
  return { seen, grads, given };
}
const add = (a, b) => a && b && a.f && b.f ? summary(sum(a.f, b.f)) : null;
const sum = (a, b) => Array.isArray(a) ? a.map((x, k) => sum(x, b[k])) : a + b;
const summary = f => { const x = [f].flat(9); return { f, r: Math.sqrt(x.reduce((t, v) => t + v * v, 0) / x.length), lo: Math.min(...x), hi: Math.max(...x) }; };
const hidden = k => quiz && asked.has(k) && !(answers.get(k) || {}).open;

// ---- making elements ----------------------------------------------------------------------------------------------
function h(tag, given, ...inner) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(given || {})) k === "class" ? e.className = v : k.startsWith("on") ? e.addEventListener(k.slice(2), v) : e.setAttribute(k, v);
  e.append(...inner.flat(3).filter(x => x != null && x !== ""));
  return e;
}
function s(tag, given, ...inner) {
  const e = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(given)) e.setAttribute(k, v);
  e.append(...inner);
  return e;
}
const atom = name => /[ ·×+/]/.test(name) ? `(${name})` : name;
const frac = (a, b) => h("span", { class: "frac" }, h("span", {}, `∂${atom(N[a].n)}`), h("span", { class: "apart" }, "/"), h("span", {}, `∂${atom(N[b].n)}`));
const math = (kind, ...inner) => h("p", { class: `math ${kind}` }, ...inner);
// a rule as Python wrote it, with the gradient of `i` set as a fraction
const withFraction = (text, i) => text.split(`∂${atom(N[D.root].n)}/∂${atom(N[i].n)}`).flatMap((part, k) => k ? [frac(D.root, i), part] : [part]);
const fill = (text, grads) => text.replace(/\{(g?)(\d+)\}/g, (_, g, i) => { const t = num(g ? grads(+i) : now.V[i]); return t.startsWith("−") ? `(${t})` : t; });
const gradientOf = i => i === D.root ? 1 : now.steps.findLast(s => s.k === "c" && s.n === i)?.new;

function array(title, a, n, isGrad) {
  if (a == null) return "";
  const head = h("p", {}, h("b", {}, title), n ? " " + shape(n) : "");
  if (typeof a === "number") return h("div", { class: isGrad ? "array g" : "array" }, head, h("table", {}, h("tr", {}, h("td", {}, num(a)))));
  let rows = a.f ?? a.c, note = "";
  if (!rows) return h("div", { class: "array" }, head, "no elements");
  while (Array.isArray(rows[0]?.[0])) { rows = rows.flat(1); note = "leading dimensions stacked"; }
  if (!Array.isArray(rows)) rows = [[rows]];
  if (!Array.isArray(rows[0])) rows = [rows];
  const words = `from ${short(a.lo)} to ${short(a.hi)}, RMS ${short(a.r)}`;
  if (a.f && rows.length <= 8 && (rows[0]?.length ?? 0) <= 8) {
    const body = h("table", {}, rows.map(r => h("tr", {}, r.map(v => h("td", {}, short(v))))));
    return h("div", { class: isGrad ? "array g" : "array" }, head, body, note ? h("p", {}, note) : "");
  }
  const top = Math.max(1e-300, ...rows.flat().map(v => Math.abs(v)).filter(Number.isFinite));
  const colour = v => isGrad ? "var(--grad)" : v < 0 ? "var(--low)" : "var(--high)";
  const body = h("table", { role: "img", "aria-label": words }, rows.slice(0, 16).map(r => h("tr", {}, r.slice(0, 16).map(v => {
    const c = h("td", { class: "cell" });
    c.style.background = `color-mix(in srgb, ${colour(v)} ${Math.round(100 * Math.abs(v) / top)}%, var(--fill))`;
    return c;
  }))));
  return h("div", { class: isGrad ? "array g" : "array" }, head, body, h("p", {}, words + (a.c && n && n.s.reduce((x, y) => x * y, 1) > rows.flat().length ? "; each cell is an average" : "")));
}

// ---- graph --------------------------------------------------------------------------------------------------------
const groups = new Map([...document.querySelectorAll("#svg [id]")].map(e => [e.id, e]));
const texts = new Map([...groups].map(([id, e]) => [id, { val: e.querySelector(".val"), grd: e.querySelector(".grd"), con: e.querySelector(".con") }]));
const members = new Map();
N.forEach((n, i) => n.box && members.set(n.box, [...members.get(n.box) || [], i]));
const put = (e, text) => { if (e && e.textContent !== text) e.textContent = text; };

function graph() {
  const k = known(at), step = now.steps[at];
  document.querySelectorAll("#svg .now").forEach(e => e.classList.remove("now"));
  document.querySelectorAll("#svg .flow").forEach(e => e.remove());
  const all = tool === "paths";
  for (const [box, inside] of members) {
    const e = groups.get(box), t = texts.get(box), i = inside.at(-1), n = N[i];
    if (!e) continue;
    const seen = inside.some(j => k.seen.has(j));
    e.classList.toggle("seen", seen || all);
    const needing = inside.filter(j => N[j].g && (box[0] === "v" || !N[j].op));
    const got = needing.length > 0 && needing.every(j => k.grads.has(j));
    e.classList.toggle("known", got);
    if (box[0] !== "v") continue;
    put(t.val, seen || all ? (typeof now.V[i] === "number" ? num(now.V[i]) : t.val?.textContent ?? "") : "?");
    const g = k.grads.get(i)?.v;
    put(t.grd, !k.grads.has(i) ? "–" : g === null ? "…" : typeof g === "number" ? (n.s || !D.separate ? short(g) : num(g)) : short(g.r));
    e.setAttribute("aria-label", `${n.n}${n.op ? ` = ${n.x}` : `, ${n.r}`}${seen && typeof now.V[i] === "number" ? `, value ${num(now.V[i])}` : ""}${t.grd && got ? `, gradient ${t.grd.textContent}` : ""}`);
    groups.get("o" + i)?.classList.toggle("seen", seen || all);
    groups.get("r" + i)?.classList.toggle("seen", seen || all);
  }
  for (const [id, e] of groups) {
    if (id[0] !== "e") continue;
    const target = +id.slice(1).split("_")[0];
    e.classList.toggle("seen", k.seen.has(target) || all);
    const c = k.given.get(id), got = c != null;
    e.classList.toggle("got", got);
    e.classList.toggle("none", got && c === 0);
    const con = texts.get(id).con;
    if (con && got) {
      con.classList.toggle("zero", c === 0);
      put(con, c === 0 ? "0" : `◂ ${typeof c === "number" ? num(c) : `|${short(c.r)}|`}`);
    }
  }
  document.querySelectorAll("#svg .k").forEach(e => e.classList.toggle("seen", k.seen.has(+e.dataset.of) || all));
  if (!all) mark(step);
  paths();
  follow();
}

function mark(step) {
  const ids = step.k === "c" ? [N[step.n].box, step.e, "o" + step.from] : [N[step.n].box, "o" + step.n, "r" + step.n, ...N[step.n].i.map((_, p) => `e${step.n}_${p}`)];
  ids.forEach(id => groups.get(id)?.classList.add("now"));
  if (step.k !== "c") return;
  for (const id of [step.e, "r" + step.from]) {
    const e = groups.get(id), way = e?.querySelector(".way");
    if (!way) continue;
    e.classList.add("now");
    way.after(s("path", { class: "flow", d: way.getAttribute("d") }));
  }
}

// The picture fills its place while that keeps it readable; else it scrolls with the step.
function fit() {
  const svg = $("svg"), w = +svg.dataset.w, hgt = +svg.dataset.h, room = $("graph");
  const rem = parseFloat(getComputedStyle(root).fontSize), pad = 2.2 * rem;
  const scale = Math.min((room.clientWidth - pad) / w, (room.clientHeight - pad / 2) / hgt, 1.9 * rem / 16);
  const least = root.classList.contains("presenter") ? 0.045 * rem : scale > 0.62 ? 0 : 0.8;
  const used = tool === "paths" ? scale : Math.max(scale, least);
  svg.setAttribute("width", w * used);
  svg.setAttribute("height", hgt * used);
}
function follow() {
  const e = groups.get(N[now.steps[at].n].box), room = $("graph");
  if (!e || room.scrollWidth <= room.clientWidth && room.scrollHeight <= room.clientHeight) return;
  const a = e.getBoundingClientRect(), b = room.getBoundingClientRect();
  const left = a.x + a.width / 2 - b.x - b.width / 2, top = a.y + a.height / 2 - b.y - b.height / 2, far = Math.abs(left) > b.width || Math.abs(top) > b.height;
  room.scrollBy({ left, top, behavior: far || still() ? "auto" : "smooth" });
}
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---- source -------------------------------------------------------------------------------------------------------
const lines = new Map();
D.files.forEach((f, k) => {
  if (!f.lines.length) return;
  if (D.files.length > 1) $("source").append(h("h3", {}, f.name));
  $("source").append(h("ol", {}, f.lines.map(([no, text]) => {
    const li = h("li", {}, h("i", {}, no ? String(no) : "⋯"), h("span", {}, text));
    if (no) lines.set(`${k}:${no}`, [li, text]);
    return li;
  })));
});
const place = step => N[step.k === "c" ? step.from : step.n].at;
function source() {
  for (const [li, text] of lines.values()) if (li.className) { li.className = ""; li.lastChild.replaceWith(h("span", {}, text)); }
  const p = place(now.steps[at]);
  if (!p) return;
  const [file, first, last, a, b] = p;
  for (let no = first; no <= last; no++) {
    const entry = lines.get(`${file}:${no}`);
    if (!entry) continue;
    const [li, text] = entry;
    li.className = "here";
    if (a == null) continue;
    const from = no === first ? a : text.length - text.trimStart().length, to = no === last ? b : text.length;
    li.lastChild.replaceWith(h("span", {}, text.slice(0, from), h("mark", {}, text.slice(from, to)), text.slice(to)));
  }
  const here = lines.get(`${file}:${first}`)?.[0], box = $("source");
  if (here) box.scrollTop = here.offsetTop - box.offsetTop - box.clientHeight / 2 + here.clientHeight;
}

// ---- explanation --------------------------------------------------------------------------------------------------
function explain() {
  const step = now.steps[at], n = N[step.n], box = $("explain"), out = [];
  let said = "";
  if (step.k === "leaf") {
    const v = now.V[step.n];
    out.push(h("h2", {}, `${n.n} is ${n.r === "parameter" ? "a parameter" : n.r === "data" ? "data" : `a ${n.r}`}`));
    if (typeof v === "number") out.push(math("sum", `${n.n} = ${said = num(v)}`));
    else out.push(h("div", { class: "arrays" }, array(n.n, v, n)));
    out.push(h("p", { class: "remark" }, n.g ? ["Backward will find ", frac(D.root, step.n), ": how the result changes when it moves."] : "No gradient is asked for it."));
  } else if (step.k === "op") {
    const v = now.V[step.n];
    out.push(h("h2", {}, `${n.n} = ${n.x}`));
    if (typeof v === "number") {
      if (n.f) out.push(math("soft", `= ${fill(n.f, gradientOf)}`));
      out.push(math("sum", `${n.n} = ${said = num(v)}`));
    } else out.push(h("div", { class: "arrays" }, n.i.map(j => N[j].r === "constant" ? "" : array(N[j].n, now.V[j], N[j])), array(n.n, v, n)));
  } else if (step.k === "seed") {
    out.push(h("h2", {}, "Backward starts where forward ended"), math("", frac(D.root, D.root), " = 1"));
    out.push(math("sum", said = "1.0000"), h("p", { class: "remark" }, `Move ${n.n} by a little, and ${n.n} moves by just as much.`));
  } else if (step.k === "left") {
    out.push(h("h2", {}, `${n.n}.grad is not empty`), h("p", {}, said = step.text + "."));
    if (typeof step.left === "number") out.push(math("sum", `${n.n}.grad = ${num(step.left)}`));
    else out.push(h("div", { class: "arrays" }, array(`${n.n}.grad`, step.left, n, true)));
    out.push(h("p", { class: "remark" }, "Gradients add up until optimizer.zero_grad() empties them."));
  } else {
    const covered = hidden(at);
    out.push(h("h2", {}, `${N[step.from].n} sends its gradient to ${n.n}`));
    out.push(math("", frac(D.root, step.n), " += ", frac(D.root, step.from), " · ", frac(step.from, step.n)));
    out.push(math("soft", "+= ", withFraction(step.rule, step.from)));
    if (covered) { out.push(question(step)); said = "What is the contribution?"; }
    else if (step.c != null) {
      if (step.num) out.push(math("soft", `+= ${fill(step.num, gradientOf)}`));
      out.push(math("sum", said = `${step.old == null ? "0" : num(step.old)} + ${signed(step.c)} = ${num(step.new)}`));
    } else {
      const before = known(at - 1).grads.get(step.n)?.v, after = known(at).grads.get(step.n)?.v;
      const small = before ? [array("gradient so far", before, n, true), array("+ contribution", step.A, n, true), array("= gradient", after, n, true)] : [array("contribution", step.A, n, true)];
      out.push(h("div", { class: "arrays" }, small));
      said = `size of the contribution ${short(step.A.r)}`;
    }
    const words = covered ? "" : remark(step);
    if (words) { out.push(h("p", { class: "remark" }, words)); said += ". " + words; }
    if (!covered && answers.has(at)) out.push(h("p", { class: "said" }, answers.get(at).said));
  }
  const text = step.k === "op" ? n.k : step.kernel;
  if (text) out.push(h("details", { class: "kernel" }, h("summary", {}, "The kernel, in OpenCL C"), h("pre", {}, text)));
  box.replaceChildren(...out);
  box.scrollTop = 0;
  put($("say"), `step ${at + 1} of ${S.length}, ${phase()}. ${box.querySelector("h2").textContent}. ${said}`);
  const input = box.querySelector(".ask input");
  if (input && !tool) input.focus({ preventScroll: true });
}
function remark(step) {
  const m = step.m;
  if (!m || typeof m === "string") return m || "";
  const l = step.l, kind = l === 0 ? "zero" : !Number.isFinite(l) ? "lost" : l === 1 ? "one" : l === -1 ? "minus" : Math.abs(l) < 0.05 ? "flat" : "any";
  return m[kind].replace("{%}", `${+(100 * Math.abs(l)).toPrecision(2)} %`);
}
const phase = () => FIRST >= 0 && at >= FIRST ? "backward" : "forward";

// ---- check and curve ----------------------------------------------------------------------------------------------
function check() {
  const step = now.steps[at], n = N[step.n], rows = [], box = $("check");
  const row = (a, b, look) => rows.push(h("tr", look ? { class: look } : {}, h("td", {}, a), h("td", {}, b)));
  if (step.k === "c") {
    const covered = hidden(at), dots = "· · ·", c = now.check[at];
    if (step.l != null) row(["local derivative ", frac(step.from, step.n)], covered ? dots : num(step.l));
    if (n.s) row("shape", shape(n));
    if (c) {
      const [analytic, finite, error, ok, what] = c, note = what === "the derivative" ? "" : `, ${what}`;
      if (!step.last && step.new != null) row("gradient so far", covered ? dots : num(step.new));
      row(step.last ? `analytic gradient${note}` : "gradient when all have arrived", covered ? dots : exact(analytic));
      row("finite difference (h = 1e−5)", covered ? dots : exact(finite));
      row("agreement", covered ? dots : `${ok ? "✓" : "✗ differs by"} ${error === 0 ? "0" : scientific(error)}`, !ok && !covered ? "bad" : "");
    } else row("finite difference", "cannot be run for this graph", "long");
  } else {
    const users = N.flatMap((m, i) => m.i.includes(step.n) ? [m.n] : []);
    row("value", typeof now.V[step.n] === "number" ? num(now.V[step.n]) : now.V[step.n] == null ? "freed" : `RMS ${short(now.V[step.n].r)}`);
    if (n.s || n.d) row("shape", `${shape(n) || "()"}${n.d ? " " + n.d : ""}`);
    row("gradient", n.g ? "wanted" : "not wanted");
    row("used by", users.length ? users.slice(0, 8).join(", ") + (users.length > 8 ? " …" : "") : "nothing: it is the result", "long");
  }
  box.replaceChildren(h("table", { class: "facts" }, rows), ...curve(step));
}

// The curve of an op in one variable, and what the step says about it: the point, and backward the tangent.
function curve(step) {
  const i = step.k === "c" ? step.from : step.n, n = N[i];
  if (!n.op || !OPS[n.op]) return [];
  const free = n.i.flatMap((j, p) => N[j].r === "constant" ? [] : [p]);
  if (free.length !== 1 || ["add", "sub", "mul", "div", "neg"].includes(n.op)) return [];
  const p = free[0], x = now.V[n.i[p]], constants = n.i.map(j => now.V[j]);
  if (constants.some((v, q) => q !== p && typeof v !== "number")) return [];
  const f = v => { const c = constants.slice(); c[p] = v; return OPS[n.op].f(...c, n.a || {}); };
  const points = typeof x === "number" ? [x] : x?.f ? [x.f].flat(9) : [];
  const reach = Math.min(50, Math.max(3, ...points.filter(Number.isFinite).map(v => 1.4 * Math.abs(v))));
  const W = 320, H = 190, xs = Array.from({ length: 161 }, (_, k) => -reach + k * reach / 80), ys = xs.map(f);
  const good = ys.filter(Number.isFinite);
  if (good.length < 8) return [];
  let lo = Math.min(0, ...good), hi = Math.max(0, ...good);
  const cap = points.length === 1 && Number.isFinite(f(points[0])) ? Math.max(3, 2.2 * Math.abs(f(points[0]))) : 60;
  lo = Math.max(lo, -cap); hi = Math.min(hi, cap);
  const room = 0.12 * (hi - lo) || 1; lo -= room; hi += room;
  const X = v => (v + reach) / 2 / reach * W, Y = v => H - (v - lo) / (hi - lo) * H;
  let d = "", pen = false;
  xs.forEach((v, k) => { const ok = Number.isFinite(ys[k]) && ys[k] > lo - 2 * room && ys[k] < hi + 2 * room; d += ok ? `${pen ? "L" : "M"}${X(v).toFixed(1)} ${Y(ys[k]).toFixed(1)}` : ""; pen = ok; });
  const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
  svg.append(s("line", { class: "axis", x1: 0, x2: W, y1: Y(0), y2: Y(0) }), s("line", { class: "axis", x1: X(0), x2: X(0), y1: 0, y2: H }), s("path", { class: "curve", d }));
  svg.append(s("text", { class: "tick", x: 2, y: Math.min(H - 3, Y(0) + 12) }, num(-reach).replace(/\.?0+$/, "")), s("text", { class: "tick", x: W - 2, y: Math.min(H - 3, Y(0) + 12), "text-anchor": "end" }, num(reach).replace(/\.?0+$/, "")));
  let words = `${n.op} at ${N[n.i[p]].n} = ${num(points[0])}`;
  if (points.length !== 1) words = points.length ? `${n.op} at each element of ${N[n.i[p]].n}` : n.op;
  if (step.k === "c" && step.l != null && !hidden(at) && points.length === 1) {
    const x = points[0], y = f(x), angle = Math.hypot(W / 2 / reach, step.l * H / (hi - lo)), len = 70 / angle;
    svg.append(s("line", { class: "tangent", x1: X(x - len), x2: X(x + len), y1: Y(y - len * step.l), y2: Y(y + len * step.l) }));
    words = `${n.op}: slope ${num(step.l)} at ${N[n.i[p]].n} = ${num(points[0])}`;
  }
  for (const v of points) if (Number.isFinite(f(v))) svg.append(s("circle", { class: "dot", cx: X(v), cy: Y(f(v)), r: points.length === 1 ? 6 : 3 }));
  svg.setAttribute("aria-label", words);
  return [h("figure", {}, h("figcaption", {}, words), svg)];
}

// ---- quiz ---------------------------------------------------------------------------------------------------------
function question(step) {
  const input = h("input", { inputmode: "text", autocomplete: "off", "aria-label": `contribution to the gradient of ${N[step.n].n}` });
  const said = h("span", { class: "said", role: "status" }, answers.get(at)?.said || "");
  return h("form", { class: "ask", onsubmit: e => { e.preventDefault(); answer(input.value, said); input.select(); } },
    h("label", {}, "+= "), input, h("button", {}, "Check"), said);
}
function answer(text, said) {
  const v = parse(text), step = now.steps[at], a = answers.get(at) || { tries: 0 };
  if (Number.isNaN(v)) { said.textContent = "type a number such as 0.5 or 1/2"; return; }
  const right = Math.abs(v - step.c) <= Math.max(1e-3, 0.01 * Math.abs(step.c));
  a.tries++;
  if (right || a.tries > 1) {
    a.open = true;
    a.right = right && a.tries === 1;
    a.said = right ? `✓ right${a.tries > 1 ? ", the second time" : ""}` : `✗ not quite: it is ${num(step.c)}`;
    answers.set(at, a);
    render();
    $("b-next").focus();
  } else {
    a.said = "✗ not quite: once more";
    answers.set(at, a);
    said.textContent = a.said;
    score();
  }
}
function score() {
  const done = [...answers.values()].filter(a => a.tries), right = done.filter(a => a.right).length;
  $("score").hidden = !quiz;
  put($("score"), `${right} of ${asked.size} right${D.quiz?.seed != null ? ` · ${D.quiz.seed}` : ""}`);
}

// ---- tools: what if, paths, zoom, C ----------------------------------------------------------------------------------
function open(name) {
  tool = tool === name ? "" : name;
  lone = -1;
  if (tool === "paths") picked = N[now.steps[at].n].g ? now.steps[at].n : N.findIndex(n => n.r === "parameter");
  panel();
  render();
  if (tool) ($("side").querySelector(".leaf input, .path") || $("side").querySelector("button")).focus();
}
function panel() {
  const side = $("side");
  side.hidden = !tool;
  side.className = tool;
  root.classList.toggle("tooled", !!tool);
  requestAnimationFrame(() => { fit(); follow(); });
  if (!tool) return side.replaceChildren();
  const title = { whatif: "What if?", paths: "Every path to the result", zoom: "Zoom", loop: "In C" }[tool];
  side.replaceChildren(h("h2", {}, title, h("button", { "aria-label": "Close", onclick: () => open(tool) }, "✕")), ...{ whatif: leaves, paths: routes, zoom, loop }[tool]());
}
function loop() {
  const [said, text] = D.loops[S[at].C];
  return [h("p", {}, said), ...text ? [h("pre", { tabindex: 0, "aria-label": "C text" }, text)] : []];
}
function leaves() {
  if (!D.live) return [h("p", {}, "A page can recompute graphs of single numbers whose ops are all in the formula table. This graph has tensors or other ops: change the script and step again.")];
  const rows = N.flatMap((n, i) => {
    if (n.op || n.r === "constant") return [];
    const reach = Math.max(5, 2 * Math.ceil(Math.abs(n.v)));
    const number = h("input", { type: "text", inputmode: "decimal", "aria-label": `value of ${n.n}`, "data-leaf": i });
    const slide = h("input", { type: "range", min: -reach, max: reach, step: "any", "aria-label": `${n.n}, slider`, tabindex: -1 });
    const label = h("div", { class: "leaf" }, h("b", {}, n.n), number, slide);
    const show = () => { number.value = minus(String(+now.V[i].toPrecision(6))); slide.value = now.V[i]; label.classList.toggle("changed", changed.has(i)); };
    const set = v => { if (v === n.v) changed.delete(i); else changed.set(i, v); label.classList.toggle("changed", changed.has(i)); recompute(); render(); };
    number.addEventListener("input", () => { const v = parse(number.value); if (!Number.isNaN(v)) { set(v); slide.value = v; } });
    slide.addEventListener("input", () => { set(Math.round(slide.value * 100) / 100); number.value = minus(String(now.V[i])); });
    show();
    return [label];
  });
  const result = h("p", { class: "math total" }, "");
  result.id = "result";
  return [h("p", {}, "Change a leaf: forward and backward are computed again, here."), ...rows, result, h("button", { onclick: reset }, "Back to the program's values")];
}
function reset() { changed.clear(); recompute(); panel(); render(); }

// Local derivatives per edge; the gradient is the sum over all paths of the products along them.
function slopes() {
  const out = new Map();
  for (const s of now.steps) if (s.k === "c") out.set(s.n, [...out.get(s.n) || [], s]);
  return out;
}
function allPaths(i) {
  const up = slopes(), count = new Map(), found = [];
  const size = j => j === D.root ? 1 : count.has(j) ? count.get(j) : null;
  const order = [...N.keys()].reverse();
  for (const j of order) if (j !== D.root) count.set(j, (up.get(j) || []).reduce((t, s) => t + (size(s.from) || 0), 0));
  const stack = [[i, []]];
  while (stack.length && found.length < PRODUCTS) {
    const [j, way] = stack.pop();
    if (j === D.root) { found.push(way); continue; }
    for (const s of (up.get(j) || []).slice().reverse()) if (size(s.from)) stack.push([s.from, [...way, s]]);
  }
  return { found, total: size(i) || 0 };
}
function routes() {
  if (picked < 0) return [h("p", {}, "No parameter is on the way to the result.")];
  const n = N[picked], { found, total } = allPaths(picked), numbers = found.every(w => w.every(s => s.l != null));
  const head = h("p", {}, "From ", h("b", {}, n.n), ` to `, h("b", {}, N[D.root].n), `: ${total === 1 ? "one path" : `${total.toLocaleString("en")} paths`}. `, "Along a path the local derivatives multiply; paths add up.");
  if (!found.length) return [h("p", {}, picked === D.root ? `${n.n} is the result itself: its gradient is 1.` : `No gradient flows from ${N[D.root].n} to ${n.n}.`)];
  const products = found.map(w => w.reduce((t, s) => t * s.l, 1));
  const rows = found.map((w, k) => h("button", { class: "path", "aria-current": lone === k, onclick: () => { lone = lone === k ? -1 : k; panel(); graph(); $("side").querySelectorAll(".path")[k].focus(); }, onfocus: () => {} },
    [n.n, ...w.map(s => N[s.from].n)].join(" → "),
    numbers && w.length ? math("soft", w.length > 12 ? `= ${num(products[k])}` : `${w.map(s => signed(s.l)).join(" · ")} = ${num(products[k])}`) : ""));
  const sum = products.reduce((a, b) => a + b, 0), out = [head, ...rows];
  if (!numbers) out.push(h("p", {}, "The local derivatives are matrices here, so the products are, too."));
  else if (total > found.length) out.push(h("p", { class: "total" }, `The first ${found.length} of ${total.toLocaleString("en")} paths are shown; all of them add up to ${num(gradientOf(picked))}.`));
  else out.push(math("sum total", frac(D.root, picked), " = ", found.length > 1 && found.length <= 6 ? products.map((v, k) => k ? signed(v) : num(v)).join(" + ") + " = " : "", h("span", { id: "pathsum", "data-sum": sum }, num(sum))));
  out.push(h("p", {}, "Click a value to see its paths; ↑ ↓ show one path alone."));
  return out;
}
function paths() {
  const svg = $("svg");
  svg.classList.toggle("lit", tool === "paths" && picked >= 0);
  svg.querySelectorAll(".on").forEach(e => e.classList.remove("on"));
  if (tool !== "paths" || picked < 0) return;
  const { found } = allPaths(picked), on = id => groups.get(id)?.classList.add("on");
  on(N[picked].box);
  (lone < 0 ? found : [found[lone]]).flat().forEach(st => {
    [st.e, "o" + st.from, "r" + st.from, N[st.from].box].forEach(on);
    if (st.l != null && st.e) put(texts.get(st.e)?.con, `× ${num(st.l)}`);
  });
}
// One cell of a tensor op: what met in it, forward (an op's step) or backward (a contribution's step).
function zoomed() {
  const step = now.steps[at], i = step.k === "c" ? step.from : step.n, z = D.zoom[i];
  const list = !z ? null : step.k === "c" ? z.b[step.p] : step.k === "op" ? z.f : null;
  return list && { step, i, z, list, columns: (N[step.n].s || [1]).at(-1) };
}
function zoom() {
  const about = zoomed(), flat = v => v == null ? [] : typeof v === "number" ? [v] : [v.f].flat(9);
  if (!about) {
    const words = D.live ? "Nothing to zoom into: every value here is already a single number."
      : ["leaf", "seed", "left"].includes(S[at].k) ? "There is nothing to zoom into at this step: go to an operation."
        : "This operation is too large to be spelled out in a page. In Python, viz.expand(tensor, (0, 0)) does it for one element.";
    return [h("p", {}, words)];
  }
  const { step, i, z, list } = about, back = step.k === "c";
  if (cell < 0 || cell >= list.length) cell = Math.floor(list.length / 2);
  const [lines, reads] = list[cell];
  const grid = (title, values, n, marked, isGrad, chosen) => {
    const columns = (n.s || [1]).at(-1) || 1, rows = [];
    for (let k = 0; k < values.length; k += columns) rows.push(values.slice(k, k + columns));
    return h("div", { class: isGrad ? "array g" : "array" }, h("p", {}, h("b", {}, title), " " + shape(n)), h("table", {}, rows.map((r, y) => h("tr", {}, r.map((v, x) => {
      const k = y * columns + x, on = marked.includes(k);
      return h("td", { class: chosen ? on ? "chosen" : "pick" : on ? "meets" : "rests", ...chosen ? { onclick: () => { cell = k; panel(); } } : {} }, short(v));
    })))));
  };
  const parts = N[i].i.map((j, p) => back && !reads[p]?.length ? "" : grid(z.ins[p], flat(now.V[j]), N[j], reads[p] || []));
  const result = back ? step.A ?? step.c : now.V[i];
  if (back) parts.unshift(grid(`∂${N[D.root].n}/∂${N[i].n}`, flat(N[i].G), N[i], reads.at(-1) || [], true));
  const last = lines.findLastIndex(line => /^\+?=/.test(line));
  const arrow = h("span", { class: "sign" }, "→"), name = back ? `∂${N[D.root].n}/∂${z.ins[step.p]}` : N[i].n;
  return [h("p", { class: "soft" }, `${N[i].n} = ${N[i].x}`), h("div", { class: "arrays" }, parts, arrow, grid(name, flat(result), N[step.n], [cell], back, true)),
    h("div", { id: "written" }, lines.map((line, k) => math(k === 0 ? "" : k === last ? "sum small" : "soft", line))),
    h("p", { class: "soft" }, "The arrow keys move the cell; PageUp and PageDown go on stepping.")];
}
function walk(by, across) {
  const about = zoomed();
  if (!about) return false;
  const next = cell + (across ? by * about.columns : by);
  if (next >= 0 && next < about.list.length) { cell = next; panel(); }
  return true;
}

// ---- one step -----------------------------------------------------------------------------------------------------
function render() {
  root.classList.toggle("back", phase() === "backward");
  put($("phase"), phase().toUpperCase());
  put($("count"), `step ${at + 1} of ${S.length}`);
  $("slider").value = at + 1;
  $("slider").setAttribute("aria-valuetext", `step ${at + 1} of ${S.length}, ${phase()}`);
  $("badge").hidden = !changed.size;
  put($("badge"), `what if ${[...changed].map(([i, v]) => `${N[i].n} = ${minus(String(+v.toPrecision(6)))}`).join(", ")}`);
  const press = (id, on) => $(id).setAttribute("aria-pressed", on);
  press("b-quiz", quiz); press("b-whatif", tool === "whatif"); press("b-paths", tool === "paths"); press("b-loop", tool === "loop");
  press("b-dark", root.classList.contains("dark")); press("b-presenter", root.classList.contains("presenter"));
  $("b-back").disabled = at === 0;
  $("b-next").disabled = at === S.length - 1;
  const p = place(now.steps[at]), note = p && D.files[p[0]].notes[p[1]];
  $("note").hidden = !(note && root.classList.contains("presenter"));
  put($("note"), note || "");
  if ($("result")) put($("result"), `${N[D.root].n} = ${num(now.V[D.root])}`);
  graph(); source(); explain(); check(); score();
  document.querySelectorAll("#svg .n").forEach(e => e.setAttribute("tabindex", e.id === N[now.steps[at].n].box ? 0 : -1));
}
function go(k) {
  if (!(k >= 0 && k < S.length)) return;
  if (k !== at) cell = -1;
  at = k;
  try {
    if (tool === "zoom" || tool === "loop") panel();
    render();
  } catch (error) { broken(error); throw error; }
  try { if (location.hash !== `#${at + 1}`) history.replaceState(null, "", `#${at + 1}`); } catch { /* a notebook's frame has no address */ }
}
// What could not be drawn must not be mistaken for the step: the words of the last one go.
function broken(error) {
  $("check").replaceChildren();
  $("explain").replaceChildren(h("h2", {}, `Step ${at + 1} cannot be shown`), h("p", { class: "error", role: "alert" }, `This page has a fault here (${error.message}). What the graph shows may belong to another step; the other steps are not affected.`));
}
const hash = () => { const k = parseInt(location.hash.slice(1), 10); if (k >= 1 && k <= S.length && k - 1 !== at) go(k - 1); };
function play() {
  if (timer) { clearInterval(timer); timer = 0; } else {
    if (at === S.length - 1) go(0);
    timer = setInterval(() => { if (at === S.length - 1 || hidden(at)) play(); else go(at + 1); }, 1500);
  }
  put($("b-play").firstChild, timer ? "❚❚ Pause" : "▶ Play");
}
function next() { if (at < S.length - 1) go(at + 1); }
function touching(box) {
  const inside = members.get(box) || [], hit = k => [S[k].n, S[k].from, ...S[k].k === "op" ? N[S[k].n].i : []].some(i => inside.includes(i));
  for (let k = 1; k <= S.length; k++) if (hit((at + k) % S.length)) return go((at + k) % S.length);
}
function clicked(box) {
  if (tool === "paths" && box[0] === "v") { picked = members.get(box)[0]; lone = -1; panel(); graph(); } else touching(box);
}
document.querySelectorAll("#svg .n").forEach(e => {
  const box = members.has(e.id) ? e.id : "v" + e.id.slice(1);
  e.setAttribute("role", "button");
  if (!members.has(e.id)) e.setAttribute("aria-label", `operation of ${N[+e.id.slice(1)]?.n}`);
  e.addEventListener("click", () => clicked(box));
  e.addEventListener("keydown", ev => { if (ev.key === "Enter") clicked(box); });
});

// ---- keys ---------------------------------------------------------------------------------------------------------
const KEYS = [
  ["← →", "one step back, one step on (also PageUp and PageDown: slide remotes)"], ["Home End", "first and last step"], ["space", "play, pause"],
  ["b", "where backward starts"], ["q", "quiz: the next number is hidden until you say it"], ["w", "what if: change a leaf, everything is computed again"],
  ["f", "full paths: every path from this value to the result"], ["z", "zoom into the arithmetic of a tensor operation"], ["c", "the loop in C that computes this step"], ["/", "find a name"],
  ["p", "presenter: large type, notes from “# viz: …” comments"], ["d", "dark"], ["?", "this help"], ["Esc", "close what is open"],
];
$("help").append(h("h2", {}, "Keys"), h("dl", {}, KEYS.map(([k, words]) => [h("dt", {}, k.split(" ").flatMap(x => [h("kbd", {}, x), " "])), h("dd", {}, words)])),
  h("p", {}, "A click on a value goes to the next step that touches it. The address ends in the step: #12."), h("form", { method: "dialog" }, h("button", {}, "Close")));
const toggle = name => { root.classList.toggle(name); fit(); render(); requestAnimationFrame(() => { fit(); follow(); }); };
const actions = {
  ArrowRight: () => tool === "zoom" && walk(1) || next(), PageDown: next, ArrowLeft: () => tool === "zoom" && walk(-1) || go(at - 1), PageUp: () => go(at - 1), Home: () => go(0), End: () => go(S.length - 1),
  " ": play, b: () => go(FIRST), q: () => { quiz = !quiz; render(); if (!quiz && document.activeElement?.closest?.(".ask")) $("b-next").focus(); },
  d: () => toggle("dark"), p: () => toggle("presenter"), w: () => open("whatif"), f: () => open("paths"), z: () => open("zoom"), c: () => open("loop"),
  "/": () => { $("find").hidden = false; put($("find-said"), ""); $("find-name").value = found; $("find-name").select(); },
  "?": () => $("help").open ? $("help").close() : $("help").showModal(),
  Escape: () => { if (!$("find").hidden) shut(); else if (tool) open(tool); else document.activeElement?.blur(); },
  ArrowDown: () => one(1), ArrowUp: () => one(-1),
};
function one(by) {
  if (tool === "zoom") walk(by, true);
  if (tool !== "paths") return;
  const { found } = allPaths(picked);
  if (found.length) { lone = (lone + by + found.length + (lone < 0 && by < 0 ? 1 : 0)) % found.length; panel(); graph(); }
}
function shut() { $("find").hidden = true; $("find-name").blur(); }
const NUMERIC = /^[0-9.,/eE+−-]$/;
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("help").open && e.key !== "?") return;
  const t = e.target, typing = t.tagName === "INPUT" && t.type !== "range", act = actions[e.key];
  if (!act) return;
  if (typing && !["PageDown", "PageUp", "Escape"].includes(e.key)) {
    if (t.id === "find-name") return;
    if (t.value && e.key.length > 1 || NUMERIC.test(e.key) || e.key === " ") return;
  }
  if (t.tagName === "BUTTON" && e.key === " ") return;
  if ((e.key === "ArrowDown" || e.key === "ArrowUp") && tool !== "paths" && tool !== "zoom") return;
  e.preventDefault();
  act();
});
$("find").addEventListener("submit", e => {
  e.preventDefault();
  found = $("find-name").value.trim();
  const order = S.map((_, k) => (at + 1 + k) % S.length), k = found ? order.find(k => N[S[k].n].n.includes(found)) : undefined;
  if (k === undefined) return put($("find-said"), "no such name");
  shut();
  go(k);
});
const button = (id, act) => $(id).addEventListener("click", e => { act(); if (e.detail) $(id).blur(); });
button("b-back", () => go(at - 1)); button("b-next", next); button("b-play", play); button("b-help", actions["?"]);
for (const [id, key] of [["b-quiz", "q"], ["b-whatif", "w"], ["b-paths", "f"], ["b-loop", "c"], ["b-presenter", "p"], ["b-dark", "d"]]) button(id, actions[key]);
$("slider").addEventListener("input", e => go(e.target.value - 1));
addEventListener("hashchange", hash);
addEventListener("resize", () => { fit(); follow(); });

if (matchMedia("(prefers-color-scheme: dark)").matches) root.classList.add("dark");
$("slider").max = S.length;
if (FIRST >= 0) root.style.setProperty("--split", `${100 * (FIRST - 0.5) / (S.length - 1)}%`);
if (D.quiz?.values) { Object.entries(D.quiz.values).forEach(([i, v]) => { if (v !== N[i].v) changed.set(+i, v); }); recompute(); }
fit();
const first = parseInt(location.hash.slice(1), 10);
go(first >= 1 && first <= S.length ? first - 1 : quiz && FIRST >= 0 ? FIRST : 0);
requestAnimationFrame(() => { fit(); follow(); });
