// Charts: Vega draws SVG from the tile's spec and rows. It loads nothing, follows no links and evaluates no code (ast: interpreter).
const SELECTION = "databricks_mark_selection";
const MANY_MARKS = 4000;  // with more marks SVG is slow, so they are drawn on a canvas
const NARROW_PIXELS = 420;
const noLoader = {
  load: () => Promise.reject(new Error("charts load nothing")),
  sanitize: () => Promise.reject(new Error("charts link nowhere")),
  http: () => Promise.reject(new Error("charts load nothing")),
  file: () => Promise.reject(new Error("charts load nothing")),
};

async function drawChart(host, tile, widget, context) {
  const names = tile.columns.map((column) => (tile.custom ? column.field : column.name));
  const rows = tile.rows.map((row) => Object.fromEntries(row.map((value, index) => [names[index], value])));
  const mode = context.mode();
  const spec = structuredClone(tile.spec);
  if (tile.custom) spec.params = [...context.boot.signals[mode], ...(spec.params || [])];
  spec.datasets = { [tile.custom ? "databricks_query" : "rows"]: rows };
  const config = structuredClone(context.boot.vega[mode]);
  const isNarrow = host.clientWidth < NARROW_PIXELS;
  const room = host.clientWidth - besidePlot(tile.spec);
  config.legend.columns = Math.max(1, Math.floor(room / (isNarrow ? 125 : 150)));
  config.legend.labelLimit = Math.max(60, Math.floor(room / config.legend.columns) - 28);
  const tooltip = new Tooltip(tile);
  const embedded = await vegaEmbed(host, spec, {
    actions: false, ast: true, defaultStyle: false, renderer: rows.length > MANY_MARKS ? "canvas" : "svg",
    config, loader: noLoader, tooltip: tooltip.handler, logLevel: 0, mode: "vega-lite",
  });
  const picture = host.querySelector("svg, canvas");
  if (picture) picture.setAttribute("aria-label", `${widget.title || widget.kind}, chart of ${rows.length} rows`);
  listenToClicks(embedded.view, tile, names, context);
  return () => { tooltip.hide(); embedded.finalize(); };
}

function besidePlot(spec) {
  // A legend is as wide as the plot. Names on the left make both narrower.
  const units = [spec, ...(spec.layer || [])];
  return units.some((unit) => unit.encoding && unit.encoding.y && unit.encoding.y.type === "nominal") ? 190 : 50;
}

function listenToClicks(view, tile, names, context) {
  try {
    view.addSignalListener(SELECTION, (_, chosen) => context.choose(chosenValues(chosen, tile, names)));
  } catch {
    // There is no such signal in a chart that filters no other tile.
  }
}

function chosenValues(chosen, tile, names) {
  const values = {};
  for (const [name, found] of Object.entries(chosen || {})) {
    const index = names.indexOf(name);
    if (index >= 0 && Array.isArray(found)) values[tile.columns[index].field] = [...new Set(found.map((v) => (v instanceof Date ? v.getTime() : v)))];
  }
  return values;
}

class Tooltip {
  constructor(tile) {
    this.tile = tile;
    this.box = document.getElementById("tooltip");
    this.handler = (_, event, __, datum) => (datum === null || datum === undefined ? this.hide() : this.show(event, datum));
  }

  hide() { this.box.hidden = true; }

  show(event, datum) {
    const lines = typeof datum === "object" ? this.lines(datum) : [["", String(datum)]];
    if (!lines.length) return this.hide();
    this.box.replaceChildren(el("dl", {}, lines.map(([title, text]) => [el("dt", {}, title), el("dd", {}, text)])));
    this.box.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - width - 10 : event.clientX + 14;
    const top = event.clientY + 14 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 14;
    this.box.style.setProperty("left", `${Math.max(4, left)}px`);
    this.box.style.setProperty("top", `${Math.max(4, top)}px`);
  }

  lines(datum) {
    const known = this.tile.columns.filter((column) => (this.tile.custom ? column.field : column.name) in datum);
    const lines = known.map((column) => [column.title, formatValue(datum[this.tile.custom ? column.field : column.name], column.type, column.format)]);
    if (typeof datum.share === "number") lines.push(["Share", formatNumber(datum.share, { ...PLAIN, kind: "percent", places: 1 })]);
    if (known.length || !this.tile.custom) return lines;
    return Object.entries(datum).filter(([, value]) => typeof value !== "object").map(([name, value]) => [name, String(value)]);
  }
}

function drawSpark(points) {
  const width = 200, height = 44, values = points.map((point) => point[1]).filter((value) => value !== null);
  if (values.length < 2) return null;
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const at = (point, index) => [
    (index / (points.length - 1)) * width,
    height - 3 - ((point[1] - low) / (high - low || 1)) * (height - 8),
  ].map((n) => n.toFixed(1)).join(" ");
  const path = points.map((point, index) => (point[1] === null ? "" : `${index ? "L" : "M"}${at(point, index)}`)).join("").replace(/^L/, "M");
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: `${path}L${width} ${height}L0 ${height}Z`, class: "spark-area" }),
    svg("path", { d: path, class: "spark-line" }));
}
