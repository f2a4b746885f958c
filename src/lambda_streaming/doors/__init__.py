"""Front doors: how each of AWS's HTTP services writes a request into an event.

One file per door. Pure: an event in, a `Request` out.
"""
