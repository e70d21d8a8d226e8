// What a tile shows, by kind. Every drawer returns a function that cleans up after it, or nothing.
function drawTile(host, tile, widget, context) {
  const draw = {
    chart: drawChartTile,
    counter: (box) => box.replaceChildren(counter(tile)),
    table: (box) => box.replaceChildren(new DataTable(tile, widget, context).element()),
    pivot: (box) => box.replaceChildren(pivotTable(tile, widget)),
    empty: (box) => box.replaceChildren(notice("empty", "Nothing to show", tile.message || "The query ran and found no rows.")),
    error: (box) => box.replaceChildren(notice("error", "This tile has an error", tile.message)),
    placeholder: (box) => box.replaceChildren(notice("placeholder", "Not in the preview", tile.message)),
  }[tile.kind];
  return draw ? draw(host, tile, widget, context) : host.replaceChildren(notice("error", "This tile has an error", "The answer cannot be read."));
}

function notice(kind, title, message) {
  return el("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "note" }, el("strong", {}, title), el("p", {}, message || ""));
}

function counter(tile) {
  const formatted = formatValue(tile.value, tile.type, tile.format);
  const text = tile.template ? fillTemplate(tile.template, tile.value, formatted, tile.others, false) : formatted;
  const rule = tile.rules.find((candidate) => matchesRule(candidate, tile.value));
  const ink = (rule && (rule.color || rule.background)) || tile.color;
  const period = tile.period === null || tile.spark === null ? null : formatValue(tile.period, "date");
  return el("div", { class: "counter" },
    el("div", { class: "counter-value", style: ink ? { color: ink } : {} }, text),
    el("div", { class: "counter-label" }, [tile.label, period].filter(Boolean).join(" · ")),
    tile.target ? comparison(tile) : null,
    tile.spark ? drawSpark(tile.spark) : null);
}

function comparison(tile) {
  const { target } = tile;
  const other = formatValue(target.value, target.type, target.format);
  if (typeof tile.value !== "number" || typeof target.value !== "number" || target.value === 0) {
    return el("div", { class: "counter-target" }, `${target.label}: ${target.value === null ? "no figure" : other}`);
  }
  // The difference of two shares is shown in points, since "+1 %" of a share could be percent or points.
  const isShare = tile.format && tile.format.kind === "percent";
  const change = isShare ? 100 * (tile.value - target.value) : (tile.value - target.value) / Math.abs(target.value);
  const size = isShare ? `${formatNumber(change, { ...PLAIN, places: 1 })} points` : formatNumber(change, { ...PLAIN, kind: "percent", places: 1 });
  const arrow = change > 0 ? "▲" : change < 0 ? "▼" : "■";
  const words = `${change > 0 ? "+" : ""}${size}`;
  return el("div", { class: "counter-target" }, el("span", { class: "change" }, el("span", { "aria-hidden": "true" }, `${arrow} `), words), ` vs ${other} · ${target.label}`);
}

function drawChartTile(host, tile, widget, context) {
  const canvas = el("div", { class: "chart", role: "group", "aria-label": widget.title || "Chart" });
  host.replaceChildren(canvas, rowsBehind(tile, widget, context));
  let clean = () => {};
  let gone = false;
  context.whenVegaIsThere()
    .then(() => (gone ? null : drawChart(canvas, tile, widget, context)))
    .then((finish) => { if (finish) { clean = finish; if (gone) finish(); else context.drawn(); } })
    .catch((error) => { if (!gone) canvas.replaceChildren(notice("error", "This chart cannot be drawn", String(error && error.message || error))); });
  return () => { gone = true; clean(); };
}

function rowsBehind(tile, widget, context) {
  // The figures of the chart as a table: for screen readers, for the keyboard, for copying. Made when it is first opened.
  const details = el("details", { class: "rows-behind" }, el("summary", {}, `Data (${formatNumber(tile.rows.length)} rows)`));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const columns = tile.columns.map((column) => ({ ...column, rules: [], link: "", description: "" }));
    const table = new DataTable({ ...tile, columns, keys: null, order: null, links: {} }, widget, context).element();
    details.append(widget.source ? el("div", {}, crossFilterPicker(tile, widget, context), table) : table);
  });
  return details;
}

function crossFilterPicker(tile, widget, context) {
  // The same as a click on a mark, for the keyboard and for screen readers.
  const dimension = tile.columns.find((column) => column.type === "text") || tile.columns[0];
  const index = tile.columns.indexOf(dimension);
  const values = [...new Set(tile.rows.map((row) => row[index]))].slice(0, 500);
  const select = el("select", {
    "aria-label": `Filter other tiles by ${dimension.title}`,
    onchange: (event) => context.choose(event.target.value === "" ? {} : { [dimension.field]: [values[Number(event.target.value)]] }),
  }, el("option", { value: "" }, `Filter by ${dimension.title}…`), values.map((value, i) => el("option", { value: i }, formatValue(value, dimension.type, dimension.format))));
  return el("div", { class: "picker" }, select);
}
