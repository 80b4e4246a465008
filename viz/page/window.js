// ---- windows: convolution and pooling, plane by plane -------------------------------------------------------------
// A plane is the last two dimensions of a tensor. The window of the chosen cell is a frame on it, the
// kernel stands beside it as a tile, and between them and the result are the products that add up.
const PLANE = [40, 34, 28, 23, 19, 15].map(v => v / 20); // height of a cell with a number, in font sizes, as SPANS shrinks
const WIDEST = 10, CROP = 32; // columns of a plane with numbers; rows and columns of a plane of colours
const TILES = 12; // products that are written out in their tile
let channel = -1; // which of the planes that meet is shown; -1: the one with the largest product
const frames = new Map(); // where each frame stood, so that it slides

const plane_of = (k, s) => Math.floor(k / (s.at(-1) * (s.at(-2) ?? 1)));
const spot_of = (k, s) => { const w = s.at(-1) ?? 1, rows = s.length > 1 ? s.at(-2) : 1; return [Math.floor(k / w) % rows, k % w]; };
const planes_in = (marks, s) => [...new Set(marks.map(k => plane_of(k, s)))].sort((a, b) => a - b);
// Decimals with which the numbers of a plane are told apart, and a number with them, as short as it goes.
const decimals = values => {
  const top = Math.max(0, ...values.map(Math.abs).filter(Number.isFinite));
  return values.every(Number.isInteger) || top >= 100 ? 0 : top >= 10 ? 1 : top >= 0.1 ? 2 : top >= 0.01 ? 3 : -1;
};
const tiny = (v, d) => special(v) || d < 0 ? short(v) : (Math.abs(v) >= 1e4 ? scientific(v) : minus(v.toFixed(d)).replace(/^(−?)0\./, "$1."));
const letters = () => parseFloat(getComputedStyle($("view")).fontSize) || 15;

