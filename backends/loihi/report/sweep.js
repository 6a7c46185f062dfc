// The pictures of a sweep's page: points in two of their costs.
'use strict';
(() => {
  if (typeof d3 === 'undefined') return;
  const points = draw.numbers.points.filter(point => point.fits);
  const groups = Array.from(new Set(points.map(point => `${point.target} ${point.weights}`)));
  const colour = point => draw.layerColour(groups.indexOf(`${point.target} ${point.weights}`));

  function scatter(id, xKey, xName, xText, yKey, yName, yText, up) {
    draw.figure(id, (node, width) => {
      const shown = points.filter(point => point[xKey] !== null && point[yKey] !== null);
      if (!shown.length) return false;
      draw.legend(node, groups.map((group, i) => [group, draw.layerColour(i)]));
      const height = 300, left = 74, bottom = 44;
      const wide = values => { const [low, high] = d3.extent(values), room = (high - low || Math.abs(high) || 1) * 0.08; return [Math.max(low - room, low >= 0 ? 0 : -Infinity), high + room]; };
      const x = d3.scaleLinear().domain(wide(shown.map(p => p[xKey]))).nice().range([left, width - 16]), y = d3.scaleLinear().domain(wide(shown.map(p => p[yKey]))).nice().range([height - bottom, 12]);
      const g = draw.svg(node, width, height);
      g.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - bottom})`).call(d3.axisBottom(x).ticks(Math.max(3, width / 110)).tickFormat(xText).tickSize(-(height - bottom - 12))).call(axis => axis.select('.domain').remove());
      g.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`).call(d3.axisLeft(y).ticks(5).tickFormat(yText).tickSize(-(width - left - 16))).call(axis => axis.select('.domain').remove());
      g.append('text').attr('x', width - 16).attr('y', height - 8).attr('text-anchor', 'end').text(xName);
      g.append('text').attr('x', 4).attr('y', 10).text(yName);
      // The front of these two costs alone
      const front = [];
      shown.slice().sort((a, b) => a[xKey] - b[xKey] || (up ? b[yKey] - a[yKey] : a[yKey] - b[yKey])).forEach(point => {
        const last = front[front.length - 1];
        if (!last || (up ? point[yKey] > last[yKey] : point[yKey] < last[yKey])) front.push(point);
      });
      g.append('path').attr('d', d3.line().x(p => x(p[xKey])).y(p => y(p[yKey])).curve(d3.curveStepAfter)(front)).style('fill', 'none').style('stroke', 'var(--soft)').style('stroke-width', 1.5).style('stroke-dasharray', '5 4');
      shown.forEach(point => g.append('circle').attr('cx', x(point[xKey])).attr('cy', y(point[yKey])).attr('r', 6).style('fill', point.best ? colour(point) : 'var(--card)').style('stroke', colour(point)).style('stroke-width', 2)
        .append('title').text(`${point.target} ${point.weights} ${point.objective}: ${xText(point[xKey])}, ${yText(point[yKey])}`));
    });
  }

  const percent = value => `${draw.short(value)} %`;
  scatter('cores_energy', 'cores', 'cores', draw.short, 'energy_pj', 'energy an inference', draw.energy, false);
  scatter('energy_accuracy', 'energy_pj', 'energy an inference', draw.energy, 'accuracy_percent', 'accuracy', percent, true);
  scatter('energy_time', 'time_ns', 'time an inference', draw.time, 'energy_pj', 'energy an inference', draw.energy, false);
  scatter('cores_packets', 'cores', 'cores', draw.short, 'packets_per_step', 'packets a step', draw.short, false);
  draw.all();
})();
