# The toolkit's own image: mkosi with every tool it may call, and ci-toolkit as the entrypoint.
#
# Debian testing, because the tools decide whether an image can be reproducible at all (docs/container.md has the trial
# of both releases): systemd >= 260 derives the ext4 hash seed from Seed=, mkosi >= 26 hands the epoch to
# systemd-sysusers, xfsprogs >= 6.17 fills an xfs deterministically. pacman's repo-add calls bsdtar (libarchive-tools).
# grub-mkimage and grub-bios-setup are for BiosBootloader=grub; GRUB itself comes from the image's own distribution.
# trixie works with `--build-arg DEBIAN_RELEASE=trixie`; its images need more settings to come out the same.
ARG DEBIAN_RELEASE=testing
ARG BASE=debian:${DEBIAN_RELEASE}-slim

FROM ${BASE} AS tools
ENV LANG=C.UTF-8
# One layer, so that nothing installed for a moment stays. The French locale is for the proving build, which must not
# find a locale that does nothing; the settings that keep the image lean are removed again, lest mkosi's dpkg reads them.
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    printf '%s\n' 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/info/*' \
        'path-exclude=/usr/share/locale/*' > /etc/dpkg/dpkg.cfg.d/lean; \
    apt-get update -q -o Acquire::Languages=none; \
    apt-get install -y -q --no-install-recommends \
        mkosi python3 systemd systemd-repart systemd-ukify systemd-boot-tools kmod openssl sbsigntool uidmap \
        dosfstools mtools e2fsprogs squashfs-tools erofs-utils xfsprogs btrfs-progs f2fs-tools cryptsetup-bin fdisk \
        grub-common grub-pc-bin \
        cpio zstd xz-utils libarchive-tools git ca-certificates gpg gpg-agent gpgconf \
        apt debian-archive-keyring ubuntu-keyring distribution-gpg-keys \
        pacman-package-manager makepkg archlinux-keyring dnf zypper \
        qemu-system-x86 qemu-utils ovmf virtiofsd iproute2 swtpm openssh-client \
        locales; \
    localedef --no-archive -i fr_FR -f UTF-8 fr_FR.UTF-8; \
    apt-get purge -y -q locales; \
    apt-get clean; \
    rm -rf /etc/dpkg/dpkg.cfg.d/lean /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt \
        /var/cache/ldconfig/aux-cache; \
    find /usr/lib/python3 -name __pycache__ -prune -exec rm -rf {} +; \
    python3 -m compileall -q --invalidation-mode=unchecked-hash /usr/lib/python3/dist-packages/mkosi

# A kernel, to tell whether KVM runs a guest, which an open /dev/kvm does not prove, and to build in a virtual machine.
# It has to mount virtiofs without an initrd; the few modules that it needs besides are numbered in their order. A release
# whose kernel has virtiofs as a module gets none of them, and the doctor then says that nothing boots.
FROM tools AS kernel
WORKDIR /var/tmp/kernel
RUN set -eu; \
    apt-get update -q -o Acquire::Languages=none; \
    image="$(apt-cache depends "linux-image-cloud-$(dpkg --print-architecture)" | awk '/Depends: linux-image-/ {print $2; exit}')"; \
    apt-get download -q "$image"; \
    for part in binary modules; do apt-get download -q "$(echo "$image" | sed "s/-image-/-$part-/")" || true; done; \
    for package in ./*.deb; do dpkg-deb -x "$package" .; done; \
    install -D -m 0644 "$(find . -name 'vmlinuz*' -type f -size +1M | head -n 1)" /kernel/vmlinuz; \
    test -n "$(find . -name 'virtiofs.ko*')" || install -d /kernel/modules; \
    number=10; \
    for module in failover net_failover virtio_net virtio_blk overlay; do \
        number=$((number + 1)); \
        file="$(find . -name "$module.ko*" | head -n 1)"; \
        test ! -d /kernel/modules || test -z "$file" || install -m 0644 "$file" "/kernel/modules/$number-${file##*/}"; \
    done

# Docker's default seccomp profile, from the last Debian release whose package of Docker's sources still carries it as
# JSON; ci_toolkit.runners.seccomp adds what a build needs.
FROM tools AS profile
ARG PROFILE_RELEASE=trixie
RUN set -eu; \
    mirror="$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1)"; \
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "${mirror% }" "$PROFILE_RELEASE" > /var/tmp/profile.sources; \
    apt-get update -q -o Dir::Etc::SourceList=/var/tmp/profile.sources -o Dir::Etc::SourceParts=/dev/null; \
    cd /var/tmp; \
    apt-get download -q -o Dir::Etc::SourceList=/var/tmp/profile.sources -o Dir::Etc::SourceParts=/dev/null \
        golang-github-docker-docker-dev; \
    dpkg-deb --fsys-tarfile golang-github-docker-docker-dev_*.deb \
        | tar -x --to-stdout ./usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json > /docker-default.json

FROM tools AS package
RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY ci_toolkit ./ci_toolkit
# The same path as in the final stage: a venv knows where it lies. GitLab's jobs release in this image, also without a key.
RUN python3 -m venv /opt/ci-toolkit \
    && /opt/ci-toolkit/bin/pip install --no-cache-dir --no-compile '.[sigstore]' \
    && /opt/ci-toolkit/bin/pip uninstall -y -q pip \
    && /opt/ci-toolkit/bin/python -m compileall -q --invalidation-mode=unchecked-hash /opt/ci-toolkit

FROM tools
LABEL org.opencontainers.image.title="ci-toolkit" \
    org.opencontainers.image.description="Build operating-system images with mkosi without privileges, and prove that they are reproducible" \
    org.opencontainers.image.source="https://github.com/archlinux/mkosi-action" \
    org.opencontainers.image.licenses="GPL-3.0-or-later"
COPY --from=package /opt/ci-toolkit /opt/ci-toolkit
COPY --from=kernel /kernel /usr/lib/ci-toolkit
COPY --from=profile /docker-default.json /usr/lib/ci-toolkit/docker-default.json
# HOME and the cache may be written by any user id, so that `docker run --user` works without an account.
RUN ln -s /opt/ci-toolkit/bin/ci-toolkit /usr/local/bin/ci-toolkit \
    && install -d -m 1777 /var/lib/ci-toolkit /var/lib/ci-toolkit/cache
ENV HOME=/var/lib/ci-toolkit \
    XDG_CACHE_HOME=/var/lib/ci-toolkit/cache \
    PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["ci-toolkit"]
