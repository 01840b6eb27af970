"use strict";
// The table of results: filters, search, columns, sorting, and the view in the address. A long table comes as JSON, of
// which only the rows in sight are in the page; a short one is in the page already.
const table = document.querySelector("table.grid");
const controls = document.querySelector("form.controls");
const collator = new Intl.Collator(undefined, { numeric: true });
const HEIGHT = 54; // of a row of a long table, as report.css has it
const SPARE = 12; // rows drawn beyond what is in sight

const make = (tag, kind, ...inside) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  node.append(...inside);
  return node;
};

const rowOf = ([fields, [subject, runtime, where, colour], cells, reason, remarks], headings) => {
  const leads = headings.filter((th) => th.dataset.lead).map((th) => th.dataset.lead);
  const said = { model: subject, variant: fields[1], where };
  const build = () => {
    const row = make("tr", fields[3] === "ok" ? "" : "failed");
    for (const lead of leads) {
      const cell = make("td", `text ${lead}`);
      if (lead === "variant") {
        const swatch = make("i");
        swatch.style.background = colour;
        cell.append(swatch, fields[1]);
        if (leads.includes("model")) cell.append(make("small", "narrow", subject));
        cell.append(make("small", "", runtime));
        if (remarks.length) cell.append(remarked(remarks));
      } else cell.append(said[lead]);
      row.append(cell);
    }
    if (fields[3] === "ok") {
      cells.forEach(([text, , detail, mark], at) => {
        const heading = headings[leads.length + at];
        const cell = make("td", `${heading.className} ${mark || ""}`, text || "–");
        if (detail) {
          cell.append(make("small", "", detail));
          cell.title = detail;
        }
        row.append(cell);
      });
    } else row.append(make("td", "text reason", make("b", "", fields[3]), ` ${reason || "no reason was given"}`));
    return row;
  };
  let built = null;
  return {
    fields,
    words: [...fields, subject, runtime, where, reason, ...cells.map((cell) => cell[0])].join(" ").toLowerCase(),
    cells,
    key: (at) => (at < leads.length ? said[leads[at]] : (cells[at - leads.length] || [])[1] ?? null),
    text: (at) => (cells[at - leads.length] || [])[0],
    node: () => (built ??= build()),
  };
};

const remarked = (remarks) => {
  const list = make("ul");
  for (const words of remarks) list.append(make("li", "", words));
  return make("details", "remarks", make("summary", "", `${remarks.length} remark${remarks.length > 1 ? "s" : ""}`), list);
};

const rowFrom = (node, headings) => ({
  fields: JSON.parse(node.dataset.f),
  words: node.textContent.toLowerCase(),
  key: (at) => {
    const cell = node.cells[at];
    if (!cell || cell.classList.contains("reason")) return null;
    if (!headings[at].dataset.number) return cell.dataset.text ?? cell.textContent.trim();
    return cell.dataset.order === undefined ? null : Number(cell.dataset.order);
  },
  text: (at) => node.cells[at]?.firstChild?.data?.trim(),
  node: () => node,
});

