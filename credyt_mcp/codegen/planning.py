"""From an app as it was seen to the operations that put billing into it. Pure, the same each time.

Files are of three kinds. Owned ones are written again when a template changes, merged with what
the user changed. Seeded ones are the user's from the start. Shared ones are the user's own, and
get the smallest insertion at a safe anchor, or a note for a person.
"""

from __future__ import annotations

from dataclasses import replace

from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.detection import STACKS, detect
from credyt_mcp.codegen.edits import Edit, ending_of, insert, with_ending
from credyt_mcp.codegen.manifest import Manifest, SharedEdit
from credyt_mcp.codegen.merging import merge
from credyt_mcp.codegen.operations import EnvVariable, Kind, Operation, Plan, Risk, digest
from credyt_mcp.codegen.snapshot import AppSnapshot, inside, joined
from credyt_mcp.codegen.stacks.stack import App, Emission, Match

GENERIC = tuple(
    """\
No stack was recognised. By HTTP, from server code only, with the header X-CREDYT-API-KEY:
POST /wallets {"external_id": user, "products": [code]} at first use; it may be repeated.
POST /authorizations {"id", "customer_external_id", "event_type", "data"} before the work.
If that answers 402, do not run the work; offer a top-up.
POST /authorizations/{id}/capture {"event": {"id", "event_type", "data"}} when it is done.
POST /authorizations/{id}/release when it failed.
GET /customers/{external_id}/wallet for the balance; POST /top-ups for a page to pay on.
""".splitlines()
)


def plan(snapshot: AppSnapshot, answers: Answers) -> Plan:
    """Raises InvalidRequest for answers or a manifest that cannot be used."""
    if manifests.PATH in snapshot.files and snapshot.text(manifests.PATH) is None:
        return _nothing(needs=(manifests.PATH,))
    manifest = manifests.read(snapshot.text(manifests.PATH))
    if manifest is not None:
        answers = replace(answers, stack=manifest.stack, root=manifest.root)
    detected = detect(snapshot, answers)
    if detected.needs:
        return _nothing(needs=detected.needs)
    candidates = tuple(f"{match.stack} in {match.root or '.'}" for match in detected.matches)
    if len(detected.matches) != 1:
        notes = GENERIC if not candidates else ("Say which: answer stack, root, or both.",)
        return _nothing(candidates=candidates, by_hand=notes)
    [found] = detected.matches
    app = App(snapshot, found.root)
    stack = STACKS[found.stack]
    package = manifest.package if manifest else _free(app, stack.package(app, found))
    emission = stack.emit(app, found, answers, package)
    paths = [*emission.owned, *(edit.path for edit in emission.edits), ".env.example"]
    if unread := app.unread(paths):
        return _nothing(needs=tuple(sorted(joined(found.root, path) for path in unread)))
    return _Planner(snapshot, found, answers, package, manifest).plan(emission)


def _nothing(
    needs: tuple[str, ...] = (), candidates: tuple[str, ...] = (), by_hand: tuple[str, ...] = ()
) -> Plan:
    return Plan(
        stack="unknown",
        root="",
        operations=(),
        env=(),
        by_hand=by_hand,
        checks=(),
        needs=needs,
        confidence="unknown",
        candidates=candidates,
    )


def _free(app: App, package: str) -> str:
    """The proposed folder, or another if the app has something of that name."""
    for name in (package, f"{package}_credyt"):
        taken = any(p.startswith((f"{name}/", f"{name}.")) for p in app.files())
        if not taken:
            return name
    return f"{package}_credyt_integration"


