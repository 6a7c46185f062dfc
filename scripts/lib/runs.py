"""Usage: runs.py [NAME -- COMMAND...]

Runs and records a command, and renders docs/results/runs.json as docs/results/runs.md (scripts/record)."""
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import results

DATA = results.ROOT / "docs/results/runs.json"
PAGE = DATA.with_suffix(".md")


def figures(printed):
    """What a page shows of a command's JSON: training has its numbers under "test"."""
    test = printed.get("test", printed)
    last = (printed.get("over_time") or [{}])[-1]
    return {"top1": test.get("top1") if isinstance(test.get("top1"), float) else last.get("top1"), "spike_rate": test.get("spike_rate"),
            "images": test.get("images"), "epochs": printed.get("epochs"), "timesteps": test.get("timesteps", last.get("timesteps"))}


def shown(word):
    """A command without where this machine keeps things: the last part of absolute paths."""
    return re.sub(r"(^|[=:])/[^ ]*/([^/ ]+)", r"\1\2", word)


def record(name, command):
    start = time.monotonic()
    child = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(child.returncode)
    printed = json.loads(out.strip().splitlines()[-1])
    seed = next((int(word.split("=")[1]) for word in command if re.fullmatch(r"--seed=\d+", word)), 1)
    entry = {"name": name, "command": " ".join(map(shown, command)), "seed": seed, "wall_s": round(time.monotonic() - start, 1),
             "cpu_s": round(usage.ru_utime + usage.ru_stime, 1), "peak_mb": round(usage.ru_maxrss * 1024 / 1e6), "machine": results.machine(),
             "commit": results.commit(), "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "figures": figures(printed)}
    runs = (results.load(DATA) or []) + [entry]
    temporary = DATA.with_suffix(".tmp")
    temporary.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")
    temporary.replace(DATA)
    print(out, end="")


def render(runs):
    groups = {}
    for run in runs:
        groups.setdefault(run["name"], []).append(run)
    rows, commands = [], []
    for name, group in groups.items():
        tops = [100 * run["figures"]["top1"] for run in group if run["figures"]["top1"] is not None]
        top = "–" if not tops else f"{statistics.mean(tops):.2f}" + (f" ± {statistics.stdev(tops):.2f}" if len(tops) > 1 else "")
        of = lambda key, text: text(statistics.mean(run[key] for run in group))
        rate, steps = group[-1]["figures"]["spike_rate"], group[-1]["figures"]["timesteps"]
        rows.append(f"| {name} | {top} | {'–' if rate is None else f'{100 * rate:.1f}'} | {steps or '–'} | {', '.join(str(run['seed']) for run in group)} | "
                    f"{of('wall_s', '{:.0f}'.format)} | {of('cpu_s', '{:.0f}'.format)} | {of('peak_mb', '{:.0f}'.format)} | {group[-1]['date'][:10]} |")
        commands += [f"**{name}** ({group[-1]['machine']}, commit {group[-1]['commit']})", "", f"    {group[-1]['command']}", ""]
    return "\n".join(["# Recorded runs", "", "Made from `runs.json` by `scripts/record`, which ran them. Several seeds: mean ± sample standard deviation; times are means.", "",
                      "| run | top-1, % | spike rate, % | T | seeds | wall, s | CPU, s | peak, MB | date |", "|---|---:|---:|---:|---|---:|---:|---:|---|", *rows, "",
                      "## Commands", "", *commands])


def main():
    if len(sys.argv) > 3 and sys.argv[2] == "--":
        record(sys.argv[1], sys.argv[3:])
    elif len(sys.argv) != 1:
        sys.exit(__doc__)
    runs = results.load(DATA)
    if runs is None:
        sys.exit(f"{DATA}: no runs are recorded yet; scripts/record --help")
    PAGE.write_text(render(runs))
    print(f"{DATA}\n{PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
