"""The whole accelerator in simulation: cycles, their causes, and figures of whole models.

Evidence class: cycle-accurate simulation; the cycle model where the tables say so. Every pass is
compared with the emulator bit for bit. Results are stored in build/bench/rtl.json by compiled
accelerator and case, so that an interrupted run resumes:
`python bench/rtl.py [--quick] [--cases '0.7b/layer/*'] [--jobs 2] [--output FILE]`.
"""

import argparse
import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from rtl_cases import ACCELERATOR, CASES, QUICK, Case, make_images, predict_case, run_case
from rtl_report import report
from rtl_whole import WholeModels, needed

from tercel.files import check_output, make_folder, write_whole
from tercel_sim.rtl_library import rtl_library

RESULTS = Path(__file__).parents[1] / "build" / "bench" / "rtl.json"


class Results:
    """Measured results, written to a JSON file after each case.

    Parameters
    ----------
    path
    library
        Name of the compiled accelerator; results of others are kept in the file.
    """

    def __init__(self, path: Path, library: str):
        self._path = path
        self._all = json.loads(path.read_text()) if path.exists() else {}
        self._mine = self._all.setdefault(library, {})

    def get(self, case: Case) -> dict | None:
        """The result of a case; ``None`` if there is none or its inputs have changed."""
        found = self._mine.get(case.name)
        return found if found and found["digest"] == case.digest else None

    def add(self, case: Case, result: dict) -> None:
        self._mine[case.name] = result
        make_folder(self._path.parent)
        write_whole(self._path, json.dumps(self._all, indent=1))


def chosen(patterns: Iterable[str], quick: bool) -> list[Case]:
    """Cases whose names match a shell pattern; all if there are no patterns."""
    names = QUICK if quick else list(CASES)
    patterns = list(patterns)
    if patterns:
        names = [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]
    if not names:
        raise SystemExit(f"no case matches {' '.join(patterns)}; names are like {QUICK[0]}")
    return [CASES[name] for name in names]


def simulate(pool: ProcessPoolExecutor, cases: list[Case], results: Results) -> list[str]:
    """Run the cases without a result; return the names of those that failed."""
    waiting = [case for case in cases if results.get(case) is None]
    tell(f"{len(waiting)} of {len(cases)} passes to simulate")
    started, failed = time.perf_counter(), []
    futures = {pool.submit(run_case, case): case for case in waiting}
    for number, future in enumerate(as_completed(futures), 1):
        case = futures[future]
        try:
            result = future.result()
        except Exception as error:  # reported; the other cases go on and the run fails at its end
            failed.append(case.name)
            tell(f"FAILED {case.name}: {type(error).__name__}: {error}")
            continue
        results.add(case, result)
        tell(
            f"{number}/{len(waiting)} {case.name}: {result['counted']['cycles']} cycles, "
            f"{result['seconds']} s at {result['cycles_per_second'] / 1e3:.1f} k cycles/s; "
            f"{time.perf_counter() - started:.0f} s in all"
        )
    return failed


def predict(
    pool: ProcessPoolExecutor, found: dict[Case, dict], extra: Iterable[Case]
) -> dict[Case, int]:
    """Cycles by the cycle model: of simulated passes from their start cycle, and of ``extra``."""
    starts = dict.fromkeys(extra, 0) | {case: each["start"] for case, each in found.items()}
    tell(f"{len(starts)} passes to predict")
    cycles = pool.map(predict_case, starts.keys(), starts.values())
    return dict(zip(starts, cycles, strict=True))


def pairs(cases: Iterable[Case]) -> Iterator[tuple[str, str]]:
    """The distinct pairs of model and memory of the cases."""
    yield from dict.fromkeys((case.model, case.memory) for case in cases)


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A process pool that is terminated immediately on an interrupt or error."""
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cases", nargs="+", default=[], metavar="PATTERN", help="shell patterns of case names"
    )
    parser.add_argument("--quick", action="store_true", help="a few minutes' worth of cases")
    parser.add_argument("--list", action="store_true", help="show the names and end")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--output", type=Path, help="where to write the tables; else they are shown"
    )
    arguments = parser.parse_args()
    cases = chosen(arguments.cases, arguments.quick)
    if arguments.list:
        print("\n".join(case.name for case in cases))
        return
    if arguments.output:
        check_output(arguments.output)
    tell("compiling the accelerator, which takes minutes the first time")
    library = rtl_library(ACCELERATOR).stem
    tell("writing random models")
    make_images(cases)
    results = Results(RESULTS, library)
    with processes(arguments.jobs) as pool:
        failed = simulate(pool, cases, results)
        found = {case: result for case in cases if (result := results.get(case))}
        whole = [case for pair in pairs(found) for case in needed(*pair)]
        predicted = predict(pool, found, whole)
    figures: dict = {}
    for model, memory in pairs(found):
        for name, figure in WholeModels(model, memory, found, predicted).figures().items():
            figures.setdefault(f"{model} {name}", {})[memory] = figure
    text = report(found, predicted, figures, library)
    if arguments.output:
        write_whole(arguments.output, text)
    else:
        print(text, end="")
    if failed:
        raise SystemExit(f"{len(failed)} cases failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
