// The stepper's page: everything shown is a function of the data, the step `at`, and a few switches.
// User strings reach the page as text nodes only. OPS (the formulas) stands above this script.
// elements.js stands above it, too.
const N = D.nodes, S = D.steps;
const FIRST = S.findIndex(s => s.k === "seed");
const PRODUCTS = 64;

let at = 0, timer = 0, tool = "", picked = -1, lone = -1, cell = -1, quiz = !!D.quiz, found = "";
const answers = new Map();
const asked = new Set(D.quiz ? D.quiz.ask : S.flatMap((s, k) => s.c != null || D.zoom[s.from]?.b[s.p]?.length ? [k] : []));

// ---- numbers, besides those of elements.js ------------------------------------------------------------------------
const exact = v => special(v) || (plain(v) ? minus(v.toFixed(6)) : minus(v.toExponential(5).replace("+", "")));
const signed = v => v < 0 ? `(${num(v)})` : num(v);
const SEVERAL = "several results";
const shape = n => n.m ? SEVERAL : n.s ? `(${n.s.join(", ")}${n.s.length === 1 ? "," : ""})` : "";

// ---- state: values, and what each step brings; recomputed only when a leaf is changed ------------------------------
const start = { V: N.map(n => n.v), steps: S, check: S.map(s => s.check) };
let now = start;
const changed = new Map();
// Of several processes each has a result of its own, from which its gradients come.
const top_of = i => N[i].t ?? D.root;
// Does a step add to a gradient? "c": a contribution of an operation; "r": a process's share of an average.
const gives = s => s.k === "c" || s.k === "r";
// A tensor of one element is that number; of any other value its size is told.
const single = v => { const a = v?.f === undefined ? [v] : [v.f].flat(9); return a.length === 1 ? a[0] : v; };
const told = v => { const a = single(v); return a == null || typeof a !== "object" ? num(a) : `rms ${short(a.r)}`; };
// Numbers that count or pick have no size: of them it is from where to where.
const told_of = i => { const v = single(now.V[i]); return v?.r !== undefined && /^(u?int|bool)/.test(N[i].d || "") ? `${short(v.lo)} to ${short(v.hi)}` : told(v); };
const results = () => D.tops.map(i => `${N[i].n} = ${told(now.V[i])}`).join(", ");

function forward(leaves) {
  const V = N.map(n => n.v);
  for (const [i, v] of leaves) V[i] = v;
  N.forEach((n, i) => { if (n.op) V[i] = OPS[n.op].f(...n.i.map(j => V[j]), n.a || {}); });
  return V;
}

// Backward again, in the order of the steps: each contribution is g times the op's derivative.
function recompute() {
  if (!changed.size) { now = start; return; }
  if (D.over) return push_again();
  if (!D.live) return tensors();
  const V = forward(changed), G = [], left = [];
  for (const i of D.tops) G[i] = 1;
  for (const s of S) if (s.k === "left") G[s.n] = left[s.n] = s.left;
  const slope = (s, g) => {
    const n = N[s.from];
    return OPS[n.op].d[s.p](g, V[s.from], ...n.i.map(j => V[j]), n.a || {});
  };
  const steps = S.map(s => {
    if (!gives(s)) return s;
    const c = s.k === "r" ? G[s.from] / D.tops.length : slope(s, G[s.from]), old = G[s.n] ?? null;
    G[s.n] = old === null ? c : old + c;
    return { ...s, c, old, new: G[s.n], l: s.k === "r" ? null : slope(s, 1) };
  });
  const check = steps.map(s => s.k === "c" ? difference(s.n, V, G[s.n] - (left[s.n] || 0)) : null);
  now = { V, steps, check };
}

