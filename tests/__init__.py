"""Tests of Unmask; every test states the behaviour it checks in one sentence."""
