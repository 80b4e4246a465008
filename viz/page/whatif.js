// ---- what if, on tensors: each op is a program of scalar ops (replay.py), run forward and in reverse --------------
// What stands in the way of recomputing an op; empty if nothing does.
function obstacle(i) {
  const n = N[i];
  if (D.prog[i] || structure(i) || OPS[n.op] && [i, ...n.i].every(j => !N[j].s)) return "";
  if (n.own) return `${n.op} (${n.n}) is a Function written in Python, which a page cannot run`;
  if (n.op.startsWith("fractional")) return `${n.op} (${n.n}) drew its windows at random`;
  if (ALGEBRA_OPS.includes(n.op) && n.i.some(is_complex)) return `${n.op} (${n.n}) is of complex numbers, and the page solves equations of real ones`;
  if (D.zoom[i]) return `${n.op} (${n.n}) decides by the values of the moment, or has no formula`;
  return `${n.op} (${n.n}, ${shape(n) || "a number"}) is too large to be spelled out in a page, or has no formula`;
}
const TABLE = 1024;
const hurdles = new Map();
// Why an element of this leaf cannot be changed here. Its values pass through all that is computed from
// it; the gradients, through every op that wants one.
function hurdle(leaf) {
  if (hurdles.has(leaf)) return hurdles.get(leaf);
  const below = new Set([leaf]);
  const kind = N[leaf].d, count = reals(leaf)?.length;
  let why = kind && !GRAINS[kind] && !is_complex(leaf) ? `${N[leaf].n} holds ${kind}, not numbers that can be moved a little` : count === 0 ? `${N[leaf].n} has no elements` : count <= TABLE ? "" : `${N[leaf].n} is too large: up to 1,024 elements of a tensor can be typed over`;
  N.forEach((n, i) => {
    if (!n.op) return;
    if (n.i.some(j => below.has(j))) below.add(i);
    if (!why && (below.has(i) || n.g)) why = obstacle(i);
  });
  const lost = D.origins.find(o => below.has(o.of));
  if (!why && lost) why = N[lost.node].op ? `the places that ${N[lost.node].n} reads were chosen by ${N[lost.of].n} outside the graph (line ${lost.line}), and might be others` : `${N[lost.node].n} was made from ${N[lost.of].n} outside the graph (line ${lost.line}), and would change with it`;
  hurdles.set(leaf, why);
  return why;
}

// One op: the slots of its program. The last argument of an OPS function holds the static arguments.
function slots(i, W) {
  const n = N[i], p = D.prog[i];
  if (!p) return null;
  const out = p.i.map(([q, k]) => W[n.i[q]][k]).concat(p.c);
  for (let k = 0; k < p.o.length; k++) out.push(OPS[p.n[p.o[k][0]]].f(...p.o[k].slice(1).map(j => out[j]), n.a || {}));
  return out;
}
function forwardAll(given) {
  const W = [], T = [];
  N.forEach((n, i) => {
    if (given.has(i)) W[i] = rounded(i, given.get(i));
    else if (!n.op || obstacle(i)) W[i] = structures.get(i)?.held ?? reals(i);
    else if (D.prog[i]) { T[i] = slots(i, W); W[i] = D.prog[i].r.map(k => T[i][k]); }
    else if (structure(i)) W[i] = structure(i).f(n.i.map(j => W[j]));
    else W[i] = [OPS[n.op].f(...n.i.map(j => W[j][0]), n.a || {})];
    if (W[i]) W[i] = rounded(i, W[i]);
  });
  return { W, T };
}
// What an op sends to each operand, for the gradient `seed` of its result.
function backwardOne(i, W, T, seed) {
  const n = N[i], p = D.prog[i], zeros = n.i.map(j => W[j].map(() => 0));
  if (!p && structure(i)) { const d = structure(i).b(n.i.map(j => W[j]), W[i], seed); return zeros.map((z, q) => d[q] ?? z); }
  if (!p) return n.i.map((_, q) => [OPS[n.op].d[q] ? OPS[n.op].d[q](seed[0], W[i][0], ...n.i.map(j => W[j][0]), n.a || {}) : 0]);
  const g = T[i].map(() => 0), first = p.i.length + p.c.length;
  p.r.forEach((k, e) => { g[k] += seed[e]; });
  for (let k = p.o.length - 1; k >= 0; k--) {
    const [name, ...reads] = p.o[k], op = OPS[p.n[name]], at = first + k;
    if (g[at] !== 0) reads.forEach((j, q) => { if (op.d[q]) g[j] += op.d[q](g[at], T[i][at], ...reads.map(r => T[i][r]), n.a || {}); });
  }
  p.i.forEach(([q, k], j) => { zeros[q][k] += g[j]; });
  return zeros;
}
function tensors() {
  const { W, T } = forwardAll(changed), G = [], left = [], sent = new Map();
  for (const i of D.tops) G[i] = W[i].map(() => 1);
  const plus = (a, b) => a ? a.map((v, k) => v + b[k]) : b;
  for (const s of S) if (s.k === "left") G[s.n] = left[s.n] = elements(s.left);
  const steps = S.map(s => {
    if (!gives(s)) return s;
    if (s.k === "r") sent.set(s.from, { [s.p]: G[s.from].map(v => v / D.tops.length) });
    if (!sent.has(s.from)) sent.set(s.from, backwardOne(s.from, W, T, G[s.from]));
    const part = rounded(s.n, sent.get(s.from)[s.p]), old = G[s.n] ?? null;
    G[s.n] = rounded(s.n, plus(old, part));
    if (s.c == null) return { ...s, A: asValue(s.n, part), T: asValue(s.n, G[s.n]) };
    const l = s.l == null ? null : backwardOne(s.from, W, T, W[s.from].map(() => 1))[s.p][0];
    return { ...s, c: part[0], old: old && old[0], new: G[s.n][0], l };
  });
  // the finite difference at the element whose gradient is largest
  const measured = k => {
    const i = S[k].n, own = G[i].map((v, e) => v - (left[i]?.[e] || 0));
    if (!own.length) return null;
    const e = own.reduce((best, v, q) => Math.abs(v) > Math.abs(own[best]) ? q : best, 0), grain = GRAINS[N[i].d] || N.some(n => GRAINS[n.d]), step = 1e-5;
    exactly = true;
    const moved = by => forwardAll(new Map([...changed, [i, W[i].map((v, q) => q === e ? v + by : v)]])).W[top_of(i)][0];
    const finite = (moved(step) - moved(-step)) / 2 / step, error = Math.abs(own[e] - finite);
    const here = moved(0);
    const close = error <= (grain ? 2e-2 : 1e-5) * Math.max(1, Math.abs(own[e])), sides = [(here - moved(-step)) / step, (moved(step) - here) / step].sort((a, b) => a - b), room = 1e-3 * (sides[1] - sides[0]);
    const kink = !close && room > 1e-6 * Math.abs(own[e]) && sides[0] - room <= own[e] && own[e] <= sides[1] + room;
    exactly = false;
    const said = start.check[k]?.[4];
    if (!close && said?.startsWith(MEANT)) return [own[e], finite, error, 1, said];
    return [own[e], finite, error, +(close || kink), kink ? "at a kink" : N[i].s ? `at ${element_name(i, N[i].n, e)}` : "the derivative"];
  };
  now = { V: W.map((a, i) => a && (N[i].op || changed.has(i)) ? asValue(i, a) : N[i].v), G: G.map((a, i) => a && asValue(i, a)), steps, check: [], measured };
}

