// Tables: sort, search, pages of rows; rows of messages open their conversation.
const ROWS_PER_PAGE = 50;
const FEW_ROWS = 8;  // with so few rows there is no search field

class DataTable {
  constructor(tile, widget, context) {
    Object.assign(this, { tile, widget, context, page: 0, search: "" });
    this.order = tile.order ? { index: tile.order[0], descending: tile.order[1] } : null;
    this.shown = tile.rows.map((row) => row.map((value, i) => formatValue(value, tile.columns[i].type, tile.columns[i].format)));
    this.lowered = null;
    this.widths = tile.columns.map((column, i) => widthClass(this.shown.slice(0, 300).map((row) => row[i].length)));
    this.body = el("tbody");
    this.status = el("span", { class: "table-status", role: "status" });
    this.pager = el("span", { class: "pager" });
    this.heads = tile.columns.map((column, index) => this.head(column, index));
  }

  element() {
    const search = el("input", {
      type: "search", placeholder: "Search", "aria-label": `Search in ${this.widget.title || "table"}`,
      oninput: (event) => { this.search = event.target.value.trim().toLowerCase(); this.page = 0; this.refresh(); },
    });
    const opens = this.tile.keys ? el("th", { scope: "col" }, el("span", { class: "sr-only" }, "Conversation")) : null;
    const table = el("table", { class: "data" },
      el("caption", { class: "sr-only" }, this.widget.title || "Table"),
      el("thead", {}, el("tr", {}, opens, this.heads)), this.body);
    this.refresh();
    const tools = this.tile.rows.length > FEW_ROWS ? el("div", { class: "table-tools" }, search, this.status, this.pager) : null;
    return el("div", { class: "table-tile" }, tools,
      el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": this.widget.title || "Table" }, table));
  }

  head(column, index) {
    const button = el("button", { type: "button", class: "sort", title: column.description || null, onclick: () => this.sortBy(index) }, column.title,
      el("span", { class: "arrow", "aria-hidden": "true" }));
    return el("th", { scope: "col", class: column.type === "number" ? "number" : null }, button);
  }

  sortBy(index) {
    const same = this.order && this.order.index === index;
    this.order = { index, descending: same ? !this.order.descending : this.tile.columns[index].type === "number" };
    this.page = 0;
    this.refresh();
  }

  matching() {
    let indexes = this.tile.rows.map((_, index) => index);
    if (this.search) {
      this.lowered ||= this.shown.map((row) => row.join("\n").toLowerCase());
      indexes = indexes.filter((index) => this.lowered[index].includes(this.search));
    }
    if (this.order) {
      const { index: column, descending } = this.order;
      indexes.sort((a, b) => compareValues(this.tile.rows[a][column], this.tile.rows[b][column], descending) || a - b);
    }
    return indexes;
  }

  refresh() {
    const found = this.matching();
    const start = this.page * ROWS_PER_PAGE;
    this.body.replaceChildren(...found.slice(start, start + ROWS_PER_PAGE).map((index) => this.row(index)));
    const last = Math.min(start + ROWS_PER_PAGE, found.length);
    this.status.textContent = found.length ? `${start + 1}–${last} of ${formatNumber(found.length)} rows` : "No row matches";
    this.heads.forEach((head, index) => {
      const sorted = this.order && this.order.index === index;
      head.setAttribute("aria-sort", sorted ? (this.order.descending ? "descending" : "ascending") : "none");
    });
    const step = (by) => () => { this.page += by; this.refresh(); };
    this.pager.replaceChildren(...(found.length <= ROWS_PER_PAGE ? [] : [
      el("button", { type: "button", class: "small", disabled: start === 0, "aria-label": "Previous rows", onclick: step(-1) }, "‹"),
      el("button", { type: "button", class: "small", disabled: last >= found.length, "aria-label": "Next rows", onclick: step(1) }, "›"),
    ]));
  }

  row(index) {
    const cells = this.tile.columns.map((column, i) => this.cell(index, column, i));
    const keys = this.tile.keys;
    if (!keys || !keys.conversation_id[index]) return el("tr", {}, keys ? el("td") : null, cells);
    const open = () => this.context.openConversation({
      workspace: keys.workspace_id ? keys.workspace_id[index] : "", conversation: keys.conversation_id[index],
      message: keys.message_id ? keys.message_id[index] : "",
    });
    const button = el("button", { type: "button", class: "open", "aria-label": `Open the conversation of row ${index + 1}`, onclick: (e) => { e.stopPropagation(); open(); } }, "Open");
    const click = (event) => { if (!event.target.closest("a, button") && String(getSelection()) === "") open(); };
    return el("tr", { class: "opens", onclick: click }, el("td", { class: "open-cell" }, button), cells);
  }

  cell(index, column, i) {
    const value = this.tile.rows[index][i], text = this.shown[index][i];
    const rule = column.rules.find((candidate) => matchesRule(candidate, value));
    const style = rule ? { ...(rule.background ? { background: rule.background, color: readable(rule.background) } : {}), ...(rule.color ? { color: rule.color } : {}) } : {};
    const kind = column.type === "number" ? "number" : column.type === "date" || column.type === "instant" ? "time" : "words";
    const others = Object.fromEntries(Object.entries(this.tile.links || {}).map(([name, values]) => [name, values[index]]));
    const target = column.link && value !== null ? fillTemplate(column.link, value, text, others, true) : null;
    const content = el("div", { class: `clamp ${kind === "words" ? this.widths[i] : ""}`, title: text.length > 60 ? text : null }, target ? link(target, text) : text);
    return el("td", { class: kind, style }, content);
  }
}

function widthClass(lengths) {
  const longest = Math.max(0, ...lengths);
  return longest <= 26 ? "short" : longest <= 60 ? "medium" : "long";
}

function compareValues(a, b, descending) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), LOCALE, { numeric: true });
  return descending ? -order : order;
}

