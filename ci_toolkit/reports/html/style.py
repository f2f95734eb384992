"""How the HTML page looks; light or dark as the reader's system is."""

from typing import Final

CSS: Final = """\
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1f2530; --quiet: #5b6473; --line: #dfe3e9; --code: #eef1f5;
  --good: #1a7f45; --bad: #b3261e; --accent: #2457c5; --note: #8a5a00; --part: #dbe3f1; --bed: #f0f3f7;
  --out: #fdeceb; --in: #e6f5ea; --out-mark: #f5b8b2; --in-mark: #a9dfb9; --on-badge: #fff;
  --c0: #626b7a; --c1: #2457c5; --c2: #c2410c; --c3: #15803d; --c4: #7e22ce; --c5: #0e7490; --c6: #a16207;
  --c7: #be185d; --c8: #4d7c0f; --cx: #b3261e;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2029; --text: #dde3ec; --quiet: #98a3b3; --line: #2d3643; --code: #242c38;
    --good: #4cc27d; --bad: #ff7b72; --accent: #7fa8ff; --note: #e0b050; --part: #33425c; --bed: #202833;
    --out: #3a1f20; --in: #17321f; --out-mark: #7a3433; --in-mark: #22633a; --on-badge: #12161c;
    --c0: #98a3b3; --c1: #7fa8ff; --c2: #fb9a5b; --c3: #5fd38b; --c4: #c79bff; --c5: #55c7dd; --c6: #e0b050;
    --c7: #ff8fc0; --c8: #a9d05a; --cx: #ff7b72;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text); -webkit-text-size-adjust: 100%;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: break-word; }
h1 code { font-size: .62em; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0; }
p { margin: .5rem 0; }
a { color: var(--accent); }
a.path { color: inherit; text-decoration: underline dotted var(--quiet); text-underline-offset: .2em; }
code, pre { font: .87em/1.5 ui-monospace, "Cascadia Code", "DejaVu Sans Mono", monospace; }
code { background: var(--code); border-radius: .3em; padding: .1em .35em; overflow-wrap: anywhere; }
code, text, pre > * { unicode-bidi: isolate; }
pre { background: var(--code); border-radius: .5rem; padding: .7rem .9rem; margin: .7rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
pre del, pre ins, .diff > * { display: block; text-decoration: none; min-height: 1.5em; }
.diff > * { white-space: pre-wrap; padding-left: 1.4em; text-indent: -1.4em; }
.diff { padding: .5rem 0; } .diff > * { padding-right: .8rem; margin-left: .8rem; }
pre del, pre ins { margin: 0 -.9rem; padding: 0 .9rem 0 2.3em; text-indent: -1.4em; }
.diff del, .diff ins { margin: 0; padding: 0 .8rem 0 calc(.8rem + 1.4em); }
pre del { background: var(--out); } pre ins { background: var(--in); }
mark { color: inherit; border-radius: .2em; }
del mark { background: var(--out-mark); } ins mark { background: var(--in-mark); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-weight: 500; font-size: .87em; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody th { font-weight: 600; white-space: nowrap; }
ul { margin: .5rem 0; padding-left: 1.2rem; } li { margin: .15rem 0; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--accent); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1rem 1.25rem; margin: 1rem 0; overflow-x: auto;
}
.verdict { border-left: .4rem solid var(--bad); }
.verdict h1 { color: var(--bad); }
.verdict.good { border-left-color: var(--good); }
.verdict.good h1 { color: var(--good); }
.quiet { color: var(--quiet); }
.note { color: var(--note); }
.cause h2 { display: flex; gap: .6rem; align-items: baseline; flex-wrap: wrap; }
.cause h2 > span:first-of-type { flex: 1 1 12rem; }
.cause h2 .extent { font-weight: 400; font-size: .85rem; color: var(--quiet); }
.overview td.cause { min-width: 13rem; padding-left: calc(.6rem + 1.6em); text-indent: -1.6em; }
.unit { display: none; }
.follows { border-left: 2px solid var(--line); margin: .7rem 0 0; padding-left: .9rem; }
.chips span {
  display: inline-block; background: var(--code); border-radius: 1rem;
  padding: .05rem .7rem; margin: .15rem .3rem .15rem 0;
}
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.c8 { --c: var(--c8); } .cx { --c: var(--cx); }
.n {
  display: inline-block; min-width: 1.7em; padding: 0 .3em; border-radius: .85em; text-align: center; text-indent: 0;
  font-size: .76em; line-height: 1.55em; font-variant-numeric: tabular-nums;
  background: var(--c); color: var(--on-badge); border: 1px solid var(--c);
}
.n.f { background: none; color: var(--c); }
.disk { display: grid; gap: .2rem; margin: .8rem 0 .4rem; }
.disk > div { display: grid; grid-template-columns: 15rem 1fr; gap: .8rem; align-items: center; }
.label { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: .9em; }
.label a { color: inherit; text-decoration: none; } .label a:hover span { text-decoration: underline; }
.track { display: block; overflow: visible; }
.gap { fill: var(--code); stroke: var(--line); } .part { fill: var(--part); stroke: var(--card); stroke-width: 2; }
.bed { fill: var(--bed); stroke: var(--card); stroke-width: 2; }
.track text { fill: var(--text); font-size: 11px; } .track .name { font-weight: 600; font-size: 12px; }
.track .c0, .track .c1, .track .c2, .track .c3, .track .c4, .track .c5, .track .c6, .track .c7, .track .c8, .track .cx {
  fill: var(--c); stroke: var(--c); stroke-width: 1;
}
.track .follows { opacity: .35; stroke: none; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .7rem 0; }
.filter[hidden] { display: none; }
.filter input { flex: 2 1 12rem; } .filter select { flex: 1 1 10rem; min-width: 0; }
.filter input, .filter select, .filter button {
  font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: .5rem; padding: .3rem .7rem;
}
.tree, .tree ul { list-style: none; margin: 0; padding: 0; }
.tree ul { padding-left: .9rem; margin-left: .3rem; border-left: 1px solid var(--line); }
.tree details { margin: 0; }
.tree li { margin: 0; padding: .1rem 0; }
.tree li:not(:has(> details)) { padding-left: 1.05rem; }
.tree summary { color: inherit; padding-left: 1.05rem; text-indent: -1.05rem; }
.tree summary::marker { color: var(--quiet); }
.tree code { background: none; padding: 0; }
.tree > li > details > summary > code { font-weight: 600; }
.tree summary > * { text-indent: 0; }
.tree .quiet { font-size: .9em; overflow-wrap: anywhere; }
.tree [hidden] { display: none; }
:target { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .3rem; }
@media (max-width: 44rem) {
  main { padding: .75rem .6rem 2rem; }
  .card { padding: .8rem .85rem; }
  h1 { font-size: 1.25rem; }
  .disk > div { grid-template-columns: 1fr; gap: .1rem; }
  .overview, .overview tbody { display: block; }
  .overview thead { display: none; }
  .overview tr { display: block; padding: .5rem 0; border-top: 1px solid var(--line); }
  .overview tr:first-child { border-top: 0; }
  .overview td { display: block; border: 0; padding: .1rem 0 .1rem 1.6em; }
  .overview td.cause { padding-left: 1.6em; font-weight: 600; }
  .overview td.number { display: inline-block; text-align: left; color: var(--quiet); }
  .overview td.number + td.number { padding-left: .8rem; }
  .unit { display: inline; }
}
@media print {
  :root { color-scheme: light; }
  body { background: #fff; font-size: 11px; }
  main { max-width: none; padding: 0; }
  .card { break-inside: auto; } .card > h2, .card > p { break-after: avoid; } .cause { break-inside: avoid; }
  .filter { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
