// A training on one page: `o` is the optimizer step (a column of D.columns), `at` the part of that step.
// Everything shown is a function of the data, these two, the chosen parameter and unit, and a few switches.
const NUMBER = D.columns, COUNT = D.loss.length;
const NODES = D.graph?.nodes ?? [], OPS = NODES.filter(n => n.op), P = D.params;
let o = 0, at = 0, chosen = Math.max(0, P.findIndex(p => p.s.length > 1)), unit = 0, quiz = false, gradients = false, timer = 0, answered = "";

// ---- the parts of one step ------------------------------------------------------------------------------------------
const parts = (() => {
  const ahead = OPS.length ? OPS.map(n => ({ phase: "forward", n })) : [{ phase: "forward" }];
  const zero = [{ phase: "zero" }], back = OPS.filter(n => n.g).reverse().map(n => ({ phase: "backward", n }));
  const step = P.map((p, k) => ({ phase: "step", p: k })), marks = D.source?.marks ?? {}, first = Math.min(...OPS.map(n => n.line || Infinity));
  const inner = [...back.length ? back : [{ phase: "backward" }], ...step.length ? step : [{ phase: "step" }]];
  if (marks.zero > marks.step) return [...ahead, ...inner, ...zero];
  return marks.zero < first ? [...zero, ...ahead, ...inner] : [...ahead, ...zero, ...inner];
})();
const PHASES = { forward: "forward", zero: "zero_grad", backward: "backward", step: "step" };
const now = () => parts[at];
const step_number = (k = o) => NUMBER[k];
const done = phase => parts.findLastIndex(p => p.phase === phase) <= at;
const left = new Set(D.left);
// the parameters whose gradient has arrived at this part of the step: all that read them have sent
function arrived() {
  const sent = new Set(parts.slice(0, at + 1).filter(p => p.phase === "backward").map(p => p.n?.i));
  return P.map((_, k) => {
    const id = NODES.find(n => n.p === k)?.i, users = OPS.filter(n => n.g && n.in.includes(id));
    return users.length ? users.every(n => sent.has(n.i)) : done("backward");
  });
}
const cleared = () => { const z = parts.findIndex(p => p.phase === "zero"), b = parts.findIndex(p => p.phase === "backward"); return z <= at && (z < b || at >= z) && !left.has(step_number()); };
function gradient(k, has = arrived()[k]) {
  const last = parts.at(-1).phase === "zero" && at === parts.length - 1;
  if (has && !last) return { v: P[k].grad[o], old: false };
  return cleared() || !o || parts.at(-1).phase === "zero" ? { v: null, old: false } : { v: P[k].grad[o - 1], old: true };
}
const stepped = k => parts.findIndex(p => p.phase === "step" && p.p === k) <= at && parts.some(p => p.p === k);

// ---- moments: weights as bytes --------------------------------------------------------------------------------------
const decoded = new Map();
function bytes(x) {
  if (!decoded.has(x)) decoded.set(x, Int8Array.from(atob(x.b), c => c.charCodeAt(0)));
  return decoded.get(x);
}
const moment = (number = step_number()) => D.moments.findLastIndex(m => m.o <= number);
// full colour: what 2 % of the weights exceed at the end of the run, so that pictures sharpen; of gradients, the largest ever
const TOPS = P.map((_, k) => {
  const last = D.moments.at(-1)?.p[k], sizes = last ? [...bytes(last.w)].map(v => Math.abs(v) * last.w.k).sort((a, b) => a - b) : [];
  return [sizes[Math.floor(0.98 * (sizes.length - 1))] || sizes.at(-1), Math.max(...D.moments.map(m => m.p[k] ? m.p[k].g.k * 127 : 0))];
});
// the unit that changed most
const liveliest = k => {
  const a = D.moments[0]?.p[k], b = D.moments.at(-1)?.p[k];
  if (!a || !b) return 0;
  const per = bytes(a.w).length / P[k].units.length, moved = P[k].units.map((_, u) => { let t = 0; for (let j = u * per; j < (u + 1) * per; j++) t += (bytes(b.w)[j] * b.w.k - bytes(a.w)[j] * a.w.k) ** 2; return t; });
  return moved.indexOf(Math.max(...moved));
};
const UNIT = P.map((_, k) => liveliest(k)); // the chosen unit of each parameter
unit = UNIT[chosen] ?? 0;
const choose = (k, u = UNIT[k]) => { chosen = k; unit = UNIT[k] = u; };
// what all names begin with is not repeated on the page
const PREFIX = (() => { const first = (P[0]?.n ?? "").split(".").slice(0, -1); let n = first.length; while (n && !P.every(p => p.n.startsWith(first.slice(0, n).join(".") + "."))) n--; return n && P.length > 1 ? first.slice(0, n).join(".") + "." : ""; })();
const brief = k => P[k].n.slice(PREFIX.length);
function paint(canvas, k, u, m, what = gradients ? "g" : "w") {
  const p = P[k], [H, W] = p.hw, x = D.moments[m]?.p[k]?.[what], size = W * H;
  canvas.width = W; canvas.height = H;
  if (!x) return;
  const all = bytes(x), per = all.length / p.units.length, ctx = canvas.getContext("2d"), image = ctx.createImageData(W, H);
  const top = TOPS[k][what === "w" ? 0 : 1] || 1, mix = ["high", "low", "bg", "grad"].map(n => rgb(colour(n)));
  for (let j = 0; j < size; j++) {
    const v = j < per ? all[u * per + j] * x.k / top : 0, a = Math.min(1, Math.abs(v) ** 0.8), c = what === "g" ? mix[3] : v < 0 ? mix[1] : mix[0];
    for (let q = 0; q < 3; q++) image.data[4 * j + q] = mix[2][q] + a * (c[q] - mix[2][q]);
    image.data[4 * j + 3] = 255;
  }
  ctx.putImageData(image, 0, 0);
}

