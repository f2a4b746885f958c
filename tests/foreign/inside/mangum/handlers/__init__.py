"""Mangum's handlers, whose tests look at the scope and the body that an event becomes."""

from __future__ import annotations

import os

from mangum.handlers.any_door import AnyDoor

ALB = APIGateway = HTTPGateway = LambdaAtEdge = AnyDoor

__path__.append(os.path.join(os.environ["FOREIGN_PACKAGE"], "mangum", "handlers"))