// The panel: a leaf's matrix, and the chosen element to type over.
const barred = i => copies(i).map(hurdle).find(Boolean) ?? "";
let leaf = -1, element = 0;
function whatif_tensors() {
  const all = changeable();
  if (leaf < 0) leaf = all.find(i => !barred(i)) ?? all[0] ?? -1;
  if (leaf < 0) return [h("p", {}, "There is no leaf to change.")];
  const tabs = h("p", { class: "leaves" }, all.map(i => h("button", { "aria-pressed": i === leaf, onclick: () => { leaf = i; element = 0; panel(); } }, one_name(i))));
  const why = barred(leaf), name = one_name(leaf), intro = h("p", {}, INTRO.replace("a leaf", "an element of a leaf")), result = h("p", { class: "math total", id: "result" }, results()), choice = h("p", { id: "choice" });
  if (why) return [intro, tabs, h("p", { class: "why" }, `${name} cannot be changed here: ${why}. Change the script and step again.`)];
  const n = N[leaf], original = reals(leaf), two = is_complex(leaf), values = changed.get(leaf) ?? original, write = (v, k) => two && k % 2 ? `${short(v)}i` : short(v);
  const grid = h("table", {}), last = (n.s || [1]).at(-1) || 1, columns = (n.s?.length === 1 ? Math.min(last, two ? 3 : 6) : last) * (two ? 2 : 1);
  for (let k = 0; k < values.length; k += columns) grid.append(h("tr", {}, values.slice(k, k + columns).map((v, x) => h("td", { class: k + x === element ? "chosen" : v !== original[k + x] ? "meets" : "pick", onclick: () => { element = k + x; panel(); $("side").querySelector("input").select(); } }, write(v, k + x)))));
  const reach = Math.max(5, 2 * Math.ceil(Math.abs(original[element])));
  const number = field(element_name(leaf, name, element), v => { set(v); slide.value = v; });
  number.value = minus(String(+values[element].toPrecision(6)));
  const slide = h("input", { type: "range", min: -reach, max: reach, step: "any", "aria-label": `${element_name(leaf, name, element)}, slider`, tabindex: -1 });
  slide.value = values[element];
  const set = v => {
    const a = (changed.get(leaf) ?? original).slice();
    a[element] = v;
    for (const i of copies(leaf)) if (a.every((x, k) => x === original[k])) changed.delete(i); else changed.set(i, a);
    grid.rows[Math.floor(element / columns)].cells[element % columns].textContent = write(v, element);
    recompute();
    render();
    said();
  };
  const said = () => { const other = repicked(); put(choice, other.length ? `${other.join(", ")} now ${other.length > 1 ? "pick" : "picks"} other places. Where the program used the places' numbers, as an index or in a comparison, the page keeps the old ones.` : ""); };
  slide.addEventListener("input", () => { const v = Math.round(slide.value * 100) / 100; set(v); number.value = minus(String(v)); });
  said();
  return [intro, tabs, h("div", { class: "array scroll" }, grid),
    h("div", { class: "leaf changed" }, h("b", {}, element_name(leaf, name, element)), number, slide), result, choice, h("button", { onclick: reset }, "Back to the program's values")];
}
