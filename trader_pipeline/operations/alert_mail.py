"""An alert as a mail through the SMTP server of the settings. Without encryption nobody logs in unless the settings say so."""

import smtplib
import ssl
from email.message import EmailMessage

from trader_pipeline.operations.alert_message import Message
from trader_pipeline.settings import AlertSettings, Settings

_TIMEOUT_SECONDS = 10


def mail(settings: Settings, message: Message) -> str | None:
    """Send the message; return why it was not delivered, without an address, or None. A certificate that is not trusted is refused."""
    asked = settings.alerts
    if not (asked.smtp_host and asked.smtp_to and asked.smtp_from):
        return "TRADER_ALERTS__SMTP_HOST, __SMTP_FROM and __SMTP_TO go together"
    try:
        with _connected(asked, asked.smtp_host) as server:
            if asked.smtp_user and asked.smtp_password:
                server.login(asked.smtp_user, asked.smtp_password.get_secret_value())
            refused = server.send_message(letter(asked, message))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return type(error).__name__  # only the kind of error: its text may hold addresses
    return f"{len(refused)} of the receivers refused" if refused else None


def letter(asked: AlertSettings, message: Message) -> EmailMessage:
    """Return the mail: the headline as subject, everything else as plain text."""
    made = EmailMessage()
    made["Subject"] = message.headline
    made["From"] = asked.smtp_from
    made["To"] = ", ".join(address.strip() for address in (asked.smtp_to or "").split(",") if address.strip())
    made["Date"] = message.at
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(f"{message.text}\n")
    return made


def _connected(asked: AlertSettings, host: str) -> smtplib.SMTP:
    """Return the connection, encrypted as the settings say."""
    trusted = ssl.create_default_context()
    if asked.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, asked.smtp_port, timeout=_TIMEOUT_SECONDS, context=trusted)
    server = smtplib.SMTP(host, asked.smtp_port, timeout=_TIMEOUT_SECONDS)
    if asked.smtp_security == "starttls":
        try:
            server.starttls(context=trusted)
        except BaseException:
            server.close()
            raise
    return server
