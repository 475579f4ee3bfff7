"""Mails go through an SMTP server on 127.0.0.1: encrypted, or not at all unless the settings say so."""

import datetime as dt
import email
import email.policy
import logging
import shutil
import subprocess

import pytest
from structlog.testing import capture_logs

from trader_pipeline.operations.alerts import Alert, send
from trader_pipeline.settings import Settings
from trader_pipeline_tests.smtp_server import SmtpServer

NOW = dt.datetime(2026, 11, 27, 22, tzinfo=dt.UTC)
STALE = Alert(
    event="stale_data",
    subject="core.daily_bars",
    summary="core.daily_bars ends 2026-11-20, 4 sessions before 2026-11-27\r\nBcc: all@example.com",
    mend="`trader status`",
    facts={"tried": "fmp: 3 no_data"},
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that nobody but these tests trusts, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    paths = (str(folder / "cert.pem"), str(folder / "key.pem"))
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def settings_for(tmp_path, server, **changes):
    asked = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_security": "none",
        "smtp_user": "jane",
        "smtp_password": "s3cret",
        "smtp_from": "pipeline@example.com",
        "smtp_to": "jane@example.com, joe@example.com",
    }
    return Settings(home=tmp_path / "home", dataset="live", webhook_url=None, alerts=asked | changes, _env_file=None)


def sent(settings, caplog):
    """What became of the alert, and all that was logged on the way."""
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        found = send(settings, STALE, now=NOW)
    said = f"{logs}{caplog.text}"
    assert "s3cret" not in said
    assert "example.com" not in said.replace("Bcc: all@example.com", "")  # of the alert's own words
    return found.sinks


def test_a_mail_says_what_is_wrong_and_what_to_do(tmp_path, caplog):
    with SmtpServer() as server:
        assert sent(settings_for(tmp_path, server), caplog) == {"mail": None}
    [(sender, receivers, text)] = server.mails
    assert (sender, receivers) == ("pipeline@example.com", ["jane@example.com", "joe@example.com"])
    mail = email.message_from_string(text, policy=email.policy.default)
    assert mail["Subject"] == "[live] stale data: core.daily_bars"
    assert mail["Bcc"] is None
    for words in ("4 sessions before 2026-11-27", "tried: fmp: 3 no_data", "Mend: `trader status`"):
        assert words in mail.get_content()
    assert server.logins == [("jane", "s3cret", False)]


def test_without_a_user_nobody_logs_in(tmp_path, caplog):
    with SmtpServer() as server:
        assert sent(settings_for(tmp_path, server, smtp_user=None), caplog) == {"mail": None}
    assert (len(server.mails), server.logins) == (1, [])


def test_a_server_without_encryption_gets_nothing(tmp_path, caplog):
    with SmtpServer() as server:
        assert sent(settings_for(tmp_path, server, smtp_security="starttls"), caplog) == {"mail": "SMTPNotSupportedError"}
    assert (server.mails, server.logins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_is_trusted_or_refused(tmp_path, caplog, monkeypatch, certificate, security):
    with SmtpServer(certificate, tls=security == "tls") as server:
        settings = settings_for(tmp_path, server, smtp_security=security)
        assert sent(settings, caplog) == {"mail": "SSLCertVerificationError"}
        assert (server.mails, server.logins) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert sent(settings, caplog) == {"mail": None}
    assert (len(server.mails), server.logins) == (1, [("jane", "s3cret", True)])


@pytest.mark.parametrize(
    ("verb", "why"),
    [("AUTH", "SMTPAuthenticationError"), ("MAIL", "SMTPSenderRefused"), ("RCPT", "SMTPRecipientsRefused"), ("DATA", "SMTPDataError")],
)
def test_a_refusal_is_named_by_its_kind(tmp_path, caplog, verb, why):
    with SmtpServer() as server:
        server.refuse = verb
        assert sent(settings_for(tmp_path, server), caplog) == {"mail": why}
    assert server.mails == []


def test_a_server_that_is_not_there_raises_nothing(tmp_path, caplog):
    with SmtpServer() as server:
        settings = settings_for(tmp_path, server)
    assert sent(settings, caplog) == {"mail": "ConnectionRefusedError"}


def test_half_of_the_settings_is_said(tmp_path, caplog):
    with SmtpServer() as server:
        why = "TRADER_ALERTS__SMTP_HOST, __SMTP_FROM and __SMTP_TO go together"
        assert sent(settings_for(tmp_path, server, smtp_to=None), caplog) == {"mail": why}
