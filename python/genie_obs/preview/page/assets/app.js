// The page: tabs, grid, filters, and one request per tile, so that a slow tile does not delay the others.
const SLOW_AFTER_MS = 4000;

class App {
  constructor(boot) {
    this.boot = boot;
    this.source = boot.snapshot ? new SnapshotSource(boot) : new LiveSource();
    this.filters = {};     // key → selection, where it differs from the default
    this.pending = {};     // chosen, but not applied yet
    this.cross = {};       // key of the clicked chart → field → values
    this.tiles = new Map();
    this.controls = [];
    this.drawer = new ConversationDrawer(this.source);
    this.firstChartAt = null;
  }

  async start() {
    this.applyTheme(this.storedMode());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!this.storedMode()) { this.applyTheme(null, true); this.nameTheme(); } });
    this.buildHeader();
    try {
      await this.source.ready();
    } catch (error) {
      document.getElementById("page").replaceChildren(notice("error", "This file cannot be opened", `Its rows cannot be unpacked: ${error.message}. Use a current browser.`));
      return;
    }
    this.buildGlobalFilters();
    const wanted = this.boot.pages.findIndex((page) => `#${page.key}` === location.hash);
    if (this.boot.pages.length) this.openPage(Math.max(0, wanted));
    else document.getElementById("page").replaceChildren(notice("empty", "No pages", "The dashboard file has no pages."));
  }

  // Theme ---------------------------------------------------------------------------------------
  storedMode() {
    try { return localStorage.getItem("genie-obs-mode"); } catch { return this.chosenMode || null; }
  }

  mode() { return document.documentElement.dataset.mode; }

  applyTheme(mode, redraw) {
    const chosen = mode || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    document.documentElement.dataset.mode = chosen;
    const colours = this.boot.theme[chosen];
    for (const [name, value] of Object.entries({ canvas: colours.canvasBackgroundColor, tile: colours.widgetBackgroundColor, border: colours.widgetBorderColor, ink: colours.fontColor, accent: colours.selectionColor })) {
      document.documentElement.style.setProperty(`--${name}`, value);
    }
    if (redraw) for (const tile of this.tiles.values()) tile.redraw();
  }

  toggleTheme() {
    this.chosenMode = this.mode() === "dark" ? "light" : "dark";
    try { localStorage.setItem("genie-obs-mode", this.chosenMode); } catch { /* a page opened from a file may keep nothing */ }
    this.applyTheme(this.chosenMode, true);
    this.nameTheme();
  }

  nameTheme() {
    const other = this.mode() === "dark" ? "light" : "dark";
    this.themeButton.textContent = other === "dark" ? "Dark" : "Light";
    this.themeButton.setAttribute("aria-label", `Switch to ${other} colours`);
  }

  // Header --------------------------------------------------------------------------------------
  buildHeader() {
    this.themeButton = el("button", { type: "button", class: "small", onclick: () => this.toggleTheme() });
    this.nameTheme();
    const reload = this.source.isLive ? el("button", { type: "button", class: "small", onclick: () => this.reload() }, "Reload") : null;
    this.asOf = el("span", { class: "as-of" }, this.boot.snapshot ? this.boot.snapshot.label : "");
    document.getElementById("header").replaceChildren(
      el("div", { class: "title-line" }, el("h1", {}, this.boot.title), this.asOf, el("div", { class: "actions" }, reload, this.themeButton)),
      this.tabs());
  }

  tabs() {
    this.tabButtons = this.boot.pages.map((page, index) => el("button", {
      type: "button", role: "tab", id: `tab-${page.key}`, "aria-controls": "page", "aria-selected": "false", tabindex: "-1",
      onclick: () => this.openPage(index), onkeydown: (event) => this.moveTab(event, index),
    }, page.title));
    return el("div", { class: "tabs", role: "tablist", "aria-label": "Pages" }, this.tabButtons);
  }

  moveTab(event, index) {
    const count = this.tabButtons.length;
    const to = { ArrowRight: (index + 1) % count, ArrowLeft: (index + count - 1) % count, Home: 0, End: count - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.openPage(to);
    this.tabButtons[to].focus();
  }

  reload() {
    this.source.generation += 1;
    this.reloadTiles();
  }

  // Filters -------------------------------------------------------------------------------------
  buildGlobalFilters() {
    const bar = document.getElementById("filters");
    const controls = this.boot.filters.map((filter) => new FilterControl(filter, this));
    this.controls.push(...controls);
    this.chips = el("div", { class: "chips", role: "status", "aria-label": "Active filters" });
    this.applyButton = el("button", { type: "button", class: "apply", hidden: true, onclick: () => this.applyPending() }, "Apply");
    const fixed = Object.entries(this.boot.parameters).map(([name, value]) => el("div", { class: "filter" }, el("span", { class: "filter-label" }, name), el("output", { class: "fixed" }, value)));
    bar.replaceChildren(...controls.map((control) => control.host), ...fixed, this.applyButton, this.chips);
    for (const control of controls) control.load();
    this.showChips();
  }

  selectionOf(filter) { return this.pending[filter.key] || this.filters[filter.key] || filter.default; }
  fixedReason(filter) { return this.source.data || this.source.isLive ? this.source.fixedReason(filter) : ""; }

  select(filter, selection) {
    this.pending[filter.key] = selection;
    if (this.boot.apply) this.applyButton.hidden = false;
    else this.applyPending();
  }

  applyPending() {
    Object.assign(this.filters, this.pending);
    this.pending = {};
    this.applyButton.hidden = true;
    this.showChips();
    this.reloadTiles();
  }

  choose(widget, values) {
    const chosen = Object.fromEntries(Object.entries(values).filter(([, list]) => list.length));
    if (JSON.stringify(this.cross[widget.key] || {}) === JSON.stringify(chosen)) return;
    if (Object.keys(chosen).length) this.cross[widget.key] = chosen;
    else delete this.cross[widget.key];
    this.showChips();
    this.reloadTiles((other) => other.dataset === widget.dataset && other.key !== widget.key);
  }

  state() {
    const x = Object.entries(this.cross).map(([key, values]) => {
      const tile = this.tiles.get(key);
      const columns = (tile && tile.content && tile.content.columns) || [];
      return { w: key, v: values, expressions: Object.fromEntries(columns.map((column) => [column.field, column.expression])) };
    });
    return { f: this.filters, x };
  }

  showChips() {
    const chips = Object.entries(this.cross).map(([key, values]) => {
      const tile = this.tiles.get(key);
      const columns = (tile && tile.content && tile.content.columns) || [];
      const words = Object.entries(values).map(([field, list]) => {
        const column = columns.find((candidate) => candidate.field === field) || { title: field, type: "text" };
        return `${column.title}: ${list.map((value) => formatValue(value, column.type, column.format)).join(", ")}`;
      }).join(" · ");
      return el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${words}`, onclick: () => { if (tile) { this.choose(tile.widget, {}); tile.redraw(); } } }, words, el("span", { "aria-hidden": "true" }, " ✕"));
    });
    this.chips.replaceChildren(...chips);
  }

  // Pages and tiles -----------------------------------------------------------------------------
  openPage(index) {
    for (const tile of this.tiles.values()) tile.close();
    this.tiles.clear();
    this.cross = {};
    const page = this.boot.pages[index];
    this.tabButtons.forEach((button, i) => { button.setAttribute("aria-selected", String(i === index)); button.tabIndex = i === index ? 0 : -1; });
    try { history.replaceState(null, "", `#${page.key}`); } catch { /* some viewers of files forbid it */ }
    const host = document.getElementById("page");
    host.setAttribute("aria-labelledby", `tab-${page.key}`);
    host.replaceChildren(...page.widgets.map((widget) => this.place(widget)));
    if (!page.widgets.length) host.replaceChildren(notice("empty", "Nothing on this page", "The dashboard file puts no widget here."));
    this.showChips();
    for (const tile of this.tiles.values()) tile.load();
  }

  place(widget) {
    const [x, y, width, height] = widget.place;
    const host = el("section", { class: `tile tile-${widget.kind || "unknown"}`, "data-key": widget.key });
    for (const [name, value] of Object.entries({ "--x": x + 1, "--y": y + 1, "--w": width, "--h": height })) host.style.setProperty(name, value);
    if (widget.kind === "text") host.append(el("div", { class: "text" }, markdown(widget.text)));
    else if (widget.filter) {
      const control = new FilterControl(widget.filter, this);
      host.append(control.host);
      control.load();
    } else this.tiles.set(widget.key, new TileView(host, widget, this));
    return host;
  }

  reloadTiles(which = () => true) {
    for (const tile of this.tiles.values()) if (which(tile.widget)) tile.load();
  }

  openConversation(keys) { this.drawer.open(keys); }
  whenVegaIsThere() { return vegaIsThere; }

  drawn() {
    if (this.firstChartAt !== null) return;
    this.firstChartAt = performance.now();
    performance.mark("first-chart");
  }
}

class TileView {
  constructor(host, widget, app) {
    Object.assign(this, { host, widget, app, content: null, request: null, clean: null });
    const heading = el("h2", { id: freshId("title"), class: widget.title ? null : "sr-only" }, widget.title || widget.kind || "Tile");
    host.setAttribute("aria-labelledby", heading.id);
    this.note = el("p", { class: "tile-note", hidden: true });
    this.menu = el("div", { class: "tile-menu" });
    this.body = el("div", { class: "tile-body" }, el("div", { class: "skeleton", "aria-hidden": "true" }));
    this.progress = el("div", { class: "progress", role: "status", hidden: true }, el("span", { class: "sr-only" }, "Loading"));
    host.append(this.progress,
      el("header", { class: `tile-head${["center", "right"].includes(widget.align) ? ` head-${widget.align}` : ""}` }, el("div", {}, heading, widget.description ? el("p", { class: "description" }, widget.description) : null), this.menu),
      this.note, this.body);
    this.paint();
  }

  paint() {
    const mode = this.app.mode();
    for (const [name, colours] of [["background", this.widget.background], ["border-color", this.widget.border]]) {
      if (colours[mode]) this.host.style.setProperty(name, colours[mode]);
      else this.host.style.removeProperty(name);
    }
  }

  async load() {
    if (this.request) this.request.abort();
    const request = (this.request = new AbortController());
    this.busy(true);
    const slow = setTimeout(() => { this.progress.classList.add("slow"); }, SLOW_AFTER_MS);
    let content;
    try {
      content = this.widget.tile || await this.app.source.tile(this.widget, this.app.state(), request.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      content = { kind: "error", message: `The tile cannot be loaded: ${error.message}` };
    } finally {
      clearTimeout(slow);
    }
    if (request !== this.request) return;
    this.content = content;
    this.busy(false);
    this.redraw();
  }

  busy(isBusy) {
    this.host.setAttribute("aria-busy", String(isBusy));
    this.progress.hidden = !isBusy;
    this.progress.classList.remove("slow");
  }

  redraw() {
    if (!this.content) return;
    this.cleanUp();
    this.paint();
    const notes = [this.content.cut ? `Only the first ${formatNumber(this.rowCount())} rows are shown.` : "", this.content.note || "", this.content.is_cut ? "Only the first columns are shown." : ""].filter(Boolean).join(" ");
    this.note.textContent = notes;
    this.note.hidden = !notes;
    this.menu.replaceChildren(...(this.content.sql ? [this.sqlButton()] : []));
    try {
      this.clean = drawTile(this.body, this.content, this.widget, this.context()) || null;
    } catch (error) {
      this.body.replaceChildren(notice("error", "This tile cannot be drawn", error.message));
    }
  }

  rowCount() { return this.content.rows ? this.content.rows.length : 0; }

  context() {
    const { app, widget } = this;
    return {
      boot: app.boot, mode: () => app.mode(), choose: (values) => app.choose(widget, values), drawn: () => app.drawn(),
      openConversation: (keys) => app.openConversation(keys), whenVegaIsThere: () => app.whenVegaIsThere(),
    };
  }

  sqlButton() {
    return el("button", { type: "button", class: "small ghost", "aria-label": `Show the SQL of ${this.widget.title || "this tile"}`, title: "Show the SQL", onclick: () => showSql(this.content, this.widget) }, "SQL");
  }

  cleanUp() {
    if (this.clean) this.clean();
    this.clean = null;
  }

  close() {
    if (this.request) this.request.abort();
    this.request = null;
    this.cleanUp();
  }
}

function showSql(content, widget) {
  const values = Object.entries(content.values || {}).map(([name, value]) => `:${name} = ${value}`).join("\n");
  const dialog = el("dialog", { class: "sql-dialog", "aria-label": `SQL of ${widget.title || "the tile"}` },
    el("header", {}, el("h2", {}, `SQL · ${widget.title || "tile"}`), el("button", { type: "button", class: "small", "aria-label": "Close", onclick: () => dialog.close() }, "✕")),
    el("pre", { tabindex: "0" }, el("code", {}, values ? `${content.sql}\n\n${values}` : content.sql)),
    content.ms === undefined ? null : el("p", { class: "timing" }, `Ran in ${formatDuration(content.ms)}`));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
}

// The chart library is large. The page is shown, and its queries run, while it loads.
const vegaIsThere = new Promise((resolve, reject) => {
  if (window.vegaEmbed) { resolve(); return; }
  const script = document.getElementById("vega");
  script.addEventListener("load", () => resolve());
  script.addEventListener("error", () => reject(new Error("the chart library did not load")));
  document.addEventListener("DOMContentLoaded", () => { if (window.vegaEmbed) resolve(); });
});

const app = new App(JSON.parse(document.getElementById("boot").textContent));
app.start();
