// ---- matrices: the tables of the lens, of which large ones show a window ---------------------------------------------
// The elements of large arrays come packed (large.py).
const nest = (a, [n, ...rest]) => n === undefined ? a[0] : Array.from({ length: n }, (_, k) => nest(a.slice(k * a.length / n, (k + 1) * a.length / n), rest));
function unpack(v, s) {
  if (!v?.b) return;
  v.f = nest([...new Float32Array(Uint8Array.from(atob(v.b), c => c.charCodeAt(0)).buffer)], s);
  delete v.b;
}
for (const n of N) { unpack(n.v, n.s); unpack(n.G, n.s); }
for (const step of S) { unpack(step.A, N[step.n].s); if (step.same && N[step.n].G?.f) step.A = N[step.n].G; }
// A matrix as a table. `marked`: cells that meet; `chosen`: the cell that is asked about; `cover`: hide it.
function matrix({ title, values, n, isGrad, marked = [], chosen = -1, cover = false, node = -1, words }) {
  const columns = (n.s || [1]).at(-1) || 1, count = Math.ceil(values.length / columns), picks = chosen >= 0;
  const key = `${at}:${title}:${picks ? "" : cell}`, most = across(), wide = columns > most, high = count > span;
  if (!windows.has(key)) {
    const centre = picks ? chosen : marked[Math.floor(marked.length / 2)] ?? 0;
    windows.set(key, [Math.floor(centre / columns), centre % columns]);
  }
  const half = [span, most].map(n => Math.floor(n / 2)), clamp = (v, size, n) => Math.max(0, Math.min(v, size - n));
  const middle = windows.get(key);
  let [top, left] = [clamp(middle[0] - half[0], count, span), clamp(middle[1] - half[1], columns, most)];
  if (picks) { // the chosen cell stays in view
    const y = Math.floor(chosen / columns), x = chosen % columns;
    top = clamp(Math.max(y - span + 1, Math.min(top, y)), count, span);
    left = clamp(Math.max(x - most + 1, Math.min(left, x)), columns, most);
    middle.splice(0, 2, top + half[0], left + half[1]);
  }
  const rows = [];
  for (let y = top; y < Math.min(count, top + span); y++) rows.push(h("tr", {}, Array.from({ length: Math.min(columns, most) }, (_, x) => {
    const k = y * columns + left + x, on = marked.includes(k), mine = k === chosen;
    const look = picks ? mine ? "chosen" : "pick" : on ? "meets" : "rests";
    const say = picks ? { role: "gridcell", tabindex: mine ? 0 : -1, "aria-label": words?.(k) ?? "", onclick: () => choose(k, true) } : {};
    return h("td", { class: look, ...say }, cover && mine ? "?" : short(values[k]));
  })));
  const within = (v, from, n) => Math.min(Math.max(v, from), from + n - 1);
  const move = (dy, dx) => {
    const [y, x] = [clamp(top + dy, count, span), clamp(left + dx, columns, most)];
    windows.set(key, [y + half[0], x + half[1]]);
    if (picks) cell = Math.max(0, Math.min(values.length - 1, within(Math.floor(chosen / columns), y, span) * columns + within(chosen % columns, x, most)));
    explain();
  };
  const arrow = (sign, name, dy, dx, off) => h("button", { "aria-label": `window ${name}`, ...off ? { disabled: "" } : {}, onclick: () => move(dy, dx) }, sign);
  const part = (a, size, n) => size > n ? `${a}:${a + n}` : ":"; // as one writes it in Python
  const moves = !wide && !high ? "" : h("div", { class: "moves" },
    high ? [arrow("▴", "up", -Math.ceil(span / 2), 0, top === 0), arrow("▾", "down", Math.ceil(span / 2), 0, top + span >= count)] : "",
    wide ? [arrow("◂", "left", 0, -Math.ceil(most / 2), left === 0), arrow("▸", "right", 0, Math.ceil(most / 2), left + most >= columns)] : "",
    h("p", {}, `[${n.s.length > 1 ? `${part(top, count, span)}, ` : ""}${part(left, columns, most)}]`));
  const table = h("table", { ...picks ? { role: "grid", id: "result-grid", "aria-label": title } : {}, class: wide || high ? "window" : "" }, rows);
  if (wide || high) drag(table, move);
  const head = h("p", {}, h("b", {}, node >= 0 ? term(node, title) : title), " " + shape(n), (n.s?.length ?? 0) > 2 && !moves ? " stacked" : "");
  return h("div", { class: isGrad ? "array g" : "array" }, h("div", { class: "heading" }, head, moves), table);
}
// Write the step so that nothing of it scrolls, if that can be.
function fit_lens(box) {
  let least = Infinity, best = null;
  const clipped = () => [...box.querySelectorAll(".lens, .windows, .arrays")].reduce((n, e) => n + Math.max(0, e.scrollWidth - e.clientWidth - 6), 0);
  const fits = way => {
    box.className = way.look;
    [span, tiled, summed] = [way.span, way.tiled, way.summed];
    written();
    const over = Math.max(0, box.scrollHeight - box.clientHeight - 1) + clipped();
    if (over < least) [least, best] = [over, way];
    return over === 0;
  };
  const way = { span: SPANS[0], tiled: true, summed: true, look: "" };
  if (!fits(way)) {
    // what is given up so that nothing scrolls, in this order: the sums as matrices, the products in their tiles, parts
    // of the matrices, the general rule, which the sum of the cell shows anyway, that sum's own column, and one row of planes
    const large = [...box.querySelectorAll("table")].some(t => Math.max(t.rows.length, t.rows[0]?.cells.length) > SPANS.at(-1)), tiles = box.querySelector(".tiles");
    const ways = ["", "tight", "tight stacked", "tight stacked wrapped", "tight stacked wrapped below"].flatMap(look => (large ? SPANS : SPANS.slice(0, 1)).flatMap(span => (tiles ? [true, false] : [true]).map(tiled => ({ span, tiled, summed: false, look }))));
    if (!ways.some(fits)) fits(best);
  }
  shorten(box, $("written"));
}
// Lines that are longer than their room are cut to as many rows as it has; then what abbreviations mean goes, from the
// last one on. A click shows all.
function shorten(box, sum) {
  const over = () => sum.scrollHeight > sum.clientHeight + 1 || box.scrollHeight > box.clientHeight + 1;
  if (!sum || !over()) return;
  sum.classList.add("short");
  for (let rows = 5; rows > 1 && over(); rows--) sum.style.setProperty("--rows", rows);
  for (const line of sum.querySelectorAll(".math")) { line.title = line.textContent; line.onclick = () => line.classList.toggle("whole"); }
  const lines = [...sum.querySelectorAll(".math")].slice(1).filter(e => !e.classList.contains("sum")), gone = [];
  if (!over() || !lines.length) return;
  const all = () => { sum.className = ""; gone.forEach(e => { e.hidden = false; }); more.remove(); }, more = h("button", { class: "more", onclick: all });
  sum.append(more);
  while (over() && lines.length) {
    gone.push(lines.pop());
    gone.at(-1).hidden = true;
    put(more, `… ${gone.length} more`);
  }
  if (over()) all(); // it is not the sum that is too high
}
function drag(table, move) {
  table.addEventListener("pointerdown", e => {
    const size = e.target.closest("td")?.getBoundingClientRect(), x = e.clientX, y = e.clientY;
    if (!size) return;
    addEventListener("pointerup", up => {
      const dx = Math.round((x - up.clientX) / size.width), dy = Math.round((y - up.clientY) / size.height);
      if (dx || dy) move(dy, dx);
    }, { once: true });
  });
}

