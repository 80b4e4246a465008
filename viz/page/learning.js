// A program that learns: its steps, the curve of its loss, and its weights as pictures.
function learning(p, changed) {
  const losses = [], data = Object.entries(p.data)[0], loss = p.results.find(name => product(D.arrays[name].shape) === 1);
  const batch = data && D.arrays[data[0]].shape[0], rows = data && D.arrays[data[1]].shape[0];
  let running = false, fast = false, speed = 0, since = 0, made = 0, wrong = "";
  const svg = s("svg", { class: "curve", role: "img", "aria-label": "Loss" }), said = h("p", { class: "said" });
  const button = (word, key, act, given = {}) => h("button", { ...given, onclick: e => { act(); if (e.detail) e.target.blur(); } }, word, " ", h("kbd", {}, key));
  const start = button("▶ Start", "space", () => running ? stop() : go(), { class: "start" });
  const quick = button("Fast", "f", () => { fast = !fast; show(); });
  const rates = p.rates.map((name, k) => h("label", {}, `learning rate${k ? ` ${k + 1}` : ""} `, h("input", { value: String(arrays[name][0]), inputmode: "decimal", oninput: e => set(name, 0, e.target.value) })));

  function step() {
    wrong = run(p, losses.length);
    if (wrong) return stop();
    losses.push(loss ? Number(arrays[loss][0]) : NaN);
    made++;
  }
  const once = () => { stop(); step(); show(); changed(); };
  function stop() { running = false; show(); }
  function go() {
    running = true;
    [since, made, speed] = [performance.now(), 0, 0];
    show();
    requestAnimationFrame(frame);
  }
  function frame(now) {
    if (!running) return;
    const end = performance.now() + 12; // of 16 milliseconds
    do step(); while (running && fast && performance.now() < end);
    if (now - since > 500) { speed = made / (now - since) * 1000; [since, made] = [now, 0]; }
    show();
    changed();
    requestAnimationFrame(frame);
  }
  function again() {
    stop();
    losses.length = speed = 0;
    wrong = "";
    begin(["parameter", "state"]);
    show();
    changed();
  }
  function show() {
    start.firstChild.textContent = running ? "❚❚ Stop" : "▶ Start";
    quick.setAttribute("aria-pressed", fast);
    const n = losses.length, where = data ? `, ${Math.floor(n * batch / rows)} times through ${rows} examples, ${batch} at a time` : "";
    put(said, wrong || `${n} step${n === 1 ? "" : "s"}${where}${running && speed ? `, ${speed < 100 ? speed.toFixed(0) : Number(speed.toPrecision(2)).toLocaleString("en")} a second` : ""}`);
    curve(svg, losses);
    pictures.show();
  }
  const pictures = weights(p);
  const e = h("section", { class: "card learning" }, h("div", { class: "head" }, h("h2", {}, "Loss"), h("span", { class: "gap" }), rates), svg, said,
    h("div", { class: "buttons" }, start, button("Step", "→", once), quick, button("Again", "a", again)));
  return { e: [e, pictures.e], show, losses, keys: { " ": () => start.click(), ArrowRight: once, f: () => quick.click(), a: again, "[": () => pictures.other(-1), "]": () => pictures.other(1) } };
}

