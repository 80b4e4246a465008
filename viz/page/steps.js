// ---- one step -----------------------------------------------------------------------------------------------------
function render() {
  root.classList.toggle("back", phase() === "backward");
  put($("phase"), D.over ? "FORWARD MODE" : phase().toUpperCase());
  put($("count"), `step ${at + 1} of ${S.length}`);
  $("slider").value = at + 1;
  $("slider").setAttribute("aria-valuetext", `step ${at + 1} of ${S.length}, ${phase()}`);
  $("badge").hidden = !changed.size;
  put($("badge"), `what if ${changes()}`);
  const press = (id, on) => $(id).setAttribute("aria-pressed", on);
  press("b-quiz", quiz); press("b-whatif", tool === "whatif"); press("b-paths", tool === "paths"); press("b-loop", tool === "loop");
  press("b-dark", root.classList.contains("dark")); press("b-presenter", root.classList.contains("presenter"));
  $("b-back").disabled = at === 0;
  $("b-next").disabled = at === S.length - 1;
  const p = place(now.steps[at]), note = p && D.files[p[0]].notes[p[1]];
  $("note").hidden = !(note && root.classList.contains("presenter"));
  put($("note"), note || "");
  root.classList.toggle("changed", changed.size > 0);
  if ($("result")) put($("result"), results());
  explain(); graph(); source(); check(); score();
  if (!D.live) { roll(); attention(); }
  document.querySelectorAll("#svg .n").forEach(e => e.setAttribute("tabindex", e.id === N[now.steps[at].n].box ? 0 : -1));
}
function go(k) {
  if (!(k >= 0 && k < S.length)) return;
  if (k !== at) { cell = -1; manual = false; windows.clear(); if (!D.live) { channel = -1; stop_lens(); } }
  at = k;
  try {
    if (tool === "loop") panel();
    render();
    travel();
  } catch (error) { broken(error); throw error; }
  try { if (location.hash !== `#${at + 1}`) history.replaceState(null, "", `#${at + 1}`); } catch { /* a notebook's frame has no address */ }
}
// What could not be drawn must not be mistaken for the step: the words of the last one go.
function broken(error) {
  $("check").replaceChildren();
  $("explain").replaceChildren(h("h2", {}, `Step ${at + 1} cannot be shown`), h("p", { class: "error", role: "alert" }, `This page has a fault here (${error.message}). What the graph shows may belong to another step; the other steps are not affected.`));
}
const hash = () => { const k = parseInt(location.hash.slice(1), 10); if (k >= 1 && k <= S.length && k - 1 !== at) go(k - 1); };
function play() {
  if (timer) { clearInterval(timer); timer = 0; } else {
    if (at === S.length - 1) go(0);
    timer = setInterval(() => { if (at === S.length - 1 || hidden(at)) play(); else go(at + 1); }, 1500);
  }
  put($("b-play").firstChild, timer ? "❚❚ Pause" : "▶ Play");
}
function next() { if (at < S.length - 1) go(at + 1); }
function touching(box) {
  const inside = members.get(box) || [], hit = k => [S[k].n, S[k].from, ...S[k].k === "op" ? N[S[k].n].i : []].some(i => inside.includes(i));
  for (let k = 1; k <= S.length; k++) if (hit((at + k) % S.length)) return go((at + k) % S.length);
}
function clicked(box) {
  if (dragged()) return;
  if (tool === "paths" && box[0] === "v") { picked = members.get(box)[0]; lone = -1; panel(); graph(); } else touching(box);
}
document.querySelectorAll("#svg .n").forEach(e => {
  const box = members.has(e.id) ? e.id : "v" + e.id.slice(1);
  e.setAttribute("role", "button");
  if (!members.has(e.id)) e.setAttribute("aria-label", `operation of ${N[+e.id.slice(1)]?.n}`);
  e.addEventListener("click", () => clicked(box));
  e.addEventListener("keydown", ev => { if (ev.key === "Enter") clicked(box); });
});

// ---- keys ---------------------------------------------------------------------------------------------------------
const KEYS = [
  ["← →", "one step back, one step on (also PageUp and PageDown: slide remotes)"], ["Home End", "first and last step"], ["space", "play, pause"],
  ["b", "where backward starts"], ["q", "quiz: the next number is hidden until you say it"], ["w", "what if: change a leaf, everything is computed again"], ["f", "full paths: every path from this value to the result"], 
  ["z", "open and close the lens: the words and numbers of the step"], ...D.live ? [] : TENSOR_KEYS, ["+ − 0", "larger, smaller, back to the active node (also the wheel; drag to move)"], ["v", "the view follows the steps, or stays"], ["c", "the loop in C that computes this step"], ["/", "find a name"],
  ["p", "presenter: large type, notes from “# viz: …” comments"], ["d", "dark"], ["?", "this help"], ["Esc", "close what is open"],
].filter(([k]) => !D.over || !(D.live ? ["b", "f"] : ["b", "f", "w"]).includes(k));
$("help").append(h("h2", {}, "Keys"), h("dl", {}, KEYS.map(([k, words]) => [h("dt", {}, k.split(" ").flatMap(x => [h("kbd", {}, x), " "])), h("dd", {}, words)])),
  h("p", {}, "A click on a value goes to the next step that touches it. The address ends in the step: #12."), h("form", { method: "dialog" }, h("button", {}, "Close")));
