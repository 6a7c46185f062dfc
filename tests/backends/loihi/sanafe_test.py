#!/usr/bin/env python3
"""SANA-FE beside our simulator: the same spikes in the same steps, packets, hops; energies to 1e-9, times to 1e-9.

usage: sanafe_test.py CASE_PROGRAM [SEED ...]            CASE_PROGRAM writes the files of one random network (sanafe_case.cpp)
       sanafe_test.py CASE_PROGRAM --golden FILE         our numbers against what SANA-FE was recorded to say; needs no sanafe
       sanafe_test.py CASE_PROGRAM --record FILE SEED... records it
Exits 77 (skipped) where the package `sanafe` is not in .venv or $LASNN_VENV.
"""
import json
import os
import subprocess
import sys
import tempfile


def main():
    if "--golden" in sys.argv:
        return golden(sys.argv[1], sys.argv[3])
    try:
        import sanafe
    except ImportError as error:
        venv = os.environ.get("LASNN_VENV") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../.venv")
        python = os.path.join(venv, "bin", "python")
        if os.path.exists(python) and os.environ.get("LASNN_IN_VENV") != "1":
            os.execve(python, [python] + sys.argv, dict(os.environ, LASNN_IN_VENV="1"))
        print(f"skipped: {error}; scripts/lib/oracles installs it, or pip install sanafe in .venv or $LASNN_VENV")
        return 77
    if "--record" in sys.argv:
        return record(sanafe, sys.argv[1], sys.argv[3], [int(seed) for seed in sys.argv[4:]])
    case, seeds = sys.argv[1], [int(seed) for seed in sys.argv[2:]] or range(1, 81)
    compared = direct = events = timed = spikes = 0
    refused = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run([case, str(seed), folder], capture_output=True, text=True)
            if made.returncode == 3:
                refused[made.stdout.strip()] = refused.get(made.stdout.strip(), 0) + 1
                continue
            if made.returncode:
                print(f"seed {seed}: {case} failed: {made.stderr}")
                return 1
            with open(os.path.join(folder, "expected.json")) as file:
                expected = json.load(file)
            wrong = compare(sanafe, folder, expected)
            if wrong:
                print(f"seed {seed}: {wrong}")
                return 1
            compared += 1
            direct += not expected["events"]
            events += expected["events"]
            timed += expected["time_ns"] is not None
            spikes += len(expected["spikes"])
    print(f"{compared} networks ({direct} with an image, {events} with events; times of {timed}) equal in SANA-FE {version()}: {spikes} spikes")
    for why, count in refused.items():
        print(f"  {count} not expressible: {why}")
    if len(seeds) > 50 and (direct < 5 or events < 5 or timed < 3 or spikes < 500):
        print("too few to say anything")
        return 1
    return 0


def version():
    from importlib.metadata import version as of
    return of("sanafe")


def simulate(sanafe, folder, expected):
    arch = sanafe.load_arch(os.path.join(folder, "arch.yaml"))
    net = sanafe.load_net(os.path.join(folder, "net.yaml"), arch)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    result = chip.sim(expected["steps"], timing_model="simple", spike_trace=True, perf_trace=True)
    perf = result["perf_trace"]
    numbers = {"fired": sum(perf["fired"]), "packets": result["packets_sent"], "hops": sum(perf["hops"]), "time_ns": result["sim_time"] * 1e9}
    for key in ("synapse", "soma", "network"):
        numbers[key + "_pj"] = sum(perf[key + "_energy"]) * 1e12
    spikes = sorted([step, f"{a.group_name}.{a.neuron_offset}"] for step, list_ in enumerate(result["spike_trace"]) for a in list_)
    return numbers, spikes


def differ(numbers, expected):
    """What differs between SANA-FE's numbers and ours; counts exactly, energies and times to 1e-9."""
    for key, theirs in numbers.items():
        ours = expected[key]
        if ours is not None and abs(ours - theirs) > (1e-9 * max(ours, theirs) if key.endswith(("_pj", "_ns")) else 0):
            return f"{key}: SANA-FE {theirs!r}, ours {ours!r}"
    return ""


def record(sanafe, case, path, seeds):
    all_numbers = {"sanafe": version()}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([case, str(seed), folder], check=True)
            with open(os.path.join(folder, "expected.json")) as file:
                all_numbers[str(seed)] = simulate(sanafe, folder, json.load(file))[0]
    with open(path, "w") as file:
        file.write(json.dumps(all_numbers, indent=1) + "\n")
    return 0


def golden(case, path):
    with open(path) as file:
        recorded = json.load(file)
    name = recorded.pop("sanafe")
    for seed, numbers in recorded.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([case, seed, folder], check=True)
            with open(os.path.join(folder, "expected.json")) as file:
                wrong = differ(numbers, json.load(file))
        if wrong:
            print(f"seed {seed}: {wrong}")
            return 1
    print(f"{len(recorded)} networks equal what SANA-FE {name} was recorded to say")
    return 0


def compare(sanafe, folder, expected):
    numbers, found = simulate(sanafe, folder, expected)
    if found != sorted(expected["spikes"]):
        first = next((pair for pair in zip(found + [None], sorted(expected["spikes"]) + [None]) if pair[0] != pair[1]), None)
        return f"spikes differ, first (SANA-FE, ours): {first}; {len(found)} against {len(expected['spikes'])}"
    return differ(numbers, expected)


if __name__ == "__main__":
    sys.exit(main())
