"""One screen's worth: enrols, signs on with a PIN, lists my calls, shows a packet live, adds a
note offline, locks.

Run by `cargo xtask test python` against the demo; arguments: folder, ticket, badge, unit.
"""

import sys

import forerunner
from forerunner import LinkRecord, MineRecord, Officer, PacketRecord, Said, streams


# For this sample only: an app asks the officer for it.
PIN = "482916"


class KeysInMemory(forerunner.HostKeyStore):
    """For this sample only: docs/mobile/keys.md says where an app keeps these."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def save(self, name: str, value: bytes) -> None:
        self.kept[name] = value

    def erase(self, name: str) -> None:
        self.kept.pop(name, None)


def show(packet: PacketRecord) -> None:
    if packet.facts is not None:
        print(f"-- {packet.facts.nature} at {packet.facts.location}")
    for line in packet.glance:
        print(f"   {line.name}: {line.text}")


def is_at_center(packet: PacketRecord, text: str) -> bool:
    return any(
        isinstance(entry.said, Said.NOTE)
        and entry.said.text == text
        and isinstance(entry.mine, MineRecord.AT_CENTER)
        for entry in packet.entries
    )


def main(folder: str, ticket: str, badge: str, unit: str) -> None:
    officer = Officer.open(folder, KeysInMemory())
    officer.enrol(ticket)
    # First the PIN, so that what the shift brings never lies open on the disk.
    officer.set_pin(PIN)
    officer.sign_on(badge, unit)
    officer.start()

    with streams.packets(officer) as lists:
        mine = next(calls for calls in lists if any(c.facts and c.facts.is_open for c in calls))
    for line in mine:
        if line.facts is not None:
            print(f"{line.facts.priority}  {line.facts.nature}  {line.facts.location}")
    call = next(line.call for line in mine if line.facts and line.facts.is_open)

    officer.set_link(False)
    with streams.link(officer) as links:
        next(link for link in links if isinstance(link, LinkRecord.OFFLINE))
    officer.add_note(call, "rear door open")
    print(f"written with no link; {officer.outbox_len()} to send")
    officer.set_link(True)

    with streams.packet(officer, call) as packets:
        for packet in packets:
            if packet is None:
                continue
            show(packet)
            if is_at_center(packet, "rear door open"):
                break
    print("at the center")

    officer.lock()
    officer.unlock(PIN)
    packet = officer.packet(call)
    print(f"locked and opened again; {len(packet.entries) if packet else 0} entries")
    officer.stop()


if __name__ == "__main__":
    main(*sys.argv[1:5])
