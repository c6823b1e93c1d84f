"""The look of the report page and what moves on it: a style sheet and a script, both written into the page."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --ink: #1b2030; --soft: #5d6579; --line: #e3e6ec; --wash: #f1f3f7;
  --good: #0b7a55; --good-wash: #e5f5ee; --bad: #c2410c; --bad-wash: #fdf1ea; --front: #9aa2b5;
  --c0: #2563eb; --c1: #d95a14; --c2: #058c64; --c3: #933cc8;
  --c4: #be185d; --c5: #787114; --c6: #0882a0; --c7: #64646e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12141b; --card: #1a1e28; --ink: #e8ebf2; --soft: #9aa3b8; --line: #2c3240; --wash: #222734;
    --good: #4fd1a1; --good-wash: #16312a; --bad: #fb9a66; --bad-wash: #352219; --front: #5c667e;
    --c0: #6ea2ff; --c1: #ff9757; --c2: #3fcf9f; --c3: #c78bf0;
    --c4: #f472b6; --c5: #d3c94c; --c6: #4cc6e4; --c7: #a9a9b6;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px; }
header p, .soft { color: var(--soft); }
.eyebrow { margin: 0; font-size: 13px; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); }
h1 { font-size: 30px; line-height: 1.2; margin: 6px 0 4px; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 4px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 24px;
  margin-top: 20px; }
section > p:first-of-type { margin-top: 0; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 22px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; font-weight: 650; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile span { display: block; font-size: 13px; color: var(--soft); }
.tile.good { background: var(--good-wash); border-color: transparent; } .tile.good b { color: var(--good); }
.tile.bad { background: var(--bad-wash); border-color: transparent; } .tile.bad b { color: var(--bad); }
ul.reasons { margin: 18px 0 0; padding: 0; list-style: none; }
ul.reasons li { padding: 7px 0 7px 18px; border-top: 1px solid var(--line); position: relative; }
ul.reasons li::before { content: ""; position: absolute; left: 2px; top: 16px; width: 6px; height: 6px;
  border-radius: 50%; background: var(--c0); }
.warning { background: var(--bad-wash); color: var(--bad); border-radius: 10px; padding: 10px 14px; margin: 14px 0 0; }
.scroll { overflow-x: auto; margin: 12px -24px -8px; padding: 0 24px 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { font-size: 12.5px; font-weight: 550; color: var(--soft); text-align: right; padding: 8px 9px; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th button { all: unset; cursor: pointer; } th button:hover, th button:focus-visible { color: var(--ink);
  text-decoration: underline; }
td { padding: 9px 9px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, td.words, th.words { text-align: left; }
td.words { white-space: normal; min-width: 220px; }
tr.winner td { background: var(--good-wash); font-weight: 600; }
tr.over td { color: var(--soft); }
tr.lit td { background: var(--wash); }
.name { font-weight: 550; } .how { display: block; font-size: 12.5px; color: var(--soft); font-weight: 400; }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 8px; }
.badge { font-size: 11.5px; border-radius: 99px; padding: 1px 8px; margin-left: 8px; background: var(--wash);
  color: var(--soft); font-weight: 550; white-space: nowrap; }
.badge.good { background: var(--good); color: var(--card); }
.badge.bad { background: var(--bad-wash); color: var(--bad); }
.broken { color: var(--bad); }
.bar { position: relative; display: block; height: 6px; border-radius: 3px; background: var(--wash); margin-top: 5px;
  min-width: 70px; }
.bar i { position: absolute; left: 0; top: 0; bottom: 0; border-radius: 3px; background: var(--c0); }
.span { position: relative; display: block; height: 16px; min-width: 280px; }
.span i { position: absolute; top: 6px; height: 4px; border-radius: 2px; opacity: .45; }
.span u { position: absolute; top: 2px; width: 3px; height: 12px; border-radius: 2px; margin-left: -1px; }
.span em { position: absolute; top: -1px; width: 0; height: 18px; border-left: 2px dotted var(--ink); }
.span s { position: absolute; top: -3px; bottom: -3px; width: 0; border-left: 2px solid var(--bad); }
svg.plot { display: block; width: 100%; height: auto; margin-top: 8px; font: 12px system-ui, sans-serif; }
.plot .grid { stroke: var(--line); } .plot .tick { fill: var(--soft); }
.plot .title { fill: var(--soft); font-size: 12.5px; }
.plot .over { fill: none; } .plot rect.over { fill: var(--bad-wash); opacity: .7; }
.plot .limit { stroke: var(--bad); stroke-width: 1.5; } .plot .limit.wider { stroke-dasharray: 4 4; opacity: .6; }
.plot .limit-text { fill: var(--bad); font-size: 12px; }
.plot .front { fill: none; stroke: var(--front); stroke-width: 1.5; stroke-linejoin: round; }
.plot .mark line { stroke: currentColor; stroke-width: 1.5; opacity: .1; }
.plot .mark.leads line { opacity: .45; } .plot .mark:hover line, .plot .mark.lit line { opacity: .9; }
.plot .mark circle { fill: currentColor; } .plot .mark .ring { fill: none; stroke: currentColor; stroke-width: 2; }
.plot .mark.over circle { fill: var(--card); stroke: currentColor; stroke-width: 2; }
.plot .mark.rough circle { opacity: .35; }
.plot .mark circle.touch { fill: transparent; stroke: none; opacity: 1; cursor: pointer; }
.plot .mark:hover circle:not(.touch), .plot .mark.lit circle:not(.touch) {
  stroke: var(--ink); stroke-width: 2; opacity: 1; }
.plot .label { fill: var(--ink); font-size: 12px; paint-order: stroke; stroke: var(--card); stroke-width: 4px;
  stroke-linejoin: round; } .plot .label.winner { font-weight: 650; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.dot.c0, .dot.c1, .dot.c2, .dot.c3, .dot.c4, .dot.c5, .dot.c6, .dot.c7, .span i, .span u { background: currentColor; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); margin: 10px 0 0; }
#tip { position: fixed; pointer-events: none; opacity: 0; transition: opacity .12s; z-index: 9; max-width: 340px;
  background: var(--ink); color: var(--paper); border-radius: 10px; padding: 10px 13px;
  font-size: 13px; line-height: 1.5;
  box-shadow: 0 6px 24px rgb(0 0 0 / .25); white-space: pre-line; }
details { margin-top: 10px; } summary { cursor: pointer; color: var(--soft); }
summary:hover { color: var(--ink); }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--wash); border-radius: 8px; padding: 10px 12px; margin: 6px 0 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 22px; margin: 10px 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 640px) { main { padding: 24px 14px 60px; } section { padding: 18px 16px; } h1 { font-size: 24px; }
  .scroll { margin: 12px -16px -8px; padding: 0 16px 8px; } dl { grid-template-columns: 1fr; gap: 0 0; }
  dd { margin-bottom: 8px; } }
@media print { section, .tile { break-inside: avoid; } }
"""

