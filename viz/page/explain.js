// ---- explanation --------------------------------------------------------------------------------------------------
function explain() {
  const focused = in_grid(), box = $("explain");
  if (D.live) written(); else fit_lens(box);
  if (focused) return focus_grid();
  const input = box.querySelector(".ask input");
  if (input && !tool) input.focus({ preventScroll: true });
}
function written() {
  const step = now.steps[at], n = N[step.n], box = $("explain"), out = [], words = [], ids = about(step);
  const covered = hidden(at), open_lens = zoomed();
  let said = "", title = [];
  if (step.k === "leaf") {
    const v = now.V[step.n];
    title = [term(step.n), ` is ${n.r === "parameter" ? "a parameter" : n.r === "data" ? "data" : `a ${n.r}`}`];
    if (typeof v === "number") words.push(math("sum", `${n.n} = ${said = num(v)}`));
    else out.push(h("div", { class: "arrays" }, array(n.n, v, n)));
    out.push(h("p", { class: "remark" }, D.over ? "It stands still: its tangent is 0." : n.g ? ["Backward will find ", frac(top_of(step.n), step.n), ": how the result changes when it moves."] : origin_of(step.n) || "No gradient is asked for it."));
  } else if (step.k === "op") {
    const v = now.V[step.n];
    title = terms(`${n.n} = ${n.x}`, ids);
    if (typeof v === "number") {
      if (n.f) words.push(math("soft", `= ${fill(n.f, gradientOf)}`));
      words.push(math("sum", `${n.n} = ${said = num(v)}`));
    }
    if (open_lens) {
      out.push(opened(false));
    } else if (typeof v !== "number") out.push(h("div", { class: "arrays" }, n.i.map(j => N[j].r === "constant" ? "" : array(N[j].n, now.V[j], N[j])), array(n.n, v, n)));
  } else if (step.k === "p") [title, said] = pushed(step, words, out, covered);
  else if (step.k === "seed") {
    title = ["Backward starts where forward ended"];
    words.push(math("", frac(step.n, step.n), " = 1"), math("sum", said = "1.0000"));
    out.push(h("p", { class: "remark" }, `Move ${n.n} by a little, and ${n.n} moves by just as much.`));
  } else if (step.k === "left") {
    title = [`${n.n}.grad is not empty`];
    words.push(h("p", {}, said = step.text + "."));
    if (typeof step.left === "number") words.push(math("sum", `${n.n}.grad = ${num(step.left)}`));
    else out.push(h("div", { class: "arrays" }, array(`${n.n}.grad`, step.left, n, true)));
    out.push(h("p", { class: "remark" }, "Gradients add up until optimizer.zero_grad() empties them."));
  } else {
    const top = top_of(step.from);
    if (step.k === "r") {
      title = [`All-reduce: rank ${step.rank} hands in its gradient of `, term(step.n)];
      words.push(math("", "average += ", frac(top, step.from), ` / ${D.tops.length}`));
    } else {
      title = [term(step.from), " sends its gradient to ", term(step.n)];
      words.push(math("", frac(top, step.n), " += ", frac(top, step.from), " · ", frac(step.from, step.n)));
      words.push(math("soft", "+= ", withFraction(step.rule, step.from)));
    }
    if (covered) { words.push(question(step)); said = "What is the contribution?"; }
    else if (step.c != null) {
      if (step.num) words.push(math("soft", `+= ${fill(step.num, gradientOf)}`));
      words.push(math("sum", said = `${step.old == null ? "0" : num(step.old)} + ${signed(step.c)} = ${num(step.new)}`));
    }
    const before = known(at - 1).grads.get(step.n)?.v, after = covered ? null : known(at).grads.get(step.n)?.v;
    const sums = summed && before && after && typeof before === "object" ? [array(step.k === "r" ? "so far" : "gradient so far", before, n, true), h("span", { class: "sign" }, "+"), array(step.k === "r" ? "its share" : "contribution", step.A, n, true), h("span", { class: "sign" }, "="), array(step.k === "r" ? "average" : "gradient", after, n, true)] : [];
    if (open_lens) {
      out.push(opened(covered));
      if (sums.length) out.push(h("div", { class: "arrays sums" }, sums));
    } else if (step.c == null && !covered) out.push(h("div", { class: "arrays" }, sums.length ? sums : [array("contribution", step.A, n, true)]));
    if (step.c == null && !covered) said = `size of the contribution ${short(step.A?.r)}`;
    const more = covered || now.measured ? "" : remark(step);
    if (more) { out.push(h("p", { class: "remark" }, more)); said += ". " + more; }
    if (!covered && answers.has(at)) words.push(h("p", { class: "said" }, answers.get(at).said));
  }
  const text = step.k === "op" ? n.k : step.kernel;
  if (text) out.push(h("details", { class: "kernel" }, h("summary", {}, "The kernel, in OpenCL C"), h("pre", {}, text)));
  const close = h("button", { id: "b-lens", "aria-expanded": !shut, "aria-label": shut ? "Open the lens" : "Close the lens", onclick: fold }, shut ? "▴ z" : "✕ z");
  box.replaceChildren(h("div", { class: "title" }, h("h2", {}, title), close), h("div", { class: "words" }, words), ...out);
  box.classList.toggle("shut", shut);
  box.scrollTop = 0;
  put($("say"), `step ${at + 1} of ${S.length}, ${phase()}. ${box.querySelector("h2").textContent}. ${said}`);
}
function remark(step) {
  const m = step.m;
  if (!m || typeof m === "string") return m || "";
  const l = step.l, kind = l === 0 ? "zero" : !Number.isFinite(l) ? "lost" : l === 1 ? "one" : l === -1 ? "minus" : Math.abs(l) < 0.05 ? "flat" : "any";
  return m[kind].replace("{%}", `${+(100 * Math.abs(l)).toPrecision(2)} %`);
}
const phase = () => FIRST >= 0 && at >= FIRST ? "backward" : "forward";

