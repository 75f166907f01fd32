const $ = id => document.getElementById(id);
const units = ["B", "KiB", "MiB", "GiB", "TiB"];
function bytes(n) { if (n < 0) return "−" + bytes(-n); let u = 0; while (n >= 1024 && u < 4) { n /= 1024; u++; } return (u ? n.toFixed(1) : n) + " " + units[u]; }
function count(n) { return n.toLocaleString("en"); }
const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
function element(tag, properties, ...children) { const e = Object.assign(document.createElement(tag), properties); e.append(...children); return e; }
function figures(list, pairs) { for (const [name, value] of pairs) list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value))); }
