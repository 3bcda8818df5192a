"""Makes keys and encrypts secrets: `python -m millrace_service new-key`, `… encrypt TENANT`.

The secret is prompted for, or read from standard input; on the command line others could see it.
"""

import argparse
import getpass
import os
import sys

from millrace_core.errors import MillraceError
from millrace_core.names import tenant
from millrace_service.encryption import encrypt, new_key
from millrace_service.errors import SettingsInvalid
from millrace_service.settings import read_secret_key


def main() -> None:
    """Run the command, and print its result on standard output."""
    parser = argparse.ArgumentParser(prog="python -m millrace_service", description="Keys and encrypted secrets.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("new-key", help="print a new key for MILLRACE_SECRET_KEY")
    encrypting = verbs.add_parser("encrypt", help="print the enc:… form of a secret, with the key from the environment")
    encrypting.add_argument("tenant", help="tenant that may use the secret, in its own configuration")
    options = parser.parse_args()
    try:
        sys.stdout.write((new_key() if options.verb == "new-key" else _encrypted(options.tenant)) + "\n")
    except MillraceError as error:
        parser.error(str(error))


def _encrypted(of: str) -> str:
    key = read_secret_key(os.environ)
    if key is None:
        raise SettingsInvalid("no key: set MILLRACE_SECRET_KEY or MILLRACE_SECRET_KEY_FILE; `new-key` prints a new one")
    owner = tenant(of)
    secret = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\r\n")
    if not secret:
        raise SettingsInvalid("the secret is empty")
    return encrypt(owner, secret, key)


if __name__ == "__main__":
    main()