// ---- quiz ---------------------------------------------------------------------------------------------------------
function question(step) {
  const input = h("input", { inputmode: "text", autocomplete: "off", "aria-label": `contribution to the gradient of ${called(N[step.n].n, Math.max(cell, 0), step.c == null ? N[step.n].s : null)}` });
  const said = h("span", { class: "said", role: "status" }, answers.get(at)?.said || "");
  return h("form", { class: "ask", onsubmit: e => { e.preventDefault(); answer(input.value, said); $("explain").querySelector(".ask input")?.select(); } },
    h("label", {}, step.k === "p" ? `∂${N[step.n].n}/∂${D.over} = ` : step.c == null ? `${called(`∂${N[top_of(step.n)].n}/∂${N[step.n].n}`, cell, N[step.n].s)} += ` : "+= "), input, h("button", {}, "Check"), said);
}
function answer(text, said) {
  const v = parse(text), step = now.steps[at], a = answers.get(at) || { tries: 0 };
  if (Number.isNaN(v)) { said.textContent = "type a number such as 0.5 or 1/2"; return; }
  const truth = step.c ?? flat(step.A)[cell], close = step.c != null ? 1e-3 : Math.min(1e-3, 0.1 * Math.abs(truth) || 1e-3);
  const right = Math.abs(v - truth) <= Math.max(close, 0.01 * Math.abs(truth));
  a.tries++;
  if (right || a.tries > 1) {
    a.open = true;
    a.right = right && a.tries === 1;
    a.said = right ? `✓ right${a.tries > 1 ? ", the second time" : ""}` : `✗ not quite: it is ${num(truth)}`;
    answers.set(at, a);
    render();
    $("b-next").focus();
  } else {
    a.said = "✗ not quite: once more";
    answers.set(at, a);
    if (step.c == null) explain(); // the products appear
    $("explain").querySelector(".ask .said").textContent = a.said;
    score();
  }
}
function score() {
  const done = [...answers.values()].filter(a => a.tries), right = done.filter(a => a.right).length;
  $("score").hidden = !quiz;
  put($("score"), `${right} of ${asked.size} right${D.quiz?.seed != null ? ` · ${D.quiz.seed}` : ""}`);
}