function difference(i, V, analytic) {
  const h = 1e-5, moved = e => {
    const W = V.slice();
    W[i] += e;
    for (let k = i + 1; k < N.length; k++) if (N[k].op) W[k] = OPS[N[k].op].f(...N[k].i.map(j => W[j]), N[k].a || {});
    return W[top_of(i)];
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
    else if (s.k === "p") {
      seen.add(s.n);
      if (j <= last) grads.set(s.n, { v: s.c ?? s.A, done: true });
      for (const [p, v] of Object.entries(s.terms)) given.set(s.e[p], v);
    } else if (s.k === "left") grads.set(s.n, { v: s.left, done: false });
    else if (s.k === "seed") grads.set(s.n, { v: 1, done: true });
    else if (j <= last) {
      const before = grads.get(s.n);
      grads.set(s.n, { v: N[s.n].m ? null : s.new ?? s.T ?? (before ? add(before.v, s.A) : s.A), done: s.last }); // of several results no sum
      if (s.k === "r") seen.add(s.n);
      if (s.e) given.set(s.e, s.c ?? s.A);
    }
  }
  N.forEach((n, i) => { if (n.r === "constant") seen.add(i); });
  return { seen, grads, given };
}
const add = (a, b) => a && b && a.f && b.f ? summary(sum(a.f, b.f)) : null;
const sum = (a, b) => Array.isArray(a) ? a.map((x, k) => sum(x, b[k])) : a + b;
const summary = f => { const x = [f].flat(9); return { f, r: Math.sqrt(x.reduce((t, v) => t + v * v, 0) / (x.length || 1)), lo: Math.min(...x), hi: Math.max(...x) }; };
const hidden = k => quiz && asked.has(k) && !(answers.get(k) || {}).open;

// ---- words and formulas -------------------------------------------------------------------------------------------
const atom = name => /[ ·×+/]/.test(name) && !name.endsWith("⁾") ? `(${name})` : name;
const frac = (a, b) => h("span", { class: "frac" }, h("span", {}, "∂", term(a, atom(N[a].n))), h("span", { class: "apart" }, "/"), h("span", {}, "∂", term(b, atom(N[b].n))));
const math = (kind, ...inner) => h("p", { class: `math ${kind}` }, ...inner);
// a rule as Python wrote it, with the gradient of `i` set as a fraction
const withFraction = (text, i) => text.split(`∂${atom(N[top_of(i)].n)}/∂${atom(N[i].n)}`).flatMap((part, k) => [k ? frac(top_of(i), i) : "", ...terms(part, [i, ...N[i].i])]);
const fill = (text, grads) => text.replace(/\{(g?)(\d+)\}/g, (_, g, i) => { const t = num(g ? grads(+i) : single(now.V[i])); return t.startsWith("−") ? `(${t})` : t; });
const gradientOf = i => i === top_of(i) && !D.over ? 1 : now.steps.findLast(s => (s.k === "c" || s.k === "p") && s.n === i)?.new;

function array(title, a, n, isGrad) {
  if (a == null) return "";
  const head = h("p", {}, h("b", {}, title), n ? " " + shape(n) : "");
  if (typeof a === "number") return h("div", { class: isGrad ? "array g" : "array" }, head, h("table", {}, h("tr", {}, h("td", {}, num(a)))));
  if (n?.m) return h("div", { class: "array" }, h("p", {}, h("b", {}, title), isGrad ? "" : ` ${SEVERAL}, one after the other in the next steps`), isGrad && a.f ? matrix({ title: "", values: flat(a), n: { s: [flat(a).length] }, isGrad }) : "");
  let rows = a.f ?? a.c, note = "";
  if (!rows || !flat(a).length && a.f) return h("div", { class: "array" }, head, h("p", {}, "no elements"));
  while (Array.isArray(rows[0]?.[0])) { rows = rows.flat(1); note = "leading dimensions stacked"; }
  if (!Array.isArray(rows)) rows = [[rows]];
  if (!Array.isArray(rows[0])) rows = [rows];
  const words = `from ${short(a.lo)} to ${short(a.hi)}, rms ${short(a.r)}`;
  if (a.f && n) return matrix({ title, values: rows.flat(9), n, isGrad, node: N.indexOf(n), marked: zoomed() && n === N[now.steps[at].n] ? [cell] : [] });
  if (a.f && rows.length <= span && (rows[0]?.length ?? 0) <= span) {
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

