"""Settings from the environment and the command line."""

from pathlib import Path

import pytest

from millrace_service.encryption import new_key, parse_key
from millrace_service.errors import SettingsInvalid
from millrace_service.settings import DEFAULT_REDIS_URL, read_settings


def test_the_agent_id_is_all_that_is_needed() -> None:
    """Everything but the agent's id has a default."""
    settings = read_settings("gatherer", ["--agent-id", "GATHERER"], {})
    assert settings.agent_id == "GATHERER"
    assert settings.redis_url == DEFAULT_REDIS_URL
    assert (settings.log_level, settings.log_format, settings.secret_key) == ("info", "auto", None)


def test_a_missing_agent_id_says_what_to_do() -> None:
    """The message names the option, the variable and the Redis key that the configuration is read from."""
    with pytest.raises(SettingsInvalid) as caught:
        read_settings("gatherer", [], {})
    for part in ("--agent-id", "MILLRACE_AGENT_ID", "stream.config.GATHERER"):
        assert part in str(caught.value)


def test_the_command_line_is_above_the_environment() -> None:
    """An option wins against the variable of the same name; an empty variable counts as unset."""
    environ = {
        "MILLRACE_AGENT_ID": "A",
        "MILLRACE_REDIS_URL": "redis://a",
        "MILLRACE_LOG_LEVEL": "DEBUG",
        "MILLRACE_DATA_DIR": "",
    }
    settings = read_settings("gatherer", ["--redis-url", "redis://b"], environ)
    assert (settings.agent_id, settings.redis_url, settings.log_level) == ("A", "redis://b", "debug")
    assert settings.data_dir == Path(".millrace")
    assert settings.egress == "default"
    assert read_settings("gatherer", ["--egress", "vps-1"], environ).egress == "vps-1"


@pytest.mark.parametrize(
    ("environ", "part"),
    [
        ({"MILLRACE_AGENT_ID": "a b"}, "agent id"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_LOG_LEVEL": "loud"}, "debug, info"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_LOG_FORMAT": "xml"}, "console, json"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_EGRESS": "a.b"}, "MILLRACE_EGRESS"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_METRICS_PORT": "70000"}, "MILLRACE_METRICS_PORT"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_SECRET_KEY": "short"}, "32 bytes"),
        ({"MILLRACE_AGENT_ID": "A", "MILLRACE_SECRET_KEY_FILE": "/nowhere/key"}, "/nowhere/key"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ: dict[str, str], part: str) -> None:
    """The message says which setting is wrong and what would be right."""
    with pytest.raises(SettingsInvalid, match=part):
        read_settings("gatherer", [], environ)


def test_the_secret_key_is_read_from_a_file(tmp_path: Path) -> None:
    """A key in a file, as container platforms mount secrets, is the same as one in the environment."""
    key = new_key()
    (tmp_path / "key").write_text(key + "\n")
    settings = read_settings("gatherer", ["--agent-id", "A", "--secret-key-file", str(tmp_path / "key")], {})
    assert settings.secret_key == parse_key(key)


def test_secrets_do_not_show_in_the_settings() -> None:
    """Printing the settings shows neither the key nor the password in Redis's address."""
    key = new_key()
    environ = {"MILLRACE_AGENT_ID": "A", "MILLRACE_SECRET_KEY": key, "MILLRACE_REDIS_URL": "redis://:hunter2@h"}
    text = repr(read_settings("gatherer", [], environ))
    assert "hunter2" not in text
    assert "secret_key=" not in text
    assert key not in text


def test_a_services_own_option_is_another_spelling_of_a_variable() -> None:
    """An option that a service adds comes back under the name of its environment variable."""
    argv = ["--agent-id", "A", "--plugin-dir", "strategies"]
    settings = read_settings("magicbox", argv, {}, {"plugin-dir": "folder of strategies"})
    assert settings.options == {"MILLRACE_PLUGIN_DIR": "strategies"}


@pytest.mark.parametrize(("argv", "parent"), [([], None), (["--die-with-parent"], 0), (["--die-with-parent", "7"], 7)])
def test_the_parent_may_be_named(argv: list[str], parent: int | None) -> None:
    """`--die-with-parent` may name the parent's process id."""
    assert read_settings("gatherer", ["--agent-id", "A", *argv], {}).parent == parent