// ---- left: loss, film, heat -----------------------------------------------------------------------------------------
const smooth = (() => { const w = Math.max(1, Math.round(COUNT / 30)); let sum = 0; return D.loss.map((v, k) => { sum += v ?? 0; if (k >= w) sum -= D.loss[k - w] ?? 0; return sum / Math.min(w, k + 1); }); })();
const WINDOW = Math.max(1, Math.round(COUNT / 30));
let frame = { x: 0, w: 1 };
const X = k => frame.x + (COUNT > 1 ? k / (COUNT - 1) : 0.5) * frame.w;
const line = (list, Y) => list.map((v, k) => v == null || !Number.isFinite(v) ? "" : `${k && Number.isFinite(list[k - 1]) ? "L" : "M"}${X(k).toFixed(1)} ${Y(v).toFixed(1)}`).join("");
function curve() {
  const svg = $("curve"), W = svg.clientWidth, H = svg.clientHeight, u = em();
  frame = { x: 7.2 * u, w: W - 8.4 * u };
  const good = D.loss.filter(Number.isFinite), hi = Math.max(...good, 1e-12), lo = Math.min(0, ...good), Y = v => H - 0.7 * u - (v - lo) / (hi - lo || 1) * (H - 1.9 * u);
  const ticks = [lo, (hi + lo) / 2, hi], body = [];
  for (const t of ticks) body.push(s("line", { x1: frame.x, x2: frame.x + frame.w, y1: Y(t), y2: Y(t), stroke: "var(--rule)" }), s("text", { x: frame.x - 0.6 * u, y: Y(t) + 0.35 * u, "text-anchor": "end" }, short(t)));
  const thin = { fill: "none", stroke: "var(--soft)", "stroke-width": 1.2, opacity: 0.55 }, bold = { fill: "none", "stroke-width": 3.5, "stroke-linejoin": "round" };
  body.push(s("path", { d: line(smooth, Y), ...bold, stroke: "var(--rule)" }));
  if (WINDOW > 1) body.push(s("path", { d: line(D.loss.slice(0, o + 1), Y), ...thin }));
  body.push(s("path", { d: line(smooth.slice(0, o + 1), Y), ...bold, stroke: "var(--ink)" }));
  const known = done("forward") || parts[0].phase === "zero" && now().phase !== "zero" && now().phase !== "forward", x = X(o), y = Y(known ? smooth[o] : smooth[Math.max(0, o - 1)]);
  body.push(s("line", { x1: x, x2: x, y1: 0, y2: H, stroke: "var(--ink)", "stroke-width": 2.5 }), s("path", { d: `M${x - 0.6 * u} 0h${1.2 * u}l${-0.6 * u} ${0.9 * u}z`, fill: "var(--ink)" }));
  if (Number.isFinite(y)) body.push(s("circle", { cx: x, cy: y, r: 0.42 * u, fill: "var(--ink)", stroke: "var(--bg)", "stroke-width": 2 }));
  const bw = 12 * u, bx = x + u + bw > W ? x - u - bw : x + u, by = Math.min(Math.max(0.2 * u, y - 4.6 * u), H - 3.9 * u);
  body.push(s("rect", { x: bx, y: by, width: bw, height: 3.5 * u, rx: 0.5 * u, fill: "var(--bg)", stroke: "var(--ink)", "stroke-width": 1.5 }),
    s("text", { x: bx + 0.8 * u, y: by + 1.4 * u, class: "strong" }, `step ${step_number()} of ${D.steps}`), s("text", { x: bx + 0.8 * u, y: by + 2.8 * u }, known ? `loss ${num(D.loss[o])}` : "loss not yet known"));
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(...body);
  put($("means"), WINDOW > 1 ? `every ${COUNT < D.steps ? `mean of ${Math.ceil(D.steps / COUNT)} steps` : "step"}, and the mean of ${WINDOW}` : "every step");
}
const unit_name = (k = chosen, u = unit) => P[k].s.length > 1 ? `${P[k].n}[${P[k].units[u]}]` : P[k].n;
function film() {
  const box = $("film");
  if (!P.length || !D.moments.length) { $("film-title").replaceChildren(); return box.replaceChildren(); }
  $("film-title").replaceChildren(h("span", {}, `${P[chosen].s.length > 1 ? "one unit" : "one parameter"}: `), unit_name(), " ", h("small", {}, `${P[chosen].hw.join("×")} weights${gradients ? ", gradients" : ""}`));
  const most = Math.max(2, Math.floor(frame.w / (7.6 * em()))), m = moment(), picks = [...Array(Math.min(most, D.moments.length)).keys()].map(k => Math.round(k * (D.moments.length - 1) / Math.max(1, Math.min(most, D.moments.length) - 1)));
  const x = k => X(NUMBER.findLastIndex((n, c) => n <= D.moments[k].o && c < COUNT)), size = 4.8 * em() * Math.max(0.3, Math.min(1.5, P[chosen].hw[1] / P[chosen].hw[0])), room = Math.max(5.4 * em(), size + 0.6 * em());
  const shown = [m, ...picks.filter(k => k !== m)].reduce((list, k) => k < 0 || list.some(q => Math.abs(x(q) - x(k)) < room) ? list : [...list, k], []);
  box.replaceChildren(...shown.map(k => {
    const c = h("canvas", {});
    paint(c, chosen, unit, k);
    const e = h("figure", { onclick: () => go(NUMBER.findLastIndex((n, q) => n <= D.moments[k].o && q < COUNT), at) }, c, String(D.moments[k].o));
    if (k === m) e.classList.add("on");
    e.style.left = `${Math.max(0, Math.min(box.clientWidth - size, x(k) - size / 2))}px`;
    return e;
  }));
}
const HEATED = P.length <= 8 ? P.map((_, k) => k) : P.map((_, k) => k).filter(k => P[k].s.length > 1).slice(0, 8);
function heat() {
  const svg = $("heat"), W = svg.clientWidth, H = svg.clientHeight, u = em(), n = Math.min(60, COUNT), row = (H - 1.6 * u) / Math.max(1, HEATED.length), body = [];
  const all = HEATED.flatMap(k => P[k].grad).filter(v => v > 0 && Number.isFinite(v)), hi = Math.log(Math.max(...all)), lo = Math.min(hi - 0.1, Math.log(Math.min(...all)));
  const has = arrived();
  HEATED.forEach((k, r) => {
    const name = brief(k).length > 13 ? "…" + brief(k).slice(-12) : brief(k);
    body.push(s("text", { x: frame.x - 0.6 * u, y: r * row + row / 2 + 0.35 * u, "text-anchor": "end", class: k === chosen ? "strong" : "" }, name));
    for (let c = 0; c < n; c++) {
      const a = Math.floor(c * COUNT / n), b = Math.max(a + 1, Math.floor((c + 1) * COUNT / n)), seen = P[k].grad.slice(a, b).filter(v => v > 0);
      if (!seen.length) continue;
      const v = Math.sqrt(seen.reduce((t, q) => t + q * q, 0) / seen.length), t = Math.max(0, Math.min(1, (Math.log(v) - lo) / (hi - lo)));
      body.push(s("rect", { x: X(0) + c * frame.w / n, y: r * row + 1, width: frame.w / n - 1, height: row - 3, fill: "var(--grad)", opacity: (0.06 + 0.86 * t) * (a <= o ? 1 : 0.3) }));
    }
    const g = gradient(k, has[k]), w = 4.6 * u, x = X(o) + 0.5 * u + w > W ? X(o) - 0.5 * u - w : X(o) + 0.5 * u;
    if (row > 1.3 * u || k === chosen) body.push(s("rect", { x, y: r * row + row / 2 - 0.75 * u, width: w, height: 1.4 * u, rx: 0.3 * u, fill: "var(--bg)", stroke: "var(--grad)", opacity: g.old ? 0.75 : 1 }), s("text", { x: x + w / 2, y: r * row + row / 2 + 0.32 * u, "text-anchor": "middle", class: "grad", opacity: g.old ? 0.75 : 1 }, short(g.v)));
  });
  const y = H - 0.3 * u;
  body.push(s("line", { x1: X(o), x2: X(o), y1: 0, y2: H - 1.5 * u, stroke: "var(--ink)", "stroke-width": 2.5 }));
  for (let t = 0; t <= 4; t++) { const k = Math.round(t * (COUNT - 1) / 4); body.push(s("text", { x: X(k), y, "text-anchor": "middle" }, String(step_number(k)))); if (COUNT < 2) break; }
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(...body);
  $("heat-title").replaceChildren("rms of grad ", h("small", {}, `of each parameter, ${all.length ? `from ${short(Math.exp(lo))} to ${short(Math.exp(hi))}` : "none"}${COUNT > 60 ? `, means of ${Math.round(D.steps / 60)}` : ""}`));
}

