"""What a plan promises, whatever the stack: the same each time, empty once done, undone exactly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp import exact_json
from credyt_mcp.codegen import manifest as manifests
from credyt_mcp.codegen.answers import Answers
from credyt_mcp.codegen.removal import removal
from credyt_mcp.codegen.snapshot import AppSnapshot
from credyt_mcp.errors import InvalidRequest
from credyt_mcp.use_cases import integrations
from tests.codegen.apps import ANSWERS, APPS, FASTAPI, FLASK, applied, integrated, planned

Files = dict[str, str | None]
every_app = pytest.mark.parametrize("files", APPS.values(), ids=APPS)


@every_app
def test_the_same_app_gets_the_same_plan_in_whatever_order_it_is_told(files: Files) -> None:
    assert planned(files) == planned(dict(reversed(files.items())))
    other = planned(files, replace(ANSWERS, products=("other",)))
    assert other.id != planned(files).id


@every_app
def test_a_plan_that_was_carried_out_is_empty_the_next_time(files: Files) -> None:
    done = integrated(files)
    again = planned(done)
    assert again.empty
    assert [one for one in again.operations if one.changes] == []


@every_app
def test_the_stack_is_recognised_with_what_shows_it(files: Files) -> None:
    made = planned(files)
    assert APPS[made.stack] is files
    assert made.confidence == "sure"
    assert any(path in " ".join(made.evidence) for path in files)


@every_app
def test_what_was_put_in_comes_out_and_leaves_the_app_as_it_was(files: Files) -> None:
    assert removed(integrated(files)) == files


@every_app
@pytest.mark.parametrize("final", ["\n", ""])
def test_line_endings_and_the_last_newline_stay(files: Files, final: str) -> None:
    windows: Files = {
        path: text and (text.removesuffix("\n") + final).replace("\n", "\r\n")
        for path, text in files.items()
    }
    done = integrated(windows)
    for path in files:
        text = done[path] or ""
        assert "\n" not in text.replace("\r\n", ""), path
        assert text.endswith("\r\n") == (windows[path] or "").endswith("\r\n"), path
    assert removed(done) == windows
    assert planned(done).empty


@every_app
def test_every_operation_fits_into_an_answer_and_no_secret_is_written(files: Files) -> None:
    for operation in planned(files).operations:
        if operation.path == manifests.PATH:
            manifest = manifests.read(operation.content)
            assert manifest is not None
            assert len(manifest.text(with_bases=False)) < 8_000
        else:
            answer = integrations.content(operation, 1).model_dump()
            assert len(exact_json.dumps(answer)) < 8_000, operation.path
        assert "key_" not in operation.content.replace("key_test", "")


@pytest.mark.parametrize("stack", ["fastapi", "flask", "django"])
def test_emitted_python_is_as_a_formatter_and_a_linter_leave_it(stack: str, tmp_path: Path) -> None:
    for operation in planned(APPS[stack]).operations:
        if operation.kind == "create" and operation.path.endswith(".py"):
            (tmp_path / operation.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / operation.path).write_text(operation.content)
    for command in (["format", "--diff"], ["check", "--select", "E,F,I,W,B,C4,SIM,RET,PIE"]):
        ruff = (Path(sys.executable).with_name("ruff"), *command, "--isolated", "--no-cache", ".")
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@every_app
def test_a_file_of_the_users_that_stands_in_the_way_is_never_written_over(files: Files) -> None:
    done = integrated(files)
    [client] = [path for path in done if path.endswith(("billing/client.py", "billing/client.ts"))]
    mine = files | {client: "mine\n"}
    made = planned(mine)
    assert client not in {one.path for one in made.operations if one.changes}
    assert applied(mine, made)[client] == "mine\n"


@every_app
def test_seeded_files_are_never_touched_again_even_when_they_are_gone(files: Files) -> None:
    done = integrated(files)
    manifest = manifests.read(done[manifests.PATH])
    assert manifest is not None and manifest.seeded
    for path in manifest.seeded:
        done[path] = "mine now\n"
    assert planned(done).empty
    for path in manifest.seeded:
        del done[path]
    assert planned(done).empty


lines = st.lists(st.text("abc =#", max_size=8), max_size=5)


@given(data=st.data(), app=st.sampled_from(sorted(APPS)))
def test_edits_of_the_user_survive_a_newer_template(data: st.DataObject, app: str) -> None:
    """Every line that the user added is there after an upgrade, and none is back that they took
    out: in the file, or left untouched."""
    done = integrated(APPS[app])
    manifest = manifests.read(done[manifests.PATH])
    assert manifest is not None
    path = data.draw(st.sampled_from(sorted(manifest.owned)))
    text = done[path]
    assert text is not None
    older = edited(data, text, "template ")
    user = edited(data, older, "mine ")
    owned = manifest.owned | {path: manifests.owned(older)}
    before = done | {path: user, manifests.PATH: replace(manifest, owned=owned).text()}
    made = planned(before)
    after = applied(before, made)
    mine = [line for line in user.splitlines() if line.startswith("mine ")]
    assert [line for line in (after[path] or "").splitlines() if line.startswith("mine ")] == mine
    assert "<<<<<<<" not in (after[path] or "")
    taken = [one for one in older.splitlines() if one not in user.splitlines()]
    assert not {one for one in taken if older.count(one) == 1} & {*(after[path] or "").splitlines()}
    if f"{path}.new" in after:
        assert after[path] == user
        assert after[f"{path}.new"] == text
    assert planned(after).empty


def edited(data: st.DataObject, text: str, mark: str) -> str:
    """Some lines gone and some put in, each of them marked."""
    at = data.draw(st.integers(0, text.count("\n")))
    gone = data.draw(st.integers(0, 3))
    kept = text.splitlines(keepends=True)
    put = [f"{mark}{line}\n" for line in data.draw(lines)]
    return "".join([*kept[:at], *put, *kept[at + gone :]])


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "C:\\x", "a\n", "", "./a"])
def test_a_path_outside_the_app_cannot_be_said(path: str) -> None:
    with pytest.raises(InvalidRequest):
        AppSnapshot({path: ""})
    manifest = f'{{"owned": {{{path!r}: {{"sha256": ""}}}}}}'.replace("'", '"')
    with pytest.raises(InvalidRequest):
        planned(FASTAPI | {manifests.PATH: manifest})


@pytest.mark.parametrize("code", ['"); import os', "a b", "", "a\n", "ä", "x" * 101])
def test_answers_that_are_no_plain_codes_never_reach_source_code(code: str) -> None:
    for name in ("events", "products"):
        with pytest.raises(InvalidRequest):
            Answers(**{name: (code,)})
    with pytest.raises(InvalidRequest):
        Answers(asset=code)


def test_an_unknown_app_gets_the_recipe_and_no_guess() -> None:
    made = planned({"Cargo.toml": "[package]", "src/main.rs": None})
    assert (made.stack, made.operations) == ("unknown", ())
    assert any("POST /authorizations" in line for line in made.by_hand)


def test_two_apps_in_one_repository_need_a_choice() -> None:
    both: Files = {f"api/{path}": text for path, text in FASTAPI.items()}
    both |= {f"web/{path}": text for path, text in FLASK.items()}
    assert planned(both).candidates == ("fastapi in api", "flask in web")
    chosen = planned(both, replace(ANSWERS, root="web"))
    assert chosen.stack == "flask"
    assert {one.path.split("/")[0] for one in chosen.operations} == {"web", ".credyt-integration"}


def test_files_whose_text_is_needed_are_asked_for_first() -> None:
    made = planned(dict.fromkeys(FASTAPI))
    assert made.operations == ()
    assert set(made.needs) == {"requirements.txt", "app/main.py", "app/__init__.py"}


def test_the_user_is_recognised_where_the_app_says_who_it_is() -> None:
    assert 'user["id"]' in (integrated(FLASK)["shop/billing/config.py"] or "")
    known = FASTAPI | {"app/deps.py": "async def get_current_user():\n    ...\n"}
    config = integrated(known)["app/billing/config.py"] or ""
    assert "from app.deps import get_current_user" in config
    assert [one.path for one in planned(known).operations if one.kind == "manual"] == [
        "app/main.py"
    ]


def test_a_billable_action_is_pointed_out_until_the_app_names_it() -> None:
    done = integrated(FLASK)
    assert "image_generated" in planned(done).operations[-1].content
    done["shop/views.py"] = "with billable('image_generated') as charge:\n    ...\n"
    assert planned(done).operations == ()


def test_without_a_safe_anchor_a_person_is_told_instead() -> None:
    odd = FASTAPI | {
        "app/main.py": "import fastapi\nfrom fastapi import FastAPI\n\n"
        "app = FastAPI(title=')')\napp.x = 1\n"
    }
    assert "insert" in {one.kind for one in planned(odd).operations}
    twice = FLASK | {
        "shop/__init__.py": "from flask import Flask\ndef create_app(x):\n"
        "    app = Flask(x)\n    if x:\n        return app\n    return dict(app=app)\n"
    }
    [by_hand] = [one for one in planned(twice).operations if "init_billing" in one.content]
    assert by_hand.kind == "manual"


def removed(files: Files) -> Files:
    manifest = manifests.read(files[manifests.PATH])
    assert manifest is not None
    done = removal(AppSnapshot(files), manifest)
    assert done.left == ()
    left = files | done.changes
    return {p: t for p, t in left.items() if not (p in done.changes and t is None)}
