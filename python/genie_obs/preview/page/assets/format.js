// Values as people read them. Days and instants are UTC everywhere, as in the tables.
const LOCALE = "en-US";
const numberFormats = new Map();
const dateFormats = new Map();
const DAY = { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" };
const INSTANT = { ...DAY, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const PLAIN = { kind: "number", places: 2, exact: false, compact: false, group: true };
const NOTHING = "–";

function formatter(store, Type, options) {
  const key = JSON.stringify(options);
  if (!store.has(key)) store.set(key, new Type(LOCALE, options));
  return store.get(key);
}

function formatNumber(value, format) {
  const f = format && format.kind !== "date" ? format : PLAIN;
  const options = {
    minimumFractionDigits: f.exact ? f.places : 0,
    maximumFractionDigits: f.places,
    useGrouping: f.group,
  };
  if (f.kind === "percent") options.style = "percent";
  if (f.kind === "currency") Object.assign(options, { style: "currency", currency: f.currency });
  if (f.compact) options.notation = "compact";
  return formatter(numberFormats, Intl.NumberFormat, options).format(value) + (f.suffix || "");
}

function formatDate(value, type, format) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  if (format && format.kind === "date" && /[YMDHms]{2}/.test(format.pattern)) return formatPattern(date, format.pattern);
  return formatter(dateFormats, Intl.DateTimeFormat, type === "date" || isMidnight(value, format) ? DAY : INSTANT).format(date);
}

const isMidnight = (value, format) => format && format.kind === "day" && value % 86400000 === 0;

function formatPattern(date, pattern) {
  const pad = (n) => String(n).padStart(2, "0");
  const month = formatter(dateFormats, Intl.DateTimeFormat, { month: "short", timeZone: "UTC" }).format(date);
  const parts = {
    YYYY: date.getUTCFullYear(), MMM: month, MM: pad(date.getUTCMonth() + 1), DD: pad(date.getUTCDate()),
    HH: pad(date.getUTCHours()), mm: pad(date.getUTCMinutes()), ss: pad(date.getUTCSeconds()),
  };
  return pattern.replace(/YYYY|MMM|MM|DD|HH|mm|ss/g, (token) => parts[token]);
}

function formatValue(value, type, format) {
  if (value === null || value === undefined) return NOTHING;
  if (type === "date" || type === "instant") return typeof value === "number" ? formatDate(value, type, format) : String(value);
  if (type === "number" && typeof value === "number") return formatNumber(value, format);
  if (type === "boolean") return value ? "Yes" : "No";
  return value === "" ? NOTHING : String(value);
}

function matchesRule(rule, value) {
  if (rule.operator === "is-null") return value === null;
  if (rule.operator === "is-not-null") return value !== null;
  if (value === null) return false;
  const [left, right] = typeof value === "number" && rule.value !== "" && !Number.isNaN(Number(rule.value))
    ? [value, Number(rule.value)] : [String(value), String(rule.value)];
  return { ">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right, "=": left === right, "!=": left !== right }[rule.operator];
}

function fillTemplate(template, value, formatted, others, encode) {
  const keep = encode ? encodeURIComponent : String;
  return template.replace(/\{\{\s*([^}]*?)\s*\}\}/g, (_, name) => {
    if (name === "@") return encode && webAddress(String(value)) ? String(value) : keep(value ?? "");
    if (name === "@formatted") return keep(formatted);
    return keep(others[name] ?? "");
  });
}

function formatDuration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  return seconds < 120 ? `${formatNumber(seconds, { ...PLAIN, places: 1 })} s` : `${formatNumber(seconds / 60, { ...PLAIN, places: 1 })} min`;
}
