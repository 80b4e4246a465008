// ---- attention: the weights as a matrix, from each token to each ----------------------------------------------------
const ATTENTION = Object.entries(D.attention).map(([i, reads]) => [+i, reads]); // weights -> the products that read them
let head = 0, asking_row = 0, looking = true;
// The weights that a step makes, reads or sends a gradient to: their node, or -1.
function attention_now() {
  const step = S[at], own = [step.n, ...step.k === "c" ? [step.from] : step.k === "op" ? N[step.n].i : []];
  return ATTENTION.find(([i, reads]) => own.includes(i) || step.k === "op" && reads.includes(step.n) || reads.includes(step.from))?.[0] ?? -1;
}
const token_names = n => { const [rows, columns] = n.s.slice(-2), [a, b] = D.tokens; return a?.length === rows && b?.length === columns ? [a, b] : [[...Array(rows).keys()].map(String), [...Array(columns).keys()].map(String)]; };
function weights_table(values, n, z, isGrad, title) {
  const [rows, columns] = n.s.slice(-2), [queries, keys] = token_names(n), own = values.slice(z * rows * columns, (z + 1) * rows * columns), top = isGrad ? Math.max(1e-300, ...own.map(Math.abs)) : 1;
  const few = columns <= 10, d = isGrad ? decimals(own) : 2;
  const cell_at = (r, c) => { const v = own[r * columns + c], td = h("td", { title: `${queries[r]} → ${keys[c]}: ${short(v)}`, onclick: () => { asking_row = r; if (zoomed() && S[at].n === attention_now()) choose(z * rows * columns + r * columns + c); else attention(); } }, few ? tiny(v, d) : ""); shade(td, v / top, isGrad, false); return td; };
  return h("div", { class: isGrad ? "array g" : "array" }, h("p", {}, h("b", {}, title)), h("table", { class: few ? "plane" : "plane heat named" },
    h("tr", {}, h("th", {}), keys.map(t => h("th", { class: "key" }, h("span", {}, t)))), queries.map((t, r) => h("tr", { class: r === asking_row ? "here" : "" }, h("th", {}, t), Array.from({ length: columns }, (_, c) => cell_at(r, c))))));
}
function attention() {
  const i = attention_now(), box = $("attention"), n = N[i], k = i < 0 ? null : known(at), values = i < 0 ? null : elements(now.V[i]);
  box.hidden = !values || !k.seen.has(i);
  if (box.hidden) return;
  box.className = looking ? "" : "closed";
  const button = h("button", { onclick: look, title: "the weights of attention, or the graph: u" }, looking ? "Graph " : "Attention ", h("kbd", {}, "u"));
  box.style.paddingBottom = looking ? `${free().H - free().h + 8}px` : "";
  if (!looking) return box.replaceChildren(h("p", { class: "head" }, button));
  const [rows, columns] = n.s.slice(-2), heads = sizeOf(n.s.slice(0, -2)), [queries, keys] = token_names(n), g = k.grads.get(i)?.v, covered = hidden(at) && S[at].n === i;
  if (cell >= 0 && S[at].n === i) [head, asking_row] = [Math.floor(cell / rows / columns), Math.floor(cell / columns) % rows]; // the lens leads
  head = Math.min(head, heads - 1);
  asking_row = Math.min(asking_row, rows - 1);
  const row = values.slice((head * rows + asking_row) * columns, (head * rows + asking_row + 1) * columns);
  const order = row.map((v, c) => [v, c]).sort((a, b) => b[0] - a[0]).slice(0, 6), list = order.map(([v, c]) => { const bar = h("i", {}); bar.style.width = `${100 * v}%`; return h("tr", {}, h("th", {}, keys[c]), h("td", { class: "bar" }, bar), h("td", {}, short(v))); });
  const draw = listed => box.replaceChildren(h("p", { class: "head" }, h("b", {}, "ATTENTION "), "each row: where a token looks; its weights add up to 1", button), h("div", { class: "looks" },
    h("div", {}, weights_table(values, n, head, false, N[i].n), picker("head", head, heads, z => { head = z; if (cell >= 0 && S[at].n === i) choose(z * rows * columns); else attention(); })),
    listed ? h("div", {}, h("p", {}, h("b", {}, `${queries[asking_row]}`), " looks at"), h("table", { class: "fade" }, list)) : "",
    g && !covered && elements(g) ? weights_table(elements(g), n, head, true, `∂${N[D.root].n}/∂${N[i].n}`) : ""));
  draw(true);
  if (box.scrollHeight > box.clientHeight + 1) { // the two matrices say it, too
    draw(false);
    box.className = "narrow";
  }
}
function look() { looking = !looking; attention(); }

// ---- keys of what only pages with tensors have: the lens, recurrences, attention -------------------------------------
const TENSOR_KEYS = D.over ? [] : [
  ["e", "into the cells of the result; the arrows choose one, Esc leaves"], ["l", "play the cells of the result one after the other"],
  ...ROLLS.length || ATTENTION.length ? [["u", "a recurrence rolled into one box, unrolled, as a graph; the weights of attention, or the graph"]] : [],
  ...ROLLS.length ? [["[ ]", "another pass of a recurrence"]] : [],
];
const TENSOR_ACTIONS = {
  e: lens_keys, l: play_lens, u: () => { if ($("attention").hidden) { if (ROLLS.length) turn_roll(); } else look(); },
  "[": () => to_pass(-1), "]": () => to_pass(1),
};
