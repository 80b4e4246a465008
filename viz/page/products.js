// ---- products: ops that the page knows by their shapes and arguments ----------------------------------------------
// Where an op is linear in each operand, it is a list of terms: to element K of the result goes the
// product of element A of operand `p` and element B of operand `q` (or a constant C). Its value, its
// gradients, the cells that meet and the sum written out are all read off that one list. Other ops are
// a pair of functions. What is computed here is compared with Python's value before it is used.
const MOST_TERMS = 200000;
const sizeOf = s => s.reduce((a, b) => a * b, 1);
const shapeOf = i => N[i].s || [];
const flatten = (at, s) => at.reduce((k, x, d) => k * s[d] + x, 0);
function each(s, f) { // all places of a shape, in row-major order
  const at = s.map(() => 0), n = sizeOf(s);
  for (let k = 0; k < n; k++) {
    f(at, k);
    for (let d = s.length - 1; d >= 0 && ++at[d] === s[d]; d--) at[d] = 0;
  }
}
// Of each element of `out` the element of an operand of shape `s` that broadcasting puts there.
function spread(s, out) {
  const lead = out.length - s.length, map = new Int32Array(sizeOf(out));
  each(out, (at, k) => { map[k] = flatten(s.map((n, d) => n === 1 ? 0 : at[d + lead]), s); });
  return map;
}
const list = (kind, more) => ({ kind, p: 0, q: -1, K: [], A: [], B: [], C: [], plus: -1, ...more });
const term_of = (l, k, a, b, c) => { l.K.push(k); l.A.push(a); l.B.push(b); l.C.push(c); };
const axes = (dim, rank) => (dim == null ? [...Array(rank).keys()] : [dim].flat()).map(d => d < 0 ? d + rank : d);

