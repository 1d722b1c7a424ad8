"""Tasks from local files, through ``tercel eval --tasks`` and the harness's own command line."""

import json
import sys

import pytest
from lm_eval.api.registry import get_model
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.errors import TercelError
from tercel.image import ChatFormat, random_image
from tercel_quant.harness import TercelLM, evaluate_tasks
from tercel_quant.harness.__main__ import main

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore::FutureWarning")

QUESTIONS = ["the cat sat on the", "the dog ran to the red", "0 1 2"]
CHOICES = [[" mat", " sea", " house 1"], [" cat", " house", " 2"], [" 3", " dog", " the mat"]]
ANSWERS = [0, 1, 0]
OPTIONS = ("--json", "--include-path")


@pytest.fixture
def tercel():
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


def test_results_are_those_of_the_answers(tercel, image, tasks, ask):
    names = "local_choice, local_answer,local_text"
    result = tercel("eval", image.path, "--tasks", names, *OPTIONS, tasks)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert (facts["model"], facts["device"]) == (str(image.path), "emulator")
    model = TercelLM(str(image.path))
    right = 0
    for question, choices, answer in zip(QUESTIONS, CHOICES, ANSWERS, strict=True):
        pairs = ask(*[(question, choice) for choice in choices])
        scores = [score for score, _ in model.loglikelihood(pairs, disable_tqdm=True)]
        right += scores.index(max(scores)) == answer
    results = facts["results"]
    assert results["local_choice"]["acc,none"] == pytest.approx(right / 3)
    requests = ask(*[(question, {"until": ["\n"], "max_gen_toks": 6}) for question in QUESTIONS])
    texts = model.generate_until(requests, disable_tqdm=True)
    exact = sum(text == choices[0] for text, choices in zip(texts, CHOICES, strict=True))
    assert results["local_answer"]["exact_match,none"] == pytest.approx(exact / 3)
    totals = model.loglikelihood_rolling(ask(*[(text,) for text in QUESTIONS]), disable_tqdm=True)
    bits = -sum(totals) / sum(map(len, QUESTIONS)) / 0.6931471805599453
    assert results["local_text"]["bits_per_byte,none"] == pytest.approx(bits)
    assert facts["n-samples"]["local_choice"]["effective"] == 3


def test_a_chat_is_asked_through_the_template(monkeypatch, tercel, image, tasks, tmp_path):
    path = tmp_path / "chat.tercel"
    template = "{% for m in messages %}<{{ m.role }}> {{ m.content }}{% endfor %}"
    chat = ChatFormat(template=template)
    random_image(path, image.config, seed=4, tokenizer=image.tokenizer, chat=chat)
    asked, score = [], TercelLM.loglikelihood

    def record(self, requests, **options):
        asked.extend(request.args for request in requests)
        return score(self, requests, **options)

    monkeypatch.setattr(TercelLM, "loglikelihood", record)
    result = tercel("eval", path, "--tasks", "local_choice", "--chat", *OPTIONS, tasks)
    assert result.exit_code == 0, result.stderr
    assert asked == [
        (f"<user> {question}", choice)
        for question, choices in zip(QUESTIONS, CHOICES, strict=True)
        for choice in choices
    ]


def test_the_table_has_a_row_a_metric(tercel, image, tasks):
    options = ("--include-path", tasks, "--limit", "2", "--nodes", "3", "--num-fewshot", "0")
    result = tercel("eval", image.path, "--tasks", "local_choice", *options)
    head, row = result.stdout.splitlines()
    assert head.split() == ["task", "metric", "value", "+-", "documents"]
    assert row.split()[:2] == ["local_choice", "acc"]
    assert row.split()[-1] == "2"


def test_the_harness_finds_the_model_by_name(image):
    added = {"device": "cuda:0", "batch_size": 1}
    found = get_model("tercel")
    assert found is TercelLM
    by_object = found.create_from_arg_obj({"model": str(image.path), "context": 40}, added)
    by_text = found.create_from_arg_string(f"model={image.path},device=emulator,context=40", added)
    assert by_object.max_length == by_text.max_length == 40
    with pytest.raises(TercelError, match="speed"):
        found.create_from_arg_string(f"model={image.path},speed=3")


@pytest.mark.slow  # the harness reads its 14,000 tasks first
def test_the_harnesss_own_command_line_knows_the_model(monkeypatch, image, tasks, capsys):
    model = f"model={image.path},device=emulator,nodes=4"
    command = ["lm_eval", "run", "--model", "tercel", "--model_args", model]
    command += ["--tasks", str(tasks / "local_choice.yaml"), "--limit", "1"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    assert "|local_choice|" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either a text with --text, or names with --tasks"),
        (("--tasks", "a", "--text", "b"), "give either a text with --text, or names with --tasks"),
        (("--text", "a", "--limit", "3"), "--limit belongs to --tasks; leave it out"),
        (("--text", "a", "--device", "rtl"), "--device belongs to --tasks; leave it out"),
        (("--tasks", "a", "--tokens", "3"), "--tokens belongs to --text; leave it out"),
        (("--tasks", "a", "--limit", "0"), "limit must be 1 or more, not 0"),
        (("--tasks", ","), "--tasks names no task"),
        (
            ("--tasks", "a", "--include-path", "absent"),
            "be a folder of tasks, but absent is none; name",
        ),
        (("--tasks", "a", "--set", "x=1"), "x"),
        (("--tasks", "a", "--device", "abacus"), "there is no device 'abacus'"),
    ],
)
def test_errors_are_one_message(tercel, image, options, message):
    result = tercel("eval", image.path, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_the_harness_its_extra_is_named(monkeypatch, tercel, image):
    for name in list(sys.modules):
        if name.startswith("tercel_quant.harness"):
            monkeypatch.delitem(sys.modules, name)
        elif name.partition(".")[0] == "lm_eval":
            monkeypatch.setitem(sys.modules, name, None)
    result = tercel("eval", image.path, "--tasks", "a")
    message = "error: --tasks needs lm_eval, which is not installed: install tercel[eval]\n"
    assert (result.exit_code, result.stderr) == (2, message)


def test_tasks_that_cannot_be_run(image, tasks, monkeypatch):
    from tercel_quant.harness import tasks as module

    model = TercelLM(str(image.path))
    monkeypatch.setattr(module, "_manager", lambda *_: type("None", (), {"all_tasks": ["a"]}))
    with pytest.raises(TercelError, match="there is no task b, c; `lm_eval ls tasks` lists"):
        evaluate_tasks(model, ["c", "a", "b"])


def test_without_data_the_message_is_one_line(tmp_path, tercel, image):
    task = {"task": "gone", "dataset_path": "json", "test_split": "test"}
    task |= {"dataset_kwargs": {"data_files": {"test": str(tmp_path / "absent.jsonl")}}}
    task |= {"output_type": "generate_until", "doc_to_text": "{{a}}", "doc_to_target": "{{a}}"}
    (tmp_path / "gone.yaml").write_text(json.dumps(task))
    result = tercel("eval", image.path, "--tasks", "gone", "--include-path", tmp_path)
    assert result.exit_code == 2
    assert "error: a task cannot be run: Unable to find" in result.stderr
