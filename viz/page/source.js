
// ---- source -------------------------------------------------------------------------------------------------------
// A space that does not break: else a long word leaves its number and its indent alone on a line.
const indented = text => text.replace(/^ +/, q => "\u00a0".repeat(q.length));
const lines = new Map();
D.files.forEach((f, k) => {
  if (!f.lines.length) return;
  if (D.files.length > 1) $("source").append(h("h3", {}, f.name));
  $("source").append(h("ol", {}, f.lines.map(([no, line]) => {
    const text = indented(line);
    const li = h("li", {}, h("i", {}, no ? String(no) : "⋯"), h("span", {}, text));
    if (no) {
      lines.set(`${k}:${no}`, [li, text, k, no]);
      li.addEventListener("click", () => { if (!String(getSelection())) to_line(k, no); });
    }
    return li;
  })));
});
const place = step => N[gives(step) ? step.from : step.n].at;
function source() {
  const [file, first, last, a, b] = place(now.steps[at]) || [];
  for (const [li, text, k, no] of lines.values()) {
    const here = k === file && first <= no && no <= last, words = part => linked(part, k, no);
    li.className = here ? "here" : "";
    if (!here || a == null) { li.lastChild.replaceChildren(...words(text)); continue; }
    const from = no === first ? a : text.length - text.trimStart().length, to = no === last ? b : text.length;
    li.lastChild.replaceChildren(...words(text.slice(0, from)), h("mark", {}, words(text.slice(from, to))), ...words(text.slice(to)));
  }
  const here = $("source").querySelector("mark") ?? lines.get(`${file}:${first}`)?.[0], box = $("source");
  if (here) box.scrollTop = here.offsetTop + Math.min(here.offsetHeight, box.clientHeight) / 2 - box.clientHeight / 2;
}