// Every step thinly, and a mean of some of them.
function curve(svg, losses) {
  const W = svg.clientWidth, H = svg.clientHeight, u = em(), left = 4.6 * u, n = losses.length, most = 500;
  if (!W) return;
  const last = n ? losses[n - 1] : NaN, parts = Math.min(n, most), means = [], raw = [];
  for (let k = 0; k < parts; k++) {
    const own = losses.slice(Math.floor(k * n / parts), Math.floor((k + 1) * n / parts));
    raw.push(own.reduce((a, b) => a + b, 0) / own.length);
  }
  const span = Math.max(1, Math.round(parts / 25));
  raw.forEach((_, k) => { const own = raw.slice(Math.max(0, k - span + 1), k + 1); means.push(own.reduce((a, b) => a + b, 0) / own.length); });
  const good = raw.filter(Number.isFinite), hi = Math.max(...good, 1e-12), lo = Math.min(0, ...good), X = k => left + (parts > 1 ? k / (parts - 1) : 0.5) * (W - left - 0.6 * u), Y = v => H - 1.7 * u - (v - lo) / (hi - lo) * (H - 2.6 * u);
  const line = list => list.map((v, k) => Number.isFinite(v) ? `${k && Number.isFinite(list[k - 1]) ? "L" : "M"}${X(k).toFixed(1)} ${Y(v).toFixed(1)}` : "").join("");
  const body = (n ? [lo, (lo + hi) / 2, hi] : []).flatMap(t => [s("line", { x1: left, x2: W - 0.6 * u, y1: Y(t), y2: Y(t), stroke: "var(--rule)" }), s("text", { x: left - 0.5 * u, y: Y(t) + 0.35 * u, "text-anchor": "end" }, short(t))]);
  body.push(s("path", { d: line(raw), fill: "none", stroke: "var(--soft)", "stroke-width": 1.2, opacity: 0.6 }), s("path", { d: line(means), fill: "none", stroke: "var(--ink)", "stroke-width": 3, "stroke-linejoin": "round" }));
  if (n) body.push(s("text", { x: left, y: H - 0.3 * u }, "0"), s("text", { x: W - 0.6 * u, y: H - 0.3 * u, "text-anchor": "end" }, `step ${n}`), s("text", { x: W - 0.6 * u, y: 0.9 * u, "text-anchor": "end", class: "strong" }, `loss ${num(last)}`));
  else body.push(s("text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, "Start, and the loss of every step appears here"));
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(...body);
}

// ---- weights --------------------------------------------------------------------------------------------------------
// How a parameter is shown: so many pictures, each of so many rows and columns.
function tiles(shape) {
  const size = product(shape.slice(1)), root2 = Math.round(Math.sqrt(size));
  if (shape.length >= 4) return [shape[0], product(shape.slice(1, -1)), shape.at(-1)]; // a convolution: its kernels
  if (shape.length > 1 && root2 * root2 === size && size >= 16) return [shape[0], root2, root2];
  return [1, ...flat(shape)];
}
const quantile = values => { const list = Float64Array.from(values, Math.abs).sort(); return list[Math.floor(0.98 * (list.length - 1))] || largest(values); };
function weights() {
  const names = Object.keys(D.arrays).filter(name => D.arrays[name].role === "parameter"), canvas = h("canvas", { class: "tiles" }), words = h("small", {});
  let chosen = Math.max(0, names.findIndex(name => D.arrays[name].shape.length > 1));
  const select = h("select", { "aria-label": "Parameter", onchange: e => { chosen = +e.target.value; show(); } }, names.map((name, k) => h("option", { value: k }, name)));
  function show() {
    if (!names.length) return;
    const name = names[chosen], values = arrays[name], { shape } = D.arrays[name], [count, rows, columns] = tiles(shape);
    select.value = chosen;
    put(words, count > 1 ? `${count} pictures of ${rows} × ${columns} weights` : sizes(shape));
    // as many in a row as make the whole fit its place
    const wide = canvas.clientWidth / (canvas.clientHeight || 1), across = Math.max(1, Math.min(count, Math.round(Math.sqrt(count * wide * (rows + 1) / (columns + 1))))), down = Math.ceil(count / across);
    const W = across * (columns + 1) - 1, H = down * (rows + 1) - 1, top = Math.max(quantile(values), 2 * quantile(first[name]));
    canvas.width = W; canvas.height = H;
    const pen = canvas.getContext("2d"), image = pen.createImageData(W, H), cells = colours(values, image, 0, 0, 1, top);
    for (let t = 0; t < count; t++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++)
      cells.set((Math.floor(t / across) * (rows + 1) + i) * W + t % across * (columns + 1) + j, values[(t * rows + i) * columns + j]);
    pen.putImageData(image, 0, 0);
  }
  const e = h("section", { class: "card weights" }, h("div", { class: "head" }, h("h2", {}, "Weights"), select, words), canvas,
    h("p", { class: "said" }, "green: positive, violet: negative"));
  return { e, show, other: by => { chosen = (chosen + by + names.length) % names.length; show(); } };
}