if (table) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const box = table.parentElement;
  const data = document.getElementById("rows");
  const rows = data
    ? JSON.parse(data.textContent).map((one) => rowOf(one, headings))
    : [...body.rows].map((node) => rowFrom(node, headings));
  const names = JSON.parse(table.dataset.fields);
  const status = document.querySelector(".count");
  const hiding = document.head.appendChild(document.createElement("style"));
  const open = new Map(); // rows whose remarks are open -> how much higher they are
  let seen = rows;
  let drawn = "";

  const state = { sort: "", down: false, hide: new Set() };
  const find = () => {
    const chosen = names.map((name) => controls.elements[name]?.value || "");
    const words = controls.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => chosen.every((value, at) => !value || row.fields[at] === value)
      && words.every((word) => row.words.includes(word)));
  };
  const order = (found) => {
    const at = headings.findIndex((th) => th.dataset.field === state.sort);
    headings.forEach((th) => th.removeAttribute("aria-sort"));
    if (at < 0) return found;
    headings[at].setAttribute("aria-sort", state.down ? "descending" : "ascending");
    const compare = headings[at].dataset.number ? (a, b) => a - b : collator.compare;
    const keyed = found.map((row) => [row.key(at), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return state.down ? compare(b, a) : compare(a, b);
    });
    return keyed.map(([, row]) => row);
  };
  const spanning = (row) => {
    const reason = row.querySelector("td.reason");
    if (reason) reason.colSpan = headings.filter((th) => !th.dataset.lead && !state.hide.has(th.dataset.field)).length || 1;
    return row;
  };
  const spacer = (height) => {
    const cell = make("td");
    cell.colSpan = headings.length;
    cell.style.height = `${height}px`;
    const row = make("tr", "spacer", cell);
    row.setAttribute("aria-hidden", "true");
    return row;
  };

  const draw = () => {
    if (!data) {
      body.replaceChildren(...seen.map((row) => spanning(row.node())));
      return;
    }
    const places = [...open].map(([row, more]) => [seen.indexOf(row), more]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0]);
    const above = (at) => at * HEIGHT + places.reduce((sum, [place, more]) => sum + (place < at ? more : 0), 0);
    let first = Math.floor(box.scrollTop / HEIGHT);
    while (first > 0 && above(first) > box.scrollTop) first -= 1;
    first = Math.max(0, first - SPARE);
    const last = Math.min(seen.length, first + Math.ceil(box.clientHeight / HEIGHT) + 2 * SPARE);
    const now = `${first} ${last} ${[...state.hide]}`;
    if (now === drawn) return;
    drawn = now;
    const nodes = seen.slice(first, last).map((row, at) => {
      const node = spanning(row.node());
      node.setAttribute("aria-rowindex", first + at + 2);
      return node;
    });
    body.replaceChildren(spacer(above(first)), ...nodes, spacer(above(seen.length) - above(last)));
  };

  const show = (keepPlace) => {
    seen = order(find());
    if (data && !keepPlace) box.scrollTop = 0;
    drawn = "";
    const hidden = headings.map((th, at) => [th.dataset.field, at]).filter(([field]) => state.hide.has(field));
    hiding.textContent = hidden.map(([, at]) =>
      `.grid tr:not(.failed) > :nth-child(${at + 1}), .grid col:nth-child(${at + 1}) { display: none }`).join("\n");
    draw();
    const all = rows.length.toLocaleString("en");
    status.textContent = seen.length === rows.length ? `${all} rows` : `${seen.length.toLocaleString("en")} of ${all} rows`;
    overview();
  };

  // The view: what is chosen is in the address behind the #, so that a link keeps it.
  const write = () => {
    const view = new URLSearchParams();
    for (const name of [...names, "search"]) {
      const value = controls.elements[name]?.value;
      if (value) view.set(name, value);
    }
    if (state.sort) view.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.hide.size) view.set("hide", [...state.hide].join(" "));
    history.replaceState(null, "", view.size ? `#${view}` : location.pathname + location.search);
  };
  const read = () => {
    if (!location.hash.includes("=")) return; // a place on the page
    const view = new URLSearchParams(location.hash.slice(1));
    for (const name of [...names, "search"]) {
      const control = controls.elements[name];
      if (control) control.value = view.get(name) ?? "";
      if (control && control.value !== (view.get(name) ?? "")) control.value = "";
    }
    const sort = view.get("sort") ?? "";
    state.down = sort.startsWith("-");
    state.sort = sort.replace(/^-/, "");
    state.hide = new Set((view.get("hide") ?? "").split(" ").filter(Boolean));
    for (const box of controls.querySelectorAll("input[name=column]")) box.checked = !state.hide.has(box.value);
  };

  // The overview: devices down, variants across, one figure of one model.
  const figure = document.querySelector("form.overview");
  const overview = () => {
    if (!figure) return;
    const at = headings.findIndex((th) => th.dataset.field === figure.elements.figure.value);
    const model = figure.elements.of.value;
    const [m, v, d] = ["model", "variant", "device"].map((name) => names.indexOf(name));
    const devices = new Map();
    const variants = new Set();
    for (const row of seen) {
      if (row.fields[m] !== model) continue;
      const here = devices.get(row.fields[d]) ?? devices.set(row.fields[d], new Map()).get(row.fields[d]);
      variants.add(row.fields[v]);
      if (!here.has(row.fields[v])) here.set(row.fields[v], row);
    }
    const head = make("tr", "", make("th", "text", "Device"), ...[...variants].map((name) => make("th", "", name)));
    head.querySelectorAll("th").forEach((th) => { th.scope = "col"; });
    const lines = [...devices].map(([device, here]) => {
      const values = [...here.values()].map((row) => row.key(at)).filter((value) => typeof value === "number");
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const name = make("th", "text", device);
      name.scope = "row";
      return make("tr", "", name, ...[...variants].map((variant) => {
        const row = here.get(variant);
        const value = row?.key(at);
        const cell = make("td", "", row ? (typeof value === "number" ? row.text(at) || "–" : row.fields[3] === "ok" ? "–" : row.fields[3]) : "");
        if (typeof value === "number" && high > low) cell.style.setProperty("--share", ((value - low) / (high - low)).toFixed(3));
        return cell;
      }));
    });
    document.querySelector("table.overview").replaceChildren(make("thead", "", head), make("tbody", "", ...lines));
  };

  const changed = () => { write(); show(); };
  headings.forEach((th) => th.querySelector("button.sort").addEventListener("click", () => {
    state.down = state.sort === th.dataset.field && !state.down;
    state.sort = th.dataset.field;
    changed();
  }));
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("change", (event) => {
    if (event.target.name === "column") state.hide[event.target.checked ? "delete" : "add"](event.target.value);
    changed();
  });
  controls.elements.search.addEventListener("input", changed);
  controls.addEventListener("reset", () => {
    Object.assign(state, { sort: "", down: false, hide: new Set() });
    setTimeout(changed);
  });
  figure?.addEventListener("change", overview);
  addEventListener("hashchange", () => { read(); show(); });
  if (data) {
    table.setAttribute("aria-rowcount", rows.length + 1);
    table.classList.add("virtual");
    box.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
    addEventListener("resize", draw);
    body.addEventListener("toggle", (event) => {
      const row = seen.find((one) => one.node() === event.target.closest("tr"));
      if (!row) return;
      if (event.target.open) open.set(row, Math.max(0, row.node().offsetHeight - HEIGHT));
      else open.delete(row);
    }, true);
  }
  for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
  read();
  show();
}
