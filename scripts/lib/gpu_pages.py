"""docs/results/gpu-*.md and .json, and lines for backends/cuda/measured.inc, from what scripts/gpu-check brought back."""
import json
import pathlib

import bench
from benchmarks import cuda

STATUS = {"passed": "passed", "failed": "**failed**", "skipped": "skipped"}


def fields(found):
    """A result's numbers and words in one line of a table."""
    if not isinstance(found, dict):
        return str(found)
    return "; ".join(f"{name} {fields(value) if not isinstance(value, dict) else '(' + fields(value) + ')'}" for name, value in found.items() if value is not None)


def steps_page(title, records, about):
    text = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    rows = [f"| {r['step']} | {text(r['about'])} | {STATUS[r['status']]} | {text(r.get('reason') or fields(r.get('result', {})))} | {r['seconds']:g} |" for r in records]
    return "\n".join([f"# {title}", "", *about, "", "| step | what | | found | s |", "|---|---|---|---|---:|", *rows, ""])


def machine_lines(records):
    found = next((r["result"] for r in records if r["step"] == "machine" and r["status"] == "passed"), None)
    dates = sorted(r["date"] for r in records)
    lines = [f"- {name}: {value}" for name, value in (found or {}).items() if value not in ("", None)] or ["- machine: not recorded"]
    return ["Made by `scripts/gpu-check` (docs/gpu-queue.md).", "", *lines, f"- from {dates[0]} to {dates[-1]}"]


def bench_report(records, everything):
    """What bench.py would have measured, from recorded lines."""
    cuda.recorded = {r["step"]: r["result"]["lines"] for r in records if r["status"] == "passed"}
    found = next((r["result"] for r in everything if r["step"] == "machine" and r["status"] == "passed"), {})
    report = {"machine": f"{found.get('gpu') or found.get('device', 'GPU unknown')}; {found.get('cpu', 'CPU unknown')}", "date": max(r["date"] for r in records),
              "commit": found.get("commit", "unknown"), "results": []}
    absent = []
    for case in cuda.CASES:
        try:
            value = round(float(case.measure()), case.digits)
        except (KeyError, StopIteration, ValueError) as reason:
            absent.append(f"{case.case} ({reason or 'not measured'})")
            continue
        report["results"].append({"case": case.case, "value": value, "unit": case.unit, "better": case.better, "reach": case.reach, "beyond": case.beyond})
    return report, absent


def render(records, folder):
    """The paths written: a page a group that has results."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name, page, content):
        for path, text in ((folder / f"gpu-{name}.md", page), (folder / f"gpu-{name}.json", json.dumps(content, indent=1) + "\n")):
            path.write_text(text)
            written.append(path)

    of = lambda group: [r for r in records if r["group"] == group]
    if found := of("conformance"):
        write("conformance", steps_page("GPU: conformance", found, machine_lines(records)), found)
    if found := of("bench"):
        report, absent = bench_report(found, records)
        more = [cuda.appendix()] + ([f"Not measured: {'; '.join(absent)}.", ""] if absent else [])
        page = bench.render(cuda.TITLE, "cuda", report, "\n".join(more)).replace("`scripts/bench cuda`, all in one run", "`scripts/gpu-check --only=bench`, step by step on one machine")
        write("bench", page, report | {"records": found})
        if "kernels" in cuda.recorded:
            (folder / "gpu-measured.inc").write_text(cuda.measured_inc())
            written.append(folder / "gpu-measured.inc")
    if found := of("train"):
        write("training", steps_page("GPU: training", found, machine_lines(records)), found)
    return written