function windows_of(y, kernel, { stride, padding, dilation = stride.map(() => 1) }, x, f) {
  const reach = x.slice(2);
  each(y, (at, k) => each(kernel, u => {
    const spot = u.map((v, d) => at[d + 2] * stride[d] - padding[d][0] + v * dilation[d]);
    if (spot.every((v, d) => v >= 0 && v < reach[d])) f(at, k, u, spot);
  }));
}
function convolution(i, geometry) {
  const [x, w] = N[i].i.map(shapeOf), y = shapeOf(i), l = list("window", { q: 1, plus: N[i].i.length > 2 ? 2 : -1, where: k => Math.floor(k / sizeOf(y.slice(2))) % y[1] });
  const group = y[1] / geometry.groups;
  if (sizeOf(y) * sizeOf(w.slice(1)) > MOST_TERMS) return null;
  windows_of(y, w.slice(2), geometry, x, (at, k, u, spot) => {
    for (let c = 0; c < w[1]; c++) term_of(l, k, flatten([at[0], Math.floor(at[1] / group) * w[1] + c, ...spot], x), flatten([at[1], c, ...u], w), 1);
  });
  return l;
}
// The same windows the other way round: each element of x is laid, times the kernel, onto the result.
function transposed(i, geometry) {
  const [x, w] = N[i].i.map(shapeOf), y = shapeOf(i), l = list("window", { q: 1, plus: N[i].i.length > 2 ? 2 : -1, where: k => Math.floor(k / sizeOf(y.slice(2))) % y[1] });
  const group = x[1] / geometry.groups;
  if (sizeOf(x) * sizeOf(w.slice(1)) > MOST_TERMS) return null;
  windows_of(x, w.slice(2), geometry, y, (at, a, u, spot) => {
    for (let c = 0; c < w[1]; c++) term_of(l, flatten([at[0], Math.floor(at[1] / group) * w[1] + c, ...spot], y), a, flatten([at[1], c, ...u], w), 1);
  });
  return l;
}
function average(i, geometry) {
  const x = shapeOf(N[i].i[0]), y = shapeOf(i), l = list("window");
  const divisor = at => at.slice(2).reduce((d, k) => Array.isArray(d) ? d[k] : d, geometry.divisor);
  windows_of(y, geometry.kernel, geometry, x, (at, k, u, spot) => term_of(l, k, flatten([at[0], at[1], ...spot], x), -1, 1 / divisor(at)));
  return l;
}
// The largest of each window: which one it is, the values decide.
function largest(i, geometry) {
  const x = shapeOf(N[i].i[0]), y = shapeOf(i), l = list("window", { choose: true });
  windows_of(y, geometry.kernel, geometry, x, (at, k, u, spot) => term_of(l, k, flatten([at[0], at[1], ...spot], x), -1, 1));
  return l;
}
// Windows of nearly equal sizes that cover the image, as many as there are results.
function binned(i) {
  const x = shapeOf(N[i].i[0]), y = shapeOf(i), l = list("reduce", { choose: true });
  each(y, (at, k) => {
    const first = at.map((v, d) => d < 2 ? v : Math.floor(v * x[d] / y[d])), reach = at.map((v, d) => d < 2 ? 1 : Math.ceil((v + 1) * x[d] / y[d]) - first[d]);
    each(reach, u => term_of(l, k, flatten(u.map((v, d) => first[d] + v), x), -1, 1));
  });
  return l;
}
// The gradient of a convolution's kernel, as an op: each element is a sum over the windows in which it met the image.
function kernels(i, geometry) {
  const [x, g] = N[i].i.map(shapeOf), w = shapeOf(i), group = g[1] / geometry.groups, l = list("product", { q: 1 });
  if (sizeOf(g) * sizeOf(w.slice(1)) > MOST_TERMS) return null;
  windows_of(g, w.slice(2), geometry, x, (at, k, u, spot) => {
    for (let c = 0; c < w[1]; c++) term_of(l, flatten([at[1], c, ...u], w), flatten([at[0], Math.floor(at[1] / group) * w[1] + c, ...spot], x), k, 1);
  });
  return l;
}
function product(i) {
  const [x, w] = N[i].i.map(shapeOf), y = shapeOf(i), inner = x.at(-1), l = list("product", { q: 1 });
  if (sizeOf(y) * inner > MOST_TERMS) return null;
  const columns = w.length > 1 ? w.at(-1) : 1, rows = x.length > 1 ? x.at(-2) : 1, lead = y.slice(0, y.length - (x.length > 1) - (w.length > 1));
  const X = spread(x.slice(0, -2), lead), Y = spread(w.slice(0, -2), lead);
  for (let k = 0; k < sizeOf(y); k++) {
    const c = k % columns, r = Math.floor(k / columns) % rows, n = Math.floor(k / columns / rows);
    for (let m = 0; m < inner; m++) term_of(l, k, (X[n] * rows + r) * inner + m, (Y[n] * inner + m) * columns + c, 1);
  }
  return l;
}
function affine(i) {
  const [x, w] = N[i].i.map(shapeOf), y = shapeOf(i), inner = x.at(-1), units = w.length > 1 ? w[0] : 1, l = list("product", { q: 1, plus: N[i].i.length > 2 ? 2 : -1, where: k => k % units });
  if (sizeOf(y) * inner > MOST_TERMS) return null;
  for (let k = 0; k < sizeOf(y); k++) for (let m = 0; m < inner; m++) term_of(l, k, Math.floor(k / units) * inner + m, k % units * inner + m, 1);
  return l;
}
const total = mean => (i, { dim }) => {
  const x = shapeOf(N[i].i[0]), l = list("reduce"), over = axes(dim, x.length), rest = x.map((n, d) => over.includes(d) ? 1 : n), to = spread(rest, x);
  for (let a = 0; a < to.length; a++) term_of(l, to[a], a, -1, mean ? sizeOf(rest) / sizeOf(x) : 1);
  return l;
};
const moved = places => (i, given) => {
  const l = list("move"), x = shapeOf(N[i].i[0]), to = places(x, shapeOf(i), given);
  for (let k = 0; k < to.length; k++) term_of(l, k, to[k], -1, 1);
  return l;
};
const same = (x, y) => Int32Array.from({ length: sizeOf(y) }, (_, k) => k);
const turned = (x, y, order) => { const map = new Int32Array(sizeOf(y)); each(y, (at, k) => { const from = []; order.forEach((d, e) => { from[d] = at[e]; }); map[k] = flatten(from, x); }); return map; };
const swapped = (rank, a, b) => { const order = [...Array(rank).keys()], d = axes([a, b], rank); [order[d[0]], order[d[1]]] = [order[d[1]], order[d[0]]]; return order; };

