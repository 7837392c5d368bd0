"""Whether what clients saw can be explained by one order: a checker for linearizability, and its recorder.

A load records each request with the moment before it was sent, and each answer with the moment after it came
(:class:`~tests.linearizability.recorder.Recorder`)::

    with Recorder(path) as recorder:
        with recorder.operation("client-1", "build-issue-7", Acquire(session="client-1", ttl_s=30)) as call:
            answer = await client.claim(...)
            call.answered(Granted(token=answer.token))

Three things can come of an operation. It is *answered*. It is *void*: refused in a way that is certain to have had no
effect (:meth:`call.void`), and is left out. Or nothing of both is said, because of a timeout, an exception or the end
of the program: it may have taken effect at any moment after the call, or never. To call an operation void or answered
that was not makes the checker accuse somebody innocent; when in doubt, say nothing.

Then the history, from one file or from those of many programs of one computer (they share the monotonic clock), is
checked against a model, which says what a single copy would have answered::

    history = read_history([path], Claims())
    verdict = check(history, Claims())
    assert verdict.linearizable, verdict.describe()

It is linearizable if all answered operations and some of the others can be put into one order in which every answer is
what the model says, and in which nothing comes before what had returned when it was called. Operations on different
keys are checked apart (a history is linearizable exactly when each object's is: Herlihy and Wing 1990, theorem 1).

Models: :class:`~tests.linearizability.claims.Claims`, named locks with tokens and expiry;
:class:`~tests.linearizability.baseline.Baseline`, a document of many places with versions;
:class:`~tests.linearizability.register.Register`, a value with versions. The search is that of Wing and Gong (1993)
with the memory of Lowe (2017), as in Porcupine: :mod:`~tests.linearizability.checker`. A naive twin in
:mod:`~tests.linearizability.brute_force` tries every order. The effort grows with how many operations on one object
overlap, not with the length of the history: many objects and few clients on each make a load that can be checked.
"""
