// ---- tools: what if, paths, C ----------------------------------------------------------------------------------
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
  requestAnimationFrame(fit);
  if (!tool) return side.replaceChildren();
  const title = { whatif: "What if?", paths: "Every path to the result", loop: "In C" }[tool];
  side.replaceChildren(h("h2", {}, title, h("button", { "aria-label": "Close", onclick: () => open(tool) }, "✕")), ...{ whatif: leaves, paths: routes, loop }[tool]());
}
function loop() {
  const [said, text, opening] = D.loops[S[at].C];
  if (!text) return [h("p", {}, said)];
  const pre = h("pre", { tabindex: 0, "aria-label": "C text" }, text), lines = text.split("\n").length;
  requestAnimationFrame(() => { pre.scrollTop = opening * pre.scrollHeight / lines; }); // at the function with the first loop
  return [h("p", {}, said), pre];
}
// What can be changed. The processes' copies of a parameter hold the same numbers, and are changed as one.
const copies = i => N[i].r === "parameter" && D.tops.length > 1 ? [...N.keys()].filter(j => N[j].r === "parameter" && plain_name(N[j]) === plain_name(N[i]) && JSON.stringify(N[j].v) === JSON.stringify(N[i].v)) : [i];
const one_name = i => copies(i).length > 1 ? plain_name(N[i]) : N[i].n;
const changeable = () => [...N.keys()].filter(i => !N[i].op && !["constant", "average"].includes(N[i].r) && copies(i)[0] === i);
// A field for a number: what is typed replaces the old one, and what is none is marked.
function field(name, set) {
  const e = h("input", { type: "text", inputmode: "decimal", "aria-label": `value of ${name}` });
  e.addEventListener("focus", () => e.select());
  e.addEventListener("input", () => { const v = parse(e.value); e.setAttribute("aria-invalid", Number.isNaN(v)); if (!Number.isNaN(v)) set(v); });
  return e;
}
const INTRO = `Change a leaf: ${D.over ? "values and tangents" : "forward and backward"} are computed again, here.`;
function leaves() {
  if (!D.live) return whatif_tensors();
  const rows = changeable().map(i => {
    const n = N[i], name = one_name(i);
    const reach = Math.max(5, 2 * Math.ceil(Math.abs(n.v)));
    const number = field(name, v => { set(v); slide.value = v; });
    number.dataset.leaf = i;
    const slide = h("input", { type: "range", min: -reach, max: reach, step: "any", "aria-label": `${name}, slider`, tabindex: -1 });
    const label = h("div", { class: changed.has(i) ? "leaf changed" : "leaf" }, h("b", {}, name), number, slide);
    const set = v => { for (const j of copies(i)) if (v === n.v) changed.delete(j); else changed.set(j, v); label.classList.toggle("changed", changed.has(i)); recompute(); render(); };
    slide.addEventListener("input", () => { set(Math.round(slide.value * 100) / 100); number.value = minus(String(now.V[i])); });
    number.value = minus(String(+now.V[i].toPrecision(6)));
    slide.value = now.V[i];
    return label;
  });
  const result = h("p", { class: "math total", id: "result" }, "");
  return [h("p", {}, INTRO), ...rows, result, h("button", { onclick: reset }, "Back to the program's values")];
}
// What was changed, in words.
function changes() {
  return [...changed].filter(([i]) => copies(i)[0] === i).flatMap(([i, v]) => typeof v === "number" ? [[one_name(i), v]] : v.flatMap((x, k) => x === reals(i)[k] ? [] : [[element_name(i, one_name(i), k), x]]))
    .map(([name, v]) => `${name} = ${minus(String(+v.toPrecision(6)))}`).join(", ");
}
function reset() { changed.clear(); recompute(); panel(); render(); }

// Local derivatives per edge; the gradient is the sum over all paths of the products along them.
function slopes() {
  const out = new Map();
  for (const s of now.steps) if (s.k === "c") out.set(s.n, [...out.get(s.n) || [], s]);
  return out;
}
function allPaths(i) {
  const up = slopes(), count = new Map(), found = [], end = top_of(i);
  const size = j => j === end ? 1 : count.has(j) ? count.get(j) : null;
  const order = [...N.keys()].reverse();
  for (const j of order) if (j !== end) count.set(j, (up.get(j) || []).reduce((t, s) => t + (size(s.from) || 0), 0));
  const stack = [[i, []]];
  while (stack.length && found.length < PRODUCTS) {
    const [j, way] = stack.pop();
    if (j === end) { found.push(way); continue; }
    for (const s of (up.get(j) || []).slice().reverse()) if (size(s.from)) stack.push([s.from, [...way, s]]);
  }
  return { found, total: size(i) || 0 };
}
function routes() {
  if (picked < 0) return [h("p", {}, "No parameter is on the way to the result.")];
  const n = N[picked], end = top_of(picked), { found, total } = allPaths(picked), numbers = found.every(w => w.every(s => s.l != null));
  const head = h("p", {}, "From ", h("b", {}, n.n), ` to `, h("b", {}, N[end].n), `: ${total === 1 ? "one path" : `${total.toLocaleString("en")} paths`}. `, "Along a path the local derivatives multiply; paths add up.");
  if (!found.length) return [h("p", {}, picked === end ? `${n.n} is the result itself: its gradient is 1.` : `No gradient flows from ${N[end].n} to ${n.n}.`)];
  const products = found.map(w => w.reduce((t, s) => t * s.l, 1));
  const rows = found.map((w, k) => h("button", { class: "path", "aria-current": lone === k, onclick: () => { lone = lone === k ? -1 : k; panel(); graph(); $("side").querySelectorAll(".path")[k].focus(); }, onfocus: () => {} },
    [n.n, ...w.map(s => N[s.from].n)].join(" → "),
    numbers && w.length ? math("soft", w.length > 12 ? `= ${num(products[k])}` : `${w.map(s => signed(s.l)).join(" · ")} = ${num(products[k])}`) : ""));
  const sum = products.reduce((a, b) => a + b, 0), out = [head, ...rows];
  if (!numbers) out.push(h("p", {}, "The local derivatives are matrices here, so the products are, too."));
  else if (total > found.length) out.push(h("p", { class: "total" }, `The first ${found.length} of ${total.toLocaleString("en")} paths are shown; all of them add up to ${num(gradientOf(picked))}.`));
  else out.push(math("sum total", frac(end, picked), " = ", found.length > 1 && found.length <= 6 ? products.map((v, k) => k ? signed(v) : num(v)).join(" + ") + " = " : "", h("span", { id: "pathsum", "data-sum": sum }, num(sum))));
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
