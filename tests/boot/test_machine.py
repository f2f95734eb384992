from pathlib import Path

from ci_toolkit.boot import machine
from ci_toolkit.boot.firmware import Firmware
from ci_toolkit.boot.machine import Hardware, Parts

EMULATED = Hardware(accelerator="tcg", processor="max", cpus=2, memory=2 << 30)
WORK = Path("/work")


def call(hardware: Hardware = EMULATED, **parts: object) -> str:
    return " ".join(machine.argv(hardware, Parts(**{"disk": Path("/d"), "format": "raw", "uefi": None} | parts), WORK))  # type: ignore[arg-type]


def test_the_disk_is_a_snapshot_of_a_format_that_is_not_guessed() -> None:
    said = call(disk=Path("/a,b/disk"), format="qcow2")
    assert "-drive if=none,id=disk,format=qcow2,snapshot=on,file=/a,,b/disk " in said


def test_a_uefi_has_two_flashes_that_stay_as_they_are() -> None:
    said = call(uefi=Firmware(code=Path("/code"), variables=Path("/vars")))
    assert "if=pflash,unit=0,format=raw,readonly=on,file=/code" in said
    assert "if=pflash,unit=1,format=raw,snapshot=on,file=/vars" in said
    assert "pflash" not in call()
    assert "smm=off" in said


def test_the_variables_of_secure_boot_are_kept_from_the_guest() -> None:
    said = call(uefi=Firmware(code=Path("/code"), variables=Path("/vars"), protected=True))
    assert "-machine q35,smbios-entry-point-type=64,smm=on " in said
    assert "-global driver=cfi.pflash01,property=secure,value=on" in said


def test_an_emulated_processor_uses_several_threads() -> None:
    assert "-accel tcg,thread=multi -cpu max -smp 2 -m 2048M" in call()
    assert "-accel kvm -cpu" in call(Hardware(accelerator="kvm", processor="max", cpus=1, memory=1 << 30))


def test_only_what_is_asked_for_is_forwarded_and_seeded() -> None:
    assert "hostfwd" not in call()
    assert "vvfat" not in call()
    said = call(ssh=("127.0.0.1", 4022), seed=Path("/seed"), strings=[Path("/one"), Path("/two")])
    assert ",hostfwd=tcp:127.0.0.1:4022-:22 " in said
    assert "readonly=on,driver=vvfat,dir=/seed,label=CIDATA" in said
    assert said.endswith("-smbios type=11,path=/one -smbios type=11,path=/two")
