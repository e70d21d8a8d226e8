// Elements are made by name and text, never from HTML. So a question stays text, whatever is in it.
const SVG = "http://www.w3.org/2000/svg";
const MARKDOWN_TAGS = new Set("h2 h3 h4 h5 h6 p ul ol li strong em s code pre a hr br blockquote table thead tbody tr th td".split(" "));

function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

function webAddress(text) {
  // Only addresses of web pages may be followed: no scripts, no data, no other programs.
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

function link(address, ...children) {
  const href = webAddress(address);
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children) : el("span", {}, ...children);
}

function markdown(nodes) {
  return nodes.map((node) => {
    if (typeof node === "string") return node;
    const [tag, attributes, children] = node;
    if (!MARKDOWN_TAGS.has(tag)) return el("span", {}, ...markdown(children));
    if (tag === "a") return link(attributes.href, ...markdown(children));
    const { start, align } = attributes;
    return el(tag, { start, style: align && { "text-align": align } }, ...markdown(children));
  });
}

let lastId = 0;
const freshId = (prefix) => `${prefix}-${++lastId}`;