// ---- middle: the chosen parameter, and its step ---------------------------------------------------------------------
const drawn_moment = () => { const m = moment(); return stepped(chosen) || gradients || !m || D.moments[m].o !== step_number() ? m : m - 1; };
function weights() {
  const box = $("weights");
  if (!P.length) return box.replaceChildren("No parameter was recorded.");
  const p = P[chosen], m = drawn_moment(), select = h("select", { "aria-label": "Parameter", onchange: e => { choose(+e.target.value); render(); } }, P.map((q, k) => h("option", { value: k, ...k === chosen ? { selected: "" } : {} }, q.n)));
  const all = p.s.length > 1 ? p.s[0] : 1, old = moment() < 0 ? "" : D.moments[moment()].o === step_number() ? stepped(chosen) ? ", after this step" : ", before this step" : `, as of step ${D.moments[moment()].o}`;
  const grid = h("div", { id: "units" }), columns = Math.ceil(Math.sqrt(p.units.length * Math.max(1, p.hw[0] / p.hw[1] / 2)));
  grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  p.units.forEach((n, u) => {
    const c = h("canvas", {});
    paint(c, chosen, u, m);
    const b = h("button", { "aria-pressed": u === unit, "aria-label": unit_name(chosen, u), onclick: () => { choose(chosen, u); render(); } }, c);
    const g = D.moments[moment()]?.p[chosen]?.g;
    if (g && arrived()[chosen] && p.units.length > 1) { const v = bytes(g), per = v.length / p.units.length; if (v.slice(u * per, (u + 1) * per).every(q => q === 0)) b.append(h("span", {}, "grad 0")); }
    grid.append(b);
  });
  box.replaceChildren(h("div", { class: "head" }, select, h("small", {}, `${p.units.length < all ? `${p.units.length} of ${all} units` : all > 1 ? `${all} units` : "one row"} of ${p.s.length > 1 ? p.s.slice(1).reduce((a, b) => a * b, 1) : p.s[0] ?? 1} ${gradients ? "gradients" : "weights"}${gradients ? old.replace(", after this step", "").replace(", before this step", "") : old}`)), grid);
}
const FORMULA = {
  SGD: t => t.momentum ? `v = ${t.momentum}·v + grad,  new = old − ${t.lr}·v` : `new = old − ${short(t.lr)}·grad`,
  Adam: t => `m, v: running means of grad and grad²;  new = old − ${short(t.lr)}·m̂ / (√v̂ + ε)`,
  AdamW: t => `m, v: running means of grad and grad²;  new = (1 − lr·wd)·old − ${short(t.lr)}·m̂ / (√v̂ + ε)`,
  RMSprop: t => `v: running mean of grad²;  new = old − ${short(t.lr)}·grad / (√v + ε)`,
};
const STATE = { momentum_buffer: "v", exp_avg: "m", exp_avg_sq: "v", square_avg: "v", sum: "sum" };
function place(k, index) {
  const p = P[k];
  if (p.s.length < 2) return `[${index}]`;
  if (p.s.length === 2 && p.hw[0] === p.hw[1]) return `[${Math.floor(index / p.hw[1])}, ${index % p.hw[1]}]`;
  const out = [];
  let rest = index;
  for (const n of [...p.s.slice(1)].reverse()) { out.unshift(rest % n); rest = Math.floor(rest / n); }
  return `[${out.join(", ")}]`;
}
function asked() {
  const m = D.moments[moment()], x = m?.p[chosen], row = x?.top[unit]?.[0];
  if (!row) return null;
  const [k, old, grad] = row, fresh = row.at(-1), plain = D.optimizer === "SGD" && !x.set.momentum && !x.set.weight_decay;
  return plain ? { text: `With lr ${+(2 * x.set.lr).toPrecision(3)}, what would ${unit_name()} at ${place(chosen, k)} become?`, v: old - 2 * x.set.lr * grad, hide: false } : { text: `What is ${unit_name()} at ${place(chosen, k)} after the step?`, v: fresh, hide: true };
}
function table() {
  const box = $("table"), m = D.moments[moment()], x = m?.p[chosen];
  if (!x) return box.replaceChildren(h("h2", {}, "One step"), h("p", {}, "Nothing was kept of this parameter here."));
  const t = x.set, plain = D.optimizer === "SGD" && t.lr != null && !t.momentum && !t.weight_decay && !t.nesterov, has = arrived()[chosen] || m.o !== step_number(), moved = stepped(chosen) || m.o !== step_number();
  const states = plain ? [] : x.state.slice(0, 2), q = quiz ? asked() : null;
  const heads = ["", "old", plain ? `−${short(t.lr)}·grad` : "grad", ...states.map(k => STATE[k] ?? k), ...plain || states.length > 1 ? [] : ["new − old"], "new"];
  const rows = x.top[unit].map((r, j) => {
    const [k, old, grad] = r, fresh = r.at(-1), change = plain ? -t.lr * grad : fresh - old, rounded = v => Math.round(v * 1e4);
    const off = moved && plain && rounded(old) + rounded(change) !== rounded(fresh), hide = q?.hide && j === 0 && !answered;
    return h("tr", {}, h("td", {}, place(chosen, k)), h("td", {}, fixed(old)), h("td", { class: "g" }, has ? fixed(plain ? change : grad) : "–"), states.map((_, z) => h("td", { class: "to" }, moved ? fixed(r[3 + z]) : "·")), plain || states.length > 1 ? "" : h("td", { class: "g" }, moved && !hide ? fixed(change) : "·"), h("td", { class: "new" }, hide ? "?" : moved ? (off ? "≈ " : "") + fixed(fresh) : "·"));
  });
  const w = bytes(x.w), g = D.moments[moment()].p[chosen].top[unit], share = P[chosen].update[o];
  const said = D.optimizer ? `One step of ${D.optimizer} ` : "One step ";
  box.replaceChildren(h("h2", {}, said, h("span", { class: "b" }, unit_name()), h("small", {}, m.o === step_number() ? "" : ` at step ${m.o}`)),
    FORMULA[D.optimizer] && t.lr != null ? h("p", { class: "math" }, FORMULA[D.optimizer](t)) : "",
    h("table", {}, h("tr", {}, heads.map((k, j) => h("th", j === 2 ? { class: "g" } : j === heads.length - 1 ? { class: "b" } : {}, k))), rows),
    h("p", {}, `The ${g.length === 1 ? "element" : `${g.length} elements`} that move${g.length === 1 ? "s" : ""} most. All of ${P[chosen].n} moves by rms ${short(share)}.`));
}
const fixed = v => v == null ? "–" : v !== 0 && Math.abs(v) < 5e-4 ? num(v) : Number.isFinite(v) ? minus(v.toFixed(4)) : num(v);

