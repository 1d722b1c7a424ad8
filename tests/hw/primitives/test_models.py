from tercel_hw.primitives import primitive_models
from tercel_hw.primitives.models import FOLDER
from tercel_hw.target import Target


def test_only_a_vendors_target_has_models():
    assert primitive_models(Target.PORTABLE) == ""
    text = primitive_models(Target.ULTRASCALE_PLUS)
    assert text.isascii()
    for name in ("DSP48E2", "LUT3", "LUT4", "CARRY8", "FDRE"):
        assert text.count(f"\nmodule {name} ") == 1


def test_every_model_is_of_a_target():
    texts = [primitive_models(target) for target in Target]
    files = sorted(FOLDER.glob("*.v"))
    assert files
    for file in files:
        assert any(file.read_text() in text for text in texts)
