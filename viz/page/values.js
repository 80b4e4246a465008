// Arrays on the page: pictures, number fields, tables, bars.
const shown = v => typeof v === "bigint" ? minus(String(v)) : short(v);
const sizes = shape => shape.length ? shape.join(" × ") : "one number";
const about = (name, shape) => [h("b", {}, name), " ", h("small", {}, sizes(shape))];

// The side of the square that each row of an array is a picture of; 0 if there is none.
function side(a) {
  const { shape } = a, n = shape.at(-1), square = n === shape.at(-2), rest = shape.slice(0, square ? -2 : -1);
  if (!a.dtype.startsWith("float") || product(rest) !== (rest.length ? shape[0] : 1)) return 0;
  return square ? [8, 16, 28, 32].includes(n) ? n : 0 : n === 64 || n === 784 ? Math.sqrt(n) : 0;
}

// Numbers as colours: from paper to ink, or where `top` is given, from negative through nothing to positive.
function colours(image, low, high, top) {
  const [bg, ink, minus, plus] = ["bg", "ink", "low", "high"].map(name => rgb(colour(name)));
  return { set(k, v) {
    const a = top ? Math.min(1, Math.abs(v) / top) ** 0.8 : Math.max(0, Math.min(1, (v - low) / (high - low || 1))), to = top ? v < 0 ? minus : plus : ink;
    for (let q = 0; q < 3; q++) image.data[4 * k + q] = bg[q] + a * (to[q] - bg[q]);
    image.data[4 * k + 3] = 255;
  } };
}
function paint(canvas, values, rows, columns, { low = 0, high = 1, top = 0 } = {}) {
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows), cells = colours(image, low, high, top);
  for (let k = 0; k < rows * columns; k++) cells.set(k, Number(values[k] ?? 0));
  pen.putImageData(image, 0, 0);
}
const largest = values => { let top = 0; for (const v of values) if (Math.abs(Number(v)) > top) top = Math.abs(Number(v)); return top || 1; };
const flat = shape => [product(shape.slice(0, -1)), shape.at(-1) ?? 1]; // rows and columns
const FEW = 64; // numbers that are shown as numbers

// ---- inputs ---------------------------------------------------------------------------------------------------------
function set(name, k, text) {
  const whole = D.arrays[name].dtype === "int64", v = parse(text);
  if (Number.isNaN(v)) return;
  arrays[name][k] = whole ? BigInt(Math.round(v)) : v;
}
const written = v => typeof v === "bigint" ? String(v) : String(+v.toPrecision(6));
function fields(name, changed) {
  const a = D.arrays[name], [rows, columns] = flat(a.shape), cell = (k, i, j) => h("input", {
    value: written(arrays[name][k]), inputmode: "decimal", "aria-label": `${name}[${a.shape.length > 1 ? `${i}, ` : ""}${j}]`, oninput: e => { set(name, k, e.target.value); changed(); },
  });
  return h("div", { class: "fields" }, [...Array(rows).keys()].map(i => h("div", {}, [...Array(columns).keys()].map(j => cell(i * columns + j, i, j)))));
}
// A picture of many numbers; a click chooses one of them for the field below.
function field_of_many(name, changed) {
  const [rows, columns] = flat(D.arrays[name].shape), canvas = h("canvas", { class: "map" }), input = h("input", { inputmode: "decimal", "aria-label": `the chosen number of ${name}` }), place = h("small", {});
  let k = 0;
  const show = () => {
    paint(canvas, arrays[name], rows, columns, { top: largest(arrays[name]) });
    put(place, `[${Math.floor(k / columns)}, ${k % columns}] = `);
    if (document.activeElement !== input) input.value = written(arrays[name][k]);
  };
  canvas.addEventListener("click", e => {
    const box = canvas.getBoundingClientRect(), i = Math.floor((e.clientY - box.top) / box.height * rows), j = Math.floor((e.clientX - box.left) / box.width * columns);
    k = Math.max(0, Math.min(rows - 1, i)) * columns + Math.max(0, Math.min(columns - 1, j));
    show();
  });
  input.addEventListener("input", () => { set(name, k, input.value); show(); changed(); });
  show();
  return [canvas, h("p", {}, place, input)];
}

// ---- results --------------------------------------------------------------------------------------------------------
// Shares of 1: the numbers themselves where they are that, else those that softmax makes of them.
function shares(values) {
  const list = [...values].map(Number), sum = list.reduce((a, b) => a + b, 0);
  if (list.every(v => v >= 0) && Math.abs(sum - 1) < 1e-3) return list;
  const top = Math.max(...list), e = list.map(v => Math.exp(v - top)), all = e.reduce((a, b) => a + b, 0);
  return e.map(v => v / all);
}
// `drawn`: of a picture that was drawn, only the first row counts, and bars are shares.
function result(name, drawn) {
  const a = D.arrays[name], [rows, columns] = flat(a.shape), total = product(a.shape), of = side(a);
  if (total === 1 || drawn && columns === 1) {
    const e = h("output", { class: "number" });
    return { e, show: () => put(e, shown(arrays[name][0])) };
  }
  if (drawn && columns > 1 && columns <= 40) return bars(name, columns);
  if (drawn && of || total > FEW) {
    const e = h("canvas", { class: "map" }), [r, c] = drawn && of ? [of, of] : [rows, columns];
    return { e, show: () => paint(e, arrays[name], r, c, drawn && of ? { low: Math.min(...arrays[name].slice(0, of * of)), high: Math.max(...arrays[name].slice(0, of * of)) } : { top: largest(arrays[name]) }) };
  }
  const cells = [...Array(total).keys()].map(() => h("td", {}));
  const e = h("table", { class: "numbers" }, [...Array(rows).keys()].map(i => h("tr", {}, cells.slice(i * columns, (i + 1) * columns))));
  return { e, show: () => {
    const top = largest(arrays[name]);
    cells.forEach((cell, k) => {
      const v = Number(arrays[name][k]);
      put(cell, shown(arrays[name][k]));
      cell.style.background = `color-mix(in srgb, var(--${v < 0 ? "low" : "high"}) ${Math.round(45 * Math.min(1, Math.abs(v) / top))}%, var(--bg))`;
    });
  } };
}
function bars(name, columns) {
  const rows = [...Array(columns).keys()].map(k => ({ fill: h("i", {}), share: h("span", {}), raw: h("small", {}), k }));
  const e = h("div", { class: "bars", role: "img", "aria-label": name }, rows.map(r => r.e = h("div", {}, h("b", {}, String(r.k)), h("div", { class: "bar" }, r.fill), r.share, r.raw)));
  return { e, said: ": share by softmax, number", show: () => {
    const row = arrays[name].subarray(0, columns), share = shares(row), best = share.indexOf(Math.max(...share));
    for (const r of rows) {
      r.fill.style.width = `${100 * share[r.k]}%`;
      put(r.share, `${(100 * share[r.k]).toFixed(share[r.k] < 0.0995 ? 1 : 0)} %`);
      put(r.raw, shown(row[r.k]));
      r.e.classList.toggle("best", r.k === best);
    }
    e.dataset.best = best;
  } };
}
