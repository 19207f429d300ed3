# SPDX-License-Identifier: Apache-2.0
"""Committing to a real Git server: what arrives there, and what the caller is told."""

from __future__ import annotations

import threading

import pytest

from pulumi_gitops.core import git
from pulumi_gitops.core.errors import BranchNotFoundError, InputError, LostRaceError, PushRejectedError


def commit(repository, files, **options):
    settings = {"message": "Change it", "credentials": repository.credentials} | options
    return git.commit_files(repository.url, settings.pop("branch", "main"), files=files, **settings)


def test_files_arrive_in_one_commit_on_top_of_the_tip(repository):
    before = repository.tip()
    result = commit(
        repository,
        {"apps/shop/web.yaml": "replicas: 2\n", "new/deep/file.txt": "x"},
        delete=["readme.md", "no/such/file"],
        message="Scale the shop\n\nAsked for by the team.\n",
        author="Ada Lovelace <ada@example.com>",
    )
    assert repository.tip() == result.commit
    assert repository.log("%P")[0] == before
    assert repository.log("%an <%ae> %cn %s")[0] == "Ada Lovelace <ada@example.com> Ada Lovelace Scale the shop"
    assert set(repository.modes()) == {"run.sh", "apps/shop/web.yaml", "new/deep/file.txt"}
    assert result.changed_paths == ("apps/shop/web.yaml", "new/deep/file.txt", "readme.md")
    assert result.changes == (
        git.FileChange("apps/shop/web.yaml", "replicas: 1\n", "replicas: 2\n"),
        git.FileChange("new/deep/file.txt", None, "x"),
        git.FileChange("readme.md", "hello\n", None),
    )
    assert (result.changed, result.attempts, result.branch) == (True, 1, "main")


def test_the_same_files_again_change_nothing(repository):
    tip = repository.tip()
    result = commit(repository, {"apps/shop/web.yaml": "replicas: 1\n"}, delete=["gone.yaml"])
    assert (result.changed, result.commit, result.changed_paths, result.attempts) == (False, tip, (), 0)
    assert repository.tip() == tip
    assert not any("receive-pack" in request for request in repository.requests)


def test_check_mode_tells_what_would_change_and_pushes_nothing(repository):
    tip = repository.tip()
    result = commit(repository, {"readme.md": "bye\n"}, check=True)
    assert (result.changed, result.commit, result.changed_paths) == (True, tip, ("readme.md",))
    assert repository.tip() == tip


@pytest.mark.parametrize("content", [b"a\r\nb\r\n", b"no newline at the end", b"", b"\x00\xff\x00", "é\n".encode()])
def test_exact_bytes_are_kept_both_ways(repository, content):
    repository.commit({".gitattributes": b"* text=auto eol=lf\n"})
    commit(repository, {"file": content})
    assert repository.read("file") == content
    assert git.read_files(repository.url, "main", ["file"], credentials=repository.credentials).files["file"] == content


def test_modes_are_kept_and_new_files_are_plain(repository):
    commit(repository, {"run.sh": "#!/bin/sh\nexit 1\n", "new.sh": "#!/bin/sh\n"})
    modes = repository.modes()
    assert (modes["run.sh"], modes["new.sh"]) == ("100755", "100644")


def test_binary_content_is_not_printed_in_changes(repository):
    (change,) = commit(repository, {"readme.md": b"\x00\x01"}).changes
    assert change == git.FileChange("readme.md", "hello\n", "<binary, 2 bytes>")


@pytest.mark.parametrize("create_branch", [False, True])
def test_an_empty_repository_gets_its_first_commit(server, create_branch):
    repository = server.create("empty")
    result = commit(repository, {"a": "1"}, create_branch=create_branch)
    assert repository.tip() == result.commit
    assert repository.log("%H") == [result.commit]


def test_nothing_to_commit_to_an_empty_repository(server):
    repository = server.create("empty")
    result = commit(repository, {}, delete=["a"])
    assert (result.commit, result.changed) == ("", False)


def test_a_missing_branch_is_an_error_that_names_those_that_exist(repository):
    for number in range(7):
        repository.commit({"a": b"1"}, branch=f"team-{number}")
    with pytest.raises(BranchNotFoundError, match="no branch 'prod'") as caught:
        commit(repository, {"a": "1"}, branch="prod")
    assert caught.value.hint == "Branches that exist: main, team-0, team-1, team-2, team-3, ...."


def test_a_new_branch_starts_from_the_default_branch(repository):
    result = commit(repository, {"a": "1"}, branch="prod", create_branch=True)
    assert repository.log("%H", branch="prod") == [result.commit, repository.tip()]
    assert "readme.md" in repository.modes("prod")


def test_a_new_branch_is_made_even_when_no_file_differs(repository):
    result = commit(repository, {}, branch="prod", create_branch=True)
    assert result.changed
    assert repository.tip("prod") == repository.tip() == result.commit


def test_the_edit_function_sees_the_tip_and_runs_again_after_a_lost_race(repository):
    seen = []

    def edit(tree):
        content = tree.read(["apps/shop/web.yaml"])["apps/shop/web.yaml"]
        seen.append(content)
        if len(seen) == 1:
            repository.commit({"apps/shop/web.yaml": b"replicas: 7\n"})
        return {"apps/shop/web.yaml": content + b"paused: true\n"}

    result = git.commit_edit(repository.url, "main", edit, message="Pause", credentials=repository.credentials)
    assert seen == [b"replicas: 1\n", b"replicas: 7\n"]
    assert result.attempts == 2
    assert repository.read("apps/shop/web.yaml") == b"replicas: 7\npaused: true\n"


