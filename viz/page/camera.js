// ---- camera: which part of the picture the stage shows ------------------------------------------------------------
// The view is a scale and a middle, in the picture's own units. It follows the active node with its
// neighbours until the user moves it; never does it make text smaller than can be read, unless asked to.
const PICTURE = { w: +$("svg").dataset.w, h: +$("svg").dataset.h };
const SMALLEST = Math.min(...[...document.querySelectorAll("#svg text")].map(e => parseFloat(e.getAttribute("font-size")) || 12));
const LARGEST = 4, MOVE = 350; // times the smallest readable scale; milliseconds
let view = null, moving = 0, gliding = false, manual = false, following = true;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const readable = () => (root.classList.contains("presenter") ? 20.2 : 14.2) / SMALLEST * (innerWidth < 1400 && root.classList.contains("presenter") ? 0.76 : 1);

// What is free of the stage: the lens covers its lower part.
function free() {
  const room = $("graph"), lens = $("explain"), all = { w: room.clientWidth, h: room.clientHeight };
  const covered = lens.hidden || getComputedStyle(lens).position !== "absolute" ? 0 : all.h - lens.offsetTop;
  return { w: all.w, h: Math.max(60, all.h - covered), W: all.w, H: all.h };
}
const extent = new Map();
const shift = () => { const m = $("svg").firstElementChild.transform.baseVal[0]?.matrix; return [m?.e || 0, m?.f || 0]; };
function box(id) {
  if (extent.has(id)) return extent.get(id);
  const b = groups.get(id)?.getBBox?.(), [x, y] = shift(), found = b && { x: b.x + x, y: b.y + y, w: b.width, h: b.height };
  if (b?.width) extent.set(id, found); // 0 before a notebook's frame has been laid out
  return found;
}
const around = boxes => {
  const x = Math.min(...boxes.map(b => b.x)), y = Math.min(...boxes.map(b => b.y));
  return { x, y, w: Math.max(...boxes.map(b => b.x + b.w)) - x, h: Math.max(...boxes.map(b => b.y + b.h)) - y };
};
// The ids of a step's boxes: what is active first, then what it reads and who reads it.
function stop(step) {
  const own = gives(step) ? [step.n, step.from] : [step.n], near = new Set(own);
  for (const i of own) {
    N[i].i.forEach(j => near.add(j));
    if (!gives(step)) N.forEach((m, j) => { if (m.i.includes(i)) near.add(j); });
  }
  const of = list => [...new Set([...list].map(i => N[i].box))].filter(id => id && box(id));
  return { own: of(own), near: of(near) };
}
// Where the camera should stand. All of the picture, if it can be read then; else the active node with
// as many of its neighbours as fit.
function wanted() {
  const room = free(), pad = 28, least = readable(), most = 2.2 * least;
  const scaleOf = b => Math.min((room.w - 2 * pad) / b.w, (room.h - 2 * pad) / b.h);
  const whole = { x: 0, y: 0, ...PICTURE };
  if (tool === "paths" || scaleOf(whole) >= least) return aim(whole, Math.min(scaleOf(whole), most), room);
  const { own, near } = stop(now.steps[at]), active = own[0] && box(own[0]);
  if (!active) return aim(whole, least, room);
  // what does not fit gives way, the farthest first, and stands at the rim (near.js); never the active node
  const far = b => Math.hypot(b.x + b.w / 2 - active.x - active.w / 2, b.y + b.h / 2 - active.y - active.h / 2);
  let fits = active;
  for (const b of [...own.map(box), ...near.map(box).sort((a, b) => far(a) - far(b))]) if (scaleOf(around([fits, b])) >= least) fits = around([fits, b]);
  const scale = Math.max(least, Math.min(scaleOf(fits), 1.35 * least)), out = inside(aim(fits, scale, room), room);
  return { ...hold(active, out, room), target: fits };
}
// Moved as little as needed for a box to be in view.
function hold(b, v, room) {
  const pad = 14 / v.scale, half = [room.w / 2 / v.scale - pad, room.h / 2 / v.scale - pad], lift = (room.H - room.h) / 2 / v.scale;
  const shift = (c, low, high, h) => Math.max(high - h, Math.min(low + h, c));
  return { ...v, x: shift(v.x, b.x, b.x + b.w, half[0]), y: shift(v.y - lift, b.y, b.y + b.h, half[1]) + lift };
}
const aim = (b, scale, room) => ({ scale, target: b, x: b.x + b.w / 2, y: b.y + b.h / 2 + (room.H - room.h) / 2 / scale });
// No blank beyond the edges of the picture, where there is more of it on the other side.
function inside(v, room) {
  const half = [room.w / 2 / v.scale, room.h / 2 / v.scale], pad = 24 / v.scale, lift = (room.H - room.h) / 2 / v.scale;
  const clamp = (c, h, size) => 2 * h >= size + 2 * pad ? size / 2 : Math.min(Math.max(c, h - pad), size - h + pad);
  return { ...v, x: clamp(v.x, half[0], PICTURE.w), y: clamp(v.y - lift, half[1], PICTURE.h) + lift };
}
function place_view(v) {
  view = v;
  const room = free(), w = room.W / v.scale, hgt = room.H / v.scale;
  $("svg").setAttribute("viewBox", `${v.x - w / 2} ${v.y - hgt / 2} ${w} ${hgt}`);
  minimap();
  neighbours();
}
function stop_gliding() { cancelAnimationFrame(moving); gliding = false; }
function glide(to) {
  stop_gliding();
  if (!view || still()) return place_view(to);
  const from = view, begun = performance.now();
  const frame = time => {
    const t = Math.max(0, Math.min(1, (time - begun) / MOVE)), e = t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2;
    const mix = (a, b) => a + (b - a) * e;
    gliding = t < 1;
    place_view({ scale: mix(from.scale, to.scale), x: mix(from.x, to.x), y: mix(from.y, to.y) });
    if (gliding) moving = requestAnimationFrame(frame);
  };
  gliding = true;
  moving = requestAnimationFrame(frame);
}
// Is a box wholly in the free part of the stage?
function in_view(b, v) {
  const room = free(), left = v.x - room.W / 2 / v.scale, top = v.y - room.H / 2 / v.scale;
  return b.x >= left && b.y >= top && b.x + b.w <= left + room.w / v.scale && b.y + b.h <= top + room.h / v.scale;
}
// After a step or a change of size. What is in view already does not move.
function follow(jump) {
  if (view && (manual || !following)) return place_view(view);
  const to = wanted();
  if (jump) { stop_gliding(); return place_view(to); }
  const stays = view && !gliding && view.scale > 0.75 * to.scale && view.scale < 1.4 * to.scale && view.scale >= Math.min(readable(), to.scale) && in_view(to.target, view);
  if (stays) place_view(view); else glide(to);
}
const fit = () => follow(true);
function zoom_by(factor, x, y) {
  stop_gliding();
  const room = free(), least = Math.min(readable() / 4, room.w / PICTURE.w), scale = Math.min(Math.max(view.scale * factor, least), LARGEST * readable());
  const px = x ?? room.W / 2, py = y ?? room.h / 2; // the point that stays
  const ux = view.x + (px - room.W / 2) / view.scale, uy = view.y + (py - room.H / 2) / view.scale;
  manual = true;
  place_view({ scale, x: ux - (px - room.W / 2) / scale, y: uy - (py - room.H / 2) / scale });
}
function reset_view() { manual = false; glide(wanted()); }
function follow_or_not() { following = !following; manual = false; follow(); $("b-follow").setAttribute("aria-pressed", following); }

