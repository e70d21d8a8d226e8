// Controls. A selection is {values: […], low, high}; the page keeps only those that differ from the file's defaults.
const NOTHING_CHOSEN = { values: [], low: null, high: null };

class FilterControl {
  constructor(filter, context) {
    Object.assign(this, { filter, context, options: null, type: "text", id: freshId("filter") });
    this.host = el("div", { class: `filter filter-${filter.kind}` });
    this.field = el("div", { class: "filter-field" });
    this.note = el("div", { class: "filter-note" });
    this.host.append(el("label", { for: this.id, class: "filter-label" }, filter.title), this.field, this.note);
    this.draw();
  }

  get selection() { return this.context.selectionOf(this.filter); }

  async load() {
    const fixed = this.context.fixedReason(this.filter);
    if (fixed) { this.note.textContent = fixed; this.draw(); return; }
    if (!this.filter.hasOptions || ["date", "daterange", "text"].includes(this.filter.kind)) return;
    try {
      const answer = await this.context.source.options(this.filter, this.context.state());
      this.options = answer.options;
      this.type = answer.type;
      this.note.textContent = answer.error || (answer.cut ? "Only the first values are listed." : "");
    } catch (error) {
      if (error.name === "AbortError") return;
      this.note.textContent = `The values cannot be read: ${error.message}`;
    }
    this.draw();
  }

  choose(selection) { this.context.select(this.filter, { ...NOTHING_CHOSEN, ...selection }); }

  draw() {
    if (this.context.fixedReason(this.filter)) {
      const { values, low, high } = this.selection;
      const text = values.length ? values.join(", ") : low || high ? `${low ?? "…"} to ${high ?? "…"}` : "All";
      this.field.replaceChildren(el("output", { id: this.id, class: "fixed" }, text));
      return;
    }
    const draw = { single: "drawSingle", multi: "drawMulti", date: "drawDate", daterange: "drawRange", range: "drawRange", text: "drawText" }[this.filter.kind];
    this.field.replaceChildren(this[draw]());
  }

  choices() {
    const known = this.options || [];
    const missing = this.selection.values.filter((value) => !known.some((other) => String(other) === String(value)));
    return [...missing, ...known];
  }

  text(value) { return value === null ? "(none)" : this.type === "number" ? String(value) : formatValue(value, this.type); }

  drawSingle() {
    const choices = this.choices();
    if (!this.filter.hasOptions) return this.drawText();
    const chosen = this.selection.values[0];
    const isChosen = (value) => this.selection.values.length > 0 && String(value) === String(chosen);
    const select = el("select", { id: this.id, onchange: (event) => this.choose(event.target.value === "" ? {} : { values: [choices[Number(event.target.value)]] }) },
      this.filter.canBeEmpty ? el("option", { value: "" }, "All") : null,
      choices.map((value, index) => el("option", { value: index, selected: isChosen(value) }, this.text(value))));
    return select;
  }

  drawMulti() {
    const chosen = new Set(this.selection.values.map(String));
    const choices = this.choices();
    const summary = el("summary", { id: this.id, "aria-label": `${this.filter.title}: ${chosen.size ? [...chosen].join(", ") : "All"}` }, chosen.size ? `${chosen.size} chosen` : "All");
    const boxes = choices.map((value) => el("label", { class: "choice" },
      el("input", { type: "checkbox", checked: chosen.has(String(value)), onchange: (event) => this.toggle(value, event.target.checked) }), this.text(value)));
    const clear = el("button", { type: "button", class: "small", onclick: () => { this.choose({}); this.draw(); } }, "All");
    const details = el("details", { class: "multi" }, summary, el("div", { class: "choices", role: "group", "aria-label": this.filter.title }, clear, boxes));
    details.open = this.wasOpen === true;
    details.addEventListener("toggle", () => { this.wasOpen = details.open; });
    return details;
  }

  toggle(value, isOn) {
    const others = this.selection.values.filter((other) => String(other) !== String(value));
    this.choose({ values: isOn ? [...others, value] : others });
    this.draw();
    const boxes = [...this.field.querySelectorAll("input")];
    const index = this.choices().findIndex((other) => String(other) === String(value));
    if (boxes[index]) boxes[index].focus();
  }

  drawDate() {
    return el("input", { id: this.id, type: "date", value: this.selection.values[0] || "", onchange: (event) => this.choose({ values: event.target.value ? [event.target.value] : [] }) });
  }

  drawRange() {
    const type = this.filter.kind === "daterange" ? "date" : "number";
    const ends = { low: this.selection.low, high: this.selection.high };
    const limits = type === "number" && this.options ? this.options.filter((value) => typeof value === "number") : [];
    const input = (end, label, hint) => el("input", {
      id: end === "low" ? this.id : null, type, step: "any", value: ends[end] ?? "", placeholder: hint ?? "", "aria-label": `${this.filter.title}, ${label}`,
      onchange: (event) => { ends[end] = event.target.value === "" ? null : type === "number" ? Number(event.target.value) : event.target.value; this.choose(ends); },
    });
    const hint = (value) => (value === undefined ? "" : formatNumber(value));
    return el("div", { class: "range" }, input("low", "from", hint(limits.length ? Math.min(...limits) : undefined)), el("span", {}, "to"), input("high", "to", hint(limits.length ? Math.max(...limits) : undefined)));
  }

  drawText() {
    return el("input", { id: this.id, type: "text", value: this.selection.values[0] ?? "", onchange: (event) => this.choose({ values: event.target.value === "" && this.filter.canBeEmpty ? [] : [event.target.value] }) });
  }
}
