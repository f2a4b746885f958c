from __future__ import annotations

import pytest

from local_aws.lambda_side.runtime_state import (
    Call,
    InvalidStateTransitionError,
    RuntimeStateMachine,
    State,
)


def test_one_invocation_after_another() -> None:
    machine = RuntimeStateMachine()
    for call in (Call.NEXT, Call.EVENT, Call.RESPONSE, Call.SENT, Call.NEXT, Call.EVENT):
        machine.apply(call)
    assert machine.state is State.RUNNING


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ((), Call.RESPONSE),
        ((Call.NEXT,), Call.INIT_ERROR),
        ((Call.NEXT,), Call.RESPONSE),
        ((Call.NEXT, Call.EVENT, Call.RESPONSE), Call.NEXT),
        ((Call.NEXT, Call.EVENT, Call.RESPONSE, Call.SENT), Call.ERROR),
        ((Call.INIT_ERROR,), Call.NEXT),
        ((Call.RESTORE_NEXT,), Call.RESTORE_NEXT),
    ],
)
def test_other_orders_are_refused_and_change_nothing(
    before: tuple[Call, ...], refused: Call
) -> None:
    machine = RuntimeStateMachine()
    for call in before:
        machine.apply(call)
    state = machine.state
    with pytest.raises(InvalidStateTransitionError, match="is not allowed"):
        machine.apply(refused)
    assert machine.state is state


def test_next_before_an_answer_is_a_repetition() -> None:
    machine = RuntimeStateMachine()
    for call in (Call.NEXT, Call.EVENT, Call.NEXT):
        machine.apply(call)
    assert machine.state is State.RUNNING
