"""Usage: summary.py isas FOLDER | write FOLDER DATA | table FOLDER

`isas` prints the instruction sets that lasnn-verify found; `write` makes summary.json; `table` prints it for people."""
import datetime
import json
import os
import sys

import results


def write(run, data):
    best = run.native[run.best]
    p50 = best["latency_us"]["p50"]
    digests = run.digests()
    summary = {
        "teacher_top1": percent(run.teacher), "student_top1": percent(run.student), "int8_top1": percent(best),
        "spike_rate": best["spike_rate"], "latency_us_p50": p50, "latency_us_p99": best["latency_us"]["p99"],
        "speedup_vs_interp": round(run.interp["latency_us"]["p50"] / p50, 2),
        "speedup_vs_libtorch": round(run.student["latency_us"]["p50"] / p50, 2),
        "digest_interp": digests["interp"], "digest_x86": best["digest"],
        "digests": digests, "digests_equal": len(set(digests.values())) == 1, "proved": run.verify["proved"],
        "isa": run.best, "timesteps": run.student["timesteps"], "images": best["images"],
        "seconds": run.seconds(), "reused": run.reused(),
        "data": data, "machine": results.machine(), "commit": results.commit(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    (run.folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if not summary["digests_equal"]:
        sys.exit("quickstart: the devices disagree: " + ", ".join(f"{name} {digest}" for name, digest in digests.items()))


def percent(result):
    return round(results.percent(result["top1"]), 2)


def table(run):
    s = results.load(run.folder / "summary.json")
    reference = run.student["latency_us"]["p50"]

    def row(name, result):
        rate, latency = result.get("spike_rate"), result.get("latency_us")
        cells = [f"{results.percent(result['top1']):.2f} %", f"{100 * rate:.1f} %" if rate else ""]
        cells += [f"{latency[p]:.0f} µs" for p in ("p50", "p99")] if latency else ["", ""]
        cells += [f"{reference / latency['p50']:.1f}×" if latency else ""]
        print(f"  {name:<30}" + "".join(f"{cell:>12}" for cell in cells))

    print(f"\n  {'':<30}" + "".join(f"{head:>12}" for head in ("top-1", "spikes/step", "p50", "p99", "speed-up")))
    row("teacher, LibTorch", run.teacher)
    row("student, float, LibTorch", run.student)
    row("student, int8, interpreter", run.interp)
    for isa, result in run.native.items():
        row(f"student, int8, x86 {isa}", result)
    print("\n  spike rate    " + "   ".join(f"{layer['name']} {100 * layer['spike_rate']:.1f} %" for layer in run.native[run.best]["layers"]))
    print(f"  digest        {s['digest_x86']} on " + ", ".join(s["digests"]) + (" (all equal)" if s["digests_equal"] else " (NOT equal)"))
    print(f"  proof         {'every spike equal to the interpreter' if s['proved'] else 'NOT proved'}, {run.verify['artefacts'][0]['images']} images, layer by layer")
    print("  seconds       " + "   ".join(f"{name} {took:.0f}{' (reused)' if name in s['reused'] else ''}" for name, took in s["seconds"].items()))
    print(f"  one image at a time, one core; speed-up over the float student in LibTorch; {s['speedup_vs_interp']:.1f}× over the interpreter")
    print(f"\n  open {os.path.relpath(run.folder / 'report.html')}")


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("isas", "write", "table"):
        sys.exit(__doc__)
    run = results.Run(sys.argv[2])
    if sys.argv[1] == "isas":
        print(*run.isas_proved())
    elif sys.argv[1] == "write":
        write(run, sys.argv[3])
    else:
        table(run)


if __name__ == "__main__":
    main()
