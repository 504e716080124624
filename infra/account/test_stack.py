"""What is known of a stack or a change set after a step that failed, or a wait that ended early."""

import contextlib
import io
import unittest
from types import SimpleNamespace
from unittest import mock

import fresh
import plan as plans
import system
from aws import Refused


class Waiting(unittest.TestCase):
    """A wait that fails says nothing about the stack: its status does."""

    def settled(self, step, status, waited=255):
        def read(name):
            if isinstance(status, Exception):
                raise status
            return status

        made = object.__new__(system.System)
        made.command, made.status = "deploy", read
        with mock.patch.object(system, "run", lambda *words: SimpleNamespace(returncode=waited, stderr="ExpiredToken")):
            return made.settled("rz", step)

    def test_the_status_decides_after_a_failed_wait(self):
        self.assertTrue(self.settled("update", "UPDATE_ROLLBACK_COMPLETE", waited=0))
        for step, status in [
            ("update", "UPDATE_COMPLETE"),
            ("update", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            ("create", "CREATE_COMPLETE"),
            ("delete", ""),
            ("delete", "DELETE_COMPLETE"),
        ]:
            self.assertTrue(self.settled(step, status), status)
        for step, status in [
            ("update", "UPDATE_ROLLBACK_COMPLETE"),
            ("create", "ROLLBACK_COMPLETE"),
            ("create", ""),
            ("delete", "DELETE_FAILED"),
        ]:
            self.assertFalse(self.settled(step, status), status)

    def test_a_step_that_goes_on_is_no_failure(self):
        for step, status, words in [
            ("create", "CREATE_IN_PROGRESS", "the stack rz is still CREATE_IN_PROGRESS.*ExpiredToken"),
            ("delete", "DELETE_IN_PROGRESS", "run this again"),
            ("update", Refused("ExpiredToken"), "goes on without this command: ExpiredToken. Sign in again"),
        ]:
            with self.assertRaisesRegex(SystemExit, words):
                self.settled(step, status)

    def test_a_role_that_never_appears_is_not_awaited_forever(self):
        clock, sleeps = iter(range(0, 1000, 10)), iter(range(100))
        time = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: next(sleeps))
        with mock.patch.multiple(fresh, time=time, aws=lambda *words, **_: None), self.assertRaises(Refused) as refused:
            fresh.make_service_role()
        self.assertIn("does not show it after 60 seconds", str(refused.exception))


class ChangeSet(unittest.TestCase):
    """A change set that could not be awaited says nothing about the template: its own status does."""

    def make(self, described, refused=None, waited=255, found=()):
        """Makes a change set. `described` is its description, or the error of that call."""
        calls = []

        def call(*words, **_):
            calls.append(words[1])
            self.words = words
            result = {"create-change-set": refused, "describe-change-set": described}.get(words[1])
            if isinstance(result, Exception):
                raise result
            return result or {}

        def stop(words):
            raise SystemExit(words)

        refusals = lambda *words: calls.append("refusals") or list(found)
        plan = plans.Plan(SimpleNamespace(name="rz", stop=stop, refusals=refusals), "UPDATE", "UPDATE_COMPLETE")
        wait = lambda *words: SimpleNamespace(returncode=waited, stderr="ExpiredToken")
        drop = lambda *words: calls.append(words[1])
        with mock.patch.multiple(plans, aws=call, run=wait, succeeds=drop):
            return plan.make("t", "p", []), calls

    def test_its_status_decides_after_a_failed_wait(self):
        self.assertEqual(self.make({}, waited=0)[0], None)
        self.assertEqual(self.make({"Status": "CREATE_COMPLETE"})[0], None)
        reason, calls = self.make({"Status": "FAILED", "StatusReason": "no such type"})
        self.assertEqual((reason, calls[-1]), ("no such type", "delete-change-set"))

    def test_what_cloudformation_itself_found_is_read_before_the_change_set_is_deleted(self):
        failed = {"Status": "FAILED", "StatusReason": "The following hook(s)/validation failed: [AWS::EarlyValidation]."}
        reason, calls = self.make(failed, found=["Cluster: a resource with this name exists", "Reports: the same"])
        self.assertEqual(reason.splitlines()[1:], ["  Cluster: a resource with this name exists", "  Reports: the same"])
        self.assertEqual(calls[-2:], ["refusals", "delete-change-set"])

    def test_the_template_of_a_nested_stack_is_not_read_for_the_plan(self):
        # It is uploaded later (docs/FIRST-HOUR.md, step 9).
        self.make({}, waited=0)
        self.assertEqual(self.words[1], "create-change-set")
        self.assertNotIn("--include-nested-stacks", self.words)

    def test_a_wait_that_ended_early_is_no_refusal_of_the_template(self):
        for described, words in [
            ({"Status": "CREATE_IN_PROGRESS"}, "is still CREATE_IN_PROGRESS.*ended early: ExpiredToken.*run this again"),
            (Refused("ExpiredToken"), "cannot follow the change set rz-.*ExpiredToken. Sign in again.*Nothing of the stack"),
        ]:
            with self.assertRaisesRegex(SystemExit, words):
                self.make(described)

    def test_only_the_template_is_refused_as_the_template(self):
        invalid = "An error occurred (ValidationError) when calling the CreateChangeSet operation: no parameter Mod"
        self.assertEqual(self.make({}, Refused(invalid))[0], invalid)
        for other in ["An error occurred (ExpiredToken) when calling CreateChangeSet", "Could not connect to the endpoint"]:
            with self.assertRaisesRegex(Refused, other[:20].replace("(", ".")):
                self.make({}, Refused(other))


