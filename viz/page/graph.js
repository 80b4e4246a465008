// ---- graph --------------------------------------------------------------------------------------------------------
const groups = new Map([...document.querySelectorAll("#svg [id]")].map(e => [e.id, e]));
const texts = new Map([...groups].map(([id, e]) => [id, { val: e.querySelector(".val"), was: e.querySelector(".val")?.textContent, grd: e.querySelector(".grd"), con: e.querySelector(".con") }]));
const members = new Map();
N.forEach((n, i) => n.box && members.set(n.box, [...members.get(n.box) || [], i]));

function graph() {
  const k = known(at), step = now.steps[at];
  document.querySelectorAll("#svg .now").forEach(e => e.classList.remove("now"));
  document.querySelectorAll("#svg .flow").forEach(e => e.remove());
  const all = tool === "paths";
  for (const [box, inside] of members) {
    const e = groups.get(box), t = texts.get(box), i = inside.at(-1), n = N[i], v = single(now.V[i]);
    if (!e) continue;
    const seen = inside.some(j => k.seen.has(j));
    e.classList.toggle("seen", seen || all);
    const needing = inside.filter(j => N[j].g && (box[0] === "v" || !N[j].op));
    const got = needing.length > 0 && needing.every(j => k.grads.has(j));
    e.classList.toggle("known", got);
    e.classList.toggle("moved", changed.size > 0 && String(flat(now.V[i])) !== String(flat(N[i].v)));
    if (box[0] !== "v") continue;
    put(t.val, seen || all ? v == null || typeof v === "object" ? t.was : num(v) : "?");
    const g = single(k.grads.get(i)?.v);
    put(t.grd, !k.grads.has(i) ? "–" : g === null ? "…" : typeof g === "number" ? (n.s || !D.separate ? short(g) : num(g)) : short(g.r));
    e.setAttribute("aria-label", `${n.n}${n.op ? ` = ${n.x}` : `, ${n.r}`}${seen && typeof v === "number" ? `, value ${num(v)}` : ""}${t.grd && got ? `, gradient ${t.grd.textContent}` : ""}`);
    groups.get("o" + i)?.classList.toggle("seen", seen || all);
    groups.get("r" + i)?.classList.toggle("seen", seen || all);
  }
  for (const [id, e] of groups) {
    if (id[0] !== "e") continue;
    const target = +id.slice(1).split("_")[0];
    e.classList.toggle("seen", k.seen.has(target) || all);
    const c = single(k.given.get(id)), got = c != null;
    e.classList.toggle("got", got);
    e.classList.toggle("none", got && c === 0);
    const con = texts.get(id).con;
    if (con && got) {
      con.classList.toggle("zero", c === 0);
      put(con, c === 0 ? "0" : `${D.over ? "▸" : "◂"} ${told(c)}`);
    }
  }
  document.querySelectorAll("#svg .k").forEach(e => e.classList.toggle("seen", k.seen.has(+e.dataset.of) || all));
  if (!all) mark(step);
  paths();
  follow();
}

function mark(step) {
  const ids = gives(step) ? [N[step.n].box, step.e, "o" + step.from] : [N[step.n].box, "o" + step.n, "r" + step.n, ...N[step.n].i.map((_, p) => `e${step.n}_${p}`)];
  ids.forEach(id => groups.get(id)?.classList.add("now"));
  if (step.k === "p") pushing(step);
  if (!gives(step)) return;
  for (const id of [step.e, "r" + step.from]) {
    const e = groups.get(id), way = e?.querySelector(".way");
    if (!way) continue;
    e.classList.add("now");
    way.after(s("path", { class: step.k === "r" ? "flow ahead" : "flow", d: way.getAttribute("d") }));
  }
}
