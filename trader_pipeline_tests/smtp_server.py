"""An SMTP server on 127.0.0.1: enough of the protocol for smtplib, with STARTTLS where it has a certificate and faults on demand."""

import base64
import socketserver
import ssl
import threading


class SmtpServer:
    """`mails` holds (sender, receivers, text); `logins` (user, password, whether it was encrypted); `refuse` names a verb to refuse."""

    def __init__(self, certificate=None, *, tls=False):
        self.mails = []
        self.logins = []
        self.refuse = None
        self.context = None
        self.tls = tls
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talk)
        self._server.daemon_threads = True
        self._server.smtp = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Talk(socketserver.BaseRequestHandler):
    def setup(self):
        self.smtp = self.server.smtp
        self.encrypted = self.smtp.tls
        self.sender, self.receivers = "", []
        self.file = None

    def handle(self):
        try:
            if self.smtp.tls:
                self.request = self.smtp.context.wrap_socket(self.request, server_side=True)
            self.file = self.request.makefile("rb")
            self.say("220 smtp.example.com")
            while line := self.file.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                if not self.answer(verb.upper(), rest):
                    return
        except (ssl.SSLError, ConnectionError):
            return  # the client trusts nobody, which is what a test wants to see

    def finish(self):
        if self.file:
            self.file.close()
        self.request.close()  # wrapped, it is not the socket that the server closes

    def say(self, *lines):
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def answer(self, verb, rest):
        if verb == self.smtp.refuse:
            self.say("550 refused for secret@example.com")
            return True
        return getattr(self, f"on_{verb.lower()}", self.unknown)(rest)

    def unknown(self, _):
        self.say("502 not here")
        return True

    def on_ehlo(self, _):
        offers = ["STARTTLS"] if self.smtp.context and not self.encrypted else []
        self.say("250-smtp.example.com", *(f"250-{offer}" for offer in offers), "250 AUTH PLAIN")
        return True

    def on_starttls(self, _):
        self.say("220 go on")
        self.request = self.smtp.context.wrap_socket(self.request, server_side=True)
        self.file, self.encrypted = self.request.makefile("rb"), True
        return True

    def on_auth(self, rest):
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.smtp.logins.append((user, password, self.encrypted))
        self.say("235 welcome")
        return True

    def on_mail(self, rest):
        self.sender = rest.split("<")[1].split(">")[0]
        self.say("250 ok")
        return True

    def on_rcpt(self, rest):
        self.receivers.append(rest.split("<")[1].split(">")[0])
        self.say("250 ok")
        return True

    def on_data(self, _):
        self.say("354 go on")
        lines = []
        while (line := self.file.readline()) not in (b".\r\n", b""):
            lines.append(line)
        self.smtp.mails.append((self.sender, self.receivers, b"".join(lines).decode()))
        self.say("250 taken")
        return True

    def on_rset(self, _):
        self.say("250 ok")
        return True

    def on_quit(self, _):
        self.say("221 bye")
        return False