// The rows of a tensor along one dimension, for ops that normalise each of them.
const rows_along = (i, { dim }) => rows_of(shapeOf(N[i].i[0]), dim);
function rows_of(x, dim) {
  const d = axes(dim, x.length)[0] ?? 0, inner = sizeOf(x.slice(d + 1)), n = x[d] ?? 1;
  return Array.from({ length: sizeOf(x) / n }, (_, r) => Array.from({ length: n }, (_, k) => (Math.floor(r / inner) * n + k) * inner + r % inner));
}
const per_row = (value, slope) => (i, given) => {
  const rows = rows_along(i, given), over = (f, ...arrays) => { const out = arrays[0].slice(); for (const r of rows) f(...arrays.map(a => r.map(k => a[k]))).forEach((v, k) => { out[r[k]] = v; }); return out; };
  return { kind: "rows", rows, f: ([x]) => over(value, x), b: (_, y, g) => [over(slope, y, g)] };
};
const exps = x => { const top = Math.max(...x); return x.map(v => Math.exp(v - top)); };
const plus_all = x => x.reduce((a, b) => a + b, 0);
const soft = x => { const e = exps(x), t = plus_all(e); return e.map(v => v / t); };
const log_soft = x => { const top = Math.max(...x), t = Math.log(plus_all(exps(x))) + top; return x.map(v => v - t); };

const scale = ({ reduction }, n) => reduction === "mean" ? 1 / n : 1;
function squares(i, given) {
  const [x, y] = N[i].i.map(shapeOf), whole = given.reduction !== "none", n = sizeOf(x), c = scale(given, n);
  if (String(x) !== String(y)) return null;
  return { kind: "loss", f: ([a, b]) => { const d = a.map((v, k) => (v - b[k]) ** 2); return whole ? [c * plus_all(d)] : d; },
    b: ([a, b], _, g) => { const d = a.map((v, k) => 2 * c * (v - b[k]) * g[whole ? 0 : k]); return [d, d.map(v => -v)]; } };
}
function likelihood(i, given) {
  const x = shapeOf(N[i].i[0]), classes = x[1], target = elements(N[N[i].i[1]]?.v);
  if (x.length !== 2 || N[i].i.length > 2 || !target || target.some(t => t === given.ignore_index)) return null;
  const whole = given.reduction !== "none", c = scale(given, x[0]), at = target.map((t, r) => r * classes + t);
  return { kind: "loss", f: ([a]) => { const d = at.map(k => -a[k]); return whole ? [c * plus_all(d)] : d; },
    b: ([a], _, g) => { const d = a.map(() => 0); at.forEach((k, r) => { d[k] = -c * g[whole ? 0 : r]; }); return [d]; } };
}
// Of probabilities: logarithms not below −100, as PyTorch has it (nn/functional/probabilities.py).
function crossed(i) {
  const sizes = N[i].i.map(j => sizeOf(shapeOf(j))), ln = v => Math.max(Math.log(v), -100), one = v => Math.max(Math.log1p(-v), -100);
  if (sizes.some(n => n !== sizes[0])) return null;
  return { kind: "loss", f: ([x, y]) => x.map((v, k) => (y[k] - 1) * one(v) - y[k] * ln(v)),
    b: ([x, y], _, g) => [x.map((v, k) => g[k] * (v - y[k]) / Math.max(v * (1 - v), 1e-12)), x.map((v, k) => g[k] * (Math.log1p(-v) - Math.log(v)))] };
}
const STRUCTURES = {
  BinaryCrossEntropy: crossed,
  conv2d: convolution, conv3d: convolution, conv_transpose2d: transposed, conv_transpose3d: transposed, avg_pool2d: average, avg_pool3d: average, max_pool2d: largest, max_pool3d: largest,
  adaptive_max_pool2d: binned, adaptive_max_pool3d: binned, conv2d_weight: kernels, conv3d_weight: kernels, ctc_loss: typeof readings === "function" ? readings : () => null,
  matmul: product, linear: affine, sum: total(false), mean: total(true), softmax: per_row(soft, (y, g) => { const t = plus_all(y.map((v, k) => v * g[k])); return y.map((v, k) => v * (g[k] - t)); }),
  log_softmax: per_row(log_soft, (y, g) => { const t = plus_all(g); return y.map((v, k) => g[k] - Math.exp(v) * t); }), mse_loss: squares, nll_loss: likelihood,
  steps: moved(same), output: (i, { index }) => { // of several results: one after the other, or the parts of one
    const sizes = structure(N[i].i[0])?.sizes, n = sizeOf(shapeOf(i)), first = sizes ? plus_all(sizes.slice(0, index)) : index * n;
    if (!sizes) return moved(() => Int32Array.from({ length: n }, (_, k) => first + k))(i);
    return { kind: "move", f: ([x]) => x.slice(first, first + n), b: ([x], _, g) => { const d = x.map(() => 0); g.forEach((v, k) => { d[first + k] = v; }); return [d]; } };
  },
  reshape: moved(same), squeeze: moved(same), unsqueeze: moved(same), expand: moved((x, y) => spread(x, y)), t: moved((x, y) => turned(x, y, x.length > 1 ? [1, 0] : [0])),
  ...PICKS, ...NORMS, ...typeof ALGEBRA === "object" ? ALGEBRA : {}, permute: moved((x, y, { dims }) => turned(x, y, axes(dims, x.length))), transpose: moved((x, y, { dim0, dim1 }) => turned(x, y, swapped(x.length, dim0, dim1))),
};
// One formula for every element: the op of the table, over arrays that broadcast.
function by_element(i) {
  const n = N[i], y = shapeOf(i), maps = n.i.map(j => spread(shapeOf(j), y)), op = OPS[n.op], a = n.a || {};
  return { kind: "map", maps, f: W => Array.from({ length: sizeOf(y) }, (_, k) => op.f(...W.map((x, q) => x[maps[q][k]]), a)),
    b: (W, out, g) => W.map((x, q) => { const d = x.map(() => 0); if (op.d[q]) g.forEach((s, k) => { d[maps[q][k]] += op.d[q](s, out[k], ...W.map((v, r) => v[maps[r][k]]), a); }); return d; }) };
}

