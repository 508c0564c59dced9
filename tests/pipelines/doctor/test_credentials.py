import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from google.oauth2 import credentials

from pipelines.doctor.credentials import check_gcs, check_s3
from yt8m.storage.s3 import ENDPOINT_VARIABLES

pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give the test a home without credentials."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "CLOUDSDK_CONFIG", *ENDPOINT_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


class Accounts(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = {"access_token": "t", "expires_in": 3600} if self.status == 200 else {"error": "invalid_grant"}
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def accounts():
    """Return the address of a server that issues tokens."""
    with HTTPServer(("127.0.0.1", 0), Accounts) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
        server.shutdown()


def adc(folder):
    """Write credentials of a user as gcloud does."""
    path = folder / "application_default_credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    path.write_text(json.dumps(user))
    return path


def test_no_credentials_are_no_problem():
    assert check_gcs().is_ok
    assert check_s3().is_ok
    assert "no credentials configured" in check_gcs().text
    assert "no credentials configured" in check_s3().text


def test_credentials_that_google_accepts_are_fine(home, accounts, monkeypatch):
    monkeypatch.setattr(credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", accounts)
    path = adc(home / ".config/gcloud")
    assert check_gcs().text == f"credentials of {path} are accepted"


def test_expired_credentials_are_a_problem(home, accounts, monkeypatch):
    monkeypatch.setattr(credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", accounts)
    monkeypatch.setattr(Accounts, "status", 400)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(adc(home)))
    finding = check_gcs()
    assert "is not accepted" in finding.text
    assert "invalid_grant" in finding.text
    assert "gcloud auth application-default login" in finding.remedy


def test_a_server_that_does_not_answer_is_a_problem_of_the_network(home, monkeypatch):
    monkeypatch.setattr(credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", "http://127.0.0.1:9/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(adc(home)))
    finding = check_gcs()
    assert "Google does not answer" in finding.text
    assert "network" in finding.remedy


@pytest.mark.parametrize("content", [None, "no json", "{}"])
def test_a_file_that_holds_no_credentials_is_a_problem(home, content, monkeypatch):
    path = home / "key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    finding = check_gcs()
    assert f"{path} is not accepted" in finding.text
    assert "GOOGLE_APPLICATION_CREDENTIALS" in finding.remedy


def test_keys_in_variables_are_fine_and_never_shown(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000")
    assert check_s3().text == "credentials from env for http://localhost:9000; not tried"


def test_half_a_key_is_a_problem(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id")
    finding = check_s3()
    assert not finding.is_ok
    assert "AWS_SECRET_ACCESS_KEY" in finding.remedy


def test_an_unknown_profile_is_a_problem(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in check_s3().text
    assert not check_s3().is_ok