class Failures(unittest.TestCase):
    """The reasons of a step that failed: of this step only, and those that stand elsewhere."""

    STACK = "arn:aws:cloudformation:r:1:stack/rz/1"
    NESTED = "arn:aws:cloudformation:r:1:stack/rz-Flink-1/2"

    def event(self, logical, status, reason="", physical="p", kind="AWS::ECS::Service", stack=None):
        return {
            "LogicalResourceId": logical, "ResourceStatus": status, "ResourceStatusReason": reason,
            "PhysicalResourceId": physical, "ResourceType": kind, "StackId": stack or self.STACK,
        }

    def printed(self, events, more):
        def call(service, command, *words, **_):
            if command == "describe-stack-events":
                return {"StackEvents": events[words[1]]}
            if isinstance(more, Exception):
                raise more
            return {"OperationEvents": more if words[1] == "rz" else []}

        made = object.__new__(system.System)
        with mock.patch.object(system, "aws", call), contextlib.redirect_stderr(io.StringIO()) as out:
            made.failures("rz")
        return out.getvalue().splitlines()

    def test_a_nested_stack_gives_its_own_reasons(self):
        nested = "AWS::CloudFormation::Stack"
        events = {
            "rz": [
                self.event("rz", "ROLLBACK_IN_PROGRESS", physical=self.STACK, kind=nested),
                self.event("Flink", "CREATE_FAILED", "Embedded stack was not created", self.NESTED, nested),
                self.event("rz", "CREATE_IN_PROGRESS", physical=self.STACK, kind=nested),
            ],
            self.NESTED: [
                self.event("Job", "CREATE_FAILED", "no such runtime", stack=self.NESTED),
                self.event("rz-Flink-1", "CREATE_IN_PROGRESS", physical=self.NESTED, kind=nested, stack=self.NESTED),
            ],
        }
        self.assertEqual(self.printed(events, []), ["  Flink: Embedded stack was not created", "  Job: no such runtime"])

    def test_an_earlier_step_is_another_matter(self):
        events = {"rz": [
            self.event("Aggregator", "UPDATE_FAILED", "circuit breaker"),
            self.event("rz", "UPDATE_IN_PROGRESS", physical=self.STACK),
            self.event("Cluster", "UPDATE_FAILED", "last year"),
        ]}
        self.assertEqual(self.printed(events, Refused("Invalid choice: describe-events")), ["  Aggregator: circuit breaker"])

    def test_what_a_check_or_a_hook_found_is_among_them(self):
        found = lambda kind, operation="2", **more: {"EventType": kind, "OperationId": operation, "LogicalResourceId": "L", **more}
        lines = self.printed({"rz": []}, [
            found("STACK_EVENT", ResourceStatusReason="elsewhere"),
            found("VALIDATION_ERROR", ValidationStatusReason="a resource with this name exists"),
            found("HOOK_INVOCATION_ERROR", HookStatusReason="a policy of the organisation"),
            found("VALIDATION_ERROR", "1", ValidationStatusReason="an earlier step"),
        ])
        self.assertEqual(lines, ["  L: a resource with this name exists", "  L: a policy of the organisation"])


if __name__ == "__main__":
    unittest.main()
