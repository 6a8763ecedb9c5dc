"""Beam's TestPipeline for the tests of pipelines: its runner named once, and not taken for a class of tests."""

from __future__ import annotations

from apache_beam.testing.test_pipeline import TestPipeline

TestPipeline.__test__ = False
TestPipeline.pytest_test_pipeline_options = "--runner=FnApiRunner"