// ---- right: graph of the step, source, quiz -------------------------------------------------------------------------
function graph() {
  const box = $("graph"), part = now(), seen = new Set(), has = arrived(), ahead = done("forward") || part.phase !== "forward" && part.phase !== "zero";
  for (const p of parts.slice(0, at + 1)) if (p.phase === "forward" && p.n) seen.add(p.n.i);
  const backed = new Set(parts.slice(0, at + 1).filter(p => p.phase === "backward").map(p => p.n?.i));
  const owned = new Set(), rows = [];
  const chip = k => {
    const g = gradient(k, has[k]), b = h("button", { title: `${P[k].n}: grad rms ${short(g.v)}${g.old ? ", left from the step before" : ""}`, onclick: () => { choose(k); render(); } }, h("b", {}, brief(k).split(".").slice(-2).join(".")), h("em", {}, g.old ? `(${short(g.v)})` : short(g.v)));
    b.classList.toggle("seen", ahead || stepped(k) || seen.size > 0 && OPS.some(n => seen.has(n.i) && n.in.some(i => NODES.find(q => q.i === i)?.p === k)));
    b.classList.toggle("now", part.phase === "step" && part.p === k || part.phase === "backward" && !!part.n?.in.some(i => NODES.find(q => q.i === i)?.p === k));
    return b;
  };
  for (const n of NODES) {
    if (n.p >= 0) continue;
    const mine = (n.op ? n.in : []).map(i => NODES.find(q => q.i === i)?.p ?? -1).filter(k => k >= 0 && !owned.has(k));
    mine.forEach(k => owned.add(k));
    const e = h("div", { class: `node ${n.r}`, title: n.x || n.r }, h("b", {}, n.op ? n.r === "loss" ? n.n : n.op : n.n), h("span", {}, n.r === "loss" ? done("forward") || ahead ? num(D.loss[o]) : "?" : n.s.join("×")));
    e.classList.toggle("seen", !n.op || ahead || seen.has(n.i));
    e.classList.toggle("now", part.n === n);
    if (backed.has(n.i)) e.style.borderColor = "var(--grad)";
    rows.push(h("div", { class: "row" }, e, h("div", { class: "param" }, mine.map(chip))));
  }
  const rest = P.map((_, k) => k).filter(k => !owned.has(k));
  if (rest.length) rows.push(h("div", { class: "row" }, h("div", { class: "param" }, rest.map(chip))));
  box.replaceChildren(h("h2", {}, `Graph of step ${step_number()}`), ...rows);
  const here = box.querySelector(".now");
  if (here) box.scrollTop = Math.max(0, here.offsetTop - box.offsetTop - box.clientHeight / 2);
}
function source() {
  const box = $("source"), d = D.source;
  box.hidden = !d;
  if (!d) return;
  const here = now().phase === "forward" ? now().n?.line : d.marks[now().phase];
  const margin = Math.min(...d.lines.filter(([, text]) => text.trim()).map(([, text]) => text.search(/\S/)));
  box.replaceChildren(h("small", {}, d.name), ...d.lines.map(([k, text]) => h("p", k === here ? { class: "here" } : {}, h("i", {}, String(k)), h("span", {}, text.slice(margin).replace(/^ +/, q => "\u00a0".repeat(q.length)) || " "))));
  const e = box.querySelector(".here");
  if (e) box.scrollTop = Math.max(0, e.offsetTop - box.offsetTop - box.clientHeight / 2);
}
function question() {
  const box = $("quiz"), q = quiz ? asked() : null;
  box.hidden = !q;
  if (!q || box.dataset.text === q.text) return;
  box.dataset.text = q.text;
  answered = "";
  const input = h("input", { inputmode: "text", autocomplete: "off", "aria-label": q.text }), said = h("b", { role: "status" });
  box.replaceChildren(h("b", {}, "Quiz "), q.text, h("form", { onsubmit: e => {
    e.preventDefault();
    const v = parse(input.value);
    if (Number.isNaN(v)) return put(said, "type a number");
    const right = Math.abs(v - q.v) <= Math.max(1.01e-4, 0.01 * Math.abs(q.v));
    answered = right ? "right" : "wrong";
    put(said, right ? "✓ right" : `✗ it is ${fixed(q.v)}`);
    table();
  } }, input, h("button", {}, "Check"), said));
}

