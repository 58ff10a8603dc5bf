"""A task library outside of the repository: built with find_package(umbel)
against an installed prefix, run by the installed child."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.child_process import ChildProcess
from harness.workers import build_dir

HERE = Path(__file__).parent


def run(*command) -> None:
    done = subprocess.run(
        [str(x) for x in command], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def build(source: Path, to: Path, *options) -> Path:
    run("cmake", "-S", source, "-B", to, "-DCMAKE_BUILD_TYPE=Debug", *options)
    run("cmake", "--build", to)
    return to


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("installed")
    for component in ("sdk", "worker"):
        run("cmake", "--install", build_dir(), "--prefix", to,
            "--component", component)
    return to


@pytest.fixture(scope="module")
def shop(prefix, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    build(HERE / "project", folder, f"-DCMAKE_PREFIX_PATH={prefix}")
    return folder / "libshop.so"


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    return build(HERE / "broken", tmp_path_factory.mktemp("broken"))


@pytest.fixture
def child(prefix):
    """Starts the installed child, far from the build tree's libraries."""
    env = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    children = []

    def start(*libraries) -> ChildProcess:
        c = ChildProcess(prefix / "libexec/umbel/child", libraries, env=env)
        children.append(c)
        return c

    yield start
    for c in children:
        c.__exit__()


def test_an_outside_library_is_loaded_and_runs(child, shop):
    c = child(shop)
    order, reorder = (x for x in c.hello()["tasks"] if not x["name"].startswith("celery."))
    assert order == {"name": "shop.order", "acks_late": True}
    assert reorder == {"name": "shop.reorder"}
    c.job(1, "shop.order", [{"name": "pears", "count": 3}])
    log = c.frame()
    assert (log["frame"], log["job"], log["text"]) == ("log", 1, "try 1")
    assert c.outcome()["document"]["result"] == "3 pears"


def test_an_outside_coroutine_runs(child, shop):
    c = child(shop)
    c.hello()
    c.job(1, "shop.reorder", [{"name": "pears", "count": 3}])
    assert c.outcome()["document"]["result"] == "3 pears"


def test_a_wait_without_co_await_does_not_compile(prefix, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(
        (HERE / "project" / "CMakeLists.txt").read_text())
    (source / "shop.cpp").write_text("""
        #include <umbel/task.hpp>
        void wait() { umbel::sleep_for(std::chrono::seconds{1}); }
        UMBEL_TASKS(app) { app.task("shop.wait", wait); }
    """)
    run("cmake", "-S", source, "-B", tmp_path / "build",
        f"-DCMAKE_PREFIX_PATH={prefix}")
    built = subprocess.run(["cmake", "--build", tmp_path / "build"],
                           capture_output=True, text=True)
    assert built.returncode != 0
    assert "co_await umbel::sleep_for" in built.stdout + built.stderr


def test_its_exceptions_cross_the_library_border(child, shop):
    c = child(shop)
    c.hello()
    c.job(1, "shop.order", kwargs={"what": {"name": "figs", "count": 11}})
    assert c.outcome()["document"]["result"] == {
        "exc_type": "out_of_stock",
        "exc_message": ["only 10 of figs"],
        "exc_module": "shop",
    }
    c.job(2, "shop.order", [{"name": "figs"}])
    assert c.outcome()["summary"].startswith(
        "TypeError(\"order() argument 'what' must be item, not dict")


def test_it_runs_beside_the_example_library(child, shop, prefix):
    (tasks,) = prefix.glob("lib*/**/libtasks.so")
    c = child(tasks, shop)
    names = [t["name"] for t in c.hello()["tasks"]]
    assert "shop.order" in names and "tasks.add" in names


def refusal(child, *libraries) -> str:
    c = child(*libraries)
    frame = c.frame()
    assert frame["frame"] == "failed", frame
    assert c.process.wait(timeout=60) == 1
    assert "\n" not in frame["reason"]
    return frame["reason"]


@pytest.mark.parametrize("name, reason", [
    ("no_tasks_macro",
     "not a task library: there is no UMBEL_TASKS in it"),
    ("no_tasks", "its UMBEL_TASKS registers no task"),
    ("throws", "exception at load: no licence"),
    ("throws_early", "exception at load: no configuration"),
    ("undefined", "undefined symbol: forgotten(int)"),
])
def test_a_broken_library_is_one_clear_line(child, broken, name, reason):
    path = broken / f"lib{name}.so"
    assert refusal(child, path) \
        == f"cannot load the task library {path}: {reason}"


def test_a_library_that_is_not_there(child, tmp_path):
    path = tmp_path / "libnone.so"
    assert refusal(child, path) \
        == f"cannot load the task library {path}: no such file"


def test_a_library_that_is_none(child, tmp_path):
    path = tmp_path / "libtext.so"
    path.write_text("text\n" * 100)
    assert refusal(child, path).startswith(
        f"cannot load the task library {path}: invalid ELF header")


def test_the_same_task_twice(child, shop):
    assert refusal(child, shop, shop).endswith(
        "exception at load: duplicate task 'shop.order'")