// The matrices of a step and the sum of the chosen cell: [tables, text].
function lens(covered) {
  const { step, i, list } = zoomed(), back = step.k === "c", [told, reads] = list.at(cell), ins = operand_names(i);
  const result = flat(back ? step.A ?? step.c : now.V[i]);
  // the sums were written by Python; of changed values only what has no number in it still holds
  const lines = now.measured && !list.made ? [told[0], `= ${short(result[cell])}`] : told;
  const parts = N[i].i.map((j, p) => back && !reads[p]?.length ? "" : flat(now.V[j]).length ? matrix({ title: ins[p], values: flat(now.V[j]), n: N[j], marked: reads[p] || [], node: j }) : "");
  if (back) parts.unshift(matrix({ title: `∂${N[top_of(i)].n}/∂${N[i].n}`, values: flat(now.measured ? now.G[i] : N[i].G), n: N[i], marked: reads.at(-1) || [], isGrad: true, node: i }));
  const name = back ? `∂${N[top_of(i)].n}/∂${ins[step.p]}` : N[i].n;
  const about = k => covered && k === cell ? `${called(name, k, N[step.n].s)}: not yet known` : now.measured ? `${called(name, k, N[step.n].s)} = ${short(result[k])}` : list.at(k)[0].join(" ");
  const made = matrix({ title: name, values: result, n: N[step.n], isGrad: back, chosen: cell, cover: covered, node: step.n, words: about });
  return [[...parts, h("span", { class: "made" }, h("span", { class: "sign" }, "→"), made)], sum_of(lines, covered)];
}
// The written sum; of a cell that is asked about, its terms after the first wrong answer.
function sum_of(lines, covered) {
  const last = lines.findLastIndex(line => /^\+?[=≈]/.test(line)), tries = (answers.get(at) || { tries: 0 }).tries;
  const shown = covered ? lines.slice(0, tries ? last : 1).map((line, k) => k === 0 ? line.replace(/ = .*$/, " = ?") : line) : lines;
  return h("div", { id: "written" }, shown.map((line, k) => math(k === last ? "sum" : k === 0 ? "" : "soft", line)), added(covered), h("p", { class: "hint" }, "Another cell: click it, or e and the arrow keys; l plays them."));
}
// What the chosen cell's gradient was, and what it is after this step.
function added(covered) {
  const step = now.steps[at], [before, after] = [at - 1, at].map(k => flat(known(k).grads.get(step.n)?.v)[cell]);
  if (step.k !== "c" || covered || typeof before !== "number" || typeof after !== "number") return "";
  return math("soft", `was ${short(before)}, is now ${short(before)} + ${signed_short(after - before)} = ${short(after)}`);
}
const signed_short = v => v < 0 ? `(${short(v)})` : short(v);
function lens_keys() {
  if (!zoomed()) return;
  if (shut) fold();
  focus_grid();
}
