import json


def test_devices_and_their_options_are_listed(tercel):
    result = tercel("devices")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("emulator: ") for line in lines)
    assert any(line.startswith("  context: positions") for line in lines)


def test_the_list_as_json(tercel):
    found = json.loads(tercel("devices", "--json").stdout)
    assert [row["name"] for row in found["emulator"]["options"]] == ["context", "nodes"]
    options = {row["name"]: row for row in found["rtl"]["options"]}
    assert options["ddr"]["default"] == "kv260-15.0"


def test_settings_reach_the_device(tercel):
    options = ("run", "-p", "It was the best of times", "--set", "context=2")
    result = tercel(*options)
    assert result.exit_code == 2
    assert "context" in result.stderr


def test_a_setting_is_checked(tercel):
    for setting, message in (
        ("nodes", "--set takes NAME=VALUE, not 'nodes'"),
        ("ddr=ideal", "the device has no option 'ddr', only context, nodes; see `tercel devices`"),
        ("nodes=x", "the option nodes must be an integer, not 'x'"),
    ):
        result = tercel("run", "-p", "It", "--set", setting)
        assert result.exit_code == 2
        assert message in result.stderr
    twice = tercel("run", "-p", "It", "--set", "nodes=1", "--set", "nodes=2")
    assert "--set nodes is given twice" in twice.stderr
    both = tercel("run", "-p", "It", "--set", "nodes=1", "--nodes", "2")
    assert "the option nodes is given twice" in both.stderr
