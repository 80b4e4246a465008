// ---- recurrence: the block that runs again and again, as one box with a loop, or unrolled ---------------------------
const ROLLS = D.rolls;
const at_each_end = () => innerWidth < 1200 ? 1 : 2; // passes that are drawn, where there are more than twice as many and one
let rolling = ROLLS.length ? "rolled" : "", chosen_shared = 0;
const pass_of = new Map();
ROLLS.forEach((r, q) => r.passes.forEach((nodes, k) => [...nodes, ...r.inputs[k]].forEach(i => pass_of.set(i, [q, k]))));
// The recurrence and the pass in which a step happens: [recurrence, pass], pass -1 outside of it.
function pass_now(k = at) {
  const step = S[k], own = [step.from, step.n].filter(i => i != null && pass_of.has(i)).map(i => pass_of.get(i));
  return own[0] ?? [0, -1];
}
const rms_of = v => v == null ? null : typeof v === "number" ? Math.abs(v) : v.r;
// A small matrix: numbers where there are few, colours else. A single row stands upright.
function mini(v, n, isGrad, most = 4, upright = true) {
  const a = flat(v), s = n.s || [], columns = s.at(-1) || 1, up = upright && a.length === columns && columns > 1;
  const w = up ? 1 : columns, rows = a.length / w, top = Math.max(1e-300, ...a.map(Math.abs).filter(Number.isFinite)), d = decimals(a);
  const few = rows <= (up ? 6 : most) && w <= most;
  return h("table", { class: few ? "plane" : "plane heat", role: "img", "aria-label": a.map(x => tiny(x, d)).slice(0, 16).join(" ") },
    Array.from({ length: Math.min(rows, 12) }, (_, y) => h("tr", {}, Array.from({ length: Math.min(w, 12) }, (_, x) => {
      const td = h("td", { title: short(a[y * w + x]) }, few ? tiny(a[y * w + x], d) : "");
      shade(td, a[y * w + x] / top, isGrad, false);
      return td;
    }))));
}
const unknown = (n, up = true) => { const c = (n.s || [1]).at(-1) || 1, count = sizeOf(n.s || []), w = up && count === c ? 1 : c; return h("table", { class: "plane blank" }, Array.from({ length: Math.min(6, count / w) }, () => h("tr", {}, Array.from({ length: Math.min(4, w) }, () => h("td", {}, "–"))))); };
// What has come back to a shared leaf, by pass.
function shared_parts(r, leaf) {
  return r.passes.map(nodes => {
    const all = S.flatMap((s, k) => s.k === "c" && s.n === leaf && nodes.includes(s.from) ? [k] : []);
    return all.length && all.at(-1) <= at && !(hidden(at) && all.includes(at)) ? all.map(k => now.steps[k].A ?? now.steps[k].c).reduce((a, b) => typeof a === "number" ? a + b : add(a, b)) : null;
  });
}
// A text made smaller to fit into `room`, its end cut off where it would be too small; `em`: a letter's width.
function fitted(e, size, room, em) {
  const most = Math.floor(room / em / 0.75 / size), words = e.textContent.length > most ? e.textContent.slice(0, most - 1) + "…" : e.textContent;
  e.textContent = words;
  e.style.fontSize = `${Math.min(size, room / em / words.length)}px`;
  return e;
}
function rolled_box(r, pass) {
  const W = 520, back = phase() === "backward", states = r.states, lane = 22 * Math.min(2, states.length), top = 34 + lane, H = top + 190, L = 110, R = 410;
  const svg = s("svg", { viewBox: `0 0 ${W} ${H + 64}`, role: "img", "aria-label": `a cell that runs ${r.passes.length} times and hands on ${states.map(x => x.name).join(" and ")}` });
  const labels = [], text = (x, y, words, more = {}) => s("text", { x, y, "text-anchor": "middle", ...more }, words);
  states.slice(0, 2).forEach((state, q) => {
    const y = top - 14 - 24 * q, o = 34 - 14 * q, mid = top + 62 + 26 * q, d = `M${R} ${mid} H${R + o} Q${R + o + 26} ${mid} ${R + o + 26} ${mid - 26} V${y + 26} Q${R + o + 26} ${y} ${R + o} ${y} H${L - o} Q${L - o - 26} ${y} ${L - o - 26} ${y + 26} V${mid - 26} Q${L - o - 26} ${mid} ${L - o} ${mid} H${L - 8}`;
    svg.append(s("path", { class: "loop", d }), s("polygon", { class: "head", points: `${L - 1},${mid} ${L - 14},${mid - 6} ${L - 14},${mid + 6}` }));
    if (back) svg.append(s("path", { class: "loop back", d: `M${L} ${mid + 16} H${L - o - 14} Q${L - o - 40} ${mid + 16} ${L - o - 40} ${mid - 14} V${y + 16} Q${L - o - 40} ${y - 12} ${L - o - 10} ${y - 12} H${R + o + 10} Q${R + o + 40} ${y - 12} ${R + o + 40} ${y + 16} V${mid - 14} Q${R + o + 40} ${mid + 16} ${R + o + 14} ${mid + 16} H${R + 8}` }), s("polygon", { class: "head back", points: `${R + 1},${mid + 16} ${R + 14},${mid + 10} ${R + 14},${mid + 22}` }));
    labels.push(text(W / 2 + (states.length > 1 ? 84 - 168 * q : 0), y + (back ? 2 : 7), `${state.name}, ${states.length > 1 ? "later" : "one step later"}`, { class: "lane" }));
  });
  svg.append(...labels);
  svg.append(s("rect", { class: pass >= 0 ? "cell active" : "cell", x: L, y: top, width: R - L, height: H - top, rx: 14 }), text(W / 2, top + 34, r.title || "cell", { class: "name" }));
  svg.append(fitted(text(W / 2, top + 62, r.code, { class: "code" }), 20, R - L - 20, 0.61));
  const few = r.shared.slice(0, 4), names = few.map(i => N[i].n.split(".").at(-1)), short_names = names.every(name => name.length * 13 < (R - L - 20) / few.length - 16);
  const columns = short_names ? few.length : 2, w = Math.min(short_names ? 90 : 200, (R - L - 20) / columns - 8), tall = short_names ? 34 : 30, rows = Math.ceil(few.length / columns);
  few.forEach((i, k) => {
    const row = Math.floor(k / columns), own = Math.min(columns, few.length - row * columns), x = W / 2 + (k % columns - (own - 1) / 2) * (w + 8), y = top + (rows > 1 ? 74 : 84) + row * (tall + 5);
    svg.append(s("rect", { class: "chip", "data-node": i, x: x - w / 2, y, width: w, height: tall, rx: 7 }), fitted(text(x, y + tall - 9, names[k], { class: "chipname", "data-node": i }), 21, w - 10, 0.6));
  });
  svg.append(text(W / 2, H - 18, pass >= 0 ? `pass ${pass + 1} of ${r.passes.length}` : `× ${r.passes.length}`, { class: "times" }));
  const ins = r.inputs.map(p => p.map(i => N[i].n).join(", ")), name = pass >= 0 ? ins[pass] : ins.length && ins[0] ? `${ins[0]} … ${ins.at(-1)}` : "";
  if (name) svg.append(s("path", { class: "loop", d: `M${W / 2} ${H + 32} V${H + 10}` }), s("polygon", { class: "head", points: `${W / 2},${H + 1} ${W / 2 - 6},${H + 13} ${W / 2 + 6},${H + 13}` }), text(W / 2, H + 54, name, { class: "lane" }));
  return svg;
}
// The passes that are drawn: all, or the first and the last, with the active one between them.
function passes_shown(r, pass, narrow = false) {
  const n = r.passes.length, edge = narrow ? 1 : at_each_end();
  if (n <= 2 * edge + 1 || n <= 4 && !narrow) return [...Array(n).keys()];
  const out = new Set([...Array(edge).keys(), ...pass >= 0 ? [pass] : [], ...Array.from({ length: edge }, (_, k) => n - edge + k)]);
  return [...out].sort((a, b) => a - b);
}
const gap_between = (a, b) => b - a > 1 ? h("span", { class: "more" }, `… ${b - a - 1} ${b - a - 1 === 1 ? "pass" : "passes"} …`) : "";
// What goes round the loop: the size of each state's value, and of the gradient that comes back.
function fading(r, k, pass) {
  const bodies = r.states.slice(0, 2).map(state => {
    const grads = state.nodes.map(i => rms_of(k.grads.get(i)?.v)), top = Math.max(1e-300, ...grads.filter(v => v != null)), list = passes_shown(r, pass);
    const rows = list.flatMap((p, e) => {
      const g = grads[p], next = grads[p + 1], i = state.nodes[p], factor = g != null && next ? `×${short(g / next)}` : "", bar = h("i", {});
      bar.style.width = `${g == null ? 0 : Math.max(1, 100 * g / top)}%`;
      const line = h("tr", { class: p === pass ? "here" : "" }, h("th", {}, term(i)), h("td", {}, k.seen.has(i) ? short(rms_of(now.V[i])) : "–"), h("td", { class: "bar" }, bar), h("td", { class: "g" }, g == null ? "–" : short(g)), h("td", { class: "factor" }, factor));
      return e && p - list[e - 1] > 1 ? [h("tr", {}, h("td", { colspan: 5 }, gap_between(list[e - 1], p))), line] : [line];
    });
    return h("tbody", {}, rows);
  });
  return h("table", { class: "fade" }, h("tr", {}, h("td", {}, ""), h("td", {}, "value"), h("td", {}, ""), h("td", { class: "g" }, "grad"), h("td", {}, "per pass")), bodies);
}
function unrolled(r, k, pass, narrow) {
  const list = passes_shown(r, pass, narrow), leaf = r.shared[chosen_shared % Math.max(1, r.shared.length)], parts = leaf == null ? [] : shared_parts(r, leaf);
  const column = p => h("div", { class: p === pass ? "pass here" : "pass" }, r.inputs[p].filter(i => N[i].r !== "constant").slice(0, 2).map(i => h("p", { class: "in" }, term(i))),
    h("div", { class: "cell" }, r.states.slice(0, 2).map(state => { const i = state.nodes[p], g = k.grads.get(i)?.v; return h("div", { class: "pair" }, h("p", {}, term(i), h("span", { class: "g" }, " grad")), h("div", { class: "arrays" }, k.seen.has(i) ? mini(now.V[i], N[i]) : unknown(N[i]), h("div", { class: "array g" }, g == null ? unknown(N[i]) : mini(g, N[i], true)))); })),
    leaf == null ? "" : h("div", { class: "share array g" }, parts[p] == null ? unknown(N[leaf], false) : mini(parts[p], N[leaf], true, 3, false)));
  const columns = list.flatMap((p, e) => [e ? h("span", { class: "to" }, p - list[e - 1] > 1 ? gap_between(list[e - 1], p) : "→") : "", column(p)]);
  const total = leaf == null ? null : k.grads.get(leaf)?.v, done = parts.filter(v => v != null).length;
  const choose_leaf = r.shared.map((i, q) => h("button", { "aria-pressed": q === chosen_shared % r.shared.length, onclick: () => { chosen_shared = q; roll(); } }, N[i].n));
  return [h("div", { class: "passes" }, columns), leaf == null ? "" : h("div", { class: "sum" }, h("p", {}, h("b", {}, "Each pass sends its own contribution to "), choose_leaf, h("b", {}, ", and they add up: "), `${done} of ${r.passes.length} have arrived`),
    total == null ? "" : h("div", { class: "array g" }, h("p", {}, h("b", {}, `${N[leaf].n}.grad so far`)), mini(total, N[leaf], true, 4, false)))];
}
function roll() {
  const box = $("roll");
  box.hidden = !ROLLS.length;
  if (!ROLLS.length) return;
  box.className = rolling || "closed";
  const [q, pass] = pass_now(), r = ROLLS[q], k = known(at), words = { "": "Rolled", rolled: "Unroll", unrolled: "Graph" }[rolling];
  const head = h("p", { class: "head" }, rolling ? h("b", {}, rolling === "rolled" ? "ROLLED " : "UNROLLED ") : "", rolling ? `${r.line ? `line ${r.line}` : "a cell"}, run ${r.passes.length} times${pass >= 0 ? `: pass ${pass + 1}` : ""}` : "", h("button", { id: "b-roll", onclick: turn_roll, title: "the recurrence rolled, unrolled, as a graph: u; passes: [ ]" }, words, " ", h("kbd", {}, "u")));
  box.style.paddingBottom = rolling ? `${free().H - free().h + 8}px` : "";
  if (!rolling) return box.replaceChildren(head);
  if (rolling === "rolled") box.replaceChildren(head, h("div", { class: "two" }, rolled_box(r, pass), h("div", {}, h("p", {}, h("b", {}, "What goes round the loop"), ", as rms"), fading(r, k, pass))));
  else {
    const draw = narrow => box.replaceChildren(head, ...unrolled(r, k, pass, narrow));
    draw(false);
    const row = box.querySelector(".passes");
    if (row.scrollWidth > row.clientWidth + 1) draw(true);
  }
}
let folded_here = false; // the lens was in the way of the passes
function turn_roll() {
  rolling = { rolled: "unrolled", unrolled: "", "": "rolled" }[rolling];
  roll();
  const covers = rolling === "unrolled" && !shut && $("roll").scrollHeight > $("roll").clientHeight + 1;
  if (covers || folded_here && shut) fold();
  folded_here = covers;
  $("b-roll").focus({ preventScroll: true });
}
// The same place in another pass.
function to_pass(by) {
  const [q, p] = pass_now(), r = ROLLS[q];
  if (!r) return;
  const step = S[at], place = i => r.passes[p]?.indexOf(i) ?? -1, there = r.passes[p < 0 ? (by > 0 ? 0 : r.passes.length - 1) : p + by];
  if (!there) return;
  const same_place = s => s.k === step.k && (step.k === "c" ? place(step.from) >= 0 && s.from === there[place(step.from)] && s.p === step.p : s.n === there[place(step.n)]);
  const k = S.findIndex(same_place);
  go(k >= 0 ? k : S.findIndex(s => s.k === "op" && s.n === there.at(-1)));
}