function plane({ title, values, n, z, node = -1, marks = [], isGrad, chosen = -1, cover, words, ring = [[0, 0], [0, 0]], frame, key, grey, best, moves }) {
  const s = n.s?.length ? n.s : [1], rows = s.length > 1 ? s.at(-2) : 1, columns = s.at(-1), start = z * rows * columns;
  const own = values.slice(start, start + rows * columns), top = Math.max(1e-300, ...own.map(Math.abs).filter(Number.isFinite));
  // numbers that are all small are written in units of a power of ten, which stands beside the title
  const power = decimals(own) < 0 && top > 1e-300 ? Math.floor(Math.log10(top)) : 0, text = v => power ? tiny(v / 10 ** power, 2) : tiny(v, d);
  const d = decimals(own), font = letters(), on = new Set(marks), wide = columns + ring[1][0] + ring[1][1];
  const level = SPANS.indexOf(span), height = (Math.max(rows, columns) <= 5 ? Math.max(1.3, PLANE[level]) : PLANE[level]) * font, longest = Math.max(1, ...own.map(v => text(v).length));
  const written = wide <= WIDEST && height >= 1.15 * font, w = written ? Math.max(height, (0.58 * longest + 0.5) * font) : Math.min(height, 360 / Math.max(wide, rows)), tall = written ? height : w;
  const middle_of = (f, a, size) => Math.max(0, Math.min(size - CROP, Math.round(f[a] + f[a + 2] / 2 - CROP / 2))), f = frame ?? [0, 0, 1, 1];
  const y0 = rows > CROP ? middle_of(f, 0, rows) : -ring[0][0], y1 = rows > CROP ? y0 + CROP : rows + ring[0][1], x0 = columns > CROP ? middle_of(f, 1, columns) : -ring[1][0], x1 = columns > CROP ? x0 + CROP : columns + ring[1][1];
  const picks = chosen >= 0, all_on = frame || own.every((_, k) => on.has(start + k)), table = h("table", { class: written ? "plane" : "plane heat", "data-digits": d, ...picks ? { role: "grid", id: "result-grid", "aria-label": title } : { role: "img", "aria-label": `${title}, ${rows} by ${columns}` } });
  for (let y = y0; y < y1; y++) {
    const tr = h("tr", {});
    for (let x = x0; x < x1; x++) {
      const inside = y >= 0 && x >= 0 && y < rows && x < columns, k = start + y * columns + x, v = values[k];
      const mine = k === chosen, look = !inside ? "pad" : mine ? "chosen" : on.has(k) ? k === best ? "meets best" : all_on ? "meets all" : "meets" : picks ? "pick" : "rests";
      const td = h("td", { class: look, ...inside ? { "data-k": k, title: cover && mine ? "?" : `${called(title, k, n.s)} = ${short(v)}` } : {}, ...picks && inside ? { role: "gridcell", tabindex: mine ? 0 : -1, "aria-label": words(k), onclick: () => choose(k, true) } : {} }, !inside || !written ? cover && mine ? "?" : "" : cover && mine ? "?" : text(v));
      td.style.width = `${w}px`;
      td.style.height = `${tall}px`;
      if (written) td.style.lineHeight = `${tall}px`;
      if (inside && !(cover && mine)) shade(td, v / top, isGrad, grey);
      tr.append(td);
    }
    table.append(tr);
  }
  const holder = h("div", { class: "planes" }, table);
  if (frame) {
    const gap = 2, [fy, fx, fh, fw] = frame, place = [(fx - x0) * (w + gap), (fy - y0) * (tall + gap)], was = frames.get(key);
    const e = h("div", { class: "frame" });
    Object.assign(e.style, { left: `${place[0]}px`, top: `${place[1]}px`, width: `${fw * (w + gap) - gap}px`, height: `${fh * (tall + gap) - gap}px` });
    holder.append(e);
    if (was && !still() && String(was) !== String(place)) e.animate([{ transform: `translate(${was[0] - place[0]}px, ${was[1] - place[1]}px)` }, { transform: "none" }], { duration: 180, easing: "ease-in-out" });
    frames.set(key, place);
  }
  const part = rows > CROP || columns > CROP ? `rows ${Math.max(0, y0)}…${Math.min(rows, y1) - 1}, columns ${Math.max(0, x0)}…${Math.min(columns, x1) - 1}` : "";
  return h("div", { class: isGrad ? "array g" : "array" }, h("p", {}, h("b", {}, node >= 0 ? term(node, title) : title), " " + (n.s?.length ? n.s.join("×") : "") + (power && written ? `, in ${scientific(10 ** power).replace("1.0", "1")}` : "")), holder, part ? h("p", {}, part) : "", moves);
}
// Colour by size, so pale that ink stays readable on it; a picture of nothing negative is grey.
function shade(td, share, isGrad, grey) {
  const a = Math.min(1, Math.abs(share)) || 0, mix = (colour, most) => { td.style.background = `color-mix(in srgb, ${colour} ${Math.round(most * a)}%, var(--bg))`; };
  if (!grey) return mix(isGrad ? "var(--grad)" : share < 0 ? "var(--low)" : "var(--high)", td.textContent ? 38 : 80);
  mix("var(--ink)", 88);
  if (a > 0.5) td.style.color = "var(--bg)";
}
function picker(what, k, n, go_to) {
  if (n < 2) return "";
  const button = (sign, name, to) => h("button", { "aria-label": `${name} ${what}`, onclick: () => go_to((to + n) % n) }, sign);
  return h("p", { class: "moves" }, button("◂", "previous", k - 1), button("▸", "next", k + 1), h("span", {}, `${what} ${k} of 0…${n - 1}`));
}