function readable(background) {
  // A text colour that can be read on a colour of the file.
  const hex = background.length === 4 ? background.replace(/[^#]/g, "$&$&") : background;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return r * 0.299 + g * 0.587 + b * 0.114 > 140 ? "#11171c" : "#ffffff";
}

function pivotTable(tile, widget) {
  const several = tile.cells.length > 1;
  const keyText = (axes, key) => key.map((value, i) => formatValue(value, axes[i].type, axes[i].format)).join(" · ") || "All";
  const cellText = (cell, i) => (cell === null || cell === undefined ? "" : formatValue(cell, tile.cells[i].type, tile.cells[i].format));
  const label = (key, i) => el("th", { scope: "col", class: "number" }, [keyText(tile.columns, key), several ? tile.cells[i].title : ""].filter((t) => t && t !== "All").join(" · ") || tile.cells[i].title);
  const heads = tile.column_keys.flatMap((key) => tile.cells.map((_, i) => label(key, i)));
  const totalHeads = tile.row_totals ? tile.cells.map((cell) => el("th", { scope: "col", class: "number" }, several ? `Total ${cell.title}` : "Total")) : [];
  const line = (name, cells, totals, kind) => el("tr", { class: kind }, name,
    cells.flatMap((cell) => cell.map((value, i) => el("td", { class: "number" }, cellText(value, i)))),
    (totals || []).map((value, i) => el("td", { class: "number total" }, cellText(value, i))));
  const names = (key) => (key.length ? key.map((value, i) => el("th", { scope: "row" }, formatValue(value, tile.rows[i].type, tile.rows[i].format))) : [el("th", { scope: "row" }, "All")]);
  const body = tile.row_keys.map((key, r) => line(names(key), tile.grid[r], tile.row_totals && tile.row_totals[r]));
  if (tile.column_totals) body.push(line([el("th", { scope: "row", colspan: Math.max(1, tile.rows.length) }, "Total")], tile.column_totals, tile.row_totals && tile.cells.map(() => null), "total"));
  const corner = tile.rows.length ? tile.rows.map((axis) => el("th", { scope: "col" }, axis.title)) : [el("th", {})];
  return el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": widget.title || "Pivot table" },
    el("table", { class: "data pivot" }, el("caption", { class: "sr-only" }, widget.title || "Pivot table"),
      el("thead", {}, el("tr", {}, corner, heads, totalHeads)), el("tbody", {}, body)));
}
