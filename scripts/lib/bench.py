"""Usage: bench.py NAME OUT.json OUT.md
       bench.py --needs NAME

Runs the cases of benchmarks/NAME.py and renders them. A benchmark is a module with TITLE and CASES, a list of Case, and maybe NEEDS,
what scripts/bench makes for it first (quickstart, micro-benchmarks, peers, or a target of the build), missing(), what this machine lacks for it ("": nothing;
else --needs ends with 1), and appendix(), Markdown below the table."""
import dataclasses
import datetime
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import typing

sys.modules.setdefault("bench", sys.modules[__name__])  # so that a benchmark's `import bench` finds this very module
import results

BIN = results.ROOT / "build/release/bin"
QUICKSTART = results.ROOT / "out/quickstart"


@dataclasses.dataclass
class Case:
    """One number: `measure()` gives it. `reach` is what we promise, `beyond` what would be remarkable; None: no such mark."""
    case: str
    unit: str
    better: str  # "higher" or "lower"
    reach: typing.Optional[float]
    beyond: typing.Optional[float]
    measure: typing.Callable[[], float]
    digits: int = 2


def tool(name, *arguments):
    """The JSON that one of our programs prints."""
    done = subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {name} {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def cost(name, *arguments, times=5):
    """Median wall seconds, and peak memory in MB, of running a program."""
    seconds, peak = [], 0
    for _ in range(times):
        start = time.monotonic()
        child = subprocess.Popen([BIN / name, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        message = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"bench: {name} failed: {message.decode(errors='replace')}")
        seconds.append(time.monotonic() - start)
        peak = max(peak, usage.ru_maxrss * 1024 / 1e6)
    return statistics.median(seconds), peak


def met(result):
    def passes(mark):
        return result[mark] is not None and (result["value"] >= result[mark] if result["better"] == "higher" else result["value"] <= result[mark])
    return "beyond" if passes("beyond") else "reached" if passes("reach") else "–" if result["reach"] is None else "**not reached**"


def needs(benchmark):
    return getattr(benchmark, "NEEDS", ("quickstart", "micro-benchmarks"))


def render(title, name, report, appendix=""):
    number = lambda value: "–" if value is None else f"{value:g}"
    limit = lambda r: "–" if r["reach"] is None else f"{'at least' if r['better'] == 'higher' else 'at most'} {number(r['reach'])}"
    rows = [f"| {r['case']} | {number(r['value'])} | {r['unit']} | {limit(r)} | {number(r['beyond'])} | {met(r)} |" for r in report["results"]]
    return "\n".join([
        f"# {title}", "", f"Measured by `scripts/bench {name}`, all in one run; this page is made from its JSON.", "",
        f"- machine: {report['machine']}", f"- date: {report['date']}", f"- commit: {report['commit']}", "",
        "| case | value | unit | reach | beyond | |", "|---|---:|---|---|---:|---|", *rows, "", *([appendix] if appendix else [])])


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--needs":
        benchmark = importlib.import_module(f"benchmarks.{sys.argv[2]}")
        if lacks := getattr(benchmark, "missing", str)():
            sys.exit(f"bench: {sys.argv[2]}: {lacks}")
        print("\n".join(needs(benchmark)))
        return
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    name, json_path, page_path = sys.argv[1:]
    benchmark = importlib.import_module(f"benchmarks.{name}")
    report = {"machine": results.machine(), "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
              "commit": results.commit(), "results": []}
    for case in benchmark.CASES:
        value = round(float(case.measure()), case.digits)
        result = {"case": case.case, "value": value, "unit": case.unit, "better": case.better, "reach": case.reach, "beyond": case.beyond}
        report["results"].append(result)
        print(f"  {case.case:<72} {value:>10g} {case.unit:<12} {met(result).strip('*')}", flush=True)
    pathlib.Path(json_path).write_text(json.dumps(report, indent=2) + "\n")
    pathlib.Path(page_path).write_text(render(benchmark.TITLE, name, report, getattr(benchmark, "appendix", str)()))
    print(f"{json_path}\n{page_path}")


if __name__ == "__main__":
    main()
