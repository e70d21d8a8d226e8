// Where answers come from: a server that runs the SQL, or the rows in this file.
class LiveSource {
  constructor() { this.generation = 0; this.isLive = true; }
  async ready() {}

  async ask(path, query, signal) {
    const address = new URL(path, location.href);
    for (const [name, value] of Object.entries({ ...query, g: this.generation })) address.searchParams.set(name, value);
    const answer = await fetch(address, { signal });
    if (!answer.ok) throw new Error(answer.status === 400 ? (await answer.text()).slice(0, 300) : `the server answered ${answer.status}`);
    return answer.json();
  }

  tile(widget, state, signal) { return this.ask(`api/tile/${widget.key}`, { s: JSON.stringify(state) }, signal); }
  options(filter, state) { return this.ask(`api/options/${filter.key}`, { s: JSON.stringify({ f: state.f }) }); }
  conversation(keys, signal) { return this.ask("api/conversation", { c: keys.conversation, w: keys.workspace || "" }, signal); }
  fixedReason() { return ""; }
}

class SnapshotSource {
  constructor(boot) { this.boot = boot; this.isLive = false; }

  async ready() {
    const packed = document.getElementById("snapshot").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    this.data = JSON.parse(await new Response(stream).text());
    this.widgets = new Map(this.boot.pages.flatMap((page) => page.widgets).map((widget) => [widget.key, widget]));
    this.filters = [...this.boot.filters, ...this.boot.pages.flatMap((page) => page.widgets.filter((w) => w.filter).map((w) => w.filter))];
  }

  async options(filter) { return this.data.options[filter.key] || { options: [], type: "text" }; }
  async conversation(keys) {
    const messages = this.data.conversations[`${keys.workspace || ""}|${keys.conversation}`];
    return messages ? { messages } : { messages: [], error: "This conversation is not in the file. Open the dashboard with 'genie-obs dashboard serve' to read it." };
  }

  fixedReason(filter) {
    return filter.keywords.length && !this.data.switches.includes(filter.key) ? "Fixed in this file" : "";
  }

  async tile(widget, state) {
    const variant = JSON.stringify(this.data.switches.map((key) => this.chosen(key, state)));
    const index = (this.data.variants[variant] || this.data.variants[this.data.first])[widget.key];
    return index === undefined ? { kind: "error", message: "This tile is not in the file." } : this.narrowed(this.data.tiles[index], widget, state);
  }

  chosen(key, state) {
    const filter = this.filters.find((candidate) => candidate.key === key);
    const value = (state.f[key] || filter.default).values[0];
    return value === undefined ? null : String(value);
  }

  conditions(widget, state) {
    const found = [];
    const page = this.boot.pages.find((candidate) => candidate.widgets.some((other) => other.key === widget.key));
    const acting = [...this.boot.filters, ...page.widgets.filter((w) => w.filter).map((w) => w.filter)];
    for (const filter of acting) {
      const chosen = state.f[filter.key];
      if (!chosen || (!chosen.values.length && chosen.low === null && chosen.high === null)) continue;
      for (const [dataset, expression] of filter.bound) if (dataset === widget.dataset) found.push({ title: filter.title, expression, chosen, kind: filter.kind });
    }
    for (const cross of state.x) {
      const source = this.widgets.get(cross.w);
      if (cross.w === widget.key || !source || source.dataset !== widget.dataset) continue;
      for (const [field, values] of Object.entries(cross.v)) found.push({ title: field, expression: cross.expressions[field], chosen: { ...NOTHING_CHOSEN, values }, kind: "multi" });
    }
    return found;
  }

  narrowed(tile, widget, state) {
    const unmet = [];
    let keep = null;
    for (const condition of this.conditions(widget, state)) {
      const index = tile.rows && Array.isArray(tile.columns) ? tile.columns.findIndex((column) => column.expression && column.expression.replace(/\s/g, "") === condition.expression.replace(/\s/g, "")) : -1;
      if (index < 0 || tile.kind === "pivot") { unmet.push(condition.title); continue; }
      keep = (keep || tile.rows.map((_, row) => row)).filter((row) => passes(tile.rows[row][index], tile.columns[index].type, condition));
    }
    const note = unmet.length ? `Not filtered by ${unmet.join(", ")}: this file holds only its totals` : "";
    if (keep === null) return note ? { ...tile, note } : tile;
    if (!keep.length) return { kind: "empty", message: "No rows for the filters chosen.", note };
    const pick = (columns) => columns && Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, keep.map((row) => values[row])]));
    return { ...tile, rows: keep.map((row) => tile.rows[row]), keys: pick(tile.keys), links: pick(tile.links), note };
  }
}

function passes(value, type, { chosen, kind }) {
  const isTime = type === "date" || type === "instant";
  const instant = (text) => (typeof text === "number" ? text : Date.parse(`${text}T00:00:00Z`));
  if (kind === "text") return chosen.values.every((word) => String(value ?? "").toLowerCase().includes(String(word).toLowerCase()));
  if (kind === "date" && isTime) return value !== null && value >= instant(chosen.values[0]) && value < instant(chosen.values[0]) + 86400000;
  if (chosen.low !== null || chosen.high !== null) {
    const [low, high] = isTime ? [chosen.low === null ? null : instant(chosen.low), chosen.high === null ? null : instant(chosen.high) + 86399999] : [chosen.low, chosen.high];
    return value !== null && (low === null || value >= low) && (high === null || value <= high);
  }
  return chosen.values.some((other) => (other === null ? value === null : String(other) === String(value)));
}