// ---- running a list of terms --------------------------------------------------------------------------------------
// Of a window that keeps its largest element: the term of each result that won, the first of equals.
function winners(l, X, size) {
  const won = new Int32Array(size).fill(-1);
  l.K.forEach((k, t) => { if (won[k] < 0 || X[l.A[t]] > X[l.A[won[k]]] || Number.isNaN(X[l.A[t]])) won[k] = t; });
  return won;
}
function run_terms(l, W, size) {
  const out = Array(size).fill(0), X = W[l.p], Y = l.q < 0 ? null : W[l.q];
  if (l.choose) { winners(l, X, size).forEach((t, k) => { out[k] = X[l.A[t]]; }); return out; }
  for (let t = 0; t < l.K.length; t++) out[l.K[t]] += X[l.A[t]] * l.C[t] * (Y ? Y[l.B[t]] : 1);
  if (l.plus >= 0) for (let k = 0; k < size; k++) out[k] += W[l.plus][l.where(k)];
  return out;
}
function back_terms(l, W, g) {
  const out = W.map(x => x.map(() => 0)), X = W[l.p], Y = l.q < 0 ? null : W[l.q];
  if (l.choose) { winners(l, X, g.length).forEach((t, k) => { out[l.p][l.A[t]] += g[k]; }); return out; }
  for (let t = 0; t < l.K.length; t++) {
    const s = g[l.K[t]] * l.C[t];
    out[l.p][l.A[t]] += s * (Y ? Y[l.B[t]] : 1);
    if (Y) out[l.q][l.B[t]] += s * X[l.A[t]];
  }
  if (l.plus >= 0) g.forEach((s, k) => { out[l.plus][l.where(k)] += s; });
  return out;
}

// The structure of an op; null where the page knows none, or where it would not give Python's value.
const structures = new Map(), ALGEBRA_OPS = typeof ALGEBRA === "object" ? Object.keys(ALGEBRA) : [];
function structure(i) {
  if (N[i].op === "output") structure(N[i].i[0]);
  if (!structures.has(i)) structures.set(i, found_structure(i));
  return structures.get(i);
}
function found_structure(i) {
  const n = N[i], several = ALGEBRA_OPS.includes(n.op) && !sizeOf(shapeOf(i)), held = j => structures.get(j)?.held ?? elements(N[j].v), W = n.i.map(held), out = elements(n.v);
  if (several && n.q && W.every(Boolean)) { const l = algebra(i); if (l) l.held = l.f(W); return l; } // its results are compared
  if (!n.op || !out || W.some(x => !x) || [i, ...n.i].some(j => N[j].d === "bool" || N[j].d?.startsWith("complex"))) return null;
  const l = n.q && STRUCTURES[n.op] ? STRUCTURES[n.op](i, n.q) : OPS[n.op] && !n.j ? by_element(i) : null;
  if (!l) return null;
  if (l.K) { l.f = V => run_terms(l, V, out.length); l.b = (V, _, g) => back_terms(l, V, g); }
  const size = Math.max(1, ...out.map(Math.abs).filter(Number.isFinite)), room = GRAINS[n.d] ? 2 ** (1 - GRAINS[n.d][0]) : 1e-4;
  return rounded(i, l.f(W)).every((v, k) => Object.is(v, out[k]) || Math.abs(v - out[k]) <= room * size) ? l : null;
}

