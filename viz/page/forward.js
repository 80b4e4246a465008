// ---- forward mode: each value with its tangent ----------------------------------------------------------------------
// D.over names what everything is differentiated by: the denominator of ∂n/∂w, or ε for a direction.
const moves_by = i => h("span", { class: "frac" }, h("span", {}, "∂", term(i, atom(N[i].n))), h("span", { class: "apart" }, "/"), h("span", {}, `∂${D.over}`));
function pushed(step, words, out, covered) {
  const n = N[step.n], v = now.V[step.n], dual = typeof v === "number" && step.c != null;
  if (n.op) words.push(math("", moves_by(step.n), " = ", terms(step.rule, [step.n, ...n.i])));
  else words.push(math("", step.rule));
  if (dual) {
    if (n.f && n.op) words.push(math("soft", `${n.n} = ${fill(n.f, gradientOf)} = ${num(v)}`));
    if (covered) words.push(question(step));
    else {
      if (step.num) words.push(math("soft", `∂: ${fill(step.num, gradientOf)} = ${num(step.c)}`));
      words.push(math("sum", `${num(v)} + ${signed(step.c)} ε`));
    }
  } else {
    const moving = n.i.filter((j, p) => step.terms[p]);
    const pair = (j, t) => [array(N[j].n, now.V[j], N[j]), array(`∂${N[j].n}/∂${D.over}`, t, N[j], true)];
    const before = moving.map(j => pair(j, now.steps.findLast(s => s.k === "p" && s.n === j)?.A ?? gradientOf(j)));
    const still = n.i.filter((j, p) => !step.terms[p] && N[j].r !== "constant" && N[j].s).map(j => array(N[j].n, now.V[j], N[j]));
    out.push(h("div", { class: "arrays" }, before, still, n.op ? h("span", { class: "sign" }, "→") : "", pair(step.n, covered ? null : step.A ?? step.c)));
  }
  if (step.m && !covered && !changed.size) out.push(h("p", { class: "remark" }, step.m));
  if (!covered && answers.has(at)) words.push(h("p", { class: "said" }, answers.get(at).said));
  const said = covered ? "What is the tangent?" : dual ? `value ${num(v)}, tangent ${num(step.c)}` : `tangent of size ${short(step.A?.r)}`;
  return [terms(n.op ? `${n.n} = ${n.x}, and its tangent` : `${n.n} moves`, [step.n, ...n.i]), said];
}
function pushed_rows(step, row) {
  const c = now.check[at], n = N[step.n], dots = "· · ·", covered = hidden(at);
  row("value", told(now.V[step.n]));
  if (n.s) row("shape", shape(n));
  for (const [p, v] of Object.entries(step.terms)) if (Object.keys(step.terms).length > 1) row(`term of ${N[n.i[p]].n}`, covered ? dots : told(v));
  if (!c) return row("finite difference", "cannot be run for this graph", "long");
  const [analytic, finite, error, ok, what] = c;
  row(`tangent${what === "the derivative" ? "" : `, ${what}`}`, covered ? dots : exact(analytic));
  row("finite difference (h = 1e−5)", covered ? dots : exact(finite));
  row("agreement", covered ? dots : `${ok ? "✓" : "✗ differs by"} ${error === 0 ? "0" : scientific(error)}`, !ok && !covered ? "bad" : "");
}
// Tangents flow along the edges that move, with the arrows.
function pushing(step) {
  for (const p of Object.keys(step.terms)) {
    const way = groups.get(`e${step.n}_${p}`)?.querySelector(".way");
    if (way) way.after(s("path", { class: "flow onward", d: way.getAttribute("d") }));
  }
}
// What if: values and tangents again, from the changed leaves.
function push_again() {
  const V = forward(changed), T = [], moved = h => {
    const W = V.slice();
    for (const st of S) if (st.k === "p" && !N[st.n].op) W[st.n] += h * st.c;
    N.forEach((n, i) => { if (n.op) W[i] = OPS[n.op].f(...n.i.map(j => W[j]), n.a || {}); });
    return W;
  };
  const steps = S.map(st => {
    if (st.k !== "p") return st;
    const n = N[st.n], of = {};
    if (!n.op) { T[st.n] = st.c; return st; }
    for (const p of Object.keys(st.terms)) of[p] = OPS[n.op].d[p](T[n.i[p]], V[st.n], ...n.i.map(j => V[j]), n.a || {});
    T[st.n] = Object.values(of).reduce((a, b) => a + b, 0);
    const ways = Object.keys(st.terms), l = ways.length === 1 ? OPS[n.op].d[ways[0]](1, V[st.n], ...n.i.map(j => V[j]), n.a || {}) : null;
    return { ...st, l, c: T[st.n], new: T[st.n], terms: of };
  });
  const [up, down] = [moved(1e-5), moved(-1e-5)];
  const check = steps.map(st => {
    if (st.k !== "p") return null;
    const finite = (up[st.n] - down[st.n]) / 2e-5, error = Math.abs(st.c - finite);
    return [st.c, finite, error, +(error <= 1e-5 * Math.max(1, Math.abs(st.c))), "the derivative"];
  });
  now = { V, steps, check };
}
put($("fore"), `forward mode: values and tangents ∂/∂${D.over} →`);
put($("aft"), "");
root.style.setProperty("--split", "100%");
for (const id of ["b-paths", ...(D.live ? [] : ["b-whatif"])]) $(id).hidden = true;
