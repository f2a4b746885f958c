"""How much of X-Ray's limit per trace is spent, and on what. Begin with policy.py."""