// ---- bottom: both axes ----------------------------------------------------------------------------------------------
const INK = { forward: "var(--soft)", zero: "var(--edge)", backward: "var(--grad)", step: "var(--blue)" };
function axes() {
  const outer = $("outer"), W = outer.clientWidth, H = outer.clientHeight, u = em(), n = Math.min(COUNT, 100), hi = Math.max(...D.loss.filter(Number.isFinite), 1e-12), body = [];
  const bin = Math.min(n - 1, Math.floor(o * n / COUNT));
  for (let b = 0; b < n; b++) {
    const own = D.loss.slice(Math.floor(b * COUNT / n), Math.max(Math.floor(b * COUNT / n) + 1, Math.floor((b + 1) * COUNT / n))).filter(Number.isFinite), v = own.length ? own.reduce((x, y) => x + y, 0) / own.length : hi;
    const t = Math.max(0.3 * u, Math.max(0, v) / hi * (H - 0.2 * u));
    body.push(s("rect", { x: b * W / n, y: H - t, width: Math.max(1, W / n - 2), height: t, rx: 2, fill: b === bin ? "var(--ink)" : "var(--rule)" }));
  }
  const words = `${D.steps} optimizer steps${D.steps > n ? `, ${n} bars of ${Math.round(D.steps / n)}` : ""}`, tw = words.length * 0.56 * u;
  body.push(s("rect", { x: W - tw - 0.4 * u, y: 0, width: tw + 0.4 * u, height: 1.3 * u, fill: "var(--panel)", opacity: 0.85 }), s("text", { x: W, y: u, "text-anchor": "end", class: "strong" }, words));
  outer.setAttribute("viewBox", `0 0 ${W} ${H}`);
  outer.replaceChildren(...body);
  for (const [k, v] of [["aria-valuemin", 0], ["aria-valuemax", D.steps - 1], ["aria-valuenow", step_number()], ["aria-valuetext", `optimizer step ${step_number()} of ${D.steps}, loss ${num(D.loss[o])}`]]) outer.setAttribute(k, v);
  const inner = $("inner"), wide = W / parts.length, row = [], hh = 1.1 * u, seen = {};
  parts.forEach((p, k) => {
    row.push(s("rect", { x: k * wide, y: 0.2 * u, width: Math.max(1, wide - 2), height: hh, rx: 2, fill: k <= at ? INK[p.phase] : "var(--bg)", stroke: INK[p.phase], "stroke-width": 1.2 }));
    (seen[p.phase] ??= []).push(k);
  });
  let end = 0;
  for (const [phase, list] of Object.entries(seen)) {
    const word = PHASES[phase], tw2 = word.length * 0.56 * u, x = Math.max(end + tw2 / 2, Math.min(W - tw2 / 2, (list[0] + list.at(-1) + 1) / 2 * wide));
    end = x + tw2 / 2 + 0.6 * u;
    row.push(s("text", { x, y: 2.6 * u, "text-anchor": "middle", class: phase === now().phase ? phase === "backward" ? "grad" : phase === "step" ? "blue" : "strong" : "" }, word));
  }
  row.push(s("circle", { cx: (at + 0.5) * wide, cy: 0.2 * u + hh / 2, r: 0.75 * u, fill: "var(--ink)", stroke: "var(--bg)", "stroke-width": 2 }));
  inner.setAttribute("viewBox", `0 0 ${W} ${inner.clientHeight}`);
  inner.replaceChildren(...row);
  for (const [k, v] of [["aria-valuemin", 1], ["aria-valuemax", parts.length], ["aria-valuenow", at + 1], ["aria-valuetext", sentence()]]) inner.setAttribute(k, v);
}
function sentence() {
  const p = now();
  if (p.phase === "zero") return left.has(step_number()) ? "The gradients of earlier steps are still there: they will add up" : "zero_grad empties all gradients";
  if (p.phase === "step") return p.p == null ? "The optimizer moves the parameters" : `${D.optimizer || "The program"} moves ${P[p.p].n}`;
  if (!p.n) return p.phase === "forward" ? "The loss is computed" : "Backward finds the gradients";
  if (p.phase === "forward") return `${p.n.n} = ${p.n.x}`;
  const to = p.n.in.map(i => NODES.find(q => q.i === i)).filter(q => q?.g).map(q => q.n);
  return `${p.n.n} sends its gradient to ${to.join(", ") || "nobody"}`;
}