def test_an_edit_that_somebody_else_made_meanwhile_is_no_change(repository):
    def edit(tree):
        if tree.entry("readme.md").blob != git.blob_id(b"new\n"):
            repository.commit({"readme.md": b"new\n"})
        return {"readme.md": b"new\n"}

    result = git.commit_edit(repository.url, "main", edit, message="Same", credentials=repository.credentials)
    assert (result.changed, result.commit) == (False, repository.tip())


def test_a_branch_that_always_moves_gives_up_without_a_trace(repository):
    numbers = iter(range(100))

    def edit(_):
        repository.commit({"other": str(next(numbers)).encode()})
        return {"mine": b"1"}

    with pytest.raises(LostRaceError, match="each of 3 attempts"):
        git.commit_edit(
            repository.url, "main", edit, message="Never", credentials=repository.credentials, max_attempts=3
        )
    assert "mine" not in repository.modes()


def test_parallel_committers_lose_nothing(repository):
    failures = []

    def work(worker):
        try:
            for number in range(4):
                commit(repository, {f"from-{worker}/{number}": "x"}, message=f"{worker}/{number}", max_attempts=100)
        except Exception as e:  # noqa: BLE001 - shown by the main thread
            failures.append(e)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    everything = {f"from-{worker}/{number}" for worker in range(4) for number in range(4)}
    assert everything <= set(repository.modes())
    assert len(repository.log("%s")) == 1 + len(everything)


def test_a_protected_branch_gives_the_words_of_the_server(repository):
    repository.hook("echo 'main is protected: open a pull request' >&2; exit 1")
    with pytest.raises(PushRejectedError) as caught:
        commit(repository, {"a": "1"})
    assert "main is protected: open a pull request" in caught.value.message
    assert "pull request" in caught.value.hint
    assert caught.value.details["server"] == "main is protected: open a pull request"


def test_a_ref_that_the_server_will_not_update_is_no_lost_race(repository):
    (repository.path / "refs" / "heads" / "main.lock").touch()
    with pytest.raises(PushRejectedError, match="refused the push to 'main'"):
        commit(repository, {"a": "1"})


def test_a_push_whose_answer_is_lost_counts_when_it_arrived(server, repository):
    server.cut.add("git-receive-pack")
    result = commit(repository, {"a": "1"})
    assert repository.tip() == result.commit
    assert result.changed


def test_a_file_can_not_be_a_folder_nor_a_folder_a_file(repository):
    with pytest.raises(InputError, match=r"'readme.md' is a file"):
        commit(repository, {"readme.md/x": "1"})
    with pytest.raises(InputError, match=r"'apps/shop' can not be a file: it is a folder"):
        commit(repository, {"apps/shop": "1"})
    assert commit(repository, {"readme.md/x": "1"}, delete=["readme.md"]).changed


def test_links_and_submodules_are_left_alone(repository):
    tip = repository.tip()
    target = repository.commit_index(f"120000 {git.blob_id(b'hello' + bytes([10]))}\tlink\n160000 {tip}\tmodule\n")
    with pytest.raises(InputError, match="'link' is a symbolic link"):
        commit(repository, {"link": "x"})
    with pytest.raises(InputError, match="'module' is a submodule"):
        commit(repository, {}, delete=["module"])
    assert repository.tip() == target
    commit(repository, {"a": "1"})
    assert (repository.modes()["link"], repository.modes()["module"]) == ("120000", "160000")


def test_paths_of_git_lfs_are_refused(repository):
    repository.commit({"media/.gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    with pytest.raises(InputError, match=r"media/a.bin belongs to Git LFS"):
        commit(repository, {"media/a.bin": b"\x00"})
    with pytest.raises(InputError, match=r"^b.bin belongs to Git LFS"):
        commit(repository, {"b.bin": "x", ".gitattributes": "*.bin filter=lfs\n"})
    assert commit(repository, {"a.bin": b"\x00"}).changed


def test_a_secret_in_clear_is_refused_unless_asked_for(repository):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {key: canary-of-the-manifest}\n"
    with pytest.raises(InputError, match=r"secret.yaml holds a Kubernetes Secret in clear"):
        commit(repository, {"secret.yaml": secret})
    result = commit(repository, {"secret.yaml": secret}, allow_plaintext_secret=True)
    assert repository.read("secret.yaml").decode() == secret
    assert "canary" not in str(result)


def test_a_huge_tree_is_changed_without_downloading_it(server):
    repository = server.create("huge")
    repository.commit(
        {f"apps/{n % 50}/{n}.yaml": f"number: {n}\n".encode() for n in range(300)} | {".gitattributes": b""}
    )
    repository.requests.clear()
    commit(repository, {"apps/7/7.yaml": "number: 0\n", "apps/8/8.yaml": "number: 0\n"})
    # Handshakes and exchanges of: fetch of the tip, the two files, .gitattributes, the push. Never one per file.
    assert len(repository.requests) <= 16


def test_a_server_without_filters_works_as_well(repository):
    git_config = repository.path / "config"
    git_config.write_text(git_config.read_text().replace("allowFilter = true", "allowFilter = false"))
    assert commit(repository, {"readme.md": "bye\n"}).changes[0].before == "hello\n"
    assert repository.read("readme.md") == b"bye\n"
