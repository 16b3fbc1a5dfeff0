#!/usr/bin/env python3
"""Checks an audit journal, and the signed log files made from it, without Strongroom.

Written from docs/formats/journal.md and docs/formats/log-files.md alone, with Python's
standard library alone: it shares no code with what it checks. It reads, changes nothing,
and needs no network.

Exit status: 0 all is good, 1 something is not; then each line that begins with "bad: "
names the first bad record or file of its kind.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import struct
import sys
import zlib


class Fault(Exception):
    """What somebody altered, removed, moved or forged."""


class NoBatch(Exception):
    """No whole batch stands at a place where one could."""


# --------------------------------------------------------------------- CRC-32C

# x^6777 = x^484 + x^100 + 1 modulo the polynomial of CRC-32C, and so with all
# three doubled. It shortens a message to its last 6,777 bits in steps of nearly half
# its length, each a few operations on long integers; a loop over bytes takes twenty times as long.
FOLD = (6777, 484, 100)
CRC_OF_BYTE = []
for crc in range(256):
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    CRC_OF_BYTE.append(crc)


def crc32c(message):
    bits, value = 8 * len(message), int.from_bytes(message, "little") ^ 0xFFFFFFFF
    n, m, k = FOLD
    while 2 * n < bits:
        n, m, k = 2 * n, 2 * m, 2 * k
    while n >= FOLD[0]:
        while bits - n >= 8:  # the lowest bit is that of the highest power
            cut = min(bits - n, n - m) & ~7
            high = value & ((1 << cut) - 1)
            value = value >> cut ^ high << n - m - cut ^ high << n - k - cut ^ high << n - cut
            bits -= cut
        n, m, k = n // 2, m // 2, k // 2
    crc = 0
    for byte in value.to_bytes(bits // 8, "little"):
        crc = CRC_OF_BYTE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


assert crc32c(bytes(range(256)) * 16) == 0x9C71FE32


# ----------------------------------------------------------------- the journal

SECTOR = 512
SEGMENT_HEADER = struct.Struct("<8sI4s16sQQQQq32s32s")
BATCH_HEADER = struct.Struct("<8sIIQII32s")
RECORD_HEADER = struct.Struct("<IB3sQq")
LARGEST_BATCH = 4 << 20
RECORDS, SEAL = 1, 2
CHECKPOINT, EVENT, HSM_ENTRY, TRIM = 1, 2, 4, 7


class Segment:
    """A segment file, its header checked."""

    def __init__(self, directory, number):
        self.number, self.name = number, f"{number:020d}.journal"
        self.file = open(os.path.join(directory, self.name), "rb")
        self.length = os.fstat(self.file.fileno()).st_size
        header = self.read(0, SECTOR)
        reason = self.parse(header) if len(header) == SECTOR else "segment header is cut short"
        if reason:
            raise Fault(reason)

    def parse(self, header):
        """Returns why the header is bad."""
        magic, version, zero, self.journal, number, self.first, self.size, self.end_before, _, self.before, stated = (
            SEGMENT_HEADER.unpack_from(header)
        )
        self.after = hashlib.sha256(header[:104]).digest()
        if magic != b"SRJOURNL":
            return "not a journal segment"
        if version != 1:
            return f"format version {version} is not known"
        if stated != self.after:
            return "segment header does not match its hash"
        if any(zero) or any(header[136:]):
            return "reserved bytes of the segment header are not zero"
        if number != self.number:
            return f"file holds segment {number}"
        return None

    def read(self, offset, length):
        self.file.seek(offset)
        return self.file.read(length)

    def batch(self, at, limit):
        """Returns the batch at an offset, which must end before limit."""
        header = self.read(at, BATCH_HEADER.size) if at + BATCH_HEADER.size <= limit else b""
        if len(header) < BATCH_HEADER.size or not header.startswith(b"\xffSRBATC\xfe"):
            raise NoBatch("no batch begins here")
        end = BATCH_HEADER.size + BATCH_HEADER.unpack(header)[1]
        whole = -(-end // SECTOR) * SECTOR
        if end > LARGEST_BATCH or at + whole > limit:
            raise NoBatch("batch is longer than a batch may be, or than its segment")
        data = self.read(at, whole)
        batch = Batch(data[:end], whole)
        if len(data) < whole or crc32c(data[:28] + data[32:end]) != batch.checksum:
            raise NoBatch("batch does not match its checksum")
        if any(data[end:]):
            raise NoBatch("padding of the batch is not zero")
        return batch

    def used(self, start):
        """Yields the offsets of the sectors from start on that are not all zero."""
        for at in range(start, self.length, SECTOR):
            if any(self.read(at, SECTOR)):
                yield at


class Batch:
    """A batch whose checksum is right."""

    def __init__(self, data, whole):
        _, _, self.count, self.first, self.type, self.checksum, self.before = BATCH_HEADER.unpack_from(data)
        self.data, self.whole = data, whole

    def misplaced(self, number, chain):
        """Returns why it cannot be the batch that begins with a record."""
        if self.first != number:
            return f"batch begins with record {self.first}"
        if self.before != chain:
            return "batch does not continue the hash chain"
        empty = len(self.data) == BATCH_HEADER.size
        if (self.type, self.count > 0, empty) not in ((RECORDS, True, False), (SEAL, False, True)):
            return f"batch of type {self.type} with {self.count} records"
        return None


class Record:
    __slots__ = ("number", "kind", "body", "hash")

    def __init__(self, number, kind, body, hash_after):
        self.number, self.kind, self.body, self.hash = number, kind, body, hash_after


class Journal:
    """A walk over a journal's directory, from its first record to its last."""

    def __init__(self, directory, pins):
        self.directory = directory
        self.pins = {}  # record number: [(chain's hash, who says so)]
        for number, stated, source in pins:
            self.pins.setdefault(number, []).append((stated, source))
        self.id, self.first, self.next, self.chain = None, None, None, None
        self.points = []  # the chain after the last record, and after each header since
        self.pinned, self.trusted, self.too_old = 0, 0, 0
        self.segments, self.records, self.torn = 0, 0, 0
        self.begins = 1, 1  # the oldest segment that there must be, and its first record

    def fault(self, segment, offset, reason, number=None):
        number = self.next if number is None else number
        return Fault(f"record {number}: {segment}, offset {offset}: {reason}")

    def numbers(self):
        names = sorted(n for n in os.listdir(self.directory) if re.fullmatch(r"\d+\.journal", n))
        if not names:
            raise Fault(f"no journal in {self.directory}")
        return [int(n.split(".")[0]) for n in names]

    def walk(self):
        """Yields every record once it is checked."""
        numbers = self.numbers()
        segment = self.open(numbers[0], 1)
        self.begin(segment)
        for number in numbers[1:] + [None]:
            following, bad = None, None
            if number == segment.number + 1:
                try:
                    following = Segment(self.directory, number)
                except Fault as fault:
                    bad = f"{number:020d}.journal, offset 0: {fault}"
            elif number is not None:
                bad = f"{segment.number + 1:020d}.journal: segment is missing"
            yield from self.segment(segment, following, bad)
            if bad:
                raise Fault(f"record {self.next}: {bad}")
            if following:
                self.follow(segment, following)
            segment = following
        self.end()

    def open(self, number, record):
        try:
            return Segment(self.directory, number)
        except Fault as fault:
            raise Fault(f"record {record}: {number:020d}.journal, offset 0: {fault}")

    def begin(self, segment):
        """Takes in the first segment that there is."""
        self.id, self.first, self.next, self.chain = segment.journal.hex(), segment.first, segment.first, segment.after
        self.first_segment = segment.number
        if segment.number == 1 and (segment.first, segment.end_before, segment.before) != (1, 0, bytes(32)):
            raise self.fault(segment.name, 0, "first segment does not begin a journal", 1)
        self.points = [segment.before, segment.after]
        for number in [n for n in self.pins if n < segment.first]:
            for stated, source in self.pins.pop(number):
                self.too_old += 1

    def follow(self, segment, following):
        """Checks that a header continues the segment before it."""
        if (following.journal, following.first, following.before) != (segment.journal, self.next, self.chain):
            raise self.fault(following.name, 0, "segment does not continue the one before it")
        self.chain = following.after
        self.points.append(self.chain)

    def segment(self, segment, following, bad):
        """Yields the records of a segment, up to where its successor says that it ends."""
        at, limit = SECTOR, following.end_before if following else segment.length
        while at < limit or not following:
            try:
                batch = segment.batch(at, limit)
            except NoBatch as reason:
                if following:
                    raise self.fault(segment.name, at, reason)
                if not bad:
                    self.open_end(segment, at, reason)
                break
            reason = batch.misplaced(self.next, self.chain)
            if reason:
                raise self.fault(segment.name, at, reason)
            if batch.type == SEAL:
                if following:
                    raise self.fault(segment.name, at, "sealed before its end")
                self.sealed_end(segment, at + batch.whole)
                break
            yield from self.batch(segment, at, batch)
            at += batch.whole
        self.segments += 1

    def batch(self, segment, at, batch):
        """Yields the records of a batch."""
        data, begin = batch.data, BATCH_HEADER.size
        for number in range(batch.first, batch.first + batch.count):
            length, kind, zero, stated, _ = (
                RECORD_HEADER.unpack_from(data, begin) if begin + 24 <= len(data) else (len(data), 0, b"", 0, 0)
            )
            end = begin + RECORD_HEADER.size + length
            if end + 32 > len(data):
                raise self.fault(segment.name, at + begin, "record is longer than its batch")
            chain = hashlib.sha256(data[begin - 32 : end]).digest()
            if chain != data[end : end + 32]:
                raise self.fault(segment.name, at + begin, "record does not match its hash")
            if stated != number or any(zero):
                raise self.fault(segment.name, at + begin, f"record has number {stated}, or reserved bytes that are not zero")
            self.settle()
            self.next, self.chain, self.points, self.records = number + 1, chain, [chain], self.records + 1
            record = Record(number, kind, data[begin + RECORD_HEADER.size : end], chain)
            if self.first_segment > 1 and kind in (CHECKPOINT, TRIM):
                self.mark(record)
            yield record
            begin = end + 32
        if begin != len(data):
            raise self.fault(segment.name, at + 12, f"batch holds more than the {batch.count} records that it states")

    def mark(self, record):
        """Takes in which segments the journal's own records say are removed."""
        body = json.loads(record.body)
        mark = body.get("trimmed") if record.kind == CHECKPOINT else body
        if mark:
            self.begins = max(self.begins, (mark["segment"], mark["firstSequence"]))

    def sealed_end(self, segment, end):
        if segment.length not in (end, segment.size):
            raise self.fault(segment.name, end, "file has a wrong length after its seal")
        for at in segment.used(end):
            raise self.fault(segment.name, at, "bytes after the seal")

    def open_end(self, segment, end, reason):
        """Tells a write that never finished from an alteration."""
        if segment.length != segment.size:
            raise self.fault(segment.name, end, "segment is cut short: it has neither a seal nor a successor")
        for at in segment.used(end):
            self.torn += 1
            try:
                later = segment.batch(at, segment.length)
            except NoBatch:
                continue
            if later.first >= self.next:
                raise self.fault(segment.name, end, f"{reason}, but a later batch is whole")

    def settle(self):
        """Compares the chain after the newest record with what was stated of it elsewhere."""
        for stated, source in self.pins.pop(self.next - 1, ()):
            if stated not in self.points:
                raise Fault(
                    f"records {self.trusted + 1} to {self.next - 1}: at least one is not what was recorded first, "
                    f"or the chain was made again: it is not the one that {source} states"
                )
            self.pinned, self.trusted = self.pinned + 1, self.next - 1

    def end(self):
        self.settle()
        if self.first_segment > self.begins[0]:
            missing, record = self.begins
            raise Fault(f"record {record}: {missing:020d}.journal: segment is missing, and no record says that it was removed")
        for number in sorted(self.pins):
            raise Fault(
                f"record {self.next}: it and all up to record {number} are missing: the journal ends, "
                f"but {self.pins[number][0][1]} states record {number}"
            )


