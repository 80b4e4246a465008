// ---- what moves and what is dotted: numbers on their way along an edge, and where a detached value came from --------
const TRAVEL = 700; // milliseconds from one end of an edge to the other
function travel() {
  document.querySelectorAll("#svg .travels").forEach(e => e.remove());
  const step = now.steps[at];
  if (still() || tool === "paths") return;
  const size = (v, words = told(v)) => v == null || v.lo === null ? "" : words;
  const send = (id, from_start, text, kind) => {
    const way = groups.get(id)?.querySelector(".way");
    if (!way || !text) return;
    const length = way.getTotalLength(), e = s("text", { class: `travels ${kind}`, "text-anchor": "middle", "font-size": 14 }, text), begun = performance.now();
    $("svg").firstElementChild.append(e);
    const frame = time => {
      if (!e.isConnected) return;
      const t = Math.min(1, (time - begun) / TRAVEL), p = way.getPointAtLength(length * (from_start ? t : 1 - t));
      e.setAttribute("x", p.x);
      e.setAttribute("y", p.y + (kind === "value" ? -6 : 20)); // the contribution stands above the edge
      if (t < 1) requestAnimationFrame(frame); else e.remove();
    };
    requestAnimationFrame(frame);
  };
  // forward each operand brings its value; backward the gradient sets out, and arrives multiplied
  if (step.k === "op") N[step.n].i.forEach((j, q) => { if (N[j].r !== "constant") send(`e${step.n}_${q}`, true, size(now.V[j], told_of(j)), "value"); });
  else if (step.k === "c" && step.e && !hidden(at)) {
    const g = single(gradient_at(step.from)), text = step.l != null && typeof g === "number" ? `${num(g)} · ${signed(step.l)}` : size(g);
    send(step.e, false, text, "gradient");
  }
}
const gradient_at = i => i === top_of(i) ? 1 : known(at).grads.get(i)?.v;

// A dotted line from the value that a leaf was made from, outside the graph, to that leaf.
function dotted() {
  for (const { node, of, line } of D.origins.filter(o => !N[o.node].op)) {
    const a = box(N[of].box), b = box(N[node].box);
    if (!a || !b) continue;
    const down = b.y > a.y + a.h || a.y > b.y + b.h, x0 = a.x + a.w / 2, y0 = b.y >= a.y ? a.y + a.h : a.y, x1 = b.x + b.w / 2, y1 = b.y >= a.y ? down ? b.y : b.y + b.h : down ? b.y + b.h : b.y, bend = down ? (y1 - y0) / 2 : 40;
    const d = `M${x0} ${y0} C${x0} ${y0 + bend} ${x1} ${down ? y1 - bend : y1 + bend} ${x1} ${y1}`, words = `from ${N[of].n}, line ${line}: outside the graph`;
    const room = down && Math.abs(y1 - y0) > 40, place = room ? [(x0 + x1) / 2, (y0 + y1) / 2] : [x1, b.y + b.h + 18 + (down ? 0 : 30)];
    $("svg").append(s("g", { class: "origin" }, s("path", { d }), s("text", { x: place[0], y: place[1], "text-anchor": "middle", "font-size": 12 }, words)));
  }
}
dotted();
const origin_of = i => D.origins.filter(o => o.node === i).map(o => `${N[i].op ? `What ${N[i].n} reads` : N[i].n} was ${N[i].op ? "chosen by" : "made from"} ${N[o.of].n} in line ${o.line}: ${o.why}. No gradient goes back that way.`).join(" ");