class _Planner:
    """Collects operations and what the manifest will say of them."""

    def __init__(
        self,
        snapshot: AppSnapshot,
        found: Match,
        answers: Answers,
        package: str,
        manifest: Manifest | None,
    ) -> None:
        self.snapshot, self.found, self.answers = snapshot, found, answers
        self.old = manifest or Manifest(found.stack, found.root, package, {})
        self.new = Manifest(found.stack, found.root, package, answers.as_json())
        self.operations: list[Operation] = []

    def plan(self, emission: Emission) -> Plan:
        root = self.found.root
        for path, text in emission.owned.items():
            self._owned(inside(joined(root, path)), text)
        for path, text in emission.seeded.items():
            self._seeded(inside(joined(root, path)), text)
        for edit in emission.edits:
            self._shared(inside(joined(root, edit.path)), edit)
        self._environment(joined(root, ".env.example"), emission.env)
        for note in emission.by_hand:
            done = f'"{note.event}"' if note.event else ""
            if not (done and self._said(done)):
                self._manual(joined(root, note.path), note.reason, note.content)
        self._manifest()
        return Plan(
            stack=self.found.stack,
            root=root,
            operations=tuple(self.operations),
            env=emission.env,
            by_hand=tuple(f"{one.name}: {one.meaning}" for one in emission.env),
            checks=emission.checks,
            evidence=self.found.evidence,
            confidence=self.found.confidence,
            auth=self.found.auth,
        )

    def _said(self, text: str) -> bool:
        """Whether the user's own code has this; ours does not count."""
        ours = {*self.new.owned, *self.new.seeded, manifests.PATH}
        known = (read for path, read in self.snapshot.files.items() if read and path not in ours)
        return any(text in one or text.replace('"', "'") in one for one in known)

    def _owned(self, path: str, rendered: str) -> None:
        mine, known = self.snapshot.text(path), self.old.owned.get(path)
        self.new.owned[path] = manifests.owned(rendered)
        if known is not None and known.base is None and known.sha256 == digest(rendered):
            # A tool wrote the manifest, without bases; that alone is no reason to write it again.
            self.new.owned[path] = known
        if mine is None:
            self._write(path, rendered, "part of billing; written again when it improves")
            return
        ending = ending_of(mine)
        text = with_ending(rendered, ending)
        if known is None:
            if mine != text:
                del self.new.owned[path]
                reason = "there is a file of yours where billing's should be: move it away"
                self._manual(path, reason, f"Rename {path}, then plan again.")
        elif mine == text or digest(with_ending(mine, "\n")) == digest(rendered):
            pass
        elif digest(with_ending(mine, "\n")) == known.sha256:
            self._write(path, text, "a newer version; you had not changed it", before=mine)
        else:
            self._merge(path, mine, rendered, known.base)

    def _merge(self, path: str, mine: str, rendered: str, base: str | None) -> None:
        ending = ending_of(mine)
        merged = merge(base, with_ending(mine, "\n"), rendered) if base is not None else None
        if merged is not None:
            text = with_ending(merged, ending)
            if text != mine:
                self._write(path, text, "a newer version, with your changes kept", before=mine)
        elif self.old.owned[path].sha256 != digest(rendered):
            reason = f"a newer version that touches your changes: take what you want into {path}"
            text = with_ending(rendered, ending)
            self._write(f"{path}.new", text, reason, before=self.snapshot.text(f"{path}.new"))

    def _seeded(self, path: str, rendered: str) -> None:
        if path in self.old.seeded:
            self.new.seeded[path] = self.old.seeded[path]
        elif path not in self.snapshot.files:
            self.new.seeded[path] = digest(rendered)
            self._write(path, rendered, "yours from now on; never written again")

    def _shared(self, path: str, edit: Edit) -> None:
        before = self.snapshot.text(path)
        assert before is not None, path
        if path in self.old.edits:
            self.new.edits[path] = self.old.edits[path]
        if edit.done(before):
            return
        if not edit.insertions:
            self._manual(path, edit.reason, edit.by_hand)
            return
        after = before
        for insertion in edit.insertions:
            after = insert(after, insertion)
        self.new.edits[path] = SharedEdit(tuple(one.lines for one in edit.insertions))
        content = "\n\n".join("\n".join(one.lines) for one in edit.insertions)
        self.operations.append(
            Operation(path, "insert", edit.reason, "low", content, before, after, edit.insertions)
        )

    def _environment(self, path: str, variables: tuple[EnvVariable, ...]) -> None:
        before = self.snapshot.text(path) or ""
        exists = path in self.snapshot.files
        if path in self.old.edits:
            self.new.edits[path] = self.old.edits[path]
        said = {line.partition("=")[0].strip() for line in before.splitlines()}
        missing = [one for one in variables if one.name not in said]
        if not missing:
            return
        lines = "".join(f"# {one.meaning}\n{one.name}={one.example}\n" for one in missing)
        gap = "\n" if before else ""
        if before and not before.endswith("\n"):
            # The file's own last line ends without a newline, and so does ours.
            gap, lines = "\n\n", lines.removesuffix("\n")
        added = with_ending(gap + lines, ending_of(before))
        earlier = self.old.edits.get(path, SharedEdit())
        self.new.edits[path] = SharedEdit(
            appended=(earlier.appended or "") + added, created=earlier.created or not exists
        )
        known = self.snapshot.text(path)
        self.operations.append(
            Operation(
                path,
                "append",
                "names what must be set; secrets are not written",
                "none",
                added,
                known,
                before + added,
            )
        )

    def _manifest(self) -> None:
        before = self.snapshot.text(manifests.PATH)
        text = self.new.text()
        if text != before:
            reason = "remembers what was written, to update or remove it; commit it"
            self._write(manifests.PATH, text, reason, before=before)

    def _write(self, path: str, text: str, reason: str, before: str | None = None) -> None:
        kind: Kind = "create" if before is None else "update"
        risk: Risk = "none" if before is None else "low"
        self.operations.append(Operation(path, kind, reason, risk, text, before, text))

    def _manual(self, path: str, reason: str, content: str) -> None:
        self.operations.append(Operation(path, "manual", reason, "high", content))
