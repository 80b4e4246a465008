// ---- ops that choose: the page chooses again --------------------------------------------------------------------------
// The places of a row of elements in the order of their values; the first of equals first, and NaN last.
const in_order_of = (X, row) => row.map((_, k) => k).sort((a, b) => { const u = X[row[a]], v = X[row[b]]; return u < v ? -1 : u > v ? 1 : Number.isNaN(u) - Number.isNaN(v) || a - b; });
const laid_back = picks => ([x], _, g) => { const d = x.map(() => 0); picks([x]).forEach((e, k) => { d[e] += g[k]; }); return [d]; };
// Whatever picks by order (max, sort, topk, median): each result has a rank in its row, which stays; the element that has it may change.
function ranked(i, { dim }) {
  const [j, at] = N[i].i, X = elements(N[j].v), I = elements(N[at].v), rows = rows_of(shapeOf(j), dim), places = rows_of(shapeOf(at), dim), first = [];
  const ranks = rows.map((row, r) => { const order = in_order_of(X, row); return places[r].map(k => { first[k] = row[I[k]]; return order.indexOf(I[k]); }); });
  const picks = ([x]) => { const out = []; rows.forEach((row, r) => { const order = in_order_of(x, row); places[r].forEach((k, q) => { out[k] = row[order[ranks[r][q]]]; }); }); return out; };
  const l = { kind: "picks", f: W => { const p = picks(W); l.turned = p.some((e, k) => e !== first[k]); return p.map(e => W[0][e]); }, b: laid_back(picks) };
  return l;
}
function middle_of_all(i) {
  const X = elements(N[N[i].i[0]].v), every = X.map((_, k) => k), apart = k => Math.abs(X[k] - elements(N[i].v)[0]), order = in_order_of(X, every), rank = order.findIndex(k => apart(k) === Math.min(...every.map(apart)));
  return { kind: "picks", f: ([x]) => [x[in_order_of(x, every)[rank]]], b: ([x], [y], [g]) => { const n = x.filter(v => v === y).length; return [x.map(v => v === y ? g / n : 0)]; } };
}
// amax and amin: equal ones share the gradient.
const extreme = best => (i, { dim }) => {
  const x = shapeOf(N[i].i[0]), over = axes(dim, x.length), to = spread(x.map((n, d) => over.includes(d) ? 1 : n), x);
  return { kind: "picks", f: ([X]) => { const out = []; to.forEach((k, e) => { out[k] = k in out ? best(out[k], X[e]) : X[e]; }); return out; },
    b: ([X], Y, g) => { const count = Y.map(() => 0); to.forEach((k, e) => { count[k] += X[e] === Y[k]; }); return [X.map((v, e) => v === Y[to[e]] ? g[to[e]] / count[to[e]] : 0)]; } };
};
// The largest so far; of equals the last.
const so_far = better => (i, { dim }) => {
  const j = N[i].i[0], rows = rows_of(shapeOf(j), dim);
  const picks = ([x]) => { const out = []; for (const row of rows) { let best = row[0]; for (const e of row) { if (better(x[e], x[best]) || x[e] === x[best]) best = e; out[e] = best; } } return out; };
  const first = String(picks([elements(N[j].v)])), l = { kind: "picks", f: W => { const p = picks(W); l.turned = String(p) !== first; return p.map(e => W[0][e]); }, b: laid_back(picks) };
  return l;
};
// The element that occurs most often, at its last place; of several, the smallest.
function most_often(i, { dim }) {
  const [j, at] = N[i].i, rows = rows_of(shapeOf(j), dim), first = elements(N[at].v);
  const places = ([x]) => rows.map(row => {
    let best = 0, length = 0, run = 0;
    const order = in_order_of(x, row);
    order.forEach((k, r) => { run = r && x[row[k]] === x[row[order[r - 1]]] ? run + 1 : 1; if (run > length || run === length && x[row[k]] === x[row[best]]) { length = run; best = k; } });
    return best;
  });
  const picks = W => { const own = places(W); l.turned = own.some((k, r) => k !== first[r]); return own.map((k, r) => rows[r][k]); };
  const l = { kind: "picks", f: W => picks(W).map(e => W[0][e]), b: laid_back(picks) };
  return l;
}
const PICKS = { ...Object.fromEntries(["max", "min", "median", "nanmedian", "kthvalue", "sort", "topk"].map(name => [name, ranked])), mode: most_often, median_of_all: middle_of_all, amax: extreme(Math.max), amin: extreme(Math.min), cummax: so_far((a, b) => a > b), cummin: so_far((a, b) => a < b) };
// A program may have used the numbers of the places that were picked. What it did with them is not in the graph.
const repicked = () => changed.size ? N.flatMap((n, i) => structures.get(i)?.turned ? [`${n.op} (${n.n})`] : []) : [];
