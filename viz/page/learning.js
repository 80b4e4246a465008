// A program that learns: its steps, the curve of its loss, and its weights as pictures.
function learning(p, changed) {
  const losses = [], bins = means(), data = Object.entries(p.data)[0], loss = p.results.find(name => product(D.arrays[name].shape) === 1);
  const batch = data && D.arrays[data[0]].shape[0], rows = data && D.arrays[data[1]].shape[0];
  let running = false, fast = false, log = false, speed = 0, since = 0, made = 0, wrong = "";
  const svg = s("svg", { class: "curve", role: "img", "aria-label": "Loss" }), said = h("p", { class: "said" });
  const button = (word, key, act, given = {}) => h("button", { ...given, onclick: e => { act(); if (e.detail) e.target.blur(); } }, word, " ", h("kbd", {}, key));
  const start = button("▶ Start", "space", () => running ? stop() : go(), { class: "start" });
  const quick = button("Fast", "f", () => { fast = !fast; show(); });
  const logarithm = button("Log", "l", () => { log = !log; show(); });
  const rates = p.rates.map((name, k) => h("label", {}, `learning rate${k ? ` ${k + 1}` : ""} `, h("input", { value: String(arrays[name][0]), inputmode: "decimal", oninput: e => set(name, 0, e.target.value) })));

  function step() {
    wrong = run(p, losses.length);
    if (wrong) return stop();
    losses.push(loss ? Number(arrays[loss][0]) : NaN);
    bins.add(losses.at(-1));
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
    bins.clear();
    wrong = "";
    begin(["parameter", "state"]);
    show();
    changed();
  }
  function show() {
    start.firstChild.textContent = running ? "❚❚ Stop" : "▶ Start";
    quick.setAttribute("aria-pressed", fast);
    logarithm.setAttribute("aria-pressed", log);
    const n = losses.length, where = data ? `, ${Math.floor(n * batch / rows)} times through ${rows} examples, ${batch} at a time` : "";
    put(said, wrong || `${n} step${n === 1 ? "" : "s"}${where}${running && speed ? `, ${speed < 100 ? speed.toFixed(0) : Number(speed.toPrecision(2)).toLocaleString("en")} a second` : ""}`);
    curve(svg, losses, bins.list, log);
    pictures.show();
  }
  const pictures = weights(p);
  const e = h("section", { class: "card learning" }, h("div", { class: "head" }, h("h2", {}, "Loss"), h("span", { class: "gap" }), rates, logarithm), svg, said,
    h("div", { class: "buttons" }, start, button("Step", "→", once), quick, button("Again", "a", again)));
  return { e: [e, pictures.e], show, losses, keys: { " ": () => start.click(), ArrowRight: once, f: () => quick.click(), l: () => logarithm.click(), a: again, "[": () => pictures.other(-1), "]": () => pictures.other(1) } };
}

