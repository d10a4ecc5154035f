"""Runs programs and collects what they took."""

import os
import statistics
import subprocess

MIB = 1 << 20


class Failed(Exception):
    """A program that should have worked did not."""


class Run:
    """What one run took: seconds, and octets of memory at the peak."""

    def __init__(self, report):
        wall, user, system, resident, _ = (int(word) for word in report.split())
        self.wall, self.cpu, self.resident = wall / 1e6, (user + system) / 1e6, resident * 1024


class Measure:
    """Runs programs through the helper measure.c."""

    def __init__(self, helper, folder):
        self.helper, self.folder = str(helper), folder

    def run(self, command, output, feed=None):
        """One run with its standard output in the file `output`, and `feed` piped to its standard input."""
        read_end, write_end = os.pipe()
        source = subprocess.Popen(["cat", feed], stdout=subprocess.PIPE) if feed else None
        try:
            with open(output, "wb") as out:
                done = subprocess.run([self.helper, str(write_end), *map(str, command)], stdout=out,
                                      stdin=source.stdout if source else subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      pass_fds=[write_end], env={**os.environ, "TMPDIR": str(self.folder)})
        finally:
            os.close(write_end)
            if source:
                source.stdout.close()
                source.wait()
        with os.fdopen(read_end) as pipe:
            report = pipe.read()
        if done.returncode or not report or report.split()[-1] != "0":
            raise Failed(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace').strip()}")
        return Run(report)


class Series:
    """The runs of one program."""

    def __init__(self, name):
        self.name, self.runs = name, []

    def add(self, run):
        self.runs.append(run)

    def median(self, what="wall"):
        return statistics.median(getattr(run, what) for run in self.runs)

    def least(self, what="wall"):
        return min(getattr(run, what) for run in self.runs)

    def peak(self):
        return max(run.resident for run in self.runs)