// ---- minimap: the whole picture, and the part in view -------------------------------------------------------------
const MAP = { parameter: "var(--blue)", data: "var(--soft)", loss: "var(--loss)" };
let drawn_map = null;
function minimap() {
  const map = $("map"), room = free(), w = room.w / view.scale, hgt = room.h / view.scale;
  const x = view.x - w / 2, y = view.y - room.H / 2 / view.scale;
  map.toggleAttribute("hidden", x <= 1 && y <= 1 && x + w >= PICTURE.w - 1 && y + hgt >= PICTURE.h - 1);
  if (map.hasAttribute("hidden")) return;
  if (!drawn_map || !+map.firstChild.getAttribute("width")) { // 0: a notebook's frame that was not laid out yet
    map.replaceChildren();
    map.setAttribute("viewBox", `-6 -6 ${PICTURE.w + 12} ${PICTURE.h + 12}`);
    drawn_map = new Map();
    for (const e of document.querySelectorAll("#svg .n")) {
      const b = box(e.id), role = [...e.classList].find(c => MAP[c]);
      const r = s("rect", { x: b.x, y: b.y, width: b.w, height: b.h, rx: 6, fill: MAP[role] || "var(--edge)", "fill-opacity": role ? 0.75 : 0.4 });
      map.append(r);
      drawn_map.set(e.id, r);
    }
    map.append(s("rect", { class: "frame" }));
  }
  const frame = map.lastChild, set = { x: Math.max(x, -4), y: Math.max(y, -4), width: Math.max(0, Math.min(w + Math.min(x, 0), PICTURE.w - x, PICTURE.w) + 4), height: Math.max(0, Math.min(hgt + Math.min(y, 0), PICTURE.h - y, PICTURE.h) + 4) };
  for (const [k, v] of Object.entries(set)) frame.setAttribute(k, v);
  for (const [id, r] of drawn_map) r.classList.toggle("active", id === N[now.steps[at].n].box);
}

// ---- the hand: wheel, drag, buttons -------------------------------------------------------------------------------
$("graph").addEventListener("wheel", e => {
  e.preventDefault();
  const b = $("graph").getBoundingClientRect();
  zoom_by(Math.exp(-Math.sign(e.deltaY) * Math.min(60, Math.abs(e.deltaY)) / 300), e.clientX - b.x, e.clientY - b.y);
}, { passive: false });
let grip = null;
$("graph").addEventListener("pointerdown", e => { if (e.button === 0) grip = { x: e.clientX, y: e.clientY, view, far: false }; });
addEventListener("pointermove", e => {
  if (!grip) return;
  const dx = e.clientX - grip.x, dy = e.clientY - grip.y;
  if (!grip.far && Math.hypot(dx, dy) < 5) return;
  if (!grip.far) { grip.far = manual = true; stop_gliding(); grip.view = view; $("graph").classList.add("held"); }
  place_view({ scale: grip.view.scale, x: grip.view.x - dx / view.scale, y: grip.view.y - dy / view.scale });
});
addEventListener("pointerup", () => { if (grip?.far) setTimeout(() => { grip = null; }); else grip = null; $("graph").classList.remove("held"); });
const dragged = () => grip?.far;
$("map").addEventListener("click", e => {
  const b = $("map").getScreenCTM().inverse(), p = new DOMPoint(e.clientX, e.clientY).matrixTransform(b), room = free();
  manual = true;
  glide(inside(aim({ x: p.x, y: p.y, w: 0, h: 0 }, view.scale, room), room));
});
