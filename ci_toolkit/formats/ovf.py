"""The description of a machine with one disk, for VirtualBox (DMTF DSP0243, version 1.0)."""

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ci_toolkit.formats.source import Disk

DISK_FILE: Final = "box.vmdk"
_SCHEMA: Final = "http://schemas.dmtf.org"
_STREAM: Final = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
# CIM_OperatingSystem.OsType: a Linux of 64 bits that is none of those with a number of their own.
_LINUX: Final = 101
_PROCESSORS: Final = 2
_MEMORY: Final = 1024

# Number, what it is for people, CIM's type of the resource, and the further elements of it.
_Items = tuple[tuple[int, str, int, tuple[tuple[str, str], ...]], ...]


def describe(disk: Disk, address: str, size: int) -> str:
    """Return the OVF of a machine with DISK, whose file has SIZE bytes, and a network card with ADDRESS."""
    items: _Items = (
        (1, f"{_PROCESSORS} virtual CPUs", 3, (("VirtualQuantity", str(_PROCESSORS)),)),
        (
            2, f"{_MEMORY} MB of memory", 4,
            (("AllocationUnits", "MegaBytes"), ("VirtualQuantity", str(_MEMORY))),
        ),
        (3, "SATA controller", 20, (("Address", "0"), ("ResourceSubType", "AHCI"))),
        (4, "disk", 17, (("AddressOnParent", "0"), ("HostResource", "/disk/vmdisk1"), ("Parent", "3"))),
        (
            5, "network card", 10,
            (
                ("Address", address), ("AutomaticAllocation", "true"), ("Connection", "NAT"),
                ("ResourceSubType", "E1000"),
            ),
        ),
    )  # fmt: skip
    # XML has no place for control characters, nor for bytes that are no character.
    label = "".join(letter if letter.isprintable() else "_" for letter in disk.name)
    name = escape(label)
    return f"""\
<?xml version="1.0"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="{_SCHEMA}/ovf/envelope/1" xmlns:ovf="{_SCHEMA}/ovf/envelope/1" \
xmlns:rasd="{_SCHEMA}/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" \
xmlns:vssd="{_SCHEMA}/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:id="file1" ovf:href="{DISK_FILE}" ovf:size="{size}"/>
  </References>
  <DiskSection>
    <Info>The disks</Info>
    <Disk ovf:capacity="{disk.size}" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="{_STREAM}"/>
  </DiskSection>
  <NetworkSection>
    <Info>The networks</Info>
    <Network ovf:name="NAT">
      <Description>NAT</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id={quoteattr(label)}>
    <Info>A machine</Info>
    <OperatingSystemSection ovf:id="{_LINUX}">
      <Info>The operating system</Info>
      <Description>Linux_64</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>The hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>{name}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType>
      </System>
{"".join(_item(*item) for item in items)}\
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def _item(number: int, told: str, kind: int, more: tuple[tuple[str, str], ...]) -> str:
    """Return one resource; its elements stand in the order of their names, as the schema wants them."""
    elements = sorted((*more, ("ElementName", told), ("InstanceID", str(number)), ("ResourceType", str(kind))))
    lines = "".join(f"        <rasd:{name}>{value}</rasd:{name}>\n" for name, value in elements)
    return f"      <Item>\n{lines}      </Item>\n"