// At most 600 means of as many steps each, however many steps there are.
function means() {
  let list = [], width = 1;
  function add(v) {
    const last = list.at(-1);
    if (last && last[1] < width) { last[0] += v; last[1]++; } else list.push([v, 1]);
    if (list.length <= 600) return;
    list = list.flatMap(([sum, n], k) => k % 2 ? [] : [[sum + (list[k + 1]?.[0] ?? 0), n + (list[k + 1]?.[1] ?? 0)]]);
    width *= 2;
  }
  return { add, clear() { list = []; width = 1; }, get list() { return list.map(([sum, n]) => sum / n); } };
}
// Every step thinly, or the mean of some; and boldly the mean of those around it.
function curve(svg, losses, raw, log) {
  const W = svg.clientWidth, H = svg.clientHeight, u = em(), left = 4.6 * u, right = W - 0.6 * u, n = losses.length, parts = raw.length;
  if (!W) return;
  const smooth = raw.map((_, k) => { const r = Math.min(k, parts - 1 - k, Math.round(parts / 80)), own = raw.slice(k - r, k + r + 1); return own.reduce((a, b) => a + b, 0) / own.length; });
  const good = raw.filter(v => Number.isFinite(v) && (!log || v > 0)), hi = Math.max(...good, 1e-12), lo = log ? Math.min(...good) : Math.min(0, ...good), f = log ? Math.log : v => v;
  const X = k => left + (parts > 1 ? k / (parts - 1) : 0.5) * (right - left), Y = v => H - 1.7 * u - (f(v) - f(lo)) / (f(hi) - f(lo) || 1) * (H - 3.2 * u);
  const line = list => { let up = true; return list.map((v, k) => { const y = Y(v), go = up; up = !Number.isFinite(y); return up ? "" : `${go ? "M" : "L"}${X(k).toFixed(1)} ${y.toFixed(1)}`; }).join(""); };
  const text = (x, y, words, given = {}) => s("text", { x, y, ...given }, words), end = { "text-anchor": "end" };
  const body = (good.length ? [lo, log ? Math.sqrt(lo * hi) : (lo + hi) / 2, hi] : []).flatMap(t => [s("line", { x1: left, x2: right, y1: Y(t), y2: Y(t), stroke: "var(--rule)" }), text(left - 0.5 * u, Y(t) + 0.35 * u, short(t), end)]);
  body.push(s("path", { d: line(raw), fill: "none", stroke: "var(--soft)", "stroke-width": 1.2, opacity: 0.6 }), s("path", { d: line(smooth), fill: "none", stroke: "var(--ink)", "stroke-width": 3, "stroke-linejoin": "round" }));
  if (n) body.push(text(left, H - 0.3 * u, "0"), text(right, H - 0.3 * u, `step ${n}`, end), text(right, 0.9 * u, `loss ${num(losses.at(-1))}`, { ...end, class: "strong" }));
  else body.push(text(W / 2, H / 2, "Start, and the loss of every step appears here", { "text-anchor": "middle" }));
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
// what 2 % of some of the numbers exceed
const quantile = values => { const every = Math.ceil(values.length / 2000), list = Float64Array.from(values.filter((_, k) => k % every === 0), Math.abs).sort(); return list[Math.floor(0.98 * (list.length - 1))] || largest(values); };
function weights() {
  const names = Object.keys(D.arrays).filter(name => D.arrays[name].role === "parameter"), canvas = h("canvas", { class: "tiles" }), words = h("small", {});
  let chosen = Math.max(0, names.findIndex(name => D.arrays[name].shape.length > 1));
  const select = h("select", { "aria-label": "Parameter", onchange: e => { chosen = +e.target.value; show(); } }, names.map((name, k) => h("option", { value: k }, name)));
  function show() {
    if (!names.length) return;
    const name = names[chosen], values = arrays[name], { shape } = D.arrays[name], [all, rows, columns] = tiles(shape);
    // no more than can be seen: a weight is at least 3 pixels wide
    const count = Math.min(all, Math.max(16, Math.floor(canvas.clientWidth * canvas.clientHeight / 9 / (rows + 1) / (columns + 1))));
    select.value = chosen;
    put(words, all > 1 ? `${count < all ? `the first ${count} of ` : ""}${all} pictures of ${rows} × ${columns} weights` : sizes(shape));
    // as many in a row as make the pictures large
    const size = c => Math.min(canvas.clientWidth / c / (columns + 1), canvas.clientHeight / Math.ceil(count / c) / (rows + 1));
    let across = 1;
    for (let c = 2; c <= count; c++) if (size(c) > size(across)) across = c;
    const down = Math.ceil(count / across);
    const W = across * (columns + 1) - 1, H = down * (rows + 1) - 1, top = Math.max(quantile(values), 2 * quantile(first[name]));
    canvas.width = W; canvas.height = H;
    const pen = canvas.getContext("2d"), image = pen.createImageData(W, H), cells = colours(image, 0, 1, top);
    for (let t = 0; t < count; t++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++)
      cells.set((Math.floor(t / across) * (rows + 1) + i) * W + t % across * (columns + 1) + j, values[(t * rows + i) * columns + j]);
    pen.putImageData(image, 0, 0);
  }
  const e = h("section", { class: "card weights" }, h("div", { class: "head" }, h("h2", {}, "Weights"), select, words), canvas,
    h("p", { class: "said" }, "green: positive, violet: negative"));
  return { e, show, other: by => { chosen = (chosen + by + names.length) % names.length; show(); } };
}
