"""Find out what this machine can do and what leaks from it, by trying."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ci_toolkit import settings
from ci_toolkit.host import abilities, engine, kvm, leaks, tools, virtual, workspaces
from ci_toolkit.host.capabilities import Capabilities


def probe(*, directory: Path, environ: Mapping[str, str], thorough: bool) -> Capabilities:
    """Return what this machine can do, for a build of DIRECTORY called with ENVIRON.

    Every answer comes from a child with a time limit; together they take about a second. With THOROUGH a kernel is
    booted to prove /dev/kvm, and every tool is asked for its version: some ten seconds where KVM hangs.
    """
    directory = directory.absolute()
    workspace = workspaces.existing(Path(settings.value("output", environ)).absolute().parent)
    with ThreadPoolExecutor(max_workers=8) as pool:
        kernel = pool.submit(abilities.probe, workspace)
        mkosi = pool.submit(tools.probe, tools.MKOSI, caller_path=environ.get("PATH"))
        docker = pool.submit(engine.probe, environ, workspace)
        leaking = pool.submit(leaks.probe, directory, workspace, environ)
        booted = pool.submit(kvm.probe if thorough else kvm.untried)
        sharing = pool.submit(virtual.probe_virtiofsd)
        places = pool.submit(workspaces.probe, workspaces.candidates(workspace, environ) if thorough else ())
        others = pool.submit(tools.probe_all) if thorough else None
    guest = (tools.qemu(os.uname().machine), sharing.result(), virtual.probe_kernel())
    answers = (*kernel.result(), mkosi.result(), docker.result(), *guest, booted.result(), *places.result())
    more = () if others is None else others.result()
    return Capabilities(capabilities=(*answers, *more), leaks=leaking.result())
