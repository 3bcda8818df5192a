"""The style and the script of the page; light or dark as the browser prefers."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --ink: #16191d; --soft: #59616b; --rule: #dfe3e8;
  --grid: #e8ebef; --main: #2463c7; --gain: #0b7a4b; --loss: #c0322f; --buy: #0b7a4b; --sell: #c0322f;
  --own: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --page: #101317; --card: #181c22; --ink: #e8ebef; --soft: #9aa4b0; --rule: #2a3038; --grid: #232930;
    --main: #6fa8ff; --gain: #3ecf8e; --loss: #ff7b72; --buy: #3ecf8e; --sell: #ff7b72; --own: #e0b050; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 20px 16px 48px; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 32px 0 12px; }
h3 { font-size: .95rem; margin: 0 0 12px; font-weight: 600; }
small, .note, .sub, th, .tick, .key { color: var(--soft); font-weight: 400; }
.sub { margin: 4px 0 20px; } .note { font-size: .85rem; margin: 8px 0 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tile, .chart, .table { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.tile { padding: 12px 14px; } .tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums;
  line-height: 1.3; overflow-wrap: anywhere; }
.tile span { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
.gain { color: var(--gain); } .loss { color: var(--loss); }
.charts { display: grid; gap: 12px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.chart { margin: 0; padding: 14px 14px 12px; min-width: 0; } .chart.wide, .charts > .chart:first-child {
  grid-column: 1 / -1; }
.charts > .chart:first-child .plot { height: 300px; }
.plot { position: relative; height: 190px; margin: 4px 0 26px 64px; }
.plot svg { width: 100%; height: 100%; display: block; overflow: visible; }
.plot path { vector-effect: non-scaling-stroke; fill: none; }
.grid { stroke: var(--grid); stroke-width: 1; } .zero { stroke: var(--soft); stroke-width: 1; }
.gap { stroke: var(--loss); stroke-width: 1; stroke-dasharray: 3 3; }
.line { stroke: var(--c); stroke-width: 1.75; stroke-linejoin: round; }
.plot path.fill { fill: var(--c); opacity: .14; stroke: none; }
.dot { stroke: var(--c); stroke-width: 8; stroke-linecap: round; } .hole { stroke: var(--card); stroke-width: 4;
  stroke-linecap: round; }
.main { --c: var(--main); } .buy { --c: var(--buy); } .sell { --c: var(--sell); } .down { --c: var(--loss); }
.own { --c: var(--own); }
.tick { position: absolute; font-size: 12px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tick.value { right: calc(100% + 8px); transform: translateY(-50%); }
.tick.time { top: calc(100% + 6px); } .tick.middle { transform: translateX(-50%); } .tick.end {
  transform: translateX(-100%); }
.key { font-size: .85rem; margin-right: 16px; white-space: nowrap; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px;
  border: 3px solid var(--c); }
.key i.disc { background: var(--c); }
.hair { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--soft); pointer-events: none; }
.tip { position: absolute; right: 0; bottom: calc(100% + 6px); padding: 3px 8px; border-radius: 6px;
  background: var(--ink);
  color: var(--card);
  font-size: 12px; font-variant-numeric: tabular-nums; white-space: nowrap; pointer-events: none; z-index: 1; }

.table { overflow: auto; max-height: 480px; }
thead th { position: sticky; top: 0; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 14px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { font-size: .85rem; } th:first-child, td:first-child, td.text, th.text { text-align: left; }
tr:last-child td { border-bottom: 0; } dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px;
  margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; } .card { background: var(--card);
  border: 1px solid var(--rule); border-radius: 8px; padding: 14px; }
.charts > .chart:last-child:nth-child(even) { grid-column: 1 / -1; }
.bars { margin-bottom: 12px; }
.rows { display: grid; grid-template-columns: max-content 1fr max-content; gap: 6px 12px; align-items: center; }
.rows div { position: relative; height: 16px; background: var(--grid); border-radius: 3px; }
.rows i { position: absolute; top: 0; bottom: 0; border-radius: 3px; background: currentColor; }
.rows b { font-weight: 400; font-variant-numeric: tabular-nums; text-align: right; }
.empty { color: var(--soft); } details summary { cursor: pointer; padding: 10px 14px; }
@media (max-width: 720px) { .charts { grid-template-columns: minmax(0, 1fr); } .charts > .chart:first-child .plot {
  height: 220px; }
  .plot { margin-left: 56px; } .tick { font-size: 11px; } th, td { padding: 7px 10px; } dl {
  grid-template-columns: 1fr; }
  dd { margin-bottom: 6px; } .tile b { font-size: 1.15rem; } }
@media print { body { background: #fff; } .chart, .table { break-inside: avoid; } }
"""

SCRIPT: Final = """
for (const plot of document.querySelectorAll('.plot')) {
  const points = JSON.parse(plot.dataset.points), left = +plot.dataset.left, right = +plot.dataset.right;
  if (!points.length) continue;
  const hair = document.createElement('i'), tip = document.createElement('output');
  hair.className = 'hair'; tip.className = 'tip'; hair.hidden = tip.hidden = true; plot.append(hair, tip);
  let at = points.length - 1;
  const show = () => {
    const [ms, value] = points[at], x = (ms - left) / (right - left) * 100;
    hair.hidden = tip.hidden = false; hair.style.left = x + '%';
    const place = plot.dataset.axis === 'time' ? new Date(ms).toISOString().slice(11, 23)
      : (plot.dataset.axis === 'log' ? 10 ** ms : ms).toLocaleString('en', { maximumSignificantDigits: 6 });
    tip.textContent = place + '  '
      + value.toLocaleString('en', { maximumFractionDigits: 10 }) + ' ' + plot.dataset.unit;
  };
  const hide = () => { hair.hidden = tip.hidden = true; };
  plot.addEventListener('pointermove', event => {
    const box = plot.getBoundingClientRect();
    const ms = left + (event.clientX - box.left) / box.width * (right - left);
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] > ms) high = middle; else low = middle;
    }
    at = ms - points[low][0] < points[high][0] - ms ? low : high; show();
  });
  plot.addEventListener('pointerleave', hide);
  plot.addEventListener('focus', show); plot.addEventListener('blur', hide);
  plot.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { at = Math.min(points.length - 1, Math.max(0, at + step)); show(); event.preventDefault(); }
  });
}
"""
