"""The browser of the tests, if this machine has one."""

import shutil

_NAMES = ("chromium", "chromium-browser", "chrome", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
