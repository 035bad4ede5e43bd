"""`python -m local_aws --port P [--delay-ms N] [...]`: serve the local AWS on 127.0.0.1."""

import argparse
import os
import tempfile


# Functions inherit the environment: they get what they have on AWS, and nothing of whoever started this.
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LOG_LEVEL", "AUTH")


def _set_environment(port: int, directory: str | None) -> None:
    """MiniStack is set up by its environment."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ |= {
        "LOG_LEVEL": "INFO", **kept,
        # Its default bind is every interface, and it runs the code that is uploaded to it.
        "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
        # Functions call this, and never AWS itself.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "PERSIST_STATE": "0", "S3_PERSIST": "0",
        # Listeners of services that are not used here, on ports that two instances would fight for.
        "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0",
    }
    if directory:
        tempfile.tempdir = os.environ["TMPDIR"] = directory
        os.environ["S3_DATA_DIR"] = os.path.join(directory, "s3")


def main() -> None:
    """Read the arguments, set MiniStack's environment before it is imported, and serve."""
    parser = argparse.ArgumentParser(prog="local_aws", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=int, default=300, help="how long a firewall takes to take over a change")
    parser.add_argument("--minute-ms", type=int, default=60_000, help="how long a minute of a schedule's rate takes")
    parser.add_argument("--directory", help="for its files; removed when it stops")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input ends")
    arguments = parser.parse_args()

    _set_environment(arguments.port, arguments.directory)
    from . import clock, server

    clock.set_delay(arguments.delay_ms / 1000)
    server.serve(arguments.port, arguments.directory, minute=arguments.minute_ms / 1000,
                 watch_stdin=arguments.watch_stdin)


if __name__ == "__main__":
    main()
