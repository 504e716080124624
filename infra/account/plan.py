"""A plan of CloudFormation: a change set of a stack, which is shown before it is carried out."""

import time

from aws import Refused, aws, run, succeeds


class Plan:
    """A change set of a stack."""

    def __init__(self, system, kind, was):
        self.system, self.kind, self.was = system, kind, was
        self.name = f"{system.name}-{int(time.time())}"
        self.named = ("--stack-name", system.name, "--change-set-name", self.name)

    def make(self, template, parameters, more):
        """Creates the change set. Returns the reason if CloudFormation refuses the template, otherwise `None`.

        Raises `Refused` if the call is refused for another reason, such as credentials.
        """
        # Without --include-nested-stacks, CloudFormation reads the template of a nested stack only when it carries
        # the plan out: that template is uploaded after the plan is accepted.
        kind = ("--change-set-type", self.kind, "--capabilities", "CAPABILITY_IAM")
        body = ("--template-body", template, "--parameters", parameters)
        try:
            aws("cloudformation", "create-change-set", *self.named, *kind, *body, *more)
        except Refused as error:
            if "(ValidationError)" not in str(error):
                raise
            return str(error)
        waited = run("cloudformation", "wait", "change-set-create-complete", *self.named)
        if waited.returncode == 0:
            return None
        return self.unless_complete(waited.stderr.strip() or "aws cloudformation wait failed")

    def unless_complete(self, why):
        """Returns the reason of CloudFormation if the change set failed, `None` if it is complete.

        Stops if neither is known: the wait itself ended early because of `why`, which says nothing about the template.
        """
        again = f"Nothing of the stack was changed; run this again. The change set {self.name} is not used any more."
        try:
            made = aws("cloudformation", "describe-change-set", *self.named)
        except Refused as error:
            self.system.stop(
                f"cannot follow the change set {self.name} of the stack {self.system.name}: {error}. Sign in again or"
                f" restore the connection. {again}"
            )
        status = made["Status"]
        if status == "CREATE_COMPLETE":
            return None
        if status != "FAILED":
            self.system.stop(f"the change set {self.name} is still {status}, but waiting for it ended early: {why}. {again}")
        # CloudFormation's own checks give no reason here, only the name of the check.
        reasons = self.system.refusals(*self.named)
        self.drop()
        return "\n  ".join([made.get("StatusReason", ""), *reasons])

    def show(self):
        for change in aws("cloudformation", "describe-change-set", *self.named)["Changes"]:
            change = change["ResourceChange"]
            replaced = " (replaced)" if change.get("Replacement") == "True" else ""
            print(f"  {change['Action'] + replaced:<18} {change['LogicalResourceId']:<22} {change['ResourceType']}")

    def drop(self):
        """Deletes the change set, and its empty stack unless someone else has created or planned it since."""
        succeeds("cloudformation", "delete-change-set", *self.named)
        name = self.system.name
        if self.was or self.system.status(name) != "REVIEW_IN_PROGRESS":
            return
        plans = aws("cloudformation", "list-change-sets", "--stack-name", name)["Summaries"]
        if all(plan["ChangeSetName"] == self.name for plan in plans):
            aws("cloudformation", "delete-stack", "--stack-name", name)

    def carry_out(self):
        """Executes the change set; returns whether that succeeded. A new stack is then protected from removal."""
        aws("cloudformation", "execute-change-set", *self.named)
        done = "create" if self.kind == "CREATE" else "update"
        name = ("--stack-name", self.system.name)
        if not self.system.settled(self.system.name, done):
            return False
        if self.kind == "CREATE":
            protected = ("update-termination-protection", "--enable-termination-protection", *name)
            if not succeeds("cloudformation", *protected):
                self.system.say("the stack is not protected from removal: allow cloudformation:UpdateTerminationProtection")
        return True