const toggle = name => { root.classList.toggle(name); render(); requestAnimationFrame(fit); };
const actions = {
  ArrowRight: () => in_grid() ? walk(1) : next(), PageDown: next, ArrowLeft: () => in_grid() ? walk(-1) : go(at - 1), PageUp: () => go(at - 1), Home: () => in_grid() ? choose(0, true) : go(0), End: () => in_grid() ? choose(zoomed().list.length - 1, true) : go(S.length - 1),
  " ": play, b: () => go(FIRST), q: () => { quiz = !quiz; render(); if (!quiz && document.activeElement?.closest?.(".ask")) $("b-next").focus(); },
  d: () => toggle("dark"), p: () => toggle("presenter"), w: () => $("b-whatif").hidden || open("whatif"), f: () => $("b-paths").hidden || open("paths"), z: fold, ...D.live ? {} : TENSOR_ACTIONS, v: follow_or_not, "+": () => zoom_by(1.25), "=": () => zoom_by(1.25), "-": () => zoom_by(0.8), "−": () => zoom_by(0.8), 0: reset_view, c: () => open("loop"),
  "/": () => { $("find").hidden = false; put($("find-said"), ""); $("find-name").value = found; $("find-name").select(); },
  "?": () => $("help").open ? $("help").close() : $("help").showModal(),
  Escape: () => { if (!$("find").hidden) shut_find(); else if (in_grid()) document.activeElement.blur(); else if (tool) open(tool); else document.activeElement?.blur(); },
  ArrowDown: () => one(1), ArrowUp: () => one(-1),
};
function one(by) {
  if (in_grid()) return walk(by, true);
  if (tool !== "paths") return;
  const { found } = allPaths(picked);
  if (found.length) { lone = (lone + by + found.length + (lone < 0 && by < 0 ? 1 : 0)) % found.length; panel(); graph(); }
}
function shut_find() { $("find").hidden = true; $("find-name").blur(); }
const NUMERIC = /^[0-9.,/eE+−-]$/;
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("help").open && e.key !== "?") return;
  const t = e.target, typing = t.tagName === "INPUT" && t.type !== "range", act = actions[e.key];
  if (!act) return;
  if (typing && !["PageDown", "PageUp", "Escape"].includes(e.key)) {
    if (t.id === "find-name") return;
    if (t.value && e.key.length > 1 || NUMERIC.test(e.key) || e.key === " ") return;
  }
  if (t.tagName === "BUTTON" && e.key === " ") return;
  if ((e.key === "ArrowDown" || e.key === "ArrowUp") && tool !== "paths" && !in_grid()) return;
  e.preventDefault();
  act();
});
$("find").addEventListener("submit", e => {
  e.preventDefault();
  found = $("find-name").value.trim();
  const order = S.map((_, k) => (at + 1 + k) % S.length), k = found ? order.find(k => N[S[k].n].n.includes(found)) : undefined;
  if (k === undefined) return put($("find-said"), "no such name");
  shut_find();
  go(k);
});
const button = (id, act) => $(id).addEventListener("click", e => { act(); if (e.detail) $(id).blur(); });
button("b-in", actions["+"]); button("b-out", actions["-"]); button("b-reset", reset_view); button("b-follow", follow_or_not);
button("b-back", () => go(at - 1)); button("b-next", next); button("b-play", play); button("b-help", actions["?"]);
for (const [id, key] of [["b-quiz", "q"], ["b-whatif", "w"], ["b-paths", "f"], ["b-loop", "c"], ["b-presenter", "p"], ["b-dark", "d"]]) button(id, actions[key]);
$("slider").addEventListener("input", e => go(e.target.value - 1));
addEventListener("hashchange", hash);
addEventListener("resize", fit);
addEventListener("blur", () => { grip = null; });
let was_dark = false; // paper is light
addEventListener("beforeprint", () => { was_dark = root.classList.contains("dark"); root.classList.remove("dark"); });
addEventListener("afterprint", () => root.classList.toggle("dark", was_dark));

if (matchMedia("(prefers-color-scheme: dark)").matches) root.classList.add("dark");
$("slider").max = S.length;
if (FIRST >= 0) root.style.setProperty("--split", `${100 * (FIRST - 0.5) / (S.length - 1)}%`);
if (D.quiz?.values) { Object.entries(D.quiz.values).forEach(([i, v]) => { if (v !== N[i].v) changed.set(+i, v); }); recompute(); }
const first = parseInt(location.hash.slice(1), 10);
go(first >= 1 && first <= S.length ? first - 1 : quiz && FIRST >= 0 ? FIRST : 0);
requestAnimationFrame(fit);
