"""A bridge in user space between two interfaces, which loses, delays or changes what it is told to.

    bridge.py BEHAVIOUR CLIENT_INTERFACE SERVER_INTERFACE

It needs no queueing discipline of the kernel, and what it does depends on what passes alone: the same conversation meets
the same losses in every run.
"""

import select
import socket
import struct
import sys
import time

ETHERNET, ALL_PROTOCOLS, IPV4, TCP, OUTGOING = 14, 0x0003, 0x0800, 6, 4
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
# How long a packet is held back for the one that is to overtake it. Senders wait 200 ms before they send again.
HELD_SECONDS = 0.03
# How long everything takes on its way, in either direction.
WAY_SECONDS = 0.002


class Packet:
    """An Ethernet frame with a TCP segment in IPv4; `tcp` is None for anything else."""

    def __init__(self, frame, by_client):
        self.frame = frame
        self.by_client = by_client
        self.tcp = None
        if struct.unpack_from("!H", frame, 12)[0] == IPV4 and frame[ETHERNET + 9] == TCP:
            self.tcp = ETHERNET + (frame[ETHERNET] & 0x0F) * 4
            self.end = ETHERNET + struct.unpack_from("!H", frame, ETHERNET + 2)[0]
            self.sequence, self.acknowledgment = struct.unpack_from("!II", frame, self.tcp + 4)
            self.flags = frame[self.tcp + 13]
            self.payload = frame[self.tcp + (frame[self.tcp + 12] >> 4) * 4:self.end]

    def has_payload(self):
        return self.tcp is not None and len(self.payload) > 0

    def with_payload(self, payload):
        """The same with another payload of the same length."""
        start = self.end - len(self.payload)
        return checked(self.frame[:start] + payload + self.frame[self.end:], self.tcp, self.end)

    def reset(self, back):
        """A RST as somebody on the way would make it: behind this packet in the name of its sender, or back to the sender
        in the name of the other side."""
        ports = struct.unpack_from("!HH", self.frame, self.tcp)
        numbers = ((self.sequence + len(self.payload)) & 0xFFFFFFFF, self.acknowledgment)
        hardware, ip = [self.frame[:6], self.frame[6:12]], bytearray(self.frame[ETHERNET:ETHERNET + 20])
        if back:
            ports, numbers, hardware = ports[::-1], numbers[::-1], hardware[::-1]
            ip[12:16], ip[16:20] = ip[16:20], ip[12:16]
        header = struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, RST | ACK, 0, 0, 0)
        ip[0] = 0x45
        struct.pack_into("!HH", ip, 2, 40, 0)
        struct.pack_into("!H", ip, 10, 0)
        struct.pack_into("!H", ip, 10, checksum(ip))
        frame = b"".join(hardware) + self.frame[12:ETHERNET] + bytes(ip) + header
        return checked(frame, ETHERNET + 20, ETHERNET + 40)


def checksum(words):
    """RFC 1071."""
    if len(words) % 2:
        words = bytes(words) + b"\0"
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def checked(frame, tcp, end):
    """The frame with its TCP checksum made anew."""
    frame = bytearray(frame)
    struct.pack_into("!H", frame, tcp + 16, 0)
    pseudo = bytes(frame[ETHERNET + 12:ETHERNET + 20]) + struct.pack("!HH", TCP, end - tcp)
    struct.pack_into("!H", frame, tcp + 16, checksum(pseudo + bytes(frame[tcp:end])))
    return bytes(frame)


# What becomes of a packet: a list of frames to be sent, each with a delay in seconds, and whether it goes back.
def passed(packet, delay=0):
    return [(delay, packet.frame, False)]


def loses():
    """Every third packet with payload, each way, the first time that it is sent; and one SYN."""
    seen = {True: [], False: []}

    def pass_on(packet):
        if packet.tcp is None or not (packet.has_payload() or packet.flags & SYN):
            return passed(packet)
        sent = seen[packet.by_client]
        if packet.sequence in sent:
            return passed(packet)
        sent.append(packet.sequence)
        # The first one is the SYN or the answer to it.
        is_lost = len(sent) % 3 == 1 and (packet.by_client or len(sent) > 1)
        return [] if is_lost else passed(packet)

    return pass_on


def reorders():
    """Every third packet with payload, each way, is overtaken by what comes after it."""
    count = {True: 0, False: 0}

    def pass_on(packet):
        count[packet.by_client] += packet.has_payload()
        is_held = packet.has_payload() and count[packet.by_client] % 3 == 0
        return passed(packet, HELD_SECONDS if is_held else 0)

    return pass_on


def resets():
    """After the server's fifth packet with payload, a RST to either side in the name of the other, and nothing more."""
    count = 0

    def pass_on(packet):
        nonlocal count
        if count >= 5 and packet.tcp is not None:
            return []
        count += packet.has_payload() and not packet.by_client
        if count < 5:
            return passed(packet)
        return [*passed(packet), (0.001, packet.reset(back=False), False), (0.001, packet.reset(back=True), True)]

    return pass_on


def strips():
    """Writes over the name of the field Upgrade in requests, as some devices do that may not change a length."""

    def pass_on(packet):
        if packet.by_client and packet.has_payload() and b"\r\nUpgrade: " in packet.payload:
            payload = packet.payload.replace(b"\r\nUpgrade: ", b"\r\nXxxxxxx: ")
            return [(0, packet.with_payload(payload), False)]
        return passed(packet)

    return pass_on


def forgets():
    """Knows a connection no more after a second of silence, and drops what comes of it then without a word."""
    latest = {}

    def pass_on(packet):
        if packet.tcp is None:
            return passed(packet)
        ports = tuple(sorted(struct.unpack_from("!HH", packet.frame, packet.tcp)))
        now = time.monotonic()
        if now - latest.get(ports, now) > 1 and not packet.flags & SYN:
            return []
        latest[ports] = now
        return passed(packet)

    return pass_on


BEHAVIOURS = {"loses": loses, "reorders": reorders, "resets": resets, "strips": strips, "forgets": forgets}


def opened(interface):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    raw.bind((interface, 0))
    return raw


def main():
    behaviour, client, server = sys.argv[1:]
    pass_on = BEHAVIOURS[behaviour]()
    sockets = {opened(client): True, opened(server): False}
    other = dict(zip(sockets, reversed(list(sockets))))
    waiting = []
    print("bridging", flush=True)
    while True:
        waiting.sort(key=lambda due: due[0])
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for raw in select.select(list(sockets), [], [], timeout)[0]:
            frame, (_, _, kind, *_) = raw.recvfrom(65536)
            if kind == OUTGOING:
                continue
            now = time.monotonic()
            for delay, sent, is_back in pass_on(Packet(frame, sockets[raw])):
                waiting.append((now + WAY_SECONDS + delay, raw if is_back else other[raw], sent))
        while waiting and waiting[0][0] <= time.monotonic():
            _, out, frame = waiting.pop(0)
            out.send(frame)


main()
