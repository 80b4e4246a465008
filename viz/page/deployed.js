// Programs without Python: what learns has a curve and its weights, what predicts has its inputs and its results.
const shows = [], asked = [], opened = [], actions = {};
let learner = null;
const show = () => shows.forEach(f => f());

function asking(p) {
  const results = [], given = h("div", { class: "boxes" }), found = h("div", { class: "boxes" }), wrong = h("p", { class: "said" });
  const pictured = Object.keys(p.inputs).find(name => side(D.arrays[name]));
  function ask(drawn = true) {
    put(wrong, run(p));
    e.classList.toggle("waiting", !drawn);
    results.forEach(r => r.show());
  }
  let on = !pictured;
  const changed = (drawn = true) => ask(on = drawn);
  for (const [name, spread] of Object.entries(p.inputs)) {
    const { shape } = D.arrays[name];
    if (name === pictured) {
      const paper = sketch(name, spread, changed);
      given.append(h("div", { class: "box" }, paper.e));
      shows.push(paper.show);
      actions.c = paper.clear;
      opened.push(paper.look);
    } else given.append(h("div", { class: "box" }, h("h2", {}, about(name, shape)), product(shape) <= FEW ? fields(name, changed) : field_of_many(name, changed)));
  }
  for (const [k, name] of p.results.entries()) {
    const r = result(name, !!pictured);
    results.push(r);
    found.append(h("div", { class: "box result" }, h("h2", {}, about(p.results.length > 1 ? `result ${k + 1}` : "result", D.arrays[name].shape), r.said && h("small", {}, r.said)), r.e));
  }
  const e = h("section", { class: `card asking${pictured ? " pictured" : ""}` }, learner && h("h2", {}, p.name, " ", h("small", {}, "with the weights as they are now")), given, found, wrong);
  asked.push(() => ask(on));
  return e;
}

async function open_page() {
  await load();
  for (const p of D.programs) {
    if (!p.learns) { $("main").append(asking(p)); continue; }
    learner = learning(p, () => asked.forEach(f => f()));
    $("main").append(...learner.e);
    shows.push(learner.show);
    Object.assign(actions, learner.keys);
  }
  root.classList.toggle("learns", !!learner);
  root.classList.toggle("asks", asked.length > 0);
  [...opened, ...asked].forEach(f => f());
  show();
  root.classList.add("ready");
}

const dark = () => { root.classList.toggle("dark"); $("b-dark").setAttribute("aria-pressed", root.classList.contains("dark")); show(); };
if (matchMedia("(prefers-color-scheme: dark)").matches) root.classList.add("dark");
$("b-dark").setAttribute("aria-pressed", root.classList.contains("dark"));
$("b-dark").addEventListener("click", dark);
actions.d = dark;
put($("about"), `written by microtorch: ${D.programs.map(p => p.steps).join(" and ")} steps of arithmetic, without Python and without a network`);
put($("said"), D.programs.map(p => p.name).join(" and "));
document.addEventListener("keydown", e => {
  const act = actions[e.key];
  if (!act || e.ctrlKey || e.metaKey || e.altKey || ["INPUT", "SELECT"].includes(e.target.tagName) || e.target.tagName === "BUTTON" && e.key === " ") return;
  e.preventDefault();
  act();
});
addEventListener("resize", show);
open_page().catch(error => put($("about"), `This browser does not run the program: ${error.message}`));