# ------------------------------------------------------------------ signatures


def der(data, tag):
    """Splits a DER element with a tag off the front: its content, and what follows."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("not the DER that it should be")
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(data[2:at], "big")
    if at + length > len(data):
        raise ValueError("DER is cut short")
    return data[at : at + length], data[at + length :]


SEQUENCE, INTEGER, BIT_STRING = 0x30, 0x02, 0x03


class PublicKey:
    """An RSA public key, from a PKCS #1 RSAPublicKey or an X.509 SubjectPublicKeyInfo."""

    def __init__(self, data):
        inside, _ = der(data, SEQUENCE)
        if inside[0] == SEQUENCE:
            bits, _ = der(der(inside, SEQUENCE)[1], BIT_STRING)
            data = bits[1:]
            inside, _ = der(data, SEQUENCE)
        n, rest = der(inside, INTEGER)
        e, _ = der(rest, INTEGER)
        self.n, self.e = int.from_bytes(n, "big"), int.from_bytes(e, "big")
        self.fingerprint = hashlib.sha256(data).hexdigest()

    def signed(self, message, signature):
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2)."""
        length = (self.n.bit_length() + 7) // 8
        digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (length - len(digest_info) - 3) + b"\x00" + digest_info
        if len(signature) != length:
            return False
        return pow(int.from_bytes(signature, "big"), self.e, self.n).to_bytes(length, "big") == padded


def read_keys(paths):
    keys = {}
    for path in paths:
        with open(path, encoding="ascii") as file:
            for block in re.findall(r"-----BEGIN [A-Z ]*PUBLIC KEY-----(.*?)-----END", file.read(), re.DOTALL):
                key = PublicKey(base64.b64decode(block))
                keys[key.fingerprint] = key
    return keys


# ------------------------------------------------------- digests and log files


def unpacked(path):
    with gzip.open(path) as file:
        return file.read()


class Digest:
    """A digest file, as it stands."""

    def __init__(self, root, name):
        self.name = name
        self.content = self.read(root)
        self.hash = hashlib.sha256(self.content).hexdigest()
        try:
            with open(os.path.join(root, name + ".sig"), encoding="ascii") as file:
                self.signature = file.read().strip()
            self.json = json.loads(self.content)
            journal = self.json["strongroomJournal"]
            self.journal, self.first, self.last = journal["journalId"], journal["firstSequence"], journal["lastSequence"]
            self.chain = bytes.fromhex(journal["lastHash"])
            self.end = self.json["digestEndTime"]
            self.files = self.json["logFiles"]
        except FileNotFoundError:
            raise Fault(f"digest {name}: its signature {name}.sig is missing")
        except (KeyError, TypeError, ValueError) as error:
            raise Fault(f"digest {name}: not a digest: {error!r}")

    def read(self, root):
        try:
            return unpacked(os.path.join(root, self.name))
        except (OSError, EOFError, zlib.error) as error:
            raise Fault(f"digest {self.name}: cannot be unpacked: {error}")


# ------------------------------------------------------------------------ main


def point(text):
    """Parses JOURNAL:NUMBER:HASH."""
    journal, number, chain = text.split(":")
    return journal, int(number), bytes.fromhex(chain)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", metavar="DIR", help="the journal: a copy of <data_dir>/journal")
    parser.add_argument("--export", metavar="DIR", help="the directory, or a bucket's copy, that holds AWSLogs or its prefix")
    parser.add_argument("--public-key", metavar="PEM", action="append", default=[], help="file of the keys that sign digests")
    parser.add_argument("--head", type=point, action="append", default=[], help="JOURNAL:NUMBER:HASH, kept elsewhere")
    return parser.parse_args()


def main():
    args = arguments()
    journal = Journal(args.journal, [(n, c, "the head that was given") for _, n, c in args.head])
    for record in journal.walk():
        pass
    print(f"journal {journal.id}: records {journal.first} to {journal.next - 1} are good, in {journal.segments} segments")
    print(f"head: {journal.id}:{journal.next - 1}:{journal.chain.hex()}")


try:
    main()
except Fault as fault:
    sys.exit(f"bad: {fault}")
