"""Usage: report.py FOLDER DATA

Writes FOLDER/report.html from what a quickstart left there: one file, nothing fetched from anywhere. Charts are drawn by
Debian's Chart.js, copied into the page; without it, or without JavaScript, every number is still in a table."""
import hashlib
import html
import json
import math
import pathlib
import sys

import pictures
import results

HERE = pathlib.Path(__file__).parent / "report"
CHART_JS = (pathlib.Path("/usr/share/javascript/chart.js/chart.min.js"), pathlib.Path("/usr/share/nodejs/chart.js/dist/chart.min.js"))

escape = html.escape


def table(heads, rows, number=()):
    """Columns named in `number` (by index) are set flush right."""
    kind = lambda i: ' class="n"' if i in number else ""
    head = "".join(f"<th{kind(i)}>{escape(text)}</th>" for i, text in enumerate(heads))
    body = "".join("<tr>" + "".join(f"<td{kind(i)}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def chart(name, title, caption, tall=False):
    return (f'<figure class="card"><h3>{title}</h3><div class="chart{" tall" if tall else ""}"><canvas id="{name}" role="img" '
            f'aria-label="{escape(title)}"></canvas></div><figcaption>{caption}</figcaption></figure>')


def whole(value):
    return f"{value:,.0f}".replace(",", "\u202f")


def micro(value):
    return f"{whole(value)} µs"


def tiles(run, s):
    equal = s["digests_equal"]
    items = [(f"{s['int8_top1']:.2f} %", f"top-1, int8 network (teacher {s['teacher_top1']:.2f} %)"),
             (micro(s["latency_us_p50"]), f"a classified image, median, one core, {s['isa']}"),
             (f"{s['speedup_vs_libtorch']:.1f}×", "faster than the float student in LibTorch"),
             (f"{100 * s['spike_rate']:.1f} %", f"of neurons fire in a time-step, T = {s['timesteps']}"),
             (f'<span class="{"good" if equal else "bad"}">{"bit-exact" if equal else "NOT equal"}</span>',
              f"{len(s['digests'])} devices, {whole(s['images'])} images")]
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in items) + "</div>"


def comparison(run, s):
    reference = run.student["latency_us"]["p50"]
    rows = []
    devices = [("teacher, float", "LibTorch", run.teacher), ("student, float", "LibTorch", run.student), ("student, int8", "interpreter", run.interp)]
    devices += [("student, int8", f"x86 {isa}", result) for isa, result in run.native.items()]
    for what, where, result in devices:
        latency = result.get("latency_us")
        rows.append([what, where, f"{results.percent(result['top1']):.2f} %"]
                    + ([micro(latency[p]) for p in ("p50", "p90", "p99")] + [f"{reference / latency['p50']:.1f}×"] if latency else ["–"] * 4)
                    + [f"<code>{result['digest']}</code>" if result.get("digest") else "–"])
    return table(("network", "runs on", "top-1", "p50", "p90", "p99", "speed-up", "digest of all outputs"), rows, (2, 3, 4, 5, 6))


def layers(run):
    best = run.native[run.best]
    floats = {layer["name"]: layer["spike_rate"] for layer in run.student.get("layers", [])}
    rows = []
    for layer in best["layers"]:
        name = layer["name"]
        rows.append([f"<code>{escape(name)}</code>", whole(layer["neurons"]), f"{100 * layer['spike_rate']:.2f} %",
                     f"{100 * floats[name]:.2f} %" if name in floats else "–", whole(layer["synops"] / best["images"]), whole(layer["clips"])])
    return table(("layer", "neurons", "spike rate, int8", "spike rate, float", "synaptic operations an image", "clips, whole test set"), rows, (1, 2, 3, 4, 5))


def operations(run):
    if not run.info:
        return ""
    rows = [[escape(op["op"]), f"<code>{escape(op['name'])}</code>", " × ".join(map(str, op.get("shape", []))), whole(op["weights"]) if "weights" in op else ""]
            for op in run.info["operations"]]
    return "<h3 style='margin-top:28px'>Operations of the compiled network</h3>" + table(("operation", "name", "result", "weights"), rows, (3,))


def proof(run):
    rows = []
    artefact = run.verify["artefacts"][0]
    for c in artefact["comparisons"]:
        moved = [layer for layer in c.get("layers", []) if layer["different"]]
        compared = sum(layer["compared"] for layer in c.get("layers", []))
        if not c["different"]:
            verdict = '<span class="good">equal</span>'
        else:
            verdict = f'<span class="{"bad" if c["bit_exact_required"] else "soft"}">{whole(c["different"])} differ ({100 * c["different"] / max(1, compared):.2g} %)</span>'
        rows.append([escape(c["name"]), "to the bit" if c["bit_exact_required"] else "reported", whole(compared), verdict,
                     escape(f"{moved[0]['name']}: {moved[0]['first']}") if moved else "–"])
    top = artefact["top1"]
    return (table(("comparison", "demand", "spikes compared", "result", "first difference"), rows, (2,))
            + f'<p class="soft" style="margin-top:12px">{artefact["images"]} test images. Top-1 on them: source {top["source"]:.2f} %, folded float '
              f'{top["float"]:.2f} %, integer {top["integer"]:.2f} %. Between float and integer form spikes may move: weights were rounded to 8 bits.</p>')


def sample(card):
    guesses = "".join(f'<div class="guess">{escape(name)} <span class="soft">{100 * share:.0f} %</span><div class="bar"><i style="width:{100 * share:.1f}%"></i></div></div>'
                      for name, share in card["guesses"])
    strips = "".join(f'<div class="strip"><code>{escape(name)}</code><img src="{strip}" alt="spikes of {escape(name)}, one map a time-step"></div>'
                     for name, strip in card["strips"])
    verdict = f'<span class="{"good" if card["right"] else "bad"}">{"right" if card["right"] else "wrong"}</span>'
    return (f'<div class="card sample"><h3>{escape(card["label"])} · {verdict}</h3><div class="top"><img class="photo" src="{card["image"]}" '
            f'alt="test image {card["index"]}: {escape(card["label"])}"><div class="guesses">{guesses}</div></div>{strips}</div>')


def samples(run, data, timesteps):
    cards = pictures.samples(run.folder / "student-int8.lasnn", data)
    if not cards:
        return ""
    return (f"<h2>What it sees</h2><p>Test images through the compiled network: its three best guesses, and where its neurons fire in each of the {timesteps} "
            f"time-steps, left to right. The stronger the colour, the more channels fire there. The last two are its first mistakes.</p>"
            f'<div class="samples">{"".join(map(sample, cards))}</div>')


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "–"


def provenance(run, s):
    files = [[f"<code>{name}</code>", whole((run.folder / name).stat().st_size), f"<code>{sha256(run.folder / name)}</code>"]
             for name in ("teacher.pt", "student.pt", "student.onnx", "student-int8.lasnn") if (run.folder / name).exists()]
    seconds = [[name, f"{took:.1f}", "reused from an earlier run" if name in s["reused"] else ""] for name, took in s["seconds"].items()]
    commands = [run.command(name) for name in ("teacher", "student", "eval-student", "export", "compile", "verify", "run-interp")]
    commands += [run.command(f"run-x86-{isa}") for isa in run.native]
    text = escape("\n".join(command for command in commands if command))
    facts = [("machine", s["machine"]), ("date", s["date"]), ("commit", s["commit"]), ("data", s["data"])]
    if run.info and "provenance" in run.info:
        facts += [(key, str(value)) for key, value in run.info["provenance"].items()]
        facts.append(("content hash", run.info["content_hash"]))
    return (table(("file", "bytes", "SHA-256"), files, (1,)) + "<div class='pair' style='margin-top:24px'><div>"
            + table(("fact", ""), [[escape(key), f"<span style='white-space:normal;overflow-wrap:anywhere'>{escape(value)}</span>"] for key, value in facts])
            + "</div><div>" + table(("step", "seconds", ""), seconds, (1,)) + "</div></div>"
            + f"<h3 style='margin-top:28px'>The commands, to repeat any step</h3><pre>{text}</pre>")


def numbers(run, s):
    """What charts.js draws: per canvas its type, axes and data; `paint` names a colour of style.css."""
    best = run.native[run.best]
    share = lambda values: [round(100 * value, 3) for value in values]
    tops = [s["teacher_top1"], s["student_top1"], s["int8_top1"]]
    floor = max(0, math.floor(min(tops) / 10) * 10 - 10)
    devices = ["LibTorch", "interpreter"] + [f"x86 {isa}" for isa in run.native]
    latency = [run.student["latency_us"], run.interp["latency_us"]] + [result["latency_us"] for result in run.native.values()]
    floats = {layer["name"]: layer["spike_rate"] for layer in run.student.get("layers", [])}
    names = [layer["name"] for layer in best["layers"]]
    rates = [layer["spike_rate"] for layer in best["layers"]]
    synops = [round(layer["synops"] / best["images"]) for layer in best["layers"]]
    charts = {
        "accuracy": {"type": "bar", "across": True, "values": True, "texts": [[f"{top:.2f} %" for top in tops]], "labels": ["teacher", "student, float", "student, int8"],
                     "datasets": [{"label": "top-1", "data": tops, "paint": ["teacher", "student", "spike"], "barPercentage": 0.7}],
                     "axes": {"x": {"min": floor, "max": 100, "label": f"top-1 in %, from {floor}"}, "y": {"lines": False}}},
        "latency": {"type": "bar", "across": True, "values": True, "labels": devices,
                    "texts": [[micro(l["p50"]) for l in latency], [micro(l["p99"]) for l in latency]],
                    "datasets": [{"label": "p50", "data": [l["p50"] for l in latency], "paint": "spike"}, {"label": "p99", "data": [l["p99"] for l in latency], "paint": "teacher"}],
                    "axes": {"x": {"type": "logarithmic", "label": "µs an image (logarithmic)", "tidy": True}, "y": {"lines": False}}},
        "rates": {"type": "bar", "labels": names, "values": True, "texts": [[f"{100 * floats.get(n, 0):.1f}" for n in names], [f"{100 * r:.1f}" for r in rates]],
                  "datasets": [{"label": "float", "data": share(floats.get(n, 0) for n in names), "paint": "student"}, {"label": "int8", "data": share(rates), "paint": "spike"}],
                  "axes": {"y": {"label": "% of neurons a step", "beginAtZero": True}, "x": {"lines": False}}},
        "synops": {"type": "bar", "labels": names, "values": True, "texts": [[whole(n) for n in synops]],
                   "datasets": [{"label": "synaptic operations", "data": synops, "paint": "spike", "barPercentage": 0.6}],
                   "axes": {"y": {"label": "an image", "beginAtZero": True, "counts": True}, "x": {"lines": False}}},
    }
    curves = [(name, paint, run.training(name)) for name, paint in (("teacher", "teacher"), ("student", "spike"))]
    for field, title, scale in (("train_top1", "training top-1 in %", 100), ("loss", "loss", 1)):
        longest = max((len(rows) for _, _, rows in curves), default=0)
        datasets = [{"label": name, "paint": paint, "data": [round(scale * row[field], 4) for row in rows], "borderWidth": 2, "pointRadius": 3, "tension": 0.2}
                    for name, paint, rows in curves if rows and field in rows[0]]
        if datasets:
            charts[f"curve-{field}"] = {"type": "line", "labels": list(range(1, longest + 1)), "datasets": datasets,
                                        "axes": {"x": {"label": "epoch", "lines": False}, "y": {"label": title}}}
    return charts


def training(run):
    rows = []
    for name in ("teacher", "student"):
        for row in run.training(name):
            rows.append([name, f"{row['epoch']:.0f}", f"{row['loss']:.4f}", f"{100 * row['train_top1']:.2f} %", f"{row['seconds']:.1f} s", whole(row["images_per_s"])])
    if not rows:
        return ""
    return ("<h2>Training</h2><p>The teacher learns from labels; the student from labels, from the teacher's answers and from its layers' attention maps, "
            "with a limit on how often neurons may fire. Losses are sums of different terms and do not compare.</p>"
            '<div class="pair">' + chart("curve-train_top1", "Accuracy while training", "On training images, as they were shown.")
            + chart("curve-loss", "Loss", "Sum of all terms of each network.") + "</div>"
            + "<details style='margin-top:14px'><summary>All epochs</summary>" + table(("network", "epoch", "loss", "top-1", "time", "images a second"), rows, (1, 2, 3, 4, 5)) + "</details>")


def page(run, s, data):
    script = next((path.read_text() for path in CHART_JS if path.exists()), "")
    inline = lambda text: text.replace("</script", "<\\/script")
    body = f"""<h1>Fashion-MNIST, from a trained network to native spikes</h1>
<p class="lead">A convolutional teacher, distilled into a spiking student with T = {s['timesteps']} time-steps, compiled to int8 x86 code.</p>
{tiles(run, s)}
<h2>Accuracy and speed</h2>
<p>One image at a time, one core. The same integer network runs on the interpreter, which defines its meaning, and as native code; the
digest covers every output of all {whole(s['images'])} test images, and equal digests mean equal results to the bit.</p>
<div class="pair">{chart("accuracy", "Top-1 on the test set", f"{whole(s['images'])} test images, none seen in training.")}
{chart("latency", "Latency of one image", "Batch 1. LibTorch runs the float student, all others the int8 network.", True)}</div>
<div style="margin-top:20px">{comparison(run, s)}</div>
<h2>Activity by layer</h2>
<p>Spikes are what the network costs: a synaptic operation happens only where a spike arrives. A clip is a membrane value that met the limits of its width.</p>
<div class="pair">{chart("rates", "Spike rate", "Share of neurons that fire in a time-step.")}
{chart("synops", "Synaptic operations", "Weights added because a spike arrived; the analog first layer is not counted.")}</div>
<div style="margin-top:20px">{layers(run)}</div>
{samples(run, data, s['timesteps'])}
{training(run)}
<h2>Proof</h2>
<p>The trained source, its folded float form, the integer form and the native code, compared spike by spike on the same images.</p>
{proof(run)}
{operations(run)}
<h2>Where it comes from</h2>
{provenance(run, s)}
<footer>Made by LaSNN's <code>scripts/quickstart</code>. This file needs no network and holds no reference to one.</footer>"""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>LaSNN quickstart: Fashion-MNIST</title><link rel="icon" href="data:,"><style>
{(HERE / 'style.css').read_text()}</style></head><body><main>
{body}
</main>
<script type="application/json" id="numbers">{inline(json.dumps(numbers(run, s)))}</script>
<script>{inline(script)}</script>
<script>{inline((HERE / 'charts.js').read_text())}</script>
</body></html>
"""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run = results.Run(sys.argv[1])
    summary = results.load(run.folder / "summary.json")
    (run.folder / "report.html").write_text(page(run, summary, sys.argv[2]))


if __name__ == "__main__":
    main()
