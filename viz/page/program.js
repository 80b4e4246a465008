// A compiled program: `at` is the part. The picture, the lines of C and the memory plan show the same part.
const STEPS = D.steps, LAST = STEPS.length - 1;
let at = 0, dark = false, large = false;
const lines = D.c.split("\n").map(text => h("span", {}, text));
const kernels = D.kernels.map(text => text.split("\n").map(line => h("span", {}, line)));
const loop = e => /^\s+for \(/.test(e.textContent);
const svg = text => document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);

function pictures() {
  const [program, memory] = D.drawn.map(text => {
    const e = svg(text);
    e.style.maxWidth = `${1.6 * e.viewBox.baseVal.width}px`;  // of text that has 12 points at 1.33
    return e;
  });
  const { width, height } = program.viewBox.baseVal;
  $("program").parentElement.classList.toggle("tall", height > width);
  $("program").replaceChildren(program);
  $("memory").replaceChildren(...memory ? [memory] : []);
  $("places").hidden = !memory;
  STEPS.forEach((_, k) => {
    const e = $(`part-${k}`);
    if (!e) return;
    e.classList.add("part");
    e.addEventListener("click", () => go(k));
  });
}
const near = (e, box) => {
  if (!e) return;
  const a = e.getBoundingClientRect(), b = box.getBoundingClientRect();
  if (a.top < b.top + 30 || a.bottom > b.bottom - 30) box.scrollTop += (a.top + a.bottom - b.top - b.bottom) / 2;
  if (a.left < b.left || a.right > b.right) box.scrollLeft += a.left - b.left - 12;
};
function show() {
  const now = STEPS[at];
  root.className = [now.phase, dark ? "dark" : "", large ? "presenter" : ""].join(" ");
  put($("phase"), now.phase.toUpperCase());
  put($("said"), now.said || D.name);
  put($("count"), `part ${at + 1} of ${STEPS.length}`);
  put($("c-title"), `${now.about}: ${now.does}`);
  put($("held"), now.held ? `memory: ${now.held}` : "");
  put($("say"), `${now.phase}, part ${at + 1} of ${STEPS.length}: ${now.does}. ${now.held}`);
  const wanted = now.kernel == null ? lines : kernels[now.kernel];
  if ($("c").firstChild !== wanted[0]) $("c").replaceChildren(...wanted);
  lines.forEach((e, k) => e.classList.toggle("on", now.lines.includes(k)));
  STEPS.forEach((_, k) => { const e = $(`part-${k}`); e?.classList.toggle("now", k === at); e?.classList.toggle("later", k > at); });
  for (const [name, from, to] of D.rects) $(`rect-${name}`)?.classList.toggle("now", from <= at && at <= to);
  for (const e of document.querySelectorAll("#memory [id^=held-]")) e.classList.toggle("now", e.id === `held-${at}`);
  near($(`part-${at}`), $("program"));
  near(wanted === lines ? lines[now.lines[0]] : wanted.find(loop), $("c"));
  near($(`held-${at}`), $("memory"));
  $("axis").value = at;
  history.replaceState(null, "", `#${at + 1}`);
  $("b-dark").setAttribute("aria-pressed", dark);
  $("b-presenter").setAttribute("aria-pressed", large);
}
const go = k => { at = Math.max(0, Math.min(LAST, k)); show(); };
const first = phase => { const k = STEPS.findIndex(x => x.phase === phase); return k < 0 ? at : k; };
const flip = () => { dark = !dark; show(); };
const present = () => { large = !large; show(); };
const KEYS = { ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1), ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Home: () => go(0), End: () => go(LAST), b: () => go(first("backward")), u: () => go(first("update")), d: flip, p: present };
addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || !KEYS[e.key] || e.target.tagName === "BUTTON" && e.key === " ") return;
  e.preventDefault();
  KEYS[e.key]();
});
$("axis").max = LAST;
$("axis").addEventListener("input", e => go(+e.target.value));
$("b-back").addEventListener("click", () => go(at - 1));
$("b-next").addEventListener("click", () => go(at + 1));
$("b-dark").addEventListener("click", flip);
$("b-presenter").addEventListener("click", present);
addEventListener("hashchange", () => go((parseInt(location.hash.slice(1)) || 1) - 1));
pictures();
dark = matchMedia("(prefers-color-scheme: dark)").matches;
go((parseInt(location.hash.slice(1)) || 1) - 1);
