"""The two hooks, called as pre-commit calls them, in repositories of real git."""

from __future__ import annotations

import hashlib
import shlex

import pytest

from edgetpu_hooks.precommit import build, check
from tests.precommit.conftest import PYPROJECT
from tests.support import models


def other() -> bytes:
    return models.dense_net(layers=3)


class TestCheck:
    def test_is_quiet_when_all_agrees(self, repo, said):
        assert check([]) == 0
        assert said() == ""

    def test_refuses_a_staged_model_that_is_not_built(self, repo, said):
        repo.write("models/a.tflite", other())
        repo.git("add", "models/a.tflite")
        assert check([]) == 1
        told = said()
        assert told.startswith("error: pyproject.toml:6: the lock is not right for `a`: ")
        assert "hint: run `edgetpu-build build`, then commit what it wrote" in told

    def test_refuses_a_model_whose_new_lock_is_not_staged(self, repo):
        repo.write("models/a.tflite", other())
        repo.build()
        repo.git("add", "models/a.tflite", "models/a_edgetpu.tflite")
        assert check([]) == 1
        repo.git("add", "edgetpu.lock")
        assert check([]) == 0

    def test_refuses_a_committed_output_that_is_not_staged_anew(self, repo, said):
        repo.write("models/a.tflite", other())
        repo.build()
        repo.git("add", "models/a.tflite", "edgetpu.lock")
        assert check([]) == 1
        assert "models/a_edgetpu.tflite" in said()

    def test_what_is_not_staged_is_not_judged(self, repo):
        repo.write("models/a.tflite", other())
        repo.write("edgetpu.lock", "<<<<<<< not for this commit")
        repo.write("pyproject.toml", "not toml at all")
        (repo.root / "models/a_edgetpu.tflite").unlink()
        assert check([]) == 0

    def test_a_work_tree_that_is_right_excuses_no_index_that_is_wrong(self, repo):
        repo.git("rm", "-q", "--cached", "edgetpu.lock")
        assert check([]) == 1

    def test_refuses_the_deletion_of_a_declared_model(self, repo, said):
        repo.git("rm", "-q", "models/a.tflite")
        assert check([]) == 2
        assert "models/a.tflite" in said()

    def test_refuses_a_model_that_was_never_added(self, repo, said):
        repo.write("pyproject.toml", PYPROJECT + '[tool.edgetpu.models.b]\nsource = "models/b.tflite"\n')
        repo.write("models/b.tflite", other())
        repo.build()
        repo.git("add", "pyproject.toml", "edgetpu.lock", "models/b_edgetpu.tflite")
        assert check([]) == 2
        assert "models/b.tflite" in said()

    def test_outputs_that_git_ignores_may_be_missing(self, repo):
        repo.write(".gitignore", "*_edgetpu.tflite\n")
        repo.git("rm", "-q", "--cached", "models/a_edgetpu.tflite")
        repo.commit()
        (repo.root / "models/a_edgetpu.tflite").unlink()
        assert check([]) == 0

    def test_a_pointer_of_git_lfs_stands_for_its_model(self, repo):
        repo.git("rm", "-q", "--cached", "models/a.tflite")
        self._stage_pointer(repo, (repo.root / "models/a.tflite").read_bytes())
        assert check([]) == 0

    def test_a_pointer_to_another_model_is_refused(self, repo):
        self._stage_pointer(repo, other())
        assert check([]) == 1

    def _stage_pointer(self, repo, data: bytes) -> None:
        oid = hashlib.sha256(data).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n"
        blob = repo.git("hash-object", "-w", "--stdin", stdin=pointer.encode()).strip()
        repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},models/a.tflite")

    def test_judges_budgets(self, repo, said):
        repo.write("pyproject.toml", PYPROJECT + "budget.edgetpu-operators = { min = 99 }\n")
        repo.git("add", "pyproject.toml")
        assert check([]) == 1
        assert "pyproject.toml:8: " in said()

    def test_reads_the_index_that_git_names(self, repo, monkeypatch):
        repo.write("models/a.tflite", other())
        other_index = repo.root / ".git/next-index-1.lock"
        other_index.write_bytes((repo.root / ".git/index").read_bytes())
        repo.git("add", "models/a.tflite")
        monkeypatch.setenv("GIT_INDEX_FILE", str(other_index))
        assert check([]) == 0

    def test_answers_the_same_again_without_looking_closer(self, repo, said, monkeypatch):
        assert check([]) == 0
        with monkeypatch.context() as patch:
            patch.setattr("edgetpu_build.engine.check.check", lambda *_, **__: pytest.fail("looked closer"))
            assert check([]) == 0
        repo.write("models/a.tflite", other())
        assert check([]) == 0
        repo.git("add", "models/a.tflite")
        assert (check([]), check([])) == (1, 1)
        repo.git("reset", "-q")
        assert check([]) == 0

    def test_a_project_that_joins_is_judged(self, repo):
        assert check([]) == 0
        repo.write("more/pyproject.toml", PYPROJECT)
        repo.write("more/models/a.tflite", other())
        repo.git("add", "-A")
        assert check([]) == 1

    def test_needs_no_compiler(self, repo, monkeypatch):
        monkeypatch.setattr(
            "edgetpu_build.compiler.choose.backend", lambda *_, **__: pytest.fail("a compiler is asked")
        )
        repo.write("models/a.tflite", other())
        repo.git("add", "models/a.tflite")
        assert check([]) == 1


