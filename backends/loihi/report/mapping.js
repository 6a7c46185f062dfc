// The pictures of a mapping's page. Keys of `report`: docs/loihi-report.schema.json.
'use strict';
(() => {
  if (typeof d3 === 'undefined') return;
  const report = draw.numbers, {mesh, layers, cores, allowed} = report;
  const names = layers.map(layer => layer.name);
  const share = (used, key) => (allowed[key] === null ? null : allowed[key] ? used[key] / allowed[key] : used[key] ? Infinity : 0);
  const binding = [['compartments', 'cx'], ['input_axons', 'in-axons'], ['output_entries', 'out-entries'], ['synapse_words', 'synMem'], ['synapse_formats', 'formats'],
    ['compartment_profiles', 'cx prof.'], ['threshold_profiles', 'vth prof.'], ['destination_groups', 'groups'], ['words_per_axon', 'list words']];
  const main = binding.slice(0, 4);

  // ---- cores on chips: a square of `size` for each core, at its place
  const across = Math.ceil(Math.sqrt(mesh.cores_per_tile)), down = Math.ceil(mesh.cores_per_tile / across);
  const chips = Array.from(new Set(cores.map(core => core.chip))).sort((a, b) => a - b);
  function chipPlan(width, most, least = 190) {
    const gap = 3, perRow = Math.max(1, Math.min(most, chips.length, Math.floor(width / least)));
    const chipWidth = (width - (perRow - 1) * 16) / perRow;
    const size = Math.min(34, (chipWidth - mesh.width * gap) / (mesh.width * across));
    const tileWidth = size * across + gap, tileHeight = size * down + gap;
    const head = chips.length > 1 ? 18 : 2, rowHeight = head + mesh.height * tileHeight + 8;
    const rows = Math.ceil(chips.length / perRow);
    const origin = chip => {
      const i = chips.indexOf(chip);
      return [(i % perRow) * (mesh.width * tileWidth + 16), Math.floor(i / perRow) * rowHeight + head];
    };
    return {size, tileWidth, tileHeight, origin, width: perRow * (mesh.width * tileWidth + 16) - 16, height: rows * rowHeight,
      tile: (chip, x, y) => { const [ox, oy] = origin(chip); return [ox + x * tileWidth, oy + (mesh.height - 1 - y) * tileHeight]; },
      core: c => { const [tx, ty] = [c.x * tileWidth, (mesh.height - 1 - c.y) * tileHeight], [ox, oy] = origin(c.chip); return [ox + tx + (c.core % across) * size, oy + ty + Math.floor(c.core / across) * size]; }};
  }
  function emptyChips(g, plan, numbered = true) {
    chips.forEach(chip => {
      const [ox, oy] = plan.origin(chip);
      if (numbered && chips.length > 1) g.append('text').attr('x', ox).attr('y', oy - 5).text(`chip ${chip}`);
      for (let x = 0; x < mesh.width; ++x)
        for (let y = 0; y < mesh.height; ++y)
          for (let c = 0; c < mesh.cores_per_tile; ++c) {
            if ((x * mesh.height + y) * mesh.cores_per_tile + c >= mesh.cores_per_chip) continue;
            const [px, py] = plan.core({chip, x, y, core: c});
            g.append('rect').attr('x', px + 0.5).attr('y', py + 0.5).attr('width', plan.size - 1).attr('height', plan.size - 1).style('fill', 'var(--empty)');
          }
    });
  }
  const describe = core => `core ${core.place}: ` + core.layers.map(part => `${names[part.layer]} ${part.neurons}`).join(', ') + '\n' + main.map(([key, name]) => `${name} ${core.used[key]} of ${allowed[key] === null ? 'unknown' : allowed[key]}`).join('\n');

  draw.figure('floor', (node, width) => {
    draw.legend(node, layers.map((layer, i) => [`${layer.name}: ${layer.cores} ${layer.cores === 1 ? 'core' : 'cores'}`, draw.layerColour(i)]));
    const plan = chipPlan(width, 4), g = draw.svg(node, width, plan.height);
    emptyChips(g, plan);
    cores.forEach(core => {
      const [x, y] = plan.core(core), all = d3.sum(core.layers, part => part.neurons) || 1, square = g.append('g');
      let from = 0;
      core.layers.forEach(part => {
        const height = (part.neurons / all) * (plan.size - 1);
        square.append('rect').attr('x', x + 0.5).attr('y', y + 0.5 + from).attr('width', plan.size - 1).attr('height', height).style('fill', draw.layerColour(part.layer));
        from += height;
      });
      square.append('title').text(describe(core));
    });
  });

  draw.figure('heat', (node, width) => {
    const metrics = main.map(([key, name]) => ({name, of: core => share(core.used, key), text: value => draw.percent(100 * value), whole: 1}));
    metrics.push({name: 'synaptic operations', of: core => core.synops_per_step, text: value => `${draw.short(value)} a step`});
    metrics.push({name: 'packets out', of: core => core.packets_out_per_step, text: value => `${draw.short(value)} a step`});
    metrics.push({name: 'busy', of: core => core.busy_ns_per_step, text: value => `${draw.time(value)} a step`});
    metrics.push({name: 'energy', of: core => core.energy_pj, text: value => draw.energy(value)});
    const shown = metrics.filter(metric => cores.some(core => metric.of(core) !== null));
    const grid = d3.select(node).append('div').style('display', 'grid').style('gap', '16px').style('grid-template-columns', `repeat(${Math.max(1, Math.floor(width / (chips.length > 1 ? 330 : 230)))}, minmax(0, 1fr))`);
    const columns = Math.max(1, Math.floor(width / (chips.length > 1 ? 330 : 230))), own = (width - (columns - 1) * 16) / columns;
    shown.forEach(metric => {
      const place = grid.append('div'), plan = chipPlan(own, 4, 130);
      const most = d3.max(cores, core => metric.of(core) || 0), full = metric.whole ? Math.max(metric.whole, 1e-12) : most || 1;
      place.append('div').style('font-size', '13px').style('margin-bottom', '4px').text(`${metric.name}: ${metric.text(most)}`);
      const g = draw.svg(place.node(), own, plan.height);
      emptyChips(g, plan, false);
      cores.forEach(core => {
        const value = metric.of(core), [x, y] = plan.core(core);
        if (value === null) return;
        g.append('rect').attr('x', x + 0.5).attr('y', y + 0.5).attr('width', plan.size - 1).attr('height', plan.size - 1).style('fill', draw.heat(value / full))
          .append('title').text(`core ${core.place}, ${metric.name}: ${metric.text(value)}`);
      });
    });
  });

  draw.figure('occupancy', (node, width) => {
    if (!cores.length) return false;
    const room = draw.labelRoom(names, width), tall = 20, wide = (width - room) / cores.length, g = draw.svg(node, width, layers.length * tall + 24);
    names.forEach((name, r) => {
      g.append('rect').attr('x', room).attr('y', r * tall + 1).attr('width', width - room).attr('height', tall - 2).style('fill', 'var(--empty)').style('opacity', 0.55);
      g.append('text').attr('x', room - 8).attr('y', (r + 0.5) * tall).attr('dy', '.35em').attr('text-anchor', 'end').text(draw.label(name, room));
    });
    cores.forEach((core, c) => core.layers.forEach(part => {
      const piece = part.neurons / (core.neurons || 1);
      g.append('rect').attr('x', room + c * wide).attr('y', part.layer * tall + 1).attr('width', Math.max(0.6, wide - (wide > 4 ? 1 : 0))).attr('height', tall - 2).style('fill', draw.layerColour(part.layer))
        .style('opacity', 0.25 + 0.75 * piece).append('title').text(`${names[part.layer]}: ${part.neurons} neurons on core ${core.place}`);
    }));
    const bottom = layers.length * tall + 16;
    g.append('text').attr('x', room).attr('y', bottom).text(`core ${cores[0].place}`);
    if (cores.length > 1) g.append('text').attr('x', width).attr('y', bottom).attr('text-anchor', 'end').text(`core ${cores[cores.length - 1].place}`);
  });

  draw.figure('utilisation', (node, width) => {
    draw.legend(node, main.map(([, name], i) => [name, draw.unitColour(i)]));
    const room = draw.labelRoom(names, width), bar = 8, step = main.length * bar + 14, top = 18;
    const most = d3.max(layers, layer => d3.max(main, ([key]) => share(layer.used, key) || 0)), far = most > 1 ? Math.min(most * 1.04, 4) : 1;
    const x = d3.scaleLinear().domain([0, far]).range([room, width - 30]), g = draw.svg(node, width, top + layers.length * step);
    g.append('g').attr('class', 'axis').attr('transform', `translate(0,${top - 2})`).call(d3.axisTop(x).ticks(5, '%').tickSize(-layers.length * step)).call(axis => axis.select('.domain').remove());
    layers.forEach((layer, r) => {
      const y = top + r * step + 5;
      g.append('text').attr('x', room - 8).attr('y', y + (main.length * bar) / 2).attr('dy', '.35em').attr('text-anchor', 'end').text(draw.label(layer.name, room)).append('title').text(layer.name);
      main.forEach(([key, name], i) => {
        const value = share(layer.used, key);
        if (value === null) return;
        g.append('rect').attr('x', room).attr('y', y + i * bar).attr('width', Math.max(0, x(Math.min(value, far)) - room)).attr('height', bar - 1).style('fill', value > 1 ? 'var(--bad)' : draw.unitColour(i))
          .append('title').text(`${layer.name}, ${name}: ${draw.grouped(layer.used[key])} of ${draw.grouped(allowed[key])} (${draw.percent(100 * value)})`);
      });
    });
    g.append('line').attr('class', 'limit').attr('x1', x(1)).attr('x2', x(1)).attr('y1', top - 4).attr('y2', top + layers.length * step);
  });

  draw.figure('binding', (node, width) => {
    const shown = binding.filter(([key]) => allowed[key] !== null);
    draw.matrix(node, width, names, shown.map(([, name]) => name), (r, c) => {
      const value = share(layers[r].used, shown[c][0]);
      return {share: value, text: (100 * value).toFixed(0), title: `${names[r]}, ${shown[c][1]}: ${layers[r].used[shown[c][0]]} of ${allowed[shown[c][0]]}`, marked: layers[r].binds === shown[c][0]};
    }, {turned: true});
  });

  draw.figure('memory', (node, width) => {
    const kinds = ['weights', 'indices', 'delays', 'prefixes', 'padding', 'soft_reset'];
    const rows = layers.map(layer => ({name: layer.name, parts: kinds.map(kind => layer.memory[kind])}));
    draw.stacked(node, width, rows, kinds.map(kind => kind.replace('_', ' ')), bits => (bits >= 8192 ? `${draw.short(bits / 8192)} KiB` : `${draw.short(bits)} bit`));
  });

  draw.figure('links', (node, width) => {
    const links = report.network.links.filter(link => link.chip === link.to_chip), most = d3.max(links, link => link.messages_per_step);
    if (!links.length) return false;
    const load = new Map(chips.map(chip => [chip, 0]));
    links.forEach(link => load.set(link.chip, load.get(link.chip) + link.messages_per_step));
    const shown = Array.from(load.keys()).sort((a, b) => load.get(b) - load.get(a)).slice(0, 4).sort((a, b) => a - b);
    if (load.size > shown.length) draw.legend(node, [[`the ${shown.length} busiest of ${load.size} chips`, 'var(--hot)']]);
    const perRow = Math.max(1, Math.min(shown.length, Math.floor(width / 330))), own = (width - (perRow - 1) * 20) / perRow;
    const step = Math.min(96, own / mesh.width), head = shown.length > 1 ? 20 : 4, rowHeight = head + mesh.height * step + 6;
    const g = draw.svg(node, width, Math.ceil(shown.length / perRow) * rowHeight);
    shown.forEach((chip, i) => {
      const map = g.append('g').attr('transform', `translate(${(i % perRow) * (own + 20)},${Math.floor(i / perRow) * rowHeight + head})`);
      const at = ([x, y]) => [(x + 0.5) * step, (mesh.height - 0.5 - y) * step], box = step * 0.44;
      if (shown.length > 1) map.append('text').attr('y', -6).text(`chip ${chip}`);
      for (let x = 0; x < mesh.width; ++x)
        for (let y = 0; y < mesh.height; ++y) {
          const [cx, cy] = at([x, y]), used = cores.some(core => core.chip === chip && core.x === x && core.y === y);
          map.append('rect').attr('x', cx - box / 2).attr('y', cy - box / 2).attr('width', box).attr('height', box).attr('rx', 3).style('fill', used ? 'color-mix(in srgb, var(--student) 30%, var(--empty))' : 'var(--empty)')
            .append('title').text(`tile (${x},${y})`);
        }
      links.filter(link => link.chip === chip).sort((a, b) => a.messages_per_step - b.messages_per_step).forEach(link => {
        const from = at(link.from), to = at(link.to), dx = Math.sign(to[0] - from[0]), dy = Math.sign(to[1] - from[1]);
        const strength = link.messages_per_step / most, wide = 1.2 + strength * step * 0.09, aside = step * 0.1; // the two directions side by side
        const reach = box / 2 + 1, start = [from[0] + dx * reach - dy * aside, from[1] + dy * reach + dx * aside], end = [to[0] - dx * reach - dy * aside, to[1] - dy * reach + dx * aside];
        const tip = Math.min(7, 3.5 + wide), neck = [end[0] - dx * tip, end[1] - dy * tip], half = wide / 2 + 1.8;
        const arrow = map.append('g').style('stroke', draw.heat(0.12 + 0.88 * strength)).style('fill', draw.heat(0.12 + 0.88 * strength));
        arrow.append('line').attr('x1', start[0]).attr('y1', start[1]).attr('x2', neck[0]).attr('y2', neck[1]).style('stroke-width', wide);
        arrow.append('path').style('stroke', 'none').attr('d', `M${end[0]},${end[1]}L${neck[0] - dy * half},${neck[1] + dx * half}L${neck[0] + dy * half},${neck[1] - dx * half}Z`);
        arrow.append('title').text(`(${link.from}) to (${link.to}): ${draw.short(link.messages_per_step)} messages a step${link.percent === null ? '' : `, ${draw.percent(link.percent)} of capacity`}`);
      });
    });
  });

  draw.figure('hops', (node, width) => {
    const hops = report.network.hops;
    if (!hops.length) return false;
    const height = 230, x = d3.scaleBand().domain(hops.map(h => h.hops)).range([52, width]).padding(0.2), y = d3.scaleLinear().domain([0, d3.max(hops, h => h.messages_per_step) || 1]).nice().range([height - 24, 14]);
    const g = draw.svg(node, width, height);
    g.append('g').attr('class', 'axis').attr('transform', 'translate(52,0)').call(d3.axisLeft(y).ticks(5).tickSize(-(width - 52)).tickFormat(draw.short)).call(axis => axis.select('.domain').remove());
    g.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - 24})`).call(d3.axisBottom(x).tickSize(0).tickPadding(8).tickValues(x.domain().filter((_, i) => i % Math.ceil(hops.length / 16) === 0)));
    hops.forEach(h => g.append('rect').attr('x', x(h.hops)).attr('width', x.bandwidth()).attr('y', y(h.messages_per_step)).attr('height', height - 24 - y(h.messages_per_step)).attr('rx', 2).style('fill', 'var(--student)')
      .append('title').text(`${h.hops} hops: ${draw.short(h.messages_per_step)} messages a step`));
  });

  draw.figure('traffic', (node, width) => {
    const traffic = report.network.traffic, most = d3.max(traffic, row => d3.max(row));
    if (!most) return false;
    const senders = traffic.map((_, i) => (i < names.length ? names[i] : 'host')), rows = senders.map((_, i) => i).filter(i => traffic[i].some(value => value > 0));
    draw.matrix(node, width, rows.map(i => senders[i]), names, (r, c) => {
      const value = traffic[rows[r]][c];
      return value > 0 ? {share: Math.pow(value / most, 0.5), text: draw.short(value), title: `${senders[rows[r]]} to ${names[c]}: ${draw.short(value)} messages a step`} : {share: 0, text: '', title: 'none'};
    }, {turned: true});
  });

  draw.figure('energy', (node, width) => {
    const units = ['synapse', 'soma', 'axon', 'network'];
    const rows = layers.filter(layer => layer.energy_pj.total !== null).map(layer => ({name: layer.name, parts: units.map(unit => layer.energy_pj[unit] || 0)}));
    if (!rows.length) return false;
    draw.stacked(node, width, rows, units, draw.energy);
  });

  draw.figure('timeline', (node, width) => {
    const {step_ns: steps, busy_ns: busy} = report.time, left = 62, top = 96, g0 = 8;
    if (!steps.length) return false;
    // Many cores: the busiest alone have a row
    const order = busy.length ? d3.range(cores.length).sort((a, b) => d3.sum(busy, row => row[b]) - d3.sum(busy, row => row[a])).slice(0, 48) : [];
    const tall = order.length > 24 ? 7 : 12, height = top + (order.length ? order.length * tall + 8 : 0) + 22;
    const x = d3.scaleLinear().domain([0, steps.length]).range([left, width]), y = d3.scaleLinear().domain([0, d3.max(steps)]).nice().range([top - 14, g0]), g = draw.svg(node, width, height);
    g.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`).call(d3.axisLeft(y).ticks(3).tickSize(-(width - left)).tickFormat(draw.time)).call(axis => axis.select('.domain').remove());
    const wide = Math.max(0.5, x(1) - x(0) - (steps.length < 200 ? 1 : 0));
    steps.forEach((ns, s) => g.append('rect').attr('x', x(s)).attr('y', y(ns)).attr('width', wide).attr('height', top - 14 - y(ns)).style('fill', 'var(--student)').append('title').text(`step ${s}: ${draw.time(ns)}`));
    const most = d3.max(order, c => d3.max(busy, row => row[c])) || 1;
    order.forEach((c, r) => {
      if (tall > 8 || r % 4 === 0) g.append('text').attr('x', left - 8).attr('y', top + (r + 0.5) * tall).attr('dy', '.35em').attr('text-anchor', 'end').style('font-size', '10px').text(cores[c].place);
      busy.forEach((row, s) => g.append('rect').attr('x', x(s)).attr('y', top + r * tall).attr('width', wide).attr('height', tall - 1).style('fill', draw.heat(row[c] / most))
        .append('title').text(`core ${cores[c].place}, step ${s}: ${draw.time(row[c])}`));
    });
    g.append('text').attr('x', left).attr('y', height - 6).text('step 0');
    g.append('text').attr('x', width).attr('y', height - 6).attr('text-anchor', 'end').text(`step ${steps.length - 1}`);
  });

  draw.all();
})();
