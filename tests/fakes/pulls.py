"""Pull requests as GitHub's API lists them, with all that its description demands."""

from typing import Any, Final

_TIME: Final = "2027-01-15T08:00:00Z"
_ADDRESSES: Final = (
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents"),
    *("contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks"),
    *("issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones"),
    *("notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams"),
    "trees",
)
_LINKS: Final = ("comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self")


def pull(
    root: str, number: int, base: str, head: str | None, branch: str, sha: str, user: dict[str, Any]
) -> dict[str, Any]:
    """Return the open pull request NUMBER of the repository BASE; HEAD is None once the fork is gone."""
    address = f"{root}/repos/{base}/pulls/{number}"
    return {
        "_links": {name: {"href": address} for name in _LINKS},
        "id": 1_700_000_000 + number,
        "node_id": "PR_1",
        "url": address,
        **{f"{name}_url": address for name in ("html", "diff", "patch", "issue", "commits", "comments", "statuses")},
        "review_comments_url": address,
        "review_comment_url": address,
        "number": number,
        "state": "open",
        "locked": False,
        "title": "A change",
        "user": user,
        "body": None,
        "labels": [],
        "milestone": None,
        "created_at": _TIME,
        "updated_at": _TIME,
        "closed_at": None,
        "merged_at": None,
        "merge_commit_sha": None,
        "assignee": None,
        "head": _part(root, head, branch, sha, user),
        "base": _part(root, base, "main", "45c48cce2e2d7fbdea1afc51c7c6ad26a1f5b9c2", user),
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
    }


def _part(root: str, repository: str | None, branch: str, sha: str, user: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": f"{user['login']}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": user,
        "repo": None if repository is None else _repository(root, repository, user),
    }


def _repository(root: str, full_name: str, owner: dict[str, Any]) -> dict[str, Any]:
    address = f"{root}/repos/{full_name}"
    counts = ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers")
    flags = ("private", "fork", "archived", "disabled", "has_downloads", "has_issues", "has_projects", "has_wiki")
    return {
        "id": sum(full_name.encode()),
        "node_id": "R_1",
        "name": full_name.partition("/")[2],
        "full_name": full_name,
        "owner": owner,
        "description": None,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        "default_branch": "main",
        "has_pages": False,
        "watchers_count": 0,
        "pushed_at": _TIME,
        "created_at": _TIME,
        "updated_at": _TIME,
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(flags, False),
        **{f"{name}_url": f"{address}/{name}" for name in _ADDRESSES},
        **dict.fromkeys(("url", "html_url", "clone_url", "git_url", "ssh_url", "svn_url"), address),
    }