class TestBuild:
    def test_is_quiet_when_there_is_nothing_to_do(self, repo, said):
        assert build([]) == 0
        assert said() == ""

    def test_names_what_to_stage_and_is_content_when_that_is_done(self, repo, said):
        repo.write("models/a.tflite", other())
        repo.git("add", "models/a.tflite")
        assert build([]) == 1
        told = said()
        assert "error: 2 files were written that the commit does not hold yet [ETB108]" in told
        command = shlex.split(told.partition("run `")[2].partition("`")[0])
        assert sorted(command) == ["add", "edgetpu.lock", "git", "models/a_edgetpu.tflite"]
        repo.git(*command[1:])
        assert (build([]), check([])) == (0, 0)
        assert said() == ""

    def test_stages_nothing_itself(self, repo):
        repo.write("models/a.tflite", other())
        repo.git("add", "models/a.tflite")
        build([])
        assert repo.git("diff", "--cached", "--name-only").split() == ["models/a.tflite"]

    def test_what_git_ignores_is_not_named(self, repo, said):
        repo.write(".gitignore", "*_edgetpu.tflite\n")
        repo.git("rm", "-q", "--cached", "models/a_edgetpu.tflite")
        repo.commit()
        (repo.root / "models/a_edgetpu.tflite").unlink()
        assert build([]) == 0
        assert (repo.root / "models/a_edgetpu.tflite").exists()
        repo.write("models/a.tflite", other())
        assert build([]) == 1
        assert "run `git add edgetpu.lock`" in said()

    def test_an_output_that_is_no_longer_declared_is_named_as_well(self, repo, said):
        repo.write("pyproject.toml", PYPROJECT.partition("[tool.edgetpu.models.a]")[0])
        assert build([]) == 1
        told = said()
        assert "models/a_edgetpu.tflite" in told
        repo.git(*shlex.split(told.partition("run `git ")[2].partition("`")[0]))
        assert build([]) == 0

    def test_a_model_that_fails_is_told_with_its_code(self, repo, said):
        repo.write("models/a.tflite", "not a model")
        assert build([]) == 3
        assert "[ETB301]" in said()

    def test_names_with_blanks_can_be_pasted(self, repo, said):
        repo.write("pyproject.toml", PYPROJECT + '[tool.edgetpu.models.b]\nsource = "mo dels/b.tflite"\n')
        repo.write("mo dels/b.tflite", other())
        assert build([]) == 1
        assert "'mo dels/b_edgetpu.tflite'" in said()


@pytest.mark.parametrize("hook", [check, build])
class TestProjects:
    @pytest.fixture
    def mono(self, empty):
        for folder in ("one", "deep/two"):
            empty.write(f"{folder}/pyproject.toml", PYPROJECT)
            empty.write(f"{folder}/models/a.tflite", models.dense_net(layers=2))
            empty.build(folder)
        empty.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\ndependencies = ["edgetpu-build"]\n')
        empty.write("docs/other.toml", "edgetpu")
        empty.commit()
        return empty

    def test_all_of_a_repository_are_found(self, mono, hook, said):
        assert hook([]) == 0
        mono.write("deep/two/models/a.tflite", other())
        mono.git("add", "-A")
        assert hook([]) == 1
        assert said()

    def test_one_can_be_named(self, mono, hook):
        mono.write("deep/two/models/a.tflite", other())
        mono.git("add", "-A")
        assert hook(["--project", "one"]) == 0
        assert hook(["--project", "one", "--project", "deep/two"]) == 1

    def test_names_of_files_change_nothing(self, mono, hook):
        assert hook(["one/models/a.tflite"]) == 0

    def test_a_repository_without_any_is_told(self, empty, hook, said):
        empty.write("pyproject.toml", '[project]\nname = "edgetpu-fan"\n')
        empty.git("add", "-A")
        assert hook([]) == 2
        assert "no pyproject.toml in git has a `[tool.edgetpu]` table [ETB202]" in said()

    def test_no_repository(self, tmp_path, hook, said, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "pyproject.toml").write_text(PYPROJECT)
        (tmp_path / "models").mkdir()
        (tmp_path / "models/a.tflite").write_bytes(other())
        assert hook([]) == (2 if hook is check else 1)
        assert said()
