"""Compiled code: made once, whoever asks and however often, and never left half made."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ttdm_ros import compilation
from ttdm_ros.compilation import Sources, cached_library
from ttdm_ros.errors import SolverError

ASK = """
import sys
from ttdm_ros.compilation import Sources, cached_library

def make(work):
    (work / "answer.c").write_text("int answer(void) { return 42; }")
    return Sources(files=[work / "answer.c"])

print(cached_library("test", ["one"], make, announce=lambda: print("compiling", flush=True)).answer())
"""

COMPILER = """#!/bin/sh
case "$*" in *" -c "*) echo called >> {log}; {before} ;; esac
exec gcc "$@"
"""


def answering(number, name="answer"):
    def make(work):
        (work / "answer.c").write_text(f"int {name}(void) {{ return {number}; }}")
        return Sources(files=[work / "answer.c"])

    return make


def must_not_be_called(_work):
    raise AssertionError("it was compiled again")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ttdm_ros" / "test"


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Makes a compiler that counts its calls, and does something before each."""
    log = tmp_path / "calls"
    log.touch()

    def make(before=":"):
        path = tmp_path / "compiler"
        path.write_text(COMPILER.format(log=log, before=before))
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))
        return lambda: len(log.read_text().splitlines())

    return make


def ask_in_a_process():
    return subprocess.Popen(
        [sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True, env=dict(os.environ), start_new_session=True
    )


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_what_was_compiled_is_loaded_the_next_time():
    told = []
    first = cached_library("test", ["one"], answering(42), announce=lambda: told.append(1))
    again = cached_library("test", ["one"], must_not_be_called, announce=lambda: told.append(2))
    assert (first.answer(), again.answer(), told) == (42, 42, [1])


def test_other_parts_make_another_library():
    libraries = [cached_library("test", [str(i)], answering(i)) for i in range(3)]
    assert [library.answer() for library in libraries] == [0, 1, 2]


@pytest.mark.parametrize("name", ["_processor", "_compiler_version"])
def test_another_processor_or_compiler_makes_another_library(monkeypatch, name):
    cached_library("test", ["one"], answering(1))
    monkeypatch.setattr(compilation, name, lambda: "another")
    assert cached_library("test", ["one"], answering(2)).answer() == 2


def test_parts_do_not_run_into_one_another():
    cached_library("test", ["ab", "c"], answering(1))
    assert cached_library("test", ["a", "bc"], answering(2)).answer() == 2


def sharing(number, shared):
    def make(work):
        (work / "shared.c").write_text(f"int shared(void) {{ return {shared}; }}")
        (work / "answer.c").write_text(f"int shared(void); int answer(void) {{ return {number} + shared(); }}")
        return Sources(files=[work / "answer.c", work / "shared.c"], alone=["shared.c"])

    return make


def test_what_needs_no_other_file_is_compiled_once_for_all_libraries(compiler):
    calls = compiler()
    answers = [cached_library("test", [str(i)], sharing(i, 40)).answer() for i in range(3)]
    assert (answers, calls()) == ([40, 41, 42], 4)
    assert cached_library("test", ["other"], sharing(0, 50)).answer() == 50  # what is in the file counts
    assert calls() == 6


def test_a_kept_object_is_whole_or_not_there(compiler, cache):
    compiler("exit 1")
    with pytest.raises(SolverError, match="compiling failed"):
        cached_library("test", ["one"], sharing(2, 40))
    compiler()
    assert cached_library("test", ["one"], sharing(2, 40)).answer() == 42
    assert len(list((cache.parent / "objects").glob("*.o"))) == 1


def test_two_processes_at_once_compile_once(compiler):
    calls = compiler("sleep 0.5")
    outputs = [process.communicate(timeout=60)[0].split() for process in [ask_in_a_process() for _ in range(2)]]
    assert sorted(outputs) == [["42"], ["compiling", "42"]]
    assert calls() == 1


def test_a_build_that_was_killed_leaves_nothing_broken(compiler, cache):
    calls = compiler("sleep 60")
    process = ask_in_a_process()
    wait_for(calls)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(cache.rglob("*.so"))
    compiler()
    assert cached_library("test", ["one"], answering(42)).answer() == 42
    assert sorted(path.suffix for path in cache.iterdir()) == ["", ".lock"]


def test_a_build_that_fails_leaves_nothing_and_can_be_tried_again(cache):
    def wrong(work):
        (work / "answer.c").write_text("int answer(void) { return forty_two; }")
        return Sources(files=[work / "answer.c"])

    with pytest.raises(SolverError, match=r"compiling failed: .*forty_two.*; check the compiler"):
        cached_library("test", ["one"], wrong)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert cached_library("test", ["one"], answering(42)).answer() == 42


def test_without_a_compiler_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SolverError, match=r"no C compiler was found; install gcc"):
        cached_library("test", ["one"], must_not_be_called)


def test_a_damaged_library_is_refused_by_name(cache):
    ask_in_a_process().communicate(timeout=60)
    (library,) = cache.rglob("*.so")
    library.write_bytes(b"junk")
    with pytest.raises(SolverError, match=r"libttdm_test\.so cannot be loaded .*; remove its folder"):
        cached_library("test", ["one"], must_not_be_called)


def test_symbols_of_equal_names_stay_apart():
    one, two = cached_library("test", ["1"], answering(1)), cached_library("test", ["2"], answering(2))
    assert (one.answer(), two.answer(), one.answer()) == (1, 2, 1)


def test_loading_leaves_denormal_numbers_as_they_are():
    """A library linked with -ffast-math would make the processor flush them to zero in the whole process."""
    vectorised = Sources(files=[], vectorised=["answer.c"])

    def make(work: Path):
        sources = answering(42)(work)
        return Sources(files=sources.files, vectorised=vectorised.vectorised)

    smallest = sys.float_info.min
    assert cached_library("test", ["denormal"], make).answer() == 42
    assert smallest / 8.0 > 0.0
