"""Where settings come from, and what is said of names and values that can't be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kb.errors import ConfigError
from kb.settings import load_settings

Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes `guide.toml` where settings are read."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "guide.toml").write_text(text, encoding="utf-8")

    return write


def test_flags_go_before_the_environment_before_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("top_k = 1\nport = 1\nhost = 'a'")
    monkeypatch.setenv("GUIDE_TOP_K", "2")
    monkeypatch.setenv("guide_port", "2")
    settings = load_settings(top_k=3)
    assert (settings.top_k, settings.port, settings.host) == (3, 2, "a")


def test_a_home_below_the_users_own(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write("home = '~/kb'")
    assert load_settings().home == tmp_path / "kb"
    assert load_settings(home=Path("~/other")).home == tmp_path / "other"
    assert load_settings(home=Path()).home == Path()


def test_a_home_without_a_name_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("GUIDE_HOME", "")
        with pytest.raises(ConfigError, match=r"^Setting home = '': names no folder"):
            load_settings()
    write("home = '~nobody-of-this-name/kb'")
    with pytest.raises(ConfigError, match=r"^Setting home = '~nobody.*GUIDE_HOME"):
        load_settings()


def test_a_variable_that_no_setting_has_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDE_TOPK", "hush")
    with pytest.raises(ConfigError, match=r"variable GUIDE_TOPK .* Write GUIDE_TOP_K if") as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    monkeypatch.delenv("GUIDE_TOPK")
    monkeypatch.setenv("GUIDE_QQQQ", "1")
    with pytest.raises(ConfigError, match=r"variable GUIDE_QQQQ .* Remove it"):
        load_settings()


@pytest.mark.parametrize("line", ["chat_apikey = 'hush'", "[chat_api_keys]\na = 'hush'", "chat_api_key = ['hush']"])
def test_a_line_that_sets_nothing_is_named_and_a_key_not_shown(write: Write, line: str) -> None:
    write(line)
    with pytest.raises(ConfigError, match=r"\bchat_api_key\b") as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    assert "extra" not in str(caught.value).lower()


@pytest.mark.parametrize("address", ["reader:hush@127.0.0.1", "ftp://reader:hush@127.0.0.1/v1"])
def test_the_password_of_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("GUIDE_CHAT_URL", address)
    with pytest.raises(ConfigError, match=r"chat_url = '.*127\.0\.0\.1") as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(write: Write) -> None:
    write("top_k = \n")
    with pytest.raises(ConfigError, match=r"^guide\.toml: .*line 1"):
        load_settings()
