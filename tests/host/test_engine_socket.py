from ci_toolkit.host import engine_socket


def test_our_own_container_is_known_by_the_mount_of_its_host_name() -> None:
    name = "ab" * 32
    line = f"812 790 254:0 /var/lib/docker/containers/{name}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n"
    assert engine_socket.our_container(line) == name
    assert engine_socket.our_container("23 28 0:21 / /proc rw - proc proc rw\n") is None


def test_so_is_one_of_podman_whichever_its_storage_driver() -> None:
    name = "ab" * 32
    for place in ("/run/containers/storage/overlay-containers", "/containers/vfs-containers"):
        line = f"265 258 254:0 {place}/{name}/userdata/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n"
        assert engine_socket.our_container(line) == name
