// ---- check and curve ----------------------------------------------------------------------------------------------
const MEANT = "meant so: "; // a difference that is a convention of the op (differences.py)
function check() {
  const step = now.steps[at], n = N[step.n], rows = [], box = $("check");
  const row = (a, b, look) => rows.push(h("tr", look ? { class: look } : {}, h("td", {}, a), h("td", {}, b)));
  if (step.k === "c") {
    const covered = hidden(at), dots = "· · ·", c = now.measured ? now.measured(at) : now.check[at];
    if (step.l != null) row(["local derivative ", frac(step.from, step.n)], covered ? dots : num(step.l));
    if (n.s && !n.m) row("shape", shape(n));
    if (c) {
      const [analytic, finite, error, ok, what] = c, meant = what.startsWith(MEANT), note = what === "the derivative" || meant ? "" : `, ${what.split(",")[0]}`;
      if (!step.last && step.new != null) row("gradient so far", covered ? dots : num(step.new));
      row(step.last ? `analytic gradient${note}` : "gradient when all have arrived", covered ? dots : exact(analytic));
      row("finite difference (h = 1e−5)", covered ? dots : exact(finite));
      if (meant) row("agreement", covered ? dots : `≠ ${what}`, "long");
      else row("agreement", covered ? dots : ok && /kink/.test(what) ? "✓ between both sides" : `${ok ? "✓" : "✗ differs by"} ${error === 0 ? "0" : scientific(error)}`, !ok && !covered ? "bad" : "");
    } else row("finite difference", n.m ? "that of each result is checked" : n.s?.includes(0) ? "no element to move" : "not run: an op cannot run again, or too much work", "long");
  } else if (step.k === "r") {
    row("processes", String(D.tops.length));
    if (n.s) row("shape", shape(n));
    row(step.last ? "average" : "so far", hidden(at) ? "· · ·" : told(known(at).grads.get(step.n)?.v));
  } else if (step.k === "p") pushed_rows(step, row);
  else {
    const users = N.flatMap((m, i) => m.i.includes(step.n) ? [m.n] : []);
    row("value", n.m ? SEVERAL : now.V[step.n] == null ? "freed" : told_of(step.n));
    if (!n.m && (n.s || n.d)) row("shape", `${shape(n) || "()"}${n.d ? " " + n.d : ""}`);
    if (!D.over) row("gradient", n.g ? "wanted" : "not wanted");
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
  const ends = [-reach, reach].map(v => h("span", {}, num(v).replace(/\.?0+$/, "")));
  let words = `${n.op} at ${N[n.i[p]].n} = ${num(points[0])}`;
  if (points.length !== 1) words = points.length ? `${n.op} at each element of ${N[n.i[p]].n}` : n.op;
  if (step.l != null && !hidden(at) && points.length === 1) {
    const x = points[0], y = f(x), angle = Math.hypot(W / 2 / reach, step.l * H / (hi - lo)), len = 70 / angle;
    svg.append(s("line", { class: "tangent", x1: X(x - len), x2: X(x + len), y1: Y(y - len * step.l), y2: Y(y + len * step.l) }));
    words = `${n.op}: slope ${num(step.l)} at ${N[n.i[p]].n} = ${num(points[0])}`;
  }
  for (const v of points) if (Number.isFinite(f(v))) svg.append(s("circle", { class: "dot", cx: X(v), cy: Y(f(v)), r: points.length === 1 ? 6 : 3 }));
  svg.setAttribute("aria-label", words);
  return [h("figure", {}, h("figcaption", {}, words), svg, h("p", { class: "ticks" }, ends))];
}

