"""What a command of its own process imports before it runs stages."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("boto3")

PROGRAM = """
import sys
import click
from massivetext.cli._process import WHOLE_PROCESS
from massivetext.cli._running import _Later, imports_of_a_run

with click.Context(click.Command("run"), obj={obj}), imports_of_a_run(is_here={is_here}):
    from pipelines.main import run
assert not any(isinstance(finder, _Later) for finder in sys.meta_path)

from apache_beam.internal import http_client
from apache_beam.io.aws.clients.s3 import boto3_client
before = [name in sys.modules for name in ("botocore", "pyparsing", "urllib3")]
client = boto3_client.Client({{"s3_region_name": "eu-west-1", "s3_endpoint_url": "http://localhost:1"}})
print(*before, type(client.client).__name__, type(http_client.get_new_http()).__name__)
"""


@pytest.mark.parametrize(
    ("obj", "is_here", "is_imported"),
    [
        ("WHOLE_PROCESS", True, "False False False"),
        ("WHOLE_PROCESS", False, "True True True"),
        ("None", True, "True True True"),
    ],
)
def test_clients_of_services_are_imported_when_they_are_used(obj: str, is_here: bool, is_imported: str) -> None:
    program = PROGRAM.format(obj=obj, is_here=is_here)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert f"{is_imported} S3 Http" == ended.stdout.strip(), ended.stderr
