"""ASGI and WSGI apps: a Request goes in, a Result comes out. Knows no event and no front door."""
