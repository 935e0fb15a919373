import subprocess
import sys

import pytest

import artcolor


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_brings_no_torch() -> None:
    modules = _modules_after("import artcolor")
    assert "artcolor" in modules
    assert not modules & {"torch", "torchvision", "timm", "numpy", "PIL"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["colorize", "--help"], ["train", "--help"], ["serve", "--help"], ["iiif", "--help"]]
)
def test_help_brings_no_torch(arguments: list[str]) -> None:
    code = (
        f"sys.argv = ['artcolor', *{arguments}]\n"
        "from artcolor.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
    )
    modules = _modules_after(code)
    assert "artcolor.cli" in modules
    assert not modules & {"torch", "numpy", "PIL"}


def test_without_an_extra_the_message_names_it() -> None:
    code = (
        "sys.modules['accelerate'] = None\nimport artcolor\nassert artcolor.colorize\n"
        "try:\n    artcolor.Trainer\nexcept ImportError as error:\n    assert '.[train]' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
        "from artcolor.cli import main\nsys.argv = 'artcolor train cnn --data . --out x'.split()\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 1\n"
    )
    script = f"import sys\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'pip install ".[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_public_names_all_exist() -> None:
    for name in artcolor.__all__:
        assert getattr(artcolor, name) is not None
    assert set(dir(artcolor)) == set(artcolor.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        artcolor.no_such_name  # noqa: B018


def test_builders_do_not_hide_modules() -> None:
    from artcolor.models import cnn

    assert callable(artcolor.cnn)
    assert cnn.__name__ == "artcolor.models.cnn"
