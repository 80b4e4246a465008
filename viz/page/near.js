// ---- neighbours that are not in view: each a tag at the rim of the stage, where its edge leaves it -----------------
const TAGGED = 0.7; // of a box's area: what is seen of less needs a tag
const FRAME = 5; // pixels that the active one's thick line reaches out of its box
function neighbours() {
  const layer = $("near"), { own, near } = stop(now.steps[at]), room = free();
  layer.replaceChildren();
  if (gliding || tool === "paths") return;
  const x0 = view.x - room.W / 2 / view.scale, y0 = view.y - room.H / 2 / view.scale;
  const on_stage = b => ({ x: (b.x - x0) * view.scale, y: (b.y - y0) * view.scale, w: b.w * view.scale, h: b.h * view.scale });
  const share = b => Math.max(0, Math.min(b.x + b.w, room.w) - Math.max(b.x, 0)) * Math.max(0, Math.min(b.y + b.h, room.h) - Math.max(b.y, 0)) / b.w / b.h;
  const placed = new Map(near.map(id => [id, on_stage(box(id))])), away = near.filter(id => share(placed.get(id)) < TAGGED);
  const there = id => placed.get(id), whole = id => !away.includes(id), k = known(at);
  // a tag may have to lie on a neighbour, but not on what is active nor on another tag
  const framed = b => ({ x: b.x - FRAME, y: b.y - FRAME, w: b.w + 2 * FRAME, h: b.h + 2 * FRAME });
  const bare = own.filter(whole).map(there), taken = bare.map(framed), seen = near.filter(id => whole(id) && !own.includes(id)).map(there);
  for (const id of away) {
    const tag = tag_of(id, k), [ex, ey] = way_out(id, own, p => [(p.x - x0) * view.scale, (p.y - y0) * view.scale], room);
    layer.append(tag);
    const w = tag.offsetWidth, hgt = tag.offsetHeight, clamp = (v, size, most) => Math.max(4, Math.min(most - size - 4, v));
    const x = clamp(ex - w / 2, w, room.w), y = clamp(ey - hgt / 2, hgt, room.h), free_at = (boxes, gap = 3) => p => !boxes.some(b => p.x < b.x + b.w + gap && b.x < p.x + w + gap && p.y < b.y + b.h + gap && b.y < p.y + hgt + gap);
    const spots = Array.from({ length: 25 * 31 }, (_, n) => ({ x: clamp(x + (n % 25 - 12) * w / 3, w, room.w), y: clamp(y + (Math.floor(n / 25) - 15) * hgt / 3, hgt, room.h) }));
    spots.sort((p, q) => Math.hypot(p.x - x, p.y - y) - Math.hypot(q.x - x, q.y - y));
    const spot = spots.find(free_at([...taken, ...seen])) ?? spots.find(free_at(taken)) ?? spots.find(free_at(bare, 1)) ?? { x, y };
    tag.style.transform = `translate(${spot.x}px, ${spot.y}px)`;
    for (const boxes of [taken, bare]) boxes.push({ ...spot, w, h: hgt });
  }
}
// Where the edge between a box and the active ones leaves the free part of the stage, on its way there.
function way_out(id, own, to_stage, room) {
  const inside = ([x, y]) => x >= 0 && y >= 0 && x <= room.w && y <= room.h, mid = b => ({ x: b.x + b.w / 2, y: b.y + b.h / 2 });
  const ends = [mid(box(own[0])), mid(box(id))];
  const edges = (a, b, turned) => a.flatMap(i => N[i].i.flatMap((j, p) => b.includes(j) ? [[`e${i}_${p}`, turned]] : [])), nodes = own.flatMap(o => members.get(o) ?? []);
  const [edge, turned] = [...edges(nodes, members.get(id) ?? [], true), ...edges(members.get(id) ?? [], nodes, false)][0] ?? [];
  const way = groups.get(edge)?.querySelector(".way"), length = way?.getTotalLength(), [dx, dy] = shift();
  const point = t => { const p = way.getPointAtLength(length * (turned ? 1 - t : t)); return { x: p.x + dx, y: p.y + dy }; };
  const straight = t => ({ x: ends[0].x + t * (ends[1].x - ends[0].x), y: ends[0].y + t * (ends[1].y - ends[0].y) });
  const points = Array.from({ length: 41 }, (_, n) => to_stage((way ? point : straight)(n / 40)));
  return points.find((p, n) => !inside(p) && (n === 0 || inside(points[n - 1]))) ?? to_stage(ends[1]);
}
function tag_of(id, k) {
  const i = members.get(id).at(-1), n = N[i], back = phase() === "backward", g = k.grads.get(i), v = k.seen.has(i) ? single(now.V[i]) : null;
  const number = back && n.g ? h("span", { class: "g" }, " " + (g ? told(g.v).replace("rms ", "") : "–")) : typeof v === "number" ? ` ${short(v)}` : "";
  return h("button", { class: `tag ${n.r}`, tabindex: -1, "data-node": i, "aria-label": `${n.n}, not in view`, onclick: () => touching(id) }, h("b", {}, n.n), n.s ? ` ${n.s.join("×")}` : "", number);
}
