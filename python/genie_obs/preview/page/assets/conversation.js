// The transcript of one conversation, in a drawer beside the page.
class ConversationDrawer {
  constructor(source) {
    this.source = source;
    this.title = el("h2", { id: freshId("drawer") }, "Conversation");
    this.body = el("div", { class: "drawer-body", tabindex: "0", role: "region", "aria-label": "Messages" });
    const close = el("button", { type: "button", class: "small", "aria-label": "Close", onclick: () => this.dialog.close() }, "✕");
    this.dialog = el("dialog", { class: "drawer", "aria-labelledby": this.title.id }, el("header", {}, this.title, close), this.body);
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => this.request && this.request.abort());
    document.body.append(this.dialog);
  }

  async open(keys) {
    this.request = new AbortController();
    this.title.textContent = "Conversation";
    this.body.replaceChildren(el("p", { class: "loading", role: "status" }, "Reading the conversation…"));
    if (!this.dialog.open) this.dialog.showModal();
    try {
      const answer = await this.source.conversation(keys, this.request.signal);
      this.show(answer, keys);
    } catch (error) {
      if (error.name !== "AbortError") this.body.replaceChildren(notice("error", "The conversation cannot be read", error.message));
    }
  }

  show(answer, keys) {
    const { messages } = answer;
    if (!messages.length) {
      this.body.replaceChildren(answer.error ? notice("error", "No transcript", answer.error) : notice("empty", "No transcript", "No message of this conversation is stored."));
      return;
    }
    const [first] = messages;
    this.title.textContent = first.space_name || "Conversation";
    const facts = [first.workspace_name, `${messages.length} ${messages.length === 1 ? "message" : "messages"}`, formatValue(first.created_at, "instant") + " UTC"];
    this.body.replaceChildren(el("p", { class: "drawer-facts" }, facts.filter(Boolean).join(" · ")), ...messages.map((message) => transcriptMessage(message, keys.message)));
    const chosen = this.body.querySelector(".chosen");
    this.body.scrollTop = 0;
    if (chosen && chosen !== this.body.querySelector(".message")) chosen.scrollIntoView({ block: "start" });
  }
}

function transcriptMessage(message, chosen) {
  const part = (kind, label, ...content) => el("div", { class: `turn ${kind}` }, el("div", { class: "turn-label" }, label), ...content);
  const words = (text) => el("p", { class: "words" }, text);
  const asked = [message.user_email || "Someone", formatValue(message.created_at, "instant") + " UTC"].join(" · ");
  const failed = message.status === "FAILED" || message.error_type || message.error_message;
  const empty = !message.answer_text && !message.query_sql && !message.clarification_text && !failed;
  return el("article", { class: `message${message.message_id && message.message_id === chosen ? " chosen" : ""}`, "aria-label": `Message of ${asked}` },
    part("question", asked, words(message.content ?? "(no text)")),
    el("div", { class: "pills" }, statusPill(message.status), message.is_deleted ? el("span", { class: "pill warn" }, "deleted in Genie") : null, ratingPill(message)),
    message.answer_text ? part("answer", "Answer", words(message.answer_text)) : null,
    message.clarification_text ? part("answer", "Genie asked back", words(message.clarification_text)) : null,
    message.query_sql ? part("answer", message.query_title || "SQL", message.query_description ? words(message.query_description) : null,
      el("pre", { tabindex: "0" }, el("code", {}, message.query_sql)), el("p", { class: "timing" }, timing(message))) : null,
    message.query_error_message ? part("failure", "The statement failed", words(message.query_error_message)) : null,
    failed ? part("failure", message.error_type || "Failed", words(message.error_message || "Genie gave no reason.")) : null,
    empty ? part("answer", "Answer", words("Nothing was answered.")) : null,
    message.feedback_comment ? part("comment", "Comment on the answer", words(message.feedback_comment)) : null);
}

function timing(message) {
  const rows = message.query_row_count;
  const thinking = message.thinking_ms ?? null;
  return [
    thinking === null ? null : `Genie thought ${formatDuration(thinking)}`,
    message.query_execution_status,
    message.query_duration_ms === null ? "not in the query history yet" : `SQL ${formatDuration(message.query_duration_ms)}`,
    rows === null ? null : `${formatNumber(rows)} ${rows === 1 ? "row" : "rows"}`,
  ].filter(Boolean).join(" · ");
}

function statusPill(status) {
  const kind = { COMPLETED: "good", QUERY_RESULT_EXPIRED: "good", FAILED: "bad", CANCELLED: "warn" }[status] || "";
  return el("span", { class: `pill ${kind}` }, status || "no status");
}

function ratingPill(message) {
  const words = { POSITIVE: "Rated helpful", NEGATIVE: "Rated unhelpful" }[message.feedback_rating];
  return words ? el("span", { class: `pill ${message.feedback_rating === "POSITIVE" ? "good" : "bad"}` }, words) : null;
}
