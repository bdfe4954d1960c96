// The experiments that the reader chose, beside each other: their figures and their curves.
(() => {
  const { data, byNumber, make, draw, plot, turn, at } = page;
  const MOST = 6; // more lines than that tell nobody anything
  const box = at("compare");
  if (!box) return;
  let by = "By steps";
  const slots = new Map(data.compared.map((number, slot) => [number, slot])); // experiment: its colour
  const HEADS = ["", "Verdict", "Score", "Effect", "Runs", "Lines", "Time", "Memory"];

  function show() {
    const chosen = [...slots].sort((a, b) => a[0] - b[0]);
    const lines = chosen.map(([number, slot]) => [`line line${slot}`, number, byNumber.get(number).curve]).filter((line) => line[2].length > 1);
    const baseline = lines.length && data.baseline.length > 1;
    if (baseline) lines.unshift(["theirs", "baseline", data.baseline]);
    const legend = make("ul", { cls: "legend" });
    if (baseline) legend.append(make("li", {}, swatch("theirs"), "Baseline"));
    for (const [number, slot] of chosen) {
      const name = byNumber.get(number).hypothesis;
      const away = make("button", { type: "button", text: "×", "data-away": number, "aria-label": `Take experiment ${number} out` });
      legend.append(make("li", {}, swatch(`line line${slot}`), make("a", { href: `#e${number}`, text: `#${number}`, title: name }), make("span", { text: name }), away));
    }
    const axis = make("button", { type: "button", cls: "compare axis", text: by });
    axis.addEventListener("click", () => { by = turn() ? "By steps" : "By seconds"; show(); });
    if (lines.length) legend.append(make("li", {}, axis));
    box.replaceChildren(...(lines.length ? [plot(lines, 14, "Training losses compared")] : []), legend, ...(chosen.length > 1 ? [figures(chosen)] : []));
    for (const button of document.querySelectorAll("[data-compare]")) mark(button);
  }
  function figures(chosen) {
    const rows = chosen.map(([number]) => byNumber.get(number));
    const head = make("tr", {}, ...HEADS.map((text) => make("th", { text, scope: "col" })));
    const body = rows.map((row) => make("tr", {}, make("th", { text: `#${row.number}`, scope: "row" }),
      ...[row.state, row.shown.score, row.shown.effect, row.runs, row.shown.lines, row.shown.time, row.shown.memory].map((text) => make("td", { text }))));
    const whole = make("div", { cls: "beside" }, make("div", { cls: "wide-table", tabindex: "0", role: "region", "aria-label": "Figures compared" },
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))));
    if (rows.length === 2) whole.append(make("p", { cls: "note" }, "The change of the code from one to the other: ", make("code", { text: `nocturne diff ${rows[0].number} ${rows[1].number}` })));
    return whole;
  }
  function swatch(cls) {
    const svg = draw("svg", { viewBox: "0 0 24 8", class: "curve swatch", "aria-hidden": "true" });
    svg.append(draw("path", { class: cls, d: "M1 4h22" }));
    return svg;
  }
  function mark(button) {
    const number = Number(button.dataset.compare), chosen = slots.has(number);
    button.setAttribute("aria-pressed", String(chosen));
    button.disabled = !chosen && slots.size >= MOST;
    button.title = button.disabled ? `No more than ${MOST} at a time` : "";
  }
  function toggle(number) {
    if (slots.has(number)) slots.delete(number);
    else if (slots.size < MOST) {
      const used = new Set(slots.values());
      slots.set(number, [...Array(MOST).keys()].find((slot) => !used.has(slot)));
    }
    show();
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-compare], [data-away]");
    if (!button) return;
    if (button.dataset.compare) at("curves").open = true;
    toggle(Number(button.dataset.compare ?? button.dataset.away));
  });
  document.addEventListener("keydown", (event) => { // c on a row, or within its details
    const row = event.target.closest(".row, .details");
    if (event.key !== "c" || event.ctrlKey || event.metaKey || event.altKey || !row) return;
    at("curves").open = true;
    toggle(Number(row.id.slice(1)));
  });
  new MutationObserver(() => document.querySelectorAll("[data-compare]:not([aria-pressed])").forEach(mark))
    .observe(at("rows"), { childList: true });
  show();
})();
