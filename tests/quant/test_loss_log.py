"""The loss log."""

from tercel_quant.loss_log import LossLog, read_losses


def test_continues_at_a_step_and_drops_what_came_after(tmp_path):
    path = tmp_path / "log.jsonl"
    with LossLog(path, step=0) as log:
        for step in range(1, 6):
            log.write(step=step, loss=1 / step)
    with open(path, "a") as file:
        file.write('{"step": 6, "lo')
    assert len(read_losses(path)) == 5
    with LossLog(path, step=3) as log:
        log.write(step=4, loss=9)
    assert [record["step"] for record in read_losses(path)] == [1, 2, 3, 4]
    assert read_losses(path)[-1] == {"step": 4, "loss": 9}


def test_no_log_has_no_records(tmp_path):
    assert read_losses(tmp_path / "log.jsonl") == []
