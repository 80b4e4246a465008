// ---- links: one term in the source, the formula, the matrices and the graph ---------------------------------------
const NAME = /[\p{L}_][\p{L}\p{N}_.]*/gu;
const term = (i, text) => h("span", { class: `term ${N[i].r}`, "data-node": i }, text ?? N[i].n);
// A text in which the names of the nodes `ids` become terms.
function terms(text, ids) {
  const named = [...new Set(ids)].filter(i => N[i].n && N[i].r !== "constant").sort((a, b) => N[b].n.length - N[a].n.length);
  const out = [];
  for (let k = 0, plain = 0; k <= text.length; k++) {
    const free = k === 0 || !/[\p{L}\p{N}_.]/u.test(text[k - 1]) || text[k - 1] === "∂";
    const i = free ? named.find(j => text.startsWith(N[j].n, k) && !/[\p{L}\p{N}_]/u.test(text[k + N[j].n.length] ?? " ")) : undefined;
    if (i === undefined && k < text.length) continue;
    if (k > plain) out.push(text.slice(plain, k));
    if (i === undefined) break;
    out.push(term(i));
    plain = k + N[i].n.length;
    k = plain - 1;
  }
  return out;
}
const about = step => gives(step) ? [step.n, step.from, ...N[step.from].i] : [step.n, ...N[step.n].i];

// Which node a name in a line of the source stands for: one of this step, else the newest that was made there or above.
const plain_name = n => n.n.replace(/⁽[⁰¹²³⁴-⁹]+⁾/, "");
const by_name = new Map();
N.forEach((n, i) => {
  const name = plain_name(n); // the source has no marks of processes
  if (n.r !== "constant" && n.r !== "average") by_name.set(name, [...by_name.get(name) || [], i]);
});
function named(name, file, line) {
  const all = by_name.get(name) || [], own = about(now.steps[at]);
  return all.find(i => own.includes(i)) ?? all.findLast(i => N[i].at && N[i].at[0] === file && N[i].at[1] <= line) ?? all.at(-1);
}
function linked(text, file, line) {
  const out = [];
  let plain = 0;
  for (const m of text.matchAll(NAME)) {
    let name = m[0], i = named(name, file, line);
    if (i === undefined && name.includes(".")) i = named(name = name.slice(0, name.lastIndexOf(".")), file, line);
    if (i === undefined) continue;
    out.push(text.slice(plain, m.index), term(i, name));
    plain = m.index + name.length;
  }
  return [...out, text.slice(plain)];
}

let lamp = -1;
function light(i) {
  if (i === lamp) return;
  document.querySelectorAll(".lamp").forEach(e => e.classList.remove("lamp"));
  lamp = i;
  if (i < 0) return;
  document.querySelectorAll(`[data-node="${i}"]`).forEach(e => e.classList.add("lamp"));
  groups.get(N[i].box)?.classList.add("lamp");
}
const pointed = e => {
  const t = e.target.closest?.("[data-node]"), g = e.target.closest?.("#svg .n"), inside = g && members.get(g.id);
  return t ? +t.dataset.node : inside ? inside.at(-1) : g && N[+g.id.slice(1)] ? +g.id.slice(1) : -1;
};
document.addEventListener("pointerover", e => light(pointed(e)));
document.addEventListener("focusin", e => light(pointed(e)));

// A line of the source: to the next step that it made.
function to_line(file, line) {
  const made = k => { const p = place(S[k]); return p && p[0] === file && p[1] <= line && line <= p[2]; };
  for (let k = 1; k <= S.length; k++) if (made((at + k) % S.length)) return go((at + k) % S.length);
}
document.addEventListener("click", e => {
  const t = e.target.closest?.("#explain .term");
  if (t) touching(N[+t.dataset.node].box);
});
