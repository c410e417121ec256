"""Cut the power, in effect: the files as they would lie if writes that were not synced are lost.

A small library in C, loaded into a process that indexes, copies each file to another folder
whenever the process has synced it (fsync, fdatasync). At some moments the process is halted, and
from both folders the files after a power cut are put together: what was synced only, or of every
later change some blocks of 4 KB. What was acknowledged by then must be there.

Does not show: a disk that reports a sync before it is done, deletions and renamings that are lost.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from evals.suites.resilience.chaos import analysers
from evals.suites.resilience.chaos.disks import counted_faults

_BLOCK = 4096
_TORN = 2  # mixtures at each moment
_COPY_SYNCED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy(int fd) {
    const char *from = getenv("UNMASK_CUT_FROM"), *to = getenv("UNMASK_CUT_TO");
    char link[64], path[PATH_MAX], target[PATH_MAX], draft[PATH_MAX + 8], block[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!from || !to || length < 0) return;
    path[length] = 0;
    if (strncmp(path, from, strlen(from)) != 0) return;
    snprintf(target, sizeof target, "%s%s", to, path + strlen(from));
    for (char *at = target + strlen(to) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(target, 0700);
    }
    snprintf(draft, sizeof draft, "%s.%d", target, (int)gettid());
    int in = open(link, O_RDONLY), out = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t got; in >= 0 && (got = read(in, block, sizeof block)) > 0;)
        if (write(out, block, got) != got) abort();
    close(in);
    close(out);
    rename(draft, target);
}

/* A file keeps what was synced when it gets another name. */
int rename(const char *old, const char *new) {
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename"), done = real(old, new);
    const char *from = getenv("UNMASK_CUT_FROM"), *to = getenv("UNMASK_CUT_TO");
    if (done || !from || !to) return done;
    if (strncmp(old, from, strlen(from)) || strncmp(new, from, strlen(from))) return done;
    char kept[PATH_MAX], target[PATH_MAX];
    snprintf(kept, sizeof kept, "%s%s", to, old + strlen(from));
    snprintf(target, sizeof target, "%s%s", to, new + strlen(from));
    if (real(kept, target)) unlink(target); /* never synced, nor what it replaced */
    return done;
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync"), done = real(fd);
    copy(fd);
    return done;
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync"), done = real(fd);
    copy(fd);
    return done;
}
"""
_CHILD = (
    "import sys; from evals.suites.resilience.chaos.power_cuts import index_in_child; "
    "index_in_child(*sys.argv[1:])"
)


def index_in_child(home: str, photos: str, log: str) -> None:
    """Index a folder and write what is acknowledged to a file."""
    with Path(log).open("a", encoding="ascii") as lines:

        def acknowledge(ids: object) -> None:
            lines.writelines(f"{each}\n" for each in ids)  # type: ignore[attr-defined]
            lines.flush()
            time.sleep(0.05)  # moments to be halted at

        analysers.index_photos(Path(home), Path(photos), acknowledge)


def cut_power(
    folder: Path, *, pictures: int, cuts: int, seed: int, synced_only: bool = False
) -> dict[str, int] | None:
    """Faults after power cuts at random moments; None where no C compiler is installed.

    With `synced_only`, writes that were not synced are always lost as a whole.
    """
    library = _built(folder)
    if library is None:
        return None
    rng, photos = np.random.default_rng(seed), folder / "photos"
    analysers.write_pictures(photos, pictures, seed=seed)
    home, synced, log = folder / "home", folder / "synced", folder / "acknowledged.txt"
    log.touch()
    synced.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(home), str(photos), str(log)],
        cwd=Path(__file__).parents[4],
        env=_environment(library, home, synced),
        stderr=subprocess.DEVNULL,
    )
    moments = sorted(rng.choice(pictures, min(cuts, pictures), replace=False).tolist())
    tally: Counter[str] = Counter(cuts=0, files=0)
    for moment in moments:
        while child.poll() is None and len(_acknowledged(log)) < moment:
            time.sleep(0.002)
        if child.poll() is not None:
            break
        time.sleep(float(rng.uniform(0, 0.05)))
        child.send_signal(signal.SIGSTOP)
        acknowledged = _acknowledged(log)
        for number in range(1 if synced_only else 1 + _TORN):
            cut = folder / "cut"
            shutil.rmtree(cut, ignore_errors=True)
            tally["files"] += put_together(home, synced, cut, rng if number else None)
            tally["cuts"] += 1
            if acknowledged or (cut / "galleries" / "default" / "records.sqlite3").exists():
                tally += counted_faults(cut, acknowledged)
        child.send_signal(signal.SIGCONT)
    child.kill()
    child.wait()
    return dict(tally)


def _built(folder: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "copy_synced.c", folder / "copy_synced.so"
    source.write_text(_COPY_SYNCED, encoding="ascii")
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return library if done.returncode == 0 else None


def _environment(library: Path, home: Path, synced: Path) -> dict[str, str]:
    import os

    added = {"LD_PRELOAD": library, "UNMASK_CUT_FROM": home, "UNMASK_CUT_TO": synced}
    return {**os.environ, **{name: str(value) for name, value in added.items()}}


def _acknowledged(log: Path) -> list[str]:
    return log.read_text("ascii").split("\n")[:-1]


def put_together(home: Path, synced: Path, cut: Path, rng: np.random.Generator | None) -> int:
    """Put the files together; without `rng`, only what was synced. Returns their number."""
    files = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    for path in files:
        name = path.relative_to(home)
        kept = synced / name
        known = kept.read_bytes() if kept.exists() else None
        if rng is None and known is None:
            continue  # never synced: not even its name
        data = bytearray(known or b"")
        if rng is not None:
            now = path.read_bytes()
            data[len(now) :] = b""
            data += bytes(len(now) - len(data))
            for start in range(0, len(now), _BLOCK):
                if rng.random() < 0.5:
                    data[start : start + _BLOCK] = now[start : start + _BLOCK]
        (cut / name).parent.mkdir(parents=True, exist_ok=True)
        (cut / name).write_bytes(data)
    return len(files)