// ---- the cells of a step, read off the terms ----------------------------------------------------------------------
// By element of the result (or of the operand's gradient): the terms in its sum.
const gathered = new Map();
function gather(i, p) {
  const key = `${i}:${p}`, l = structure(i);
  if (!gathered.has(key)) {
    const of = p == null ? l.K : p === l.p ? l.A : p === l.q ? l.B : null, out = new Map();
    const put_at = (k, t) => { if (out.has(k)) out.get(k).push(t); else out.set(k, [t]); };
    if (of) for (let t = 0; t < of.length; t++) put_at(of[t], t);
    else for (let k = 0; k < sizeOf(shapeOf(i)); k++) put_at(l.where(k), k);
    gathered.set(key, out);
  }
  return gathered.get(key);
}
// A cell of a step as factors: [[name, value, is it a gradient?], ...] per term, and what is read.
function cell_terms(i, p, k) {
  const l = structure(i), own = gather(i, p).get(k) || [], W = N[i].i.map(j => elements(now.V[j])), back = p != null;
  const g = back ? elements(now.measured ? now.G[i] : N[i].G) : null, name = q => operand_names(i)[q], up = `∂${N[D.root].n}/∂${N[i].n}`;
  const reads = N[i].i.map(() => new Set()), seeds = new Set(), out = [];
  const operand = (q, e) => { reads[q].add(e); return { text: called(name(q), e, shapeOf(N[i].i[q])), v: W[q][e], q, e }; };
  const seed = e => { seeds.add(e); return { text: called(up, e, shapeOf(i)), v: g[e], g: true, e }; };
  const won = l.choose ? winners(l, W[l.p], sizeOf(shapeOf(i))) : null;
  for (const t of own) {
    if (back && p === l.plus) { out.push({ t, factors: [seed(t)] }); continue; }
    if (won && back && won[l.K[t]] !== t) continue;
    const factors = back ? [seed(l.K[t])] : [];
    if (p !== l.p && !(won && back)) factors.push(operand(l.p, l.A[t]));
    if (l.q >= 0 && p !== l.q) factors.push(operand(l.q, l.B[t]));
    out.push({ t, factors, c: l.C[t], won: won && !back ? won[k] === t : undefined });
  }
  const bias = !back && l.plus >= 0 ? operand(l.plus, l.where(k)) : null;
  for (const term of out) term.v = term.factors.reduce((v, f) => v * f.v, term.c ?? 1);
  return { l, terms: out, bias, reads: [...reads.map(r => [...r]), [...seeds]] };
}
const operand_names = i => D.zoom[i]?.ins ?? N[i].i.map((j, p) => N[j].n + "*".repeat(N[i].i.slice(0, p).filter(q => q === j).length));

