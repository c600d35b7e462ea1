"""Chaos with proofs: a stack of its own under a schedule of faults, a recorder, and a checker of what was recorded.

schedule  which fault begins when, drawn from a seed              kinds of faults: faults/kinds.py
run       starts the stack, the clients and the faults            history: every request and every outcome
model     what is right                                           checker: where a history is not
shrink    the shortest schedule that still fails                  certificate: what was seen, for people and programs
"""