// Where the window of a cell lies on the operand that it slides over: row, column, height, width.
function frame_on(i, q, p, k) {
  const { q: geometry, op } = N[i], back = p != null;
  if (op.startsWith("conv_transpose") || q !== 0 || back && p !== 1 || !/2d$/.test(op)) return null;
  const y = shapeOf(i).slice(-2), kernel = geometry.kernel ?? shapeOf(N[i].i[1]).slice(-2), d = geometry.dilation ?? [1, 1];
  const at = spot_of(k, back ? shapeOf(N[i].i[1]) : shapeOf(i)), first = at.map((v, e) => v * (back ? d[e] : geometry.stride[e]) - geometry.padding[e][0]);
  return [...first, ...kernel.map((n, e) => back ? (y[e] - 1) * geometry.stride[e] + 1 : (n - 1) * d[e] + 1)];
}
function window_lens(covered) {
  const { step, i, list } = zoomed(), back = step.k === "c", p = back ? step.p : null, [lines, reads, about] = list.at(cell), l = about.l;
  const names = operand_names(i), result = flat(back ? step.A ?? step.c : now.V[i]), out = N[step.n], up = `∂${N[D.root].n}/∂${N[i].n}`;
  const operands = N[i].i.map((j, q) => ({ q, j, n: N[j], title: names[q], marks: reads[q], values: flat(now.V[j]) })).filter(o => o.marks.length && o.q !== l.plus);
  if (back) operands.unshift({ q: "g", j: i, n: N[i], title: up, marks: reads.at(-1), values: flat(now.measured ? now.G[i] : N[i].G), isGrad: true });
  if (back && p === 1) operands.reverse(); // the image, and on it the gradient of the map
  const count = Math.max(1, ...operands.map(o => planes_in(o.marks, o.n.s).length));
  const tries = (answers.get(at) || { tries: 0 }).tries, secret = covered && !tries, what = back && p === 1 ? "sample" : "channel";
  const channel_of = t => Math.max(0, ...operands.map(o => { const f = factor_of(t, o); return f ? planes_in(o.marks, o.n.s).indexOf(plane_of(f.e, o.n.s)) : 0; }));
  if (channel < 0 && !secret) channel = about.terms.length ? channel_of(about.terms.reduce((a, t) => Math.abs(t.v) > Math.abs(a.v) ? t : a)) : 0;
  const level = Math.max(0, Math.min(channel, count - 1)), shown = operands.map(o => { const z = planes_in(o.marks, o.n.s); return z[Math.min(level, z.length - 1)] ?? 0; });
  if (count > 1 && !about.few) about.written?.forEach((t, e) => { lines[e + 1] += ` (${what} ${channel_of(t)})`; });
  const won = about.terms.find(t => t.won), flow = N[i].op.startsWith("conv") && !(back && p === l.plus) ? back && p === 1 ? "⊙" : "∗" : "";
  const parts = operands.map((o, e) => {
    const given = o.q === 0 && N[i].q.padding?.some(v => v[0] || v[1]) && o.n.s.length > 3 && !N[i].op.startsWith("conv_transpose") && (!back || p === 1) && !/3d$/.test(N[i].op) ? N[i].q.padding : undefined;
    return plane({ ...o, node: o.j, z: shown[e], ring: given, frame: frame_on(i, o.q, p, cell), key: `${i}:${p}:${o.q}`, best: won?.factors[0].e, grey: o.q === 0 && o.n.r === "data" && o.values.every(v => v >= 0), moves: e === 0 ? picker(what, level, count, c => { channel = c; explain(); }) : "" });
  });
  const name = back ? `∂${N[D.root].n}/∂${names[p]}` : N[i].n, s = out.s, each_plane = s.length > 1 ? s.at(-1) * s.at(-2) : sizeOf(s);
  const words = k => covered && k === cell ? `${called(name, k, s)}: not yet known` : `${called(name, k, s)} = ${short(result[k])}`;
  const moves = picker("plane", Math.floor(cell / each_plane), sizeOf(s) / each_plane, z => choose(z * each_plane + cell % each_plane));
  const made = plane({ title: name, values: result, n: out, z: Math.floor(cell / each_plane), node: step.n, isGrad: back, chosen: cell, cover: covered, words, moves });
  const tiles = secret ? "" : products_tile(about, operands, shown, count);
  const sign = text => h("span", { class: "sign" }, text), pair = parts.length > 1 ? [parts[1], tiles ? sign("=") : "", tiles] : [];
  const between = h("div", { class: "between" }, h("div", { class: "arrays" }, pair), agrees(about, result[cell], covered), sum_of(lines, covered));
  return h("div", { class: "arrays windows" }, parts[0], flow ? sign(flow) : "", between, sign("→"), made);
}
const factor_of = (t, o) => t.factors.find(f => o.q === "g" ? f.g : f.q === o.q);
// What the page multiplied is compared with what the step holds.
function agrees({ terms, bias, l }, shown, covered) {
  const sum = l.choose && terms.some(t => t.won !== undefined) ? terms.find(t => t.won).v : plus_all(terms.map(t => t.v)) + (bias?.v ?? 0);
  const size = Math.max(1e-6, ...terms.map(t => Math.abs(t.v)), Math.abs(shown));
  return covered || Math.abs(sum - shown) <= 1e-4 * size || Number.isNaN(sum) && Number.isNaN(shown) ? "" : h("p", { class: "error" }, `✗ these products give ${short(sum)}, the program had ${short(shown)}`);
}
// The products where they stand on the kernel, or on the gradient that is laid on the image.
function products_tile(about, operands, shown, count) {
  if (about.l.q < 0 || operands.length < 2) return "";
  const on = operands[1], s = on.n.s, at_e = t => factor_of(t, on)?.e;
  const own = about.terms.filter(t => at_e(t) !== undefined && plane_of(at_e(t), s) === shown[1] && (o => { const f = factor_of(t, o); return !f || plane_of(f.e, o.n.s) === shown[0]; })(operands[0]));
  if (!own.length) return "";
  const places = own.map(t => spot_of(at_e(t), s)), y0 = Math.min(...places.map(v => v[0])), x0 = Math.min(...places.map(v => v[1])), y1 = Math.max(...places.map(v => v[0])), x1 = Math.max(...places.map(v => v[1]));
  const written = (y1 - y0 + 1) * (x1 - x0 + 1) <= TILES && tiled, top = Math.max(1e-300, ...own.map(t => Math.abs(t.v))), d = decimals(own.map(t => t.v)), font = letters();
  const few = new Set(about.written), rows = []; // outlined: what the sum beside it writes out
  for (let y = y0; y <= y1; y++) rows.push(h("tr", {}, Array.from({ length: x1 - x0 + 1 }, (_, x) => {
    const t = own[places.findIndex(v => v[0] === y && v[1] === x + x0)];
    if (!t) return h("td", { class: "pad" });
    const pair = t.factors.map(f => tiny(f.v, Math.abs(f.v) < 0.1 && f.v !== 0 ? 3 : Number.isInteger(f.v) ? 0 : 2)).map((v, k) => k && v.startsWith("−") ? `(${v})` : v).join("·");
    const td = h("td", { class: few.has(t) && !written ? "meets" : "rests", title: `${t.factors.map(f => f.text).join(" · ")} = ${short(t.v)}` }, written ? [h("small", {}, pair), h("b", {}, tiny(t.v, d < 0 ? d : Math.max(2, d)))] : "");
    if (!written) { const side = Math.min(1.2 * font, 200 / Math.max(y1 - y0, x1 - x0, 1)); td.style.width = td.style.height = `${side}px`; }
    shade(td, t.v / top, false, false);
    return td;
  })));
  const part = plus_all(own.map(t => t.v));
  return h("div", { class: "array" }, h("p", { class: "about" }, h("b", {}, `${own.length} product${own.length > 1 ? "s" : ""}`), count > 1 ? ` of this plane: ${short(part)}` : ""), h("table", { class: written ? "plane tiles" : "plane heat", role: "img", "aria-label": `${own.length} product${own.length > 1 ? "s" : ""}` }, rows));
}
// The lens of a step: windows for what slides, matrices for the rest.
function opened(covered) {
  if (structure(zoomed().i)?.kind === "window") return window_lens(covered);
  const [tables, text] = lens(covered);
  return h("div", { class: "lens" }, h("div", { class: "arrays" }, tables), text);
}

// ---- playing the lens: one element after the other ----------------------------------------------------------------
let playing = 0;
function play_lens() {
  if (playing || !zoomed() || hidden(at)) return stop_lens();
  if (shut) fold();
  const begun = at;
  let k = 0;
  choose(0);
  const on = () => {
    if (at !== begun || !zoomed() || ++k >= zoomed().list.length) return stop_lens();
    choose(k);
    playing = setTimeout(on, k < 4 ? 600 : k < 12 ? 250 : 60);
  };
  playing = setTimeout(on, 600);
}
function stop_lens() { clearTimeout(playing); playing = 0; }
