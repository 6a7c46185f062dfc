// What the pictures of all our pages share: colours of the page's style sheet, labels, a figure that is drawn anew when its width changes.
'use strict';
const draw = (() => {
  const numbers = JSON.parse(document.getElementById('numbers').textContent);
  const figures = [];

  // 12 544; 48.3; 0.0123
  const grouped = value => d3.format(',.0f')(value).replace(/,/g, '\u202f');
  function short(value) {
    if (value === null || value === undefined) return 'unknown';
    const size = Math.abs(value);
    if (size === 0) return '0';
    if (size >= 99.95 || (size >= 1 && Number.isInteger(value))) return grouped(value);
    return size >= 9.995 ? value.toFixed(1) : size >= 0.9995 ? value.toFixed(2) : String(Number(value.toPrecision(3)));
  }
  function scaled(value, units) {
    if (value === null || value === undefined) return 'unknown';
    let unit = 0;
    for (; Math.abs(value) >= 999.5 && unit + 1 < units.length; ++unit) value /= 1000;
    return `${short(value)} ${units[unit]}`;
  }
  const energy = pj => scaled(pj, ['pJ', 'nJ', 'µJ', 'mJ']);
  const time = ns => scaled(ns, ['ns', 'µs', 'ms', 's']);
  const percent = value => (value === null || value === undefined ? 'unknown' : `${value.toFixed(1)} %`);
  const clip = (text, most) => (text.length > most ? text.slice(0, most - 1) + '…' : text);

  const layerColour = i => `var(--l${i % 12})`;
  const unitColour = i => `var(--u${i % 7})`;
  // From the page's empty to its hot colour; beyond 1: what does not fit.
  const heat = share => (share > 1.0000001 ? 'var(--bad)' : `color-mix(in srgb, var(--hot) ${(100 * Math.max(0, share)).toFixed(1)}%, var(--empty))`);
  // Text upon a cell of that heat.
  const onHeat = share => (share > 0.6 ? '#fff' : 'var(--ink)');

  function legend(node, items) {
    const list = d3.select(node).append('div').attr('class', 'legend');
    items.forEach(([text, colour]) => {
      const item = list.append('span');
      item.append('i').style('background', colour);
      item.append('span').text(text);
    });
  }
  function svg(node, width, height) {
    return d3.select(node).append('svg').attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height);
  }
  // Room for the longest of these labels, within a share of the width.
  const labelRoom = (labels, width) => Math.min(0.34 * width, 14 + 6.7 * d3.max(labels, text => text.length));
  const label = (text, room) => clip(text, Math.max(4, Math.floor(room / 6.7) - 1));

  /// painter(node, width): draws into the empty node; false: there is nothing to show.
  function figure(id, painter) {
    const node = document.getElementById(id);
    if (node) figures.push({node, painter});
  }
  function paint({node, painter}) {
    node.textContent = '';
    const width = Math.max(280, Math.floor(node.getBoundingClientRect().width));
    if (painter(node, width) === false) node.closest('figure').hidden = true;
  }
  function all() {
    document.documentElement.classList.add('drawn');
    figures.forEach(paint);
    let before = window.innerWidth, waiting;
    window.addEventListener('resize', () => {
      if (window.innerWidth === before) return;
      before = window.innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(() => figures.forEach(paint), 120);
    });
  }

  // Horizontal bars, one row a name, each of stacked parts: rows [{name, parts: [number], total}], texts at the end.
  function stacked(node, width, rows, parts, text) {
    legend(node, parts.map((part, i) => [part, unitColour(i)]));
    const room = labelRoom(rows.map(r => r.name), width), end = 74, bar = 18, step = 26;
    const x = d3.scaleLinear().domain([0, d3.max(rows, r => d3.sum(r.parts)) || 1]).range([room, width - end]);
    const g = svg(node, width, rows.length * step + 4);
    rows.forEach((row, r) => {
      let from = 0;
      g.append('text').attr('x', room - 8).attr('y', r * step + bar / 2 + 2).attr('dy', '.35em').attr('text-anchor', 'end').text(label(row.name, room)).append('title').text(row.name);
      row.parts.forEach((value, i) => {
        if (!(value > 0)) return;
        g.append('rect').attr('x', x(from)).attr('y', r * step + 2).attr('width', Math.max(0, x(from + value) - x(from))).attr('height', bar).style('fill', unitColour(i))
          .append('title').text(`${row.name}, ${parts[i]}: ${text(value)}`);
        from += value;
      });
      g.append('text').attr('class', 'strong').attr('x', x(from) + 6).attr('y', r * step + bar / 2 + 2).attr('dy', '.35em').text(text(from));
    });
  }

  // A table of coloured cells: value(row, column) -> {share, text, title, marked} or null.
  function matrix(node, width, rows, columns, value, {tall = 26, rowHead = '', turned = false} = {}) {
    const room = labelRoom(rows, width), head = turned ? 12 + Math.min(110, 6 * d3.max(columns, c => c.length)) : 22;
    const wide = (width - room - (turned ? 26 : 2)) / columns.length; // turned heads lean over the last column
    const g = svg(node, width, head + rows.length * tall + 4);
    columns.forEach((column, c) => {
      const x = room + (c + 0.5) * wide, text = g.append('text');
      if (turned) text.attr('transform', `translate(${x + 4},${head - 6}) rotate(-60)`).text(clip(column, 18));
      else text.attr('x', x).attr('y', head - 8).attr('text-anchor', 'middle').text(clip(column, Math.max(3, Math.floor(wide / 6.2))));
      text.append('title').text(column);
    });
    if (rowHead) g.append('text').attr('x', room - 8).attr('y', head - 8).attr('text-anchor', 'end').text(rowHead);
    rows.forEach((row, r) => {
      g.append('text').attr('x', room - 8).attr('y', head + (r + 0.5) * tall).attr('dy', '.35em').attr('text-anchor', 'end').text(label(row, room)).append('title').text(row);
      columns.forEach((column, c) => {
        const cell = value(r, c);
        if (!cell) return;
        const box = g.append('g').attr('transform', `translate(${room + c * wide + 1},${head + r * tall + 1})`);
        box.append('rect').attr('width', Math.max(0.5, wide - 2)).attr('height', tall - 2).attr('rx', Math.min(3, wide / 4)).style('fill', cell.colour || heat(cell.share))
          .style('stroke', cell.marked ? 'var(--ink)' : 'none').style('stroke-width', 1.6);
        if (cell.text && wide > 6.4 * cell.text.length) box.append('text').attr('x', wide / 2 - 1).attr('y', tall / 2 - 1).attr('dy', '.35em').attr('text-anchor', 'middle').style('fill', onHeat(cell.share)).text(cell.text);
        box.append('title').text(cell.title);
      });
    });
  }

  return {numbers, short, grouped, energy, time, percent, clip, layerColour, unitColour, heat, onHeat, legend, svg, labelRoom, label, figure, all, stacked, matrix};
})();
