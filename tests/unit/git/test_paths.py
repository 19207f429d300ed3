# SPDX-License-Identifier: Apache-2.0
"""Which paths may be written to a repository."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.git.paths import check_clashes, check_path


@pytest.mark.parametrize(
    "path", ["a", "apps/shop/web.yaml", ".gitignore", ".github/x", "a b/ü.txt", "-rf", "...", "a:b"]
)
def test_ordinary_paths(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "a//b", "a/", "./a", "a/../b", "..", "a\\b", "a\nb", "a\x00", "a\x7f", "\udc80"),
        *(".git/config", "a/.git/hooks/x", ".GIT/x", ".git./x", ".git /x", "GIT~1/x", ".g\u200cit/x", ".git::$INDEX/x"),
    ],
)
def test_paths_that_leave_the_tree_or_reach_git_itself(path):
    with pytest.raises(InputError):
        check_path(path)


def test_files_next_to_each_other_do_not_clash():
    check_clashes(["a/b", "a/c", "ab", "a-b/c"], ["a/c", "ab"])


@pytest.mark.parametrize(("old", "new"), [("a", "a/b/c"), ("a/b", "a/b/c"), ("a/b/c", "a"), ("a/b/c", "a/b")])
def test_a_path_is_a_file_or_a_folder(old, new):
    with pytest.raises(InputError) as caught:
        check_clashes([old, new], [new])
    assert repr(old) in caught.value.message
    assert repr(new) in caught.value.message
