"""Usage: gpu_check.py --bin=DIR --out=DIR --work=DIR --data=DIR [--artefacts=DIR] [--only=NAME,...] [--seconds=N] [--toy] [--emulated=FILE]
       gpu_check.py --needs=GROUP|NAME,...
       gpu_check.py --collect DIR...

Runs the steps of gpu_steps.py in their order within the time and keeps a line of results.jsonl a step; what has passed is not run again, what has failed
only when --only names it. --needs prints the build's targets for them. --collect merges what came back and renders docs/results/gpu-*.md and .json."""
import argparse
import json
import pathlib
import shutil
import sys
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gpu_pages
import gpu_steps
import results

LEAST = 20  # seconds under which nothing is begun


def chosen(only):
    """Steps by name or by group; all when nothing is named."""
    steps = gpu_steps.all_steps()
    known = {s.name for s in steps} | {s.group for s in steps}
    if unknown := [word for word in only if word not in known]:
        print(f"gpu-check: no step or group {', '.join(unknown)}; groups: {', '.join(gpu_steps.GROUPS)}; steps: {', '.join(s.name for s in steps)}", file=sys.stderr)
        sys.exit(2)
    return [s for s in steps if not only or s.name in only or s.group in only]


def read(folder):
    path = pathlib.Path(folder) / "results.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def keep(context, record):
    """The last record of a step counts. Files that come back from a lent machine are few: one for results, one for all logs."""
    records = [r for r in read(context.work) if r["step"] != record["step"]] + [record]
    (context.work / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if context.out != context.work:
        shutil.copy(context.work / "results.jsonl", context.out / "results.jsonl")
    with zipfile.ZipFile(context.out / "logs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(context.logs.iterdir()):
            archive.write(path, path.name)


def perform(step, context, left):
    """The step's record, or None where time ran out."""
    start = time.monotonic()
    record = {"step": step.name, "group": step.group, "about": step.about, "status": "passed", "toy": context.toy}
    try:
        record["result"] = step.run(context, min(left, step.most))
    except gpu_steps.Skipped as reason:
        record |= {"status": "skipped", "reason": str(reason)}
    except gpu_steps.CutShort:
        if left < step.most:
            return None
        record |= {"status": "failed", "reason": f"not done after {step.most} s"}
    except (gpu_steps.Failed, OSError, ValueError, KeyError) as reason:
        record |= {"status": "failed", "reason": str(reason) or repr(reason)}
    return record | {"seconds": round(time.monotonic() - start, 1), "date": time.strftime("%Y-%m-%d %H:%M:%S %z")}


def run(o):
    began = time.monotonic()
    context = gpu_steps.Context(bin=pathlib.Path(o.bin), out=pathlib.Path(o.out), work=pathlib.Path(o.work), data=pathlib.Path(o.data),
                                artefacts=pathlib.Path(o.artefacts), toy=o.toy, emulated=o.emulated, commit=o.commit or results.commit())
    for folder in (context.logs, context.work / "code"):
        folder.mkdir(parents=True, exist_ok=True)
    before = {r["step"]: r for r in read(context.work)}
    failed = []
    for step in chosen(o.only):
        old = before.get(step.name)
        if old and (old["status"] == "passed" or (old["status"] == "failed" and step.name not in o.only)):
            print(f"{step.name}: {old['status']} before", flush=True)
            continue
        left = o.seconds - (time.monotonic() - began)
        if left < max(LEAST, step.least):
            print(f"{step.name}: {left:.0f} s are left, it wants {max(LEAST, step.least)}; call again", flush=True)
            break
        record = perform(step, context, left)
        if record is None:
            print(f"{step.name}: cut short; call again", flush=True)
            break
        keep(context, record)
        failed += [step.name] if record["status"] == "failed" else []
        print(f"{step.name}: {record['status']}, {record['seconds']} s" + (f": {record['reason']}" if "reason" in record else ""), flush=True)
    if o.toy:
        gpu_pages.render(read(context.work), context.work / "pages")
    if failed:
        print(f"gpu-check: failed: {', '.join(failed)} (what they said: {context.out}/logs.zip)", file=sys.stderr)
    return 1 if failed else 0


def collect(folders):
    merged = {}
    for folder in folders:
        if not (found := read(folder)):
            sys.exit(f"gpu-check: no results.jsonl in {folder}")
        merged |= {r["step"]: r for r in found}
    if toys := [r["step"] for r in merged.values() if r["toy"]]:
        sys.exit(f"gpu-check: {', '.join(toys)} are of a rehearsal (--toy): figures without meaning are not published")
    for path in gpu_pages.render(list(merged.values()), results.ROOT / "docs/results"):
        print(path)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("bin", "out", "work", "data", "artefacts", "emulated", "commit", "needs"):
        parser.add_argument(f"--{name}", default="")
    words = lambda text: [word for word in text.split(",") if word]
    parser.add_argument("--only", type=words, default=[])
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--collect", nargs="+")
    o = parser.parse_args()
    if o.collect:
        collect(o.collect)
        return 0
    if o.needs:
        print("\n".join(sorted({t for step in chosen([] if o.needs == "all" else words(o.needs)) for t in step.targets})))
        return 0
    return run(o)


if __name__ == "__main__":
    sys.exit(main())
