// Draws the page's charts from the numbers in #numbers, in the colours of the page, light or dark.
'use strict';
(() => {
  if (typeof Chart === 'undefined') return;
  document.documentElement.classList.add('drawn');
  const numbers = JSON.parse(document.getElementById('numbers').textContent);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const paint = dataset => ({...dataset, backgroundColor: [].concat(dataset.paint).map(colour), borderColor: [].concat(dataset.paint).map(colour)});
  const grouped = value => Number(value).toLocaleString('en').replaceAll(',', '\u202f');
  const charts = [];

  function draw(id, chart) {
    const axes = Object.fromEntries(Object.entries(chart.axes).map(([axis, options]) => [axis, {
      ...options, grid: {color: colour('line'), display: options.lines !== false, drawBorder: false},
      ticks: {color: colour('soft'), maxRotation: 0, ...(options.tidy && {callback: v => (Math.log10(v) % 1 === 0 ? grouped(v) : '')}), ...(options.counts && {callback: grouped})},
      title: {display: !!options.label, text: options.label, color: colour('soft')},
    }]));
    charts.push(new Chart(document.getElementById(id), {
      type: chart.type,
      data: {labels: chart.labels, datasets: chart.datasets.map(paint)},
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, indexAxis: chart.across ? 'y' : 'x', scales: axes,
        layout: {padding: {right: chart.across ? 56 : 8, top: chart.across ? 0 : 16}},
        interaction: {mode: 'index', intersect: false, axis: chart.across ? 'y' : 'x'},
        plugins: {legend: {display: chart.datasets.length > 1, labels: {color: colour('ink'), boxWidth: 10, boxHeight: 10}}},
      },
      plugins: chart.values ? [values(chart)] : [],
    }));
  }

  // Writes each bar's value at its end.
  const values = chart => ({
    id: 'values',
    afterDatasetsDraw({ctx, data}) {
      ctx.save();
      ctx.font = '12px system-ui, sans-serif';
      ctx.fillStyle = colour('ink');
      const owner = Chart.getChart(ctx.canvas);
      data.datasets.forEach((dataset, d) => owner.getDatasetMeta(d).data.forEach((bar, i) => {
        const text = chart.texts ? chart.texts[d][i] : String(dataset.data[i]);
        ctx.textAlign = chart.across ? 'left' : 'center';
        ctx.textBaseline = chart.across ? 'middle' : 'bottom';
        ctx.fillText(text, bar.x + (chart.across ? 6 : 0), bar.y - (chart.across ? 0 : 3));
      }));
      ctx.restore();
    },
  });

  function drawAll() {
    charts.splice(0).forEach(chart => chart.destroy());
    Chart.defaults.font.family = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
    Object.entries(numbers).forEach(([id, chart]) => draw(id, chart));
  }
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
})();