// The sum as one writes it, of three digits: so many decimals that what is printed adds up; of many terms the largest.
const WRITTEN = 6, LARGEST_FEW = 3;
function written_sum(values, sum) {
  for (let d = 2; d <= 6; d++) {
    const r = v => Math.round(v * 10 ** d);
    if ((Math.abs(r(sum)) >= 100 || sum === 0 || d > 4) && values.reduce((t, v) => t + r(v), 0) === r(sum)) return { d, exact: true };
  }
  return { d: 4, exact: false };
}
const fixed = (v, d) => { const a = Math.abs(v); return special(v) || (v !== 0 && (a < 0.5 * 10 ** -d || a >= 1e7) ? scientific(v) : minus(v.toFixed(d))); };
const signed_fixed = (v, d) => v < 0 ? `(${fixed(v, d)})` : fixed(v, d);
// Enough digits that the factors, multiplied as they are printed, give the product.
function digits(f, product_digits) {
  for (let d = 0; d < 6; d++) if (Math.abs(+f.v.toFixed(d) - f.v) <= 0.2 * 10 ** -product_digits / Math.max(1, f.with || 1)) return d;
  return 6;
}
function times(term, d) {
  const coefficient = term.c != null && term.c !== 1 ? [`${minus(String(+term.c.toPrecision(4)))}`] : [];
  return [...coefficient, ...term.factors.map((f, k) => signed_fixed(f.v, digits({ v: f.v, with: term.factors.reduce((t, o, m) => m === k ? t : t * Math.abs(o.v), 1) }, d)))].join(" · ");
}
// [lines, reads] of one cell: what grids.py writes for small ops.
function told_cell(i, p, k) {
  const back = p != null, about = cell_terms(i, p, k), { terms: all, bias, l } = about, j = back ? N[i].i[p] : i;
  const left = called(back ? `∂${N[D.root].n}/∂${operand_names(i)[p]}` : N[i].n, k, shapeOf(j));
  if (l.choose && !back) {
    const best = all.find(t => t.won) ?? all[0];
    return [[`${left} = the largest of ${all.length}`, `= max(${all.map(t => short(t.v)).join(", ")})`, `= ${short(best.v)}`], about.reads, about];
  }
  if (!all.length) return [[`${left} = 0: ${l.choose ? "it was not the largest of any window" : "nothing reads it"}`, "= 0"], about.reads, about];
  const values = [...all.map(t => t.v), ...bias ? [bias.v] : []], sum = plus_all(values), { d, exact } = written_sum(values, sum);
  const names = t => [...t.c != null && t.c !== 1 ? [minus(String(+t.c.toPrecision(3)))] : [], ...t.factors.map(f => f.text)].join("·");
  const few = values.length <= WRITTEN, top = few ? all : [...all].sort((a, b) => Math.abs(b.v) - Math.abs(a.v)).slice(0, LARGEST_FEW);
  about.written = top;
  about.few = few;
  const rule = few ? top.map(names).join(" + ") : `Σ of ${all.length} ${l.q < 0 && !back ? "elements" : "products"}`;
  const lines = [`${left} = ${rule}${bias ? ` + ${bias.text}` : ""}`];
  if (few) lines.push(`= ${top.map(t => times(t, d)).join(" + ")}${bias ? ` + ${signed_fixed(bias.v, d)}` : ""}`);
  else {
    const round = v => Math.round(v * 10 ** d) / 10 ** d, rest = round(round(sum) - plus_all(top.map(t => round(t.v))) - (bias ? round(bias.v) : 0));
    for (const t of top) lines.push(`${times(t, d)} = ${fixed(t.v, d)}`);
    lines.push(`${all.length - top.length} others ${rest < 0 ? "−" : "+"}${fixed(Math.abs(rest), d)}`);
    if (bias) lines.push(`bias ${fixed(bias.v, d)}`);
  }
  lines.push(`${few && !exact ? "≈" : "="} ${fixed(sum, d)}`);
  return [lines, about.reads, about];
}
// Has a sum more terms than are written out?
function many(step) {
  const i = step.k === "c" ? step.from : step.n, l = N[i].op ? structure(i) : null;
  return !!l?.K && (step.k !== "c" || [l.p, l.q].includes(step.p)) && Math.max(...[...gather(i, step.k === "c" ? step.p : null).values()].map(t => t.length)) > WRITTEN;
}
// As a list of grids.py is read: its length, and one entry at a time.
function cells_of(step) {
  const back = step.k === "c", i = back ? step.from : step.k === "op" ? step.n : -1, l = i < 0 ? null : structure(i);
  if (l?.told && (!back || elements(N[i].G))) return { length: sizeOf(shapeOf(back ? step.n : i)), made: true, at: k => l.told(back ? step.p : null, k) };
  if (!l?.K || back && ![l.p, l.q, l.plus].includes(step.p)) return null;
  if (back && (!elements(N[i].G) || !elements(step.A ?? step.c) || !N[N[i].i[step.p]].s)) return null;
  if (!back && !N[i].s) return null;
  return { length: sizeOf(shapeOf(back ? step.n : i)), made: true, at: k => told_cell(i, back ? step.p : null, k) };
}
const small = step => [step.from, ...N[step.from].i].every(i => sizeOf(shapeOf(i)) <= 1024);
S.forEach((step, k) => { if (step.k === "c" && step.c == null && small(step) && cells_of(step)?.length) asked.add(k); });
