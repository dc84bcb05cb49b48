"""What a reader says of a file that breaks a rule."""


class Refused(Exception):
    """A broken rule of spec/format.md or of a coder's chapter, and the byte where it is broken."""

    def __init__(self, rule, offset, problem):
        super().__init__(f"byte {offset}: {problem} (rule {rule})")
        self.rule, self.offset, self.problem = rule, offset, problem


def need(condition, rule, offset, problem):
    """Refuses the file unless the condition holds."""
    if not condition:
        raise Refused(rule, offset, problem)
