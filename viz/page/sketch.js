// A picture that is drawn by hand, made into the numbers that a program reads, as the makers of the data did it.
//
// Strokes are lines, not pixels: they are scaled and moved first, and drawn then, so that the pen is as wide in a small
// drawing as in a large one. The drawing is made on a grid four times as fine, in black and white, and each number is
// the share of its 4 x 4 cells that is black.
//   8 x 8 (Alpaydin and Kaynak 1998): the strokes fill the height, or 13/16 of the width, and stand in the middle. A
//   picture of any digit is black for 30 % of its area there (26 to 35 %, in 8 of 10), so the pen is chosen for that;
//   28 x 28 (LeCun, Cortes and Burges, MNIST) and others: they fill 20/28, and the ink's centre is in the middle.
const FINE = 4, INK = 0.3;
function pixels(strokes, side) {
  const n = side * FINE, small = side < 16, wide = small ? 13 / 16 : 20 / 28, high = small ? 1 : 20 / 28, all = strokes.flat(), out = new Float64Array(side * side);
  if (!all.length) return out;
  const [x0, x1, y0, y1] = [0, 1].flatMap(q => [Math.min(...all.map(p => p[q])), Math.max(...all.map(p => p[q]))]);
  const drawn = (pen, dx = 0, dy = 0) => {
    const scale = Math.min((wide * n - pen) / Math.max(x1 - x0, 0.02), (high * n - pen) / Math.max(y1 - y0, 0.02), 6 * n);
    return grid(strokes, n, pen / 2, scale, n / 2 - scale * (x0 + x1) / 2 + dx, n / 2 - scale * (y0 + y1) / 2 + dy);
  };
  let pen = small ? 0.15 * n : 0.085 * n, cells = drawn(pen);
  if (small) {
    for (let k = 0; k < 4; k++) {
      pen = Math.max(0.1 * n, Math.min(0.3 * n, pen * INK * n * n / cells.reduce((a, c) => a + c, 0)));
      cells = drawn(pen);
    }
  } else {
    let mass = 0, mx = 0, my = 0;
    cells.forEach((c, k) => { mass += c; mx += c * (k % n + 0.5); my += c * (Math.floor(k / n) + 0.5); });
    cells = drawn(pen, n / 2 - mx / mass, n / 2 - my / mass);
  }
  cells.forEach((c, k) => { out[Math.floor(k / n / FINE) * side + Math.floor(k % n / FINE)] += c / FINE ** 2; });
  return out;
}
// The cells of an n x n grid whose middle is at most `half` away from a stroke.
function grid(strokes, n, half, scale, dx, dy) {
  const cells = new Uint8Array(n * n);
  for (const stroke of strokes) stroke.forEach((p, i) => {
    const [ax, ay, bx, by] = [...(stroke[i - 1] ?? p), ...p].map((v, q) => scale * v + (q % 2 ? dy : dx)), length = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by) - half)); y < Math.min(n, Math.max(ay, by) + half); y++)
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx) - half)); x < Math.min(n, Math.max(ax, bx) + half); x++) {
        const t = Math.max(0, Math.min(1, ((x + 0.5 - ax) * (bx - ax) + (y + 0.5 - ay) * (by - ay)) / length));
        if ((x + 0.5 - ax - t * (bx - ax)) ** 2 + (y + 0.5 - ay - t * (by - ay)) ** 2 <= half * half) cells[y * n + x] = 1;
      }
  });
  return cells;
}

// An input to draw: the numbers of each row of the batch are those of the drawing.
function sketch(name, spread, changed) {
  const n = side(D.arrays[name]), [low, high] = spread[1] > spread[0] ? spread : [0, 1], to = arrays[name];
  const canvas = h("canvas", { class: "paper", "aria-label": "Draw here" }), seen = h("canvas", { class: "seen", "aria-label": "What the program sees" });
  const hint = h("span", { class: "hint" }, "Draw a digit here"), strokes = [];
  let held = false, due = false;
  function show() {
    const pen = canvas.getContext("2d"), size = canvas.clientWidth * devicePixelRatio;
    canvas.width = canvas.height = size;
    [pen.lineWidth, pen.lineCap, pen.lineJoin, pen.strokeStyle] = [size * 0.07, "round", "round", colour("ink")];
    for (const stroke of strokes) {
      pen.beginPath();
      stroke.forEach(([x, y], k) => k ? pen.lineTo(x * size, y * size) : pen.moveTo(x * size, y * size));
      if (stroke.length === 1) pen.lineTo(stroke[0][0] * size, stroke[0][1] * size);
      pen.stroke();
    }
    hint.hidden = strokes.length > 0;
    paint(seen, to, n, n, { low, high });
  }
  function look() {
    due = false;
    const ink = pixels(strokes, n);
    for (let k = 0; k < to.length; k++) to[k] = low + ink[k % ink.length] * (high - low);
    show();
    changed(strokes.length > 0);
  }
  const soon = () => { if (!due) { due = true; requestAnimationFrame(look); } };
  const place = e => { const box = canvas.getBoundingClientRect(); return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]; };
  const drawn = e => { strokes.at(-1).push(...(e.getCoalescedEvents?.().length ? e.getCoalescedEvents() : [e]).map(place)); soon(); };
  canvas.addEventListener("pointerdown", e => { held = true; canvas.setPointerCapture(e.pointerId); strokes.push([place(e)]); soon(); });
  canvas.addEventListener("pointermove", e => { if (held) drawn(e); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = false; });
  const clear = () => { strokes.length = 0; look(); };
  const e = h("div", { class: "sketch" }, h("div", { class: "pad" }, canvas, hint), h("div", { class: "beside" }, h("button", { onclick: clear }, "Clear ", h("kbd", {}, "c")), seen,
    h("p", { class: "said" }, `What the program sees, ${n} × ${n} numbers from ${short(low)} to ${short(high)}: centred and scaled, as the data were.`)));
  return { e, show, clear, look };
}