// ---- all of it ------------------------------------------------------------------------------------------------------
function render() {
  if (now().phase === "step" && now().p != null && now().p !== followed) choose(followed = now().p);
  if (now().phase !== "step") followed = -1;
  root.classList.remove("forward", "zero", "backward", "step");
  root.classList.add(now().phase);
  put($("phase"), PHASES[now().phase].toUpperCase());
  put($("said"), sentence());
  put($("count"), `· optimizer step ${step_number()} of ${D.steps}`);
  for (const [id, on] of [["b-quiz", quiz], ["b-grad", gradients], ["b-presenter", root.classList.contains("presenter")], ["b-dark", root.classList.contains("dark")]]) $(id).setAttribute("aria-pressed", on);
  curve(); film(); heat(); weights(); question(); table(); graph(); source(); axes();
  put($("say"), `optimizer step ${step_number()}, ${PHASES[now().phase]}: ${sentence()}`);
  try { const to = `#o${step_number()}.s${at + 1}`; if (location.hash !== to) history.replaceState(null, "", to); } catch { /* a notebook's frame has no address */ }
}
let followed = -1;
function go(k, part) {
  o = Math.max(0, Math.min(COUNT - 1, k));
  at = Math.max(0, Math.min(parts.length - 1, part));
  render();
}
const next = () => at < parts.length - 1 ? go(o, at + 1) : o < COUNT - 1 && go(o + 1, 0);
const back = () => at > 0 ? go(o, at - 1) : o > 0 && go(o - 1, parts.length - 1);
function play() {
  if (timer) { clearInterval(timer); timer = 0; } else {
    if (o === COUNT - 1) go(0, at);
    timer = setInterval(() => { if (o >= COUNT - 1) play(); else go(o + Math.max(1, Math.round(COUNT / 600)), at); }, 1000 / 12);
  }
  put($("b-play"), timer ? "❚❚ Pause" : "▶ Play");
}
function scrub(svg, to) {
  let held = false;
  const move = e => { const box = svg.getBoundingClientRect(); to((e.clientX - box.left) / box.width, e.clientX - box.left); };
  svg.addEventListener("pointerdown", e => { held = true; svg.setPointerCapture(e.pointerId); move(e); });
  svg.addEventListener("pointermove", e => { if (held) requestAnimationFrame(() => move(e)); });
  svg.addEventListener("pointerup", () => { held = false; });
}
const to_step = (_, x) => go(Math.round((x - frame.x) / frame.w * (COUNT - 1)), at);
scrub($("curve"), to_step); scrub($("heat"), to_step);
scrub($("outer"), f => go(Math.floor(f * COUNT), at));
scrub($("inner"), f => go(o, Math.floor(f * parts.length)));
const toggle = name => { root.classList.toggle(name); render(); requestAnimationFrame(render); };
const KEYS = [["← →", "the next part of this step: an op forward, a gradient backward, a parameter of step()"], ["Shift + ← →", "the same part of the next optimizer step"], ["Home End", "first and last optimizer step"], ["f z b s", "to forward, zero_grad, backward, step"], ["space", "play: 12 optimizer steps a second"], ["↑ ↓", "another unit"], ["[ ]", "another parameter"], ["g", "pictures of gradients, or of weights"], ["q", "quiz"], ["t", "graph and source, where the window is small"], ["p", "large type"], ["d", "dark"], ["?", "this help"]];
$("help").append(h("h2", {}, "Keys"), h("dl", {}, KEYS.map(([k, words]) => [h("dt", {}, h("kbd", {}, k)), h("dd", {}, words)])), h("form", { method: "dialog" }, h("button", {}, "Close")));
const other = by => { if (P.length) { choose((chosen + by + P.length) % P.length); render(); } };
const phase_at = name => { const k = parts.findIndex(p => p.phase === name); if (k >= 0) go(o, k); };
const actions = {
  ArrowRight: e => e.shiftKey ? go(o + 1, at) : next(), ArrowLeft: e => e.shiftKey ? go(o - 1, at) : back(), PageDown: next, PageUp: back, Home: () => go(0, at), End: () => go(COUNT - 1, at),
  ArrowDown: () => { choose(chosen, Math.min((P[chosen]?.units.length ?? 1) - 1, unit + 1)); render(); }, ArrowUp: () => { choose(chosen, Math.max(0, unit - 1)); render(); }, "[": () => other(-1), "]": () => other(1),
  " ": play, g: () => { gradients = !gradients; render(); }, q: () => { quiz = !quiz; $("quiz").dataset.text = ""; render(); }, p: () => toggle("presenter"), d: () => toggle("dark"), t: () => toggle("graphed"),
  f: () => phase_at("forward"), z: () => phase_at("zero"), b: () => phase_at("backward"), s: () => phase_at("step"), "?": () => $("help").open ? $("help").close() : $("help").showModal(),
};
document.addEventListener("keydown", e => {
  const act = actions[e.key];
  if (!act || e.ctrlKey || e.metaKey || e.altKey || $("help").open && e.key !== "?" || e.target.tagName === "INPUT" || e.target.tagName === "SELECT" || e.target.tagName === "BUTTON" && e.key === " ") return;
  e.preventDefault();
  act(e);
});
for (const [id, act] of [["b-quiz", actions.q], ["b-grad", actions.g], ["b-presenter", actions.p], ["b-dark", actions.d], ["b-help", actions["?"]], ["b-back", back], ["b-next", next], ["b-play", play]]) $(id).addEventListener("click", e => { act(e); if (e.detail) $(id).blur(); });
addEventListener("resize", render);
const hash = () => { const m = /^#o(\d+)(?:\.s(\d+))?$/.exec(location.hash); if (m) go(NUMBER.findLastIndex((n, k) => n <= +m[1] && k < COUNT), (m[2] ?? 1) - 1); return !!m; };
addEventListener("hashchange", hash);
if (matchMedia("(prefers-color-scheme: dark)").matches) root.classList.add("dark");
if (!hash()) go(0, 0);
requestAnimationFrame(render);
