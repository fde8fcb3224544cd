#include "analyze/report/html_style.h"

namespace fdmortem {

// The colours of verdicts and kinds are those of Okabe and Ito, which people with any kind of
// colour blindness can tell apart; each is named in words beside it too.
std::string_view reportStyle() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --rule: #d8dee4; --panel: #f6f8fa;
  --link: #0b57d0; --critical: #b3261e; --warning: #8a5300; --info: #0b57d0; --grid: #e4e8ec;
  --blue: #0072b2; --sky: #56b4e9; --green: #009e73; --orange: #e69f00; --red: #d55e00;
  --pink: #cc79a7; --grey: #8c959f; --sand: #b7a642; --area: #0072b226; --unseen: #8c959f33;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ec; --soft: #a3acb5; --rule: #343b43; --panel: #1c2126;
    --link: #8ab4f8; --critical: #ff8a80; --warning: #ffc46b; --info: #8ab4f8; --grid: #2a3037;
    --blue: #4aa3df; --sky: #86cdf5; --green: #2fc39a; --orange: #f0b429; --red: #ee7d33;
    --pink: #dd9cc0; --grey: #7d8791; --sand: #cfc063; --area: #4aa3df2e; --unseen: #a3acb533;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
h1, h2, h3 { line-height: 1.25; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .25rem 0 1rem; }
time { white-space: nowrap; }
h2 { font-size: 1.25rem; margin: 3rem 0 1rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 2rem 0 .25rem; }
article h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px;
}
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; display: inline-block; padding: .5rem; }
.kicker, figcaption, .note-text { color: var(--soft); font-size: .9rem; }
.kicker { margin: 0; overflow-wrap: anywhere; }
nav ul { list-style: none; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.statements, .facts { margin: 0; }
.statements > div, .facts > div { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0 1rem; padding: .4rem 0; }
.statements > div + div { border-top: 1px solid var(--rule); }
.facts > div { padding: .1rem 0; }
dt { color: var(--soft); }
.statements dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.inferred dd { font-style: italic; }
.to-do dt { color: var(--ink); }
article { margin: 1rem 0; padding: 1rem 1.1rem; background: var(--panel); border: 1px solid var(--rule);
  border-left: 5px solid var(--info); border-radius: 4px; }
article.critical { border-left-color: var(--critical); }
article.warning { border-left-color: var(--warning); }
.badge { display: block; font-size: .75rem; font-weight: 700; letter-spacing: .05em; text-transform: uppercase; color: var(--info); }
.critical .badge { color: var(--critical); }
.warning .badge { color: var(--warning); }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); padding: .15rem 0; width: fit-content; }
details.process > summary { color: inherit; width: auto; margin-top: 1rem; }
details.process > summary h2 { display: inline; border: 0; padding: 0; }
pre { margin: .5rem 0; padding: .6rem .75rem; background: var(--panel); border: 1px solid var(--rule); border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .82rem; line-height: 1.45; }
article pre { background: var(--paper); }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
td { overflow-wrap: break-word; max-width: 32rem; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
th.number, td.number { text-align: right; }
.bar { display: inline-block; vertical-align: middle; height: .6rem; }
figure { margin: .75rem 0 0; max-width: 47rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: var(--ink); }
svg .tick, svg .note { fill: var(--soft); font-size: 12px; }
svg .row { font-size: 11px; fill: var(--soft); }
svg .label { font-weight: 600; }
svg .short { display: none; }
.grid { stroke: var(--grid); fill: none; }
.axis { stroke: var(--soft); fill: none; }
.area { fill: var(--area); }
.line { stroke: var(--blue); stroke-width: 2.25; fill: none; stroke-linejoin: round; }
svg .line-label { fill: var(--blue); }
.limit { stroke: var(--critical); stroke-width: 1.75; stroke-dasharray: 7 4; fill: none; }
svg .limit-label { fill: var(--critical); }
.restart { stroke: var(--ink); stroke-width: 1.25; stroke-dasharray: 2 3; fill: none; }
.mark { stroke: var(--pink); stroke-width: 1.5; fill: none; }
.unseen { fill: var(--unseen); }
.part { stroke: var(--paper); stroke-width: .75; }
.life { stroke: var(--grey); stroke-width: 1; fill: none; }
.alive { fill: var(--blue); }
.dead { fill: var(--red); }
.data { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
.v-outlived { fill: var(--red); } .v-peer-closed { fill: var(--orange); }
.v-connect-failed { fill: var(--pink); } .v-never-connected { fill: var(--sand); }
.v-unlisted { fill: var(--grey); } .v-connected { fill: var(--blue); }
.v-listening { fill: var(--sky); } .v-closing { fill: var(--rule); } .v-other { fill: var(--green); }
.c0 { fill: var(--blue); } .c1 { fill: var(--orange); } .c2 { fill: var(--green); } .c3 { fill: var(--pink); }
.c4 { fill: var(--sky); } .c5 { fill: var(--red); } .c6 { fill: var(--grey); }
.legend { list-style: none; margin: .25rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .88rem; }
.legend svg { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; vertical-align: -.05rem; }
footer { margin-top: 3rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.3rem; }
  .statements > div, .facts > div { grid-template-columns: 1fr; }
  svg text { font-size: 21px; }
  svg .tick, svg .note, svg .side { font-size: 19px; }
  svg .row { font-size: 17px; }
  svg .line-label { font-size: 19px; }
  svg .long, svg .spare, svg .side { display: none; }
  svg .short { display: inline; }
  article { padding: .8rem; }
}
@media (forced-colors: active) {
  :root { --paper: Canvas; --ink: CanvasText; --soft: CanvasText; --rule: CanvasText; --panel: Canvas;
    --link: LinkText; --critical: CanvasText; --warning: CanvasText; --info: CanvasText; --grid: GrayText;
    --area: Canvas; --unseen: GrayText; }
  .legend svg, figure svg { forced-color-adjust: none; }
  .line { stroke: CanvasText; }
  svg .line-label { fill: CanvasText; }
  .data { stroke: CanvasText; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #fff; --link: #000; --grid: #ddd;
    --critical: #b3261e; --warning: #8a5300; --info: #0b57d0;
    --blue: #0072b2; --sky: #56b4e9; --green: #009e73; --orange: #e69f00; --red: #d55e00;
    --pink: #cc79a7; --grey: #8c959f; --sand: #b7a642; --area: #0072b226; --unseen: #8c959f33; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, .skip { display: none; }
  article, figure, tr, .statements > div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure { max-width: 30rem; }
  details.process::details-content, details.proof::details-content { content-visibility: visible; height: auto; }
  .scroll { overflow: visible; }
}
)css";
}

}  // namespace fdmortem
