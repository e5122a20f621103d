import pytest
from yarl import URL

from runstead.domain.errors import ModelFailed
from runstead.model.connection import environment_proxy, identity, load_trust, parse_base_url

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def environment(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_environment_names_the_proxy_and_its_credentials(environment):
    environment.setenv("https_proxy", "http://user:word@proxy.example:3128")

    proxy, headers = environment_proxy(URL("https://models.example/v1"))

    assert str(proxy) == "http://proxy.example:3128"
    assert headers == {"Authorization": "Basic dXNlcjp3b3Jk"}


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("http://models.example/v1", "", True),
        ("http://models.example/v1", "models.example", False),
        ("http://models.example/v1", ".example", False),
        ("http://models.example:8000/v1", "models.example:8000", False),
        ("http://localhost:11434/v1", "", False),
        ("http://127.0.0.1:8000/v1", "", False),
    ],
)
def test_some_addresses_are_reached_directly(environment, url, no_proxy, proxied):
    environment.setenv("http_proxy", "http://proxy.example:3128")
    environment.setenv("no_proxy", no_proxy)

    assert (environment_proxy(URL(url))[0] is not None) is proxied


@pytest.mark.parametrize("text", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://[::1/v1"])
def test_an_unusable_address_names_the_setting(text):
    with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
        parse_base_url(text)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_ca_file_names_the_setting(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_CA"):
        load_trust(file)


@pytest.mark.parametrize(
    ("key", "url", "header"),
    [
        (None, "http://host/v1", None),
        ("sk-key", "http://host/v1", "Bearer sk-key"),
        (None, "http://user:word@host/v1", "Basic dXNlcjp3b3Jk"),
        ("sk-key", "http://user:word@host/v1", "Bearer sk-key"),
    ],
)
def test_a_key_goes_before_credentials_in_the_address(key, url, header):
    assert identity(key, URL(url)).get("Authorization") == header