SCRIPT = """
(() => {
  const tip = document.getElementById("tip");
  const rows = (number) => document.querySelectorAll(`[data-row="${number}"]`);
  const light = (number, on) => rows(number).forEach((part) => part.classList.toggle("lit", on));
  document.querySelectorAll(".mark").forEach((mark) => {
    mark.addEventListener("pointerenter", (event) => {
      const told = document.querySelector(`template[data-tip="${mark.dataset.row}"]`);
      tip.textContent = told ? told.content.textContent.trim() : "";
      tip.style.opacity = 1;
      light(mark.dataset.row, true);
    });
    mark.addEventListener("pointermove", (event) => {
      const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
      tip.style.left = (right ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16) + "px";
      tip.style.top = Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8) + "px";
    });
    mark.addEventListener("pointerleave", () => { tip.style.opacity = 0; light(mark.dataset.row, false); });
  });
  document.querySelectorAll("tr[data-row]").forEach((row) => {
    row.addEventListener("pointerenter", () => light(row.dataset.row, true));
    row.addEventListener("pointerleave", () => light(row.dataset.row, false));
  });
  document.querySelectorAll("th button").forEach((button) => {
    button.addEventListener("click", () => {
      const head = button.closest("th"), body = head.closest("table").tBodies[0];
      const place = [...head.parentNode.children].indexOf(head);
      const down = button.dataset.down !== "yes";
      button.dataset.down = down ? "yes" : "no";
      const value = (row) => parseFloat(row.children[place].dataset.value);
      [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return down ? y - x : x - y;
      }).forEach((row) => body.append(row));
    });
  });
})();
"""
