"""Pipelines: the stages as tasks, and the runners that they run on."""

from __future__ import annotations

import logging

# Beam says at every import that a Google client is missing, which nothing here needs.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
