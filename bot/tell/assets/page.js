"use strict";
const page = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows;
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  const STEP = 100; // table rows that are laid out at a time
  const COLUMNS = [
    { key: "number", label: "#", num: true, name: "Number" },
    { key: "hypothesis", label: "Hypothesis" },
    { key: "state", label: "Verdict" },
    { key: "category", label: "Kind" },
    { key: "score", label: "Score", num: true },
    { key: "effect", label: "Effect", num: true },
    { key: "runs", label: "Runs", num: true },
    { key: "net", label: "Lines", num: true },
    { key: "seconds", label: "Time", num: true },
    { key: "memory", label: "Memory", num: true },
    { key: "pull", label: "Pull request", num: true },
    { key: "ended", label: "Ended" },
  ];
  const view = { key: "number", down: true, verdict: "", text: "", open: new Set(), list: [], laid: 0 };
  const at = (id) => document.getElementById(id);

  // Text from agents only ever enters the page here, as text.
  function make(tag, about, ...inside) {
    const { cls, text, ...rest } = about || {};
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(rest)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }
  function draw(tag, about, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(about)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

  // ---- which rows, in which order ------------------------------------------------------------------
  function haystack(row) {
    row.hay ??= [`#${row.number} `, row.hypothesis, row.category, row.state, row.commit || "", ...row.words.map((w) => w[1])]
      .join("\n").toLowerCase();
    return row.hay;
  }
  function fits(row) {
    if (view.verdict && row.look !== view.verdict) return false;
    const word = view.text.trim().toLowerCase();
    return !word || haystack(row).includes(/^#\d+$/.test(word) ? `${word} ` : word);
  }
  function compare(a, b) {
    const [x, y] = [a[view.key], b[view.key]];
    if (x === null || y === null) return (x === null) - (y === null) || a.number - b.number; // unknown comes last
    const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { sensitivity: "base" });
    return (view.down ? -order : order) || a.number - b.number;
  }
  function refresh() {
    view.list = rows.filter(fits).sort(compare);
    view.laid = 0;
    at("rows").replaceChildren();
    layOut(STEP);
    at("count").textContent = view.list.length === rows.length
      ? plural(rows.length, "experiment")
      : `${view.list.length.toLocaleString("en")} of ${plural(rows.length, "experiment")}`;
    at("nothing").hidden = view.list.length > 0;
    at("nothing").textContent = rows.length ? "No experiment fits." : "No experiment has been made yet: nocturne run makes the first.";
    document.querySelector(".scroll").hidden = view.list.length === 0;
    for (const head of at("heads").children) {
      if (head.dataset.key === view.key) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    at("sort").value = `${view.key} ${view.down ? "down" : "up"}`;
    for (const chip of at("chips").children) chip.setAttribute("aria-pressed", String(chip.dataset.verdict === view.verdict));
  }
  function layOut(many) {
    const next = view.list.slice(view.laid, view.laid + many);
    const fragment = document.createDocumentFragment();
    for (const row of next) {
      const element = rowElement(row);
      fragment.append(element);
      if (view.open.has(row.number)) fragment.append(detailElement(row));
    }
    at("rows").append(fragment);
    view.laid += next.length;
    const left = view.list.length - view.laid;
    at("more").hidden = left === 0;
    at("more").textContent = `Show all (${left.toLocaleString("en")} more)`;
  }
  function sortBy(key, down) {
    view.key = key;
    view.down = down;
    refresh();
  }

  // ---- one row ---------------------------------------------------------------------------------------
  function tone(row) {
    if (row.effect === null || row.halfWidth === null || Math.abs(row.effect) <= row.halfWidth) return "";
    return (row.effect < 0) === data.lowerIsBetter ? " better" : " worse";
  }
  function rowElement(row) {
    const open = view.open.has(row.number);
    const button = make("button", {
      type: "button", cls: "open-row", text: row.hypothesis || "(no words)",
      "aria-expanded": String(open), "aria-controls": `d${row.number}`, "aria-keyshortcuts": "c",
    });
    const badge = make("span", { cls: `badge ${row.look}`, text: row.look === "open" ? `${row.state} …` : row.look });
    const pull = make("td", { cls: "num" });
    if (row.pull !== null) {
      const text = `PR ${row.pull}`;
      pull.append(row.url ? make("a", { href: row.url, rel: "noreferrer noopener", target: "_blank", text, title: "Open the pull request" }) : text);
    }
    return make("tr", { cls: open ? "row is-open" : "row", id: `e${row.number}`, "data-number": row.number },
      make("td", { cls: "num", text: row.number }),
      make("td", { cls: "hypothesis" }, button),
      make("td", {}, badge),
      make("td", { cls: "quiet extra", text: row.category }),
      make("td", { cls: "num score", text: row.score === null ? "" : row.shown.score }),
      make("td", { cls: `num${tone(row)}`, text: row.effect === null ? "" : row.shown.effect }),
      make("td", { cls: "num extra", text: row.runs }),
      make("td", { cls: "num extra", text: row.shown.lines }),
      make("td", { cls: "num extra", text: row.shown.time }),
      make("td", { cls: "num extra", text: row.shown.memory }),
      pull,
      make("td", { cls: "quiet extra", text: row.shown.ended }));
  }
  function toggle(number, wanted) {
    const element = at(`e${number}`);
    if (!element) return;
    const open = wanted ?? !view.open.has(number);
    if (open === view.open.has(number)) return;
    view.open[open ? "add" : "delete"](number);
    element.classList.toggle("is-open", open);
    element.querySelector(".open-row").setAttribute("aria-expanded", String(open));
    if (open) element.after(detailElement(byNumber.get(number)));
    else at(`d${number}`).remove();
  }
  function reveal(number) {
    const row = byNumber.get(number);
    if (!row) return;
    if (!fits(row)) {
      view.verdict = view.text = at("search").value = "";
      refresh();
    }
    const place = view.list.indexOf(row);
    if (place >= view.laid) layOut(place - view.laid + STEP);
    toggle(number, true);
    at(`e${number}`).scrollIntoView({ block: "center" });
    at(`e${number}`).querySelector(".open-row").focus({ preventScroll: true });
  }

  // ---- details -----------------------------------------------------------------------------------------
  function detailElement(row) {
    const words = make("dl", { cls: "words" });
    for (const [label, text] of row.words) words.append(make("dt", { text: label }), make("dd", { text }));
    if (row.commit) words.append(make("dt", { text: "Commit" }), make("dd", {}, make("code", { text: row.commit.slice(0, 12) })));
    const box = make("div", { cls: "detail" }, words);
    const side = make("div", {});
    const theirs = data.curves[row.against] || [];
    const compare = make("button", { type: "button", cls: "compare", "data-compare": row.number, text: "Compare" });
    side.append(make("h3", { text: row.curve.length > 1 ? "Training loss " : "" }, compare));
    if (row.curve.length > 1) side.append(curves(row.curve, theirs));
    box.append(side);
    if (row.runLines.length) box.append(make("div", { cls: "whole runs" }, make("h3", { text: plural(row.runLines.length, "run") }), runTable(row)));
    if (row.diff) box.append(make("div", { cls: "whole" }, make("h3", { text: "Change" }), diffElement(row.diff.split("\n"))));
    for (const talk of row.talks) box.append(make("div", { cls: "whole" }, talkElement(talk)));
    return make("tr", { cls: "details", id: `d${row.number}` }, make("td", { colspan: COLUMNS.length }, box));
  }
  function runTable(row) {
    const head = make("tr", {}, ...["Run", "Seed", "Score", "Time", "Memory", "Jail"].map((text) => make("th", { text, scope: "col" })));
    const body = row.runLines.map((line) => make("tr", {}, ...line.map((text) => make("td", { text }))));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  }
  function diffLine(line) {
    const cls = /^(\+\+\+|---|diff |index )/.test(line) ? "file" : line[0] === "+" ? "add" : line[0] === "-" ? "del" : line.startsWith("@@") ? "hunk" : "";
    return make("span", { cls, text: line });
  }
  function diffElement(lines) {
    if (lines[lines.length - 1] === "") lines.pop();
    return make("pre", { cls: "diff", tabindex: "0", role: "region", "aria-label": "Unified diff" }, make("code", {}, ...lines.map(diffLine)));
  }
  function talkElement(talk) {
    const left = talk.leftOut ? `, ${talk.leftOut} not shown` : "";
    const whole = make("details", { cls: "talk" }, make("summary", { text: `Conversation: ${talk.role}, ${plural(talk.parts.length, "part")}${left}` }));
    whole.addEventListener("toggle", () => { // thousands of words are laid out only for those who ask
      if (whole.open && whole.children.length === 1) {
        for (const [speaker, text] of talk.parts) whole.append(make("h4", { text: speaker }), make("p", { text }));
      }
    });
    return whole;
  }
  function steps(low, high, about) {
    const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.75);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), marks = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) marks.push([n * step, (n * step).toFixed(digits)]);
    return marks;
  }
  function curves(mine, theirs) {
    const lines = [["mine", "candidate", mine]];
    if (theirs.length > 1) lines.unshift(["theirs", "incumbent", theirs]);
    const svg = plot(lines, 30, "Training loss of the candidate and of its incumbent");
    lines.reverse().forEach(([cls, text], n) => {
      const from = 48 + n * 120;
      svg.append(draw("path", { class: cls, d: `M${from} 12h22` }), draw("text", { x: from + 29, y: 16 }, text));
    });
    return svg;
  }
  let bySeconds = true; // else by steps
  const turn = () => (bySeconds = !bySeconds);
  // Curves of [step, seconds, loss] on the same axes; each line is its class, its name and its points.
  function plot(lines, top, label) {
    const [W, H, left, right, bottom] = [520, 230 + top - 14, 48, 510, 186 + top - 14];
    // One point for each place, from left to right: a training that went on from a checkpoint tells some twice.
    const k = bySeconds && lines.every((line) => line[2].some((p) => p[1] > 0)) ? 1 : 0;
    lines = lines.map(([cls, name, points]) => [cls, name,
      [...new Map(points.filter((p) => Number.isFinite(p[2])).map((p) => [p[k], p])).values()].sort((a, b) => a[k] - b[k])]);
    const points = lines.flatMap((line) => line[2]);
    const losses = points.map((p) => p[2]).sort((a, b) => a - b);
    // The first losses of a training are far above the rest; what is compared is the end.
    const low = losses[0], high = Math.max(losses[Math.floor((losses.length - 1) * 0.94)], low + 1e-6);
    const air = (high - low) * 0.06, last = Math.max(...points.map((p) => p[k]), 1e-3);
    const x = (v) => left + (v / last) * (right - left);
    const y = (v) => bottom - ((Math.min(v, high + air) - low + air) / (high - low + 2 * air)) * (bottom - top);
    const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, class: "curve", role: "img", "aria-label": label });
    for (const [value, text] of steps(low - air, high + air, 4)) {
      svg.append(draw("path", { class: "grid", d: `M${left} ${y(value)}H${right}` }), draw("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    for (const [value, text] of steps(0, last, 5)) svg.append(draw("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, text));
    svg.append(draw("path", { class: "axis", d: `M${left} ${bottom}H${right}` }), draw("text", { x: right, y: H - 6, "text-anchor": "end" }, k ? "seconds of training" : "steps of training"));
    for (const [cls, , points] of lines) {
      const d = points.map((p, i) => `${i ? "L" : "M"}${x(p[k]).toFixed(1)} ${y(p[2]).toFixed(1)}`).join("");
      svg.append(draw("path", { class: cls, d }));
    }
    return svg;
  }

  // ---- the chart's hover and keys ----------------------------------------------------------------------
  function chart() {
    const box = at("chart"), tip = at("tip");
    const places = new Map();
    let current = null;
    const marks = (svg) => {
      if (!places.has(svg)) {
        places.set(svg, [...svg.querySelectorAll("[data-i]")].map((element) => {
          const b = element.getBBox();
          return { element, i: Number(element.dataset.i), x: b.x + b.width / 2, y: b.y + b.height / 2 };
        }).sort((a, b) => a.i - b.i));
      }
      return places.get(svg);
    };
    const visible = () => [...box.querySelectorAll("svg")].find((svg) => svg.getClientRects().length);
    const leave = () => {
      if (current) current.element.classList.remove("near");
      current = null;
      tip.hidden = true;
    };
    const show = (svg, mark) => {
      if (current === mark) return;
      leave();
      current = mark;
      mark.element.classList.add("near");
      fill(tip, data.dots[mark.i]);
      tip.hidden = false;
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      const px = svg.getBoundingClientRect().left + mark.x * scale, py = svg.getBoundingClientRect().top + mark.y * scale;
      const left = px + 16 + tip.offsetWidth > innerWidth - 8 ? px - 16 - tip.offsetWidth : px + 16;
      tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${Math.max(8, Math.min(py - tip.offsetHeight / 2, innerHeight - tip.offsetHeight - 8))}px`;
    };
    const nearest = (event) => {
      const svg = visible(), rect = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / rect.width;
      const [x, y] = [(event.clientX - rect.left) * scale, (event.clientY - rect.top) * scale];
      let best = null, least = (28 * scale) ** 2;
      for (const mark of marks(svg)) {
        const distance = (mark.x - x) ** 2 + (mark.y - y) ** 2;
        if (distance < least) [best, least] = [mark, distance];
      }
      return [svg, best];
    };
    box.addEventListener("pointermove", (event) => {
      const [svg, mark] = nearest(event);
      if (mark) show(svg, mark);
      else leave();
    });
    box.addEventListener("pointerleave", leave);
    box.addEventListener("blur", leave);
    addEventListener("scroll", leave, { passive: true });
    box.addEventListener("click", (event) => {
      const mark = nearest(event)[1];
      // On a phone the first tap shows the words; the details are one tap on the table away.
      if (mark && event.pointerType !== "touch" && data.dots[mark.i][0] !== null) reveal(data.dots[mark.i][0]);
    });
    box.addEventListener("keydown", (event) => {
      const svg = visible(), all = marks(svg), here = current ? all.indexOf(current) : -1;
      const to = { ArrowRight: here + 1, ArrowLeft: here < 0 ? all.length - 1 : here - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to !== undefined && all.length) {
        event.preventDefault();
        show(svg, all[Math.max(0, Math.min(all.length - 1, to))]);
      } else if (event.key === "Enter" && current && data.dots[current.i][0] !== null) {
        reveal(data.dots[current.i][0]);
      } else if (event.key === "Escape") leave();
    });
  }
  function fill(tip, [number, kind, outcome, when]) {
    const row = number === null ? null : byNumber.get(number);
    tip.replaceChildren();
    tip.append(make("div", { cls: "what", text: row ? `#${number} ${row.hypothesis}` : kind === "baseline" ? "Baseline, measured" : "Incumbent, measured again" }));
    tip.append(make("div", { cls: "line" }, row ? make("span", { cls: `badge ${row.look}`, text: row.look === "open" ? row.state : row.look }) : "", row ? ` ${outcome}` : outcome));
    if (row && row.effect !== null) tip.append(make("div", { cls: `line${tone(row)}`, text: `effect ${row.shown.effect}, ${plural(row.runs, "run")}` }));
    tip.append(make("div", { cls: "when", text: when }));
    const changed = row ? row.diff.split("\n").filter((line) => /^[+-](?!\+\+|--)/.test(line)).slice(0, 6) : [];
    if (changed.length) tip.append(make("pre", {}, ...changed.map(diffLine)));
  }

  // ---- start -------------------------------------------------------------------------------------------
  for (const column of COLUMNS) {
    const button = make("button", { type: "button", text: column.label, ...(column.name ? { "aria-label": column.name } : {}) });
    button.addEventListener("click", () => sortBy(column.key, view.key === column.key ? !view.down : false));
    at("heads").append(make("th", { scope: "col", cls: column.num ? "num" : "", "data-key": column.key }, button));
    for (const way of ["up", "down"]) {
      at("sort").append(make("option", { value: `${column.key} ${way}`, text: `${column.name || column.label} ${way === "up" ? "\u2191" : "\u2193"}` }));
    }
  }
  const many = (look) => rows.filter((row) => row.look === look).length;
  const chips = [["", "All", rows.length], ...Object.entries(data.verdicts).map(([v, n]) => [v, v, n]), ...["held", "open"].map((look) => [look, look, many(look)])];
  for (const [verdict, label, number] of chips) {
    if (verdict && !number) continue;
    const chip = make("button", { type: "button", "data-verdict": verdict, "aria-pressed": "false" }, label, make("b", { text: number.toLocaleString("en") }));
    chip.addEventListener("click", () => { view.verdict = view.verdict === verdict ? "" : verdict; refresh(); });
    at("chips").append(chip);
  }
  at("sort").addEventListener("change", (event) => {
    const [key, way] = event.target.value.split(" ");
    sortBy(key, way === "down");
  });
  at("search").addEventListener("input", (event) => { view.text = event.target.value; refresh(); });
  at("rows").addEventListener("click", (event) => {
    if (event.target.closest("a, .details") || String(getSelection())) return;
    const row = event.target.closest(".row");
    if (row) toggle(Number(row.dataset.number));
  });
  at("more").addEventListener("click", () => layOut(view.list.length));
  new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting) && !at("more").hidden) layOut(STEP);
  }, { rootMargin: "600px" }).observe(at("more").parentElement);
  chart();
  refresh();
  if (at("whole-diff")) at("whole-diff").append(diffElement(data.wholeDiff.split("\n")));
  const asked = () => { const found = /^#e(\d+)$/.exec(location.hash); if (found) reveal(Number(found[1])); };
  addEventListener("hashchange", asked);
  addEventListener("click", (event) => { // a link to where the address already is changes nothing by itself
    if (event.target.closest(`a[href="${location.hash || "#"}"]`)) asked();
  });
  asked();
  return { data, byNumber, make, draw, plot, turn, at };
})();
