"""From a browser: the extension that checks a pressed picture, and the page as an app."""
