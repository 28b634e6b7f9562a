# SPDX-License-Identifier: Apache-2.0
"""pypi.py - a venv with the pinned clients from PyPI."""
import os

from work import HERE, WORK, once, run_ok

VENV = os.path.join(WORK, 'venv')
PYTHON = os.path.join(VENV, 'bin', 'python')
WANTED = os.path.join(HERE, 'requirements.txt')


def make():
    run_ok(['/usr/bin/python3', '-m', 'venv', VENV], seconds=300)
    run_ok([PYTHON, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', WANTED], seconds=600)


def setup():
    """Makes it once per change of requirements.txt; returns its python."""
    once(VENV, [WANTED], make)
    return PYTHON
