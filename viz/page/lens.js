// ---- lens: the arithmetic of one tensor step, cell by cell ---------------------------------------------------------
// Small ops come with the sum of each cell of their result and of each gradient (grids.py). One cell is
// chosen; the lens marks the cells that meet in it, and writes its sum. Large matrices show a window.
const SPANS = [8, 6, 5, 4, 3]; // rows and columns of a window; the first with which the lens need not scroll
// tiled: are products written out in their tile? summed: do the gradient before and after stand there as matrices?
let span = SPANS[0], tiled = true, summed = true;
const across = () => Math.max(4, span); // columns of a window
const windows = new Map(); // step and title -> [first row, first column]
let shut = false;

const flat = v => v == null ? [] : typeof v === "number" || typeof v === "boolean" ? [v] : [v.f ?? []].flat(9);
const laid = new WeakMap(); // the elements of an array, in a row
const elements = v => {
  if (v == null || v.f === undefined) return typeof v === "number" ? [v] : typeof v === "boolean" ? [+v] : null;
  if (!laid.has(v)) laid.set(v, [v.f].flat(9).map(Number));
  return laid.get(v);
};
const at_place = (k, s) => { const out = []; for (const n of [...s || []].reverse()) { out.unshift(k % n); k = Math.floor(k / n); } return out; };
const middle = (s, n) => s.length > 2 ? s.slice(-2).reduce((k, m) => k * m + Math.floor(m / 2), 0) : Math.floor(n / 2);
const called = (name, k, s) => s?.length ? `${name}[${at_place(k, s).join(", ")}]` : name;

// What the lens opens at a step: forward the op's cells, backward those of the gradient; null where it
// is a single number, or too large.
function zoomed() {
  if (D.live || D.over) return null;
  const step = now.steps[at], i = step.k === "c" ? step.from : step.n, z = D.zoom[i];
  const spelled = !z ? null : step.k === "c" ? z.b[step.p] : step.k === "op" ? z.f : null, list = spelled && !many(step) ? spelled : cells_of(step) ?? spelled;
  if (!list?.length) return null;
  if (cell < 0 || cell >= list.length) cell = middle(N[step.n].s || [], list.length);
  return { step, i, list, columns: (N[step.n].s || [1]).at(-1) || 1 };
}

function choose(k, focus) {
  const about = zoomed();
  if (!about || k < 0 || k >= about.list.length) return;
  cell = k;
  explain();
  attention();
  if (focus) focus_grid();
}
const in_grid = () => !!document.activeElement?.closest?.("#result-grid");
function focus_grid() { $("result-grid")?.querySelector(".chosen")?.focus({ preventScroll: true }); }
function walk(by, across) {
  const about = zoomed();
  if (about) choose(cell + (across ? by * about.columns : by), true);
}
function fold() { shut = !shut; $("explain").classList.toggle("shut", shut); explain(); follow(); if (!D.live) { roll(); attention(); } }
