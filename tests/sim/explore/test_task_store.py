import json

from tercel_sim.explore import task_store
from tercel_sim.explore.task_store import Task, TaskStore, source_hash


def test_results_are_kept(tmp_path):
    task, other = Task.of("x", a=1, b=[2]), Task.of("x", a=2, b=[2])
    store = TaskStore(tmp_path / "new" / "folder")
    assert store.get(task) is None
    store.put(task, {"seconds": 0.5})
    assert TaskStore(tmp_path / "new" / "folder").get(task) == {"seconds": 0.5}
    assert store.get(other) is None
    (path,) = store.folder.iterdir()
    assert json.loads(path.read_text())["arguments"] == {"a": 1, "b": [2]}


def test_a_broken_result_is_none(tmp_path):
    store, task = TaskStore(tmp_path), Task.of("x")
    for text in ("", "[]", "{}", '{"result"'):
        (tmp_path / f"{task.key}.json").write_text(text)
        assert store.get(task) is None


def test_a_task_is_its_kind_arguments_and_sources(monkeypatch):
    assert Task.of("x", a=1, b=2) == Task.of("x", b=2, a=1)
    keys = {Task.of("x", a=1).key, Task.of("y", a=1).key, Task.of("x", a=2).key}
    assert len(keys) == 3
    before = Task.of("x", a=1).key
    monkeypatch.setattr(task_store, "source_hash", lambda: "changed")
    assert Task.of("x", a=1).key != before


def test_the_sources_have_one_hash():
    assert len(source_hash()) == 64
