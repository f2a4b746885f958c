"""RAPID's state machine: which call a runtime may make when. No I/O.

After aws-lambda-runtime-interface-emulator, internal/lambda/core/states.go: every transition that
is not listed is refused with 403 InvalidStateTransition. Two rules matter to a runtime: an
unanswered invocation may be asked for again with /next (the same event comes back), and /next while
a response is still being sent is refused.
"""

from __future__ import annotations

import enum


class Call(enum.Enum):
    NEXT = "Ready"
    RESPONSE = "InvocationResponse"
    ERROR = "InvocationErrorResponse"
    SENT = "ResponseSent"  # not a call: the whole answer has arrived
    EVENT = "Running"  # not a call: an event was handed out
    INIT_ERROR = "InitError"
    RESTORE_NEXT = "RestoreReady"
    RESTORE_ERROR = "RestoreError"


class State(enum.Enum):
    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE = "InvocationResponse"
    ERROR = "InvocationErrorResponse"
    SENT = "ResponseSent"
    RESTORING = "Restoring"
    RESTORE_ERROR = "RestoreError"


TRANSITIONS: dict[State, dict[Call, State]] = {
    State.STARTED: {
        Call.NEXT: State.READY,
        Call.RESTORE_NEXT: State.RESTORING,
        Call.INIT_ERROR: State.INIT_ERROR,
    },
    State.RESTORING: {
        Call.NEXT: State.READY,
        Call.RESTORE_ERROR: State.RESTORE_ERROR,
        Call.INIT_ERROR: State.RESTORE_ERROR,
    },
    State.READY: {Call.NEXT: State.READY, Call.EVENT: State.RUNNING},
    State.RUNNING: {
        Call.NEXT: State.RUNNING,
        Call.RESPONSE: State.RESPONSE,
        Call.ERROR: State.ERROR,
    },
    State.RESPONSE: {Call.SENT: State.SENT},
    State.ERROR: {Call.SENT: State.SENT},
    State.SENT: {Call.NEXT: State.READY},
}


class InvalidStateTransitionError(Exception):
    """The runtime's fault; the text is the one that RAPID answers with."""

    def __init__(self, state: State, call: Call) -> None:
        super().__init__(
            f"Transition from {state.value} to {call.value} failed for runtime. "
            "Error: State transition is not allowed"
        )


class RuntimeStateMachine:
    def __init__(self) -> None:
        self.state = State.STARTED

    def apply(self, call: Call) -> State:
        """The new state. Raises InvalidStateTransitionError and stays as it is."""
        new_state = TRANSITIONS.get(self.state, {}).get(call)
        if new_state is None:
            raise InvalidStateTransitionError(self.state, call)
        self.state = new_state
        return new_state
